//! Health of the Gateway API's kinds (gateway-api.sigs.k8s.io, "Status").

use serde_json::Value;

use super::Health;
use super::body::{Body, Condition, Truth};
use crate::api::HealthStatus;

const GROUP: &str = "gateway.networking.k8s.io";

/// Gateway: itself and each of its listeners accepted, resolved and programmed.
pub(super) fn gateway(body: Body) -> Health {
    let itself = judge(body.conditions("/status"), generation(body), &["Accepted", "Programmed"]);
    let listeners = body.parts("/status/listeners").map(|listener| {
        let health = judge(listener.conditions(""), generation(body), &[]);
        prefixed(health, || format!("listener {}", listener.text("/name")))
    });
    std::iter::once(itself).chain(listeners).fold(Health::healthy(), worse)
}

/// GatewayClass.
pub(super) fn class(body: Body) -> Health {
    judge(body.conditions("/status"), generation(body), &["Accepted"])
}

/// HTTPRoute and its like: each parent that the spec names has accepted it at its present generation.
/// Several controllers may write about one parent, and a controller that is gone leaves its old entry
/// behind, so stale entries count only while a parent has nothing newer.
pub(super) fn route(body: Body) -> Health {
    let namespace = body.text("/metadata/namespace");
    body.parts("/spec/parentRefs").fold(Health::healthy(), |worst, parent| {
        let key = ParentKey::new(parent, namespace);
        let entries: Vec<Health> = body
            .parts("/status/parents")
            .filter(|entry| {
                let reference = entry.0.pointer("/parentRef").unwrap_or(&Value::Null);
                ParentKey::new(Body(reference), namespace) == key
            })
            .filter(|entry| entry.conditions("").any(|condition| !condition.is_stale(generation(body))))
            .map(|entry| judge(entry.conditions(""), generation(body), &["Accepted"]))
            .collect();
        let health = match entries.is_empty() {
            true => Health::unseen("the route, or not its latest change"),
            false => entries.into_iter().fold(Health::healthy(), worse),
        };
        worse(worst, prefixed(health, || key.to_string()))
    })
}

fn generation(body: Body) -> Option<i64> {
    body.int("/metadata/generation")
}

/// Reads a list of conditions of which those in `needed` have to be there. The controller sets the
/// positive ones to False for good with a reason, and to Unknown, or to False with a reason that means
/// waiting, for now.
fn judge<'a>(
    conditions: impl Iterator<Item = Condition<'a>>,
    generation: Option<i64>,
    needed: &[&str],
) -> Health {
    let mut missing = needed.to_vec();
    let mut worst = Health::healthy();
    for condition in conditions {
        missing.retain(|kind| *kind != condition.kind);
        let health = match (condition.kind, condition.truth) {
            ("Accepted" | "ResolvedRefs" | "Programmed" | "Reconciled", truth) => {
                if condition.is_stale(generation) {
                    Health::progressing(format!("{} is of an older generation", condition.kind))
                } else if truth == Truth::True {
                    Health::healthy()
                } else if truth == Truth::Unknown
                    || matches!(condition.reason, "Pending" | "AddressNotAssigned")
                {
                    Health::progressing(told(&condition))
                } else {
                    Health::degraded(told(&condition))
                }
            }
            ("Conflicted" | "PartiallyInvalid", Truth::True) => Health::degraded(told(&condition)),
            _ => Health::healthy(),
        };
        worst = worse(worst, health);
    }
    match missing.first() {
        Some(kind) => worse(worst, Health::progressing(format!("waiting for condition {kind}"))),
        None => worst,
    }
}

fn told(condition: &Condition) -> String {
    let not = if condition.truth == Truth::True { "" } else { "not " };
    format!("{not}{}: {}", condition.kind, condition.cause())
}

/// The worse of two; the first if they are equal.
fn worse(first: Health, second: Health) -> Health {
    if second.status > first.status { second } else { first }
}

fn prefixed(health: Health, prefix: impl FnOnce() -> String) -> Health {
    match health.status {
        HealthStatus::Healthy => health,
        status => Health::new(status, format!("{}: {}", prefix(), health.message)),
    }
}

/// A parent reference with its defaults, so that the spec's and the status's can be compared.
#[derive(PartialEq, Eq)]
pub(crate) struct ParentKey<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    section: &'a str,
    port: Option<i64>,
}

impl<'a> ParentKey<'a> {
    pub(crate) fn new(reference: Body<'a>, namespace: &'a str) -> Self {
        let or = |value: &'a str, default| if value.is_empty() { default } else { value };
        Self {
            // The empty group is a value of its own here: the core group, of a Service as parent.
            group: if reference.has("/group") { reference.text("/group") } else { GROUP },
            kind: or(reference.text("/kind"), "Gateway"),
            namespace: or(reference.text("/namespace"), namespace),
            name: reference.text("/name"),
            section: reference.text("/sectionName"),
            port: reference.int("/port"),
        }
    }
}

impl std::fmt::Display for ParentKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)?;
        if !self.section.is_empty() {
            write!(f, " section {}", self.section)?;
        }
        match self.port {
            Some(port) => write!(f, " port {port}"),
            None => Ok(()),
        }
    }
}
