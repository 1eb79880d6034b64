use rstest::rstest;
use windlass_core::api::Application;

use super::events::Told;
use super::*;

fn application(extra: &str) -> DynamicObject {
    let base = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
        "metadata": {
            "name": "shop", "namespace": "team-a", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"sources": [{"name": "env", "git": {"url": "https://git.example/env.git", "branch": "main"}}]},
    });
    let mut merged = base;
    merge(&mut merged, serde_yaml::from_str(extra).unwrap());
    serde_json::from_value(merged).unwrap()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}

fn parsed(extra: &str) -> Application {
    read(application(extra)).unwrap()
}

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn told() -> Vec<Told> {
    let at = "2026-01-01T00:58:00Z".parse().unwrap();
    let message = "main@3f2a9c1: 1 healed (ConfigMap shop/web: /data/key by kubectl-patch)\u{1b}[2J".into();
    vec![Told { at, reason: "Healed".into(), message, count: 2 }]
}

const READY: &str = r#"
status:
  observedGeneration: 3
  sync: {status: Synced, revision: main@3f2a9c1}
  health: {status: Healthy}
  sources: [{name: env, revision: main@3f2a9c1d, renderer: plain}]
  conditions:
  - {type: Ready, status: "True", reason: Synced, message: 4 objects, lastTransitionTime: "2026-01-01T00:30:00Z"}
  resources: {total: 4}
  history:
  - {digest: d1, revision: main@3f2a9c1, startedAt: "2026-01-01T00:29:00Z", trigger: commit, result: Synced, message: 1 changed}
"#;

const FAILING: &str = r#"
status:
  observedGeneration: 3
  sync: {status: OutOfSync, revision: main@1}
  health: {status: Degraded}
  conditions:
  - {type: Ready, status: "False", reason: RenderFailed, message: "envs/web.yaml:3:1: duplicate key", lastTransitionTime: "2026-01-01T00:59:58Z"}
  - {type: Stalled, status: "True", reason: RenderFailed, message: "envs/web.yaml:3:1: duplicate key", lastTransitionTime: "2026-01-01T00:59:58Z"}
  resources:
    total: 2
    unhealthy:
    - {group: apps, kind: Deployment, namespace: shop, name: web, status: Degraded, message: "crash\u001b[2J loop"}
"#;

#[rstest]
#[case("{}", "waiting for a controller to see it; is one running, and does it own this namespace?")]
#[case(READY, "waiting for nothing: main@3f2a9c1 is live and healthy")]
#[case(FAILING, "stalled, RenderFailed: envs/web.yaml:3:1: duplicate key")]
#[case(
    "{metadata: {generation: 4}, status: {observedGeneration: 3}}",
    "waiting for the controller to look at the last change of its spec"
)]
#[case(
    "{spec: {suspend: true}, status: {observedGeneration: 3}}",
    "suspended: set spec.suspend to false to go on"
)]
#[case(
    r#"{metadata: {annotations: {windlass.dev/request: '{"id":"7","action":"sync","by":"jane"}'}}, status: {observedGeneration: 3, handledRequest: "6"}}"#,
    "waiting for the controller to carry out the sync request of jane"
)]
#[case(
    "{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {deletionPolicy: Orphan}}",
    "it is being deleted: waiting until its objects are released"
)]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: DependencyNotReady, message: "main@2 waits for database: Degraded: crash; serving main@1", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "False", reason: DependencyNotReady, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "True", reason: DependencyNotReady, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "waiting for database: Degraded: crash; serving main@1 (main@2 has not begun)")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: PreflightFailed, message: "main@2: nothing was changed", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "True", reason: PreflightFailed, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "False", reason: PreflightFailed, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "refused by preflight: main@2: nothing was changed")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: PreflightFailed, message: "main@2: nothing was changed", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "False", reason: PreflightFailed, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "True", reason: PreflightFailed, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "refused by preflight: main@2: nothing was changed; trying again")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: RolledBack, message: "main@2 quarantined: crash; serving main@1", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "True", reason: RolledBack, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "True", reason: RolledBack, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "rolled back: main@2 quarantined: crash; serving main@1")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: Progressing, message: "main@2: waiting for wave 1: Deployment shop/web: 1 of 2 pods ready", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "False", reason: Progressing, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "True", reason: Progressing, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "waiting for wave 1: Deployment shop/web: 1 of 2 pods ready (main@2)")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: AwaitingSync, message: "main@2 waits for `windlass sync shop`", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "True", reason: AwaitingSync, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "False", reason: AwaitingSync, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "waiting for a person: main@2 waits for `windlass sync shop`")]
#[case(r#"{status: {observedGeneration: 3, conditions: [{type: Ready, status: "False", reason: SourceUnreachable, message: "git.example does not answer", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Stalled, status: "False", reason: SourceUnreachable, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}, {type: Reconciling, status: "True", reason: SourceUnreachable, message: trying again, lastTransitionTime: "2026-01-01T00:00:00Z"}]}}"#, "working, SourceUnreachable: git.example does not answer")]
fn one_line_says_what_it_is_waiting_for(#[case] extra: &str, #[case] answer: &str) {
    assert_eq!(waiting_for(&parsed(extra)), answer);
}

#[test]
fn a_page_starts_with_the_answer() {
    insta::assert_snapshot!(show::page(&parsed(READY), &told(), now(), Palette::plain()));
}

#[test]
fn a_page_shows_what_is_unhealthy_and_nothing_in_it_commands_the_terminal() {
    let page = show::page(&parsed(FAILING), &[], now(), Palette::plain());
    assert!(!page.contains('\u{1b}'));
    insta::assert_snapshot!(page);
}

#[test]
fn one_that_cannot_be_read_stops_only_itself() {
    let objects = vec![
        application(READY),
        application("{metadata: {name: newer}, spec: {sources: none}}"),
        application("{metadata: {name: fresh}}"),
    ];
    insta::assert_snapshot!(list::table(objects, true, false, now()).unwrap());
}

#[test]
fn without_all_namespaces_there_is_no_column_for_them() {
    let table = list::table(vec![application(READY)], false, true, now()).unwrap();
    assert!(table.starts_with("NAME "), "{table}");
}

#[test]
fn items_of_a_list_say_what_they_are() {
    let mut object = application(READY);
    object.types = None;
    let list = as_list(vec![object]).unwrap();
    assert_eq!(list["items"][0]["kind"], "Application");
    assert_eq!(list["items"][0]["apiVersion"], "windlass.dev/v1alpha1");
}

#[rstest]
#[case(45, "45s")]
#[case(190, "3m10s")]
#[case(180, "3m")]
#[case(3_600, "60m")]
#[case(7_200, "2h")]
#[case(200_000, "2d")]
#[case(-5, "0s")]
fn ages_are_short(#[case] seconds: i64, #[case] text: &str) {
    assert_eq!(
        age(Timestamp::from_second(1_000_000 - seconds).unwrap(), Timestamp::from_second(1_000_000).unwrap()),
        text
    );
}
