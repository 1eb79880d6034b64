//! The gates of a new release, judged after its objects are healthy.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use reqwest::header::HeaderValue;
use windlass_core::api::{Gate, GateState, LocalReference};
use windlass_core::gate::{Look, Sample, Verdict, interval, judge_verify, look, threshold};

use super::Scope;
use super::assess::Assessed;
use super::resolve::secret_credentials;
use crate::controller::context::Memory;
use crate::prometheus::Endpoint;

/// Shortest time until the next look.
const SOON: Duration = Duration::from_millis(100);

/// What the gates say now.
pub struct Verified {
    /// What each gate has seen, to be kept in the status.
    pub gates: Vec<GateState>,
    /// The verdict over all of them.
    pub verdict: Verdict,
    /// When the next look is due.
    pub again: Duration,
}

/// Asks every gate whose time has come, side by side, and judges; `None` where nothing is to be judged: no
/// gates, no release on trial, or its objects are not all applied and healthy.
pub async fn gates(scope: &Scope<'_>, memory: &Memory, assessed: &Assessed) -> Option<Verified> {
    let verify = scope.app.spec.verify.as_ref()?;
    let status = memory.status.clone().unwrap_or_default();
    let chosen = &assessed.outcome.begun.chosen;
    if !(assessed.complete && assessed.health.status.is_good() && chosen.on_trial(&status)) {
        return None;
    }
    let now = Timestamp::now();
    let pointer = chosen.pointer(&status);
    let healthy_since = pointer.and_then(|at| at.healthy_since.as_ref()).map_or(now, |time| time.0);
    let before = pointer.map_or(&[][..], |pointer| &pointer.gates);
    let (gates, again) = looks(scope, &verify.gates, before, now).await;
    let elapsed = since(healthy_since, now);
    let verdict = judge_verify(verify, &gates, elapsed);
    let end = verify.period.get().saturating_sub(elapsed);
    let again = if end.is_zero() { again } else { again.min(end).max(SOON) };
    Some(Verified { gates, verdict, again })
}

/// Asks every gate whose time has come, side by side: what each has seen then, and when the next look is due.
pub(super) async fn looks(
    scope: &Scope<'_>,
    gates: &[Gate],
    before: &[GateState],
    now: Timestamp,
) -> (Vec<GateState>, Duration) {
    let asked = gates.iter().map(|gate| async {
        let seen = before.iter().find(|state| state.name == gate.name);
        match seen {
            Some(seen) if since(seen.last_look.0, now) < interval(gate) => seen.clone(),
            _ => look(gate, seen, &ask(scope, gate).await, Time(Timestamp::now())),
        }
    });
    let states = futures::future::join_all(asked).await;
    let due = gates.iter().zip(&states);
    let due = due.map(|(gate, state)| interval(gate).saturating_sub(since(state.last_look.0, now)));
    let again = due.min().unwrap_or(SOON).max(SOON);
    (states, again)
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

async fn ask(scope: &Scope<'_>, gate: &Gate) -> Look {
    let Some(spec) = &gate.threshold else {
        return Look::NoData("this Windlass carries out only threshold gates here".into());
    };
    threshold(spec, &value(scope, gate, &spec.query).await)
}

async fn value(scope: &Scope<'_>, gate: &Gate, query: &str) -> Sample {
    let endpoint = match endpoint(scope, gate).await {
        Ok(endpoint) => endpoint,
        Err(problem) => return Sample::NoData(problem),
    };
    let query = query.replace("$namespace", scope.destination());
    let started = tokio::time::Instant::now();
    let sample = scope.ctx.prometheus.query(&endpoint, &query).await;
    let result = if matches!(sample, Sample::Value(_)) { "value" } else { "no-data" };
    let seconds = scope.ctx.metrics.query_seconds.with_label_values(&[result]);
    seconds.observe(started.elapsed().as_secs_f64());
    sample
}

async fn endpoint(scope: &Scope<'_>, gate: &Gate) -> Result<Endpoint, String> {
    let Some(server) = &gate.prometheus else {
        let address = scope.ctx.config.prometheus_address.clone().ok_or_else(|| {
            format!(
                "gate {}: no Prometheus is known; set `prometheus.address`, or start Windlass with \
                 --prometheus-address",
                gate.name
            )
        })?;
        return Ok(Endpoint { address, authorization: None });
    };
    let authorization = match &server.secret_ref {
        Some(secret) => authorization(scope, gate, secret).await?,
        None => None,
    };
    Ok(Endpoint { address: server.address.clone(), authorization })
}

async fn authorization(
    scope: &Scope<'_>,
    gate: &Gate,
    secret: &LocalReference,
) -> Result<Option<HeaderValue>, String> {
    let what = format!("gate {}", gate.name);
    let credentials = secret_credentials(scope, &what, secret).await.map_err(|failure| failure.message)?;
    credentials.authorization().map_err(|problem| format!("{what}: {problem}"))
}
