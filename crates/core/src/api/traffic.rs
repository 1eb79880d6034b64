use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// How requests reach the workload, and what divides them between the stable release and the candidate.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new(
        "[has(self.httpRoute), has(self.grpcRoute), has(self.ingress), has(self.virtualService)].filter(x, x).size() <= 1"
    )
    .message("set at most one of httpRoute, grpcRoute, ingress and virtualService")
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The Service that clients and the route use. It is part of the same release.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: String,

    /// A Gateway API HTTPRoute of the same release that sends requests to the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_route: Option<RouteRef>,

    /// A Gateway API GRPCRoute of the same release that sends requests to the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_route: Option<RouteRef>,

    /// An Ingress of the same release that ingress-nginx serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<RouteRef>,

    /// An Istio VirtualService of the same release that sends requests to the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_service: Option<RouteRef>,

    /// What clients get that use the Service itself and so don't pass the route.
    #[serde(default)]
    pub in_cluster: InCluster,

    /// How long the router may take to accept a change of the route before the rollout fails.
    #[serde(default = "two_minutes")]
    pub deadline: Duration,
}

fn two_minutes() -> Duration {
    Duration::from_secs(120)
}

impl Traffic {
    /// The router and the name of its route; `None` where there is no router.
    pub fn router(&self) -> Option<(RouterKind, &str)> {
        [
            (RouterKind::HttpRoute, &self.http_route),
            (RouterKind::GrpcRoute, &self.grpc_route),
            (RouterKind::Ingress, &self.ingress),
            (RouterKind::VirtualService, &self.virtual_service),
        ]
        .into_iter()
        .find_map(|(kind, reference)| Some((kind, reference.as_ref()?.name.as_str())))
    }
}

/// A route in the namespace of the workload.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RouteRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What clients of the Service itself get while a rollout runs.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InCluster {
    /// The stable release until the candidate is promoted.
    #[default]
    Stable,
    /// Both, in proportion to their pods.
    Share,
}

/// What divides the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouterKind {
    /// Gateway API HTTPRoute.
    HttpRoute,
    /// Gateway API GRPCRoute.
    GrpcRoute,
    /// Ingress, served by ingress-nginx.
    Ingress,
    /// Istio VirtualService.
    VirtualService,
}

impl RouterKind {
    /// API group and kind of its routes.
    pub fn group_kind(self) -> (&'static str, &'static str) {
        match self {
            Self::HttpRoute => ("gateway.networking.k8s.io", "HTTPRoute"),
            Self::GrpcRoute => ("gateway.networking.k8s.io", "GRPCRoute"),
            Self::Ingress => ("networking.k8s.io", "Ingress"),
            Self::VirtualService => ("networking.istio.io", "VirtualService"),
        }
    }
}

/// Requests that are told apart by one header or one cookie.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.header) != has(self.cookie)").message("set exactly one of header and cookie")
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct TrafficMatch {
    /// Requests with this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderMatch>,

    /// Requests with this cookie. Gateway API and Istio know no cookies: there it becomes a regular
    /// expression for the header `Cookie`. ingress-nginx knows only the value `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<CookieMatch>,
}

/// A header and its exact value.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Name of the header; upper and lower case are the same.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,

    /// Its value, all of it.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[!-~]([ !-~]*[!-~])?$"))]
    pub value: String,
}

/// A cookie and its exact value.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CookieMatch {
    /// Name of the cookie.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,

    /// Its value, all of it (RFC 6265).
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[!#-+.-:<-\\[\\]-~-]+$"))]
    pub value: String,
}
