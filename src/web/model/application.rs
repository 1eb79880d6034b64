use jiff::Timestamp;
use windlass_core::api::{
    Adopt, AppKey, Application, ApplicationStatus, DeletionPolicy, GitSource, HealthStatus, SyncMode,
};
use windlass_core::waiting::waiting_for;

use super::{
    ApplicationRow, Badge, Pager, Revision, RolloutPanel, When, path_segment, visible, visible_line,
};
use crate::controller::view::{AppView, ObjectView};

/// Most objects on a page.
const PAGE_SIZE: usize = 500;

/// One Application.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ApplicationPage {
    /// What the list shows of it.
    pub row: ApplicationRow,
    /// What it is waiting for, in one line.
    pub waiting: String,
    /// The release that is being applied.
    pub next: Option<Revision>,
    /// The workloads that are rolled out by a policy.
    pub rollouts: Vec<RolloutPanel>,
    /// Its conditions.
    pub conditions: Vec<ConditionRow>,
    /// The objects of its release.
    pub objects: ObjectsPanel,
    /// Its last releases, newest first.
    pub history: Vec<HistoryRow>,
    /// Where its manifests come from.
    pub sources: Vec<SourceRow>,
    /// How it is kept.
    pub facts: Vec<Fact>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConditionRow {
    /// Its type.
    pub kind: String,
    /// Its status.
    pub status: Badge,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// Since when it has this status.
    pub since: When,
}

/// The objects of a release, those with problems first.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectsPanel {
    /// The objects of this page by health.
    pub groups: Vec<ObjectGroup>,
    /// How many objects are not as the release says.
    pub out_of_sync: usize,
    /// Where this page is among all objects.
    pub pager: Pager,
    /// The Application's page, for links to other pages of its objects.
    pub href: String,
}

/// Objects of one health.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectGroup {
    /// The health.
    pub health: Badge,
    /// How many there are on all pages.
    pub count: usize,
    /// Those on this page.
    pub rows: Vec<ObjectRow>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectRow {
    /// Id of its row.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is as the release says.
    pub sync: Badge,
    /// Why it is not healthy.
    pub message: String,
}

/// One past release.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HistoryRow {
    /// What it was rendered from.
    pub revision: Revision,
    /// How it ended.
    pub result: Badge,
    /// The result as the status has it.
    pub result_text: String,
    /// What set it off.
    pub trigger: String,
    /// What was changed, or what went wrong.
    pub message: String,
    /// When it began.
    pub started: When,
    /// How long it took.
    pub took: String,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Address of the repository.
    pub url: String,
    /// What it follows: `branch main`.
    pub follows: String,
    /// Directory in the repository.
    pub path: String,
    /// What it resolved to at the last look.
    pub revision: Revision,
    /// How its files become manifests.
    pub renderer: String,
}

/// A setting in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fact {
    /// What is set.
    pub name: &'static str,
    /// To what.
    pub value: String,
}

impl ApplicationPage {
    /// Page `page` (from 1) of the objects of `view`, and all else of it.
    pub fn new(key: &AppKey, view: &AppView, page: usize, now: Timestamp) -> Self {
        let row = ApplicationRow::new(key, view, now);
        let none = ApplicationStatus::default();
        let status = view.application.status.as_ref().unwrap_or(&none);
        Self {
            waiting: match status.observed_generation {
                Some(_) => visible_line(&waiting_for(&view.application)),
                None => row.message.clone(),
            },
            next: status.next.as_ref().map(|next| Revision::new(&next.revision)),
            rollouts: view.rollouts(now).iter().map(|target| RolloutPanel::new(target, now)).collect(),
            conditions: conditions(status, now),
            objects: ObjectsPanel::new(&view.objects, &row.href, page),
            history: history(status, now),
            sources: sources(&view.application, status),
            facts: facts(&view.application),
            row,
        }
    }
}

fn conditions(status: &ApplicationStatus, now: Timestamp) -> Vec<ConditionRow> {
    let row = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| ConditionRow {
        kind: visible_line(&condition.type_),
        status: Badge::condition(&condition.type_, &condition.status),
        reason: visible_line(&condition.reason),
        message: visible(&condition.message),
        since: When::new(condition.last_transition_time.0, now),
    };
    status.conditions.iter().map(row).collect()
}

fn history(status: &ApplicationStatus, now: Timestamp) -> Vec<HistoryRow> {
    let row = |entry: &windlass_core::api::HistoryEntry| HistoryRow {
        revision: Revision::new(&entry.revision),
        result: Badge::result(&entry.result),
        result_text: visible_line(&entry.result),
        trigger: visible_line(&entry.trigger),
        message: visible(&entry.message),
        started: When::new(entry.started_at.0, now),
        took: entry.finished_at.as_ref().map_or_else(String::new, |end| took(entry.started_at.0, end.0)),
    };
    status.history.iter().map(row).collect()
}

fn took(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    match milliseconds / 1000 {
        0 => "under 1 s".into(),
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn sources(application: &Application, status: &ApplicationStatus) -> Vec<SourceRow> {
    let row = |source: &windlass_core::api::Source| {
        let state = status.sources.iter().find(|state| state.name == source.name);
        SourceRow {
            name: visible_line(&source.name),
            url: visible_line(&source.git.url),
            follows: visible_line(&follows(&source.git)),
            path: visible_line(&source.git.path),
            revision: Revision::new(state.map_or("", |state| &state.revision)),
            renderer: visible_line(state.map_or("", |state| &state.renderer)),
        }
    };
    application.spec.sources.iter().map(row).collect()
}

fn follows(git: &GitSource) -> String {
    match (&git.branch, &git.tag, &git.commit) {
        (Some(branch), _, _) => format!("branch {branch}"),
        (_, Some(tag), _) => format!("tag {tag}"),
        (_, _, Some(commit)) => format!("commit {}", Revision::new(commit).short),
        _ => String::new(),
    }
}

fn facts(application: &Application) -> Vec<Fact> {
    let spec = &application.spec;
    let yes = |set: bool| if set { "yes" } else { "no" }.to_owned();
    let namespace = spec.destination.namespace.clone().or_else(|| application.metadata.namespace.clone());
    let mode = match spec.sync.mode {
        SyncMode::Auto => "each new release at once",
        SyncMode::Manual => "when a person asks",
    };
    let adopt = match spec.sync.adopt {
        Adopt::Unowned => "if nothing else tracks them",
        Adopt::Force => "always",
        Adopt::Never => "never",
    };
    let deletion = match spec.deletion_policy {
        DeletionPolicy::Prune => "deletes its objects",
        DeletionPolicy::Orphan => "leaves its objects",
    };
    [
        ("Namespace", visible_line(&namespace.unwrap_or_default())),
        ("Applies", mode.to_owned()),
        ("Heals drift", yes(spec.sync.self_heal)),
        ("Prunes", yes(spec.sync.prune)),
        ("Prune limit", visible_line(&spec.sync.prune_limit)),
        ("Adopts objects", adopt.to_owned()),
        ("Deletion", deletion.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| Fact { name, value })
    .collect()
}

impl ObjectsPanel {
    fn new(objects: &[ObjectView], href: &str, page: usize) -> Self {
        let mut sorted: Vec<&ObjectView> = objects.iter().collect();
        sorted.sort_by(|a, b| {
            let rank = |object: &ObjectView| (object.health.status, !object.in_sync);
            rank(b).cmp(&rank(a)).then_with(|| a.id.cmp(&b.id))
        });
        let pager = Pager::new(sorted.len(), PAGE_SIZE, page);
        let shown: Vec<&ObjectView> = sorted.into_iter().skip(pager.skipped()).take(PAGE_SIZE).collect();
        let groups = shown
            .chunk_by(|a, b| a.health.status == b.health.status)
            .filter_map(|group| Some((group.first()?.health.status, group)))
            .map(|(status, group)| ObjectGroup {
                health: Badge::health(status),
                count: objects.iter().filter(|object| object.health.status == status).count(),
                rows: group.iter().copied().map(ObjectRow::new).collect(),
            })
            .collect();
        let out_of_sync = objects.iter().filter(|object| !object.in_sync).count();
        Self { groups, out_of_sync, pager, href: href.to_owned() }
    }

    /// The URL of another page of the same objects.
    pub fn page_url(&self, page: &usize) -> String {
        format!("{}?p={page}", self.href)
    }
}

impl ObjectRow {
    fn new(object: &ObjectView) -> Self {
        let id = &object.id;
        let message = if object.health.status == HealthStatus::Healthy { "" } else { &object.health.message };
        Self {
            id: format!("object:{}", path_segment(&id.to_annotation())),
            kind: visible_line(&id.kind),
            group: visible_line(&id.group),
            namespace: visible_line(&id.namespace),
            name: visible_line(&id.name),
            sync: Badge::in_sync(object.in_sync),
            message: visible(message),
        }
    }
}
