//! Where an object stands in the order of its release, as its annotations say it.
//!
//! Ours (`windlass.dev/…`) win over Argo CD's, and those over Helm's; each of wave, hook and delete policy
//! is looked for on its own.

use crate::object::Object;

/// Annotation with the wave of an object, a whole number; 0 where there is none.
pub const WAVE_ANNOTATION: &str = "windlass.dev/wave";
/// Annotation that makes an object a hook: phases, separated by commas.
pub const HOOK_ANNOTATION: &str = "windlass.dev/hook";
/// Annotation that says when a hook is deleted.
pub const HOOK_DELETE_ANNOTATION: &str = "windlass.dev/hook-delete-policy";

const ARGO_WAVE: &str = "argocd.argoproj.io/sync-wave";
const ARGO_HOOK: &str = "argocd.argoproj.io/hook";
const ARGO_HOOK_DELETE: &str = "argocd.argoproj.io/hook-delete-policy";
const HELM_HOOK: &str = "helm.sh/hook";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";
const HELM_HOOK_DELETE: &str = "helm.sh/hook-delete-policy";

/// Where an object stands in the order of its release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Lower waves come first.
    pub wave: i32,
    /// What the object is for.
    pub role: Role,
}

/// What an object of a release is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It should be in the cluster as long as the release has it.
    #[default]
    Ordinary,
    /// It is created once a release.
    Hook(Hook),
    /// It is for another tool or another occasion, and never applied.
    Skipped,
}

/// When a hook runs, and what happens to it afterwards. One that is left from an earlier run is always
/// replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its phases, in order and each once.
    pub phases: Vec<Phase>,
    /// It is deleted when it ended well.
    pub delete_succeeded: bool,
    /// It is deleted when it failed.
    pub delete_failed: bool,
}

/// The occasions on which hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before anything of the release is applied.
    PreSync,
    /// With the ordinary objects of its wave.
    Sync,
    /// When everything is applied and healthy.
    PostSync,
    /// When the release failed.
    SyncFail,
    /// When this release is undone, before anything is restored.
    Rollback,
}

impl Phase {
    /// As it stands in annotations and in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreSync => "PreSync",
            Self::Sync => "Sync",
            Self::PostSync => "PostSync",
            Self::SyncFail => "SyncFail",
            Self::Rollback => "Rollback",
        }
    }
}

/// An annotation with a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("annotation {annotation} is {value:?}; it must be {expected}")]
pub struct PlacementError {
    annotation: &'static str,
    value: String,
    expected: &'static str,
}

impl Placement {
    /// Reads the annotations of an object.
    ///
    /// # Errors
    /// [`PlacementError`] names the annotation and what it may be.
    pub fn of(object: &Object) -> Result<Self, PlacementError> {
        let wave = wave(|key| object.annotation(key))?;
        Ok(Self { wave, role: role(object)? })
    }
}

/// The wave that annotations ask for, `get` gives their values; those of a live object too.
///
/// # Errors
/// [`PlacementError`] where it is not a whole number of 32 bits.
pub fn wave<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<i32, PlacementError> {
    // Helm knows weights of hooks only.
    let keys: &[&'static str] = if get(HELM_HOOK).is_some() {
        &[WAVE_ANNOTATION, ARGO_WAVE, HELM_WEIGHT]
    } else {
        &[WAVE_ANNOTATION, ARGO_WAVE]
    };
    let Some((annotation, value)) = first(keys, get) else { return Ok(0) };
    value.trim().parse().map_err(|_| PlacementError {
        annotation,
        value: value.into(),
        expected: "a whole number from -2147483648 to 2147483647, in quotes",
    })
}

fn role(object: &Object) -> Result<Role, PlacementError> {
    let get = |key: &str| object.annotation(key);
    let Some((annotation, value)) = first(&[HOOK_ANNOTATION, ARGO_HOOK, HELM_HOOK], get) else {
        return Ok(Role::Ordinary);
    };
    let mut phases = Vec::new();
    let (mut ordinary, mut skipped) = (false, false);
    for word in value.split(',').map(str::trim) {
        match meaning(annotation, word) {
            Some(Meaning::Phase(phase)) => phases.push(phase),
            Some(Meaning::Ordinary) => ordinary = true,
            Some(Meaning::Later) => {}
            Some(Meaning::Skip) => skipped = true,
            None => {
                let expected = match annotation {
                    HOOK_ANNOTATION => "PreSync, Sync, PostSync, SyncFail, Rollback, Skip or None",
                    ARGO_HOOK => "PreSync, Sync, PostSync, SyncFail, PreDelete, PostDelete or Skip",
                    _ => "a hook that Helm knows, such as pre-install or post-upgrade",
                };
                return Err(PlacementError { annotation, value: value.into(), expected });
            }
        }
    }
    phases.sort_unstable();
    phases.dedup();
    if ordinary {
        return Ok(Role::Ordinary);
    }
    if skipped || phases.is_empty() {
        return Ok(Role::Skipped);
    }
    let (delete_succeeded, delete_failed) = delete_policy(object)?;
    Ok(Role::Hook(Hook { phases, delete_succeeded, delete_failed }))
}

enum Meaning {
    Phase(Phase),
    /// An object as any other.
    Ordinary,
    /// An occasion on which Windlass runs no hooks.
    Later,
    Skip,
}

fn meaning(annotation: &str, word: &str) -> Option<Meaning> {
    let phase = [Phase::PreSync, Phase::Sync, Phase::PostSync, Phase::SyncFail]
        .into_iter()
        .find(|phase| phase.as_str() == word);
    Some(match (annotation, word) {
        (HOOK_ANNOTATION | ARGO_HOOK, _) if phase.is_some() => Meaning::Phase(phase?),
        (HOOK_ANNOTATION | ARGO_HOOK, "Skip") => Meaning::Skip,
        (HOOK_ANNOTATION, "Rollback") => Meaning::Phase(Phase::Rollback),
        (HOOK_ANNOTATION, "None") => Meaning::Ordinary,
        (ARGO_HOOK, "PreDelete" | "PostDelete") => Meaning::Later,
        (HELM_HOOK, "pre-install" | "pre-upgrade") => Meaning::Phase(Phase::PreSync),
        (HELM_HOOK, "post-install" | "post-upgrade") => Meaning::Phase(Phase::PostSync),
        (HELM_HOOK, "pre-rollback" | "post-rollback") => Meaning::Phase(Phase::Rollback),
        (HELM_HOOK, "crd-install") => Meaning::Ordinary,
        (HELM_HOOK, "pre-delete" | "post-delete" | "test" | "test-success" | "test-failure") => {
            Meaning::Later
        }
        _ => return None,
    })
}

/// Whether a hook is deleted when it succeeded, and when it failed.
fn delete_policy(object: &Object) -> Result<(bool, bool), PlacementError> {
    let keys = [HOOK_DELETE_ANNOTATION, ARGO_HOOK_DELETE, HELM_HOOK_DELETE];
    let Some((annotation, value)) = first(&keys, |key| object.annotation(key)) else {
        return Ok((false, false));
    };
    let (mut succeeded, mut failed) = (false, false);
    for word in value.split(',').map(str::trim) {
        match (annotation == HELM_HOOK_DELETE, word) {
            (false, "HookSucceeded") | (true, "hook-succeeded") => succeeded = true,
            (false, "HookFailed") | (true, "hook-failed") => failed = true,
            (false, "BeforeHookCreation") | (true, "before-hook-creation") => {}
            (helm, _) => {
                let expected = if helm {
                    "before-hook-creation, hook-succeeded or hook-failed"
                } else {
                    "BeforeHookCreation, HookSucceeded or HookFailed"
                };
                return Err(PlacementError { annotation, value: value.into(), expected });
            }
        }
    }
    Ok((succeeded, failed))
}

fn first<'a>(
    keys: &[&'static str],
    get: impl Fn(&str) -> Option<&'a str>,
) -> Option<(&'static str, &'a str)> {
    keys.iter().find_map(|key| Some((*key, get(key)?)))
}
