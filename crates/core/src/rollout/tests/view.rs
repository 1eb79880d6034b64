use serde_json::json;

use super::*;
use crate::api::GateState;
use crate::gate::Verdict;
use crate::rollout::What;
use crate::rollout::tests::model::{Model, canary, policy};

fn seen(model: &Model) -> TargetView {
    let pods = model.seen().pods;
    TargetView::new(&model.state, &Known { policy: Some(&model.spec), pods: Some(&pods) }, model.now)
}

fn with_gates() -> RolloutPolicySpec {
    let mut spec = canary();
    spec.gates = serde_json::from_value(json!([
        {"name": "latency", "threshold": {"query": "p99", "max": "0.5"}},
        {"name": "errors", "ratio": {"bad": "errors", "total": "requests"}},
        {"name": "smoke", "webhook": {"url": "https://smoke.example/run"}},
    ]))
    .unwrap();
    spec
}

#[test]
fn a_step_that_is_held_shows_its_place_pods_gates_and_time() {
    let mut model = Model::new(with_gates());
    model.commit("v2");
    model.until("at half", |model| model.phase() == RolloutPhase::Hold && short(&model.state).contains("50"));
    let now = Time(model.now);
    let mut latency = GateState::new("latency", now.clone());
    (latency.value, latency.bad, latency.why) = ("0.7".into(), 1, "above max 0.5".into());
    let mut errors = GateState::new("errors", now);
    errors.problem = "Prometheus does not answer".into();
    model.state.rollout.as_mut().unwrap().gates = vec![latency, errors];
    model.verdict = Verdict::Open("latency 0.7 (above max 0.5)".into());
    model.look(None);
    insta::assert_json_snapshot!(seen(&model));
    assert_eq!(short(&model.state), "step 2/2 50 %");
}

#[test]
fn without_a_policy_the_state_says_what_it_can() {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    let view = TargetView::new(&model.state, &Known::default(), model.now);
    assert_eq!((view.steps.len(), view.strategy, view.hold_left), (2, "", None));
    assert_eq!((view.steps[0].name.as_str(), view.steps[0].exposure.as_str()), ("smoke", "5 %"));
}

#[test]
fn a_person_sees_what_is_theirs_to_do() {
    let mut model =
        Model::new(policy(json!({"blueGreen": {"approval": true, "bake": "1m"}}), json!({"service": "web"})));
    assert_eq!((short(&model.state).as_str(), seen(&model).standing), ("", Standing::Idle));
    model.commit("v2");
    model.until("waiting", |model| standing(&model.state, None) == Standing::AwaitingApproval);
    assert_eq!(short(&model.state), "step 1/1 0 %, waits for approval");
    model.look(Some(What::Pause));
    assert_eq!(short(&model.state), "step 1/1 0 %, paused");
    model.look(Some(What::Promote));
    model.until("baking", |model| model.phase() == RolloutPhase::Bake);
    assert_eq!(short(&model.state), "full 100 %");
    model.look(Some(What::Abort));
    assert_eq!(
        (short(&model.state).as_str(), seen(&model).standing),
        ("failed, goes back", Standing::GoingBack)
    );
    assert!(seen(&model).steps.iter().all(|step| step.place == Place::Ahead));
}

#[test]
fn without_a_verdict_a_person_has_to_decide() {
    let mut model = Model::new(canary());
    model.verdict = Verdict::NoData("Prometheus does not answer".into());
    model.commit("v2");
    model.until("undecided", |model| standing(&model.state, None) == Standing::NoVerdict);
    let other = TargetStatus { rollout: None, ..model.state.clone() };
    assert_eq!(summary(&[other, model.state.clone()]), "step 1/2 5 %, no verdict");
    assert_eq!(summary(&[model.state.clone(), model.state]), "step 1/2 5 %, no verdict (+1)");
}

#[test]
fn how_a_rollout_ended_is_counted_once() {
    let ends = |mut model: Model| {
        let mut found = Vec::new();
        for _ in 0..300 {
            let before = model.state.clone();
            let wake = model.look(None).unwrap_or(std::time::Duration::from_secs(1));
            found.extend(ended(&before, &model.state));
            if model.state.rollout.as_ref().is_some_and(|rollout| rollout.failed.is_some()) {
                model.commit("v1");
            }
            model.now = model.now.checked_add(wake.max(std::time::Duration::from_millis(100))).unwrap();
        }
        found
    };
    let model = |verdict| {
        let mut model = Model::new(canary());
        model.verdict = verdict;
        model.commit("v2");
        model
    };
    assert_eq!(ends(model(Verdict::Pass)), ["promoted"]);
    assert_eq!(ends(model(Verdict::Fail("errors".into()))), ["failed"]);
    let mut back = model(Verdict::Pass);
    back.until("held", |model| model.phase() == RolloutPhase::Hold);
    back.commit("v1");
    assert_eq!(ends(back), ["withdrawn"]);
}
