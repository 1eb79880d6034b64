use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{AppKey, MOVED_FROM_ANNOTATION, MOVED_TO_ANNOTATION};
use crate::plan::{may_take, moved_from};

fn meta(annotation: &str, value: &str) -> ObjectMeta {
    let annotations = Some(BTreeMap::from([(annotation.to_owned(), value.to_owned())]));
    ObjectMeta { annotations, ..ObjectMeta::default() }
}

#[test]
fn the_annotation_names_another_application() {
    let app = AppKey::new("team-a", "new");
    let from = |value| moved_from(&app, &meta(MOVED_FROM_ANNOTATION, value));
    assert_eq!(from("team-a/old"), Some(AppKey::new("team-a", "old")));
    assert_eq!(from("old"), Some(AppKey::new("team-a", "old")));
    assert_eq!(from("team-b/old"), Some(AppKey::new("team-b", "old")));
    for nothing in ["", "/", "team-a/", "/old", "a/b/c", "team-a/new", "new"] {
        assert_eq!(from(nothing), None, "{nothing:?}");
    }
    assert_eq!(moved_from(&app, &ObjectMeta::default()), None);
}

#[test]
fn another_namespace_has_to_agree() {
    let (new, old) = (AppKey::new("team-a", "new"), AppKey::new("team-b", "old"));
    assert!(may_take(&new, &AppKey::new("team-a", "old"), None));
    assert!(!may_take(&new, &old, None), "one that is gone cannot agree");
    assert!(!may_take(&new, &old, Some(&ObjectMeta::default())));
    assert!(may_take(&new, &old, Some(&meta(MOVED_TO_ANNOTATION, "team-a/new"))));
    assert!(!may_take(&new, &old, Some(&meta(MOVED_TO_ANNOTATION, "team-c/new"))));
    assert!(
        !may_take(&new, &old, Some(&meta(MOVED_TO_ANNOTATION, "new"))),
        "that is one of its own namespace"
    );
}
