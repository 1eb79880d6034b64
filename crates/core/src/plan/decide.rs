use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::fields::FieldsHash;
use super::hooks::{HookAction, failed_hook, hook_actions};
use super::jobs::job_end;
use super::options::Keep;
use super::order::{Order, tier};
use super::owner::Ownership;
use super::steps::Progress;
use super::tell::changed_by;
use crate::api::{Adopt, AppKey, SyncPolicy};
use crate::fields::{Foreign, Managers, StripRules};
use crate::health::Health;
use crate::object::{Digest, ObjectId};
use crate::release::Release;

/// A live object as the watch last showed it, or as the answer to our own apply did.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.creationTimestamp` in seconds since 1970; 0 where there is none.
    pub created: i64,
    /// `metadata.resourceVersion`; comparable within one kind (KEP-5504).
    pub resource_version: u64,
    /// To whom it belongs.
    pub ownership: Ownership,
    /// The fields that are ours.
    pub fields: Option<FieldsHash>,
    /// What others have in it.
    pub managers: Managers,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// Whether it asks to be kept.
    pub keep: Keep,
    /// The wave that its annotations name.
    pub wave: i32,
    /// Its health.
    pub health: Health,
}

/// What we last applied to an object, and what the server said was ours then.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Digest of the desired object.
    pub digest: Digest,
    /// The fields that were ours right after.
    pub fields: Option<FieldsHash>,
}

/// Everything that a plan depends on.
pub struct Input<'a> {
    /// The Application.
    pub app: &'a AppKey,
    /// What should be in the cluster.
    pub release: &'a Release,
    /// Everything that may exist because of this Application.
    pub inventory: &'a BTreeSet<ObjectId>,
    /// How to sync.
    pub policy: &'a SyncPolicy,
    /// A person allowed this release to prune above the limit.
    pub prune_approved: bool,
    /// The live object as last seen.
    pub observed: &'a dyn Fn(&ObjectId) -> Option<Observed>,
    /// What we applied last.
    pub applied: &'a dyn Fn(&ObjectId) -> Option<Applied>,
    /// Another Application of this controller that has the object in its inventory.
    pub claimed: &'a dyn Fn(&ObjectId) -> Option<AppKey>,
    /// Whether another controller looks after an Application, so that its inventory is not known here.
    pub elsewhere: &'a dyn Fn(&AppKey) -> bool,
    /// How far the release is.
    pub progress: Progress<'a>,
}

/// What to do with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The object.
    pub id: ObjectId,
    /// What to do.
    pub verb: Verb,
}

/// What to do with an object, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Apply: it does not exist as far as we know. Whoever owns it must be looked up first.
    Create,
    /// Apply: the release says something new.
    Update,
    /// Apply: somebody changed fields of ours.
    Heal,
    /// Apply: it was as the release says and is gone, or no longer shows our label.
    Restore,
    /// Delete, if it still carries our annotation.
    Prune,
}

/// An object that belongs to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The object.
    pub id: ObjectId,
    /// Who has it and what to do.
    pub message: String,
}

/// Prunes that wait for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneHold {
    /// How many objects would be pruned.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The limit in percent.
    pub limit: u8,
}

/// Actions in their order; the prunes come last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Applies of all steps, step by step and in each tier by tier. Those of one tier are carried out side by
    /// side; none is empty. Before each step [`Steps::held`](super::Steps::held) says whether it may begin.
    pub applies: Vec<Vec<Action>>,
    /// Hooks with something to be done about them, in order.
    pub hooks: Vec<HookAction>,
    /// Prunes by wave and tier in reverse; none is empty.
    pub prunes: Vec<Vec<Action>>,
    /// Objects that belong to somebody else: not touched.
    pub conflicts: Vec<Conflict>,
    /// Objects that differ and are left alone, because self-heal is off.
    pub drifted: Vec<ObjectId>,
    /// Objects that the release no longer has and that stay: pruning is off, or they ask for it.
    pub kept: Vec<ObjectId>,
    /// Who changed what is healed or left as it drifted, as far as the server says: `/data/key by kubectl-patch`.
    pub changed_by: BTreeMap<ObjectId, String>,
    /// Prunes that wait for a person.
    pub prune_hold: Option<PruneHold>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.applies.is_empty() && self.prunes.is_empty() && self.hooks.is_empty()
    }

    /// All actions in order; no hooks.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.applies.iter().chain(&self.prunes).flatten()
    }
}

/// Holds a release against the cluster.
pub fn decide(input: &Input<'_>) -> Plan {
    let mut plan = Plan::default();
    let order = Order::of(input.release);
    let mut applies: BTreeMap<_, Vec<Action>> = BTreeMap::new();
    for (id, _) in input.release.iter() {
        let observed = (input.observed)(id);
        if let Some(conflict) = conflict(input, id, observed.as_ref()) {
            plan.conflicts.push(conflict);
            continue;
        }
        match verb(input, id, observed.as_ref()) {
            None => {}
            Some(Verb::Heal | Verb::Restore) if !input.policy.self_heal => plan.drifted.push(id.clone()),
            Some(verb) => {
                let place = (order.stage(id), tier(&id.group, &id.kind));
                applies.entry(place).or_default().push(Action { id: id.clone(), verb });
            }
        }
    }
    plan.applies = applies.into_values().collect();
    hooks(input, &mut plan);
    if failed_hook(input.progress.runs).is_some() && input.progress.new {
        // A failed release gets no further; what was as it says already is healed.
        for tier in &mut plan.applies {
            tier.retain(|action| matches!(action.verb, Verb::Heal | Verb::Restore));
        }
        plan.applies.retain(|tier| !tier.is_empty());
    } else {
        prunes(input, &mut plan);
    }
    plan.changed_by = blame(input, &plan);
    plan
}

/// Who changed what the plan heals, or would heal.
fn blame(input: &Input<'_>, plan: &Plan) -> BTreeMap<ObjectId, String> {
    let healed = plan.applies.iter().flatten().filter(|action| action.verb == Verb::Heal).map(|a| &a.id);
    let who = |id: &ObjectId| {
        let desired = &input.release.get(id)?.object;
        Some((id.clone(), changed_by(desired, &(input.observed)(id)?.managers)?))
    };
    healed.chain(&plan.drifted).filter_map(who).collect()
}

fn hooks(input: &Input<'_>, plan: &mut Plan) {
    for action in hook_actions(input.release, input.progress, input.observed) {
        match conflict(input, &action.id, (input.observed)(&action.id).as_ref()) {
            Some(conflict) => plan.conflicts.push(conflict),
            None => plan.hooks.push(action),
        }
    }
}

fn verb(input: &Input<'_>, id: &ObjectId, observed: Option<&Observed>) -> Option<Verb> {
    let applied = (input.applied)(id);
    let same = |applied: &Applied| Some(&applied.digest) == input.release.object_digest(id);
    let Some(observed) = observed else {
        let digest = input.release.object_digest(id)?;
        if job_end(input.progress.runs, id, digest).is_some() {
            return None;
        }
        return Some(if applied.as_ref().is_some_and(same) { Verb::Restore } else { Verb::Create });
    };
    // A terminating object cannot be brought back; its end is an event, and then it is restored.
    if observed.deleting {
        return None;
    }
    if input.release.is_left_alone(id) {
        return None;
    }
    match applied {
        None => Some(Verb::Update),
        Some(applied) if !same(&applied) => Some(Verb::Update),
        Some(applied) if applied.fields != observed.fields => Some(Verb::Heal),
        Some(_) if drift(input.release, input.policy, id, observed).next().is_some() => Some(Verb::Heal),
        Some(_) => None,
    }
}

/// Whether a live object is as the release says.
pub fn in_sync(
    release: &Release,
    policy: &SyncPolicy,
    id: &ObjectId,
    observed: Option<&Observed>,
    applied: Option<&Applied>,
) -> bool {
    let Some(observed) = observed else { return false };
    let as_applied = applied.is_some_and(|applied| {
        Some(&applied.digest) == release.object_digest(id) && applied.fields == observed.fields
    });
    release.is_left_alone(id) || as_applied && drift(release, policy, id, observed).next().is_none()
}

/// What others added to an object that is to go.
pub fn drift<'o>(
    release: &Release,
    policy: &SyncPolicy,
    id: &ObjectId,
    observed: &'o Observed,
) -> impl Iterator<Item = &'o Foreign> {
    let rules = StripRules { id, strip: policy.strip.as_deref(), left: release.left_fields(id) };
    observed.managers.drift(&rules).collect::<Vec<_>>().into_iter()
}

fn conflict(input: &Input<'_>, id: &ObjectId, observed: Option<&Observed>) -> Option<Conflict> {
    let message = if let Some(other) = (input.claimed)(id) {
        format!("{id} belongs to Application {other}; remove it from one of the two")
    } else {
        foreign(input, id, &observed?.ownership)?
    };
    Some(Conflict { id: id.clone(), message })
}

/// Why an object with this ownership is not ours to apply; `None` where it is, or may be adopted.
pub fn foreign(input: &Input<'_>, id: &ObjectId, ownership: &Ownership) -> Option<String> {
    match (ownership, input.policy.adopt) {
        (Ownership::App(owner), _) if owner == input.app => None,
        (Ownership::App(owner), _) if (input.elsewhere)(owner) => {
            Some(format!("{id} belongs to Application {owner}; remove it from one of the two"))
        }
        (Ownership::App(owner), Adopt::Never) => {
            Some(format!("{id} carries the annotation of Application {owner}; sync.adopt is Never"))
        }
        // The owner does not have it in its inventory, or is gone.
        (Ownership::App(_) | Ownership::Unowned, Adopt::Unowned | Adopt::Force)
        | (Ownership::Tracked(_), Adopt::Force) => None,
        (Ownership::Unowned, Adopt::Never) => {
            Some(format!("{id} exists already and belongs to no Application; sync.adopt is Never"))
        }
        (Ownership::OtherInstance(owner), _) => Some(format!(
            "{id} belongs to another install of Windlass: {owner}; remove it from one of the two"
        )),
        (Ownership::Tracked(tool), _) => {
            Some(format!("{id} is managed by {tool}; take it out there first, or set sync.adopt to Force"))
        }
        (Ownership::Controlled(owner), _) => {
            Some(format!("{id} was made by {owner}, which would undo every change; remove it from Git"))
        }
    }
}

fn prunes(input: &Input<'_>, plan: &mut Plan) {
    let surplus: Vec<_> = input.inventory.iter().filter(|id| !input.release.contains(id)).collect();
    let (kept, pruned): (Vec<_>, Vec<_>) = surplus.into_iter().partition(|id| {
        !input.policy.prune || (input.observed)(id).is_some_and(|observed| observed.keep.on_prune)
    });
    plan.kept = kept.into_iter().cloned().collect();
    let limit = input.policy.prune_limit_percent();
    // What nobody sees any more was pruned before: the stored inventory is only written with a release.
    let count = pruned.iter().filter(|id| (input.observed)(id).is_some()).count();
    let of = count + input.inventory.iter().filter(|id| input.release.get(id).is_some()).count();
    if !input.prune_approved && of > 10 && count * 100 > of * usize::from(limit) {
        plan.prune_hold = Some(PruneHold { count, of, limit });
        return;
    }
    let mut places: BTreeMap<_, Vec<Action>> = BTreeMap::new();
    for id in pruned {
        let place = prune_place(id, (input.observed)(id).as_ref());
        places.entry(place).or_default().push(Action { id: id.clone(), verb: Verb::Prune });
    }
    plan.prunes = places.into_values().collect();
}

/// The place of an object in the order of pruning: wave and tier, the last first.
pub fn prune_place(id: &ObjectId, observed: Option<&Observed>) -> (Reverse<i32>, Reverse<usize>) {
    (Reverse(observed.map_or(0, |observed| observed.wave)), Reverse(tier(&id.group, &id.kind)))
}
