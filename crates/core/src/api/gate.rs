use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Duration, LocalReference, OnNoVerdict};

/// Most gates of one release or one rollout.
pub const MAX_GATES: usize = 20;

/// One judge of a release: exactly one of `threshold`, `ratio`, `compare`, `cel`, `webhook` and `job`.
///
/// In queries, selectors, URLs, bodies and templates `$namespace` is the destination namespace. In a rollout
/// `$service`, `$workload`, `$pods` (a regular expression that fits the pods' names) and `$window` (`60s`) are
/// filled in as well, for the candidate and, where a gate compares, for stable.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new(
        "[has(self.threshold), has(self.ratio), has(self.compare), has(self.cel), has(self.webhook), \
         has(self.job)].filter(x, x).size() == 1"
    )
    .message("set exactly one of threshold, ratio, compare, cel, webhook and job"),
    validation = Rule::new(
        "!(has(self.maxHold) || has(self.onLowTraffic)) || has(self.ratio) || has(self.compare)"
    )
    .message("maxHold and onLowTraffic are for ratio and compare, which count requests"),
    validation = Rule::new("!has(self.prometheus) || !(has(self.webhook) || has(self.job))")
        .message("webhook and job ask no Prometheus; remove prometheus")
)]
// Atomic, as every choice: merged, two members would stay beside each other.
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Name of this gate, unique among its neighbours.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The Prometheus to ask; by default the one that the controller was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusRef>,

    /// Bounds for the value of a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,

    /// Whether a larger share of the candidate's requests is bad than of stable's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,

    /// The value of a query for the candidate beside that for stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,

    /// An expression over the values of several queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<CelGate>,

    /// The verdict of a web service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,

    /// A Job that ends well or fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobGate>,

    /// How long a hold may last in all while there are too few requests; by default twice the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hold: Option<Duration>,

    /// What happens when there are still too few requests at the end of `maxHold`; by default `Hold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_low_traffic: Option<OnNoVerdict>,
}

/// A Prometheus server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRef {
    /// Its address, `http://` or `https://`.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://[^\\s@]+$"))]
    pub address: String,

    /// A Secret in the Application's namespace with `username` and `password`, or with `bearerToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// Bounds for the value of a query; at least one of them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.min) || has(self.max)").message("set min, max or both")
)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// A PromQL expression that gives a scalar or one sample.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,

    /// Smallest good value, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^-?[0-9]+([.][0-9]+)?$"))]
    pub min: Option<String>,

    /// Largest good value, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^-?[0-9]+([.][0-9]+)?$"))]
    pub max: Option<String>,

    /// Time between two looks.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,

    /// How many looks in a row must be bad before the gate fails.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub consecutive: u32,
}

/// A sequential test of two shares of bad requests. `bad` and `total` are selectors of counters, no
/// expressions: Windlass reads the counters of each pod and takes the differences itself. The pods are found by
/// the labels `namespace` and `pod`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Ratio {
    /// Selector of the counters of bad requests, for example `http_requests_total{code=~"5.."}`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]*([{].*[}])?$"))]
    pub bad: String,

    /// Selector of the counters of all requests, the bad ones among them: `http_requests_total`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]*([{].*[}])?$"))]
    pub total: String,

    /// How many times stable's share of bad requests is still good for the candidate, 1 or more.
    #[serde(default = "quarter_more")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[1-9][0-9]{0,3}([.][0-9]{1,6})?$"))]
    pub tolerate: String,

    /// How sure a failure must be: `0.99` lets one good rollout in a hundred fail at most, however often it is
    /// looked at. The gates of one rollout share what remains to 1.
    #[serde(default = "ninety_nine")]
    #[schemars(length(min = 3, max = 8), regex(pattern = "^0[.][5-9][0-9]{0,5}$"))]
    pub confidence: String,

    /// How much larger the candidate's share must be at least, as an absolute number, before it fails.
    #[serde(default = "one_in_a_thousand")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^0([.][0-9]{1,9})?$"))]
    pub floor: String,

    /// How many requests the candidate must have had in a hold, and stable since the start, before it passes.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub min_requests: u32,

    /// What a pod counts in this time after its start is left out.
    #[serde(default = "nothing")]
    pub warmup: Duration,

    /// Time between two looks; not shorter than the scrape interval.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,
}

/// The value of a query for the candidate's pods beside the one for stable's.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("self.query.contains('$pods') || self.query.contains('$service')")
        .message("query must name $pods or $service, or it asks the same of the candidate and of stable"),
    validation = Rule::new("has(self.requests) || !has(self.minRequests)")
        .message("minRequests needs requests, the query that counts them")
)]
#[serde(rename_all = "camelCase")]
pub struct Compare {
    /// A PromQL expression that gives a scalar or one sample, with `$pods` or `$service` in it.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,

    /// Whether lower or higher values are better.
    #[serde(default)]
    pub better: Better,

    /// How many times worse than stable's value is still good, 1 or more.
    #[serde(default = "quarter_more")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[1-9][0-9]{0,3}([.][0-9]{1,6})?$"))]
    pub tolerate: String,

    /// A difference up to this is good whatever the values are, a decimal number.
    #[serde(default = "zero")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?$"))]
    pub floor: String,

    /// A query for the number of requests that a value comes from, with `$pods` or `$service` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub requests: Option<String>,

    /// How many requests a value must come from, on each side, to be judged; by default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub min_requests: Option<u32>,

    /// Time between two looks.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,

    /// How many looks in a row must be bad before the gate fails.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub consecutive: u32,
}

/// Which values are better.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Better {
    /// Latency, errors, cost.
    #[default]
    Lower,
    /// Throughput, hits, sales.
    Higher,
}

/// An expression in the Common Expression Language over the values of queries.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new(
        "self.queries.all(name, name.matches('^[a-z][a-zA-Z0-9_]{0,39}$') && !(name in ['candidate', 'stable', \
         'in', 'as', 'null', 'true', 'false']))"
    )
    .message(
        "the name of a query starts with a lower-case letter, has letters, digits and underscores, at most 40, \
         and is not candidate, stable or a word of the language"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct CelGate {
    /// PromQL expressions that give a scalar or one sample each, by name.
    #[schemars(schema_with = "queries")]
    pub queries: BTreeMap<String, String>,

    /// `true` is good, `false` is bad. Each query is a number under its name, as `errors < 0.01`; in a rollout
    /// that is the candidate's, and so is `candidate.errors`, while `stable.errors` is stable's.
    #[schemars(length(min = 1, max = 2048))]
    pub expression: String,

    /// Time between two looks.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,

    /// How many looks in a row must be bad before the gate fails.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub consecutive: u32,
}

fn queries(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 10,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 4096}
    })
}

/// A web service that is asked by `POST` with JSON of what is judged. It answers with status 200 and
/// `{"verdict": "Pass"}`, or `Fail` or `Wait`, with a `message` if it likes; 200 and 204 with nothing is `Pass`,
/// 202 is `Wait`. Any other answer, and none, is no data.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its address, `http://` or `https://`.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://[^\\s@]+$"))]
    pub url: String,

    /// A Secret in the Application's namespace with `username` and `password`, or with `bearerToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,

    /// Time between two questions.
    #[serde(default = "fifteen_seconds")]
    pub interval: Duration,

    /// How many times in a row it must say `Fail` before the gate fails.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub consecutive: u32,
}

/// A Job that is run once in each hold. That it fails is a failure; that it cannot be made, that its pods are
/// not scheduled or that its time runs out is no data.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct JobGate {
    /// The `spec` of the Job.
    #[schemars(schema_with = "job_spec")]
    pub spec: BTreeMap<String, Value>,
}

fn job_spec(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 32,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

fn nothing() -> Duration {
    Duration::from_secs(0)
}

fn fifteen_seconds() -> Duration {
    Duration::from_secs(15)
}

fn one() -> u32 {
    1
}

fn three() -> u32 {
    3
}

fn fifty() -> u32 {
    50
}

fn quarter_more() -> String {
    "1.25".into()
}

fn ninety_nine() -> String {
    "0.99".into()
}

fn one_in_a_thousand() -> String {
    "0.001".into()
}

fn zero() -> String {
    "0".into()
}
