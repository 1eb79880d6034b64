//! Where requests go while a rollout runs: the routes and Services that Git desires, with the share of the
//! candidate merged in.
//!
//! Lists of rules are atomic to server-side apply, so that weights cannot be owned beside Git's rules: each
//! merge starts from the route of Git and gives the whole of what is to be applied. It is a pure function of
//! that route, so going back needs nothing but the same call with [`Split::Stable`], and at rest the route is
//! simply Git's. Fields that a merge doesn't know survive it.

mod companions;
mod cookie;
mod error;
mod gateway;
mod ingress;
mod json;
mod naming;
mod observed;
mod service;
#[cfg(test)]
mod tests;
mod virtual_service;
mod weights;

pub use companions::companions;
pub use error::{Problem, RouteError};
pub use observed::{RouteState, observed};
pub use service::{Pods, ServiceError, ServiceNames, pin, pinned};

pub use crate::api::{RouterKind, TrafficMatch};
use crate::object::Object;

/// Which requests the candidate gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// None; the route doesn't name it at all. A weight of 0 would not do: a session that a gateway persists
    /// stays with its backend even then (Gateway API, GEP-1619).
    Stable,
    /// This percentage of all requests, 0 to 100. 0 is [`Split::Stable`].
    Weight(u8),
    /// Requests that match one of these; the others go to stable.
    Match(Vec<TrafficMatch>),
    /// A copy of this percentage of the requests, 0 to 100. Stable answers all of them.
    Mirror(u8),
}

/// The Services between which a route divides requests. All three are in one namespace.
#[derive(Clone, Copy, Debug)]
pub struct Backends<'a> {
    /// Their namespace.
    pub namespace: &'a str,
    /// The user's Service, which Git's route names.
    pub service: &'a str,
    /// The Service of the stable pods.
    pub stable: &'a str,
    /// The Service of the candidate's pods.
    pub candidate: &'a str,
}

/// Git's `route` with `split` merged in, and the objects that the router needs beside it.
///
/// Every rule that names the Service is handled; rules that don't are left alone. The first object is the
/// route.
///
/// # Errors
/// [`RouteError`] says why the router cannot do this with the route; nothing is to be applied then.
pub fn merge(
    router: RouterKind,
    route: &Object,
    backends: &Backends,
    split: &Split,
) -> Result<Vec<Object>, RouteError> {
    let merged = check(router, route, split).and_then(|split| match router {
        RouterKind::HttpRoute => gateway::merge(gateway::Flavour::Http, route, backends, split),
        RouterKind::GrpcRoute => gateway::merge(gateway::Flavour::Grpc, route, backends, split),
        RouterKind::Ingress => ingress::merge(route, backends, split),
        RouterKind::VirtualService => virtual_service::merge(route, backends, split),
    });
    merged.map_err(|problem| route_error(route, backends, problem))
}

fn route_error(route: &Object, backends: &Backends, problem: Problem) -> RouteError {
    let namespace = route.namespace().unwrap_or(backends.namespace);
    RouteError { route: format!("{} {namespace}/{}", route.gvk().kind, route.name()), problem }
}

/// Refuses what no router can do, and makes the two ways to say "nothing" one.
fn check<'a>(router: RouterKind, route: &Object, split: &'a Split) -> Result<&'a Split, Problem> {
    let (group, kind) = router.group_kind();
    if (route.gvk().group.as_str(), route.gvk().kind.as_str()) != (group, kind) {
        return Err(Problem::WrongKind { expected: kind });
    }
    match split {
        Split::Weight(0) | Split::Mirror(0) => Ok(&Split::Stable),
        Split::Weight(percent) | Split::Mirror(percent) if *percent > 100 => Err(Problem::Percent(*percent)),
        Split::Match(matches) if matches.is_empty() => Err(Problem::NoMatch),
        split => Ok(split),
    }
}
