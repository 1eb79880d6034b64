use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one gate has seen of a release.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GateState {
    /// Name of the gate.
    #[schemars(length(max = 63))]
    pub name: String,

    /// How many looks gave a value within the bounds.
    #[serde(default)]
    pub good: u32,

    /// How many of the last looks in a row gave a value outside of them; looks without data don't count.
    #[serde(default)]
    pub bad: u32,

    /// The last value, a decimal number or a few words; empty where the last look gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub value: String,

    /// What is bad about it, as `above max 0.01`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub why: String,

    /// Why the last look gave no value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub problem: String,

    /// There were too few requests to judge at the last look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub low_traffic: bool,

    /// What a `ratio` gate has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<RatioState>,

    /// Name of the Job that was made for a `job` gate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub job: String,

    /// When it looked last.
    pub last_look: Time,
}

/// What a `ratio` gate has counted since the start of the rollout. Everything up to `until` is in it, so that no
/// request counts twice.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RatioState {
    /// The end of the last window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,

    /// How many windows had bad requests and were compared.
    #[serde(default)]
    pub windows: u32,

    /// Windows in which the candidate had bad requests.
    #[serde(default)]
    pub bad_windows: u32,

    /// The evidence of each bet, in millionths of its natural logarithm.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub evidence: Vec<i64>,

    /// How stable's bad requests are spread over its pods and windows.
    #[serde(default)]
    pub spread: Spread,

    /// What was counted in all.
    #[serde(default)]
    pub all: RatioCounts,

    /// What was counted since this hold began.
    #[serde(default)]
    pub hold: RatioCounts,

    /// What was counted of late: each window weighs 5 % less than the one after it. In thousandths.
    #[serde(default)]
    pub recent: RatioCounts,
}

/// How bad requests are spread: evenly, or in bursts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Spread {
    /// Windows of single pods.
    pub pods: i64,
    /// The bad requests in them.
    pub bad: i64,
    /// The sum of the squares of those.
    pub squares: i64,
}

/// Numbers of requests of the candidate and of stable.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct RatioCounts {
    /// The candidate's bad requests.
    pub candidate_bad: i64,
    /// All of the candidate's requests.
    pub candidate_total: i64,
    /// Stable's bad requests.
    pub stable_bad: i64,
    /// All of stable's requests.
    pub stable_total: i64,
}

impl GateState {
    /// A gate that was not asked yet.
    pub fn new(name: &str, now: Time) -> Self {
        Self {
            name: name.to_owned(),
            good: 0,
            bad: 0,
            value: String::new(),
            why: String::new(),
            problem: String::new(),
            low_traffic: false,
            ratio: None,
            job: String::new(),
            last_look: now,
        }
    }
}

impl GateState {
    /// The same at the begin of another hold: a `ratio` gate's evidence goes on, everything else begins anew.
    pub fn next_hold(self, now: Time) -> Self {
        let ratio = self.ratio.map(|ratio| RatioState { hold: RatioCounts::default(), ..ratio });
        Self { ratio, ..Self::new(&self.name, now) }
    }
}

impl RatioCounts {
    /// Each number of `self` with that of `other`.
    pub fn map_with(self, other: Self, add: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            candidate_bad: add(self.candidate_bad, other.candidate_bad),
            candidate_total: add(self.candidate_total, other.candidate_total),
            stable_bad: add(self.stable_bad, other.stable_bad),
            stable_total: add(self.stable_total, other.stable_total),
        }
    }
}
