//! What a person asks of rollouts.

use windlass_core::api::{Action, Request};
use windlass_core::object::ObjectId;
use windlass_core::rollout::{Unit, What, refusal};

use super::super::Scope;
use super::super::history::claimed;
use crate::controller::context::Memory;

/// What a person asks of the rollout of a workload, and who.
pub fn of(scope: &Scope<'_>, target: &ObjectId) -> (Option<What>, String) {
    let request = scope.request.as_ref().filter(|request| means(request, &target.name));
    let what = request.and_then(|request| what(request.action));
    (what, request.map(|request| claimed(&request.by)).unwrap_or_default())
}

/// What a request asks of rollouts.
fn what(action: Action) -> Option<What> {
    match action {
        Action::Approve => Some(What::Approve),
        Action::Promote => Some(What::Promote),
        Action::PromoteFull => Some(What::PromoteFull),
        Action::Pause => Some(What::Pause),
        Action::Resume => Some(What::Resume),
        Action::Abort => Some(What::Abort),
        Action::Retry => Some(What::Retry),
        Action::Refresh | Action::Sync | Action::AllowPrune | Action::Rollback => None,
    }
}

/// Whether an action is about rollouts and nothing else.
pub fn is_about_rollouts(action: Action) -> bool {
    what(action).is_some_and(|what| what != What::Retry)
}

fn means(request: &Request, name: &str) -> bool {
    request.target.as_deref().is_none_or(|target| target == name)
}

/// Notes why a request is refused, where it makes no sense for any of the workloads that it means. A retry may be
/// meant for the release instead.
pub fn refuse(scope: &Scope<'_>, memory: &mut Memory, units: &[Unit]) {
    let Some(request) = &scope.request else { return };
    let Some(what) = what(request.action).filter(|what| *what != What::Retry || request.target.is_some())
    else {
        return;
    };
    let mut meant = units.iter().filter(|unit| means(request, &unit.policy.target.name)).peekable();
    let why = match (meant.peek(), &request.target) {
        (None, Some(name)) => Some(format!("no workload {name} of this release has a RolloutPolicy")),
        (None, None) => Some("no workload of this release has a RolloutPolicy".to_owned()),
        (Some(_), _) => {
            let whys: Option<Vec<_>> =
                meant.map(|unit| refusal(&unit.state, &unit.policy.course, what)).collect();
            whys.map(|whys| whys.join("; "))
        }
    };
    if let Some(why) = why {
        memory.refused_request = Some((request.id.clone(), why));
    }
}
