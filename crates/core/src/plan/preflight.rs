use std::collections::BTreeSet;

use serde_json::Value;

use super::decide::{Action, Verb};
use super::immutable::{is_immutable, may_replace};
use super::options::ObjectOptions;
use crate::api::{ApplicationStatus, ReleaseRef};
use crate::object::{Digest, Gvk, ObjectId};
use crate::release::{Release, ReleaseObject};

/// Longest text about all refused objects, in bytes; with the words around it, it fits a condition.
const TOLD_BYTES: usize = 800;

/// Whether `release` changes what the cluster has already. A first install, the end of one that was begun,
/// and the way back to the stable release are no updates.
pub fn is_update(status: &ApplicationStatus, current: Option<&Digest>, release: &Digest) -> bool {
    let complete = |known: &&ReleaseRef| !known.fields.is_empty();
    let is_stable = status.stable.as_ref().is_some_and(|stable| stable.digest == release.as_str());
    let installed = status.stable.is_some() || status.next.as_ref().filter(complete).is_some();
    installed && !is_stable && current.is_some_and(|current| current != release)
}

/// Why an object cannot be checked before the release is applied; it is applied in its turn and checked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unchecked {
    /// Its kind is not served yet.
    KindNotServed,
    /// The release changes the definition of its kind, or the API that serves it.
    KindChanges,
    /// Its namespace is made with the release.
    NamespaceMissing,
    /// It refers to an object that the release makes.
    ReferenceMissing,
    /// A policy or webhook judged it that the release changes.
    PolicyChanges,
    /// A quota judged it that the release changes.
    QuotaChanges,
    /// A webhook in its way cannot be asked without effect.
    DryRunUnsupported,
    /// It is replaced, not changed.
    Replaced,
}

/// What the server answered to a dry run that it refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// HTTP status.
    pub code: u16,
    /// Its words.
    pub message: &'a str,
}

/// What is known of an update before any of it is written.
pub struct Preflight<'a> {
    release: &'a Release,
    /// Objects that the release makes or changes.
    changes: BTreeSet<&'a ObjectId>,
    /// Namespace that is created on request.
    namespace: Option<&'a str>,
}

impl<'a> Preflight<'a> {
    /// Of `release`, which is carried out by `actions`; `namespace` is created first where it is missing.
    pub fn new(
        release: &'a Release,
        actions: impl Iterator<Item = &'a Action>,
        namespace: Option<&'a str>,
    ) -> Self {
        let changes = actions.filter(|action| matches!(action.verb, Verb::Create | Verb::Update));
        Self { release, changes: changes.map(|action| &action.id).collect(), namespace }
    }

    /// The objects to check.
    pub fn objects(&self) -> impl Iterator<Item = (&'a ObjectId, &'a ReleaseObject)> {
        self.changes.iter().filter_map(|id| Some((*id, self.release.get(id)?)))
    }

    /// Why asking about an object would tell nothing; `served` says whether its kind is served.
    pub fn unchecked(&self, object: &ReleaseObject, served: bool) -> Option<Unchecked> {
        let gvk = object.object.gvk();
        if self.changed("apiextensions.k8s.io", "CustomResourceDefinition").any(|crd| defines(crd, gvk))
            || self.changed("apiregistration.k8s.io", "APIService").any(|service| serves(service, gvk))
        {
            return Some(if served { Unchecked::KindChanges } else { Unchecked::KindNotServed });
        }
        (!served && ObjectOptions::admitted(&object.object).skip_dry_run_on_missing)
            .then_some(Unchecked::KindNotServed)
    }

    /// Why a refusal does not count: the release itself may remove its cause before this object's turn.
    /// `plural` is the name of the object's resource.
    pub fn excuse(&self, object: &ReleaseObject, plural: &str, refusal: Refusal<'_>) -> Option<Unchecked> {
        let Refusal { code, message } = refusal;
        if message.contains("does not support dry run") {
            return Some(Unchecked::DryRunUnsupported);
        }
        let immutable = code == 422 && is_immutable(message);
        if immutable && may_replace(&object.object, &Value::Null).is_ok() {
            return Some(Unchecked::Replaced);
        }
        if code == 404 && self.makes_namespace(object, message) {
            return Some(Unchecked::NamespaceMissing);
        }
        if self.misses_one_of_ours(message) {
            return Some(Unchecked::ReferenceMissing);
        }
        let namespace = object.object.namespace().unwrap_or_default();
        if message.contains("exceeded quota")
            && self
                .changed("", "ResourceQuota")
                .any(|quota| quota.object.namespace().unwrap_or_default() == namespace)
        {
            return Some(Unchecked::QuotaChanges);
        }
        self.policy_changes(object.object.gvk(), plural, message).then_some(Unchecked::PolicyChanges)
    }

    fn changed(&self, group: &'static str, kind: &'static str) -> impl Iterator<Item = &'a ReleaseObject> {
        self.objects().filter(move |(id, _)| id.group == group && id.kind == kind).map(|(_, object)| object)
    }

    fn makes_namespace(&self, object: &ReleaseObject, message: &str) -> bool {
        let Some(namespace) = object.object.namespace() else { return false };
        let made = self.namespace == Some(namespace)
            || self.changed("", "Namespace").any(|made| made.object.name() == namespace);
        made && message.contains(&format!("namespaces {namespace:?} not found"))
    }

    /// Whether what the server misses is an object that the release makes.
    fn misses_one_of_ours(&self, message: &str) -> bool {
        self.changes.iter().any(|id| {
            let kind = id.kind.to_lowercase();
            let missed = |(before, _): (&str, &str)| {
                before.rsplit(' ').next().is_some_and(|resource| resource.to_lowercase().starts_with(&kind))
            };
            message.split_once(&format!(" {:?} not found", id.name)).is_some_and(missed)
                || message.contains(&format!("no {} with name {} was found", id.kind, id.name))
        })
    }

    /// Whether what refused is changed by the release, or something that mutates the object before it is judged.
    fn policy_changes(&self, gvk: &Gvk, plural: &str, message: &str) -> bool {
        let changed = self.objects().filter(|(id, _)| id.group == "admissionregistration.k8s.io");
        changed.into_iter().any(|(id, object)| {
            let body = object.object.body();
            match id.kind.as_str() {
                "ValidatingWebhookConfiguration" => webhooks(body)
                    .filter_map(|webhook| webhook.get("name")?.as_str())
                    .any(|name| message.contains(&format!("webhook {name:?}"))),
                "MutatingWebhookConfiguration" => webhooks(body)
                    .any(|webhook| rules(webhook.get("rules")).any(|rule| matches_rule(rule, gvk, plural))),
                "ValidatingAdmissionPolicy" => message.contains(&format!("'{}'", id.name)),
                "ValidatingAdmissionPolicyBinding" => message.contains(&format!("'{}'", id.name)),
                "MutatingAdmissionPolicy" => rules(body.pointer("/spec/matchConstraints/resourceRules"))
                    .any(|rule| matches_rule(rule, gvk, plural)),
                "MutatingAdmissionPolicyBinding" => true,
                _ => false,
            }
        })
    }
}

/// What was refused, as one text: how many of how many, and as many of the errors as there is room for.
pub fn tell_refused(errors: &[String], checked: usize) -> String {
    let mut text = match (errors.len(), checked) {
        (1, 1) => "nothing was changed: the API server refuses the one object to change: ".to_owned(),
        (refused, checked) => {
            format!("nothing was changed: the API server refuses {refused} of {checked} objects to change: ")
        }
    };
    let room = text.len() + TOLD_BYTES;
    for (told, error) in errors.iter().enumerate() {
        if told > 0 && text.len() + error.len() > room {
            text.push_str(&format!("; and {} more", errors.len() - told));
            break;
        }
        if told > 0 {
            text.push_str("; ");
        }
        text.push_str(error);
    }
    text
}

fn webhooks(body: &Value) -> impl Iterator<Item = &Value> {
    rules(body.get("webhooks"))
}

fn rules(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn matches_rule(rule: &Value, gvk: &Gvk, plural: &str) -> bool {
    let has = |field: &str, value: &str| {
        rules(rule.get(field)).filter_map(Value::as_str).any(|one| one == "*" || one == "*/*" || one == value)
    };
    has("apiGroups", &gvk.group) && has("resources", plural)
}

fn defines(crd: &ReleaseObject, gvk: &Gvk) -> bool {
    let text = |pointer: &str| crd.object.body().pointer(pointer).and_then(Value::as_str);
    text("/spec/group") == Some(&gvk.group) && text("/spec/names/kind") == Some(&gvk.kind)
}

fn serves(service: &ReleaseObject, gvk: &Gvk) -> bool {
    let text = |pointer: &str| service.object.body().pointer(pointer).and_then(Value::as_str);
    text("/spec/group") == Some(&gvk.group) && text("/spec/version") == Some(&gvk.version)
}
