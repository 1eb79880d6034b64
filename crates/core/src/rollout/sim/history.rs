//! What happens in one history: chance decides, the seed decides chance.

use std::time::Duration;

use super::Sim;
use super::fixtures::{Commit, Edit, Shape, Strategy, deployment, release};
use super::reconcile::{Memory, Stop};
use super::traffic::Mood;
use super::workload::Nature;
use crate::api::{Action, RolloutPhase};

/// Looks of the controller in one history before it calms down.
const LOOKS: u32 = 120;
/// Looks in which it must come to its end then.
const PATIENCE: u32 = 1_200;

impl Sim {
    pub fn shape(seed: u64) -> Shape {
        let mut random = super::random::Random::new(seed ^ 0xabcd);
        let all = [
            Strategy::Canary,
            Strategy::Canary,
            Strategy::Ab,
            Strategy::BlueGreenRouter,
            Strategy::BlueGreenService,
            Strategy::Rolling,
        ];
        Shape {
            web: random.pick(&all),
            api: if random.happens(400) { Some(random.pick(&all)) } else { None },
            share: random.happens(200),
            approval: random.happens(300),
            replicas: random.pick(&[2, 3, 4, 10]),
        }
    }

    /// The whole history; what was broken, if anything was.
    pub fn run(&mut self) -> Option<String> {
        self.commit(self.git);
        let mut looks = 0;
        while looks < LOOKS && self.rules.broken.is_none() {
            self.something_happens();
            looks += u32::from(self.turn());
        }
        self.calm_down();
        let mut quiet = 0;
        for look in 0..PATIENCE {
            if self.rules.broken.is_some() || quiet >= 8 {
                break;
            }
            if look == PATIENCE / 2 {
                // What cannot be undone waits for somebody to mend it.
                self.mended = true;
                self.commit(Commit { web: 1, api: 1, config: 1, edit: Edit::Plain, ..self.git });
            }
            let before = self.cluster.writes;
            self.person_helps();
            self.turn();
            let done = self.cluster.status.targets.iter().all(|state| state.rollout.is_none());
            let still = before == self.cluster.writes && done && self.cluster.is_still();
            quiet = if still { quiet + 1 } else { 0 };
        }
        if quiet < 8 && self.rules.broken.is_none() {
            self.check_end();
            self.rules.broken.get_or_insert_with(|| "it never comes to rest".into());
        }
        self.check_end();
        self.rules.broken.clone()
    }

    /// Time passes, and the controller looks if it wants to; whether it did.
    fn turn(&mut self) -> bool {
        let due = self.due.saturating_sub(self.cluster.now).max(0);
        let still = self.cluster.is_still() && self.memory.started;
        let step = self.cluster.random.between(100, 1_500);
        // Where nothing moves, time flies.
        let step = if still { due.clamp(step, 60_000) } else { step };
        self.cluster.pass(step);
        self.check();
        let heard = !self.cluster.news.is_empty() && self.cluster.random.happens(400);
        if self.cluster.now < self.due && !heard && !self.cluster.random.happens(150) {
            return false;
        }
        self.watchful();
        true
    }

    fn watchful(&mut self) {
        self.began_at = self.cluster.now;
        self.rules.judged_bad.clear();
        self.rules.errors = 0;
        let release = release(self.shape, self.git);
        self.known.insert(release.digest().as_str().to_owned(), release);
        match self.reconcile() {
            Ok(wake) => {
                self.check_reconciled();
                let wake = wake.unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(50));
                self.due = self.cluster.now + i64::try_from(wake.as_millis()).unwrap_or(60_000).min(60_000);
            }
            Err(Stop::Error) => self.due = self.cluster.now + 1_000,
            Err(Stop::Crash) => {
                self.memory = Memory::default();
                let now = self.cluster.now;
                self.cluster.trace.tell(now, || "the controller is gone".into());
                self.due = now + self.cluster.random.pick(&[0, 0, 2_000, 60_000]);
            }
        }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.cluster.now;
        self.cluster.trace.tell(now, what);
    }

    fn commit(&mut self, commit: Commit) {
        self.git = commit;
        let release = release(self.shape, commit);
        self.tell(|| format!("commit {}", release.revision()));
        for name in ["web", "api"] {
            let Some(versioned) = super::advance::versioned_once(&release, &deployment(name)) else {
                continue;
            };
            if !self.cluster.natures.contains_key(&versioned.template) {
                let nature = if self.cluster.natures.len() < 2 { Nature::default() } else { self.nature() };
                let told = super::rules::hash_of(&versioned.template);
                self.tell(|| format!("  {name} {told} is {nature:?}"));
                self.cluster.natures.insert(versioned.template, nature);
            }
        }
        self.due = self.due.min(self.cluster.now + 500);
    }

    fn nature(&mut self) -> Nature {
        let random = &mut self.cluster.random;
        let plain = Nature { startup: random.pick(&[500, 1_500, 4_000, 4_000, 40_000]), ..Nature::default() };
        match random.below(20) {
            0..10 => plain,
            10..14 => Nature { bad: true, ..plain },
            14 => Nature { never: true, ..plain },
            15 | 16 => Nature { crashes: true, ..plain },
            17 | 18 => Nature { dies_after: Some(random.between(1_000, 120_000)), ..plain },
            _ => Nature { startup: 200_000, ..plain },
        }
    }

    fn something_happens(&mut self) {
        let random = &mut self.cluster.random;
        let rolls = self.cluster.status.targets.iter().any(|state| state.rollout.is_some());
        if !random.happens(if rolls { 60 } else { 250 }) {
            return;
        }
        let (git, version) = (self.git, random.between(1, 6) as u32);
        match random.below(24) {
            0..3 => self.commit(Commit { web: version, ..git }),
            3 => self.commit(Commit { config: version, ..git }),
            4 => self.commit(Commit { api: version, ..git }),
            5 | 6 => self.commit(Commit { other: git.other + 1, ..git }),
            7 => self.commit(Commit { extra: !git.extra, web: version, ..git }),
            8 => {
                let edits = [
                    Edit::Plain,
                    Edit::Plain,
                    Edit::Heavier,
                    Edit::Longer,
                    Edit::Queue,
                    Edit::Suspended,
                    Edit::Gone,
                ];
                let edit = random.pick(&edits);
                self.rules.excused.extend(["web".to_owned(), "api".to_owned()]);
                self.commit(Commit { edit, ..git });
            }
            9 => self.commit(Commit { api_gone: !git.api_gone, ..git }),
            10..13 => self.kill_pods(),
            13 => {
                let mood = random.pick(&[Mood::Quick, Mood::Quick, Mood::Late, Mood::Never]);
                let name = random.pick(&["web", "api"]);
                self.tell(|| format!("the router of {name} is {mood:?}"));
                self.cluster.set_mood(name, mood);
            }
            14 => {
                self.cluster.metrics = !self.cluster.metrics;
                let up = self.cluster.metrics;
                self.tell(|| format!("metrics: {up}"));
            }
            15 => {
                self.git_down = !self.git_down;
                let down = self.git_down;
                self.tell(|| format!("Git is down: {down}"));
            }
            16 => {
                self.tell(|| "the controller is killed".into());
                self.memory = Memory::default();
            }
            17 => self.drift(),
            _ => self.person(),
        }
    }

    fn person(&mut self) {
        let random = &mut self.cluster.random;
        let action = random.pick(&[
            Action::Approve,
            Action::Approve,
            Action::Promote,
            Action::PromoteFull,
            Action::Pause,
            Action::Resume,
            Action::Resume,
            Action::Abort,
            Action::Retry,
            Action::Sync,
            Action::Rollback,
        ]);
        let target = if random.happens(300) { Some("web".to_owned()) } else { None };
        self.ask(action, target);
    }

    fn ask(&mut self, action: Action, target: Option<String>) {
        if matches!(action, Action::Promote | Action::PromoteFull) {
            self.rules.excused.extend(["web".to_owned(), "api".to_owned()]);
        }
        self.requests += 1;
        self.tell(|| format!("a person asks: {action:?} {}", target.clone().unwrap_or_default()));
        self.asked = Some((self.requests, action, target));
        self.due = self.due.min(self.cluster.now);
    }

    /// Pods end without notice, all of one version or some.
    fn kill_pods(&mut self) {
        let names: Vec<_> = self.cluster.workloads.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let name = self.cluster.random.pick(&names);
        let now = self.cluster.now;
        let Some(workload) = self.cluster.workloads.get_mut(&name) else { return };
        let hashes: Vec<_> = workload.pods.iter().map(|pod| pod.hash.clone()).collect();
        if hashes.is_empty() {
            return;
        }
        let hash = self.cluster.random.pick(&hashes);
        let all = self.cluster.random.happens(400);
        let before = workload.pods.len();
        let mut first = true;
        workload.pods.retain(|pod| pod.hash != hash || !(all || std::mem::take(&mut first)));
        let killed = before - workload.pods.len();
        self.cluster.troubled.insert(name.clone(), now);
        self.tell(|| format!("{killed} pods {hash} of {name} die"));
    }

    /// Somebody edits what is ours.
    fn drift(&mut self) {
        let ids: Vec<_> = self.cluster.objects.keys().filter(|id| id.kind != "Deployment").cloned().collect();
        if ids.is_empty() {
            return;
        }
        let id = self.cluster.random.pick(&ids);
        let mut body = self.cluster.objects[&id].body.clone();
        body["metadata"]["annotations"] = serde_json::json!({"edited": "by hand"});
        self.tell(|| format!("somebody edits {id}"));
        let _ = self.cluster.put(&id, &body, None, true);
    }

    /// From now on nothing goes wrong by itself, and people want it to end.
    fn calm_down(&mut self) {
        self.tell(|| "from now on nothing goes wrong".into());
        self.cluster.calm = true;
        self.faults = 0;
        self.git_down = false;
        self.cluster.metrics = true;
        for name in ["web", "api"] {
            self.cluster.set_mood(name, Mood::Quick);
        }
        if self.git.edit == Edit::Suspended {
            self.commit(Commit { edit: Edit::Plain, ..self.git });
        }
        self.asked = None;
    }

    /// People let go on what waits for them.
    fn person_helps(&mut self) {
        let open = self.request().is_some();
        let state = self.cluster.status.targets.iter().find_map(|state| {
            let rollout = state.rollout.as_ref()?;
            if rollout.paused.is_some() {
                return Some(Action::Resume);
            }
            if rollout.failed.is_some() && state.phase == RolloutPhase::Retreat && self.mended {
                return Some(Action::Retry);
            }
            let held = state.phase == RolloutPhase::Hold && rollout.message == "waits for approval";
            held.then_some(Action::Approve)
        });
        if let (Some(action), false) = (state, open) {
            self.ask(action, None);
        }
    }
}
