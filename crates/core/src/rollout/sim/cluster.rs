//! The API server and everything behind it.

use std::collections::{BTreeMap, VecDeque};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, from_value, json};

use super::fixtures::{deployment, service};
use super::random::Random;
use super::trace::Trace;
use super::traffic::{Endpoints, Mood, Router, selected};
use super::workload::{Nature, Workload, number, template_of};
use crate::api::{AppKey, ApplicationStatus, HealthStatus};
use crate::fields::Managers;
use crate::health::Health;
use crate::object::ObjectId;
use crate::plan::{FieldsHash, Keep, Observed, Ownership, own_fields};
use crate::release::Snapshot;

/// An object as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub body: Value,
    pub version: u64,
    pub generation: u64,
    pub created: i64,
    pub fields: Option<FieldsHash>,
}

/// What the watch tells, and when.
pub type News = (i64, ObjectId, Option<Observed>);

/// The whole world but for the controller.
pub struct Cluster {
    pub now: i64,
    pub random: Random,
    pub trace: Trace,
    version: u64,
    pub objects: BTreeMap<ObjectId, Stored>,
    pub news: VecDeque<News>,
    pub workloads: BTreeMap<String, Workload>,
    pub endpoints: BTreeMap<String, Endpoints>,
    pub routers: BTreeMap<String, Router>,
    pub natures: BTreeMap<String, Nature>,
    /// Prometheus answers.
    pub metrics: bool,
    pub status: ApplicationStatus,
    pub status_version: u64,
    pub snapshot: Snapshot,
    /// Workloads that something happened to that is nobody's fault, and when.
    pub troubled: BTreeMap<String, i64>,
    /// Writes that changed something.
    pub writes: u64,
    /// Things go wrong by themselves.
    pub calm: bool,
}

pub fn app() -> AppKey {
    AppKey::new("team-a", "shop")
}

fn fields(body: &Value, foreign: bool) -> Option<FieldsHash> {
    let digest = crate::object::Digest::of_json(body);
    let seed = json!({"of": digest.as_str(), "foreign": foreign});
    let entry = json!({"manager": "m", "operation": "Apply", "fieldsV1": seed});
    own_fields("m", &[from_value::<ManagedFieldsEntry>(entry).unwrap()])
}

/// Why a write did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Conflict,
}

impl Cluster {
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            random: Random::new(seed),
            trace: Trace::default(),
            version: 1,
            objects: BTreeMap::new(),
            news: VecDeque::new(),
            workloads: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            routers: BTreeMap::new(),
            natures: BTreeMap::new(),
            metrics: true,
            status: ApplicationStatus::default(),
            status_version: 1,
            snapshot: Snapshot::default(),
            troubled: BTreeMap::new(),
            writes: 0,
            calm: false,
        }
    }

    pub fn nature(&self, template: &str) -> Nature {
        self.natures.get(template).copied().unwrap_or_default()
    }

    /// A write of a whole object; with `seen` only over that version.
    pub fn put(
        &mut self,
        id: &ObjectId,
        body: &Value,
        seen: Option<u64>,
        foreign: bool,
    ) -> Result<Stored, Refused> {
        let known = self.objects.get(id);
        if let (Some(seen), Some(known)) = (seen, known)
            && seen != known.version
        {
            return Err(Refused::Conflict);
        }
        if seen.is_some() && known.is_none() {
            return Err(Refused::Conflict);
        }
        let fields = fields(body, foreign);
        if let Some(known) = known.filter(|known| known.body == *body && known.fields == fields) {
            return Ok(known.clone());
        }
        self.version += 1;
        self.writes += 1;
        let changed = known.is_none_or(|known| known.body.get("spec") != body.get("spec"));
        let generation = known.map_or(0, |known| known.generation) + u64::from(changed);
        let created = known.map_or(self.now / 1000, |known| known.created);
        let stored = Stored { body: body.clone(), version: self.version, generation, created, fields };
        self.objects.insert(id.clone(), stored.clone());
        self.tell_watch(id);
        if id.kind == "HTTPRoute" && changed {
            self.routed(&id.name, generation, body);
        }
        Ok(stored)
    }

    pub fn delete(&mut self, id: &ObjectId) {
        if self.objects.remove(id).is_none() {
            return;
        }
        self.version += 1;
        self.writes += 1;
        self.tell_watch(id);
        match id.kind.as_str() {
            "Service" => drop(self.endpoints.remove(&id.name)),
            "Deployment" => drop(self.workloads.remove(&id.name)),
            "HTTPRoute" => drop(self.routers.remove(&id.name)),
            _ => {}
        }
    }

    fn tell_watch(&mut self, id: &ObjectId) {
        let lag = if self.calm { 50 } else { self.random.pick(&[0, 0, 50, 300, 2_000, 6_000]) };
        // What a watch tells comes in order.
        let at = (self.now + lag).max(self.news.back().map_or(0, |(at, ..)| *at));
        let observed = self.observed(id);
        self.news.push_back((at, id.clone(), observed));
    }

    /// The object as a watch tells of it.
    pub fn observed(&self, id: &ObjectId) -> Option<Observed> {
        let stored = self.objects.get(id)?;
        Some(Observed {
            uid: "u".into(),
            created: stored.created,
            resource_version: stored.version,
            ownership: Ownership::App(app()),
            fields: stored.fields.clone(),
            managers: Managers::default(),
            deleting: false,
            keep: Keep::default(),
            wave: 0,
            health: Health::healthy(),
        })
    }

    /// Health of a workload as assessed, and whether its newest pods are beyond help.
    pub fn health(&self, id: &ObjectId) -> HealthStatus {
        if id.kind != "Deployment" {
            return HealthStatus::Healthy;
        }
        let (Some(stored), Some(workload)) = (self.objects.get(id), self.workloads.get(&id.name)) else {
            return HealthStatus::Progressing;
        };
        let hash = workload.current().map(|set| set.hash.as_str()).unwrap_or_default();
        let replicas = number(&stored.body, "/spec/replicas", 1) as u32;
        let own = || workload.pods.iter().filter(|pod| pod.hash == hash);
        if workload.observed_generation < stored.generation {
            HealthStatus::Progressing
        } else if own().any(|pod| pod.crashing || pod.startup == i64::MAX && self.now - pod.born > 600_000) {
            HealthStatus::Degraded
        } else if workload.ready(hash) < replicas
            || workload.counts().iter().any(|(h, n)| h != hash && n.total > 0)
        {
            HealthStatus::Progressing
        } else {
            HealthStatus::Healthy
        }
    }

    fn routed(&mut self, name: &str, generation: u64, body: &Value) {
        let now = self.now;
        let mood = self.routers.get(name).map_or(Mood::Quick, |router| router.mood);
        let accepts = match mood {
            Mood::Quick => now + self.random.between(0, 1_500),
            Mood::Late => now + self.random.between(10_000, 100_000),
            Mood::Never => i64::MAX,
        };
        // Proxies follow what is accepted, a little later or earlier.
        let follows = accepts.saturating_add(self.random.between(-500, 1_900)).max(now);
        let router = self.routers.entry(name.to_owned()).or_insert(Router {
            mood,
            accepted: 0,
            live: None,
            pending: None,
        });
        router.pending = Some((generation, accepts, follows, body.clone()));
    }

    /// A router changes its mood.
    pub fn set_mood(&mut self, name: &str, mood: Mood) {
        let Some(router) = self.routers.get_mut(name) else { return };
        router.mood = mood;
        if let (Some((_, accepts, follows, _)), true) = (&mut router.pending, mood != Mood::Never)
            && *accepts == i64::MAX
        {
            (*accepts, *follows) = (self.now + 500, self.now + 1_500);
        }
    }

    /// Time goes on, and the controllers of the cluster do their work.
    pub fn pass(&mut self, millis: i64) {
        self.now += millis;
        let names: Vec<_> =
            self.objects.keys().filter(|id| id.kind == "Deployment").map(|id| id.name.clone()).collect();
        for name in names {
            let id = deployment(&name);
            let Some(stored) = self.objects.get(&id) else { continue };
            let (acts, sets) = (self.calm || self.random.happens(600), self.calm || self.random.happens(600));
            let mut workload = self.workloads.remove(&name).unwrap_or_default();
            let natures = &self.natures;
            let nature = |template: &str| natures.get(template).copied().unwrap_or_default();
            let before: u32 = workload.pods.iter().filter(|pod| pod.serves()).count() as u32;
            let ended = workload.live(self.now, &nature);
            if !ended.is_empty() || (before > 0 && workload.pods.iter().all(|pod| !pod.serves())) {
                self.troubled.insert(name.clone(), self.now);
            }
            for line in ended {
                self.trace.tell(self.now, || format!("  {name}: {line}"));
            }
            if acts {
                workload.sets_act(self.now, &nature);
                workload.act(&stored.body, stored.generation);
            }
            if sets {
                workload.sets_act(self.now, &nature);
            }
            self.workloads.insert(name, workload);
        }
        for name in self.service_names() {
            let late = self.endpoints.get(&name).is_none_or(|known| self.now - known.as_of > 1_200);
            if late || self.calm || self.random.happens(500) {
                self.follow(&name);
            }
        }
        let mut moved = Vec::new();
        for (name, router) in &mut self.routers {
            if router.live(self.now) {
                moved.push(name.clone());
            }
        }
        for name in moved {
            self.trace.tell(self.now, || format!("  the router takes route {name} over"));
        }
    }

    fn service_names(&self) -> Vec<String> {
        self.objects.keys().filter(|id| id.kind == "Service").map(|id| id.name.clone()).collect()
    }

    /// The endpoints of a Service are brought up to date.
    fn follow(&mut self, name: &str) {
        let Some(stored) = self.objects.get(&service(name)) else { return };
        let (app, hash) = selected(&stored.body);
        let pods = self.workloads.get(&app).into_iter().flat_map(|workload| &workload.pods);
        let chosen = pods.filter(|pod| {
            pod.serves() && pod.ends.is_none() && hash.as_ref().is_none_or(|hash| *hash == pod.hash)
        });
        let pods = chosen.map(|pod| pod.id).collect();
        self.endpoints.insert(name.to_owned(), Endpoints { pods, as_of: self.now });
    }

    /// Pods that answer requests to a Service now.
    pub fn answering(&self, name: &str) -> Vec<(String, u32)> {
        let Some(stored) = self.objects.get(&service(name)) else { return Vec::new() };
        let (app, _) = selected(&stored.body);
        let known = self.endpoints.get(name).cloned().unwrap_or_default();
        let pods = self.workloads.get(&app).into_iter().flat_map(|workload| &workload.pods);
        pods.filter(|pod| known.pods.contains(&pod.id) && pod.serves())
            .map(|pod| (pod.hash.clone(), pod.id))
            .collect()
    }

    /// Whether nothing changes by itself any more.
    pub fn is_still(&self) -> bool {
        let workloads = self.objects.iter().filter(|(id, _)| id.kind == "Deployment");
        workloads.into_iter().all(|(id, stored)| {
            self.workloads.get(&id.name).is_some_and(|workload| workload.is_still(stored.generation))
        }) && self.routers.values().all(|router| router.pending.is_none())
            && self.news.is_empty()
    }

    /// The live pod template of a workload.
    pub fn template(&self, name: &str) -> Option<String> {
        Some(template_of(&self.objects.get(&deployment(name))?.body))
    }
}
