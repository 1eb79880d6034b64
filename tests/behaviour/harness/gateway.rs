//! The kinds of Gateway API, and a gateway that a test plays: it answers for HTTPRoutes and keeps in mind how each
//! of them divided requests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::{Ran, Scene, block_on, cluster, until};

/// The Go module that has the CRDs, and the digest that the checksum database has of it.
const MODULE: (&str, &str) =
    ("sigs.k8s.io/gateway-api@v1.6.1", "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=");

/// The directory of a Go module, fetched where it is not in the module cache yet.
pub fn module((module, sum): (&str, &str)) -> PathBuf {
    let mut go = Command::new("go");
    let told = Ran::new(go.args(["mod", "download", "-json", module]).current_dir(std::env::temp_dir())).ok();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["Sum"], sum, "{module} is not what it was");
    PathBuf::from(told["Dir"].as_str().unwrap())
}

/// Has the API server serve the kinds of a file.
pub fn apply_crd(scene: &Scene, file: &Path) {
    let file = file.to_str().unwrap();
    scene.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", file]);
    // It has no conditions at all in its first moments, which kubectl takes for an error.
    until("the kinds are served", || {
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "--filename", file];
        let ran = scene.try_kubectl(&wait);
        if ran.code == 0 { Ok(()) } else { Err(ran.stderr) }
    });
}

/// Has the API server serve HTTPRoutes and GRPCRoutes.
pub fn install_routes(scene: &Scene) {
    let directory = module(MODULE).join("config/crd/standard");
    for kind in ["httproutes", "grpcroutes"] {
        apply_crd(scene, &directory.join(format!("gateway.networking.k8s.io_{kind}.yaml")));
    }
}

/// What a gateway says to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It serves it.
    Accepts,
    /// It does not serve it.
    Refuses,
    /// Nothing.
    Silence,
}

/// How an HTTPRoute divided requests at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// Weight by backend.
    pub weights: Vec<(String, u64)>,
    /// Ready endpoints of the backend whose name ends with `-candidate`.
    pub candidate_endpoints: usize,
}

impl Division {
    /// The share of the candidate in percent.
    pub fn candidate(&self) -> u64 {
        let all: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let own: u64 =
            self.weights.iter().filter(|(name, _)| name.ends_with("-candidate")).map(|(_, w)| w).sum();
        (own * 100).checked_div(all).unwrap_or_default()
    }
}

/// A gateway for one namespace.
pub struct Gateway {
    answer: Arc<Mutex<Answer>>,
    seen: Arc<Mutex<Vec<Division>>>,
    task: AbortHandle,
}

impl Gateway {
    /// One that accepts every HTTPRoute of the scene.
    pub fn of(scene: &Scene) -> Self {
        install_routes(scene);
        let answer = Arc::new(Mutex::new(Answer::Accepts));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serve = serve(scene.namespace.clone(), answer.clone(), seen.clone());
        let task = block_on(async { tokio::spawn(serve).abort_handle() });
        Self { answer, seen, task }
    }

    /// From now on it says this.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// How the route divided requests, one after the other, without repetitions.
    pub fn divisions(&self) -> Vec<Division> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what it saw.
    pub fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The shares of the candidate in percent, one after the other. No share was there without an endpoint.
    #[track_caller]
    pub fn shares(&self) -> Vec<u64> {
        let divisions = self.divisions();
        for division in &divisions {
            assert!(division.candidate() == 0 || division.candidate_endpoints > 0, "{divisions:?}");
        }
        let mut shares: Vec<_> = divisions.iter().map(Division::candidate).collect();
        shares.dedup();
        shares
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
        if std::thread::panicking() {
            super::evidence::add("what the gateway saw", &format!("{:#?}", self.divisions()));
        }
    }
}

async fn serve(namespace: String, answer: Arc<Mutex<Answer>>, seen: Arc<Mutex<Vec<Division>>>) {
    let api = |group: &str, kind: &str| {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        Api::<DynamicObject>::namespaced_with(cluster().client.clone(), &namespace, &resource)
    };
    let routes = api("gateway.networking.k8s.io", "HTTPRoute");
    let slices = api("discovery.k8s.io", "EndpointSlice");
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(list) = routes.list(&ListParams::default()).await else { continue };
        for route in list.items {
            let weights = weights(&route.data);
            let known = seen.lock().unwrap_or_else(PoisonError::into_inner).last().cloned();
            if known.is_none_or(|known| known.weights != weights) {
                let candidate = weights.iter().find(|(name, _)| name.ends_with("-candidate"));
                let candidate_endpoints = match candidate {
                    Some((name, _)) => ready(&slices, name).await,
                    None => 0,
                };
                let division = Division { weights, candidate_endpoints };
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(division);
            }
            let answer = *answer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(status) = status(&route, answer)
                && let Some(name) = &route.metadata.name
            {
                let patch = Patch::Merge(json!({"status": status}));
                let _ = routes.patch_status(name, &PatchParams::default(), &patch).await;
            }
        }
    }
}

fn weights(route: &Value) -> Vec<(String, u64)> {
    let items = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let backends = items(&route["spec"], "rules").into_iter().flat_map(|rule| items(&rule, "backendRefs"));
    let backend = |backend: Value| {
        let name = backend["name"].as_str().unwrap_or_default().to_owned();
        (name, backend["weight"].as_u64().unwrap_or(1))
    };
    backends.map(backend).collect()
}

async fn ready(slices: &Api<DynamicObject>, service: &str) -> usize {
    let params = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let found = slices.list(&params).await.map(|list| list.items).unwrap_or_default();
    let endpoints =
        found.into_iter().flat_map(|slice| slice.data["endpoints"].as_array().cloned().unwrap_or_default());
    endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
}

/// What it has to write into a route's status, if anything.
fn status(route: &DynamicObject, answer: Answer) -> Option<Value> {
    let generation = route.metadata.generation?;
    let truth = match answer {
        Answer::Accepts => "True",
        Answer::Refuses => "False",
        Answer::Silence => return None,
    };
    let told = route.data.pointer("/status/parents/0/conditions/0");
    if told.is_some_and(|told| told["observedGeneration"] == generation && told["status"] == truth) {
        return None;
    }
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": if status == "True" { kind } else { "NotAllowedByListeners" },
            "message": "", "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let parent = route.data.pointer("/spec/parentRefs/0")?;
    Some(json!({"parents": [{
        "parentRef": parent, "controllerName": "example.org/played",
        "conditions": [condition("Accepted", truth), condition("ResolvedRefs", "True")],
    }]}))
}
