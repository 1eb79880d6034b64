use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::object::ObjectId;
use crate::release::{Phase, Release};

/// How many tiers there are.
pub const TIERS: usize = 8;

/// The tier of CustomResourceDefinitions: before the next one, they must be Established.
pub const CRD_TIER: usize = 1;

/// The place of a kind in the order of applying, from 0; pruning goes the other way. Objects of one tier
/// are applied side by side. What others refer to comes first, what lets traffic in comes late, and what
/// can block every other request (webhooks, aggregated APIs) comes last.
pub fn tier(group: &str, kind: &str) -> usize {
    match (group, kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", _) => CRD_TIER,
        (
            "",
            "ServiceAccount"
            | "Secret"
            | "ConfigMap"
            | "ResourceQuota"
            | "LimitRange"
            | "PersistentVolume"
            | "PersistentVolumeClaim",
        )
        | ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io", _)
        | ("networking.k8s.io", "NetworkPolicy" | "IngressClass")
        | ("gateway.networking.k8s.io", "GatewayClass") => 2,
        ("", "Service") => 3,
        ("apps" | "batch", _) | ("", "Pod" | "ReplicationController") => 4,
        ("autoscaling" | "policy", _) => 5,
        ("networking.k8s.io" | "gateway.networking.k8s.io", _) => 6,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 7,
        _ => 5,
    }
}

/// A step of a release. The next one begins when everything of this one is applied and healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Namespaces and definitions that hooks before the release need.
    Before,
    /// Hooks before the release, by wave.
    PreSync(i32),
    /// A wave: its objects by tier, and its Sync hooks.
    Wave(i32),
    /// Hooks after the release, by wave.
    PostSync(i32),
    /// Hooks of a failed release, by wave.
    SyncFail(i32),
    /// Hooks of a release that is undone, by wave.
    Rollback(i32),
}

/// `wave 0`, `PreSync`, `PreSync wave 2`
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, wave) = match self {
            Self::Before => return f.write_str("namespaces and definitions"),
            Self::Wave(wave) => return write!(f, "wave {wave}"),
            Self::PreSync(wave) => ("PreSync", wave),
            Self::PostSync(wave) => ("PostSync", wave),
            Self::SyncFail(wave) => ("SyncFail", wave),
            Self::Rollback(wave) => ("Rollback", wave),
        };
        f.write_str(name)?;
        if *wave == 0 { Ok(()) } else { write!(f, " wave {wave}") }
    }
}

impl Stage {
    /// When a hook of this phase and wave runs.
    pub fn of_hook(phase: Phase, wave: i32) -> Self {
        match phase {
            Phase::PreSync => Self::PreSync(wave),
            Phase::Sync => Self::Wave(wave),
            Phase::PostSync => Self::PostSync(wave),
            Phase::SyncFail => Self::SyncFail(wave),
            Phase::Rollback => Self::Rollback(wave),
        }
    }
}

/// The steps of a release: in which one each of its objects is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    stages: BTreeMap<ObjectId, Stage>,
}

impl Order {
    /// Of a release. A Namespace comes no later than what is in it, a CustomResourceDefinition no later than
    /// its resources, whatever their waves say.
    pub fn of(release: &Release) -> Self {
        let objects = release.iter().map(|(id, _)| id).zip(release.waves().map(Stage::Wave));
        let mut stages: BTreeMap<_, _> = objects.map(|(id, stage)| (id.clone(), stage)).collect();
        let pre = |hook: &crate::release::ReleaseHook<'_>| hook.hook.phases.contains(&Phase::PreSync);
        let early: BTreeSet<_> = release.hooks().filter(pre).map(|hook| hook.id.clone()).collect();
        let users = early.iter().map(|id| (id, Stage::Before)).chain(stages.iter().map(|(id, s)| (id, *s)));
        let mut namespaces: BTreeMap<&str, Stage> = BTreeMap::new();
        let mut kinds: BTreeMap<(&str, &str), Stage> = BTreeMap::new();
        for (id, stage) in users {
            earliest(&mut namespaces, id.namespace.as_str(), stage);
            earliest(&mut kinds, (id.group.as_str(), id.kind.as_str()), stage);
        }
        let mut needed = Vec::new();
        for (id, object) in release.iter() {
            let stage = match (id.group.as_str(), id.kind.as_str()) {
                ("", "Namespace") => namespaces.get(id.name.as_str()),
                ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                    let text = |pointer| object.object.body().pointer(pointer).and_then(|v| v.as_str());
                    let kind = text("/spec/group").zip(text("/spec/names/kind"));
                    kind.and_then(|kind| kinds.get(&kind))
                }
                _ => None,
            };
            needed.extend(stage.map(|stage| (id.clone(), *stage)));
        }
        for (id, stage) in needed {
            earliest(&mut stages, id, stage);
        }
        Self { stages }
    }

    /// The step in which an object that is no hook is applied.
    pub fn stage(&self, id: &ObjectId) -> Option<Stage> {
        self.stages.get(id).copied()
    }
}

fn earliest<K: Ord>(stages: &mut BTreeMap<K, Stage>, key: K, stage: Stage) {
    let known = stages.entry(key).or_insert(stage);
    *known = stage.min(*known);
}
