//! Where requests go: endpoints that follow their Services and pods a little later, and routers that take a route over
//! when they like.

use std::collections::BTreeSet;

use serde_json::Value;

/// When a router takes over what is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Quick,
    Late,
    Never,
}

/// A router with one route.
#[derive(Clone, Debug)]
pub struct Router {
    pub mood: Mood,
    /// The generation that it says it took over.
    pub accepted: u64,
    /// What its proxies do.
    pub live: Option<Value>,
    /// Generation, when it says so, when its proxies follow, and what.
    pub pending: Option<(u64, i64, i64, Value)>,
}

impl Router {
    pub fn live(&mut self, now: i64) -> bool {
        let Some((generation, accepts, follows, body)) = self.pending.clone() else { return false };
        if now >= accepts {
            self.accepted = generation;
        }
        let moved = now >= follows && self.live.as_ref() != Some(&body);
        if moved {
            self.live = Some(body);
        }
        if now >= follows.max(accepts) {
            self.pending = None;
        }
        moved
    }
}

/// The Services that a rule leads to, with their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// It has only requests that match.
    pub matched: bool,
    pub backends: Vec<(String, u64)>,
}

impl Rule {
    /// What of it a Service gets, in percent.
    pub fn share(&self, service: &str) -> f64 {
        let total: u64 = self.backends.iter().map(|(_, weight)| weight).sum();
        let own: u64 =
            self.backends.iter().filter(|(name, _)| name == service).map(|(_, weight)| weight).sum();
        if total == 0 { 0.0 } else { own as f64 * 100.0 / total as f64 }
    }
}

pub fn rules(body: &Value) -> Vec<Rule> {
    let rules = body.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let rule = |rule: &Value| Rule {
        matched: rule.get("matches").is_some(),
        backends: rule
            .get("backendRefs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|backend| {
                let name = backend["name"].as_str().unwrap_or_default().to_owned();
                (name, backend.get("weight").and_then(Value::as_u64).unwrap_or(1))
            })
            .collect(),
    };
    rules.map(rule).collect()
}

/// Which pods a Service leads to.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    pub pods: BTreeSet<u32>,
    /// Pods and selectors are as they were then.
    pub as_of: i64,
}

/// The application and the `pod-template-hash` that a Service selects.
pub fn selected(service: &Value) -> (String, Option<String>) {
    let label = |key: &str| service["spec"]["selector"][key].as_str().map(str::to_owned);
    (label("app").unwrap_or_default(), label("pod-template-hash"))
}
