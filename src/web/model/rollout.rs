use jiff::Timestamp;
use windlass_core::api::{Duration, TargetStatus};
use windlass_core::rollout::{GateView, Gauge, LookView, Place, Standing, TargetView, standing, summary};

use super::{Badge, Revision, Tone, When, path_segment, visible, visible_line};

/// Width of a gate's chart, in units of its drawing.
pub const CHART: i32 = 200;

/// The rollout of one workload.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RolloutPanel {
    /// Id of its section.
    pub id: String,
    /// The workload: `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The member of `strategy` that is set.
    pub strategy: &'static str,
    /// What it does.
    pub standing: Badge,
    /// Whether anything is under way.
    pub active: bool,
    /// The phase of its machine.
    pub phase: String,
    /// Percent of the traffic, or of the pods, that the candidate has.
    pub weight: u32,
    /// The steps.
    pub steps: Vec<StepItem>,
    /// What is rolled out.
    pub revision: Revision,
    /// The pods in words; empty where nobody looked.
    pub pods: String,
    /// What is left of the hold; empty where nothing is held.
    pub left: String,
    /// What it waits for.
    pub message: String,
    /// Why it failed.
    pub failed: String,
    /// The gates.
    pub gates: Vec<GateItem>,
    /// When it began.
    pub since: Option<When>,
}

/// One step on the track.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StepItem {
    /// Its name, or its number where it has none.
    pub label: String,
    /// What the candidate gets.
    pub exposure: String,
    /// How long it is held, and whether a person has to let it go on.
    pub detail: String,
    /// Its place, as shape, text and colour.
    pub place: Badge,
    /// Whether it is under way.
    pub present: bool,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct GateItem {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub judge: &'static str,
    /// What its last look was like.
    pub look: Badge,
    /// The last value.
    pub value: String,
    /// What is good.
    pub bound: String,
    /// What is bad, or why there is no value.
    pub problem: String,
    /// The value beside its bounds.
    pub chart: Option<Chart>,
}

/// A bar with bounds, in units of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Chart {
    /// What is drawn: `value` or `evidence`.
    pub of: &'static str,
    /// Length of the bar.
    pub bar: i32,
    /// Where the smallest good value is.
    pub min: Option<i32>,
    /// Where the largest good value is.
    pub max: Option<i32>,
    /// The colour of the bar.
    pub tone: Tone,
}

impl RolloutPanel {
    /// The rollout of a workload, seen at `now`.
    pub fn new(view: &TargetView, now: Timestamp) -> Self {
        let (namespace, name) = (path_segment(&view.namespace), path_segment(&view.name));
        let step = |(index, step): (usize, &windlass_core::rollout::StepView)| {
            let hold = (step.hold > 0).then(|| format!("hold {}", Duration::from_secs(step.hold)));
            let approval = step.approval.then(|| "approval".to_owned());
            let detail: Vec<_> = [hold, approval].into_iter().flatten().collect();
            StepItem {
                label: match step.name.as_str() {
                    "" => format!("step {}", index + 1),
                    name => visible_line(name),
                },
                exposure: visible_line(&step.exposure),
                detail: detail.join(", "),
                place: place(if view.standing == Standing::Idle { Place::Ahead } else { step.place }),
                present: step.place == Place::Present,
            }
        };
        let pods = match (view.candidate, view.stable) {
            (Some(candidate), Some(stable)) => format!(
                "candidate {} of {} ready, stable {} of {} ready",
                candidate.ready,
                candidate.total.max(view.wanted),
                stable.ready,
                stable.total
            ),
            _ => String::new(),
        };
        let failed = view.failed.as_ref().map(|failed| failed.message.as_str()).unwrap_or_default();
        let by = view.paused.as_ref().map(|act| act.by.as_str()).unwrap_or_default();
        let message = match view.message.as_str() {
            "" if !by.is_empty() => format!("paused by {by}"),
            message if message == failed => String::new(),
            message => message.to_owned(),
        };
        Self {
            id: format!("rollout:{:?}:{namespace}:{name}", view.kind),
            kind: format!("{:?}", view.kind),
            namespace: visible_line(&view.namespace),
            name: visible_line(&view.name),
            strategy: view.strategy,
            standing: badge(view.standing, view.failed.is_some()),
            active: view.standing != Standing::Idle,
            phase: format!("{:?}", view.phase),
            weight: view.weight,
            steps: view.steps.iter().enumerate().map(step).collect(),
            revision: Revision::new(&view.revision),
            pods,
            left: match view.hold_left {
                Some(left) if left > 0 => Duration::from_secs(left).to_string(),
                _ => String::new(),
            },
            message: visible(&message),
            failed: visible(failed),
            gates: view.gates.iter().map(gate).collect(),
            since: view.since.as_ref().map(|since| When::new(since.0, now)),
        }
    }
}

/// How the rollouts of an Application stand, for a list: the one that needs a person most; `None` where nothing
/// is rolled out.
pub fn rollout_badge(targets: &[TargetStatus]) -> Option<(Badge, String)> {
    let worst = targets.iter().max_by_key(|state| standing(state, None))?;
    let failed = worst.rollout.as_ref()?.failed.is_some();
    Some((badge(standing(worst, None), failed), visible_line(&summary(targets))))
}

fn badge(standing: Standing, failed: bool) -> Badge {
    let new = |value, label, symbol, tone| Badge { value, label, symbol, tone };
    match standing {
        Standing::Idle => new("Idle", "Nothing rolled out", "yes", Tone::Idle),
        Standing::RollingOut => new("RollingOut", "Rolling out", "rolling", Tone::Busy),
        Standing::Finishing => new("Finishing", "Finishing", "healthy", Tone::Good),
        Standing::AwaitingApproval => new("AwaitingApproval", "Waits for approval", "hand", Tone::Warn),
        Standing::Paused => new("Paused", "Paused", "suspended", Tone::Warn),
        Standing::NoVerdict => new("NoVerdict", "No verdict", "unknown", Tone::Warn),
        Standing::GoingBack if failed => new("GoingBack", "Failed, goes back", "back", Tone::Bad),
        Standing::GoingBack => new("GoingBack", "Goes back", "back", Tone::Warn),
    }
}

fn place(place: Place) -> Badge {
    let new = |value, label, symbol, tone| Badge { value, label, symbol, tone };
    match place {
        Place::Done => new("Done", "done", "yes", Tone::Good),
        Place::Present => new("Present", "now", "progressing", Tone::Busy),
        Place::Ahead => new("Ahead", "ahead", "ahead", Tone::Idle),
    }
}

fn gate(gate: &GateView) -> GateItem {
    let new = |value, label, symbol, tone| Badge { value, label, symbol, tone };
    let look = match gate.look {
        LookView::Good => new("Good", "good", "yes", Tone::Good),
        LookView::Bad => new("Bad", "bad", "degraded", Tone::Bad),
        LookView::LowTraffic => new("LowTraffic", "low traffic", "missing", Tone::Warn),
        LookView::NoData => new("NoData", "no data", "unknown", Tone::Unknown),
        LookView::NotAsked => new("NotAsked", "not asked yet", "ahead", Tone::Idle),
    };
    GateItem {
        name: visible_line(&gate.name),
        judge: gate.judge,
        look,
        value: visible_line(&gate.value),
        bound: visible_line(&gate.bound),
        problem: visible(&gate.problem),
        chart: gate.gauge.as_ref().and_then(|gauge| chart(gauge, look.tone)),
    }
}

/// A drawing in which the outermost bound is at three quarters of the width; what is larger ends at its edge.
fn chart(gauge: &Gauge, tone: Tone) -> Option<Chart> {
    let largest = [gauge.min, gauge.max].into_iter().flatten().fold(0.0_f64, f64::max);
    if largest <= 0.0 || !gauge.value.is_finite() {
        return None;
    }
    let place = |value: f64| ((value / largest * 0.75).clamp(0.0, 1.0) * f64::from(CHART)).round() as i32;
    let over = gauge.max.is_some_and(|max| gauge.value > max);
    let tone = if gauge.of == "evidence" && over { Tone::Bad } else { tone };
    Some(Chart {
        of: gauge.of,
        bar: place(gauge.value),
        min: gauge.min.map(place),
        max: gauge.max.map(place),
        tone,
    })
}
