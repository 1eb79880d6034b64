//! Releases as their sources say them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::object::{Cluster, Object, ObjectId};
use crate::release::{Origin, Release, ReleaseObject};

/// What the policies of an Application look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    Canary,
    Ab,
    BlueGreenRouter,
    BlueGreenService,
    Rolling,
}

/// What stays the same in one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub web: Strategy,
    pub api: Option<Strategy>,
    pub share: bool,
    pub approval: bool,
    pub replicas: u32,
}

/// How a policy was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edit {
    Plain,
    Heavier,
    Longer,
    Queue,
    Suspended,
    Gone,
}

/// What Git says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commit {
    pub web: u32,
    pub api: u32,
    pub config: u32,
    pub other: u32,
    pub extra: bool,
    pub api_gone: bool,
    pub edit: Edit,
}

impl Default for Commit {
    fn default() -> Self {
        Self { web: 1, api: 1, config: 1, other: 1, extra: false, api_gone: false, edit: Edit::Plain }
    }
}

pub const NAMESPACE: &str = "shop";

pub fn id(group: &str, kind: &str, name: &str) -> ObjectId {
    ObjectId {
        cluster: Cluster::default(),
        group: group.into(),
        kind: kind.into(),
        namespace: NAMESPACE.into(),
        name: name.into(),
    }
}

pub fn deployment(name: &str) -> ObjectId {
    id("apps", "Deployment", name)
}

pub fn route(name: &str) -> ObjectId {
    id("gateway.networking.k8s.io", "HTTPRoute", name)
}

pub fn service(name: &str) -> ObjectId {
    id("", "Service", name)
}

thread_local! {
    static MADE: RefCell<HashMap<(Shape, Commit), Arc<Release>>> = RefCell::default();
}

/// The release of a commit.
pub fn release(shape: Shape, commit: Commit) -> Arc<Release> {
    let make = || Arc::new(made(shape, commit));
    MADE.with_borrow_mut(|known| known.entry((shape, commit)).or_insert_with(make).clone())
}

fn made(shape: Shape, commit: Commit) -> Release {
    let mut bodies = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-config"},
            "data": {"v": commit.config.to_string()}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"},
            "data": {"v": commit.other.to_string()}}),
    ];
    if commit.extra {
        bodies.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}}));
    }
    app(&mut bodies, shape, "web", shape.web, commit.web, commit);
    if let Some(api) = shape.api.filter(|_| !commit.api_gone) {
        app(&mut bodies, shape, "api", api, commit.api, commit);
    }
    let objects = bodies.into_iter().map(|mut body| {
        body["metadata"]["namespace"] = NAMESPACE.into();
        let origin = Origin { source: "env".into(), file: "all.yaml".into(), document: 1, line: 1 };
        ReleaseObject { object: Object::new(body).unwrap(), origin }
    });
    let revision = format!(
        "web{} api{} config{} other{} extra{} gone{} {:?}",
        commit.web,
        commit.api,
        commit.config,
        commit.other,
        u8::from(commit.extra),
        u8::from(commit.api_gone),
        commit.edit
    );
    Release::new(revision, Cluster::default(), objects.collect())
}

fn app(bodies: &mut Vec<Value>, shape: Shape, name: &str, strategy: Strategy, version: u32, commit: Commit) {
    let mut template = json!({
        "metadata": {"labels": {"app": name, "version": version.to_string()}},
        "spec": {"containers": [{"name": "main", "image": format!("registry/{name}:{version}")}]},
    });
    template["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "web-config"}}]);
    bodies.push(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": shape.replicas,
        "selector": {"matchLabels": {"app": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }}));
    bodies.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}],
    }}));
    let router = matches!(strategy, Strategy::Canary | Strategy::Ab | Strategy::BlueGreenRouter);
    if router {
        bodies.push(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name}, "spec": {"parentRefs": [{"name": "gateway"}],
            "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}}));
    }
    if commit.edit != Edit::Gone {
        bodies.push(json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "RolloutPolicy",
            "metadata": {"name": name}, "spec": policy(shape, name, strategy, router, commit.edit)}));
    }
}

fn policy(shape: Shape, name: &str, strategy: Strategy, router: bool, edit: Edit) -> Value {
    let hold = if edit == Edit::Longer { "3m" } else { "1m" };
    let approval = shape.approval;
    let step = |weight: u32| json!({"weight": weight, "hold": hold, "approval": approval && weight == 50});
    let steps: Vec<_> = match edit {
        Edit::Heavier => [20, 50, 80].map(step).into(),
        _ => [5, 50].map(step).into(),
    };
    let of_pods =
        |step: &Value| json!({"percent": step["weight"], "hold": hold, "approval": step["approval"]});
    let strategy = match strategy {
        Strategy::Canary => json!({"canary": {"steps": steps, "bake": "30s"}}),
        Strategy::Ab => {
            json!({"ab": {"match": [{"header": {"name": "x-beta", "value": "1"}}], "hold": hold}})
        }
        Strategy::BlueGreenRouter | Strategy::BlueGreenService => {
            json!({"blueGreen": {"hold": hold, "approval": approval, "bake": "30s"}})
        }
        Strategy::Rolling => json!({"rolling": {"steps": steps.iter().map(of_pods).collect::<Vec<_>>()}}),
    };
    let routed = matches!(strategy.as_object().unwrap().keys().next().unwrap().as_str(), "rolling");
    let mut spec = json!({
        "target": {"kind": "Deployment", "name": name},
        "strategy": strategy,
        "deadline": "20m",
        "suspend": edit == Edit::Suspended,
        "onNewRelease": if edit == Edit::Queue { "Queue" } else { "Restart" },
    });
    if !routed {
        spec["traffic"] =
            json!({"service": name, "inCluster": if shape.share && router { "Share" } else { "Stable" }});
        if router {
            spec["traffic"]["httpRoute"] = json!({"name": name});
        }
    }
    spec
}
