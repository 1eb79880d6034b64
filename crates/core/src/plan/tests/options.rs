use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;

use crate::fields::Path;
use crate::object::Object;
use crate::plan::{Keep, ObjectOptions, OptionError};

fn options(annotation: &str, value: &str) -> Result<ObjectOptions, OptionError> {
    let body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "annotations": {annotation: value}}
    });
    ObjectOptions::of(&Object::new(body).unwrap())
}

const KEEP: Keep = Keep { on_prune: true, on_delete: true };
const ARGO: &str = "argocd.argoproj.io/sync-options";

#[rstest]
#[case("windlass.dev/prune", "false", ObjectOptions { keep: KEEP, ..Default::default() })]
#[case("windlass.dev/prune", "true", ObjectOptions::default())]
#[case("windlass.dev/create-only", "true", ObjectOptions { create_only: true, ..Default::default() })]
#[case("windlass.dev/create-only", "false", ObjectOptions::default())]
#[case("windlass.dev/replace", "immutable", ObjectOptions { replace: true, ..Default::default() })]
#[case("windlass.dev/rollback", "Keep", ObjectOptions { rollback_keep: true, ..Default::default() })]
#[case("windlass.dev/irreversible", "true", ObjectOptions { irreversible: true, ..Default::default() })]
#[case("helm.sh/resource-policy", "keep", ObjectOptions { keep: KEEP, ..Default::default() })]
#[case(ARGO, "Delete=false", ObjectOptions { keep: Keep { on_delete: true, on_prune: false }, ..Default::default() })]
#[case(ARGO, "Prune=confirm", ObjectOptions { keep: Keep { on_prune: true, on_delete: false }, ..Default::default() })]
#[case(ARGO, " Prune=false , Delete=false", ObjectOptions { keep: KEEP, ..Default::default() })]
#[case(ARGO, "Force=true,Replace=true", ObjectOptions { replace: true, ..Default::default() })]
#[case(ARGO, "Replace=true", ObjectOptions::default())]
#[case(ARGO, "PruneLast=true", ObjectOptions { prune_last: true, ..Default::default() })]
#[case(ARGO, "SkipDryRunOnMissingResource=true", ObjectOptions { skip_dry_run_on_missing: true, ..Default::default() })]
#[case(ARGO, "ServerSideApply=true,Validate=false,,Odd", ObjectOptions::default())]
fn an_annotation_is_understood(#[case] name: &str, #[case] value: &str, #[case] expected: ObjectOptions) {
    assert_eq!(options(name, value), Ok(expected));
}

#[test]
fn ignored_fields_are_a_list_of_paths() {
    let ignore = options("windlass.dev/ignore", "/spec/replicas, /data/[name=a,key=b]").unwrap().ignore;
    assert_eq!(
        ignore,
        [Path::parse("/spec/replicas").unwrap(), Path::parse("/data/[key=b,name=a]").unwrap()]
    );
}

#[rstest]
#[case(
    "windlass.dev/prune",
    "False",
    r#"annotation windlass.dev/prune is "False"; it may be "true" or "false""#
)]
#[case(
    "windlass.dev/create-only",
    "yes",
    r#"annotation windlass.dev/create-only is "yes"; it may be "true" or "false""#
)]
#[case(
    "windlass.dev/replace",
    "always",
    r#"annotation windlass.dev/replace is "always"; it may be immutable"#
)]
#[case("windlass.dev/rollback", "keep", r#"annotation windlass.dev/rollback is "keep"; it may be Keep"#)]
#[case(
    "windlass.dev/ignore",
    "spec",
    "annotation windlass.dev/ignore: \"spec\" is no path of a field: it must begin with a slash and name a field"
)]
#[case(
    "windlass.dev/ignore",
    "/metadata/name",
    "annotation windlass.dev/ignore: \"/metadata/name\" cannot be left to others: it says which object this is and whose"
)]
fn nonsense_is_told(#[case] name: &str, #[case] value: &str, #[case] message: &str) {
    assert_eq!(options(name, value).unwrap_err().to_string(), message);
}

#[test]
fn a_live_object_that_is_to_be_kept_is_known_by_its_annotations() {
    let of = |key: &str, value: &str| Keep::of(Some(&BTreeMap::from([(key.to_owned(), value.to_owned())])));
    assert_eq!(of("windlass.dev/prune", "false"), KEEP);
    assert_eq!(of(ARGO, "Prune=false"), Keep { on_prune: true, on_delete: false });
    assert_eq!(of("windlass.dev/prune", "nonsense"), Keep::default());
    assert_eq!(Keep::of(None), Keep::default());
}
