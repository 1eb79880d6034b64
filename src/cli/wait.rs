//! `windlass wait APP...`

use clap::{Args, ValueEnum};
use futures::future::join_all;
use windlass_core::api::{self, Application, HealthStatus, SyncStatus};

use super::connection::ConnectionArgs;
use super::get::{condition, waiting_for};
use super::output::Exit;
use super::request::conclude;
use super::watching::{Look, until};

/// Wait until Applications are ready, synced or healthy.
#[derive(Args, Debug)]
pub struct Wait {
    /// The Applications
    #[arg(required = true)]
    names: Vec<String>,
    /// What to wait for
    #[arg(long = "for", value_enum, default_value_t, value_name = "GOAL")]
    goal: Goal,
    /// Give up after this time, with exit code 3
    #[arg(long, default_value = "5m")]
    timeout: api::Duration,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// What an Application can be waited for to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// Synced and healthy, with nothing going on.
    #[default]
    Ready,
    /// The cluster has what the sources say.
    Synced,
    /// What the cluster has works.
    Healthy,
}

impl Wait {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let timeout = self.timeout.get();
        let waiting = self.names.iter().map(|name| async {
            let outcome =
                until(&connection, name, timeout, |application| look(application, self.goal)).await?;
            conclude(name, timeout, outcome)
        });
        let mut exit = Exit::Ok;
        for ended in join_all(waiting).await {
            if ended? == Exit::Timeout {
                exit = Exit::Timeout;
            }
        }
        Ok(exit)
    }
}

/// Whether an Application is what it is waited for to be, judged by a status that speaks of its present spec.
pub fn look(application: &Application, goal: Goal) -> Look {
    let status = application.status.clone().unwrap_or_default();
    let current = speaks_of_the_present(application);
    let is_true = |kind| condition(application, kind).is_some_and(|condition| condition.status == "True");
    let reached = match goal {
        Goal::Ready => is_true("Ready") && !is_true("Reconciling"),
        Goal::Synced => status.sync.status == SyncStatus::Synced,
        Goal::Healthy => status.health.status == HealthStatus::Healthy,
    };
    if current && reached {
        let name = goal.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        Look::Done(format!("{name} at {}", status.sync.revision))
    } else {
        Look::NotYet(waiting_for(application))
    }
}

/// Whether an Application that carried out a request to apply something became ready, or failed at that: what
/// is stalled stays so until somebody changes something.
pub fn trial(application: &Application) -> Look {
    let stalled = condition(application, "Stalled").is_some_and(|condition| condition.status == "True");
    match look(application, Goal::Ready) {
        Look::NotYet(why) if stalled && speaks_of_the_present(application) => Look::Failed(why),
        other => other,
    }
}

/// Whether the status is about the present spec.
fn speaks_of_the_present(application: &Application) -> bool {
    let observed = application.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some()
        && observed >= application.metadata.generation
        && application.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn application(observed: i64, ready: &str, reconciling: &str, sync: &str, health: &str) -> Application {
        let condition = |kind, status| {
            json!({"type": kind, "status": status, "reason": "R", "message": "",
                   "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "generation": 2}, "spec": {"sources": []},
            "status": {
                "observedGeneration": observed,
                "conditions": [condition("Ready", ready), condition("Reconciling", reconciling)],
                "sync": {"status": sync, "revision": "main@1"}, "health": {"status": health},
            },
        }))
        .unwrap()
    }

    #[rstest]
    #[case(2, "True", "False", "done")]
    #[case(2, "False", "False", "not yet")]
    #[case(2, "False", "True", "failed")]
    // The status is older than the spec.
    #[case(1, "False", "True", "not yet")]
    fn a_trial_ends_when_it_stalls(
        #[case] observed: i64,
        #[case] ready: &str,
        #[case] stalled: &str,
        #[case] answer: &str,
    ) {
        let mut application = application(observed, ready, "False", "OutOfSync", "Degraded");
        let conditions = &mut application.status.as_mut().unwrap().conditions;
        let mut more = conditions[0].clone();
        (more.type_, more.status) = ("Stalled".into(), stalled.into());
        conditions.push(more);
        let said = match trial(&application) {
            Look::Done(_) => "done",
            Look::NotYet(_) => "not yet",
            Look::Failed(_) => "failed",
            Look::Never(_) => "never",
        };
        assert_eq!(said, answer);
    }

    #[rstest]
    #[case(application(2, "True", "False", "Synced", "Healthy"), [true, true, true])]
    #[case(application(2, "True", "True", "Synced", "Healthy"), [false, true, true])]
    #[case(application(2, "False", "False", "Synced", "Degraded"), [false, true, false])]
    #[case(application(2, "False", "False", "OutOfSync", "Healthy"), [false, false, true])]
    #[case(application(1, "True", "False", "Synced", "Healthy"), [false, false, false])]
    fn a_goal_is_reached_by_a_status_of_the_present_spec(
        #[case] application: Application,
        #[case] reached: [bool; 3],
    ) {
        let goals = [Goal::Ready, Goal::Synced, Goal::Healthy];
        assert_eq!(goals.map(|goal| matches!(look(&application, goal), Look::Done(_))), reached);
    }
}
