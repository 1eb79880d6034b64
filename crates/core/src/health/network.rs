//! Health of Services and Ingresses.

use super::Health;
use super::body::{Body, Truth, one_line};

/// Service. Only one of type LoadBalancer has to wait for somebody.
pub(super) fn service(body: Body) -> Health {
    if body.text("/spec/type") != "LoadBalancer" {
        return Health::healthy();
    }
    if let Some(error) = port_error(body) {
        return error;
    }
    if let Some(ports) = body.condition("LoadBalancerPortsError").filter(|ports| ports.truth == Truth::True) {
        return Health::degraded(format!("load balancer: {}", ports.cause()));
    }
    if has_address(body) {
        return Health::healthy();
    }
    match body.text("/spec/loadBalancerClass") {
        "" => Health::progressing("waiting for the load balancer's address"),
        class => Health::progressing(format!("waiting for the load balancer's address (class {class})")),
    }
}

/// Ingress. An address is not asked for: many controllers never write one, and those who wait for it wait
/// for ever.
pub(super) fn ingress(body: Body) -> Health {
    port_error(body).unwrap_or_else(Health::healthy)
}

fn has_address(body: Body) -> bool {
    body.parts("/status/loadBalancer/ingress")
        .any(|point| !point.text("/ip").is_empty() || !point.text("/hostname").is_empty())
}

/// The load balancer may have refused a single port (KEP-1435).
fn port_error(body: Body) -> Option<Health> {
    body.parts("/status/loadBalancer/ingress").flat_map(|point| point.parts("/ports")).find_map(|port| {
        let error = one_line(port.text("/error"));
        let number = port.int("/port").unwrap_or(0);
        (!error.is_empty()).then(|| Health::degraded(format!("load balancer: port {number}: {error}")))
    })
}
