use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{
    CREATE_ONLY_ANNOTATION, IGNORE_ANNOTATION, IRREVERSIBLE_ANNOTATION, PRUNE_ANNOTATION, REPLACE_ANNOTATION,
    ROLLBACK_ANNOTATION,
};
use crate::fields::{Path, PathError};
use crate::object::Object;

/// Argo CD's list of options of one object.
const ARGO_SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Helm's wish to keep an object.
const HELM_RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Whether an object outlives its place in the release, or its Application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// It stays when the release no longer has it.
    pub on_prune: bool,
    /// It stays when its Application is deleted.
    pub on_delete: bool,
}

impl Keep {
    /// What the annotations of a live object ask for: ours, Argo CD's and Helm's.
    pub fn of(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let Some(annotations) = annotations else { return Self::default() };
        Self::read(&|key| annotations.get(key).map(String::as_str))
    }

    fn read<'a>(annotation: &dyn Fn(&str) -> Option<&'a str>) -> Self {
        let always =
            annotation(PRUNE_ANNOTATION) == Some("false") || annotation(HELM_RESOURCE_POLICY) == Some("keep");
        let argo = argo_options(annotation(ARGO_SYNC_OPTIONS));
        // Windlass has nobody to confirm a single deletion, so what asks for that stays.
        let kept = |name: &str| matches!(argo.get(name), Some(&"false" | &"confirm"));
        Self { on_prune: always || kept("Prune"), on_delete: always || kept("Delete") }
    }
}

/// What an object's annotations ask of Windlass: its own, and those of Argo CD and Helm that mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectOptions {
    /// Whether it outlives its place in the release, or its Application.
    pub keep: Keep,
    /// Applied where it is missing, never updated or healed.
    pub create_only: bool,
    /// Fields that are left to others.
    pub ignore: Vec<Path>,
    /// Deleted and made anew where the API server refuses a change of an immutable field.
    pub replace: bool,
    /// A rollback leaves it as it is.
    pub rollback_keep: bool,
    /// A release that changes it is not rolled back without a person.
    pub irreversible: bool,
    /// Its prune comes after everything else is healthy.
    pub prune_last: bool,
    /// Its kind may be made by somebody else later: a missing kind is no refusal of the release.
    pub skip_dry_run_on_missing: bool,
}

/// An annotation of ours with a value that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Not one of the values that it may have.
    #[error("annotation {annotation} is {value:?}; it may be {allowed}")]
    Value {
        /// The annotation.
        annotation: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// A path that is none.
    #[error("annotation {IGNORE_ANNOTATION}: {0}")]
    Path(#[from] PathError),
}

impl ObjectOptions {
    /// Reads the options of an object. Options of Argo CD that mean nothing here are passed over.
    ///
    /// # Errors
    /// [`OptionError`] of the first annotation of ours that makes no sense.
    pub fn of(object: &Object) -> Result<Self, OptionError> {
        let annotations = object.body().pointer("/metadata/annotations").and_then(Value::as_object);
        let annotation = |key: &str| annotations?.get(key)?.as_str();
        let one_of = |key: &'static str, values: &'static [&'static str], allowed: &'static str| {
            let found = annotation(key);
            match found.filter(|value| !values.contains(value)) {
                Some(value) => Err(OptionError::Value { annotation: key, value: value.to_owned(), allowed }),
                None => Ok(found),
            }
        };
        let flag = |key| one_of(key, &["true", "false"], r#""true" or "false""#);
        let argo = argo_options(annotation(ARGO_SYNC_OPTIONS));
        let set = |name: &str| argo.get(name) == Some(&"true");
        flag(PRUNE_ANNOTATION)?;
        let paths = Path::parse_list(annotation(IGNORE_ANNOTATION).unwrap_or_default())?;
        Ok(Self {
            keep: Keep::read(&annotation),
            create_only: flag(CREATE_ONLY_ANNOTATION)? == Some("true"),
            ignore: paths.into_iter().map(Path::not_identity).collect::<Result<_, _>>()?,
            // Argo CD's Replace=true alone says how to write, for which server-side apply has no need.
            replace: one_of(REPLACE_ANNOTATION, &["immutable"], "immutable")?.is_some() || set("Force"),
            rollback_keep: one_of(ROLLBACK_ANNOTATION, &["Keep"], "Keep")?.is_some(),
            irreversible: flag(IRREVERSIBLE_ANNOTATION)? == Some("true"),
            prune_last: set("PruneLast"),
            skip_dry_run_on_missing: set("SkipDryRunOnMissingResource"),
        })
    }

    /// The options of an object that was admitted, whose annotations therefore make sense.
    pub fn admitted(object: &Object) -> Self {
        Self::of(object).unwrap_or_default()
    }
}

fn argo_options(text: Option<&str>) -> BTreeMap<&str, &str> {
    text.unwrap_or_default()
        .split(',')
        .filter_map(|option| option.trim().split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}
