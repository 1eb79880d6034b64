use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing};

#[rstest]
#[case::cluster_ip(json!({"type": "ClusterIP"}), json!({"loadBalancer": {}}), Healthy, "")]
#[case::default_type(json!({}), Value::Null, Healthy, "")]
#[case::address(json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}), Healthy, "")]
#[case::hostname(json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}),
    Healthy, "")]
#[case::no_address(json!({"type": "LoadBalancer", "clusterIP": "10.0.0.7"}), json!({"loadBalancer": {}}), Progressing,
    "waiting for the load balancer's address")]
#[case::class(json!({"type": "LoadBalancer", "loadBalancerClass": "example/lb"}), json!({}), Progressing,
    "waiting for the load balancer's address (class example/lb)")]
#[case::refused_port(json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7",
    "ports": [{"port": 80}, {"port": 443, "error": "MixedProtocolNotSupported"}]}]}}), Degraded,
    "load balancer: port 443: MixedProtocolNotSupported")]
#[case::ports_error(json!({"type": "LoadBalancer"}), json!({"conditions":
    [condition("LoadBalancerPortsError", "True", "MixedProtocols", "not supported")]}), Degraded,
    "load balancer: MixedProtocols: not supported")]
#[case::hostile(json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"ip": 7}, "x", null, {"ports": {}}]}}),
    Progressing, "waiting for the load balancer's address")]
fn service(#[case] spec: Value, #[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("v1", "Service", spec, status), health, message);
}

#[rstest]
#[case::no_address(json!({"loadBalancer": {}}), Healthy, "")]
#[case::no_status(Value::Null, Healthy, "")]
#[case::refused_port(json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7",
    "ports": [{"port": 443, "error": "example.com/NoCertificate"}]}]}}), Degraded,
    "load balancer: port 443: example.com/NoCertificate")]
#[case::hostile(json!({"loadBalancer": [{"ingress": 1}]}), Healthy, "")]
fn ingress(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("networking.k8s.io/v1", "Ingress", json!({}), status), health, message);
}
