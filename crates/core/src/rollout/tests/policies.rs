use rstest::rstest;
use serde_json::{Value, json};

use crate::object::{Cluster, Object};
use crate::release::{Origin, Release, ReleaseObject};
use crate::rollout::policy_problems;

fn object(body: Value) -> ReleaseObject {
    let origin = Origin { source: "env".into(), file: "shop/all.yaml".into(), document: 1, line: 7 };
    ReleaseObject { object: Object::new(body).unwrap(), origin }
}

/// A release with a Deployment, its Service and a canary of it, `change` merged into their bodies.
fn release(change: &Value) -> Release {
    let mut all = json!({
        "web": {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "web"}]}}}
        },
        "service": {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        },
        "route": {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}
        },
        "policy": {
            "apiVersion": "windlass.dev/v1alpha1", "kind": "RolloutPolicy",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "target": {"kind": "Deployment", "name": "web"},
                "strategy": {"canary": {"steps": [{"weight": 10}, {"weight": 50}]}},
                "traffic": {"service": "web", "httpRoute": {"name": "web"}}
            }
        }
    });
    merge(&mut all, change);
    let objects = all.as_object().unwrap().values().filter(|body| !body.is_null()).cloned().map(object);
    Release::new("main@1234567".into(), Cluster::default(), objects.collect())
}

/// A merge patch (RFC 7396) that keeps nulls.
fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

#[rstest]
#[case::good(json!({}), "")]
#[case::no_target(json!({"web": null}), "the release has no Deployment shop/web")]
#[case::no_service(json!({"service": null}), "the release has no Service web")]
#[case::no_route(json!({"route": null}), "the release has no HTTPRoute.gateway.networking.k8s.io shop/web")]
#[case::one_replica(json!({"web": {"spec": {"replicas": 1}}}), "has one replica")]
#[case::one_replica_is_allowed(
    json!({"web": {"spec": {"replicas": 1}}, "policy": {"spec": {"allowSingle": true}}}), ""
)]
#[case::recreate(json!({"web": {"spec": {"strategy": {"type": "Recreate"}}}}), "strategy Recreate")]
#[case::host_port(
    json!({"web": {"spec": {"template": {"spec": {"containers": [{"name": "web", "ports": [{"hostPort": 80}]}]}}}}}),
    "hostPort"
)]
#[case::lighter(
    json!({"policy": {"spec": {"strategy": {"canary": {"steps": [{"weight": 50}, {"weight": 10}]}}}}}),
    "must not get lighter"
)]
#[case::shift(
    json!({"policy": {"spec": {"strategy": {"canary": {"capacity": "Shift"}}}}}), "canary.capacity Shift"
)]
#[case::unreadable(json!({"policy": {"spec": {"target": {"kind": "Job"}}}}), "unknown variant `Job`")]
#[case::outside(json!({"service": {"spec": {"type": "ExternalName"}}}), "ExternalName")]
fn what_stands_against_a_policy_is_told(#[case] change: Value, #[case] expected: &str) {
    let problems = policy_problems(&release(&change));
    if expected.is_empty() {
        assert_eq!(problems, Vec::<String>::new());
    } else {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{problems:?}");
        assert!(problems.iter().all(|problem| problem.starts_with("shop/all.yaml:7: ")), "{problems:?}");
    }
}

#[test]
fn two_policies_for_one_workload_are_told() {
    let other = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "RolloutPolicy",
        "metadata": {"name": "web2", "namespace": "shop"},
        "spec": {
            "target": {"kind": "Deployment", "name": "web"},
            "strategy": {"rolling": {"steps": [{"percent": 50}]}}
        }
    });
    let problems = policy_problems(&release(&json!({"other": other})));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("remove one"), "{problems:?}");
}
