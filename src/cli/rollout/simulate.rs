use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::Value;
use windlass_core::api::{self, RolloutPolicySpec};
use windlass_core::rollout::simulate::{Assumed, End, Simulated, simulate};
use windlass_core::rollout::{Course, exposure};
use windlass_core::yaml;

use super::super::output::{Exit, Output, Table};
use super::super::text;
use super::page::time;

/// Largest file that is read.
const LARGEST: u64 = 1 << 20;

/// Print what a RolloutPolicy would do and when, without a cluster. All times are the earliest ones: routers
/// accept at once, people approve at once, and every gate passes.
#[derive(Args, Debug)]
pub struct Simulate {
    /// YAML or JSON with a RolloutPolicy; `-` is standard input
    file: PathBuf,
    /// Replicas of the workload
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    replicas: u32,
    /// How long a pod takes to become ready
    #[arg(long, default_value = "0s")]
    pods_ready_after: api::Duration,
    /// Let the gates fail in this step: its name, or its number from 1
    #[arg(long, value_name = "STEP", conflicts_with = "no_verdict")]
    fail_at: Option<String>,
    /// Let the gates never have any data
    #[arg(long)]
    no_verdict: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let policies = policies(&self.file)?;
        let mut documents = Vec::new();
        for (name, spec) in &policies {
            let simulated = self.simulate(spec)?;
            match self.output {
                Output::Table => {
                    if policies.len() > 1 {
                        text::print(&format!("{}\n", text::line(name)))?;
                    }
                    text::print(&table(&simulated)?)?;
                }
                Output::Json | Output::Yaml => documents.push(serde_json::to_value(&simulated)?),
            }
        }
        let value = match documents.len() {
            1 => documents.pop().unwrap_or_default(),
            _ => Value::Array(documents),
        };
        match self.output {
            Output::Table => {}
            Output::Json => text::print(&format!("{value:#}\n"))?,
            Output::Yaml => text::print(&yaml::write(&value))?,
        }
        Ok(Exit::Ok)
    }

    fn simulate(&self, spec: &RolloutPolicySpec) -> anyhow::Result<Simulated> {
        let course = Course::of(spec);
        ensure!(!course.steps.is_empty(), "the policy has no steps; set a member of spec.strategy");
        let fail_at = self.fail_at.as_deref().map(|wish| place(&course, wish)).transpose()?;
        let startup = self.pods_ready_after.get();
        let Self { replicas, no_verdict, .. } = *self;
        Ok(simulate(spec, &Assumed { replicas, startup, fail_at, no_verdict }))
    }
}

/// The number of a step that is meant by its name or number.
fn place(course: &Course, wish: &str) -> anyhow::Result<usize> {
    let named = course.steps.iter().position(|step| step.name == wish).map(|index| index + 1);
    let number = wish.parse().ok().filter(|number| (1..=course.steps.len()).contains(number));
    let Some(place) = named.or(number) else {
        let steps = course.steps.iter().enumerate().map(|(index, step)| {
            let name = if step.name.is_empty() { String::new() } else { format!(" ({})", step.name) };
            format!("{}{name} {}", index + 1, exposure(&step.exposure))
        });
        bail!("there is no step {wish}; the steps are {}", steps.collect::<Vec<_>>().join(", "));
    };
    Ok(place)
}

/// The policies in a file; other objects beside them don't matter.
fn policies(file: &Path) -> anyhow::Result<Vec<(String, RolloutPolicySpec)>> {
    let mut bytes = Vec::new();
    let at = file.display();
    match file.as_os_str() == "-" {
        true => std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|open| open.take(LARGEST + 1).read_to_end(&mut bytes)),
    }
    .with_context(|| format!("cannot read {at}"))?;
    ensure!(u64::try_from(bytes.len())? <= LARGEST, "{at} is larger than 1 MiB");
    let mut found = Vec::new();
    for document in yaml::load(&at.to_string(), &bytes)? {
        let value = document.value;
        if value.get("kind").and_then(Value::as_str) != Some("RolloutPolicy") {
            continue;
        }
        let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let spec = value.get("spec").cloned().unwrap_or_default();
        let spec = serde_json::from_value(spec)
            .with_context(|| format!("{at}: RolloutPolicy {name}: spec cannot be read"))?;
        found.push((name, spec));
    }
    ensure!(!found.is_empty(), "{at} has no RolloutPolicy");
    Ok(found)
}

pub(super) fn table(simulated: &Simulated) -> anyhow::Result<String> {
    let mut table = Table::new(&["AT", "PHASE", "STEP", "CANDIDATE GETS", "NEW PODS", "OLD PODS", "NOTE"]);
    for moment in &simulated.timeline {
        let step = match (moment.step, moment.name.as_str()) {
            (0, _) => String::new(),
            (number, "") => number.to_string(),
            (number, name) => format!("{number} ({name})"),
        };
        table.row([
            time(moment.at),
            format!("{:?}", moment.phase),
            step,
            moment.exposure.clone(),
            moment.candidate.to_string(),
            moment.stable.to_string(),
            moment.note.clone(),
        ]);
    }
    let mut out = Vec::new();
    table.write(&mut out)?;
    let end = simulated.timeline.last().map_or(0, |moment| moment.at);
    let told = match simulated.end {
        End::Promoted => format!("promoted after {} at the earliest", time(end)),
        End::Undone => format!("undone after {}", time(end)),
        End::Held => format!("held from {} on, until a person says", time(end)),
        End::Nothing => "nothing is rolled out in steps".to_owned(),
    };
    Ok(format!("{}\n{told}\n", String::from_utf8(out)?))
}
