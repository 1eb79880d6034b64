use clap::Parser;
use serde_json::Value;
use windlass_core::object::Object;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    install: Install,
}

fn install(arguments: &[&str]) -> Result<Install, clap::Error> {
    Line::try_parse_from([&["install"], arguments].concat()).map(|line| line.install)
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter_map(|object| object["kind"].as_str()).collect()
}

#[test]
fn an_install_is_printed_in_the_order_in_which_it_can_be_created() {
    let objects = objects(&install(&[]).unwrap()).unwrap();
    assert_eq!(
        kinds(&objects),
        [
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "Namespace",
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "Deployment"
        ]
    );
    for object in objects {
        Object::new(object).unwrap();
    }
}

#[test]
fn the_definitions_can_be_left_to_somebody_else() {
    let objects = objects(&install(&["--crds=false"]).unwrap()).unwrap();
    assert!(!kinds(&objects).contains(&"CustomResourceDefinition"));
}

#[test]
fn names_namespaces_and_image_reach_the_objects() {
    let arguments = [
        "-n",
        "ops",
        "--instance",
        "green",
        "--image",
        "r.example/w@sha256:0",
        "--watch-namespace",
        "team-a",
    ];
    let objects = objects(&install(&arguments).unwrap()).unwrap();
    let deployment = objects.last().unwrap();
    assert_eq!(deployment["metadata"]["namespace"], "ops");
    assert_eq!(deployment["metadata"]["name"], "green");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "r.example/w@sha256:0");
    let args: Vec<_> = container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(args.contains(&"--instance=green") && args.contains(&"--watch-namespace=team-a"), "{args:?}");
}

#[test]
fn a_name_that_no_object_can_carry_is_refused() {
    for name in ["", "-a", "a-", "A", "a.b", &"a".repeat(51)] {
        assert!(install(&[&format!("--instance={name}")]).is_err(), "{name:?}");
    }
}
