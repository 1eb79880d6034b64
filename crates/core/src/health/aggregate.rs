//! One health for many objects.

use std::cmp::Reverse;

use super::Health;
use super::body::clipped;
use crate::api::{HealthStatus, bounded_message};
use crate::object::ObjectId;

/// How many objects the message names.
const NAMED: usize = 3;
/// How many bytes of each cause, so that all three fit beside their names.
const CAUSE: usize = 240;

/// The worst state of all objects, and a message that names up to three of those that are not healthy with
/// their causes, worst first, and counts the rest. Suspended objects are named only when nothing is worse.
/// No objects are Healthy.
pub fn aggregate<'a>(items: impl Iterator<Item = (&'a ObjectId, &'a Health)>) -> (HealthStatus, String) {
    let mut unhealthy: Vec<(&ObjectId, &Health)> =
        items.filter(|(_, health)| health.status != HealthStatus::Healthy).collect();
    let worst = unhealthy.iter().map(|(_, health)| health.status).max().unwrap_or(HealthStatus::Healthy);
    if worst > HealthStatus::Suspended {
        unhealthy.retain(|(_, health)| health.status > HealthStatus::Suspended);
    }
    unhealthy.sort_by_key(|(id, health)| (Reverse(health.status), *id));
    let mut parts: Vec<String> = unhealthy.iter().take(NAMED).map(|(id, health)| named(id, health)).collect();
    if let more @ 1.. = unhealthy.len().saturating_sub(NAMED) {
        parts.push(format!("and {more} more"));
    }
    (worst, bounded_message(&parts.join("; ")))
}

fn named(id: &ObjectId, health: &Health) -> String {
    let cause = clipped(&health.message, CAUSE);
    if cause.is_empty() { format!("{id}: {:?}", health.status) } else { format!("{id}: {cause}") }
}
