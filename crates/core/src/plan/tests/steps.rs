use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{id, release};
use crate::api::{ApplicationStatus, HealthStatus, ReleaseRef};
use crate::fields::Managers;
use crate::health::Health;
use crate::object::ObjectId;
use crate::plan::{Applied, Keep, Observed, Order, Ownership, Progress, Stage, Steps};
use crate::release::Release;

fn body(api_version: &str, kind: &str, name: &str, annotations: Value) -> Value {
    let mut metadata = json!({"name": name, "annotations": annotations});
    if !matches!(kind, "Namespace" | "CustomResourceDefinition") {
        metadata["namespace"] = "shop".into();
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
}

fn in_wave(kind: &str, name: &str, wave: i32) -> Value {
    let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    body(version, kind, name, json!({"windlass.dev/wave": wave.to_string()}))
}

fn definition(wave: i32) -> Value {
    let mut body = body(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "gadgets.example.org",
        json!({"windlass.dev/wave": wave.to_string()}),
    );
    body["spec"] = json!({"group": "example.org", "names": {"kind": "Gadget"}});
    body
}

fn stages(release: &Release) -> Vec<(String, Stage)> {
    let order = Order::of(release);
    let mut stages: Vec<_> =
        release.ids().iter().map(|id| (id.kind.clone(), order.stage(id).unwrap())).collect();
    stages.sort();
    stages
}

#[test]
fn a_namespace_and_a_definition_come_no_later_than_what_needs_them() {
    let gadget = body("example.org/v1", "Gadget", "g", json!({"windlass.dev/wave": "-1"}));
    let objects =
        vec![in_wave("Namespace", "shop", 5), in_wave("Deployment", "web", 2), definition(9), gadget];
    let expected = [
        ("CustomResourceDefinition", Stage::Wave(-1)),
        ("Deployment", Stage::Wave(2)),
        ("Gadget", Stage::Wave(-1)),
        ("Namespace", Stage::Wave(-1)),
    ];
    assert_eq!(stages(&release(objects)), expected.map(|(kind, stage)| (kind.to_owned(), stage)));
}

#[test]
fn what_nothing_needs_early_stays_in_its_wave() {
    let objects = vec![in_wave("Namespace", "other", 5), definition(1), in_wave("ConfigMap", "a", 0)];
    let expected = [
        ("ConfigMap", Stage::Wave(0)),
        ("CustomResourceDefinition", Stage::Wave(1)),
        ("Namespace", Stage::Wave(5)),
    ];
    assert_eq!(stages(&release(objects)), expected.map(|(kind, stage)| (kind.to_owned(), stage)));
}

#[test]
fn a_namespace_comes_before_the_hooks_in_it() {
    let hook = body("batch/v1", "Job", "migrate", json!({"windlass.dev/hook": "PreSync"}));
    let objects = vec![in_wave("Namespace", "shop", 0), in_wave("ConfigMap", "a", 0), hook];
    let expected = [("ConfigMap", Stage::Wave(0)), ("Namespace", Stage::Before)];
    assert_eq!(stages(&release(objects)), expected.map(|(kind, stage)| (kind.to_owned(), stage)));
}

#[test]
fn stages_are_ordered_and_told_by_name() {
    let stages = [
        Stage::Before,
        Stage::PreSync(-1),
        Stage::PreSync(0),
        Stage::Wave(-3),
        Stage::Wave(0),
        Stage::PostSync(0),
        Stage::SyncFail(0),
    ];
    assert!(stages.is_sorted());
    let names: Vec<_> = stages.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "namespaces and definitions",
            "PreSync wave -1",
            "PreSync",
            "wave -3",
            "wave 0",
            "PostSync",
            "SyncFail"
        ]
    );
}

/// A cluster as far as steps look at it: health of each object, and whether it is as the release says.
struct Cluster {
    release: Release,
    live: BTreeMap<ObjectId, (HealthStatus, bool)>,
}

impl Cluster {
    fn of(release: Release) -> Self {
        let live = release.ids().iter().map(|id| (id.clone(), (HealthStatus::Healthy, true))).collect();
        Self { release, live }
    }

    fn with(mut self, id: ObjectId, health: HealthStatus, same: bool) -> Self {
        self.live.insert(id, (health, same));
        self
    }

    fn held(&self, stage: Stage) -> Option<String> {
        let observed = |id: &ObjectId| {
            let (status, _) = self.live.get(id)?;
            Some(Observed {
                uid: "u".into(),
                created: 0,
                resource_version: 1,
                ownership: Ownership::Unowned,
                fields: None,
                deleting: false,
                keep: Keep::default(),
                managers: Managers::default(),
                wave: 0,
                health: Health { status: *status, message: "1 of 2 pods ready".into() },
            })
        };
        let applied = |id: &ObjectId| {
            self.live.get(id).filter(|(_, same)| *same)?;
            Some(Applied { digest: self.release.object_digest(id)?.clone(), fields: None })
        };
        let order = Order::of(&self.release);
        Steps { release: &self.release, order: &order, observed: &observed, applied: &applied, runs: &[] }
            .held(stage)
    }
}

fn three_waves() -> Cluster {
    let objects =
        vec![in_wave("Deployment", "db", -1), in_wave("Deployment", "web", 0), in_wave("ConfigMap", "c", 1)];
    Cluster::of(release(objects))
}

#[test]
fn a_step_waits_for_all_before_it_to_be_healthy() {
    let cluster = three_waves().with(id("Deployment", "db"), HealthStatus::Progressing, true);
    assert_eq!(cluster.held(Stage::Wave(-1)), None);
    assert_eq!(cluster.held(Stage::Wave(0)).unwrap(), "wave -1: Deployment shop/db: 1 of 2 pods ready");
    assert_eq!(cluster.held(Stage::PostSync(0)).unwrap(), "wave -1: Deployment shop/db: 1 of 2 pods ready");
    assert_eq!(three_waves().held(Stage::Wave(1)), None);
}

#[test]
fn a_step_waits_for_what_is_not_applied_though_the_old_one_is_healthy() {
    let cluster = three_waves().with(id("Deployment", "web"), HealthStatus::Healthy, false);
    assert_eq!(cluster.held(Stage::Wave(0)), None);
    assert_eq!(cluster.held(Stage::Wave(1)).unwrap(), "wave 0: Deployment shop/web: not updated yet");
}

#[test]
fn a_step_waits_for_what_is_missing_and_degraded_but_not_for_what_stands_still() {
    let mut cluster = three_waves().with(id("Deployment", "db"), HealthStatus::Suspended, true);
    assert_eq!(cluster.held(Stage::Wave(1)), None);
    cluster.live.remove(&id("Deployment", "db"));
    assert_eq!(cluster.held(Stage::Wave(1)).unwrap(), "wave -1: Deployment shop/db: does not exist");
    let cluster = three_waves().with(id("Deployment", "db"), HealthStatus::Degraded, true);
    assert!(cluster.held(Stage::Wave(0)).is_some());
}

#[test]
fn a_release_is_new_until_it_was_applied_completely() {
    let release = release(vec![in_wave("ConfigMap", "c", 0)]);
    let reference = |digest: &str, fields: &str| ReleaseRef {
        digest: digest.into(),
        revision: "main@1".into(),
        since: Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
        fields: fields.into(),
        hooks: Vec::new(),
        healthy_since: None,
        gates: Vec::new(),
        unhealthy_before: Vec::new(),
    };
    let (mine, other) = (release.digest().as_str(), "0");
    let is_new = |stable, next| {
        let status = ApplicationStatus { stable, next, ..ApplicationStatus::default() };
        Progress::of(Some(&status), release.digest()).new
    };
    assert!(Progress::of(None, release.digest()).new);
    assert!(is_new(Some(reference(other, "f")), None));
    assert!(is_new(Some(reference(other, "f")), Some(reference(mine, ""))));
    assert!(!is_new(Some(reference(other, "f")), Some(reference(mine, "f"))));
    assert!(!is_new(Some(reference(mine, "f")), Some(reference(other, ""))));
}
