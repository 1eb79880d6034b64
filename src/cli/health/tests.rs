use serde_json::{Value, json};

use super::super::output::{Exit, Output};
use super::{report, run};

fn deployment(name: &str, ready: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready, "availableReplicas": ready},
    })
}

fn reported(values: Vec<Value>, output: Output) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = report(values.into_iter(), &[], output, &mut out).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn a_table_has_one_line_an_object_in_the_order_of_the_file() {
    let certificate = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "tls", "namespace": "shop"},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no secret"}]},
    });
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}, "status": {"phase": "Active"},
    });
    let (exit, text) = reported(vec![certificate, namespace, deployment("web", 1)], Output::Table);
    assert_eq!(exit, Exit::Differs);
    assert_eq!(
        text,
        "KIND                          NAMESPACE/NAME   STATUS        MESSAGE\n\
         Certificate.cert-manager.io   shop/tls         Progressing   not Ready: DoesNotExist: no secret\n\
         Namespace                     shop             Healthy\n\
         Deployment                    shop/web         Progressing   1 of 2 pods ready\n"
    );
}

#[test]
fn json_has_every_field_of_every_object() {
    let (exit, text) = reported(vec![deployment("web", 2), deployment("api", 0)], Output::Json);
    assert_eq!(exit, Exit::Differs);
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        json!([
            {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "status": "Healthy", "message": ""},
            {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "api", "status": "Progressing",
             "message": "0 of 2 pods ready"},
        ])
    );
    let (_, yaml) = reported(vec![deployment("web", 2), deployment("api", 0)], Output::Yaml);
    assert_eq!(serde_yaml::from_str::<Value>(&yaml).unwrap(), written);
}

#[test]
fn suspended_objects_are_as_they_should_be() {
    let mut paused = deployment("web", 2);
    paused["spec"]["paused"] = json!(true);
    assert_eq!(reported(vec![paused, deployment("api", 2)], Output::Table).0, Exit::Ok);
}

#[test]
fn lists_are_taken_apart_and_their_items_get_the_kind_that_the_api_server_leaves_out() {
    let mut bare = deployment("web", 2);
    bare.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
    let typed = json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "metadata": {}, "items": [bare]});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [typed, deployment("api", 2)]});
    let (exit, text) =
        reported(vec![list, json!({"apiVersion": "v1", "kind": "List", "items": []})], Output::Table);
    assert_eq!(exit, Exit::Ok);
    assert_eq!(
        text,
        "KIND         NAMESPACE/NAME   STATUS    MESSAGE\n\
         Deployment   shop/web         Healthy\n\
         Deployment   shop/api         Healthy\n"
    );
}

#[test]
fn what_is_no_object_is_not_well() {
    let odd = vec![
        json!("text"),
        json!({"kind": "List", "items": {}}),
        json!({"kind": "List", "items": [null, 1]}),
    ];
    let (exit, text) = reported(odd, Output::Table);
    assert_eq!(exit, Exit::Differs);
    assert_eq!(text.matches("Unknown").count(), 3, "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = run(&directory.path().join("absent.yaml"), None, Output::Table, &mut Vec::new()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("cannot read") && error.contains("absent.yaml"), "{error}");
}

#[test]
fn checks_of_an_application_come_before_the_rules() {
    let directory = tempfile::tempdir().unwrap();
    let (objects, application) = (directory.path().join("objects.json"), directory.path().join("app.yaml"));
    let list =
        json!({"apiVersion": "v1", "kind": "List", "items": [deployment("web", 2), deployment("db", 1)]});
    std::fs::write(&objects, list.to_string()).unwrap();
    std::fs::write(
        &application,
        "apiVersion: windlass.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  sources: [{name: env, git: {url: 'https://git.example/env.git', branch: main}}]
  health:
    checks:
    - {kind: Deployment, group: batch, cel: 'nonsense'}
    - {kind: Deployment, cel: \"self.metadata.name == 'web' ? 'Degraded' : 'Healthy'\"}
    - {kind: Deployment, cel: 'true'}
",
    )
    .unwrap();
    let mut out = Vec::new();
    let exit = run(&objects, Some(&application), Output::Table, &mut out).unwrap();
    assert_eq!(exit, Exit::Differs);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "KIND         NAMESPACE/NAME   STATUS     MESSAGE
Deployment   shop/web         Degraded   the health check says Degraded
Deployment   shop/db          Healthy
"
    );
}
