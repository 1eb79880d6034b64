use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};

use serde_json::Value;

use super::body::value;
use super::path::{Path, Segment};
use super::set::FieldSet;
use crate::object::ObjectId;

/// Managers whose additions are drift where `spec.sync.strip` says nothing.
pub const DEFAULT_STRIP: &[&str] = &["kubectl", "kubectl-*"];
/// Most foreign fields that are kept in mind of one object.
const MAX_FOREIGN: usize = 32;
/// What `kubectl rollout restart` sets: a wish to restart, not a wish to differ.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Tools that applied whole objects. Who adopts from them takes over all that they owned, so that what Git
/// does not have goes.
const FORMER_OWNERS: &[&str] = &[
    "kubectl-client-side-apply",
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
    "flux",
    "helm",
];

/// The field managers of one install of Windlass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerNames {
    /// Applies what Git says.
    pub main: String,
    /// Holds the live values of fields that were ours until somebody else takes them.
    pub hand_over: String,
}

/// What `managedFields` tell of an object besides the fields that are ours: little enough to be kept of
/// every object that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers {
    /// Fields of others that are none of ours, the first 32.
    pub foreign: Arc<[Foreign]>,
    /// Somebody sets the number of replicas as autoscalers do, through the scale subresource.
    pub scaled: bool,
    /// The number of replicas is ours.
    pub own_replicas: bool,
    /// Some fields were handed over and nobody has taken them all yet.
    pub handed_over: bool,
}

/// A field of an object that we manage and that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Who set it.
    pub manager: Arc<str>,
    /// By an update, not by server-side apply.
    pub updates: bool,
    /// The field.
    pub path: Path,
}

/// Which foreign fields of an object are drift.
pub struct StripRules<'a> {
    /// The object.
    pub id: &'a ObjectId,
    /// `spec.sync.strip`.
    pub strip: Option<&'a [String]>,
    /// Fields that are left to others.
    pub left: &'a [Path],
}

impl Foreign {
    /// Whether it goes only by being merged: an apply of `desired` takes back what `desired` has.
    pub fn is_addition(&self, desired: &Value) -> bool {
        value(desired, &self.path).is_none_or(|value| value.is_object() || value.is_array())
    }
}

impl Managers {
    /// Reads `managedFields`.
    pub fn read(names: &ManagerNames, entries: &[ManagedFieldsEntry]) -> Self {
        let own = own_set(&names.main, entries);
        let replicas = replicas();
        let mut foreign = Vec::new();
        for entry in entries.iter().filter(|entry| is_foreign(names, entry)) {
            let manager: Arc<str> = manager(entry).into();
            for path in touchable(&fields(entry).beyond(&own)).tops() {
                let updates = !is_apply(entry);
                foreign.push(Foreign { manager: manager.clone(), updates, path });
            }
        }
        foreign.truncate(MAX_FOREIGN);
        Self {
            foreign: foreign.into(),
            scaled: entries.iter().any(|entry| {
                entry.subresource.as_deref() == Some("scale")
                    && !matches(manager(entry), DEFAULT_STRIP.iter().copied())
                    && fields(entry).has(&replicas)
            }),
            own_replicas: own.has(&replicas),
            handed_over: entries.iter().any(|entry| manager(entry) == names.hand_over && is_apply(entry)),
        }
    }

    /// The foreign fields that are drift.
    pub fn drift<'m>(&'m self, rules: &StripRules<'_>) -> impl Iterator<Item = &'m Foreign> {
        self.foreign.iter().filter(|foreign| rules.strips(&foreign.manager, foreign.updates, &foreign.path))
    }
}

impl StripRules<'_> {
    fn strips(&self, manager: &str, updates: bool, path: &Path) -> bool {
        let left = self.left.iter().any(|left| left.covers(path) || path.covers(left));
        let listed = match self.strip {
            Some(strip) => matches(manager, strip.iter().map(String::as_str)),
            None => matches(manager, DEFAULT_STRIP.iter().copied()),
        };
        !left && (listed || updates && self.is_guarded(path))
    }

    /// Whether nobody but Windlass may add here: what runs in pods, and who may do what.
    fn is_guarded(&self, path: &Path) -> bool {
        let roots: &[&str] = match (self.id.group.as_str(), self.id.kind.as_str()) {
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => &["spec", "template"],
            ("batch", "CronJob") => &["spec", "jobTemplate"],
            ("rbac.authorization.k8s.io", _) => &[],
            _ => return false,
        };
        let steps = path.segments();
        steps.len() > roots.len() && steps.iter().zip(roots).all(|(step, root)| step.as_field() == Some(root))
    }
}

/// `managedFields` with everything that is to go merged into our own entry, so that the next apply of
/// `desired`, which does not have it, removes it; `None` where there is nothing to merge. With `adopting`, all
/// that a former owner applied is merged too, labels and annotations included.
pub fn merged(
    names: &ManagerNames,
    entries: &[ManagedFieldsEntry],
    rules: &StripRules<'_>,
    desired: &Value,
    adopting: bool,
) -> Option<Vec<ManagedFieldsEntry>> {
    let own = own_set(&names.main, entries);
    let mut taken = FieldSet::default();
    let mut rest = Vec::with_capacity(entries.len() + 1);
    for entry in entries {
        let set = fields(entry);
        let goes = if !is_foreign(names, entry) {
            FieldSet::default()
        } else if adopting && FORMER_OWNERS.contains(&manager(entry)) {
            set.filter(&|path| !rules.left.iter().any(|left| left.covers(path) || path.covers(left)))
        } else {
            let others = touchable(&set.beyond(&own));
            let tops: Vec<_> = others
                .tops()
                .into_iter()
                .filter(|top| rules.strips(manager(entry), !is_apply(entry), top))
                .collect();
            others.filter(&|path| tops.iter().any(|top| top.covers(path)) && value(desired, path).is_none())
        };
        if goes.is_empty() {
            rest.push(entry.clone());
            continue;
        }
        let left = set.difference(&goes);
        taken = taken.union(&goes);
        if !left.is_empty() {
            rest.push(ManagedFieldsEntry { fields_v1: Some(FieldsV1(left.write())), ..entry.clone() });
        }
    }
    if taken.is_empty() {
        return None;
    }
    let set = own.union(&taken);
    match rest.iter_mut().find(|entry| is_own(&names.main, entry)) {
        Some(ours) => ours.fields_v1 = Some(FieldsV1(set.write())),
        None => rest.push(ManagedFieldsEntry {
            manager: Some(names.main.clone()),
            operation: Some("Apply".into()),
            api_version: desired.get("apiVersion").and_then(Value::as_str).map(str::to_owned),
            fields_type: Some("FieldsV1".into()),
            fields_v1: Some(FieldsV1(set.write())),
            time: entries.iter().filter_map(|entry| entry.time.clone()).max(),
            subresource: None,
        }),
    }
    Some(rest)
}

/// `/spec/replicas`, where every workload that can be scaled has its number of pods.
pub fn replicas() -> Path {
    Path::new(["spec", "replicas"].map(|name| Segment::Field(name.into())).into())
}

/// The fields that `manager` applied.
pub(super) fn own_set(manager: &str, entries: &[ManagedFieldsEntry]) -> FieldSet {
    entries.iter().find(|entry| is_own(manager, entry)).map(fields).unwrap_or_default()
}

pub(super) fn fields(entry: &ManagedFieldsEntry) -> FieldSet {
    entry.fields_v1.as_ref().map(|fields| FieldSet::read(&fields.0)).unwrap_or_default()
}

pub(super) fn manager(entry: &ManagedFieldsEntry) -> &str {
    entry.manager.as_deref().unwrap_or_default()
}

fn is_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Apply")
}

fn is_own(manager: &str, entry: &ManagedFieldsEntry) -> bool {
    self::manager(entry) == manager
        && is_apply(entry)
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether an entry is of somebody else who wrote the object itself.
fn is_foreign(names: &ManagerNames, entry: &ManagedFieldsEntry) -> bool {
    let manager = manager(entry);
    manager != names.main
        && manager != names.hand_over
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// What of a foreign set may be drift: never the object's own labels, annotations and finalizers, its status
/// or the time of a restart.
fn touchable(set: &FieldSet) -> FieldSet {
    set.filter(&|path| {
        let steps = path.segments();
        !matches!(steps.first().and_then(Segment::as_field), Some("metadata" | "status"))
            && steps.last().and_then(Segment::as_field) != Some(RESTARTED_AT)
    })
}

fn matches<'a>(manager: &str, mut patterns: impl Iterator<Item = &'a str>) -> bool {
    patterns.any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => manager.starts_with(start),
        None => manager == pattern,
    })
}
