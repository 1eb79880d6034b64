//! The state machine of one workload's rollout. The same inputs give the same answer, so a controller that was
//! killed anywhere goes on where it stopped, and a history can be replayed.

mod back;
mod forward;
mod held;

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::course::Course;
use super::seen::Seen;
use crate::api::{
    Act, OnNewRelease, RolloutFailure, RolloutPhase, RolloutState, TargetStatus, Traffic, bounded_message,
};
use crate::gate::Verdict;

/// Reason of a rollout that a person stopped.
pub const ABORTED: &str = "Aborted";
/// What the message of a rollout says that a person has to decide, since there was no verdict in time.
pub(super) const UNDECIDED: &str = "held until a person says";
/// How long it is waited after a route was accepted, since gateways follow a little later than they say.
pub const SETTLE: Duration = Duration::from_secs(2);
/// How often something is looked at that no watch tells of.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Everything that a step of the machine depends on beside the state.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What the policy asks for.
    pub course: &'a Course,
    /// How traffic reaches the workload; pinned when a rollout begins.
    pub traffic: Option<&'a Traffic>,
    /// Digest of the pod template that the release wants.
    pub desired: &'a str,
    /// The revision of that release, for people.
    pub revision: &'a str,
    /// What the release wants is a template that is known to be good, or nothing is there to compare it with:
    /// it is applied without steps.
    pub at_once: bool,
    /// What is seen.
    pub seen: &'a Seen,
    /// What the gates say of the present step.
    pub verdict: &'a Verdict,
    /// All other workloads of the release may promote too.
    pub together: bool,
    /// What a person asks.
    pub ask: Option<Ask<'a>>,
    /// How long the pods of a step may take to become ready.
    pub patience: Duration,
    /// The present time.
    pub now: Timestamp,
}

/// What a person asks of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// What.
    pub what: What,
    /// Who, as far as that is known.
    pub by: &'a str,
}

/// What a person can ask of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Let this step go on.
    Approve,
    /// Go on with the next step now, whatever is left of this one.
    Promote,
    /// Go on to the end now.
    PromoteFull,
    /// Stay.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Go back.
    Abort,
    /// Try again what failed.
    Retry,
}

/// What a step of the machine comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The state from now on; it must be stored before what it calls for is applied.
    pub state: TargetStatus,
    /// When to look again though nothing was heard of.
    pub wake: Option<Duration>,
    /// Whether the release changes the template has to be asked of the API server before it can go on.
    pub ask_template: bool,
}

/// One step. At most one phase is left, since what the next one calls for has to be applied first.
pub fn step(state: &TargetStatus, look: &Situation<'_>) -> Next {
    let mut next = Next { state: state.clone(), wake: None, ask_template: false };
    let Some(mut rollout) = next.state.rollout.take() else {
        held::idle(&mut next, look);
        return next;
    };
    rollout.message.clear();
    held::ask(&mut next.state, &mut rollout, look);
    let run = Run { next: &mut next, rollout, look };
    run.go();
    next
}

/// A rollout on its way.
struct Run<'a, 'l> {
    next: &'a mut Next,
    rollout: RolloutState,
    look: &'a Situation<'l>,
}

impl Run<'_, '_> {
    fn go(mut self) {
        let look = self.look;
        self.keep_place();
        let phase = self.next.state.phase;
        let wanted = look.desired == self.rollout.candidate;
        let back = look.desired == self.next.state.stable;
        let queued = look.course.on_new_release == OnNewRelease::Queue && !back;
        match phase {
            RolloutPhase::Restore | RolloutPhase::Clean => {}
            RolloutPhase::Retreat | RolloutPhase::Abort => {}
            // Nothing was done for it yet.
            RolloutPhase::Idle if !wanted => {
                self.wake(Duration::ZERO);
                return;
            }
            _ if (wanted || queued) && self.is_disturbed() => self.rewind(),
            _ if wanted || queued => {}
            // What it is about is no longer wanted.
            _ => self.enter(RolloutPhase::Retreat),
        }
        if self.next.state.phase == phase {
            match phase {
                RolloutPhase::Idle => self.await_whole(),
                RolloutPhase::Prepare => self.prepare(),
                RolloutPhase::Scale => self.scale(),
                RolloutPhase::Shift => self.shift(),
                RolloutPhase::Hold | RolloutPhase::Bake => self.hold(),
                RolloutPhase::Promote => self.promote(),
                RolloutPhase::Restore => self.restore(),
                RolloutPhase::Clean => return self.clean(),
                RolloutPhase::Retreat => self.retreat(),
                RolloutPhase::Abort => self.abort(),
            }
        }
        if !(look.seen.applied && look.seen.observed) {
            self.wake(LOOK_AGAIN);
        }
        self.rollout.weight = u32::from(exposed_weight(look.course, &self.rollout));
        self.rollout.steps = u32::try_from(look.course.listed()).unwrap_or(u32::MAX);
        self.next.state.rollout = Some(self.rollout);
    }

    /// Finds the place again in a policy that was changed under way: the traffic never grows by that alone.
    fn keep_place(&mut self) {
        let course = self.look.course;
        if let Some(exposed) = (self.rollout.exposed as usize).checked_sub(1) {
            let weight = u8::try_from(self.rollout.weight).unwrap_or(100);
            let same = |step: &super::course::Step| step.exposure.weight() == weight;
            if !course.steps.get(exposed).is_some_and(same) {
                let lighter = |step: &super::course::Step| step.exposure.weight() <= weight;
                let place = course.steps.iter().rposition(lighter).map_or(0, |step| step + 1);
                self.rollout.exposed = u32::try_from(place).unwrap_or(0);
            }
        }
        let weight = u8::try_from(self.rollout.step_weight).unwrap_or(100);
        let moved = course.steps.get(self.index()).is_none_or(|step| step.exposure.weight() != weight);
        let judged = matches!(
            self.next.state.phase,
            RolloutPhase::Scale | RolloutPhase::Shift | RolloutPhase::Hold | RolloutPhase::Bake
        );
        if moved && judged {
            self.go_to_step(course.place(self.index(), weight));
        }
    }

    /// Goes to a phase, which begins now.
    fn enter(&mut self, phase: RolloutPhase) {
        self.next.state.phase = phase;
        self.rollout.phase_since = Time(self.look.now);
        self.rollout.seen_since = None;
        self.rollout.message.clear();
        self.wake(Duration::ZERO);
        if phase == RolloutPhase::Retreat {
            self.rollout.exposed = 0;
        }
    }

    /// It failed: the traffic goes back, whatever becomes of the release.
    fn fail(&mut self, reason: &str, message: &str) {
        self.rollout.failed =
            Some(RolloutFailure { reason: reason.to_owned(), message: bounded_message(message) });
        self.enter(RolloutPhase::Retreat);
    }

    fn wake(&mut self, after: Duration) {
        self.next.wake = Some(self.next.wake.map_or(after, |known| known.min(after)));
    }

    /// Waits, and says what for.
    fn wait(&mut self, message: String, wake: Duration) {
        self.rollout.message = message;
        self.wake(wake);
    }

    /// Waits for what no watch tells of.
    fn wait_for(&mut self, message: impl Into<String>) {
        self.wait(message.into(), LOOK_AGAIN);
    }

    /// Time since the present phase began.
    fn in_phase(&self) -> Duration {
        since(&self.rollout.phase_since, self.look.now)
    }

    /// The step that it is in.
    fn index(&self) -> usize {
        self.rollout.step as usize
    }

    /// Whether everything that the phase calls for is applied and the router took it, for so long that all of
    /// its parts know.
    fn is_routed(&mut self) -> Routed {
        use super::route::RouteState;
        let seen = self.look.seen;
        if !seen.applied {
            return Routed::Not("waits until it is applied".into());
        }
        if self.rollout.traffic.is_none() {
            return Routed::Yes;
        }
        match &seen.route {
            RouteState::Accepted => {}
            RouteState::Pending(why) | RouteState::Refused(why) => {
                self.rollout.seen_since = None;
                return Routed::Not(format!("waits for the router: {why}"));
            }
        }
        let first = self.rollout.seen_since.get_or_insert(Time(self.look.now)).clone();
        let settled = since(&first, self.look.now);
        if settled < SETTLE { Routed::Settles(SETTLE - settled) } else { Routed::Yes }
    }
}

/// Whether traffic goes as the phase wants it.
enum Routed {
    Yes,
    Settles(Duration),
    Not(String),
}

/// The time between two moments; none where the clock went back.
pub(super) fn since(then: &Time, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then.0)).unwrap_or_default()
}

/// What of the traffic is the candidate's, in percent.
fn exposed_weight(course: &Course, rollout: &RolloutState) -> u8 {
    let step = (rollout.exposed as usize).checked_sub(1).and_then(|step| course.steps.get(step));
    step.map_or(0, |step| step.exposure.weight())
}

fn act(ask: Ask<'_>, now: Timestamp) -> Act {
    Act { by: ask.by.chars().take(256).collect(), at: Time(now) }
}
