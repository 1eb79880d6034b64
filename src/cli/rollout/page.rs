use std::fmt::Write as _;

use windlass_core::api::{Application, Duration, RolloutPhase};
use windlass_core::rollout::{GateView, LookView, Place, PodCounts, Standing, TargetView};

use super::super::get::waiting_for;
use super::super::output::Table;
use super::super::text::{Colour, Palette, line};

/// The rollouts of an Application on a page.
pub(super) fn page(application: &Application, targets: &[TargetView], palette: Palette) -> String {
    let metadata = &application.metadata;
    let [namespace, name] = [&metadata.namespace, &metadata.name].map(|s| s.as_deref().unwrap_or_default());
    let title = palette.paint(Colour::Bold, &line(&format!("{namespace}/{name}")));
    let mut page = format!("{title}: {}\n", line(&waiting_for(application)));
    if targets.is_empty() {
        page.push_str("\nNo workload of it has a RolloutPolicy.\n");
    }
    for view in targets {
        target(&mut page, view, palette);
    }
    page
}

fn target(page: &mut String, view: &TargetView, palette: Palette) {
    let title = palette.paint(Colour::Bold, &line(&view.title()));
    let strategy = if view.strategy.is_empty() { String::new() } else { format!(" ({})", view.strategy) };
    let standing = palette.paint(colour(view), words(view.standing));
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(page, "\n{title}{strategy}: {standing}");
    if view.standing != Standing::Idle {
        field(page, "Revision", &line(&view.revision));
        field(page, "Phase", &phase(view));
        field(page, "Weight", &format!("{} %", view.weight));
        field(page, "Pods", &pods(view));
        field(page, "Waits", &waits(view));
        if let Some(failed) = &view.failed {
            field(page, "Failed", &palette.paint(Colour::Red, &line(&failed.message)));
        }
    }
    table(page, &steps(view));
    table(page, &gates(&view.gates));
}

fn field(page: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(page, "  {:<10}{value}", format!("{name}:"));
    }
}

fn table(page: &mut String, table: &Table) {
    let mut rows = Vec::new();
    // Writing to memory cannot fail.
    let _ = table.write(&mut rows);
    let rows = String::from_utf8_lossy(&rows);
    if rows.lines().count() < 2 {
        return;
    }
    page.push('\n');
    for row in rows.lines() {
        let _ = writeln!(page, "  {row}");
    }
}

/// `Hold, 45 s left`
fn phase(view: &TargetView) -> String {
    match view.hold_left {
        Some(left) if left > 0 => format!("{:?}, {} left", view.phase, time(left)),
        _ => format!("{:?}", view.phase),
    }
}

/// `candidate 2 of 2 ready, stable 8 of 8`
fn pods(view: &TargetView) -> String {
    let count = |pods: PodCounts, of: u32| format!("{} of {}", pods.ready, of.max(pods.total));
    match (view.candidate, view.stable) {
        (Some(candidate), Some(stable)) => {
            let gone = matches!(view.phase, RolloutPhase::Abort | RolloutPhase::Retreat);
            let wanted = if gone { candidate.total } else { view.wanted };
            format!("candidate {} ready, stable {} ready", count(candidate, wanted), count(stable, 0))
        }
        _ => format!("{} of the candidate wanted", view.wanted),
    }
}

fn waits(view: &TargetView) -> String {
    let by = view.paused.as_ref().map(|act| act.by.as_str()).unwrap_or_default();
    if view.failed.as_ref().is_some_and(|failed| failed.message == view.message) {
        return String::new();
    }
    match (view.standing, view.message.as_str()) {
        (Standing::Paused, "") if !by.is_empty() => format!("paused by {}", line(by)),
        (_, message) => line(message),
    }
}

fn steps(view: &TargetView) -> Table {
    let mut table = Table::new(&["", "STEP", "NAME", "CANDIDATE GETS", "HOLD", "APPROVAL"]);
    let idle = view.standing == Standing::Idle;
    for (index, step) in view.steps.iter().enumerate() {
        let mark = match step.place {
            _ if idle => "",
            Place::Done => "✓",
            Place::Present => "▶",
            Place::Ahead => "·",
        };
        table.row([
            mark.to_owned(),
            (index + 1).to_string(),
            step.name.clone(),
            step.exposure.clone(),
            if step.hold == 0 { "-".to_owned() } else { time(step.hold) },
            if step.approval { "by a person".to_owned() } else { String::new() },
        ]);
    }
    table
}

fn gates(gates: &[GateView]) -> Table {
    let mut table = Table::new(&["GATE", "KIND", "LOOK", "VALUE", "GOOD IS", "PROBLEM"]);
    for gate in gates {
        let look = match gate.look {
            LookView::Good => "good",
            LookView::Bad => "bad",
            LookView::LowTraffic => "low traffic",
            LookView::NoData => "no data",
            LookView::NotAsked => "not asked yet",
        };
        let cells = [&gate.name, gate.judge, look, &gate.value, &gate.bound, &gate.problem];
        table.row(cells.map(str::to_owned));
    }
    table
}

/// One line a workload, for those who follow it.
pub(super) fn lines(targets: &[TargetView], now: &str) -> String {
    targets.iter().map(|view| format!("{now}  {}\n", short(view))).collect()
}

fn short(view: &TargetView) -> String {
    let present = view.steps.iter().position(|step| step.place == Place::Present);
    let step = present.and_then(|index| Some((index, view.steps.get(index)?)));
    let step = step.map(|(index, step)| {
        let name = if step.name.is_empty() { String::new() } else { format!(" ({})", step.name) };
        format!("step {}/{}{name}", index + 1, view.steps.len())
    });
    let mut parts = vec![line(&view.name), words(view.standing).to_owned()];
    if view.standing != Standing::Idle {
        parts.extend(step);
        parts.push(format!("{:?}", view.phase));
        parts.push(format!("{} %", view.weight));
        parts.push(pods(view));
        parts.extend(view.gates.iter().filter(|gate| gate.look != LookView::NotAsked).map(|gate| {
            let value = if gate.value.is_empty() { &gate.problem } else { &gate.value };
            line(&format!("{}: {value}", gate.name))
        }));
        if view.gates.iter().all(|gate| gate.look == LookView::NotAsked) {
            parts.push(waits(view));
        }
        parts.extend(view.failed.as_ref().map(|failed| line(&failed.message)));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Idle => "nothing is rolled out",
        Standing::RollingOut => "rolling out",
        Standing::Finishing => "finishing",
        Standing::AwaitingApproval => "waits for approval",
        Standing::Paused => "paused",
        Standing::NoVerdict => "no verdict, held",
        Standing::GoingBack => "going back",
    }
}

fn colour(view: &TargetView) -> Colour {
    match view.standing {
        Standing::Idle | Standing::Finishing => Colour::Green,
        Standing::RollingOut => Colour::Cyan,
        Standing::AwaitingApproval | Standing::Paused | Standing::NoVerdict => Colour::Yellow,
        Standing::GoingBack => Colour::Red,
    }
}

/// `45s`, `1m30s`
pub(super) fn time(seconds: u64) -> String {
    Duration::from_secs(seconds).to_string()
}
