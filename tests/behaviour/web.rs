//! The status page of a real controller in a real browser.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::harness::manifests::{config_map, deployment};
use crate::harness::{Ran, Scene, record};
use crate::tests;

#[path = "../browser/driver.rs"]
mod driver;

tests![the_status_page_is_live_in_a_browser];

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

/// Whether a browser is here, and node to drive it; `WINDLASS_TEST_BROWSER=required` makes their absence a failure.
fn browser_is_there() -> bool {
    let debian = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    let chromium =
        std::env::var_os("CHROMIUM").is_some() || debian.iter().any(|path| Path::new(path).exists());
    let node = Command::new("npm").arg("--version").output().is_ok();
    let required = std::env::var("WINDLASS_TEST_BROWSER").is_ok_and(|text| text == "required");
    assert!(chromium && node || !required, "node and npm are here: {node}, chromium: {chromium}");
    chromium && node
}

fn the_status_page_is_live_in_a_browser() {
    if !browser_is_there() {
        println!("web: skipped: there is no Chromium or no node");
        return;
    }
    Ran::new(&mut Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/install.sh"))).ok();
    let scene = Scene::new();
    let commit = scene.repository.commit(&[
        ("shop/web.yaml", Some(&deployment("web", 2, "web:1"))),
        ("other/settings.yaml", Some(&config_map("other", "one"))),
    ]);
    for name in ["shop", "other"] {
        scene.application(name, json!({}));
        scene.ready_at("Ready", name, &commit);
    }
    let apps = [format!("{}/shop", scene.namespace), format!("{}/other", scene.namespace)];
    let apps: Vec<_> = apps.iter().map(String::as_str).collect();
    let report = driver::look(&scene.controller.web(), &apps, |change| {
        // A broken manifest puts its own words on the page.
        let (key, text) = if change == "hostile" { (HOSTILE, HOSTILE) } else { (change, change) };
        let broken = format!("{key:?}: 1\n{key:?}: 2\n");
        scene.repository.commit(&[("shop/web.yaml", Some(&broken))]);
        scene.windlass(&["refresh", "shop"]);
        text.to_owned()
    });
    for seen in &report.seen {
        let (what, took) = seen.rsplit_once(' ').unwrap();
        let took = took.trim_end_matches("ms").parse().unwrap();
        record(&format!("change seen in the browser: {what}"), Duration::from_millis(took));
    }
    assert_eq!(report.failed, [""; 0]);
    assert_eq!(report.seen.len(), 3);
}
