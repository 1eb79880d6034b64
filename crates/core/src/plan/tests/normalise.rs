use rstest::rstest;
use serde_json::{Value, json};

use crate::plan::normalise::normalise;

fn workload(kind: &str, pod: Value) -> Value {
    match kind {
        "Pod" => json!({"apiVersion": "v1", "kind": kind, "spec": pod}),
        "CronJob" => {
            json!({"apiVersion": "batch/v1", "kind": kind, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})
        }
        "Job" => json!({"apiVersion": "batch/v1", "kind": kind, "spec": {"template": {"spec": pod}}}),
        _ => json!({"apiVersion": "apps/v1", "kind": kind, "spec": {"template": {"spec": pod}}}),
    }
}

#[rstest]
#[case("Pod", json!({"serviceAccountName": "a"}))]
#[case("Deployment", json!({"serviceAccount": "a"}))]
#[case("CronJob", json!({"serviceAccount": "b", "serviceAccountName": "a"}))]
#[case("Job", json!({"serviceAccount": "a", "serviceAccountName": ""}))]
fn a_service_account_stands_in_both_its_fields(#[case] kind: &str, #[case] pod: Value) {
    let mut body = workload(kind, pod);
    normalise(&mut body);
    assert_eq!(body, workload(kind, json!({"serviceAccount": "a", "serviceAccountName": "a"})));
}

#[test]
fn nothing_else_is_touched() {
    for mut body in [
        workload("Deployment", json!({"containers": []})),
        workload("Widget", json!({"serviceAccountName": "a"})),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": 5}),
    ] {
        let before = body.clone();
        normalise(&mut body);
        assert_eq!(body, before);
    }
}
