//! Rules that only requests with a header take: the candidate's audience of an A/B test.

use serde_json::{Value, json};

use super::{Flavour, Names};
use crate::api::TrafficMatch;
use crate::rollout::route::{Problem, cookie, json};

/// Most entries of a rule's `matches`.
const MOST_MATCHES: usize = 64;
/// Most matches of all rules together.
const MOST_IN_ALL: usize = 128;
/// Most entries of a match's `headers`.
const MOST_HEADERS: usize = 16;
/// Longest name of a rule.
const LONGEST_NAME: usize = 253;
/// Longest `sessionName`.
const LONGEST_SESSION: usize = 128;

/// A copy of a rule of Git for the requests that match one of `matches`, which the candidate answers.
pub(super) fn copy(
    rule: &Value,
    matches: &[TrafficMatch],
    names: &Names,
    path: &str,
) -> Result<Value, Problem> {
    let mut copy = rule.clone();
    names.rename(&mut copy, names.backends.candidate, path)?;
    let field = format!("{path}.matches");
    let nothing = [json!({})];
    let present = match json::list(rule, "matches", path)? {
        [] => &nothing,
        present => present,
    };
    let mut combined = Vec::with_capacity(present.len() * matches.len());
    for (i, own) in present.iter().enumerate() {
        for wanted in matches {
            combined.push(narrowed(own, header(wanted)?, &format!("{field}[{i}]"))?);
        }
    }
    json::at_most(combined.len(), MOST_MATCHES, || field)?;
    copy["matches"] = combined.into();

    // Names are unique in a route, and a session of one rule means nothing to another.
    rename(&mut copy, "/name", LONGEST_NAME);
    rename(&mut copy, "/sessionPersistence/sessionName", LONGEST_SESSION);
    Ok(copy)
}

/// Adds `-candidate` to a name, if there is one.
fn rename(rule: &mut Value, pointer: &str, longest: usize) {
    const SUFFIX: &str = "-candidate";
    if let Some(value) = rule.pointer_mut(pointer)
        && let Some(name) = value.as_str()
    {
        let kept = name.floor_char_boundary(longest - SUFFIX.len());
        *value = format!("{}{SUFFIX}", name.get(..kept).unwrap_or_default()).into();
    }
}

/// A match as an entry of `headers`.
fn header(wanted: &TrafficMatch) -> Result<Value, Problem> {
    match (&wanted.header, &wanted.cookie) {
        (Some(header), None) => Ok(json!({"name": header.name, "type": "Exact", "value": header.value})),
        (None, Some(cookie)) => {
            Ok(json!({"name": "Cookie", "type": "RegularExpression", "value": cookie::expression(cookie)}))
        }
        _ => Err(Problem::MatchUnion),
    }
}

/// A match with one more header. Only the first of two entries with the same name counts, so there must not
/// be one yet.
fn narrowed(own: &Value, header: Value, path: &str) -> Result<Value, Problem> {
    let mut own = own.clone();
    let headers = json::list_made(&mut own, "headers", path)?;
    let name = header["name"].as_str().unwrap_or_default();
    let taken = |entry: &Value| entry["name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name));
    if headers.iter().any(taken) {
        return Err(Problem::HeaderTaken { field: path.to_owned(), header: name.to_owned() });
    }
    headers.push(header);
    json::at_most(headers.len(), MOST_HEADERS, || format!("{path}.headers"))?;
    Ok(own)
}

/// Refuses more matches than a route may have.
pub(super) fn check_total(rules: &[Value]) -> Result<(), Problem> {
    let total = rules.iter().map(|rule| rule["matches"].as_array().map_or(1, |matches| matches.len().max(1)));
    json::at_most(total.sum(), MOST_IN_ALL, || "spec.rules[].matches".into())
}

/// Refuses a route in which the copy of a rule would come before a rule that goes elsewhere and that came
/// before the rule itself.
///
/// Of matches with the same path and method the one with more headers wins, then the one with more query
/// parameters, then the earlier one (HTTPRouteRule.matches). A copy has one header more than its original, so
/// query parameters no longer decide where they did, and decide where they didn't. `named` are the rules that
/// were copied; their copies keep the order among each other.
pub(super) fn check_precedence(flavour: Flavour, rules: &[Value], named: &[usize]) -> Result<(), Problem> {
    if flavour == Flavour::Grpc {
        return Ok(());
    }
    let (ours, others): (Vec<_>, Vec<_>) =
        rules.iter().enumerate().flat_map(specificities).partition(|one| named.contains(&one.rule));
    for our in &ours {
        let collision = others.iter().find(|other| {
            (&other.path, other.method) == (&our.path, our.method)
                && ((other.headers == our.headers && other.parameters > our.parameters)
                    || (other.headers == our.headers + 1 && other.parameters < our.parameters))
        });
        if let Some(other) = collision {
            return Err(Problem::Precedence { field: our.place(), other: other.place() });
        }
    }
    Ok(())
}

/// What decides which of two matches comes first.
struct Specificity<'a> {
    rule: usize,
    index: usize,
    path: (&'a str, &'a str),
    method: Option<&'a str>,
    headers: usize,
    parameters: usize,
}

impl Specificity<'_> {
    fn place(&self) -> String {
        format!("spec.rules[{}].matches[{}]", self.rule, self.index)
    }
}

fn specificities((rule, body): (usize, &Value)) -> Vec<Specificity<'_>> {
    static ANYTHING: Value = Value::Null;
    let matches = match body["matches"].as_array() {
        Some(matches) if !matches.is_empty() => matches.iter().collect(),
        _ => vec![&ANYTHING],
    };
    let entries = |of: &Value| of.as_array().map_or(0, Vec::len);
    matches
        .into_iter()
        .enumerate()
        .map(|(index, one)| Specificity {
            rule,
            index,
            path: (
                one["path"]["type"].as_str().unwrap_or("PathPrefix"),
                one["path"]["value"].as_str().unwrap_or("/"),
            ),
            method: one["method"].as_str(),
            headers: entries(&one["headers"]),
            parameters: entries(&one["queryParams"]),
        })
        .collect()
}
