use rstest::rstest;
use serde_json::{Value, json};
use windlass_core::object::{Cluster, Object, ObjectId};

use super::present::{Side, coloured, summary, unified};
use super::*;

fn id(object: &Value) -> ObjectId {
    Object::new(object.clone()).unwrap().id(&Cluster::default())
}

fn diff(before: Option<Value>, after: Option<Value>) -> String {
    let id = id(before.as_ref().or(after.as_ref()).unwrap());
    let from = Side { title: format!("live/{id}"), object: before };
    unified(&id, from, Side { title: "main@1 web.yaml:1".into(), object: after })
}

fn deployment(replicas: u8, extra: Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "paused": false},
    });
    for (key, value) in extra.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    object
}

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": data})
}

#[test]
fn a_change_is_a_unified_diff() {
    insta::assert_snapshot!(diff(Some(deployment(2, json!({}))), Some(deployment(3, json!({})))));
}

#[test]
fn what_the_api_server_keeps_for_itself_is_no_change() {
    let live =
        json!({"generation": 4, "uid": "u", "resourceVersion": "7", "managedFields": [{"manager": "a"}]});
    let mut after = deployment(2, json!({"generation": 5, "resourceVersion": "7"}));
    after["status"] = json!({"replicas": 1});
    assert_eq!(diff(Some(deployment(2, live)), Some(after)), "");
}

#[test]
fn a_new_object_and_one_that_goes_are_shown_whole() {
    let new = diff(None, Some(deployment(2, json!({}))));
    assert_eq!(new.lines().filter(|line| line.starts_with('+')).count(), 9, "{new}");
    let gone = diff(Some(deployment(2, json!({}))), None);
    assert_eq!(gone.lines().filter(|line| line.starts_with('-')).count(), 9, "{gone}");
}

#[rstest]
#[case(Some(secret(json!({"a": "b2xk", "same": "c2FtZQ=="}))), Some(secret(json!({"a": "bmV3", "same": "c2FtZQ=="}))))]
#[case(None, Some(secret(json!({"a": "bmV3", "same": "c2FtZQ=="}))))]
#[case(Some(secret(json!({"a": "b2xk", "same": "c2FtZQ=="}))), None)]
fn the_values_of_a_secret_never_show(#[case] before: Option<Value>, #[case] after: Option<Value>) {
    let diff = diff(before, after);
    assert!(diff.contains("***"), "{diff}");
    for value in ["b2xk", "bmV3", "c2FtZQ=="] {
        assert!(!diff.contains(value), "{diff}");
    }
}

#[test]
fn which_values_of_a_secret_differ_does_show() {
    let before = secret(json!({"a": "b2xk", "same": "c2FtZQ=="}));
    let text = diff(Some(before.clone()), Some(secret(json!({"a": "bmV3", "same": "c2FtZQ=="}))));
    assert!(text.contains("-  a: \"*** (before)\"\n+  a: \"*** (after)\"\n"), "{text}");
    assert_eq!(diff(Some(before.clone()), Some(before)), "");
}

#[test]
fn the_copy_that_kubectl_keeps_of_a_secret_does_not_show_either() {
    let mut before = secret(json!({"a": "b2xk"}));
    before["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "b2xk"});
    let text = diff(Some(before), Some(secret(json!({"a": "bmV3"}))));
    assert!(!text.contains("b2xk"), "{text}");
}

#[test]
fn the_summary_counts_what_there_is() {
    let change = |action| Change {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: "n".into(),
        name: "c".into(),
        action,
        origin: String::new(),
        diff: "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n".into(),
        rollout: (action == Action::Prune).then_some(Moment::AfterPromotion),
    };
    let report =
        Report { changes: vec![change(Action::Update), change(Action::Prune)], same: 4, ..Report::default() };
    assert_eq!(summary(&report), "1 to update, 1 to prune, 4 unchanged");
    assert_eq!(summary(&Report::default()), "nothing to compare");
    let plain = coloured(&report.changes, text::Palette::plain());
    assert_eq!(plain.lines().count(), 11);
    assert!(plain.contains("\n# ConfigMap n/c: after the promotion\n--- a\n"), "{plain}");
}

#[test]
fn each_change_of_a_release_with_policies_says_when_it_is_made() {
    let object = |kind: &str, api: &str, spec: Value| {
        Object::new(json!({
            "apiVersion": api, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
        }))
        .unwrap()
    };
    let policy = json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"rolling": {"steps": [{"percent": 50}]}},
    });
    let objects = [
        object("RolloutPolicy", "windlass.dev/v1alpha1", policy),
        object("Deployment", "apps/v1", json!({})),
        object("ConfigMap", "v1", json!({})),
        object("Role", "rbac.authorization.k8s.io/v1", json!({})),
    ];
    let release = |objects: &[Object]| {
        let origin = || windlass_core::release::Origin {
            source: "env".into(),
            file: "web.yaml".into(),
            document: 1,
            line: 1,
        };
        let objects = objects
            .iter()
            .map(|object| windlass_core::release::ReleaseObject { object: object.clone(), origin: origin() });
        Release::new("main@1".into(), Cluster::default(), objects.collect())
    };
    let with = release(&objects);
    let told = |kind: &str, action| {
        let object = objects.iter().find(|object| object.gvk().kind == kind).unwrap();
        Moment::of(&with, &object.id(&Cluster::default()), Some(object), action).unwrap()
    };
    assert_eq!(told("ConfigMap", Action::Create), Moment::Before);
    assert_eq!(told("ConfigMap", Action::Update), Moment::WithPromotion);
    assert_eq!(told("ConfigMap", Action::Prune), Moment::AfterPromotion);
    assert_eq!(told("Role", Action::Update), Moment::Both);
    assert_eq!(told("Deployment", Action::Update), Moment::InSteps);
    assert_eq!(told("RolloutPolicy", Action::Update), Moment::Before);
    let without = release(&objects[1..]);
    let id = objects[2].id(&Cluster::default());
    assert_eq!(Moment::of(&without, &id, Some(&objects[2]), Action::Update), None);
}
