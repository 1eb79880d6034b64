//! Rollouts as the pages show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::rollout::PodCounts;

use super::fixtures::{key, now, view};
use super::get;
use crate::controller::view::{AppView, RolloutFacts, Views};
use crate::web::model::ApplicationPage;

/// A canary that is held at half of the traffic, with `extra` in its state.
fn held(phase: &str, extra: Value) -> AppView {
    let mut view = view(&key("web"), "Synced", "Progressing", "");
    let mut rollout = json!({
        "candidate": "b", "revision": "main@2", "stableHash": "h1", "candidateHash": "h2", "replicas": 4,
        "pods": 2, "step": 1, "steps": 2, "stepWeight": 50, "exposed": 2, "weight": 50,
        "since": "2026-11-21T03:50:00Z", "phaseSince": "2026-11-21T03:58:00Z",
        "gates": [
            {"name": "latency", "bad": 1, "value": "0.6", "why": "above max 0.5", "lastLook": "2026-11-21T03:59:55Z"},
            {"name": "errors", "good": 4, "value": "0.2 % bad (stable 0.2 %), evidence 7", "lastLook": "2026-11-21T03:59:55Z",
             "ratio": {"windows": 4, "badWindows": 1, "evidence": [3_000_000, 3_000_000, 3_000_000, 3_000_000, 3_000_000, 3_000_000, 3_000_000, 3_000_000]}},
        ],
    });
    rollout.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let target = json!({
        "kind": "Deployment", "namespace": "shop", "name": "web", "phase": phase, "stable": "a", "rollout": rollout,
    });
    let status = Arc::make_mut(&mut view.application).status.as_mut().unwrap();
    status.targets = vec![serde_json::from_value(target).unwrap()];
    let policy = json!({
        "target": {"kind": "Deployment", "name": "web"},
        "strategy": {"canary": {"steps": [
            {"name": "smoke", "weight": 5, "hold": "1m"},
            {"weight": 50, "hold": "10m", "approval": true},
        ], "bake": "5m"}},
        "traffic": {"service": "web", "httpRoute": {"name": "web"}},
        "gates": [
            {"name": "latency", "threshold": {"query": "p99", "max": "0.5"}},
            {"name": "errors", "ratio": {"bad": "errors", "total": "requests"}},
            {"name": "smoke", "webhook": {"url": "https://smoke.example/run"}},
        ],
    });
    let pods: BTreeMap<_, _> = [
        ("h1".to_owned(), PodCounts { total: 4, ready: 4 }),
        ("h2".to_owned(), PodCounts { total: 2, ready: 1 }),
    ]
    .into();
    let policy = Arc::new(serde_json::from_value(policy).unwrap());
    view.rollouts = vec![RolloutFacts { namespace: "shop".into(), policy, pods: Some(pods) }];
    view
}

fn views(view: AppView) -> Arc<Views> {
    let views = Views::default();
    views.put(key("web"), view);
    Arc::new(views)
}

#[test]
fn what_a_rollout_shows() {
    let page = ApplicationPage::new(&key("web"), &held("Hold", json!({})), 1, now());
    insta::assert_yaml_snapshot!(page.rollouts);
}

#[tokio::test]
async fn the_page_shows_the_track_the_gates_and_charts() {
    let views = views(held("Hold", json!({})));
    let (.., body) = get(&views, "/applications/shop/web").await;
    let track = body.split_once("<ol class=\"track\"").unwrap().1.split_once("</ol>").unwrap().0;
    assert_eq!(track.matches("aria-current=\"step\"").count(), 1, "{track}");
    assert_eq!(track.matches("<li ").count(), 3);
    for words in
        ["smoke", "5 %", "hold 10m, approval", "candidate 1 of 2 ready, stable 4 of 4 ready", "above max 0.5"]
    {
        assert!(body.contains(words), "{words}");
    }
    assert_eq!(body.matches("<svg class=\"chart").count(), 2, "no chart without a number");
    assert!(!body.contains("style="), "no style that the policy of the page forbids");
    let (.., list) = get(&views, "/").await;
    assert!(list.contains("Rolling out") && list.contains("step 2/2 50 %"));
    let (.., api) = get(&views, "/api/v1/applications/shop/web").await;
    let api: Value = serde_json::from_str(&api).unwrap();
    assert_eq!(api["rollout"], "step 2/2 50 %");
    assert_eq!(api["rollouts"][0]["steps"][1]["place"], "Present", "{api:#}");
    assert_eq!(api["rollouts"][0]["gates"][0]["gauge"]["max"], 0.5);
}

#[tokio::test]
async fn why_it_was_aborted_is_said_in_words_and_harmless() {
    let hostile = "<script>alert(1)</script> 9 % bad";
    let failed = json!({"failed": {"reason": "GateFailed", "message": hostile}, "message": hostile});
    let (.., body) = get(&views(held("Retreat", failed)), "/applications/shop/web").await;
    assert!(body.contains("Failed, goes back"), "{body}");
    assert!(body.contains("alert(1)") && body.contains(" 9 % bad") && !body.contains("<script>alert"));
    assert!(!body.contains("aria-current=\"step\""));
}

#[tokio::test]
async fn what_needs_a_person_says_so() {
    let paused = json!({"paused": {"by": "jane", "at": "2026-11-21T03:59:00Z"}});
    let views = views(held("Hold", paused));
    let (.., body) = get(&views, "/applications/shop/web").await;
    assert!(body.contains("paused by jane"));
    assert!(get(&views, "/").await.2.contains("step 2/2 50 %, paused"));
}
