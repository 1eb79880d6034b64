use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use crate::fields::{Path, PathError, Segment};

#[rstest]
#[case("/spec/replicas", "/spec/replicas")]
#[case("/metadata/annotations/example.com~1note", "/metadata/annotations/example.com~1note")]
#[case("/spec/containers/[name=web]/image", "/spec/containers/[name=web]/image")]
#[case("/spec/ports/[protocol=TCP, port=80]", "/spec/ports/[port=80,protocol=TCP]")]
#[case("/metadata/finalizers/[=example.com~1x]", "/metadata/finalizers/[=example.com~1x]")]
#[case("/spec/rules/0/host", "/spec/rules/0/host")]
fn a_path_is_read_and_written(#[case] text: &str, #[case] written: &str) {
    let path = Path::parse(text).unwrap();
    assert_eq!(path.to_string(), written);
    assert_eq!(Path::parse(written).unwrap(), path);
}

#[rstest]
#[case("")]
#[case("/")]
#[case("spec/replicas")]
#[case("/spec/containers/[web]")]
#[case("/spec/containers/[]")]
fn what_is_no_path_is_refused(#[case] text: &str) {
    assert!(Path::parse(text).is_err());
}

#[rstest]
#[case("/metadata")]
#[case("/kind")]
#[case("/metadata/name")]
#[case("/metadata/labels")]
#[case("/metadata/annotations/windlass.dev~1owner")]
fn the_identity_of_an_object_is_nobody_elses(#[case] text: &str) {
    let refused = Path::parse(text).unwrap().not_identity();
    assert_eq!(refused, Err(PathError::Identity(text.into())));
}

#[test]
fn a_list_of_paths_is_split_outside_of_brackets() {
    let paths = Path::parse_list(" /spec/replicas, /spec/ports/[port=80,protocol=TCP]/nodePort ,").unwrap();
    let texts: Vec<_> = paths.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["/spec/replicas", "/spec/ports/[port=80,protocol=TCP]/nodePort"]);
    assert!(Path::parse_list("/a,b").is_err());
}

#[rstest]
#[case("/spec", "/spec/replicas", true)]
#[case("/spec/replicas", "/spec", false)]
#[case("/spec/ports/[port=80]", "/spec/ports/[port=80,protocol=TCP]/name", true)]
#[case("/spec/ports/[port=80,protocol=TCP]", "/spec/ports/[port=80]", false)]
#[case("/spec/re", "/spec/replicas", false)]
fn a_field_covers_what_is_in_it(#[case] a: &str, #[case] b: &str, #[case] covers: bool) {
    assert_eq!(Path::parse(a).unwrap().covers(&Path::parse(b).unwrap()), covers);
}

#[rstest]
#[case("[name=b]", Some(1))]
#[case("[name=c]", None)]
#[case("[port=80]", Some(2))]
#[case("[port=80,protocol=TCP]", Some(2))]
#[case("[port=80,protocol=UDP]", None)]
#[case("[=x]", Some(3))]
#[case("0", Some(0))]
#[case("9", None)]
fn items_are_found_by_key_value_or_place(#[case] step: &str, #[case] place: Option<usize>) {
    let list = json!([{"name": "a"}, {"name": "b"}, {"port": 80}, "x"]);
    let path = Path::parse(&format!("/{step}")).unwrap();
    assert_eq!(path.segments()[0].place(list.as_array().unwrap()), place);
    assert_eq!(path.segments()[0].find(&list), place.map(|place| &list[place]));
}

#[test]
fn a_digit_is_a_name_where_there_is_a_mapping() {
    assert_eq!(Segment::Field("0".into()).find(&json!({"0": "zero"})), Some(&json!("zero")));
    assert_eq!(Segment::Field("0".into()).find(&Value::Null), None);
}

proptest! {
    #[test]
    fn any_path_survives_writing_and_reading(steps in proptest::collection::vec("[^\\[\\],=]{1,8}", 1..6)) {
        let path = Path::new(steps.into_iter().map(Segment::Field).collect());
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
    }

    #[test]
    fn no_text_is_a_surprise(text in ".{0,40}") {
        if let Ok(path) = Path::parse(&text) {
            prop_assert!(path.covers(&path));
        }
        let _ = Path::parse_list(&text);
    }
}
