//! The chart renders, by the real Helm, the objects that `windlass install` prints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

#[test]
fn the_chart_renders_what_install_prints() {
    let helm = helm();
    for (namespace, settings, flags) in [
        ("windlass-system", vec![], vec![]),
        (
            "ops",
            vec!["instance=green", "image=r.example/windlass:1", "watchNamespaces={team-a,team-b}"],
            vec![
                "--instance=green",
                "--image=r.example/windlass:1",
                "--watch-namespace=team-a",
                "--watch-namespace=team-b",
            ],
        ),
        ("windlass-system", vec!["crds=false"], vec!["--crds=false"]),
    ] {
        let mut template = Command::new(&helm);
        template.args(["template", "windlass", "charts/windlass", "--namespace", namespace]);
        template.args(["--kube-version", "1.33.0", "--set", "createNamespace=true"]);
        for setting in settings {
            template.args(["--set", setting]);
        }
        let mut install = Command::new(env!("CARGO_BIN_EXE_windlass"));
        install.args(["install", "--namespace", namespace]).args(flags);
        let (mut charted, printed) = (objects(&mut template), objects(&mut install));
        for object in charted.values_mut() {
            drop_helm_annotations(object);
        }
        assert_eq!(charted.keys().collect::<Vec<_>>(), printed.keys().collect::<Vec<_>>());
        let differences: Vec<_> =
            charted.iter().filter_map(|(id, object)| difference(id, object, &printed[id])).collect();
        assert_eq!(differences, Vec::<String>::new());
    }
}

#[test]
fn the_chart_refuses_a_setting_that_it_does_not_have() {
    let output = Command::new(helm())
        .args(["template", "charts/windlass", "--kube-version", "1.33.0", "--set", "replicas=3"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("'replicas' not allowed"), "{output:?}");
}

/// The path of Helm, built from its pinned module where that was not done yet.
fn helm() -> String {
    text(Command::new("tests/cluster/build.sh").arg("helm")).trim().to_owned()
}

fn text(command: &mut Command) -> String {
    let output = command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The objects of a YAML stream by kind and name.
fn objects(command: &mut Command) -> BTreeMap<String, Value> {
    let stream = text(command);
    serde_yaml::Deserializer::from_str(&stream)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null())
        .map(|object| (format!("{} {}", object["kind"], object["metadata"]["name"]), object))
        .collect()
}

/// Helm alone is told to keep the definitions when a release is uninstalled.
fn drop_helm_annotations(object: &mut Value) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    let left = match metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        Some(annotations) => {
            annotations.retain(|key, _| !key.starts_with("helm.sh/"));
            annotations.len()
        }
        None => return,
    };
    if left == 0 {
        metadata.remove("annotations");
    }
}

/// Where two values differ first. Helm turns numbers like `0.0` into `0`, which means the same.
fn difference(path: &str, charted: &Value, printed: &Value) -> Option<String> {
    match (charted, printed) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let side = |map: &serde_json::Map<_, _>| map.get(key).cloned().unwrap_or_default();
                difference(&format!("{path}.{key}"), &side(a), &side(b))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: the chart has {a}, install has {b}")),
    }
}
