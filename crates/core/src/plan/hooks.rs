use super::decide::Observed;
use super::moving::holds_data;
use super::order::{Stage, tier};
use super::steps::Progress;
use crate::api::{HealthStatus, HookRun, HookState, bounded_message};
use crate::health::Health;
use crate::health::cause::{Cause, FailureClass};
use crate::object::ObjectId;
use crate::release::{Phase, Release, ReleaseHook};

/// A hook that has something to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookAction {
    /// The step of the release in which it runs.
    pub stage: Stage,
    /// On what occasion.
    pub phase: Phase,
    /// Which object it is.
    pub id: ObjectId,
    /// It ended and its policy wants it gone; else it has to run.
    pub clean: bool,
}

/// What to do with a hook that has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookStep {
    /// Delete the one that an earlier run left.
    Remove,
    /// Record it, then create it.
    Begin,
    /// Create it: it is recorded.
    Create,
    /// It is on its way: how far.
    Wait(String),
    /// It ended well.
    Succeeded,
    /// It failed: why.
    Failed(String),
}

/// The hooks of a release that have something to be done about them, in order: those that have not ended,
/// where the release is new and no hook of it failed, and those to be cleaned up. Those for when something went
/// wrong are begun by [`hooks_on`].
pub fn hook_actions(
    release: &Release,
    progress: Progress<'_>,
    observed: &dyn Fn(&ObjectId) -> Option<Observed>,
) -> Vec<HookAction> {
    let goes_on = progress.new && failed_hook(progress.runs).is_none();
    let mut actions = Vec::new();
    for hook in release.hooks() {
        for phase in &hook.hook.phases {
            let stage = Stage::of_hook(*phase, hook.wave);
            let action = |clean| HookAction { stage, phase: *phase, id: hook.id.clone(), clean };
            match run_of(progress.runs, hook.id, *phase).map(|run| run.state) {
                None | Some(HookState::Running) => {
                    if goes_on && stage < Stage::SyncFail(i32::MIN) {
                        actions.push(action(false));
                    }
                }
                Some(state) => {
                    let unwanted = match state {
                        HookState::Succeeded => hook.hook.delete_succeeded,
                        _ => hook.hook.delete_failed,
                    };
                    let running = progress
                        .runs
                        .iter()
                        .any(|run| run.object == hook.id.to_string() && run.state == HookState::Running);
                    let there = observed(hook.id).is_some_and(|live| !live.deleting);
                    if unwanted && there && !running {
                        actions.push(action(true));
                    }
                }
            }
        }
    }
    actions.sort_by_key(|action| (action.stage, tier(&action.id.group, &action.id.kind)));
    actions
}

/// The hooks of an occasion that are next: of the lowest wave, those that have not ended.
pub fn hooks_on(release: &Release, phase: Phase, runs: &[HookRun]) -> Vec<HookAction> {
    let mut actions: Vec<_> = release
        .hooks()
        .filter(|hook| hook.hook.phases.contains(&phase))
        .filter(|hook| run_of(runs, hook.id, phase).is_none_or(|run| run.state == HookState::Running))
        .map(|hook| HookAction {
            stage: Stage::of_hook(phase, hook.wave),
            phase,
            id: hook.id.clone(),
            clean: false,
        })
        .collect();
    let first = actions.iter().map(|action| action.stage).min();
    actions.retain(|action| Some(action.stage) == first);
    actions
}

/// What is recorded of a hook.
pub fn run_of<'a>(runs: &'a [HookRun], id: &ObjectId, phase: Phase) -> Option<&'a HookRun> {
    let object = id.to_string();
    runs.iter().find(|run| run.object == object && run.phase == phase.as_str())
}

/// The first hook that failed and with it the release.
pub fn failed_hook(runs: &[HookRun]) -> Option<&HookRun> {
    let fails = [Phase::PreSync, Phase::Sync, Phase::PostSync].map(Phase::as_str);
    runs.iter().find(|run| run.state == HookState::Failed && fails.contains(&run.phase.as_str()))
}

/// What to do with a hook. `ended` is the last that was seen of a Job that ended and went since.
pub fn hook_step(
    hook: &ReleaseHook<'_>,
    run: Option<&HookRun>,
    observed: Option<&Observed>,
    ended: Option<&Health>,
) -> HookStep {
    match (run.map(|run| run.state), observed) {
        (Some(HookState::Succeeded), _) => HookStep::Succeeded,
        (Some(HookState::Failed), _) => HookStep::Failed(run.map_or_else(String::new, |r| r.message.clone())),
        (None, Some(live)) if live.deleting => {
            HookStep::Wait("the one of an earlier release is being deleted".into())
        }
        // What is worth more than its manifest is applied over what there is.
        (None, Some(_)) if !holds_data(hook.id) => HookStep::Remove,
        (None, _) => HookStep::Begin,
        (Some(HookState::Running), None) => ended.map_or(HookStep::Create, judged),
        (Some(HookState::Running), Some(live)) => match ended.filter(|_| live.deleting) {
            Some(ended) => judged(ended),
            None => judged(&live.health),
        },
    }
}

/// Why a hook failed, in words, and whether the cluster is to blame. `now` is what its pods say after it failed,
/// `before` what they said last while it ran: a Job that ran out of time has none any more.
pub fn hook_failure(id: &ObjectId, why: &str, before: Option<&Cause>, now: Option<&Cause>) -> (String, bool) {
    let out_of_time = why.contains("DeadlineExceeded");
    let cause = before.filter(|_| out_of_time).or(now).or(before);
    let health = Health { status: HealthStatus::Degraded, message: why.to_owned() };
    let told = match cause {
        Some(cause) => health.because(id, cause),
        None => health,
    };
    let environment = cause.is_some_and(|cause| cause.class == FailureClass::Environment);
    (bounded_message(&told.message), environment)
}

fn judged(health: &Health) -> HookStep {
    match health.status {
        HealthStatus::Healthy => HookStep::Succeeded,
        HealthStatus::Degraded => HookStep::Failed(health.message.clone()),
        _ => HookStep::Wait(health.message.clone()),
    }
}
