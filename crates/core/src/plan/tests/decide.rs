use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use rstest::rstest;
use serde_json::{from_value, json};

use super::{config_map, id, release};
use crate::api::{Adopt, AppKey, HealthStatus, SyncPolicy};
use crate::fields::Managers;
use crate::health::Health;
use crate::object::ObjectId;
use crate::plan::{
    Action, Applied, FieldsHash, Input, Keep, Observed, Ownership, Plan, Progress, Verb, decide, own_fields,
};
use crate::release::Release;

/// A cluster in which everything of the release is applied and as it should be.
struct World {
    release: Release,
    inventory: BTreeSet<ObjectId>,
    policy: SyncPolicy,
    approved: bool,
    observed: BTreeMap<ObjectId, Observed>,
    applied: BTreeMap<ObjectId, Applied>,
    claimed: BTreeMap<ObjectId, AppKey>,
}

fn app() -> AppKey {
    AppKey::new("team-a", "shop")
}

fn fields(seed: u32) -> Option<FieldsHash> {
    let entry: ManagedFieldsEntry =
        from_value(json!({"manager": "m", "operation": "Apply", "fieldsV1": {"seed": seed}})).unwrap();
    own_fields("m", &[entry])
}

fn seen(owner: Ownership, hash: u32) -> Observed {
    Observed {
        uid: "u".into(),
        created: 0,
        resource_version: 1,
        ownership: owner,
        fields: fields(hash),
        managers: Managers::default(),
        deleting: false,
        keep: Keep::default(),
        wave: 0,
        health: Health { status: HealthStatus::Healthy, message: String::new() },
    }
}

impl World {
    fn in_sync(release: Release) -> Self {
        let applied = release
            .ids()
            .iter()
            .map(|id| {
                let digest = release.object_digest(id).unwrap().clone();
                (id.clone(), Applied { digest, fields: fields(1) })
            })
            .collect();
        let observed = release.ids().iter().map(|id| (id.clone(), seen(Ownership::App(app()), 1))).collect();
        let inventory = release.ids().iter().cloned().collect();
        let policy = SyncPolicy::default();
        Self { release, inventory, policy, approved: false, observed, applied, claimed: BTreeMap::new() }
    }

    fn plan(&self) -> Plan {
        decide(&Input {
            app: &app(),
            release: &self.release,
            inventory: &self.inventory,
            policy: &self.policy,
            prune_approved: self.approved,
            observed: &|id| self.observed.get(id).cloned(),
            applied: &|id| self.applied.get(id).cloned(),
            claimed: &|id| self.claimed.get(id).cloned(),
            elsewhere: &|key| key.namespace == "elsewhere",
            progress: Progress::default(),
        })
    }

    fn verbs(&self) -> Vec<(Verb, String)> {
        self.plan().actions().map(|a| (a.verb, a.id.to_string())).collect()
    }
}

fn two() -> World {
    World::in_sync(release(vec![config_map("a", "1"), config_map("b", "1")]))
}

#[test]
fn in_sync_gives_nothing_to_do() {
    assert_eq!(two().plan(), Plan::default());
}

#[test]
fn a_second_release_changes_just_what_changed() {
    let mut world = two();
    world.release = release(vec![config_map("a", "1"), config_map("b", "2")]);
    assert_eq!(world.verbs(), [(Verb::Update, "ConfigMap shop/b".into())]);
}

#[test]
fn drift_is_healed_and_only_reported_where_self_heal_is_off() {
    let mut world = two();
    world.observed.insert(id("ConfigMap", "a"), seen(Ownership::App(app()), 2));
    world.observed.remove(&id("ConfigMap", "b"));
    assert_eq!(
        world.verbs(),
        [(Verb::Heal, "ConfigMap shop/a".into()), (Verb::Restore, "ConfigMap shop/b".into())]
    );
    world.policy.self_heal = false;
    assert!(world.plan().is_empty());
    assert_eq!(world.plan().drifted.len(), 2);
}

#[test]
fn a_terminating_object_is_left_until_it_is_gone() {
    let mut world = two();
    world.observed.get_mut(&id("ConfigMap", "a")).unwrap().deleting = true;
    assert!(world.plan().is_empty());
}

#[test]
fn namespaces_and_definitions_come_first_and_go_last() {
    let bodies = ["Deployment", "Namespace", "ConfigMap", "CustomResourceDefinition"].map(|kind| {
        let id = id(kind, "x");
        let version = if id.group.is_empty() { "v1".into() } else { format!("{}/v1", id.group) };
        let mut metadata = json!({"name": "x"});
        if !id.namespace.is_empty() {
            metadata["namespace"] = "shop".into();
        }
        json!({"apiVersion": version, "kind": kind, "metadata": metadata})
    });
    let mut world = World::in_sync(release(bodies.to_vec()));
    let order: Vec<_> = {
        world.applied.clear();
        world.observed.clear();
        world.plan().applies.concat().into_iter().map(|a| a.id.kind).collect()
    };
    assert_eq!(order, ["Namespace", "CustomResourceDefinition", "ConfigMap", "Deployment"]);
    world.release = release(vec![config_map("other", "")]);
    world.approved = true;
    let prunes: Vec<_> = world.plan().prunes.concat().into_iter().map(|a| a.id.kind).collect();
    assert_eq!(prunes, ["Deployment", "ConfigMap", "CustomResourceDefinition", "Namespace"]);
}

#[test]
fn what_the_release_no_longer_has_is_pruned_unless_somebody_says_no() {
    let mut world = two();
    world.release = release(vec![config_map("a", "1")]);
    assert_eq!(world.verbs(), [(Verb::Prune, "ConfigMap shop/b".into())]);
    world.observed.get_mut(&id("ConfigMap", "b")).unwrap().keep.on_prune = true;
    assert_eq!((world.verbs().len(), world.plan().kept.len()), (0, 1));
    world.observed.get_mut(&id("ConfigMap", "b")).unwrap().keep.on_prune = false;
    world.policy.prune = false;
    assert_eq!((world.verbs().len(), world.plan().kept.len()), (0, 1));
}

#[rstest]
#[case(10, 9, false)]
#[case(11, 5, false)]
#[case(12, 6, false)]
#[case(12, 7, true)]
fn a_large_prune_waits_for_a_person(#[case] of: usize, #[case] pruned: usize, #[case] held: bool) {
    let bodies: Vec<_> = (0..of).map(|i| config_map(&format!("c{i:02}"), "")).collect();
    let mut world = World::in_sync(release(bodies.clone()));
    world.release = release(bodies[pruned..].to_vec());
    assert_eq!(world.plan().prune_hold.is_some(), held);
    assert_eq!(world.plan().is_empty(), held);
    world.approved = true;
    assert_eq!(world.plan().prunes.concat().len(), pruned);
}

#[test]
fn what_was_pruned_before_does_not_count_towards_the_limit() {
    let bodies: Vec<_> = (0..20).map(|i| config_map(&format!("c{i:02}"), "")).collect();
    let mut world = World::in_sync(release(bodies.clone()));
    world.release = release(bodies[15..].to_vec());
    world.observed.retain(|id, _| world.release.get(id).is_some());
    assert_eq!(world.plan().prune_hold, None);
    assert_eq!(world.plan().prunes.concat().len(), 15, "each is looked up once more");
}

#[rstest]
#[case(Ownership::Unowned, Adopt::Unowned, false)]
#[case(Ownership::Unowned, Adopt::Never, true)]
#[case(Ownership::Tracked("Flux"), Adopt::Unowned, true)]
#[case(Ownership::Tracked("Flux"), Adopt::Force, false)]
#[case(Ownership::App(app()), Adopt::Never, false)]
#[case(Ownership::App(AppKey::new("team-a", "gone")), Adopt::Unowned, false)]
#[case(Ownership::App(AppKey::new("elsewhere", "x")), Adopt::Force, true)]
#[case(Ownership::OtherInstance("w/a/b".into()), Adopt::Force, true)]
#[case(Ownership::Controlled("Foo f".into()), Adopt::Force, true)]
fn others_objects_are_conflicts(#[case] owner: Ownership, #[case] adopt: Adopt, #[case] conflict: bool) {
    let mut world = two();
    world.policy.adopt = adopt;
    world.applied.clear();
    world.observed.insert(id("ConfigMap", "a"), seen(owner, 1));
    assert_eq!(world.plan().conflicts.len(), usize::from(conflict));
}

#[test]
fn a_claimed_object_names_its_owner() {
    let mut world = two();
    world.claimed.insert(id("ConfigMap", "b"), AppKey::new("team-b", "other"));
    let plan = world.plan();
    assert!(plan.is_empty());
    assert_eq!(
        plan.conflicts[0].message,
        "ConfigMap shop/b belongs to Application team-b/other; remove it from one of the two"
    );
}

#[test]
fn waves_come_in_order_and_go_in_reverse() {
    let in_wave = |name: &str, wave: i32| {
        let mut body = config_map(name, "1");
        body["metadata"]["annotations"] = json!({"windlass.dev/wave": wave.to_string()});
        body
    };
    let mut world = World::in_sync(release(vec![in_wave("a", 2), in_wave("b", -1), in_wave("c", 0)]));
    for (name, wave) in [("a", 2), ("b", -1), ("c", 0)] {
        world.observed.get_mut(&id("ConfigMap", name)).unwrap().wave = wave;
    }
    world.applied.clear();
    let names = |tiers: &[Vec<Action>]| {
        tiers.iter().map(|tier| tier.iter().map(|a| a.id.name.as_str()).collect()).collect::<Vec<String>>()
    };
    assert_eq!(names(&world.plan().applies), ["b", "c", "a"]);
    world.release = release(Vec::new());
    assert_eq!(names(&world.plan().prunes), ["a", "c", "b"]);
}

#[test]
fn what_is_gone_and_has_a_new_content_is_no_heal() {
    let mut world = two();
    world.observed.remove(&id("ConfigMap", "a"));
    world.release = release(vec![config_map("a", "2"), config_map("b", "1")]);
    assert_eq!(world.verbs(), [(Verb::Create, "ConfigMap shop/a".into())]);
}
