//! Whether a router took over the route that was applied.

use serde_json::Value;

use super::RouterKind;
use crate::health::body::{Body, Condition, Truth};
use crate::health::gateway::ParentKey;

/// What is known of a route that was applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteState {
    /// The router has taken it over. Its proxies may need a moment longer.
    Accepted,
    /// Nothing is known yet: what is missing.
    Pending(String),
    /// The router says that it cannot serve the route so: why.
    Refused(String),
}

/// Reads `live`, the route as the API server has it, for what was applied as `generation`.
///
/// HTTPRoute and GRPCRoute are accepted once each parent of the spec has conditions `Accepted` and
/// `ResolvedRefs` that are true and not of an older generation; a condition that doesn't say of which
/// generation it is tells nothing. An Ingress and a VirtualService are acknowledged by nobody: they are accepted
/// as soon as they are seen, and it is up to the caller to give the proxies time.
pub fn observed(router: RouterKind, live: &Value, generation: i64) -> RouteState {
    let body = Body(live);
    if body.int("/metadata/generation").is_none_or(|seen| seen < generation) {
        return RouteState::Pending("the change has not been seen yet".into());
    }
    match router {
        RouterKind::Ingress | RouterKind::VirtualService => RouteState::Accepted,
        RouterKind::HttpRoute | RouterKind::GrpcRoute => parents(body, generation),
    }
}

fn parents(body: Body, generation: i64) -> RouteState {
    let namespace = body.text("/metadata/namespace");
    let states = body.parts("/spec/parentRefs").map(|parent| {
        let key = ParentKey::new(parent, namespace);
        let answers = body.parts("/status/parents").filter(|answer| {
            let reference = answer.0.pointer("/parentRef").unwrap_or(&Value::Null);
            ParentKey::new(Body(reference), namespace) == key
        });
        // A controller that is gone leaves its answers behind, so old ones count for nothing.
        let states = answers.filter_map(|answer| answer_of(answer.conditions(""), generation));
        match states.max() {
            None => RouteState::Pending(format!("{key} has not answered for generation {generation}")),
            Some(RouteState::Accepted) => RouteState::Accepted,
            Some(RouteState::Pending(message)) => RouteState::Pending(format!("{key}: {message}")),
            Some(RouteState::Refused(message)) => RouteState::Refused(format!("{key}: {message}")),
        }
    });
    states
        .max()
        .unwrap_or_else(|| RouteState::Refused("the route names no parent, so nothing serves it".into()))
}

/// What one controller says about one parent; `None` where all of it is of an older generation.
fn answer_of<'a>(conditions: impl Iterator<Item = Condition<'a>>, generation: i64) -> Option<RouteState> {
    let current: Vec<_> =
        conditions.filter(|one| one.observed.is_some_and(|seen| seen >= generation)).collect();
    if current.is_empty() {
        return None;
    }
    let needed = ["Accepted", "ResolvedRefs"].into_iter().map(|kind| {
        match current.iter().find(|condition| condition.kind == kind) {
            None => RouteState::Pending(format!("waiting for condition {kind}")),
            Some(condition) => state_of(condition),
        }
    });
    let partly = current
        .iter()
        .filter(|condition| condition.kind == "PartiallyInvalid" && condition.truth == Truth::True)
        .map(|condition| RouteState::Refused(format!("PartiallyInvalid: {}", condition.cause())));
    needed.chain(partly).max()
}

fn state_of(condition: &Condition) -> RouteState {
    let told = || format!("not {}: {}", condition.kind, condition.cause());
    match (condition.truth, condition.reason) {
        (Truth::True, _) => RouteState::Accepted,
        // A controller may see the route before the Services that were made for it.
        (Truth::Unknown, _) | (Truth::False, "Pending" | "BackendNotFound") => RouteState::Pending(told()),
        (Truth::False, _) => RouteState::Refused(told()),
    }
}
