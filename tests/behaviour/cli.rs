//! What a user types, against a running controller and without one.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Ran, Scene, record};
use crate::tests;

tests![
    get_shows_applications,
    wait_tells_by_its_exit_code,
    build_renders_as_the_controller_does,
    diff_shows_what_a_sync_would_change,
    health_judges_a_file,
    errors_help,
];

fn scene_with_shop() -> (Scene, String) {
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("shop/settings.yaml", Some(&config_map("settings", "one"))),
    ]);
    scene.application("shop", json!({}));
    scene.ready_at("Ready", "shop", &commit);
    (scene, commit)
}

fn get_shows_applications() {
    let (scene, commit) = scene_with_shop();
    let revision = format!("main@{}", &commit[..7]);
    let table = scene.windlass(&["get"]).ok();
    for word in ["NAME", "shop", "Synced", "Healthy", &revision] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    let page = scene.windlass(&["get", "shop"]).ok();
    for word in ["shop", "Synced", "Healthy", &revision, &scene.repository.url] {
        assert!(page.contains(word), "{word} is not in:\n{page}");
    }
    let list: Value = serde_json::from_str(&scene.windlass(&["get", "-o", "json"]).ok()).unwrap();
    assert_eq!(list["items"][0]["metadata"]["name"], "shop");
    let one: Value = serde_json::from_str(&scene.windlass(&["get", "shop", "-o", "json"]).ok()).unwrap();
    assert_eq!(one["status"]["sync"]["revision"], revision.as_str());
    let all = Ran::new(scene.windlass_command().args(["get", "--all-namespaces"])).ok();
    assert!(all.lines().any(|line| line.contains(&scene.namespace) && line.contains("shop")), "{all}");
}

fn wait_tells_by_its_exit_code() {
    let (scene, commit) = scene_with_shop();
    let said = scene.windlass(&["wait", "shop"]).ok();
    assert!(said.contains(&commit[..7]), "{said}");

    scene.repository.commit(&[("shop/settings.yaml", Some("not: [closed"))]);
    let refresh = scene.windlass(&["refresh", "shop"]);
    assert!(refresh.stdout.contains("settings.yaml"), "refresh says what it found: {refresh:?}");
    let began = Instant::now();
    let late = scene.windlass(&["wait", "shop", "--for", "synced", "--timeout", "2s"]);
    record("wait with a timeout of 2 s", began.elapsed());
    assert_eq!(late.code, 3, "{late:?}");
    assert!(late.stderr.contains("settings.yaml"), "it says what it waits for: {late:?}");
    assert_eq!(scene.windlass(&["wait", "shop", "--for", "healthy", "--timeout", "10s"]).code, 0);
    assert!(began.elapsed() > Duration::from_secs(2));
    let missing = scene.windlass(&["wait", "nothing", "--timeout", "10s"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("nothing"), "{missing:?}");
}

fn build_renders_as_the_controller_does() {
    let scene = Scene::waiting(&[]);
    let directory = scene.directory().join("environments");
    fs::create_dir_all(directory.join("prod")).unwrap();
    fs::write(directory.join("values.yaml"), "colour: green\n").unwrap();
    fs::write(directory.join("prod/settings.yaml.hbs"), config_map("settings", "{{colour}}")).unwrap();
    fs::write(directory.join("prod/plain.yaml"), config_map("plain", "one")).unwrap();
    let application = json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "team-a"},
        "spec": {"sources": [{
            "name": "env",
            "git": {"url": "https://git.example/env.git", "branch": "main", "path": "prod"},
            "render": {"handlebars": {"valuesFiles": ["../values.yaml"]}},
        }]},
    });
    let file = directory.join("shop.json");
    fs::write(&file, application.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let root = directory.to_str().unwrap();
    let build =
        |arguments: &[&str]| Ran::new(scene.windlass_command().args(arguments).env_remove("KUBECONFIG"));
    let built = build(&["build", file, "--root", root, "-o", "json"]).ok();
    let objects: Value = serde_json::from_str(&built).unwrap();
    let objects = objects["items"].as_array().unwrap_or_else(|| panic!("{built}"));
    let settings = objects.iter().find(|object| object["metadata"]["name"] == "settings").unwrap();
    assert_eq!(settings["data"]["key"], "green");
    let yaml = build(&[
        "build",
        directory.join("prod").to_str().unwrap(),
        "--values",
        &format!("{root}/values.yaml"),
    ]);
    assert!(yaml.ok().contains("key: green"));

    fs::write(directory.join("prod/plain.yaml"), "a: 1\na: 2\n").unwrap();
    let broken = build(&["build", file, "--root", root]);
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.stderr.contains("prod/plain.yaml:2:1"), "{broken:?}");
    assert_eq!(broken.stdout, "");
}

fn diff_shows_what_a_sync_would_change() {
    let (scene, _) = scene_with_shop();
    let same = scene.windlass(&["diff", "shop"]);
    assert_eq!(same.code, 0, "{same:?}");
    scene.application("shop", json!({"sync": {"mode": "Manual"}}));
    scene.repository.commit(&[
        ("shop/settings.yaml", Some(&config_map("settings", "two"))),
        ("shop/new.yaml", Some(&config_map("new", "one"))),
        ("shop/web.yaml", None),
    ]);
    scene.refresh("shop");
    let mark = scene.mark();
    let differs = scene.windlass(&["diff", "shop"]);
    assert_eq!(differs.code, 1, "{differs:?}");
    for word in ["settings", "-  key: one", "+  key: two", "new", "web"] {
        assert!(differs.stdout.contains(word), "{word} is not in:\n{}{}", differs.stdout, differs.stderr);
    }
    assert_eq!(scene.object_writes(mark), [""; 0]);
    assert!(scene.get("configmap", "new").is_none());
}

fn health_judges_a_file() {
    let (scene, _) = scene_with_shop();
    scene.kubectl_apply(
        &deployment("bad", 1, "web:1").replace("{labels: {app: bad}}", "{labels: {app: bad, fail: crash}}"),
    );
    let live = scene.kubectl(&["get", "deployments", "--output=yaml"]);
    let file = scene.directory().join("live.yaml");
    fs::write(&file, &live).unwrap();
    let judged = scene.windlass_command().args(["health", "-o", "json", "-f"]).arg(&file).output().unwrap();
    let rows: Value = serde_json::from_slice(&judged.stdout).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        (row("web")["kind"].clone(), row("web")["status"].clone()),
        (json!("Deployment"), json!("Healthy"))
    );
    assert_ne!(row("bad")["status"], "Healthy");
    assert_eq!(judged.status.code(), Some(1), "something in it is not healthy");

    let mut piped = scene.windlass_command();
    let mut piped =
        piped.args(["health", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let healthy = scene.kubectl(&["get", "deployment", "web", "--output=json"]);
    piped.stdin.take().unwrap().write_all(healthy.as_bytes()).unwrap();
    let output = piped.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Healthy"));
}

fn errors_help() {
    let scene = Scene::waiting(&[]);
    let nothing = scene.windlass(&["get", "nothing"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("windlass get -A"), "{nothing:?}");
    let config = scene.directory().join("nowhere");
    let nowhere = Ran::new(scene.windlass_command().arg("get").env("KUBECONFIG", config));
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("kubeconfig"), "{nowhere:?}");
    let crds = Ran::new(scene.windlass_command().arg("crds").env_remove("KUBECONFIG")).ok();
    assert!(crds.contains("applications.windlass.dev"));
}
