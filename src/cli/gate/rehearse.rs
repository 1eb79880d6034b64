use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use windlass_core::api::{self, Gate};
use windlass_core::gate::{Hold, Names, Verdict, interval, verdict};
use windlass_core::yaml;

use super::asking::Asking;
use crate::cli::output::{Exit, Output, Table};
use crate::cli::text;
use crate::prometheus::{Endpoint, Guard, Prometheus};

/// Largest file with gates, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most looks of one gate in one rehearsal.
const MAX_LOOKS: usize = 5000;

/// Judge past metrics with the gates in a file, and say what they would have done and when
#[derive(Args, Debug)]
#[command(
    after_help = "The file holds one gate, a list of gates, or an Application or RolloutPolicy with gates.\n\
    Times are RFC 3339, as 2026-01-31T12:00:00Z, or how long ago, as 2h.\n\
    Exit code 0: every gate passed; 1: one failed, or there was too little to tell."
)]
pub struct Rehearse {
    /// File with the gates
    file: PathBuf,
    /// Address of the Prometheus
    #[arg(long, value_name = "URL")]
    prometheus: String,
    /// File with a bearer token for it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// When the hold begins
    #[arg(long, value_name = "TIME", default_value = "1h")]
    from: String,
    /// When the hold ends
    #[arg(long, value_name = "TIME", default_value = "0s")]
    to: String,
    /// Namespace of the pods, also for $namespace
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Pods of the new release, for ratio and $pods: names separated by |, .* at the end stands for anything
    #[arg(long, value_name = "PODS", default_value = "")]
    candidate: String,
    /// Pods of the release before, in the same way
    #[arg(long, value_name = "PODS", default_value = "")]
    stable: String,
    /// What stands for $service, for the new release and for the one before
    #[arg(long, value_name = "CANDIDATE,STABLE", default_value = ",")]
    services: String,
    /// What stands for $workload
    #[arg(long, default_value = "")]
    workload: String,
    /// What stands for $window
    #[arg(long, default_value = "60s")]
    window: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// What a gate said at a time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    time: String,
    gate: String,
    verdict: &'static str,
    message: String,
}

impl Rehearse {
    /// Looks at each gate as often as the controller would have.
    ///
    /// # Errors
    /// The file has no gates, or the times make no sense. That Prometheus does not answer is what a gate says.
    pub async fn run(self) -> anyhow::Result<Exit> {
        let gates = gates(&self.file)?;
        let now = Timestamp::now();
        let (from, to) = (time(&self.from, now)?, time(&self.to, now)?);
        ensure!(from < to, "--from must be before --to");
        let (candidate, stable) =
            self.services.split_once(',').context("--services are two, with a comma")?;
        let names = |pods: &str, service: &str| Names {
            namespace: self.namespace.clone(),
            service: service.to_owned(),
            workload: self.workload.clone(),
            pods: pods.to_owned(),
            window: self.window.clone(),
        };
        let asking = Asking {
            client: Prometheus::new(Guard::default())?,
            endpoint: self.endpoint()?,
            candidate: names(&self.candidate, candidate),
            stable: names(&self.stable, stable),
            from,
            ratios: gates.iter().filter(|gate| gate.ratio.is_some()).count(),
        };
        for gate in &gates {
            ensure!(
                gate.ratio.is_none() || !(self.candidate.is_empty() || self.stable.is_empty()),
                "gate {} compares pods: name them with --candidate and --stable",
                gate.name
            );
        }
        let length = Duration::try_from(to.duration_since(from))?;
        let mut rows = Vec::new();
        for gate in &gates {
            rows.extend(rehearse(gate, &asking, to, length).await?);
        }
        self.tell(&rows)?;
        let passed = |gate: &Gate| {
            rows.iter().rfind(|row| row.gate == gate.name).is_some_and(|row| row.verdict == "Pass")
        };
        Ok(if gates.iter().all(passed) { Exit::Ok } else { Exit::Differs })
    }

    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let authorization = match &self.token_file {
            Some(path) => {
                let token = std::fs::read_to_string(path);
                let token = token.with_context(|| format!("cannot read {}", path.display()))?;
                let header = format!("Bearer {}", token.trim());
                let mut header =
                    http::HeaderValue::from_str(&header).context("the token is no text of one line")?;
                header.set_sensitive(true);
                Some(header)
            }
            None => None,
        };
        Ok(Endpoint { address: self.prometheus.clone(), authorization })
    }

    /// People see when something changed, programs every look.
    fn tell(&self, rows: &[Row]) -> anyhow::Result<()> {
        let mut out = Vec::new();
        match self.output {
            Output::Table => {
                let mut table = Table::new(&["TIME", "GATE", "VERDICT", "MESSAGE"]);
                let same = |one: &Row, other: &Row| one.gate == other.gate && one.verdict == other.verdict;
                for (index, row) in rows.iter().enumerate() {
                    let before = index.checked_sub(1).and_then(|before| rows.get(before));
                    let last = rows.get(index + 1).is_none_or(|next| next.gate != row.gate);
                    if last || before.is_none_or(|before| !same(before, row)) {
                        table.row([row.time.as_str(), row.gate.as_str(), row.verdict, row.message.as_str()]);
                    }
                }
                table.write(&mut out)?;
            }
            Output::Json => out = serde_json::to_vec_pretty(rows)?,
            Output::Yaml => out = yaml::write(&serde_json::to_value(rows)?).into_bytes(),
        }
        text::print(&String::from_utf8(out)?)?;
        Ok(())
    }
}

/// All looks of a gate until it fails or the hold is over.
async fn rehearse(gate: &Gate, asking: &Asking, to: Timestamp, length: Duration) -> anyhow::Result<Vec<Row>> {
    let mut state = None;
    let mut rows = Vec::new();
    let mut at = asking.from;
    while at < to {
        ensure!(rows.len() < MAX_LOOKS, "gate {} would look more than {MAX_LOOKS} times", gate.name);
        at = at.checked_add(interval(gate))?.min(to);
        let seen = asking.look(gate, state.as_ref(), at).await;
        let elapsed = Duration::try_from(at.duration_since(asking.from))?;
        let found = verdict(gate, Some(&seen), &Hold { elapsed, length, ratios: asking.ratios });
        let data = seen.problem.is_empty() || seen.low_traffic;
        let (verdict, message) = match found {
            Verdict::Open(words) if seen.bad > 0 => ("Bad", words),
            Verdict::Open(words) if !data => ("NoData", words),
            Verdict::Open(words) => ("Open", words),
            Verdict::Pass => ("Pass", format!("{} {}", gate.name, seen.value)),
            Verdict::Fail(why) => ("Fail", why),
            Verdict::LowTraffic(why) => ("LowTraffic", why),
            Verdict::NoData(why) => ("NoData", why),
        };
        rows.push(Row { time: at.to_string(), gate: gate.name.clone(), verdict, message });
        if verdict == "Fail" {
            break;
        }
        state = Some(seen);
    }
    Ok(rows)
}

/// The gates in a file.
fn gates(path: &Path) -> anyhow::Result<Vec<Gate>> {
    let name = path.display().to_string();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    ensure!(size <= MAX_FILE, "{name} is larger than {} MiB", MAX_FILE >> 20);
    let text = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let mut found = Vec::new();
    for document in yaml::load(&name, &text)? {
        let places = ["/spec/verify/gates", "/spec/gates", "/gates", ""];
        let value = places.iter().find_map(|place| document.value.pointer(place)).cloned();
        match value.unwrap_or_default() {
            Value::Array(list) => found.extend(list),
            one => found.push(one),
        }
    }
    let mut gates = Vec::new();
    for value in found {
        let what = value.get("name").and_then(Value::as_str).unwrap_or("without a name").to_owned();
        let gate: Gate = serde_json::from_value(value).with_context(|| format!("{name}: gate {what}"))?;
        let members = [
            gate.threshold.is_some(),
            gate.ratio.is_some(),
            gate.compare.is_some(),
            gate.cel.is_some(),
            gate.webhook.is_some(),
            gate.job.is_some(),
        ];
        if members.into_iter().filter(|member| *member).count() != 1 {
            bail!("{name}: gate {what}: set exactly one of threshold, ratio, compare, cel, webhook and job");
        }
        ensure!(
            gate.webhook.is_none() && gate.job.is_none(),
            "{name}: gate {what}: the past of a service or a Job cannot be asked; leave it out"
        );
        gates.push(gate);
    }
    ensure!(!gates.is_empty(), "{name} has no gates in it");
    Ok(gates)
}

/// A point in time, or how long ago it was.
fn time(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = text.parse::<api::Duration>() {
        return Ok(now.checked_sub(ago.get())?);
    }
    text.parse()
        .with_context(|| format!("{text} is no time; write 2026-01-31T12:00:00Z, or how long ago, as 2h"))
}
