use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::options::ObjectOptions;
use crate::api::IgnoreRule;
use crate::fields::{Path, PathError, replicas};
use crate::object::{Object, ObjectId};
use crate::release::{Left, Release};

/// A workload by its namespace, group, kind and name.
pub type ScaleTarget = (String, String, String, String);

/// A rule of `spec.sync.ignore` that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.sync.ignore[{rule}]: {error}")]
pub struct IgnoreError {
    /// Which rule, from 0.
    pub rule: usize,
    /// What is wrong with it.
    pub error: PathError,
}

/// What of the objects of a release is left to others: by `rules`, by annotations, and the number of replicas
/// where an autoscaler of the release has the workload, where `scaled` says so, or where Git says no number.
///
/// # Errors
/// [`IgnoreError`] of the first rule that makes no sense.
pub fn left(
    release: &Release,
    rules: &[IgnoreRule],
    scaled: &dyn Fn(&ObjectId) -> bool,
) -> Result<BTreeMap<ObjectId, Left>, IgnoreError> {
    let rules = parse(rules)?;
    let targets: BTreeSet<_> =
        release.iter().filter_map(|(_, object)| scale_target(&object.object)).collect();
    let mut all = BTreeMap::new();
    for (id, object) in release.iter() {
        let options = ObjectOptions::admitted(&object.object);
        if options.create_only {
            all.insert(id.clone(), Left::Everything);
            continue;
        }
        let mut paths = options.ignore;
        for (_, of_rule) in rules.iter().filter(|(rule, _)| applies(rule, id)) {
            paths.extend(of_rule.iter().cloned());
        }
        let is_target = || {
            let (namespace, group) = (id.namespace.clone(), id.group.clone());
            targets.contains(&(namespace, group, id.kind.clone(), id.name.clone()))
        };
        if is_target() || (is_workload(id) && (says_no_number(&object.object) || scaled(id))) {
            paths.push(replicas());
        }
        paths.sort();
        paths.dedup();
        if !paths.is_empty() {
            all.insert(id.clone(), Left::Fields(paths));
        }
    }
    Ok(all)
}

fn parse(rules: &[IgnoreRule]) -> Result<Vec<(&IgnoreRule, Vec<Path>)>, IgnoreError> {
    let paths = |(number, rule): (usize, &IgnoreRule)| {
        let wrong = |error| IgnoreError { rule: number, error };
        rule.paths
            .iter()
            .map(|path| Path::parse(path)?.not_identity())
            .collect::<Result<_, _>>()
            .map_err(wrong)
    };
    rules.iter().enumerate().map(|(number, rule)| Ok((rule, paths((number, rule))?))).collect()
}

fn applies(rule: &IgnoreRule, id: &ObjectId) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    same(&rule.group, &id.group) && same(&rule.kind, &id.kind) && same(&rule.name, &id.name)
}

/// Whether the API server sets the number of pods to 1 where nobody says one.
fn is_workload(id: &ObjectId) -> bool {
    id.group == "apps" && matches!(id.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet")
}

fn says_no_number(object: &Object) -> bool {
    object.body().pointer("/spec/replicas").is_none_or(Value::is_null)
}

/// The workload that a HorizontalPodAutoscaler or a ScaledObject of KEDA scales.
pub fn scale_target(object: &Object) -> Option<ScaleTarget> {
    let gvk = object.gvk();
    let keda = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("autoscaling", "HorizontalPodAutoscaler") => false,
        ("keda.sh", "ScaledObject") => true,
        _ => return None,
    };
    let target = object.body().pointer("/spec/scaleTargetRef")?;
    let text = |field: &str| target.get(field).and_then(Value::as_str);
    let api_version = text("apiVersion").unwrap_or(if keda { "apps/v1" } else { "v1" });
    let kind = text("kind").or(keda.then_some("Deployment"))?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let namespace = object.namespace().unwrap_or_default();
    Some((namespace.to_owned(), group.to_owned(), kind.to_owned(), text("name")?.to_owned()))
}
