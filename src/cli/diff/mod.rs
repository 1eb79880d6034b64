//! `windlass diff APP`

mod compare;
mod gather;
mod present;
mod prune;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use windlass_core::api::{AppKey, Application};
use windlass_core::object::{Object, ObjectId};
use windlass_core::plan::{Admission, Limits, Violation, admit, left};
use windlass_core::release::Release;
use windlass_core::rollout;

use super::connection::{Connection, ConnectionArgs, read};
use super::offline::{self, Root};
use super::output::Exit;
use super::text::{self, Palette};
use crate::cluster::apply::Applier;
use crate::cluster::client;
use crate::cluster::discovery::{Catalog, Served};

/// Objects that are compared at the same time.
const CONCURRENCY: usize = 8;

/// Show what a sync would change, by a dry run on the API server with your own rights. Secrets are masked.
#[derive(Args, Debug)]
pub struct Diff {
    /// The Application
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    /// Take the Application from this file instead of the cluster
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take the manifests from this checkout instead of Git (repeatable as SOURCE=DIRECTORY)
    #[arg(long, value_name = "DIRECTORY")]
    local: Vec<Root>,
    /// Name of the install that owns the Application
    #[arg(long, default_value = "windlass", value_name = "NAME")]
    instance: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A unified diff, for people.
    #[default]
    Diff,
    /// JSON, for programs: a list of changes.
    Json,
}

/// What a sync would do to one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What would be done.
    pub action: Action,
    /// File and line of its manifest; empty where there is none.
    pub origin: String,
    /// A unified diff from the live object to what it would be, Secrets masked.
    pub diff: String,
    /// When it would be done while workloads are rolled out; none where the release has no RolloutPolicy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Moment>,
}

/// When a change is made while workloads are rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Before the candidate gets a pod.
    Before,
    /// What it allows, before; what it takes away, with the promotion.
    Both,
    /// In the steps of its RolloutPolicy.
    InSteps,
    /// Once the candidate is proved.
    WithPromotion,
    /// When the stable pods are gone.
    AfterPromotion,
}

impl Moment {
    /// When a change of an object of `release` is made; none where nothing is rolled out in steps.
    fn of(release: &Release, id: &ObjectId, object: Option<&Object>, action: Action) -> Option<Self> {
        let policies = rollout::policies(release);
        if policies.is_empty() {
            return None;
        }
        Some(match (action, object) {
            (Action::Prune, _) | (_, None) => Self::AfterPromotion,
            (Action::Update, Some(_)) if policies.contains_key(id) => Self::InSteps,
            (Action::Create, Some(_)) => Self::Before,
            (Action::Update, Some(object)) => match rollout::class(id, object) {
                rollout::Class::Before => Self::Before,
                rollout::Class::WithPromotion => Self::WithPromotion,
                rollout::Class::Union => Self::Both,
            },
        })
    }

    /// In words.
    fn words(self) -> &'static str {
        match self {
            Self::Before => "before the rollout",
            Self::Both => "what it allows before the rollout, what it takes away with the promotion",
            Self::InSteps => "in the steps of its RolloutPolicy",
            Self::WithPromotion => "with the promotion",
            Self::AfterPromotion => "after the promotion",
        }
    }
}

/// What would be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// It is there and differs.
    Update,
    /// It is there and no longer wanted.
    Prune,
}

/// All that would change, and what could not be told.
#[derive(Default)]
pub struct Report {
    /// In the order of identity, prunes last.
    pub changes: Vec<Change>,
    /// How many objects are as they should be.
    pub same: usize,
    /// What people should know: conflicts, kinds that may not be listed.
    pub notes: Vec<String>,
    /// Why objects could not be compared.
    pub failures: Vec<String>,
}

impl Diff {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut connection = self.connection.connect().await?;
        let app = self.application(&mut connection).await?;
        let report = self.report(&connection, &app).await?;
        match self.output {
            Form::Diff => text::print(&present::coloured(&report.changes, Palette::detect()))?,
            Form::Json => text::print(&format!("{}\n", serde_json::to_string_pretty(&report.changes)?))?,
        }
        for note in &report.notes {
            text::progress(format!("note: {note}"));
        }
        for failure in &report.failures {
            text::progress(format!("error: {failure}"));
        }
        text::progress(present::summary(&report));
        Ok(if !report.failures.is_empty() {
            Exit::Error
        } else if report.changes.is_empty() {
            Exit::Ok
        } else {
            Exit::Differs
        })
    }

    /// The Application to look at; one from a file says by itself which namespace it is in.
    async fn application(&self, connection: &mut Connection) -> anyhow::Result<Application> {
        let Some(file) = &self.file else {
            return read(connection.application(self.name.as_deref().unwrap_or_default()).await?);
        };
        let mut app = offline::load(file, self.name.as_deref())?;
        match &app.metadata.namespace {
            Some(namespace) => connection.namespace.clone_from(namespace),
            None => app.metadata.namespace = Some(connection.namespace.clone()),
        }
        Ok(app)
    }

    async fn report(&self, connection: &Connection, app: &Application) -> anyhow::Result<Report> {
        let instance = client::instance(&connection.client, &self.instance).await?;
        let key = AppKey::new(&connection.namespace, app.metadata.name.as_deref().unwrap_or_default());
        let (revision, candidates) = if self.local.is_empty() {
            gather::from_git(connection, app).await?
        } else {
            let request = offline::application(app, &self.local, std::path::Path::new("."))?;
            (offline::REVISION.to_owned(), offline::render(request)?)
        };
        let served = Catalog::new(connection.client.clone()).refresh().await?;
        let admission = Admission {
            kinds: &*served,
            cluster: &windlass_core::object::Cluster::default(),
            namespace: &offline::destination(app),
            owner: Some((&instance, &key)),
            allow_empty: app.spec.sync.allow_empty,
            limits: Limits::default(),
        };
        let release = match admit(revision, candidates, &admission) {
            Ok(release) => release,
            Err(violations) => return Ok(refused(&violations)),
        };
        let release = match left(&release, &app.spec.sync.ignore, &|_| false) {
            Ok(left) => release.leaving(left),
            Err(error) => {
                return Ok(Report { failures: vec![error.to_string()], ..Report::default() });
            }
        };
        let applier = Applier::new(connection.client.clone(), instance.field_manager());
        let mut report = compared(&release, &served, &compare::Scene { applier, instance, key }).await;
        prune::look(connection, app, &release, &self.instance, &mut report).await?;
        Ok(report)
    }
}

fn refused(violations: &[Violation]) -> Report {
    Report { failures: violations.iter().map(|v| v.message.clone()).collect(), ..Report::default() }
}

async fn compared(release: &Release, served: &Served, scene: &compare::Scene) -> Report {
    let mut report = Report::default();
    let mut compared = stream::iter(release.iter())
        .map(|(id, object)| compare::one(scene, served, release, id, object))
        .buffered(CONCURRENCY);
    while let Some(compared) = compared.next().await {
        report.notes.extend(compared.note);
        match compared.outcome {
            Ok(Some(change)) => report.changes.push(change),
            Ok(None) => report.same += 1,
            Err(why) => report.failures.push(why),
        }
    }
    report
}
