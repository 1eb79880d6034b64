use crate::api::{
    Ab, BlueGreen, Canary, CanaryStep, Capacity, Duration, OnNewRelease, OnNoVerdict, Rolling,
    RolloutPolicySpec, TrafficMatch,
};

/// What a policy asks for, whatever its strategy: steps that are gone through one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The steps. The last one of a course that [bakes](Self::bakes) has all of the traffic.
    pub steps: Vec<Step>,
    /// Whether the candidate has all traffic for a while before the stable pods go.
    pub bakes: bool,
    /// Where the candidate's pods come from.
    pub capacity: Capacity,
    /// A Service that leads to the candidate.
    pub preview: Option<String>,
    /// How long there may be no verdict.
    pub deadline: Duration,
    /// What happens then.
    pub on_no_verdict: OnNoVerdict,
    /// What a newer release does.
    pub on_new_release: OnNewRelease,
    /// It is held where it is.
    pub suspended: bool,
}

/// One step of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What people call it; empty where it has no name.
    pub name: String,
    /// What of the traffic the candidate has.
    pub exposure: Exposure,
    /// How many pods the candidate has, in percent of the replicas.
    pub pods: u8,
    /// How long it is held and judged.
    pub hold: std::time::Duration,
    /// Whether a person has to let it go on.
    pub approval: bool,
}

/// What of the traffic a candidate has.
#[derive(Clone, Debug, PartialEq)]
pub enum Exposure {
    /// Nothing, but for who knows where it is.
    Nothing,
    /// This percentage.
    Weight(u8),
    /// What matches.
    Match(Vec<TrafficMatch>),
    /// Copies of this percentage.
    Mirror(u8),
    /// What its pods get, beside the stable ones.
    Pods(u8),
}

impl Exposure {
    /// How much that is in percent, for people and for comparing steps.
    pub fn weight(&self) -> u8 {
        match self {
            Self::Weight(percent) | Self::Pods(percent) => *percent,
            Self::Nothing | Self::Match(_) | Self::Mirror(_) => 0,
        }
    }
}

impl Course {
    /// The course of a policy.
    pub fn of(spec: &RolloutPolicySpec) -> Self {
        let strategy = &spec.strategy;
        let (steps, bake, capacity, preview) =
            match (&strategy.canary, &strategy.blue_green, &strategy.ab, &strategy.rolling) {
                (Some(canary), ..) => (of_canary(canary), Some(canary.bake), canary.capacity, None),
                (_, Some(blue_green), ..) => {
                    let preview = blue_green.preview.as_ref().map(|preview| preview.service.clone());
                    (of_blue_green(blue_green), Some(blue_green.bake), Capacity::Surge, preview)
                }
                (_, _, Some(ab), _) => (of_ab(ab), Some(ab.bake), Capacity::Surge, None),
                (_, _, _, Some(rolling)) => (of_rolling(rolling), None, Capacity::Surge, None),
                (None, None, None, None) => (Vec::new(), None, Capacity::Surge, None),
            };
        let full = bake.map(|bake| Step {
            name: "full".into(),
            exposure: Exposure::Weight(100),
            pods: 100,
            hold: bake.get(),
            approval: false,
        });
        Self {
            bakes: full.is_some(),
            steps: steps.into_iter().chain(full).collect(),
            capacity,
            preview,
            deadline: spec.deadline,
            on_no_verdict: spec.on_no_verdict,
            on_new_release: spec.on_new_release,
            suspended: spec.suspend,
        }
    }

    /// How many steps people wrote.
    pub fn listed(&self) -> usize {
        self.steps.len() - usize::from(self.bakes)
    }

    /// Whether a step is the one that bakes.
    pub fn is_bake(&self, step: usize) -> bool {
        self.bakes && step + 1 == self.steps.len()
    }

    /// How many pods the candidate has in a step, of a workload with so many replicas: at least one, and never
    /// more than there are replicas.
    pub fn pods(&self, step: usize, replicas: u32) -> u32 {
        let percent = self.steps.get(step).map_or(100, |step| u32::from(step.pods));
        let pods = u64::from(replicas) * u64::from(percent);
        u32::try_from(pods.div_ceil(100)).unwrap_or(u32::MAX).clamp(1, replicas.max(1))
    }

    /// Which step of a changed policy a rollout goes on with that has this weight in step `step`: the same one
    /// where it still is as heavy, else the first that is not lighter.
    pub fn place(&self, step: usize, weight: u8) -> usize {
        match self.steps.get(step) {
            Some(same) if same.exposure.weight() == weight => step,
            _ => {
                let heavy = |step: &Step| step.exposure.weight() >= weight;
                self.steps.iter().position(heavy).unwrap_or(self.steps.len().saturating_sub(1))
            }
        }
    }
}

fn of_canary(canary: &Canary) -> Vec<Step> {
    let mut pods = 1;
    let step = |step: &CanaryStep| {
        let exposure = match (step.weight, step.mirror) {
            (Some(weight), _) => Exposure::Weight(weight),
            (None, Some(percent)) => Exposure::Mirror(percent),
            (None, None) => Exposure::Nothing,
        };
        // Pods that a heavier step had are not taken away by a lighter one.
        pods = pods.max(step.weight.or(step.mirror).unwrap_or(1));
        Step {
            name: step.name.clone().unwrap_or_default(),
            exposure,
            pods,
            hold: step.hold.get(),
            approval: step.approval,
        }
    };
    canary.steps.iter().map(step).collect()
}

fn of_blue_green(blue_green: &BlueGreen) -> Vec<Step> {
    let (hold, approval) = (blue_green.hold.get(), blue_green.approval);
    vec![Step { name: "preview".into(), exposure: Exposure::Nothing, pods: 100, hold, approval }]
}

fn of_ab(ab: &Ab) -> Vec<Step> {
    let exposure = Exposure::Match(ab.matches.clone());
    let (hold, approval) = (ab.hold.get(), ab.approval);
    vec![Step { name: "match".into(), exposure, pods: ab.pods, hold, approval }]
}

fn of_rolling(rolling: &Rolling) -> Vec<Step> {
    let steps = rolling.steps.iter().map(|step| Step {
        name: step.name.clone().unwrap_or_default(),
        exposure: Exposure::Pods(step.percent),
        pods: step.percent,
        hold: step.hold.get(),
        approval: step.approval,
    });
    steps.collect()
}
