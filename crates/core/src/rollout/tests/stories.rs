use serde_json::json;

use super::model::{Model, canary, policy};
use crate::api::RolloutPhase;
use crate::gate::Verdict;
use crate::rollout::What;
use crate::rollout::route::RouteState;

fn idle(model: &Model) -> bool {
    model.phase() == RolloutPhase::Idle && model.state.stable == model.desired
}

#[test]
fn a_good_canary_is_promoted() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("promoted", idle);
    insta::assert_debug_snapshot!(model.history);
    assert_eq!(model.state.former, "v1");
    assert_eq!((model.split, model.pin, model.services), (None, None, false));
}

#[test]
fn a_bad_canary_goes_back() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("at half", |model| {
        model.phase() == RolloutPhase::Hold && model.state.rollout.as_ref().unwrap().weight == 50
    });
    model.verdict = Verdict::Fail("errors: 4 % instead of 0.2 %".into());
    model.look(None);
    assert_eq!(model.phase(), RolloutPhase::Retreat);
    // The release is undone: the stable one is wanted again.
    model.commit("v1");
    model.until("back", idle);
    insta::assert_debug_snapshot!(model.history);
}

#[test]
fn a_failed_canary_that_nobody_undoes_stays_without_traffic() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    model.verdict = Verdict::Fail("errors".into());
    for _ in 0..100 {
        model.look(None);
        model.now = model.now.checked_add(k8s_openapi::jiff::ToSpan::seconds(10)).unwrap();
    }
    assert_eq!(model.phase(), RolloutPhase::Retreat);
    model.verdict = Verdict::Pass;
    model.look(Some(What::Retry));
    model.until("promoted", idle);
}

#[test]
fn a_newer_commit_starts_anew() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    model.commit("v3");
    model.until("promoted", idle);
    insta::assert_debug_snapshot!(model.history);
}

#[test]
fn a_commit_back_to_stable_goes_back() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("baking", |model| model.phase() == RolloutPhase::Bake);
    model.commit("v1");
    model.until("back", idle);
    assert!(!model.pods.contains_key("v2"));
    // What was good before needs no steps.
    model.commit("v2");
    model.until("promoted", idle);
    model.commit("v1");
    let before = model.history.len();
    model.until("back at once", idle);
    assert_eq!(model.history.len(), before);
}

#[test]
fn blue_green_without_a_router_moves_the_service() {
    let spec = policy(
        json!({"blueGreen": {"hold": "1m", "approval": true, "bake": "1m"}}),
        json!({"service": "web"}),
    );
    let mut model = Model::new(spec);
    model.commit("v2");
    model.until("waiting", |model| {
        model.state.rollout.as_ref().is_some_and(|rollout| rollout.message == "waits for approval")
    });
    model.look(Some(What::Approve));
    model.until("promoted", idle);
    insta::assert_debug_snapshot!(model.history);
}

#[test]
fn rolling_needs_no_services() {
    let spec =
        policy(json!({"rolling": {"steps": [{"percent": 20, "hold": "1m"}, {"percent": 50}]}}), json!(null));
    let mut model = Model::new(spec);
    model.commit("v2");
    model.until("promoted", idle);
    insta::assert_debug_snapshot!(model.history);
}

#[test]
fn a_crashing_candidate_fails_without_metrics() {
    let mut model = Model::new(canary());
    model.crash = Some("v2".into());
    model.commit("v2");
    model.until("failed", |model| {
        model.state.rollout.as_ref().is_some_and(|rollout| rollout.failed.is_some())
    });
    model.commit("v1");
    model.until("back", idle);
}

#[test]
fn a_route_that_is_never_accepted_aborts() {
    let mut model = Model::new(canary());
    model.route = RouteState::Refused("no such parent".into());
    model.commit("v2");
    model.until("failed", |model| {
        model.state.rollout.as_ref().is_some_and(|rollout| rollout.failed.is_some())
    });
    assert_eq!(model.state.rollout.as_ref().unwrap().failed.as_ref().unwrap().reason, "RouteNotAccepted");
    assert!(!model.pods.contains_key("v2"), "no pod was made for it");
}

#[test]
fn stable_pods_that_somebody_takes_away_are_restored_before_it_goes_on() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("at half", |model| {
        model.phase() == RolloutPhase::Hold && model.state.rollout.as_ref().unwrap().weight == 50
    });
    model.pods.remove("v1");
    model.look_at_disturbed();
    assert_eq!((model.phase(), model.state.rollout.as_ref().unwrap().weight), (RolloutPhase::Abort, 50));
    model.until("promoted", idle);
    insta::assert_debug_snapshot!(model.history);
}

#[test]
fn without_a_verdict_it_holds_and_never_fails() {
    let mut model = Model::new(canary());
    model.verdict = Verdict::NoData("Prometheus does not answer".into());
    model.commit("v2");
    for _ in 0..500 {
        model.look(None);
        model.now = model.now.checked_add(k8s_openapi::jiff::ToSpan::seconds(30)).unwrap();
    }
    let rollout = model.state.rollout.as_ref().unwrap();
    assert_eq!((model.state.phase, rollout.weight, rollout.failed.clone()), (RolloutPhase::Hold, 5, None));
    assert!(rollout.message.contains("held until a person says"), "{}", rollout.message);
    model.look(Some(What::PromoteFull));
    model.until("promoted", idle);
}

#[test]
fn a_policy_with_a_heavier_first_step_moves_no_traffic_by_itself() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    let spec = policy(
        json!({"canary": {"steps": [{"weight": 30, "hold": "5m"}], "bake": "30s"}}),
        json!({"service": "web", "httpRoute": {"name": "web"}}),
    );
    model.course = crate::rollout::Course::of(&spec);
    model.look(None);
    assert_eq!((model.phase(), model.state.rollout.as_ref().unwrap().weight), (RolloutPhase::Scale, 0));
    model.until("promoted", idle);
}
