//! A Deployment with its ReplicaSets and pods, as the controllers of the cluster keep them: the measured behaviour of
//! the real one with absolute counts, `minReadySeconds` copied to the newest ReplicaSet only, and the old ones at
//! their last value.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::Digest;
use crate::rollout::PodCounts;

/// How long a pod that is to end goes on answering.
const GRACE: i64 = 5_000;

/// What pods of a template do.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// Milliseconds until they are ready.
    pub startup: i64,
    /// They never get ready.
    pub never: bool,
    /// They end again and again, from the start.
    pub crashes: bool,
    /// They end again and again, some milliseconds after they got ready.
    pub dies_after: Option<i64>,
    /// Their requests fail, as a gate sees.
    pub bad: bool,
}

impl Default for Nature {
    fn default() -> Self {
        Self { startup: 1_500, never: false, crashes: false, dies_after: None, bad: false }
    }
}

#[derive(Clone, Debug)]
pub struct Pod {
    pub id: u32,
    pub hash: String,
    pub born: i64,
    pub startup: i64,
    pub ready_since: Option<i64>,
    pub crashing: bool,
    /// It answers until then.
    pub ends: Option<i64>,
}

impl Pod {
    pub fn serves(&self) -> bool {
        self.ready_since.is_some()
    }
}

#[derive(Clone, Debug)]
pub struct Set {
    pub hash: String,
    /// Digest of the pod template.
    pub template: String,
    pub revision: u64,
    pub spec: u32,
    min_ready: i64,
    /// What its status says, which is a little old.
    pub status: PodCounts,
    available: u32,
}

/// The workload as its controllers see it.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    pub observed_generation: u64,
    revision: u64,
    desired: u32,
    pub sets: Vec<Set>,
    pub pods: Vec<Pod>,
    next_pod: u32,
}

pub fn template_of(body: &Value) -> String {
    Digest::of_json(body.pointer("/spec/template").unwrap_or(&Value::Null)).as_str().to_owned()
}

pub fn number(body: &Value, pointer: &str, default: i64) -> i64 {
    body.pointer(pointer).and_then(Value::as_i64).unwrap_or(default)
}

impl Workload {
    pub fn current(&self) -> Option<&Set> {
        self.sets.iter().find(|set| set.revision == self.revision)
    }

    /// Whether pods of a revision count as not yet available, for ever.
    pub fn is_poisoned(&self, hash: &str) -> bool {
        self.sets.iter().any(|set| set.hash == hash && set.min_ready > 1_000_000)
    }

    pub fn counts(&self) -> BTreeMap<String, PodCounts> {
        let of = |set: &Set| {
            (set.hash.clone(), PodCounts { total: set.status.total.max(set.spec), ready: set.status.ready })
        };
        self.sets.iter().map(of).collect()
    }

    /// Ready pods now, whatever a status says.
    pub fn ready(&self, hash: &str) -> u32 {
        self.pods.iter().filter(|pod| pod.hash == hash && pod.ends.is_none() && pod.serves()).count() as u32
    }

    /// Nothing will change by itself.
    pub fn is_still(&self, generation: u64) -> bool {
        let quiet =
            |pod: &Pod| pod.ends.is_none() && (pod.serves() || pod.crashing || pod.startup == i64::MAX);
        self.observed_generation == generation
            && self.pods.iter().all(quiet)
            && self.sets.iter().all(|set| {
                let own = self.pods.iter().filter(|pod| pod.hash == set.hash);
                let ready = own.clone().filter(|pod| pod.serves()).count() as u32;
                own.count() as u32 == set.spec && set.status == PodCounts { total: set.spec, ready }
            })
    }

    /// The kubelet: pods become ready and end.
    pub fn live(&mut self, now: i64, nature: &dyn Fn(&str) -> Nature) -> Vec<String> {
        let mut told = Vec::new();
        let templates: BTreeMap<_, _> =
            self.sets.iter().map(|set| (set.hash.clone(), nature(&set.template))).collect();
        for pod in &mut self.pods {
            let Some(nature) = templates.get(&pod.hash) else { continue };
            let age = now - pod.born;
            if nature.crashes && age > 3_000 || pod.crashing {
                if pod.ready_since.take().is_some() {
                    told.push(format!("pod {} crashes", pod.id));
                }
                pod.crashing = true;
            } else if pod.ready_since.is_none() && pod.startup != i64::MAX && age >= pod.startup {
                pod.ready_since = Some(now);
            } else if let (Some(since), Some(life)) = (pod.ready_since, nature.dies_after)
                && now - since > life
            {
                told.push(format!("pod {} crashes", pod.id));
                pod.crashing = true;
                pod.ready_since = None;
            }
        }
        self.pods.retain(|pod| pod.ends.is_none_or(|ends| ends > now));
        told
    }

    /// The ReplicaSet controller.
    pub fn sets_act(&mut self, now: i64, nature: &dyn Fn(&str) -> Nature) {
        for set in &mut self.sets {
            let mut own: Vec<_> =
                self.pods.iter_mut().filter(|pod| pod.hash == set.hash && pod.ends.is_none()).collect();
            let surplus = own.len().saturating_sub(set.spec as usize);
            own.sort_by_key(|pod| (pod.serves(), pod.ready_since.map(|since| -since)));
            for pod in own.into_iter().take(surplus) {
                pod.ends = Some(if pod.serves() { now + GRACE } else { now });
            }
            let there =
                self.pods.iter().filter(|pod| pod.hash == set.hash && pod.ends.is_none()).count() as u32;
            for _ in there..set.spec {
                self.next_pod += 1;
                let nature = nature(&set.template);
                let startup = if nature.never { i64::MAX } else { nature.startup };
                let (id, hash) = (self.next_pod, set.hash.clone());
                self.pods.push(Pod {
                    id,
                    hash,
                    born: now,
                    startup,
                    ready_since: None,
                    crashing: false,
                    ends: None,
                });
            }
            let own = || self.pods.iter().filter(|pod| pod.hash == set.hash && pod.ends.is_none());
            set.status = PodCounts {
                total: own().count() as u32,
                ready: own().filter(|pod| pod.serves()).count() as u32,
            };
            let held = set.min_ready * 1000;
            set.available =
                own().filter(|pod| pod.ready_since.is_some_and(|since| now - since >= held)).count() as u32;
        }
    }

    /// The Deployment controller.
    pub fn act(&mut self, body: &Value, generation: u64) {
        let replicas = number(body, "/spec/replicas", 1) as u32;
        let surge = number(body, "/spec/strategy/rollingUpdate/maxSurge", 1) as u32;
        let unavailable = number(body, "/spec/strategy/rollingUpdate/maxUnavailable", 0) as u32;
        let min_ready = number(body, "/spec/minReadySeconds", 0);
        let template = template_of(body);
        self.observed_generation = generation;
        let hash: String = template.chars().take(10).collect();
        let newest = self.sets.iter().map(|set| set.revision).max().unwrap_or(0);
        match self.sets.iter_mut().find(|set| set.hash == hash) {
            None => {
                let (status, revision) = (PodCounts::default(), newest + 1);
                self.sets.push(Set {
                    hash: hash.clone(),
                    template,
                    revision,
                    spec: 0,
                    min_ready,
                    status,
                    available: 0,
                });
                self.revision = revision;
            }
            Some(set) => {
                if set.revision != newest {
                    set.revision = newest + 1;
                }
                set.min_ready = min_ready;
                self.revision = set.revision;
            }
        }
        if self.desired != replicas
            && self.desired != 0
            && self.sets.iter().filter(|set| set.spec > 0).count() > 1
        {
            self.rescale(replicas, surge);
            self.desired = replicas;
            return;
        }
        self.desired = replicas;
        self.roll(&hash, replicas, surge, unavailable);
        self.sets.retain(|set| {
            set.hash == hash || set.spec > 0 || set.status.total > 0 || newest < set.revision + 10
        });
    }

    /// All sets in proportion, the largest gets what is left over.
    fn rescale(&mut self, replicas: u32, surge: u32) {
        let allowed = replicas + surge;
        let total: u32 = self.sets.iter().map(|set| set.spec).sum();
        let mut left = allowed;
        for set in &mut self.sets {
            set.spec = (set.spec * allowed + total / 2) / total.max(1);
            set.spec = set.spec.min(left);
            left -= set.spec;
        }
        if let Some(largest) = self.sets.iter_mut().max_by_key(|set| set.spec) {
            largest.spec += left;
        }
    }

    fn roll(&mut self, hash: &str, replicas: u32, surge: u32, unavailable: u32) {
        let total: u32 = self.sets.iter().map(|set| set.spec).sum();
        let Some(new) = self.sets.iter_mut().find(|set| set.hash == hash) else { return };
        if new.spec > replicas {
            new.spec = replicas;
            return;
        }
        let room = (replicas + surge).saturating_sub(total).min(replicas - new.spec);
        if room > 0 {
            new.spec += room;
            return;
        }
        let missing = new.spec.saturating_sub(new.available);
        let least = replicas.saturating_sub(unavailable);
        let mut most = total.saturating_sub(least).saturating_sub(missing);
        for set in self.sets.iter_mut().filter(|set| set.hash != hash) {
            let unhealthy = set.spec.saturating_sub(set.available).min(most);
            set.spec -= unhealthy;
            most -= unhealthy;
        }
        let available: u32 = self.sets.iter().map(|set| set.available.min(set.spec)).sum();
        let mut surplus = available.saturating_sub(least);
        self.sets.sort_by_key(|set| set.revision);
        for set in self.sets.iter_mut().filter(|set| set.hash != hash) {
            let down = set.spec.min(surplus);
            set.spec -= down;
            surplus -= down;
        }
    }
}
