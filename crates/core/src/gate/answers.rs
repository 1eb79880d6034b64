//! Judges of what others say: two values, an expression, a web service, a Job.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::look::{Look, Sample, number};
use crate::api::{Better, CelGate, Compare};
use crate::health::check::{Check, CheckError};

/// Fewest requests behind a value where a `compare` gate names none.
const MIN_REQUESTS: u32 = 50;

/// Judges the value of a `compare` gate's query for the candidate beside that for stable. `requests` are the
/// values of its query `requests`, the candidate's first, where it has one.
pub fn compare(
    spec: &Compare,
    candidate: &Sample,
    stable: &Sample,
    requests: Option<(&Sample, &Sample)>,
) -> Look {
    if let Some((of_candidate, of_stable)) = requests {
        let least = spec.min_requests.unwrap_or(MIN_REQUESTS);
        for (side, sample) in [("the candidate", of_candidate), ("stable", of_stable)] {
            match sample {
                Sample::NoData(why) => return Look::NoData(format!("requests of {side}: {why}")),
                Sample::Value(count) if *count < f64::from(least) => {
                    return Look::LowTraffic(format!(
                        "{side} had {} of {least} requests",
                        number(count.floor())
                    ));
                }
                Sample::Value(_) => {}
            }
        }
    }
    let (own, other) = match (candidate, stable) {
        (Sample::Value(own), Sample::Value(other)) => (*own, *other),
        (Sample::NoData(why), _) => return Look::NoData(format!("the candidate: {why}")),
        (_, Sample::NoData(why)) => return Look::NoData(format!("stable: {why}")),
    };
    let decimal = |text: &str, default: f64| text.parse::<f64>().unwrap_or(default);
    let (tolerate, floor) = (decimal(&spec.tolerate, 1.0).max(1.0), decimal(&spec.floor, 0.0));
    let (worse, word) = match spec.better {
        Better::Lower => (own > other * tolerate && own - other > floor, "more"),
        Better::Higher => (own < other / tolerate && other - own > floor, "less"),
    };
    let value = number(own);
    if worse {
        let why = format!("{word} than {} times stable's {}", spec.tolerate, number(other));
        return Look::Bad { value, why };
    }
    Look::Good(format!("{value} (stable {})", number(other)))
}

/// Judges a `cel` gate by the values of its queries, by name; `stable` is empty where no stable release runs
/// beside. An expression may take long: the controller calls this in a worker that it can kill.
pub fn cel(spec: &CelGate, candidate: &BTreeMap<String, Sample>, stable: &BTreeMap<String, Sample>) -> Look {
    let mut values = [Map::new(), Map::new()];
    for (samples, (side, found)) in
        [candidate, stable].into_iter().zip(["", "stable: "].into_iter().zip(&mut values))
    {
        for (name, sample) in samples {
            match sample {
                Sample::Value(value) => found.insert(name.clone(), json!(value)),
                Sample::NoData(why) => return Look::NoData(format!("{side}{name}: {why}")),
            };
        }
    }
    let [candidate, stable] = values;
    let told: Vec<_> = candidate
        .iter()
        .map(|(name, value)| format!("{name} = {}", number(value.as_f64().unwrap_or(0.0))))
        .collect();
    let value = told.join(", ");
    let mut variables = candidate.clone();
    variables.insert("candidate".into(), Value::Object(candidate));
    variables.insert("stable".into(), Value::Object(stable));
    let truth = Check::new(&spec.expression).and_then(|check| check.truth(&variables));
    match truth {
        Ok(true) => Look::Good(value),
        Ok(false) => Look::Bad { value, why: "not what the expression wants".into() },
        Err(CheckError::Value(what)) => {
            Look::NoData(format!("the expression gives a value {what}, and not true or false"))
        }
        Err(error) => Look::NoData(format!("the expression: {error}")),
    }
}

/// What a web service may answer.
#[derive(Deserialize)]
struct Answer {
    verdict: String,
    #[serde(default)]
    message: String,
}

/// Judges the answer of a `webhook` gate. Only one that says `Fail` is a failure: a service that is down, or
/// that answers with an error, says nothing about the release.
pub fn webhook(status: u16, body: &[u8]) -> Look {
    let text = String::from_utf8_lossy(body);
    match status {
        202 => return Look::Wait("the service is still at it".into()),
        204 => return Look::Good("Pass".into()),
        200 if text.trim().is_empty() => return Look::Good("Pass".into()),
        200 => {}
        _ => return Look::NoData(format!("the service answered with status {status}")),
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Look::NoData("the answer has no verdict in JSON, as {\"verdict\": \"Pass\"}".into());
    };
    let with = |word: &str| match answer.message.as_str() {
        "" => word.to_owned(),
        message => format!("{word}: {message}"),
    };
    match answer.verdict.as_str() {
        "Pass" => Look::Good(with("Pass")),
        "Wait" => Look::Wait(with("Wait")),
        "Fail" => Look::Bad { value: "the answer".into(), why: with("Fail") },
        _ => Look::NoData("the verdict is not Pass, Fail or Wait".into()),
    }
}

/// Judges the Job of a `job` gate by its body, `None` where there is none. One whose time ran out is no
/// failure: its pods may never have been scheduled.
pub fn job(body: Option<&Value>) -> Look {
    let Some(body) = body else { return Look::NoData("there is no Job yet".into()) };
    let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let conditions = body.pointer("/status/conditions").and_then(Value::as_array);
    let condition = |kind: &str| {
        let is = |one: &&Value| one["type"] == kind && one["status"] == "True";
        conditions.into_iter().flatten().find(is)
    };
    if condition("Complete").is_some() {
        return Look::Good(format!("Job {name} succeeded"));
    }
    let Some(failed) = condition("Failed") else { return Look::Wait(format!("Job {name} runs")) };
    let text = |key: &str| failed[key].as_str().unwrap_or_default().to_owned();
    match text("reason").as_str() {
        "DeadlineExceeded" => Look::NoData(format!("Job {name} did not end in time")),
        reason => {
            Look::Bad { value: format!("Job {name}"), why: format!("failed: {reason}: {}", text("message")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn bad(value: &str, why: &str) -> Look {
        Look::Bad { value: value.into(), why: why.into() }
    }

    fn none(why: &str) -> Look {
        Look::NoData(why.into())
    }

    #[rstest]
    #[case::equal("Lower", 2.0, 2.0, Look::Good("2 (stable 2)".into()))]
    #[case::tolerated("Lower", 2.5, 2.0, Look::Good("2.5 (stable 2)".into()))]
    #[case::slower("Lower", 3.0, 2.0, bad("3", "more than 1.25 times stable's 2"))]
    #[case::floor("Lower", 0.3, 0.1, Look::Good("0.3 (stable 0.1)".into()))]
    #[case::less("Higher", 7.0, 10.0, bad("7", "less than 1.25 times stable's 10"))]
    #[case::enough("Higher", 8.0, 10.0, Look::Good("8 (stable 10)".into()))]
    #[case::more("Higher", 80.0, 10.0, Look::Good("80 (stable 10)".into()))]
    #[case::nothing(
        "Lower",
        f64::NAN,
        1.0,
        none("the candidate: the query gives NaN, which is no number to judge")
    )]
    #[case::no_stable(
        "Lower",
        1.0,
        f64::NAN,
        none("stable: the query gives NaN, which is no number to judge")
    )]
    fn values_are_compared(
        #[case] better: &str,
        #[case] own: f64,
        #[case] other: f64,
        #[case] expected: Look,
    ) {
        let spec: Compare =
            serde_json::from_value(json!({"query": "$pods", "better": better, "floor": "0.25"})).unwrap();
        assert_eq!(compare(&spec, &Sample::number(own), &Sample::number(other), None), expected);
    }

    #[test]
    fn values_of_few_requests_are_not_compared() {
        let spec: Compare = serde_json::from_value(json!({"query": "$pods"})).unwrap();
        let judge = |one: f64, other: f64| {
            let requests = (Sample::number(one), Sample::number(other));
            compare(&spec, &Sample::Value(9.0), &Sample::Value(1.0), Some((&requests.0, &requests.1)))
        };
        assert_eq!(judge(49.6, 900.0), Look::LowTraffic("the candidate had 49 of 50 requests".into()));
        assert_eq!(judge(50.0, 3.0), Look::LowTraffic("stable had 3 of 50 requests".into()));
        assert_eq!(judge(50.0, 50.0), bad("9", "more than 1.25 times stable's 1"));
        assert!(
            matches!(judge(f64::NAN, 50.0), Look::NoData(why) if why.starts_with("requests of the candidate"))
        );
    }

    #[rstest]
    #[case("errors < 0.05 && latency < 1.0", Look::Good("errors = 0.02, latency = 0.5".into()))]
    #[case("candidate.errors <= stable.errors * 2.0", Look::Good("errors = 0.02, latency = 0.5".into()))]
    #[case("errors <= stable.errors", bad("errors = 0.02, latency = 0.5", "not what the expression wants"))]
    #[case("errors", none("the expression gives a value of type float, and not true or false"))]
    fn an_expression_judges_values(#[case] expression: &str, #[case] expected: Look) {
        let spec: CelGate = serde_json::from_value(json!({"queries": {}, "expression": expression})).unwrap();
        let values = |errors: f64| {
            let all = [("errors", errors), ("latency", 0.5)];
            all.map(|(name, value)| (name.to_owned(), Sample::number(value))).into_iter().collect()
        };
        assert_eq!(cel(&spec, &values(0.02), &values(0.01)), expected);
    }

    #[test]
    fn an_expression_that_cannot_be_evaluated_is_no_failure() {
        let judge = |expression: &str, value: f64| {
            let spec = serde_json::from_value(json!({"queries": {}, "expression": expression})).unwrap();
            cel(&spec, &BTreeMap::from([("errors".into(), Sample::number(value))]), &BTreeMap::new())
        };
        for (expression, value, words) in [
            ("errors < ", 1.0, "cannot be read"),
            ("latency < 1.0", 1.0, "latency"),
            ("stable.errors < 1.0", 1.0, "errors"),
            ("errors < 1.0", f64::NAN, "errors: the query gives NaN"),
        ] {
            let Look::NoData(why) = judge(expression, value) else { panic!("{expression}") };
            assert!(why.contains(words), "{expression}: no {words:?} in {why}");
        }
    }

    #[rstest]
    #[case(200, r#"{"verdict": "Pass"}"#, Look::Good("Pass".into()))]
    #[case(200, r#"{"verdict": "Pass", "message": "12 tests"}"#, Look::Good("Pass: 12 tests".into()))]
    #[case(200, " ", Look::Good("Pass".into()))]
    #[case(204, "", Look::Good("Pass".into()))]
    #[case(202, "", Look::Wait("the service is still at it".into()))]
    #[case(200, r#"{"verdict": "Wait", "message": "2 to go"}"#, Look::Wait("Wait: 2 to go".into()))]
    #[case(200, r#"{"verdict": "Fail", "message": "cart"}"#, bad("the answer", "Fail: cart"))]
    #[case(200, r#"{"verdict": "Maybe"}"#, none("the verdict is not Pass, Fail or Wait"))]
    #[case(200, "<html>", none("the answer has no verdict in JSON, as {\"verdict\": \"Pass\"}"))]
    #[case(500, r#"{"verdict": "Fail"}"#, none("the service answered with status 500"))]
    #[case(302, "", none("the service answered with status 302"))]
    fn a_service_is_believed(#[case] status: u16, #[case] body: &str, #[case] expected: Look) {
        assert_eq!(webhook(status, body.as_bytes()), expected);
    }

    #[rstest]
    #[case(json!([]), Look::Wait("Job smoke runs".into()))]
    #[case(json!([{"type": "FailureTarget", "status": "True"}]), Look::Wait("Job smoke runs".into()))]
    #[case(json!([{"type": "Complete", "status": "True"}]), Look::Good("Job smoke succeeded".into()))]
    #[case(
        json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it did"}]),
        bad("Job smoke", "failed: BackoffLimitExceeded: it did")
    )]
    #[case(
        json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]),
        none("Job smoke did not end in time")
    )]
    fn a_job_is_judged_by_its_end(#[case] conditions: Value, #[case] expected: Look) {
        let body = json!({"metadata": {"name": "smoke"}, "status": {"conditions": conditions}});
        assert_eq!(job(Some(&body)), expected);
    }
}
