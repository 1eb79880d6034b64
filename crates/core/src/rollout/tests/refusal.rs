use rstest::rstest;

use super::*;
use crate::rollout::tests::model::{Model, canary, policy};

fn held() -> Model {
    let mut model = Model::new(canary());
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    model
}

#[rstest]
#[case(What::Approve, "this step of web asks for no approval; use promote to end it early")]
#[case(What::Promote, "")]
#[case(What::PromoteFull, "")]
#[case(What::Pause, "")]
#[case(What::Resume, "the rollout of web is not paused")]
#[case(What::Abort, "")]
#[case(What::Retry, "")]
fn what_can_be_asked_while_it_holds(#[case] what: What, #[case] answer: &str) {
    let model = held();
    assert_eq!(refusal(&model.state, &model.course, what).unwrap_or_default(), answer);
}

#[rstest]
#[case(What::Approve, true)]
#[case(What::Abort, true)]
#[case(What::Resume, true)]
#[case(What::Retry, false)]
fn nothing_but_a_retry_can_be_asked_of_nothing(#[case] what: What, #[case] refused: bool) {
    let model = Model::new(canary());
    let told = refusal(&model.state, &model.course, what);
    assert_eq!(told.as_deref(), refused.then_some("no rollout of web is under way"));
}

#[test]
fn what_was_asked_already_is_refused_and_what_is_refused_changes_nothing() {
    let mut model = held();
    model.look(Some(What::Pause));
    let again = refusal(&model.state, &model.course, What::Pause);
    assert_eq!(again.as_deref(), Some("the rollout of web is paused already"));
    assert_eq!(refusal(&model.state, &model.course, What::Resume), None);
    model.look(Some(What::Abort));
    for what in [What::Promote, What::PromoteFull, What::Pause, What::Abort, What::Approve] {
        assert!(refusal(&model.state, &model.course, what).is_some(), "{what:?}");
        let before = model.state.clone();
        model.look(Some(what));
        assert_eq!(model.state.phase, before.phase, "{what:?}");
    }
}

#[test]
fn what_waits_for_approval_can_be_approved_once() {
    let spec = policy(
        serde_json::json!({"blueGreen": {"approval": true, "bake": "1m"}}),
        serde_json::json!({"service": "web"}),
    );
    let mut model = Model::new(spec);
    model.commit("v2");
    model.until("held", |model| model.phase() == RolloutPhase::Hold);
    assert_eq!(refusal(&model.state, &model.course, What::Approve), None);
    model.until("finishing", |model| {
        if model.phase() == RolloutPhase::Hold {
            let mut copy = model.state.clone();
            copy.rollout.as_mut().unwrap().approved = Some(crate::api::Act {
                by: String::new(),
                at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(model.now),
            });
            assert!(refusal(&copy, &model.course, What::Approve).is_some());
            return true;
        }
        false
    });
}
