//! The golden table: what the real sigs.k8s.io/yaml makes of each input.

use serde::Deserialize;
use serde_json::Value;

use crate::yaml::load;

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    json: Option<Value>,
    error: Option<String>,
}

/// Where we differ on purpose, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("quoted number key", "a key that stands twice is an error, however it is written"),
    ("flow plain x colon", "libyaml wants a blank after the colon; nobody writes it otherwise"),
    ("json slash", "an escape of JSON that YAML 1.1 lacks is read as JSON means it"),
];

#[test]
fn the_loader_agrees_with_the_real_library() {
    let table = include_str!("../../../../../tests/golden/yaml/golden.json");
    let cases: Vec<Case> = serde_json::from_str(table).unwrap();
    assert!(cases.len() > 300);
    let mut disagreements = Vec::new();
    for case in &cases {
        let ours = load("golden", case.input.as_bytes());
        let agree = match (&ours, &case.json, &case.error) {
            // An empty document is null there and left out here.
            (Ok(documents), json, None) => match (documents.first(), json) {
                (Some(first), Some(json)) => same(&first.value, json),
                (first, json) => first.is_none() && json.is_none(),
            },
            (Err(_), _, Some(_)) => true,
            _ => false,
        };
        let excused = DEVIATIONS.iter().any(|(name, _)| *name == case.name);
        if agree == excused {
            let ours = ours.map(|d| d.into_iter().map(|d| d.value.to_string()).collect::<Vec<_>>());
            let theirs = case.json.as_ref().map_or(case.error.clone(), |json| Some(json.to_string()));
            disagreements.push(format!("{}: {:?}: ours {ours:?}, theirs {theirs:?}", case.name, case.input));
        }
    }
    assert!(
        disagreements.is_empty(),
        "{} of {}:\n{}",
        disagreements.len(),
        cases.len(),
        disagreements.join("\n")
    );
}

/// Equal, numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
