use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, from_value, json};

use super::{config_map, id};
use crate::fields::{ManagerNames, Managers};
use crate::object::Object;
use crate::plan::{Action, Verb, changed_by, tell_done};

fn managers(entries: Value) -> Managers {
    let entries: Vec<ManagedFieldsEntry> = from_value(entries).unwrap();
    Managers::read(&ManagerNames { main: "windlass".into(), hand_over: "windlass-handover".into() }, &entries)
}

#[test]
fn who_changed_our_fields_is_told_and_who_added_others_is_not() {
    let desired = Object::new(config_map("a", "1")).unwrap();
    let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
    let live = managers(json!([
        entry("kubectl-patch", json!({"f:data": {"f:key": {}}})),
        entry("autoscaler", json!({"f:data": {"f:added": {}}})),
    ]));
    assert_eq!(changed_by(&desired, &live).as_deref(), Some("/data/key by kubectl-patch"));
    let live = managers(json!([entry("autoscaler", json!({"f:data": {"f:added": {}}}))]));
    assert_eq!(changed_by(&desired, &live), None);
    assert_eq!(changed_by(&desired, &Managers::default()), None);
}

#[test]
fn what_was_done_is_told_with_names_where_they_matter() {
    let action = |verb, name: &str| Action { id: id("ConfigMap", name), verb };
    let done = [
        action(Verb::Prune, "old"),
        action(Verb::Create, "new"),
        action(Verb::Heal, "b"),
        action(Verb::Heal, "a"),
        action(Verb::Restore, "gone"),
        action(Verb::Create, "newer"),
    ];
    let who =
        |id: &crate::object::ObjectId| (id.name == "a").then(|| "/data/key by kubectl-patch".to_owned());
    assert_eq!(
        tell_done(&done, &who),
        "2 created, 2 healed (ConfigMap shop/a: /data/key by kubectl-patch, ConfigMap shop/b), \
         1 restored (ConfigMap shop/gone), 1 pruned (ConfigMap shop/old)"
    );
    assert_eq!(tell_done(&[], &who), "nothing to change");
    let many: Vec<_> = (0..9).map(|i| action(Verb::Prune, &format!("c{i}"))).collect();
    assert!(tell_done(&many, &who).ends_with("ConfigMap shop/c4 and 4 more)"));
}
