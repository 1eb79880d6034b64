use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::kinds::{Kinds, Scope};
use super::normalise::normalise;
use super::options::ObjectOptions;
use super::owner::Instance;
use crate::api::{AppKey, MAX_HOOKS};
use crate::object::{Cluster, Gvk, Object, ObjectId};
use crate::release::{Origin, Placement, Release, ReleaseObject, Role};
use crate::rollout::policy_problems;

/// A rendered manifest that wants to be part of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The body, not checked yet.
    pub body: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// What a release is admitted into.
pub struct Admission<'a> {
    /// The kinds that the API server serves.
    pub kinds: &'a dyn Kinds,
    /// The cluster that the objects go to.
    pub cluster: &'a Cluster,
    /// Namespace of namespaced objects that name none.
    pub namespace: &'a str,
    /// Who will own the objects; `None` leaves them unmarked (offline commands).
    pub owner: Option<(&'a Instance, &'a AppKey)>,
    /// Whether a release without any object is one.
    pub allow_empty: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most objects.
    pub objects: usize,
    /// Most bytes of JSON of one object; etcd refuses more than 1.5 MiB.
    pub object_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { objects: 5_000, object_bytes: 1 << 20 }
    }
}

/// Why a manifest, or the release as a whole, is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub reason: ViolationReason,
    /// What is wrong, where, and what to do.
    pub message: String,
}

/// The rules of admission; each is a condition reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViolationReason {
    /// A manifest is not an object that Kubernetes could store.
    InvalidObject,
    /// The API server does not serve the kind, and the release does not define it.
    UnknownKind,
    /// A RolloutPolicy cannot be carried out.
    InvalidPolicy,
    /// An annotation asks for something that there is not.
    InvalidOption,
    /// Two manifests are the same object.
    DuplicateObject,
    /// More objects or bytes than a release may have.
    ReleaseTooLarge,
    /// The sources hold no object at all.
    EmptyRelease,
}

impl fmt::Display for ViolationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Makes a release of all candidates but hooks for occasions that Windlass does not know, or tells everything that stands against it.
///
/// # Errors
/// Every [`Violation`], in the order of the candidates.
pub fn admit(
    revision: String,
    candidates: Vec<Candidate>,
    admission: &Admission<'_>,
) -> Result<Release, Vec<Violation>> {
    if candidates.is_empty() && !admission.allow_empty {
        return Err(vec![Violation {
            reason: ViolationReason::EmptyRelease,
            message: "the sources hold no manifest at all; check the path, or set sync.allowEmpty to let \
                      an empty release prune everything"
                .into(),
        }]);
    }
    if candidates.len() > admission.limits.objects {
        return Err(vec![Violation {
            reason: ViolationReason::ReleaseTooLarge,
            message: format!(
                "the sources hold {} objects, at most {} are allowed; split them over several Applications",
                candidates.len(),
                admission.limits.objects
            ),
        }]);
    }
    let defined = defined_kinds(&candidates);
    let mut violations = Vec::new();
    let mut seen: BTreeMap<ObjectId, Origin> = BTreeMap::new();
    let mut objects = Vec::new();
    for candidate in candidates {
        let origin = candidate.origin.clone();
        match one(candidate, admission, &defined) {
            Err(violation) => violations.push(violation),
            Ok((id, object)) => {
                match Placement::of(&object.object) {
                    Ok(placement) if placement.role == Role::Skipped => continue,
                    Ok(_) => {}
                    Err(error) => {
                        let message = format!("{origin}: {id}: {error}");
                        violations.push(Violation { reason: ViolationReason::InvalidObject, message });
                    }
                }
                if let Some(first) = seen.get(&id) {
                    violations.push(Violation {
                        reason: ViolationReason::DuplicateObject,
                        message: format!(
                            "{id} stands in {origin} (source {}) and in {first} (source {}); remove one",
                            origin.source, first.source
                        ),
                    });
                } else {
                    seen.insert(id, origin);
                    objects.push(object);
                }
            }
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    let release = Release::new(revision, admission.cluster.clone(), objects);
    let runs: usize = release.hooks().map(|hook| hook.hook.phases.len()).sum();
    if runs > MAX_HOOKS {
        return Err(vec![Violation {
            reason: ViolationReason::ReleaseTooLarge,
            message: format!(
                "the sources hold {runs} hooks, at most {MAX_HOOKS} are allowed; make ordinary objects of some, \
                 in waves, or split them over several Applications"
            ),
        }]);
    }
    let problems = policy_problems(&release);
    if !problems.is_empty() {
        let violation = |message| Violation { reason: ViolationReason::InvalidPolicy, message };
        return Err(problems.into_iter().map(violation).collect());
    }
    Ok(release)
}

fn one(
    candidate: Candidate,
    admission: &Admission<'_>,
    defined: &BTreeMap<(String, String), Scope>,
) -> Result<(ObjectId, ReleaseObject), Violation> {
    let Candidate { mut body, origin } = candidate;
    let violation = |reason, message: String| Violation { reason, message };
    normalise(&mut body);
    let size = body.to_string().len();
    let mut object = Object::new(body)
        .map_err(|error| violation(ViolationReason::InvalidObject, format!("{origin}: {error}")))?;
    let gvk = object.gvk().clone();
    let label = format!("{} {}", gvk.kind, object.name());
    if size > admission.limits.object_bytes {
        return Err(violation(
            ViolationReason::ReleaseTooLarge,
            format!(
                "{origin}: {label} has {size} bytes, at most {} are allowed",
                admission.limits.object_bytes
            ),
        ));
    }
    let Some(scope) = scope(&gvk, admission.kinds, defined) else {
        let versions = admission.kinds.versions(&gvk.group, &gvk.kind);
        let help = if versions.is_empty() {
            "install its CustomResourceDefinition or put it into this release".to_owned()
        } else {
            format!("the server has it as {}", versions.join(", "))
        };
        return Err(violation(
            ViolationReason::UnknownKind,
            format!(
                "{origin}: {label}: the API server does not know kind {} in {}; {help}",
                gvk.kind,
                gvk.api_version()
            ),
        ));
    };
    match scope {
        Scope::Cluster => object.set_namespace(None),
        Scope::Namespaced if object.namespace().is_none() => object.set_namespace(Some(admission.namespace)),
        Scope::Namespaced => {}
    }
    // The API server's refusal of such a value would repeat it.
    if gvk.group.is_empty() && gvk.kind == "Secret" {
        for field in ["data", "stringData"] {
            let entries = object.body().get(field).and_then(Value::as_object);
            if let Some((key, _)) = entries.into_iter().flatten().find(|(_, value)| !value.is_string()) {
                let message = format!("{origin}: {label}: {field}.{key} is not a string; quote it");
                return Err(violation(ViolationReason::InvalidObject, message));
            }
        }
    }
    if let Err(error) = ObjectOptions::of(&object) {
        return Err(violation(ViolationReason::InvalidOption, format!("{origin}: {label}: {error}")));
    }
    let id = object.id(admission.cluster);
    if let Some((instance, app)) = admission.owner {
        instance.stamp(app, &id, &mut object);
    }
    Ok((id, ReleaseObject { object, origin }))
}

fn scope(gvk: &Gvk, kinds: &dyn Kinds, defined: &BTreeMap<(String, String), Scope>) -> Option<Scope> {
    kinds.scope(gvk).or_else(|| defined.get(&(gvk.group.clone(), gvk.kind.clone())).copied())
}

/// The kinds that CustomResourceDefinitions among the candidates will add.
fn defined_kinds(candidates: &[Candidate]) -> BTreeMap<(String, String), Scope> {
    let text = |body: &Value, pointer: &str| Some(body.pointer(pointer)?.as_str()?.to_owned());
    candidates
        .iter()
        .filter(|c| c.body.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition"))
        .filter_map(|c| {
            let key = (text(&c.body, "/spec/group")?, text(&c.body, "/spec/names/kind")?);
            let namespaced = text(&c.body, "/spec/scope")? == "Namespaced";
            Some((key, if namespaced { Scope::Namespaced } else { Scope::Cluster }))
        })
        .collect()
}
