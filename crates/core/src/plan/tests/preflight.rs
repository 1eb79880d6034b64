use rstest::rstest;
use serde_json::{Value, from_value, json};

use super::{config_map, release};
use crate::api::{ApplicationStatus, ReleaseRef};
use crate::plan::preflight::{Preflight, Refusal, Unchecked, is_update, tell_refused};
use crate::plan::{Action, Verb};
use crate::release::{Release, ReleaseObject};

fn object(kind: &str, api_version: &str, name: &str, rest: Value) -> Value {
    let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

fn crd() -> Value {
    let spec = json!({"group": "example.com", "names": {"kind": "Gadget"}, "scope": "Namespaced"});
    object(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1",
        "gadgets.example.com",
        json!({"spec": spec}),
    )
}

fn gadget() -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "big", "namespace": "shop"}})
}

/// Asks `f` about the first of these objects, in a release that changes all of them.
fn ask<T>(bodies: &[Value], f: impl FnOnce(&Preflight<'_>, &ReleaseObject) -> T) -> T {
    asked(bodies, bodies.len(), f)
}

/// As [`ask`], but only the first `changed` of them are changed.
fn asked<T>(bodies: &[Value], changed: usize, f: impl FnOnce(&Preflight<'_>, &ReleaseObject) -> T) -> T {
    let release = release(bodies.to_vec());
    let find = |body: &Value| release.iter().find(|(_, o)| o.object.body() == body).unwrap();
    let actions: Vec<_> = bodies[..changed]
        .iter()
        .map(|body| Action { id: find(body).0.clone(), verb: Verb::Update })
        .collect();
    let preflight = Preflight::new(&release, actions.iter(), Some("made"));
    f(&preflight, find(&bodies[0]).1)
}

fn excuse(bodies: &[Value], code: u16, message: &str) -> Option<Unchecked> {
    ask(bodies, |preflight, object| preflight.excuse(object, "configmaps", Refusal { code, message }))
}

fn status(stable: Option<&Release>, next: Option<(&Release, &str)>) -> ApplicationStatus {
    let reference = |release: &Release, fields: &str| -> ReleaseRef {
        let digest = release.digest().as_str();
        from_value(json!({
            "digest": digest, "revision": "main@1", "since": "2026-01-01T00:00:00Z", "fields": fields
        }))
        .unwrap()
    };
    ApplicationStatus {
        stable: stable.map(|release| reference(release, "f")),
        next: next.map(|(release, fields)| reference(release, fields)),
        ..ApplicationStatus::default()
    }
}

#[test]
fn only_what_changes_an_installed_release_is_an_update() {
    let [one, two] = ["1", "2"].map(|value| release(vec![config_map("a", value)]));
    let update = |status: &ApplicationStatus, current: Option<&Release>, wanted: &Release| {
        is_update(status, current.map(Release::digest), wanted.digest())
    };
    assert!(update(&status(Some(&one), None), Some(&one), &two));
    assert!(!update(&status(None, None), None, &two), "a first install");
    assert!(!update(&status(None, Some((&one, ""))), Some(&one), &two), "a first install that never ended");
    assert!(update(&status(None, Some((&one, "f"))), Some(&one), &two), "applied, not proved yet");
    assert!(!update(&status(Some(&one), None), Some(&one), &one), "nothing new");
    assert!(!update(&status(Some(&one), Some((&two, ""))), Some(&two), &two), "it was begun");
    assert!(!update(&status(Some(&one), Some((&two, "f"))), Some(&two), &one), "a rollback");
}

#[test]
fn only_what_is_made_or_changed_is_checked() {
    let release = release(vec![config_map("a", "1"), config_map("b", "1"), config_map("c", "1")]);
    let verbs = [Verb::Create, Verb::Update, Verb::Heal];
    let actions: Vec<_> =
        release.ids().iter().zip(verbs).map(|(id, verb)| Action { id: id.clone(), verb }).collect();
    let preflight = Preflight::new(&release, actions.iter(), None);
    let names: Vec<_> = preflight.objects().map(|(id, _)| id.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_kind_that_the_release_defines_or_changes_is_not_asked_about() {
    let unchecked = |bodies: &[Value], served| ask(bodies, |p, object| p.unchecked(object, served));
    assert_eq!(unchecked(&[gadget(), crd()], false), Some(Unchecked::KindNotServed));
    assert_eq!(unchecked(&[gadget(), crd()], true), Some(Unchecked::KindChanges));
    assert_eq!(
        asked(&[gadget(), crd()], 1, |p, object| p.unchecked(object, true)),
        None,
        "the same as before"
    );
    assert_eq!(unchecked(&[gadget()], true), None);
    assert_eq!(unchecked(&[gadget()], false), None, "it is refused");
    let service = json!({"spec": {"group": "example.com", "version": "v1"}});
    let service = object("APIService", "apiregistration.k8s.io/v1", "v1.example.com", service);
    assert_eq!(unchecked(&[gadget(), service], true), Some(Unchecked::KindChanges));
    let mut skipping = gadget();
    skipping["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/sync-options": "Prune=false, SkipDryRunOnMissingResource=true"});
    assert_eq!(unchecked(&[skipping.clone()], false), Some(Unchecked::KindNotServed));
    assert_eq!(unchecked(&[skipping], true), None);
}

#[rstest]
#[case(json!({}), 400, r#"admission webhook "w.example.com" does not support dry run"#, Some(Unchecked::DryRunUnsupported))]
#[case(json!({}), 404, r#"namespaces "made" not found"#, None)]
#[case(json!({}), 403, r#"exceeded quota: few, requested: configmaps=1"#, None)]
#[case(json!({}), 403, r#"admission webhook "w.example.com" denied the request: no"#, None)]
#[case(json!({}), 422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", None)]
#[case(
    json!({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "name": "reader", "namespace": "shop"}),
    404, r#"roles.rbac.authorization.k8s.io "reader" not found"#, Some(Unchecked::ReferenceMissing)
)]
#[case(
    json!({"kind": "ServiceAccount", "apiVersion": "v1", "name": "runner", "namespace": "shop"}),
    403, r#"pods "a" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found"#,
    Some(Unchecked::ReferenceMissing)
)]
#[case(
    json!({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "name": "runner", "namespace": "shop"}),
    403, r#"pods "a" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found"#,
    None
)]
#[case(
    json!({"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "name": "high"}),
    403, r#"pods "a" is forbidden: no PriorityClass with name high was found"#, Some(Unchecked::ReferenceMissing)
)]
#[case(
    json!({"kind": "ResourceQuota", "apiVersion": "v1", "name": "few", "namespace": "shop"}),
    403, r#"configmaps "a" is forbidden: exceeded quota: few"#, Some(Unchecked::QuotaChanges)
)]
#[case(
    json!({"kind": "ResourceQuota", "apiVersion": "v1", "name": "few", "namespace": "other"}),
    403, r#"configmaps "a" is forbidden: exceeded quota: few"#, None
)]
#[case(
    json!({"kind": "ValidatingAdmissionPolicy", "name": "p"}),
    422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", Some(Unchecked::PolicyChanges)
)]
#[case(
    json!({"kind": "ValidatingAdmissionPolicyBinding", "name": "b"}),
    422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", Some(Unchecked::PolicyChanges)
)]
#[case(
    json!({"kind": "ValidatingAdmissionPolicy", "name": "other"}),
    422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", None
)]
#[case(
    json!({"kind": "ValidatingWebhookConfiguration", "webhooks": [{"name": "w.example.com"}]}),
    500, r#"failed calling webhook "w.example.com": connection refused"#, Some(Unchecked::PolicyChanges)
)]
#[case(
    json!({"kind": "MutatingWebhookConfiguration", "webhooks": [{"rules": [{"apiGroups": [""], "resources": ["configmaps"]}]}]}),
    422, "data.key: required", Some(Unchecked::PolicyChanges)
)]
#[case(
    json!({"kind": "MutatingWebhookConfiguration", "webhooks": [{"rules": [{"apiGroups": [""], "resources": ["pods"]}]}]}),
    422, "data.key: required", None
)]
fn a_refusal_counts_unless_the_release_removes_its_cause(
    #[case] beside: Value,
    #[case] code: u16,
    #[case] message: &str,
    #[case] expected: Option<Unchecked>,
) {
    let mut bodies = vec![config_map("a", "1")];
    if let Value::Object(mut fields) = beside
        && !fields.is_empty()
    {
        let mut take = |field: &str, default: &str| {
            fields.remove(field).unwrap_or_else(|| default.into()).as_str().unwrap().to_owned()
        };
        let kind = take("kind", "");
        let api_version = take("apiVersion", "admissionregistration.k8s.io/v1");
        let (name, namespace) = (take("name", "x"), take("namespace", ""));
        let mut body = object(&kind, &api_version, &name, Value::Object(fields));
        if !namespace.is_empty() {
            body["metadata"]["namespace"] = namespace.into();
        }
        bodies.push(body);
    }
    assert_eq!(excuse(&bodies, code, message), expected);
}

#[test]
fn a_namespace_that_comes_with_the_release_may_be_missing() {
    let in_namespace = |namespace: &str| {
        let mut body = config_map("a", "1");
        body["metadata"]["namespace"] = namespace.into();
        body
    };
    let namespace = object("Namespace", "v1", "new", json!({}));
    let missing = |name: &str| format!("namespaces {name:?} not found");
    let made = Some(Unchecked::NamespaceMissing);
    assert_eq!(excuse(&[in_namespace("new"), namespace.clone()], 404, &missing("new")), made);
    assert_eq!(excuse(&[in_namespace("made")], 404, &missing("made")), made, "created on request");
    assert_eq!(excuse(&[in_namespace("nowhere"), namespace], 404, &missing("nowhere")), None);
}

#[test]
fn what_is_replaced_may_be_immutable() {
    let message = "data: field is immutable when `immutable` is set";
    let mut body = config_map("a", "1");
    assert_eq!(excuse(&[body.clone()], 422, message), None);
    body["metadata"]["annotations"] = json!({"windlass.dev/replace": "immutable"});
    assert_eq!(excuse(&[body.clone()], 422, message), Some(Unchecked::Replaced));
    assert_eq!(excuse(&[body], 422, "data: required"), None);
}

#[test]
fn all_errors_are_told_as_far_as_there_is_room() {
    let errors = |count: usize| (0..count).map(|i| format!("file{i}.yaml:1: {}", "x".repeat(100))).collect();
    let some: Vec<String> = errors(3);
    let text = tell_refused(&some, 4);
    assert!(text.starts_with("nothing was changed: the API server refuses 3 of 4 objects"), "{text}");
    assert!(text.contains("file0") && text.contains("file1") && text.contains("file2"), "{text}");
    let many: Vec<String> = errors(200);
    let text = tell_refused(&many, 200);
    assert!(text.len() < 1000, "{}", text.len());
    assert!(text.ends_with("more"), "{text}");
    let long = tell_refused(&["y".repeat(5000)], 1);
    assert!(long.contains("the one object") && long.len() > 5000, "one is told whatever it is");
}
