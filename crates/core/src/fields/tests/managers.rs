use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use rstest::rstest;
use serde_json::{Value, from_value, json};

use super::{path, paths};
use crate::fields::{ManagerNames, Managers, StripRules, merged};
use crate::object::{Cluster, ObjectId};

pub fn names() -> ManagerNames {
    ManagerNames { main: "windlass-w".into(), hand_over: "windlass-handover-w".into() }
}

pub fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
    let entry =
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields});
    from_value(entry).unwrap()
}

fn scaled_by(manager: &str) -> ManagedFieldsEntry {
    let mut entry = entry(manager, "Update", json!({"f:spec": {"f:replicas": {}}}));
    entry.subresource = Some("scale".into());
    entry
}

fn container(name: &str) -> Value {
    json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
        format!("k:{{\"name\":\"{name}\"}}"): {".": {}, "f:image": {}, "f:name": {}}
    }}}}})
}

fn id(group: &str, kind: &str) -> ObjectId {
    ObjectId {
        cluster: Cluster::default(),
        group: group.into(),
        kind: kind.into(),
        namespace: "shop".into(),
        name: "web".into(),
    }
}

const SIDECAR: &str = "/spec/template/spec/containers/[name=side]";

/// What of `fields` that `manager` has in an object of this kind is drift.
fn drift(kind: (&str, &str), manager: &str, operation: &str, fields: Value, left: &[&str]) -> Vec<String> {
    let mut own = container("main");
    own["f:spec"]["f:strategy"] = json!({});
    let entries = [entry("windlass-w", "Apply", own), entry(manager, operation, fields)];
    let managers = Managers::read(&names(), &entries);
    let (id, left) = (id(kind.0, kind.1), paths(left));
    let rules = StripRules { id: &id, strip: None, left: &left };
    managers.drift(&rules).map(|foreign| foreign.path.to_string()).collect()
}

const DEPLOYMENT: (&str, &str) = ("apps", "Deployment");

#[rstest]
#[case::by_kubectl("kubectl-edit", "Update", container("side"), &[SIDECAR])]
#[case::applied_by_kubectl("kubectl", "Apply", container("side"), &[SIDECAR])]
#[case::in_a_pod_template_by_anybody("someone", "Update", container("side"), &[SIDECAR])]
#[case::applied_by_somebody("someone", "Apply", container("side"), &[])]
#[case::a_mapping_that_we_have_something_in("kubectl-create", "Update", json!({"f:spec": {"f:template": {".": {}}}}), &[])]
#[case::in_a_mapping_that_is_empty_in_git("kubectl-patch", "Update", json!({"f:spec": {"f:strategy": {"f:type": {}}}}), &["/spec/strategy/type"])]
#[case::what_we_have_too("kubectl-edit", "Update", container("main"), &[])]
#[case::elsewhere_by_somebody("someone", "Update", json!({"f:spec": {"f:paused": {}}}), &[])]
#[case::elsewhere_by_kubectl("kubectl-patch", "Update", json!({"f:spec": {"f:paused": {}}}), &["/spec/paused"])]
#[case::labels("kubectl-label", "Update", json!({"f:metadata": {"f:labels": {"f:x": {}}}}), &[])]
#[case::status("kubectl-edit", "Update", json!({"f:status": {"f:x": {}}}), &[])]
#[case::a_restart("kubectl-rollout", "Update", json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {
    ".": {}, "f:kubectl.kubernetes.io/restartedAt": {}
}}}}}), &[])]
#[case::handed_over("windlass-handover-w", "Apply", container("side"), &[])]
#[case::ours("windlass-w", "Update", container("side"), &[])]
fn additions_are_drift(
    #[case] manager: &str,
    #[case] operation: &str,
    #[case] fields: Value,
    #[case] expected: &[&str],
) {
    assert_eq!(drift(DEPLOYMENT, manager, operation, fields, &[]), expected);
}

#[rstest]
#[case(("apps", "Deployment"), true)]
#[case(("batch", "Job"), false)]
#[case(("example.com", "Deployment"), false)]
fn pod_templates_are_guarded(#[case] kind: (&str, &str), #[case] guarded: bool) {
    assert_eq!(!drift(kind, "someone", "Update", container("side"), &[]).is_empty(), guarded);
}

#[test]
fn the_rights_of_a_role_are_guarded() {
    let role = ("rbac.authorization.k8s.io", "Role");
    assert_eq!(drift(role, "someone", "Update", json!({"f:rules": {}}), &[]), ["/rules"]);
}

#[test]
fn what_is_left_to_others_is_no_drift() {
    assert_eq!(drift(DEPLOYMENT, "kubectl-edit", "Update", container("side"), &[SIDECAR]), [""; 0]);
    let inside = format!("{SIDECAR}/image");
    assert_eq!(drift(DEPLOYMENT, "kubectl-edit", "Update", container("side"), &[&inside]), [""; 0]);
    assert_eq!(
        drift(DEPLOYMENT, "kubectl-edit", "Update", container("side"), &["/spec/replicas"]),
        [SIDECAR]
    );
}

#[test]
fn the_list_of_managers_is_the_users() {
    let entries = [entry("k9s", "Update", json!({"f:data": {"f:a": {}}}))];
    let managers = Managers::read(&names(), &entries);
    let id = id("", "ConfigMap");
    for (strip, expected) in [(vec!["k9s".to_owned()], 1), (vec!["k*".to_owned()], 1), (vec![], 0)] {
        let rules = StripRules { id: &id, strip: Some(&strip), left: &[] };
        assert_eq!(managers.drift(&rules).count(), expected, "{strip:?}");
    }
}

#[test]
fn autoscalers_are_told_from_people() {
    let read = |entries: &[ManagedFieldsEntry]| Managers::read(&names(), entries);
    assert!(read(&[scaled_by("kube-controller-manager")]).scaled);
    assert!(!read(&[scaled_by("kubectl")]).scaled);
    assert!(
        !read(&[entry("kube-controller-manager", "Update", json!({"f:spec": {"f:replicas": {}}}))]).scaled
    );
    let own = read(&[entry("windlass-w", "Apply", json!({"f:spec": {"f:replicas": {}}}))]);
    assert!(own.own_replicas && !own.handed_over);
    assert!(
        read(&[entry("windlass-handover-w", "Apply", json!({"f:spec": {"f:replicas": {}}}))]).handed_over
    );
}

fn merge(entries: &[ManagedFieldsEntry], left: &[&str], adopting: bool) -> Option<Vec<(String, Value)>> {
    let (id, left) = (id("apps", "Deployment"), paths(left));
    let rules = StripRules { id: &id, strip: None, left: &left };
    let desired =
        json!({"apiVersion": "apps/v1", "spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}});
    let merged = merged(&names(), entries, &rules, &desired, adopting)?;
    Some(merged.into_iter().map(|e| (e.manager.unwrap(), e.fields_v1.unwrap().0)).collect())
}

#[test]
fn an_addition_becomes_ours_so_that_the_next_apply_removes_it() {
    let patch = json!({
        "f:metadata": {"f:labels": {"f:x": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"side\"}": {".": {}, "f:image": {}, "f:name": {}}
        }}}}
    });
    let entries = [
        entry("windlass-w", "Apply", container("main")),
        scaled_by("kube-controller-manager"),
        entry("kubectl-patch", "Update", patch),
    ];
    let both = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}},
        "k:{\"name\":\"side\"}": {".": {}, "f:image": {}, "f:name": {}}
    }}}}});
    assert_eq!(
        merge(&entries, &[], false).unwrap(),
        [
            ("windlass-w".into(), both),
            ("kube-controller-manager".into(), json!({"f:spec": {"f:replicas": {}}})),
            ("kubectl-patch".into(), json!({"f:metadata": {"f:labels": {"f:x": {}}}})),
        ]
    );
    assert_eq!(merge(&entries[..2], &[], false), None);
    // What Git has is taken back by the apply alone.
    let changed = [entry("kubectl-edit", "Update", json!({"f:spec": {"f:template": {}}}))];
    assert_eq!(merge(&changed, &[], false), None);
    assert_eq!(merge(&entries, &[SIDECAR], false), None);
}

#[test]
fn who_adopts_takes_over_all_that_the_former_owner_applied_but_what_is_left_to_others() {
    let applied = json!({
        "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}},
        "f:spec": {"f:replicas": {}, "f:paused": {}}
    });
    let entries = [entry("kubectl-client-side-apply", "Update", applied)];
    let taken = json!({
        "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}},
        "f:spec": {"f:paused": {}}
    });
    assert_eq!(
        merge(&entries, &["/spec/replicas"], true).unwrap(),
        [
            ("kubectl-client-side-apply".into(), json!({"f:spec": {"f:replicas": {}}})),
            ("windlass-w".into(), taken),
        ]
    );
}

#[test]
fn an_object_with_many_foreign_fields_is_not_kept_in_mind_whole() {
    let many: serde_json::Map<_, _> = (0..100).map(|n| (format!("f:{n:03}"), json!({}))).collect();
    let managers = Managers::read(&names(), &[entry("kubectl-patch", "Update", json!({"f:data": many}))]);
    assert_eq!(managers.foreign.len(), 32);
    assert_eq!(managers.foreign[0].path, path("/data/000"));
}
