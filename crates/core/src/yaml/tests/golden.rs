//! The golden table: what the real sigs.k8s.io/yaml makes of each input, by way of kubectl's reader.

use serde::Deserialize;
use serde_json::Value;

use crate::yaml::load;

/// The inputs, for tests that begin with something a person might write.
pub(super) fn inputs() -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    cases.into_iter().map(|case| case.input).collect()
}

const TABLE: &str = include_str!("../../../../../tests/golden/yaml/golden.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    json: Option<Value>,
    error: Option<String>,
    kubectl: Option<Stream>,
}

#[derive(Clone, Deserialize)]
struct Stream {
    documents: Vec<Value>,
    error: Option<String>,
}

impl Case {
    /// What kubectl reads: the documents that are not null, or why it stops.
    fn theirs(&self) -> Result<Vec<Value>, String> {
        let library = || Stream {
            documents: self.json.iter().filter(|json| !json.is_null()).cloned().collect(),
            error: self.error.clone(),
        };
        let stream = self.kubectl.clone().unwrap_or_else(library);
        stream.error.map_or(Ok(stream.documents), Err)
    }
}

/// Where we differ on purpose: why, and in which cases.
const DEVIATIONS: &[(&str, &[&str])] = &[
    (
        "a key that stands twice is an error, however it is written: one of the two values would be lost",
        &[
            "duplicate by alias",
            "duplicate by words",
            "duplicate in merge source",
            "duplicate key",
            "duplicate key in list",
            "duplicate key nested",
            "json duplicate",
            "quoted number key",
        ],
    ),
    (
        "kubectl drops what follows a document's end without a word: an object would be missing, then pruned",
        &["documents after dots", "documents flow tail", "documents scalar tail"],
    ),
    (
        "objects that follow each other without --- are JSON lines, not YAML; the error says to put a ---",
        &["json two objects"],
    ),
    (
        "kubectl takes ---# for a separator, except at the start of a text; here it is one everywhere",
        &["documents marker comment no blank"],
    ),
    (
        "kubectl's reader takes a directive for a document of its own; here one that changes nothing is read",
        &["tag directive", "yaml directive 1.1"],
    ),
    ("nesting is bounded: a document must not exhaust the stack of whoever reads its JSON", &["nested 101"]),
    ("JSON has no bytes: the library puts replacement characters where they were", &["binary not text"]),
    ("libyaml wants a blank after the colon; nobody writes it otherwise", &["flow plain x colon"]),
    (
        "accidents of Go's number and time parsers that no manifest relies on",
        &["number sign after base", "number underscore fraction", "timestamp tag odd"],
    ),
];

#[test]
fn the_loader_agrees_with_the_real_library() {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    assert!(cases.len() > 450);
    let mut disagreements = Vec::new();
    for case in &cases {
        let ours = load("golden", case.input.as_bytes())
            .map(|documents| documents.into_iter().map(|d| d.value).collect::<Vec<_>>())
            .map_err(|error| error.to_string());
        let theirs = case.theirs();
        let agree = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
            }
            (Err(_), Err(_)) => true,
            _ => false,
        };
        let excused = DEVIATIONS.iter().any(|(_, names)| names.contains(&case.name.as_str()));
        if agree == excused {
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
