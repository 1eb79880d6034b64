use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use windlass_core::api::{self, Application};
use windlass_core::rollout::{Standing, TargetView};
use windlass_core::yaml;

use super::super::connection::{ConnectionArgs, read};
use super::super::get::{condition, waiting_for};
use super::super::output::{Exit, Output};
use super::super::request::conclude;
use super::super::text::{self, Palette};
use super::super::watching::{Follow, Look, News, Outcome};
use super::{gather, page};

/// Show each workload's steps, pods and gates, and what is waited for.
#[derive(Args, Debug)]
pub struct Get {
    /// The Application
    name: String,
    /// Follow it until nothing is rolled out any more: exit code 0 when it was promoted, 1 when it was undone,
    /// failed, or waits for a person because there was no verdict
    #[arg(short, long)]
    watch: bool,
    /// With --watch, give up after this time, with exit code 3 (default: never)
    #[arg(long, requires = "watch")]
    timeout: Option<api::Duration>,
    /// Form of the answer; with --watch each state is one document
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let palette = Palette::detect();
        if !self.watch {
            let application = read(connection.application(&self.name).await?)?;
            let targets = gather::targets(&connection, &application).await;
            text::print(&form(self.output, &application, &targets, palette)?)?;
            return Ok(Exit::Ok);
        }
        let timeout = self.timeout.map(api::Duration::get);
        let mut follow = Follow::new(&connection, &self.name, timeout);
        let mut last = String::from("the API server has not answered yet");
        let mut shown: Option<(String, String)> = None;
        loop {
            let application = match follow.next().await? {
                News::TimedOut => {
                    let outcome = Outcome::TimedOut(last);
                    return conclude(&self.name, timeout.unwrap_or_default(), outcome);
                }
                News::Trouble(why) => {
                    text::progress(format!("{}: {why}", self.name));
                    last = why;
                    continue;
                }
                News::Changed(application) => application,
            };
            let targets = gather::targets(&connection, &application).await;
            let page = form(self.output, &application, &targets, palette)?;
            // The time that is left runs, and is no news.
            let essence = form(Output::Table, &application, &timeless(&targets), Palette::plain())?;
            let ended = judge(&application);
            let now = Timestamp::now().strftime("%H:%M:%S").to_string();
            let line = page::lines(&targets, &now);
            match (&shown, self.output) {
                (Some((known, _)), _) if *known == essence => {}
                (None, Output::Table) => text::print(&page)?,
                (Some(_), Output::Table) if matches!(ended, Look::NotYet(_)) => text::print(&line)?,
                (Some(_), Output::Table) => text::print(&format!("\n{page}"))?,
                (_, Output::Yaml) => text::print(&format!("---\n{page}"))?,
                (_, Output::Json) => text::print(&page)?,
            }
            shown = Some((essence, line));
            let outcome = match ended {
                Look::NotYet(why) => {
                    last = why;
                    continue;
                }
                Look::Done(how) => Outcome::Done(how),
                Look::Failed(why) | Look::Never(why) => Outcome::Failed(why),
            };
            return match (self.output, outcome) {
                // Standard output has one kind of document only.
                (Output::Json | Output::Yaml, Outcome::Done(how)) => {
                    text::progress(format!("{}: {how}", self.name));
                    Ok(Exit::Ok)
                }
                (_, outcome) => conclude(&self.name, timeout.unwrap_or_default(), outcome),
            };
        }
    }
}

fn form(
    output: Output,
    application: &Application,
    targets: &[TargetView],
    palette: Palette,
) -> anyhow::Result<String> {
    let value = || {
        let metadata = &application.metadata;
        serde_json::to_value(targets).map(|targets| {
            json!({
                "namespace": metadata.namespace, "name": metadata.name,
                "waiting": waiting_for(application), "targets": targets,
            })
        })
    };
    Ok(match output {
        Output::Table => page::page(application, targets, palette),
        Output::Json => format!("{:#}\n", value()?),
        Output::Yaml => yaml::write(&value()?),
    })
}

fn timeless(targets: &[TargetView]) -> Vec<TargetView> {
    targets.iter().map(|target| TargetView { hold_left: None, ..target.clone() }).collect()
}

/// Whether the rollouts of an Application have ended, and how.
pub(super) fn judge(application: &Application) -> Look {
    let status = application.status.clone().unwrap_or_default();
    let current =
        status.observed_generation.is_some() && status.observed_generation >= application.metadata.generation;
    let is_true = |kind| condition(application, kind).is_some_and(|condition| condition.status == "True");
    // What is being undone is both.
    let stuck = is_true("Stalled") && !is_true("Reconciling");
    let ready = condition(application, "Ready");
    let reason = ready.map(|ready| ready.reason.as_str()).unwrap_or_default();
    let standings = status.targets.iter().map(|state| (state, windlass_core::rollout::standing(state, None)));
    for (state, standing) in standings {
        let Some(rollout) = &state.rollout else { continue };
        match standing {
            Standing::NoVerdict => {
                return Look::Failed(format!("{} is held: {}", state.name, rollout.message));
            }
            Standing::GoingBack if stuck && reason != "RolledBack" => {
                let why = rollout.failed.as_ref().map(|failed| failed.message.clone());
                let why = why.unwrap_or_else(|| waiting_for(application));
                return Look::Failed(format!("{} failed and is not undone: {why}", state.name));
            }
            _ => {}
        }
        return Look::NotYet(waiting_for(application));
    }
    match reason {
        _ if !current => Look::NotYet(waiting_for(application)),
        _ if is_true("Ready") => Look::Done(match status.targets.is_empty() {
            true => format!("no workload has a RolloutPolicy: {} is live and healthy", status.sync.revision),
            false => format!("promoted: {} is live and healthy", status.sync.revision),
        }),
        _ if stuck => Look::Failed(waiting_for(application)),
        _ => Look::NotYet(waiting_for(application)),
    }
}
