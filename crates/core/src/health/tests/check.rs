use rstest::rstest;
use serde_json::{Value, json};

use crate::api::HealthStatus::{self, Degraded, Healthy, Progressing, Suspended};
use crate::health::Health;
use crate::health::check::{Check, CheckError};

fn certificate() -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "shop", "generation": 2},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2, "phase": "Issued", "ready": 3, "share": 0.5, "conditions": [
            {"type": "Issuing", "status": "False"},
            {"type": "Ready", "status": "False", "reason": "Failed", "message": "the order\nexpired"},
        ]},
    })
}

/// In a thread whose stack is that of a worker's.
fn judge(expression: &str, object: &Value) -> Result<Health, CheckError> {
    let (expression, object) = (expression.to_owned(), object.clone());
    let work = move || Check::new(&expression)?.judge(&object);
    std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap().join().unwrap()
}

#[rstest]
#[case::yes("self.status.phase == 'Issued'", Healthy, "")]
#[case::no("self.status.phase == 'Ready'", Progressing, "the health check is not true yet")]
#[case::counts("self.status.ready == self.spec.replicas && self.status.ready + 1 > 3", Healthy, "")]
#[case::fraction("self.status.share < 1.0", Healthy, "")]
#[case::a_status(
    "self.status.phase == 'Issued' ? 'Suspended' : 'Healthy'",
    Suspended,
    "the health check says Suspended"
)]
#[case::a_map(
    "{'status': 'Degraded', 'message': self.status.conditions.filter(c, c.type == 'Ready')[0].message}",
    Degraded,
    "the order expired"
)]
#[case::a_map_without_message("{'status': 'Degraded'}", Degraded, "the health check says Degraded")]
#[case::exists(
    "has(self.status) && self.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')",
    Healthy,
    ""
)]
#[case::pattern("self.status.phase.matches('^Iss')", Healthy, "")]
#[case::no_field("self.status.serial == 1", Progressing, "the health check found no field serial")]
#[case::no_entry(
    "self.status.conditions[7].type == 'Ready'",
    Progressing,
    "the health check found no such entry in a list"
)]
fn what_an_expression_says(#[case] expression: &str, #[case] status: HealthStatus, #[case] message: &str) {
    assert_eq!(judge(expression, &certificate()), Ok(Health { status, message: message.into() }));
}

#[rstest]
#[case::not_closed("self.status.", "it cannot be read: line 1, column 13: expected identifier after '.'")]
#[case::empty(
    "",
    "it cannot be read: line 1, column 1: Syntax error: mismatched input '<EOF>' expecting expression"
)]
#[case::unknown_name("phase == 'Ready'", "it cannot be evaluated: Undeclared reference to 'phase'")]
#[case::division("self.spec.replicas / 0 == 1", "it cannot be evaluated: Division by zero of Int(3)")]
#[case::a_number("1 + 1", "its value is of type int, and not true, false, a status")]
#[case::unknown_status("'Fine'", "its value is 'Fine', and not true, false")]
#[case::missing("'Missing'", "its value is 'Missing', and not true, false")]
#[case::map_without_status("{'message': 'x'}", "its value is a map without a status")]
fn what_is_wrong_with_an_expression(#[case] expression: &str, #[case] message: &str) {
    let error = judge(expression, &certificate()).unwrap_err().to_string();
    assert!(error.starts_with(message), "{error}");
}

#[test]
fn what_was_told_to_stand_aside_is_not_asked() {
    let mut object = certificate();
    object["metadata"]["generation"] = json!(3);
    let message = "its controller has not seen the latest change (generation 3, observed 2)";
    let expected = Health { status: Progressing, message: message.into() };
    assert_eq!(judge("true", &object), Ok(expected));
    object["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    let expected = Health { status: Progressing, message: "being deleted".into() };
    assert_eq!(judge("true", &object), Ok(expected));
}

#[rstest]
#[case::parentheses(format!("{}true{}", "(".repeat(1000), ")".repeat(1000)))]
#[case::lists(format!("{}1{}", "[".repeat(1000), "]".repeat(1000)))]
#[case::nots(format!("{}true", "!".repeat(2040)))]
#[case::sum(format!("1{}", "+1".repeat(1020)))]
#[case::fields(format!("self{}", ".a".repeat(1000)))]
#[case::indices(format!("self{}", "[0]".repeat(680)))]
#[case::conditions(format!("{}1", "true?1:".repeat(290)))]
#[case::too_long("1".repeat(2049))]
#[case::opened(format!("{}", "(".repeat(2048)))]
#[case::comprehensions(format!("{}true{}", "[1].all(x,".repeat(100), ")".repeat(100)))]
fn nothing_that_fits_into_the_field_ends_the_process(#[case] expression: String) {
    let _ = judge(&expression, &certificate());
}

#[test]
fn errors_are_short() {
    let mut object = certificate();
    object["status"]["phase"] = json!("x".repeat(100_000));
    let error = judge("self.status.phase + 1 == 2", &object).unwrap_err().to_string();
    assert!(error.len() < 400, "{}", error.len());
}
