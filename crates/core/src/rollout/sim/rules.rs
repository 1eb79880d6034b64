//! What must hold at any moment, from the world's point of view: who gets which requests, and whether anybody answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Sim;
use super::advance::{moment, versioned_once};
use super::fixtures::{Edit, deployment, route, service};
use super::traffic::{rules, selected};
use super::workload::{number, template_of};
use crate::api::{RolloutPhase, TargetStatus};
use crate::object::ObjectId;
use crate::rollout::route::ServiceNames;

/// What the rules remember.
#[derive(Default)]
pub struct Rules {
    /// Workloads whose gates failed in this reconcile.
    pub judged_bad: BTreeSet<String>,
    /// Objects that could not be written in this reconcile.
    pub errors: usize,
    /// When each way in had all of its pods last, and how many they were.
    full: BTreeMap<String, (i64, u32)>,
    /// The states that were stored last.
    targets: Vec<TargetStatus>,
    /// Workloads that a person let go on early, or whose policy changed.
    pub excused: BTreeSet<String>,
    pub broken: Option<String>,
}

impl Rules {
    fn broke(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }
}

/// `pod-template-hash` of a template.
pub fn hash_of(template: &str) -> String {
    template.chars().take(10).collect()
}

fn share(body: &Value, service: &str) -> f64 {
    rules(body).iter().filter(|rule| !rule.matched).map(|rule| rule.share(service)).fold(0.0, f64::max)
}

impl Sim {
    /// Whether nothing happened to a workload since then.
    fn is_untroubled(&self, name: &str, since: i64) -> bool {
        self.cluster.troubled.get(name).is_none_or(|at| *at < since)
    }

    /// After anything that happened.
    pub fn check(&mut self) {
        let names: Vec<_> = self
            .cluster
            .objects
            .keys()
            .filter(|id| id.kind == "Deployment")
            .map(|id| id.name.clone())
            .collect();
        let there = |way: &String| {
            let led = |name: &&String| way.contains(name.as_str());
            names.iter().filter(led).any(|name| self.cluster.objects.contains_key(&service(name)))
        };
        self.rules.full.retain(|way, _| there(way));
        for name in names {
            let live = &self.cluster.objects[&deployment(&name)].body;
            let replicas = number(live, "/spec/replicas", 1) as u32;
            let inside = self.cluster.answering(&name);
            if !self.cluster.objects.contains_key(&service(&name)) {
                continue;
            }
            self.is_whole(&format!("Service {name}"), &name, inside.len() as u32, replicas);
            if let Some(router) = self.cluster.routers.get(&name)
                && let Some(live) = router.live.clone()
            {
                for rule in rules(&live) {
                    let mut pods = BTreeSet::new();
                    for (service, _) in rule.backends.iter().filter(|(_, weight)| *weight > 0) {
                        let own = self.cluster.answering(service);
                        let way = format!("Service {service} behind the route");
                        self.is_whole(&way, &name, own.len().min(1) as u32, 1);
                        pods.extend(own);
                    }
                    if !rule.matched {
                        self.is_whole(&format!("route {name}"), &name, pods.len() as u32, replicas);
                    }
                }
            }
            self.is_bounded(&name, &inside);
        }
        self.is_stored();
    }

    /// A way in that had enough pods has them still, unless something happened to them.
    fn is_whole(&mut self, way: &str, name: &str, serving: u32, replicas: u32) {
        let now = self.cluster.now;
        if serving >= replicas {
            self.rules.full.insert(way.to_owned(), (now, replicas));
            return;
        }
        let Some((at, had)) = self.rules.full.get(way).copied() else { return };
        if replicas > had || !self.is_untroubled(name, at - 5_000) {
            self.rules.full.remove(way);
            return;
        }
        let told = format!("{:?}", self.cluster.endpoints);
        self.cluster.trace.tell(now, || told);
        self.rules.broke(format!("only {serving} of {replicas} pods answer by {way}"));
    }

    /// The candidate gets no more than its step says, on any way in.
    fn is_bounded(&mut self, name: &str, inside: &[(String, u32)]) {
        let Some(state) = self.cluster.status.targets.iter().find(|state| state.name == name).cloned() else {
            return;
        };
        let Some(rollout) = &state.rollout else { return };
        let candidate = hash_of(&rollout.candidate);
        let spec = |hash: &str| {
            let workload = self.cluster.workloads.get(name);
            workload.and_then(|w| w.sets.iter().find(|set| set.hash == hash)).map_or(0, |set| set.spec)
        };
        let forward = state.phase < RolloutPhase::Restore;
        let since = rollout.since.0.duration_since(moment(0)).as_millis() as i64;
        if forward
            && self.is_untroubled(name, since - 5_000)
            && candidate != rollout.stable_hash
            && spec(&candidate) > rollout.pods
        {
            let (has, may) = (spec(&candidate), rollout.pods);
            self.rules.broke(format!("{name}: the candidate has {has} pods, its step says {may}"));
        }
        let Some(traffic) = &rollout.traffic else { return };
        let router = traffic.router().is_some();
        let all = rollout.step_weight == 100
            && state.phase >= RolloutPhase::Shift
            && rollout.exposed > rollout.step;
        let inside_may = state.phase >= RolloutPhase::Promote && forward
            || matches!(state.phase, RolloutPhase::Restore | RolloutPhase::Clean)
            || !router && all
            || router && self.shape.share;
        let stranger = inside.iter().any(|(hash, _)| *hash == candidate && candidate != rollout.stable_hash);
        if stranger
            && !inside_may
            && state.phase > RolloutPhase::Idle
            && state.phase <= RolloutPhase::Hold
            && rollout.exposed == 0
            && rollout.step == 0
        {
            self.rules
                .broke(format!("{name}: clients of the Service reach the candidate in {:?}", state.phase));
        }
        if router
            && forward
            && let Some(live) = self.cluster.routers.get(name).and_then(|router| router.live.clone())
        {
            // The proxies' share, whatever the route says by now; what they still have of before is not more.
            let to = share(&live, &ServiceNames::of(name).candidate);
            if to > f64::from(rollout.step_weight.max(rollout.weight)) + 0.01
                && state.phase < RolloutPhase::Hold
            {
                let may = rollout.step_weight.max(rollout.weight);
                self.rules.broke(format!(
                    "{name}: the candidate has {to} % in {:?}, its step says {may}",
                    state.phase
                ));
            }
        }
    }

    /// What a stored state may become.
    fn is_stored(&mut self) {
        if self.rules.targets == self.cluster.status.targets {
            return;
        }
        let after = self.cluster.status.targets.clone();
        let before = std::mem::replace(&mut self.rules.targets, after.clone());
        for state in &after {
            let Some(old) = before.iter().find(|old| old.name == state.name) else { continue };
            if let (Some(was), Some(is)) = (&old.rollout, &state.rollout) {
                self.moves_on(old, was, state, is);
            }
        }
    }

    /// A step is left for the next one when its time is over, and no bad candidate gets to the end.
    fn moves_on(
        &mut self,
        old: &TargetStatus,
        was: &crate::api::RolloutState,
        state: &TargetStatus,
        is: &crate::api::RolloutState,
    ) {
        let name = state.name.as_str();
        let held = matches!(old.phase, RolloutPhase::Hold | RolloutPhase::Bake);
        let left =
            state.phase == RolloutPhase::Scale && is.step > was.step || state.phase > RolloutPhase::Bake;
        let forward = left && state.phase < RolloutPhase::Retreat && is.candidate == was.candidate;
        if !held || !forward || self.rules.excused.contains(name) {
            return;
        }
        let policy = super::advance::policies_once(&super::fixtures::release(self.shape, self.git));
        let Some(policy) = policy.get(&deployment(name)) else { return };
        let Some(step) = policy.course.steps.get(was.step as usize) else { return };
        let waited = moment(self.cluster.now).duration_since(was.phase_since.0);
        if i64::try_from(step.hold.as_millis()).unwrap_or(0)
            > waited.as_millis() as i64 + 60_000 * i64::from(self.git.edit != Edit::Plain)
        {
            self.rules.broke(format!("{name}: a hold of {:?} was left after {waited:?}", step.hold));
        }
        if self.cluster.nature(&was.candidate).bad && waited.as_secs() > 5 {
            self.rules.broke(format!("{name}: a candidate whose requests fail goes on"));
        }
    }

    /// Before an object is written.
    pub fn check_write(&mut self, id: &ObjectId, body: &Value) {
        match id.kind.as_str() {
            "Deployment" => self.check_template(id, body),
            "HTTPRoute" => self.check_route(id, body),
            _ => {}
        }
    }

    fn check_template(&mut self, id: &ObjectId, body: &Value) {
        let template = template_of(body);
        let before = self.cluster.objects.get(id).map(|stored| template_of(&stored.body));
        if before.as_ref() == Some(&template) {
            return;
        }
        let now = self.cluster.now;
        self.cluster.trace.tell(now, || format!("  {} gets template {}", id.name, hash_of(&template)));
        let quarantined: Vec<_> =
            self.cluster.status.quarantined.iter().map(|entry| entry.digest.clone()).collect();
        let effective =
            self.memory.releases.next.as_ref().map(|next| next.release.digest().as_str().to_owned());
        for digest in quarantined {
            let Some(release) = self.known.get(&digest).cloned() else { continue };
            let bad = versioned_once(&release, id).is_some_and(|versioned| versioned.template == template);
            if bad && effective.as_deref() == Some(digest.as_str()) && self.cluster.status.next.is_none() {
                let stable = self.memory.releases.stable.as_ref().map(|kept| kept.release.clone());
                let good = stable
                    .and_then(|stable| versioned_once(&stable, id))
                    .is_some_and(|v| v.template == template);
                if !good {
                    self.rules.broke(format!("{}: a quarantined template is applied", id.name));
                }
            }
        }
    }

    fn check_route(&mut self, id: &ObjectId, body: &Value) {
        let candidate = ServiceNames::of(&id.name).candidate;
        let now = self.cluster.now;
        let (before, after) = (
            self.cluster.objects.get(id).map_or(0.0, |stored| share(&stored.body, &candidate)),
            share(body, &candidate),
        );
        self.cluster.trace.tell(now, || {
            let told: Vec<_> = rules(body).iter().map(|rule| format!("{:?}", rule.backends)).collect();
            format!("  route {} is {}", id.name, told.join(" "))
        });
        for rule in rules(body) {
            for (service, _) in rule.backends.iter().filter(|(_, weight)| *weight > 0) {
                let new =
                    self.cluster.objects.get(id).is_none_or(|stored| {
                        !rules(&stored.body).iter().any(|rule| rule.share(service) > 0.0)
                    });
                let answers = !self.cluster.answering(service).is_empty();
                if new && !answers && self.is_settled(&id.name) {
                    self.rules.broke(format!("the route leads to {service}, behind which nobody answers"));
                }
            }
        }
        if after <= before {
            return;
        }
        let state = self.cluster.status.targets.iter().find(|state| state.name == id.name);
        let allowed = state.and_then(|state| state.rollout.as_ref()).map_or(0, |rollout| rollout.step_weight);
        if after > f64::from(allowed) + 0.01 {
            self.rules.broke(format!(
                "route {}: {after} % are written, the stored step allows {allowed} %",
                id.name
            ));
        }
    }

    /// Nothing happened to a workload lately, and it was there before.
    fn is_settled(&self, name: &str) -> bool {
        self.is_untroubled(name, self.began_at - 3_000)
            && self.rules.full.contains_key(&format!("Service {name}"))
    }

    /// After a reconcile that went to its end.
    pub fn check_reconciled(&mut self) {
        let judged_bad = std::mem::take(&mut self.rules.judged_bad);
        if self.rules.errors > 0 {
            return;
        }
        for name in judged_bad {
            let Some(stored) = self.cluster.objects.get(&route(&name)) else { continue };
            let candidate = ServiceNames::of(&name).candidate;
            if rules(&stored.body).iter().any(|rule| rule.share(&candidate) > 0.0) {
                self.rules.broke(format!("{name}: its gates failed and it still has requests"));
            }
        }
        let routes: Vec<_> = self.cluster.objects.iter().filter(|(id, _)| id.kind == "HTTPRoute").collect();
        let mut broken = Vec::new();
        for (id, stored) in routes {
            let candidate = ServiceNames::of(&id.name).candidate;
            let finishing = |state: &&TargetStatus| state.name == id.name && state.phase.is_finishing();
            if self.cluster.status.targets.iter().any(|state| finishing(&state)) {
                continue;
            }
            let leads = rules(&stored.body).iter().any(|rule| rule.share(&candidate) > 0.0);
            if leads
                && self.cluster.answering(&candidate).is_empty()
                && self.is_untroubled(&id.name, self.began_at - 3_000)
            {
                broken.push(format!(
                    "{}: the candidate has requests after a reconcile and nobody answers",
                    id.name
                ));
            }
        }
        broken.into_iter().for_each(|what| self.rules.broke(what));
    }

    /// At the end of a history.
    pub fn check_end(&mut self) {
        let release = super::fixtures::release(self.shape, self.git);
        let quarantined =
            self.cluster.status.quarantined.iter().any(|entry| entry.digest == release.digest().as_str());
        let mut broken = Vec::new();
        for state in &self.cluster.status.targets {
            if let Some(rollout) = &state.rollout {
                let told = format!("{rollout:?}");
                self.cluster.trace.tell(self.cluster.now, || told);
                broken.push(format!("{} never ends: {:?}", state.name, state.phase));
            }
        }
        if !quarantined {
            for (id, object) in release.iter() {
                let Some(stored) = self.cluster.objects.get(id) else {
                    broken.push(format!("{id} is missing at the end"));
                    continue;
                };
                let wanted = match id.kind.as_str() {
                    "Deployment" if self.git.edit != Edit::Gone => {
                        versioned_once(&release, id).unwrap().object.object.into_body()
                    }
                    _ => object.object.body().clone(),
                };
                if stored.body != wanted {
                    broken
                        .push(format!("{id} is not as its release says at the end: {}", stored.body["spec"]));
                }
            }
        }
        for (id, stored) in &self.cluster.objects {
            if id.kind == "Service" && selected(&stored.body).1.is_some() && !quarantined {
                broken.push(format!("{id} is left"));
            }
        }
        broken.into_iter().for_each(|what| self.rules.broke(what));
    }
}
