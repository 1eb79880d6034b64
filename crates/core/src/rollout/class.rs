use serde_json::Value;

use crate::object::{Object, ObjectId};
use crate::plan::is_job;

/// Annotation on an object: `before` or `promotion`, when a change of it is applied while a rollout runs.
pub const ROLLOUT_ORDER_ANNOTATION: &str = "windlass.dev/rollout-order";

/// When a change of an existing object is applied while workloads are rolled out. What is new comes before, what
/// goes is pruned after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Before the candidate gets a pod: it may need it, and the stable pods don't mind.
    Before,
    /// Once the candidate is proved: stable pods depend on it.
    WithPromotion,
    /// Both versions at once: what either may do is allowed until the candidate is proved.
    Union,
}

/// The class of a change of an object.
pub fn class(id: &ObjectId, object: &Object) -> Class {
    match object.annotation(ROLLOUT_ORDER_ANNOTATION) {
        Some("before") => return Class::Before,
        Some("promotion") => return Class::WithPromotion,
        _ => {}
    }
    match (id.group.as_str(), id.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") | ("windlass.dev", _) | ("", "Namespace") => {
            Class::Before
        }
        ("rbac.authorization.k8s.io", _) => Class::Union,
        _ if is_job(id) => Class::Before,
        _ => Class::WithPromotion,
    }
}

/// Adds to `new` the rules and subjects of `old` that it lacks. The role of a binding cannot change, so where that
/// differs nothing is added.
pub fn union(new: &mut Object, old: &Object) {
    let role = |object: &Object| object.body().get("roleRef").cloned();
    if role(new) != role(old) {
        return;
    }
    let merged = new.clone().with(|body| {
        for field in ["rules", "subjects"] {
            let Some(kept) = old.body().get(field).and_then(Value::as_array) else { continue };
            let Some(body) = body.as_object_mut() else { return };
            let items = body.entry(field).or_insert_with(|| Value::Array(Vec::new()));
            if items.is_null() {
                *items = Value::Array(Vec::new());
            }
            let Some(items) = items.as_array_mut() else { continue };
            for item in kept {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
        }
    });
    *new = merged;
}
