use std::collections::BTreeMap;

use super::route::RouteState;
use crate::health::cause::FailureClass;

/// What is seen of a workload and of its traffic at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The workload exists and is not being deleted.
    pub exists: bool,
    /// Everything that the present state calls for is applied: workload, Services, routes.
    pub applied: bool,
    /// The workload's controller has acted on its newest generation.
    pub observed: bool,
    /// `spec.replicas` of the live object, which an autoscaler may move.
    pub replicas: u32,
    /// The live object is held as a rollout holds it.
    pub held: bool,
    /// The stable pods are not what they were: some are gone for good, or their ReplicaSet is held as if it were the
    /// candidate's, so that its controller may take more of them away. What they were is known.
    pub disturbed: bool,
    /// Revision of the live pod template: its `pod-template-hash` or controller revision; empty where there is
    /// none yet.
    pub current_hash: String,
    /// The pods by revision.
    pub pods: BTreeMap<String, PodCounts>,
    /// Ready endpoints of the candidate's Service; `None` where it has none.
    pub candidate_endpoints: Option<u32>,
    /// Ready endpoints of the Service of the stable pods; `None` where it has none.
    pub stable_endpoints: Option<u32>,
    /// What the router says of the route as it was applied last; `Accepted` where there is none.
    pub route: RouteState,
    /// Whether the API server would store the template that the release wants just as the live one; `None`
    /// where nobody asked.
    pub same_template: Option<bool>,
    /// Why the candidate's pods are not ready, where something is known.
    pub trouble: Option<Trouble>,
}

/// The pods of one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PodCounts {
    /// How many there are.
    pub total: u32,
    /// How many of them are ready.
    pub ready: u32,
}

/// Why pods are not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whose fault it is.
    pub class: FailureClass,
    /// It does not end by itself.
    pub stuck: bool,
    /// In words.
    pub message: String,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            exists: false,
            applied: false,
            observed: false,
            replicas: 0,
            held: false,
            disturbed: false,
            current_hash: String::new(),
            pods: BTreeMap::new(),
            candidate_endpoints: None,
            stable_endpoints: None,
            route: RouteState::Accepted,
            same_template: None,
            trouble: None,
        }
    }
}

impl Seen {
    /// The pods of a revision.
    pub fn of(&self, hash: &str) -> PodCounts {
        self.pods.get(hash).copied().unwrap_or_default()
    }

    /// How many pods are of other revisions.
    pub fn others(&self, hash: &str) -> u32 {
        self.pods.iter().filter(|(other, _)| *other != hash).map(|(_, pods)| pods.total).sum()
    }
}
