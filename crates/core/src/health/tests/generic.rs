use rstest::rstest;
use serde_json::{Value, json};

use super::{check, condition, object};
use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Suspended};

fn conditions(all: Value) -> Value {
    json!({"observedGeneration": 3, "conditions": all})
}

#[rstest]
#[case::ready(conditions(json!([condition("Ready", "True", "Issued", "")])), Healthy, "")]
#[case::no_status(Value::Null, Healthy, "")]
#[case::empty_status(json!({}), Healthy, "")]
#[case::conditions_that_nobody_knows(conditions(json!([condition("Shiny", "False", "Dull", "")])), Healthy, "")]
#[case::not_ready(conditions(json!([condition("Ready", "False", "DoesNotExist", "secret shop/tls does not exist")])),
    Progressing, "not Ready: DoesNotExist: secret shop/tls does not exist")]
#[case::not_ready_without_a_word(conditions(json!([{"type": "Ready", "status": "False"}])), Progressing, "not Ready")]
#[case::ready_unknown(conditions(json!([{"type": "Ready", "status": "Unknown"}])), Progressing, "Ready is unknown")]
#[case::reconciling(conditions(json!([condition("Ready", "True", "", ""),
    condition("Reconciling", "True", "Progressing", "fetching main")])), Progressing, "Progressing: fetching main")]
#[case::stalled_wins(conditions(json!([condition("Stalled", "True", "InvalidURL", "scheme gopher is not supported"),
    condition("Reconciling", "True", "", "")])), Degraded, "InvalidURL: scheme gopher is not supported")]
#[case::old_generation(json!({"observedGeneration": 2, "conditions": [condition("Ready", "True", "", "")]}), Progressing,
    "its controller has not seen the latest change (generation 3, observed 2)")]
#[case::old_condition(json!({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}), Progressing,
    "condition Ready is of an older generation")]
#[case::old_failure_does_not_count(json!({"conditions": [{"type": "Stalled", "status": "True", "observedGeneration": 2},
    condition("Ready", "True", "", "")]}), Healthy, "")]
#[case::failed(conditions(json!([condition("Failed", "True", "BadSpec", "no such region")])), Degraded,
    "Failed: BadSpec: no such region")]
#[case::ready_but_degraded(conditions(json!([condition("Ready", "True", "", ""),
    condition("Degraded", "True", "OneNodeDown", "2 of 3 members")])), Degraded, "Degraded: OneNodeDown: 2 of 3 members")]
#[case::ready_but_not_synced(conditions(json!([condition("Ready", "True", "", ""),
    condition("Synced", "False", "ReconcileError", "cannot update bucket")])), Progressing,
    "not Synced: ReconcileError: cannot update bucket")]
#[case::ready_decides_alone(conditions(json!([condition("Available", "False", "", ""), condition("Ready", "True", "", "")])),
    Healthy, "")]
#[case::available(conditions(json!([condition("Available", "True", "", "")])), Healthy, "")]
#[case::all_positive_ones_are_needed(conditions(json!([condition("Accepted", "True", "", ""),
    condition("Programmed", "False", "Invalid", "no backend")])), Progressing, "not Programmed: Invalid: no backend")]
#[case::observed_is_ahead_after_a_restore(json!({"observedGeneration": 9, "conditions": [condition("Ready", "True", "", "")]}),
    Healthy, "")]
#[case::hostile(json!({"observedGeneration": "3", "conditions": [null, 1, {"type": 1}, {"type": "Ready", "status": true}]}),
    Progressing, "Ready is unknown")]
fn custom_resource(#[case] status: Value, #[case] health: HealthStatus, #[case] message: &str) {
    check(&object("example.com/v1", "Widget", json!({}), status), health, message);
}

#[test]
fn a_suspended_custom_resource_need_not_be_ready() {
    let status = conditions(json!([condition("Ready", "False", "Suspended", "")]));
    check(
        &object("example.com/v1", "Widget", json!({"suspend": true}), status),
        Suspended,
        "suspended by spec.suspend",
    );
}
