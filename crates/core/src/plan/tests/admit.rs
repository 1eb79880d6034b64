use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{config_map, origin};
use crate::api::AppKey;
use crate::object::{Cluster, Gvk};
use crate::plan::{
    Admission, BuiltinKinds, Candidate, Instance, Kinds, Limits, Scope, Violation, ViolationReason, admit,
};
use crate::release::Release;

/// A server that knows ConfigMaps, Secrets, Namespaces and CustomResourceDefinitions.
struct FewKinds;

impl Kinds for FewKinds {
    fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        match gvk.kind.as_str() {
            "ConfigMap" | "Secret" if gvk.version == "v1" => Some(Scope::Namespaced),
            "Namespace" | "CustomResourceDefinition" => Some(Scope::Cluster),
            _ => None,
        }
    }

    fn versions(&self, _: &str, kind: &str) -> Vec<String> {
        if kind == "ConfigMap" { vec!["v1".into()] } else { Vec::new() }
    }
}

fn run<'a>(bodies: Vec<Value>, change: impl FnOnce(&mut Admission<'a>)) -> Result<Release, Vec<Violation>> {
    let candidates = bodies
        .into_iter()
        .enumerate()
        .map(|(i, body)| Candidate { body, origin: origin(&format!("{i}.yaml")) })
        .collect();
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::default);
    let mut admission = Admission {
        kinds: &FewKinds,
        cluster: &CLUSTER,
        namespace: "shop",
        owner: None,
        allow_empty: false,
        limits: Limits::default(),
    };
    change(&mut admission);
    admit("main@1".into(), candidates, &admission)
}

fn messages(result: Result<Release, Vec<Violation>>) -> Vec<String> {
    result.unwrap_err().into_iter().map(|v| format!("{}: {}", v.reason, v.message)).collect()
}

#[test]
fn namespaces_are_defaulted_for_namespaced_kinds_only() {
    let release = run(
        vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "namespace": "wrong"}}),
        ],
        |_| {},
    )
    .unwrap();
    let names: Vec<_> = release.ids().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["ConfigMap shop/a", "Namespace n"]);
}

#[test]
fn all_violations_are_told_at_once() {
    let result = run(
        vec![
            config_map("a", "1"),
            config_map("a", "2"),
            json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "b"}}),
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
        ],
        |_| {},
    );
    insta::assert_snapshot!(messages(result).join("\n"), @r"
    DuplicateObject: ConfigMap shop/a stands in 1.yaml:1 (source env) and in 0.yaml:1 (source env); remove one
    UnknownKind: 2.yaml:1: ConfigMap b: the API server does not know kind ConfigMap in v2; the server has it as v1
    UnknownKind: 3.yaml:1: Widget w: the API server does not know kind Widget in example.com/v1; install its CustomResourceDefinition or put it into this release
    InvalidObject: 4.yaml:1: field metadata.name is missing or not a non-empty string
    ");
}

#[test]
fn a_definition_in_the_same_release_makes_its_kind_known() {
    let release = run(
        vec![
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}),
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "widgets.example.com"},
                "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget"}}
            }),
        ],
        |_| {},
    );
    assert!(release.unwrap().ids().iter().any(|id| id.to_string() == "Widget.example.com w"));
}

#[test]
fn an_empty_release_needs_the_users_word() {
    assert!(messages(run(Vec::new(), |_| {})).concat().starts_with("EmptyRelease: "));
    assert!(run(Vec::new(), |a| a.allow_empty = true).unwrap().is_empty());
}

#[test]
fn bounds_are_kept() {
    let too_many = run(vec![config_map("a", ""), config_map("b", "")], |a| a.limits.objects = 1);
    assert!(messages(too_many).concat().contains("at most 1 are allowed"));
    let too_large = run(vec![config_map("a", &"x".repeat(100))], |a| a.limits.object_bytes = 100);
    assert_eq!(too_large.unwrap_err()[0].reason, ViolationReason::ReleaseTooLarge);
}

#[test]
fn what_only_the_server_writes_is_left_out_and_string_data_folded() {
    let release = run(
        vec![json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "uid": "1", "resourceVersion": "2", "creationTimestamp": null},
            "data": {"a": "MQ=="}, "stringData": {"b": "hello"}, "status": {}
        })],
        |_| {},
    )
    .unwrap();
    let (_, object) = release.iter().next().unwrap();
    assert_eq!(
        object.object.body(),
        &json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"},
            "data": {"a": "MQ==", "b": "aGVsbG8="}
        })
    );
}

#[test]
fn admitted_objects_carry_their_owner() {
    let instance = Instance::new("windlass", "8a1e");
    let app = AppKey::new("team-a", "shop");
    let release = run(vec![config_map("a", "1")], |a| a.owner = Some((&instance, &app))).unwrap();
    let (id, object) = release.iter().next().unwrap();
    assert_eq!(object.object.label("windlass.dev/application"), Some(instance.label(&app).as_str()));
    assert_eq!(object.object.annotation("windlass.dev/owner"), Some(instance.annotation(&app, id).as_str()));
}

#[test]
fn offline_commands_know_the_scope_of_built_in_kinds() {
    assert_eq!(
        BuiltinKinds.scope(&Gvk::new("rbac.authorization.k8s.io/v1", "ClusterRole")),
        Some(Scope::Cluster)
    );
    assert_eq!(BuiltinKinds.scope(&Gvk::new("apps/v1", "Deployment")), Some(Scope::Namespaced));
}

#[test]
fn an_option_that_means_nothing_is_told_with_file_and_object() {
    let annotations = json!({"windlass.dev/create-only": "yes"});
    let result = run(
        vec![json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}
        })],
        |_| {},
    );
    assert_eq!(
        messages(result),
        [
            r#"InvalidOption: 0.yaml:1: ConfigMap a: annotation windlass.dev/create-only is "yes"; it may be "true" or "false""#
        ]
    );
}

#[test]
fn a_wrong_place_is_a_violation_and_hooks_of_other_occasions_are_left_out() {
    let annotated = |name: &str, key: &str, value: &str| {
        let mut body = config_map(name, "1");
        body["metadata"]["annotations"] = json!({key: value});
        body
    };
    let result = run(vec![annotated("a", "windlass.dev/wave", "soon")], |_| {});
    assert_eq!(
        messages(result),
        [
            "InvalidObject: 0.yaml:1: ConfigMap shop/a: annotation windlass.dev/wave is \"soon\"; it must be a whole \
          number from -2147483648 to 2147483647, in quotes"
        ]
    );
    let test = annotated("test", "helm.sh/hook", "test");
    let release =
        run(vec![config_map("b", "1"), test, annotated("c", "helm.sh/hook", "pre-install")], |_| {}).unwrap();
    assert_eq!((release.len(), release.hooks().count()), (1, 1));
}
