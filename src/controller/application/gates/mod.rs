//! Asks gates whose time has come: Prometheus servers, web services and Jobs.

mod job;
mod metrics;
mod service;

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use reqwest::header::HeaderValue;
use windlass_core::api::{Gate, GateState, LocalReference};
use windlass_core::gate::{Look, Names, interval, look};
use windlass_core::object::ObjectId;

use super::Scope;
use super::resolve::secret_credentials;

/// Shortest time until the next look.
pub const SOON: Duration = Duration::from_millis(100);

/// Whom gates are about.
pub struct Parties {
    /// What stands for the names in queries about the new release.
    pub candidate: Names,
    /// The same for the one that it is compared with, where one runs beside.
    pub stable: Option<Names>,
    /// The workload that is rolled out, with the label that tells the pods of its versions apart.
    pub workload: Option<Workload>,
    /// Nothing that came before counts.
    pub since: Timestamp,
    /// How many `ratio` gates there are in all.
    pub ratios: usize,
    /// What tells this hold from every other one.
    pub hold: String,
    /// What web services are told.
    pub told: serde_json::Value,
}

/// A workload of which two versions run.
pub struct Workload {
    /// Which.
    pub id: ObjectId,
    /// The label of its pods that names their version.
    pub label: &'static str,
    /// Its value for the candidate's pods.
    pub candidate: String,
    /// Its value for the stable pods.
    pub stable: String,
}

impl Parties {
    /// A release that runs beside no other one.
    pub fn alone(scope: &Scope<'_>, since: Timestamp, hold: &str) -> Self {
        let names = Names { namespace: scope.destination().to_owned(), ..Names::default() };
        Self {
            candidate: names,
            stable: None,
            workload: None,
            since,
            ratios: 0,
            hold: hold.to_owned(),
            told: serde_json::json!({
                "application": {"namespace": scope.key.namespace, "name": scope.key.name},
                "namespace": scope.destination(),
                "revision": hold,
            }),
        }
    }
}

/// Asks every gate whose time has come, side by side: what each has seen then, and when the next look is due.
pub async fn looks(
    scope: &Scope<'_>,
    gates: &[Gate],
    before: &[GateState],
    parties: &Parties,
    now: Timestamp,
) -> (Vec<GateState>, Duration) {
    let asked = gates.iter().map(|gate| async {
        let seen = before.iter().find(|state| state.name == gate.name);
        match seen {
            Some(seen) if since(seen.last_look.0, now) < interval(gate) => seen.clone(),
            _ => one(scope, gate, seen, parties).await,
        }
    });
    let states = futures::future::join_all(asked).await;
    let due = gates.iter().zip(&states);
    let due = due.map(|(gate, state)| interval(gate).saturating_sub(since(state.last_look.0, now)));
    let again = due.min().unwrap_or(SOON).max(SOON);
    (states, again)
}

async fn one(scope: &Scope<'_>, gate: &Gate, before: Option<&GateState>, parties: &Parties) -> GateState {
    let now = || Time(Timestamp::now());
    if let Some(spec) = &gate.ratio {
        return metrics::ratio(scope, gate, spec, before, parties).await;
    }
    if let Some(spec) = &gate.job {
        let (name, seen) = job::ask(scope, gate, spec, before, parties).await;
        return GateState { job: name, ..look(gate, before, &seen, now()) };
    }
    let seen = if let Some(spec) = &gate.threshold {
        metrics::threshold(scope, gate, spec, parties).await
    } else if let Some(spec) = &gate.compare {
        metrics::compare(scope, gate, spec, parties).await
    } else if let Some(spec) = &gate.cel {
        metrics::cel(scope, gate, spec, parties).await
    } else if let Some(spec) = &gate.webhook {
        service::ask(scope, gate, spec, parties).await
    } else {
        Look::NoData("this Windlass does not know what this gate is to ask".into())
    };
    look(gate, before, &seen, now())
}

/// The time between two moments; none where the clock went back.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// What proves who we are, from a Secret in the Application's namespace.
async fn authorization(
    scope: &Scope<'_>,
    gate: &Gate,
    secret: Option<&LocalReference>,
) -> Result<Option<HeaderValue>, String> {
    let Some(secret) = secret else { return Ok(None) };
    let what = format!("gate {}", gate.name);
    let credentials = secret_credentials(scope, &what, secret).await.map_err(|failure| failure.message)?;
    credentials.authorization().map_err(|problem| format!("{what}: {problem}"))
}
