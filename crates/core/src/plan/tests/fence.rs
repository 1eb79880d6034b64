use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use rstest::rstest;
use serde_json::{from_value, json};

use super::{config_map, id, release};
use crate::api::{AppKey, SyncPolicy};
use crate::fields::Managers;
use crate::health::Health;
use crate::plan::{
    Applied, Due, FieldsHash, Input, Keep, Observed, Ownership, Progress, Verb, due, own_fields,
};

const OURS: u32 = 1;
const TAKEN: u32 = 2;

fn fields(seed: u32) -> Option<FieldsHash> {
    let entry: ManagedFieldsEntry =
        from_value(json!({"manager": "m", "operation": "Apply", "fieldsV1": {"seed": seed}})).unwrap();
    own_fields("m", &[entry])
}

fn app() -> AppKey {
    AppKey::new("team-a", "shop")
}

fn live(ownership: Ownership, hash: u32, deleting: bool) -> Option<Observed> {
    Some(Observed {
        uid: "u".into(),
        created: 0,
        resource_version: 7,
        wave: 0,
        ownership,
        fields: fields(hash),
        deleting,
        keep: Keep::default(),
        managers: Managers::default(),
        health: Health::missing(),
    })
}

fn decided(verb: Verb, live: Option<&Observed>) -> Due {
    let release = release(vec![config_map("a", "1")]);
    let id = id("ConfigMap", "a");
    let digest = release.object_digest(&id).unwrap().clone();
    let input = Input {
        app: &app(),
        release: &release,
        inventory: &BTreeSet::new(),
        policy: &SyncPolicy::default(),
        prune_approved: false,
        observed: &|_| None,
        applied: &|_| Some(Applied { digest: digest.clone(), fields: fields(OURS) }),
        claimed: &|_| None,
        elsewhere: &|_| false,
        progress: Progress::default(),
    };
    due(&input, &id, verb, live)
}

#[rstest]
#[case::nothing_there(Verb::Create, None, Due::Write)]
#[case::gone(Verb::Heal, None, Due::Write)]
#[case::nobodys(Verb::Create, live(Ownership::Unowned, TAKEN, false), Due::Write)]
#[case::still_drifted(Verb::Heal, live(Ownership::App(app()), TAKEN, false), Due::Write)]
#[case::drift_undone(Verb::Heal, live(Ownership::App(app()), OURS, false), Due::Nothing)]
#[case::back_already(Verb::Restore, live(Ownership::App(app()), OURS, false), Due::Nothing)]
#[case::new_release(Verb::Update, live(Ownership::App(app()), OURS, false), Due::Write)]
#[case::terminating(Verb::Update, live(Ownership::App(app()), OURS, true), Due::Wait)]
#[case::terminating_nobodys(Verb::Create, live(Ownership::Unowned, TAKEN, true), Due::Wait)]
fn the_live_object_decides(#[case] verb: Verb, #[case] live: Option<Observed>, #[case] expected: Due) {
    assert_eq!(decided(verb, live.as_ref()), expected);
}

#[test]
fn what_somebody_else_took_meanwhile_is_left_alone() {
    for ownership in
        [Ownership::Controlled("ReplicaSet web-1".into()), Ownership::OtherInstance("blue-1/a/b".into())]
    {
        // Terminating or not: it is not ours to wait for either.
        for deleting in [false, true] {
            let found = decided(Verb::Heal, live(ownership.clone(), OURS, deleting).as_ref());
            assert!(matches!(found, Due::Foreign(_)), "{found:?}");
        }
    }
}
