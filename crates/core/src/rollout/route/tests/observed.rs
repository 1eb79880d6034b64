use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// A route with these parents, of generation 4, with these answers.
fn live(parents: Value, answers: Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "generation": 4},
        "spec": {"parentRefs": parents}, "status": {"parents": answers},
    })
}

fn condition(kind: &str, status: &str, reason: &str, observed: i64) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "observedGeneration": observed})
}

fn answer(parent: Value, conditions: &[Value]) -> Value {
    json!({"parentRef": parent, "controllerName": "example.org/c", "conditions": conditions})
}

fn good(observed: i64) -> [Value; 2] {
    [
        condition("Accepted", "True", "Accepted", observed),
        condition("ResolvedRefs", "True", "ResolvedRefs", observed),
    ]
}

fn one(conditions: &[Value]) -> RouteState {
    let parent = json!({"name": "edge"});
    observed(RouterKind::HttpRoute, &live(json!([parent]), json!([answer(parent, conditions)])), 4)
}

fn pending(message: &str) -> RouteState {
    RouteState::Pending(message.into())
}

fn refused(message: &str) -> RouteState {
    RouteState::Refused(message.into())
}

#[rstest]
#[case::good(good(4).to_vec(), RouteState::Accepted)]
#[case::newer(good(5).to_vec(), RouteState::Accepted)]
#[case::older(good(3).to_vec(), pending("Gateway shop/edge has not answered for generation 4"))]
#[case::unsaid(vec![json!({"type": "Accepted", "status": "True"}), json!({"type": "ResolvedRefs", "status": "True"})],
    pending("Gateway shop/edge has not answered for generation 4"))]
#[case::half(vec![condition("Accepted", "True", "Accepted", 4), condition("ResolvedRefs", "True", "ResolvedRefs", 3)],
    pending("Gateway shop/edge: waiting for condition ResolvedRefs"))]
#[case::no_backend(vec![condition("Accepted", "True", "Accepted", 4), condition("ResolvedRefs", "False", "BackendNotFound", 4)],
    pending("Gateway shop/edge: not ResolvedRefs: BackendNotFound"))]
#[case::not_permitted(vec![condition("Accepted", "True", "Accepted", 4), condition("ResolvedRefs", "False", "RefNotPermitted", 4)],
    refused("Gateway shop/edge: not ResolvedRefs: RefNotPermitted"))]
#[case::not_accepted(vec![condition("Accepted", "False", "UnsupportedValue", 4), condition("ResolvedRefs", "True", "", 4)],
    refused("Gateway shop/edge: not Accepted: UnsupportedValue"))]
#[case::waiting(vec![condition("Accepted", "False", "Pending", 4), condition("ResolvedRefs", "True", "", 4)],
    pending("Gateway shop/edge: not Accepted: Pending"))]
#[case::partly([good(4).to_vec(), vec![condition("PartiallyInvalid", "True", "UnsupportedValue", 4)]].concat(),
    refused("Gateway shop/edge: PartiallyInvalid: UnsupportedValue"))]
fn a_gateway_answers_by_conditions(#[case] conditions: Vec<Value>, #[case] state: RouteState) {
    assert_eq!(one(&conditions), state);
}

#[test]
fn every_parent_has_to_accept() {
    let parents = json!([{"name": "edge"}, {"name": "mesh", "kind": "Service", "group": ""}]);
    let edge = answer(json!({"name": "edge", "namespace": "shop"}), &good(4));
    let mesh = answer(json!({"name": "mesh", "kind": "Service", "group": ""}), &good(4));
    let state = |answers| observed(RouterKind::GrpcRoute, &live(parents.clone(), answers), 4);
    assert_eq!(state(json!([edge, mesh])), RouteState::Accepted);
    assert_eq!(state(json!([edge])), pending("Service shop/mesh has not answered for generation 4"));
    // What a controller left behind that is gone doesn't count.
    assert_eq!(state(json!([answer(json!({"name": "edge"}), &good(2)), edge, mesh])), RouteState::Accepted);
}

#[test]
fn nothing_serves_a_route_without_a_parent() {
    assert!(matches!(
        observed(RouterKind::HttpRoute, &live(json!([]), json!([])), 4),
        RouteState::Refused(_)
    ));
}

#[test]
fn an_older_object_is_no_answer() {
    let live = live(json!([]), json!([]));
    for router in [RouterKind::Ingress, RouterKind::VirtualService] {
        assert_eq!(observed(router, &live, 4), RouteState::Accepted);
        assert_eq!(observed(router, &live, 5), pending("the change has not been seen yet"));
        assert_eq!(observed(router, &Value::Null, 1), pending("the change has not been seen yet"));
    }
}
