use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing};

fn gateway_status(accepted: Value, programmed: Value, listener: Value) -> Value {
    json!({"conditions": [accepted, programmed], "listeners": [{"name": "https", "attachedRoutes": 1, "conditions": [listener]}]})
}

fn yes(kind: &str) -> Value {
    condition(kind, "True", kind, "")
}

fn stale(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "observedGeneration": 2})
}

#[rstest]
#[case::good(gateway_status(yes("Accepted"), yes("Programmed"), yes("ResolvedRefs")), Healthy, "")]
#[case::set_by_the_schema(
    gateway_status(
        condition("Accepted", "Unknown", "Pending", "Waiting for controller"),
        condition("Programmed", "Unknown", "Pending", "Waiting for controller"),
        yes("Accepted")
    ),
    Progressing,
    "not Accepted: Pending: Waiting for controller"
)]
#[case::no_status(Value::Null, Progressing, "waiting for condition Accepted")]
#[case::no_address_yet(
    gateway_status(
        yes("Accepted"),
        condition("Programmed", "False", "AddressNotAssigned", "no address"),
        yes("Accepted")
    ),
    Progressing,
    "not Programmed: AddressNotAssigned: no address"
)]
#[case::refused(
    gateway_status(
        condition("Accepted", "False", "InvalidParameters", "no such class parameters"),
        yes("Programmed"),
        yes("Accepted")
    ),
    Degraded,
    "not Accepted: InvalidParameters: no such class parameters"
)]
#[case::certificate(
    gateway_status(
        yes("Accepted"),
        yes("Programmed"),
        condition("ResolvedRefs", "False", "InvalidCertificateRef", "secret shop/tls not found")
    ),
    Degraded,
    "listener https: not ResolvedRefs: InvalidCertificateRef: secret shop/tls not found"
)]
#[case::conflict(
    gateway_status(
        yes("Accepted"),
        yes("Programmed"),
        condition("Conflicted", "True", "HostnameConflict", "same hostname as http")
    ),
    Degraded,
    "listener https: Conflicted: HostnameConflict: same hostname as http"
)]
#[case::old_generation(
    gateway_status(stale("Accepted"), stale("Programmed"), yes("Accepted")),
    Progressing,
    "Accepted is of an older generation"
)]
#[case::hostile(json!({"conditions": {"Accepted": true}, "listeners": [[], 1, {"conditions": 1}]}), Progressing,
    "waiting for condition Accepted")]
fn gateway(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("gateway.networking.k8s.io/v1", "Gateway", json!({}), status), health, message);
}

#[rstest]
#[case::good(json!({"conditions": [yes("Accepted")]}), Healthy, "")]
#[case::no_controller(json!({"conditions": [condition("Accepted", "Unknown", "Pending", "Waiting for controller")]}),
    Progressing, "not Accepted: Pending: Waiting for controller")]
#[case::refused(json!({"conditions": [condition("Accepted", "False", "InvalidParameters", "")]}), Degraded,
    "not Accepted: InvalidParameters")]
#[case::old_generation(json!({"conditions": [stale("Accepted")]}), Progressing, "Accepted is of an older generation")]
#[case::hostile(json!({"conditions": [{"type": ["Accepted"], "status": true}]}), Progressing,
    "waiting for condition Accepted")]
fn class(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("gateway.networking.k8s.io/v1", "GatewayClass", json!({}), status), health, message);
}

/// What a controller says about parent `infra/public`.
fn said(conditions: Value) -> Value {
    json!({
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"},
        "controllerName": "example.com/gateway", "conditions": conditions,
    })
}

#[rstest]
#[case::good(json!([said(json!([yes("Accepted"), yes("ResolvedRefs")]))]), Healthy, "")]
#[case::not_seen(json!([]), Progressing,
    "Gateway infra/public: its controller has not seen the route, or not its latest change")]
#[case::old_generation(json!([said(json!([stale("Accepted"), stale("ResolvedRefs")]))]), Progressing,
    "Gateway infra/public: its controller has not seen the route, or not its latest change")]
#[case::left_behind_by_a_gone_controller(json!([said(json!([stale("Accepted")])), said(json!([yes("Accepted")]))]), Healthy, "")]
#[case::another_parent_is_no_answer(json!([{"parentRef": {"name": "other"}, "conditions": [yes("Accepted")]}]), Progressing,
    "Gateway infra/public: its controller has not seen the route, or not its latest change")]
#[case::refused(json!([said(json!([condition("Accepted", "False", "NotAllowedByListeners", "namespace shop is not allowed")]))]),
    Degraded, "Gateway infra/public: not Accepted: NotAllowedByListeners: namespace shop is not allowed")]
#[case::backend(json!([said(json!([yes("Accepted"),
    condition("ResolvedRefs", "False", "BackendNotFound", "service shop/web not found")]))]), Degraded,
    "Gateway infra/public: not ResolvedRefs: BackendNotFound: service shop/web not found")]
#[case::partly_invalid(json!([said(json!([yes("Accepted"), condition("PartiallyInvalid", "True", "UnsupportedValue", "rule 2")]))]),
    Degraded, "Gateway infra/public: PartiallyInvalid: UnsupportedValue: rule 2")]
#[case::pending(json!([said(json!([condition("Accepted", "False", "Pending", "")]))]), Progressing,
    "Gateway infra/public: not Accepted: Pending")]
#[case::hostile(json!([null, {"parentRef": "x"}, {"parentRef": {"name": []}, "conditions": {}}]), Progressing,
    "Gateway infra/public: its controller has not seen the route, or not its latest change")]
fn route(
    #[case] parents: Value,
    #[case] health: HealthStatus,
    #[case] message: &str,
    #[values("HTTPRoute", "GRPCRoute")] kind: &str,
) {
    let spec = json!({"parentRefs": [{"namespace": "infra", "name": "public"}]});
    check(&object("gateway.networking.k8s.io/v1", kind, spec, json!({"parents": parents})), health, message);
}

#[test]
fn each_parent_has_to_accept_the_route() {
    let spec = json!({"parentRefs": [
        {"namespace": "infra", "name": "public"},
        {"group": "", "kind": "Service", "name": "web", "port": 80},
    ]});
    let status = json!({"parents": [
        said(json!([yes("Accepted")])),
        {"parentRef": {"group": "", "kind": "Service", "name": "web", "port": 8080}, "conditions": [yes("Accepted")]},
    ]});
    check(
        &object("gateway.networking.k8s.io/v1", "HTTPRoute", spec, status),
        Progressing,
        "Service shop/web port 80: its controller has not seen the route, or not its latest change",
    );
}

#[test]
fn a_route_without_parents_waits_for_nobody() {
    check(&object("gateway.networking.k8s.io/v1", "HTTPRoute", json!({}), Value::Null), Healthy, "");
}
