//! Health of what extends or divides the cluster.

use super::Health;
use super::body::{Body, Truth};
use crate::api::HealthStatus;

/// CustomResourceDefinition: its names accepted and its API served.
pub(super) fn custom_resource_definition(body: Body) -> Health {
    match body.condition("NamesAccepted") {
        Some(names) if names.truth == Truth::False => {
            return Health::degraded(format!("its names are not accepted: {}", names.cause()));
        }
        _ => {}
    }
    match body.condition("Established") {
        Some(established) if established.truth == Truth::True => Health::healthy(),
        Some(established) if established.truth == Truth::False && established.reason != "Installing" => {
            Health::degraded(format!("its API is not served: {}", established.cause()))
        }
        _ => Health::progressing("its API is not served yet"),
    }
}

/// APIService. Never Degraded: while the pods behind it start it is unavailable for all the reasons that
/// it also has when they never will.
pub(super) fn api_service(body: Body) -> Health {
    match body.condition("Available") {
        Some(available) if available.truth == Truth::True => Health::healthy(),
        Some(available) => Health::progressing(format!("not available: {}", available.cause())),
        None => Health::progressing("not seen by the API server's aggregator yet"),
    }
}

/// Namespace that nobody deletes.
pub(super) fn namespace(body: Body) -> Health {
    match body.text("/status/phase") {
        "Active" => Health::healthy(),
        "" => Health::progressing("not active yet"),
        phase => Health::new(HealthStatus::Unknown, format!("unknown phase {phase}")),
    }
}
