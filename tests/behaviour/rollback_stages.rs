//! A rollback ends in the same place wherever the controller is killed on the way.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment, service};
use crate::harness::{Fate, Gate, Proxy, Scene, pause, until};
use crate::tests;

tests![killed_while_it_applies, killed_before_it_undoes, killed_while_it_undoes];

/// Where the controller is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// So many objects of the bad release are written, the next one is about to be.
    Applying(usize),
    /// All of it is applied.
    Applied,
    /// The quarantine is about to be stored.
    Storing,
    /// The quarantine is stored, the status is about to say so.
    Telling,
    /// So many objects are written back, the next one is about to be.
    Undoing(usize),
}

/// Objects that the bad release changes, adds or removes.
const OBJECTS: [&str; 7] = [
    "deployments/web",
    "configmaps/settings",
    "services/web",
    "roles/reader",
    "gizmos/big",
    "configmaps/added",
    "configmaps/removed",
];

fn definition(group: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gizmos.{group}}}
spec:
  group: {group}
  names: {{kind: Gizmo, plural: gizmos}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    )
}

fn gizmo(group: &str, size: usize) -> String {
    format!("apiVersion: {group}/v1\nkind: Gizmo\nmetadata: {{name: big}}\nspec: {{size: {size}}}\n")
}

fn role(verb: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: reader}}\n\
         rules: [{{apiGroups: [\"\"], resources: [pods], verbs: [{verb}]}}]\n"
    )
}

/// A scene with a release that proved itself, and everything as it is live then.
fn good(group: &str, timeout: &str) -> (Scene, Proxy, BTreeMap<String, Value>) {
    let mut scene = Scene::waiting(&["--no-leader-election"]);
    let proxy = scene.proxy();
    scene.controller.start();
    let first = scene.repository.commit(&[
        ("shop/definition.yaml", Some(&definition(group))),
        ("shop/gizmo.yaml", Some(&gizmo(group, 0))),
        ("shop/web.yaml", Some(&deployment("web", 1, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
        ("shop/service.yaml", Some(&service("web"))),
        ("shop/role.yaml", Some(&role("get"))),
        ("shop/removed.yaml", Some(&config_map("removed", "one"))),
    ]);
    scene.application("shop", json!({"onFailure": "Rollback", "health": {"timeout": timeout}}));
    scene.ready_at("Ready", "shop", &first);
    let before = live(&scene, group);
    assert_eq!(before.len(), OBJECTS.len() - 1, "{before:?}");
    (scene, proxy, before)
}

/// Commits a release that crashes, unlike every other one.
fn commit_bad(scene: &Scene, group: &str, round: usize) -> String {
    let web = deployment("web", 1, &format!("web:bad-{round}"));
    let web = web.replace("{labels: {app: web}}", "{labels: {app: web, fail: crash}}");
    let value = format!("bad {round}");
    let (gizmo, settings) = (gizmo(group, round + 1), config_map("settings", &value));
    let service = service("web").replace("80", &format!("{}", 81 + round));
    let (role, added) = (role("list"), config_map("added", &value));
    let mut files = vec![
        ("shop/gizmo.yaml", Some(gizmo.as_str())),
        ("shop/web.yaml", Some(&web)),
        ("shop/settings.yaml", Some(&settings)),
        ("shop/service.yaml", Some(&service)),
        ("shop/role.yaml", Some(&role)),
        ("shop/added.yaml", Some(&added)),
    ];
    if round == 0 {
        files.push(("shop/removed.yaml", None));
    }
    let commit = scene.repository.commit(&files);
    scene.windlass(&["refresh", "shop", "--no-wait"]).ok();
    commit
}

/// The objects as they are live, but for what the cluster says of them.
fn live(scene: &Scene, group: &str) -> BTreeMap<String, Value> {
    let names = OBJECTS.map(|name| name.replace("gizmos/", &format!("gizmos.{group}/")));
    let mut arguments = vec!["get", "--ignore-not-found", "--output=json"];
    arguments.extend(names.iter().map(String::as_str));
    let mut found: Value = serde_json::from_str(&scene.kubectl(&arguments)).unwrap();
    let items = found["items"].as_array_mut().unwrap().drain(..);
    items
        .map(|mut item| {
            let name = format!("{} {}", item["kind"], item["metadata"]["name"]);
            let labels = item["metadata"]["labels"].take();
            let item = item.as_object_mut().unwrap();
            item.remove("status");
            item.insert("metadata".to_owned(), labels);
            (name, Value::Object(item.clone()))
        })
        .collect()
}

/// Has the controller stop at a point; the gate is where.
fn stop_at(proxy: &Proxy, point: Point) -> Gate {
    let gate = Gate::default();
    let at = gate.clone();
    let (mut written, mut undone, mut pruned, mut stored) = (0, 0, false, false);
    proxy.decide(move |method, path| {
        if method == "GET" || path.contains("dryRun") {
            return Fate::Passes;
        }
        let object = OBJECTS.iter().any(|object| path.contains(&format!("/{object}?")))
            || OBJECTS.iter().any(|object| path.ends_with(&format!("/{object}")));
        let stops = match point {
            Point::Applying(count) => object && written >= count,
            Point::Applied => false,
            Point::Storing => path.contains("/secrets"),
            Point::Telling => stored && path.contains("/applications/shop/status"),
            Point::Undoing(count) => pruned && object && undone >= count,
        };
        if stops {
            return Fate::Waits(at.clone());
        }
        written += usize::from(object);
        undone += usize::from(object && pruned);
        stored |= path.contains("/secrets");
        // What a release removes it removes last.
        pruned |= method == "DELETE" && path.contains("/configmaps/removed");
        Fate::Passes
    });
    gate
}

/// Rolls bad releases out, and kills the controller there.
fn killed_at(group: &str, timeout: &str, points: &[Point]) {
    let (mut scene, proxy, before) = good(group, timeout);
    for (round, point) in points.iter().enumerate() {
        let before_failure = matches!(point, Point::Storing | Point::Telling);
        let mut gate = Gate::default();
        if !before_failure {
            gate = stop_at(&proxy, *point);
        }
        let bad = commit_bad(&scene, group, round);
        if before_failure {
            // What is stored from now on is that it failed.
            until("applied", || applied(&scene, group, &before));
            pause(3.0);
            gate = stop_at(&proxy, *point);
        }
        until(&format!("at {point:?}"), || match point {
            Point::Applied => applied(&scene, group, &before),
            _ if gate.arrived() > 0 => Ok(()),
            _ => Err(scene.condition("shop", "Ready").map_or_else(|none| none, |ready| ready.message)),
        });
        scene.controller.kill();
        let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
        let failed =
            status.history.iter().any(|entry| entry.revision.contains(&bad[..7]) && entry.result == "Failed");
        assert!(failed || !before_failure, "{point:?}: {status:?}");
        let told = status.quarantined.iter().any(|entry| entry.revision.contains(&bad[..7]));
        assert_eq!(told, matches!(point, Point::Undoing(_)), "{point:?}: {status:?}");
        assert_eq!(live(&scene, group) == before, matches!(point, Point::Applying(0)), "{point:?}");
        proxy.pass();
        scene.controller.start();
        until(&format!("restored after {point:?}"), || restored(&scene, group, &bad, &before));
        scene.settled();
        restored(&scene, group, &bad, &before).unwrap();
    }
}

/// Whether every object is as the bad release says.
fn applied(scene: &Scene, group: &str, before: &BTreeMap<String, Value>) -> Result<(), String> {
    let now = live(scene, group);
    let all = now.len() == before.len() && now.iter().all(|(id, object)| before.get(id) != Some(object));
    if all { Ok(()) } else { Err(format!("{now:?}")) }
}

/// Whether everything is as it was before the bad release.
fn restored(scene: &Scene, group: &str, bad: &str, before: &BTreeMap<String, Value>) -> Result<(), String> {
    let status = scene.read("shop").and_then(|app| app.status).unwrap_or_default();
    let ready = scene.condition("shop", "Ready")?;
    let healthy = status.stable.as_ref().is_some_and(|stable| stable.healthy_since.is_some());
    let quarantined = status.quarantined.iter().any(|entry| entry.revision.contains(&bad[..7]));
    let told = ready.status == "False" && ready.reason == "RolledBack" && ready.message.contains(&bad[..7]);
    let now = live(scene, group);
    if told && healthy && quarantined && status.next.is_none() && now == *before {
        return Ok(());
    }
    let message = format!("{}: {}", ready.reason, ready.message);
    Err(format!("{message}, healthy {healthy}, quarantined {quarantined}, now {now:?}, before {before:?}"))
}

fn killed_while_it_applies() {
    killed_at("applies.behaviour.example", "5s", &[Point::Applying(0), Point::Applying(1), Point::Applied]);
}

fn killed_before_it_undoes() {
    killed_at("quarantines.behaviour.example", "9s", &[Point::Storing, Point::Telling]);
}

fn killed_while_it_undoes() {
    killed_at("undoes.behaviour.example", "5s", &[Point::Undoing(0), Point::Undoing(1), Point::Undoing(4)]);
}
