//! What gates ask Prometheus servers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use windlass_core::api::{CelGate, Compare, Gate, GateState, Ratio, Threshold};
use windlass_core::gate::ratio::{self, Counters, Missing, Side, window};
use windlass_core::gate::{self, Look, Names, Sample, fill};

use super::{Parties, Scope, Workload, authorization};
use crate::prometheus::Endpoint;
use crate::worker::JudgeRequest;

/// How long an expression may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Pods that are looked at.
const MOST: u32 = 500;

pub async fn threshold(scope: &Scope<'_>, gate: &Gate, spec: &Threshold, parties: &Parties) -> Look {
    gate::threshold(spec, &value(scope, gate, &spec.query, &parties.candidate).await)
}

pub async fn compare(scope: &Scope<'_>, gate: &Gate, spec: &Compare, parties: &Parties) -> Look {
    let Some(stable) = &parties.stable else {
        return Look::NoData("no stable release runs beside this one".into());
    };
    let sides = |query| async move {
        futures::join!(value(scope, gate, query, &parties.candidate), value(scope, gate, query, stable))
    };
    let (own, other) = sides(&spec.query).await;
    let requests = match &spec.requests {
        Some(query) => Some(sides(query).await),
        None => None,
    };
    gate::compare(spec, &own, &other, requests.as_ref().map(|(own, other)| (own, other)))
}

pub async fn cel(scope: &Scope<'_>, gate: &Gate, spec: &CelGate, parties: &Parties) -> Look {
    let candidate = values(scope, gate, spec, Some(&parties.candidate)).await;
    let stable = values(scope, gate, spec, parties.stable.as_ref()).await;
    let request = JudgeRequest { spec: spec.clone(), candidate, stable };
    let judged = scope.ctx.pool.judge(request, DEADLINE).await;
    judged.unwrap_or_else(|error| Look::NoData(format!("the expression: {error}")))
}

async fn values(
    scope: &Scope<'_>,
    gate: &Gate,
    spec: &CelGate,
    names: Option<&Names>,
) -> BTreeMap<String, Sample> {
    let Some(names) = names else { return BTreeMap::new() };
    let asked = spec
        .queries
        .iter()
        .map(|(name, query)| async { (name.clone(), value(scope, gate, query, names).await) });
    futures::future::join_all(asked).await.into_iter().collect()
}

pub async fn ratio(
    scope: &Scope<'_>,
    gate: &Gate,
    spec: &Ratio,
    before: Option<&GateState>,
    parties: &Parties,
) -> GateState {
    let now = Timestamp::now();
    let counted = before.and_then(|before| before.ratio.as_ref()?.until.as_ref());
    let since = counted.map_or(parties.since, |until| until.0);
    let counted = match counters(scope, gate, spec, parties, (since, now)).await {
        Ok((pods, counters)) => window(spec, since, now, &pods, &counters),
        Err(why) => Err(Missing::NoData(why)),
    };
    ratio::ratio(gate, before, counted, parties.ratios, Time(now))
}

async fn counters(
    scope: &Scope<'_>,
    gate: &Gate,
    spec: &Ratio,
    parties: &Parties,
    times: (Timestamp, Timestamp),
) -> Result<(Vec<ratio::Pod>, Counters), String> {
    let (Some(stable), Some(workload)) = (&parties.stable, &parties.workload) else {
        return Err("no stable release runs beside this one".into());
    };
    let endpoint = endpoint(scope, gate).await?;
    let names = format!("{}|{}", parties.candidate.pods, stable.pods);
    let of = (parties.candidate.namespace.as_str(), names.as_str());
    let asked = scope.ctx.prometheus.counters(&endpoint, spec, of, times);
    let (pods, counters) = futures::try_join!(pods(scope, workload), asked)?;
    Ok((with_ended(pods, &counters, &parties.candidate.pods), counters))
}

/// The pods that run, and when each was started.
async fn pods(scope: &Scope<'_>, workload: &Workload) -> Result<Vec<ratio::Pod>, String> {
    let Workload { id, label, candidate, stable } = workload;
    let api = Api::<Pod>::namespaced(scope.ctx.clients.requests.clone(), &id.namespace);
    let params = ListParams::default().labels(&format!("{label} in ({candidate},{stable})")).limit(MOST);
    let list = api.list(&params).await.map_err(|error| format!("the pods cannot be listed: {error}"))?;
    let pod = |pod: Pod| ratio::Pod {
        side: if pod.labels().get(*label) == Some(candidate) { Side::Candidate } else { Side::Stable },
        started: pod.status.as_ref().and_then(|status| Some(status.start_time.as_ref()?.0)),
        name: pod.name_any(),
    };
    Ok(list.items.into_iter().map(pod).collect())
}

/// With the pods that have ended since, whose last requests count too.
fn with_ended(mut pods: Vec<ratio::Pod>, counters: &Counters, candidate: &str) -> Vec<ratio::Pod> {
    let known: BTreeSet<_> = pods.iter().map(|pod| pod.name.clone()).collect();
    let all: BTreeSet<_> = counters.total.iter().map(|series| series.pod.clone()).collect();
    let ended = all.into_iter().filter(|name| !known.contains(name)).map(|name| {
        let own = candidate.split('|').any(|part| match part.strip_suffix(".*") {
            Some(start) => name.starts_with(&start.replace("[.]", ".")),
            None => name == part.replace("[.]", "."),
        });
        ratio::Pod { side: if own { Side::Candidate } else { Side::Stable }, started: None, name }
    });
    pods.extend(ended);
    pods
}

async fn value(scope: &Scope<'_>, gate: &Gate, query: &str, names: &Names) -> Sample {
    let endpoint = match endpoint(scope, gate).await {
        Ok(endpoint) => endpoint,
        Err(problem) => return Sample::NoData(problem),
    };
    let started = tokio::time::Instant::now();
    let sample = scope.ctx.prometheus.query(&endpoint, &fill(query, names)).await;
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
    let authorization = authorization(scope, gate, server.secret_ref.as_ref()).await?;
    Ok(Endpoint { address: server.address.clone(), authorization })
}
