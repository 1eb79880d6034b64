//! `windlass rollback APP [RELEASE]`

use anyhow::bail;
use clap::Args;
use windlass_core::api::{Action, Application, HistoryEntry};

use super::connection::{ConnectionArgs, read};
use super::get::{condition, waiting_for};
use super::history::{choose, present};
use super::output::Exit;
use super::request::{Patience, Wish, ask};
use super::watching::Look;

/// Undo the present release: quarantine it, go back to an earlier one, and wait until that one is live and
/// healthy.
#[derive(Args, Debug)]
pub struct Rollback {
    /// The Application
    name: String,
    /// The release to go back to: its number in `windlass history`, its revision or the beginning of its
    /// digest; the last that can be chosen by default
    release: Option<String>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Rollback {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let status = read(connection.application(&self.name).await?)?.status.unwrap_or_default();
        let target = match choose(&status, self.release.as_deref()) {
            Ok(target) => target,
            Err(why) => bail!("{}: {why}", self.name),
        };
        // Numbers may be given anew when the status is lost, the digest stays.
        let wish = Wish { release: Some(target.digest.clone()), ..Action::Rollback.into() };
        ask(&connection, &self.name, wish, &self.patience, |application| look(application, target)).await
    }
}

/// Whether an Application that carried out the request went back to a release.
fn look(application: &Application, target: &HistoryEntry) -> Look {
    let status = application.status.clone().unwrap_or_default();
    let is_true = |kind| condition(application, kind).is_some_and(|condition| condition.status == "True");
    let ready = condition(application, "Ready");
    let reason = ready.map(|ready| ready.reason.as_str()).unwrap_or_default();
    let message = ready.map(|ready| ready.message.clone()).unwrap_or_default();
    let there = present(&status) == Some(&target.digest);
    match (there, reason) {
        (true, "RollbackFailed") => Look::Never(message),
        _ if is_true("Reconciling") => Look::NotYet(waiting_for(application)),
        (true, "RolledBack") => Look::Done(format!("rolled back to {}: {message}", target.number)),
        (true, _) if is_true("Ready") => {
            Look::Done(format!("rolled back to {}: {} is ready", target.number, target.revision))
        }
        (true, _) => Look::NotYet(waiting_for(application)),
        (false, _) => Look::Never(format!(
            "the cluster did not go back to {} ({}): {}",
            target.number,
            target.revision,
            waiting_for(application)
        )),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn said(stable: &str, [ready, reconciling]: [&str; 2], reason: &str) -> String {
        let condition = |kind, status| {
            json!({"type": kind, "status": status, "reason": reason, "message": "why",
                   "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let application: Application = serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop"}, "spec": {"sources": []},
            "status": {
                "conditions": [condition("Ready", ready), condition("Reconciling", reconciling)],
                "stable": {"digest": stable, "revision": "main@1", "since": "2026-01-01T00:00:00Z"},
            },
        }))
        .unwrap();
        let target = serde_json::from_value(json!({
            "number": 1, "digest": "a", "revision": "main@1", "startedAt": "2026-01-01T00:00:00Z",
            "trigger": "commit", "result": "Synced",
        }))
        .unwrap();
        match look(&application, &target) {
            Look::Done(how) => format!("done: {how}"),
            Look::NotYet(_) => "not yet".into(),
            Look::Failed(how) => format!("failed: {how}"),
            Look::Never(why) => format!("never: {}", why.split(": ").next().unwrap_or_default()),
        }
    }

    #[rstest]
    #[case("a", ["False", "False"], "RolledBack", "done: rolled back to 1: why")]
    #[case("a", ["True", "False"], "Synced", "done: rolled back to 1: main@1 is ready")]
    #[case("a", ["False", "True"], "RolledBack", "not yet")]
    #[case("a", ["False", "False"], "Conflict", "not yet")]
    #[case("a", ["False", "False"], "RollbackFailed", "never: why")]
    #[case("b", ["False", "True"], "Progressing", "not yet")]
    #[case("b", ["True", "False"], "Synced", "never: the cluster did not go back to 1 (main@1)")]
    fn it_is_done_when_that_release_is_live(
        #[case] stable: &str,
        #[case] conditions: [&str; 2],
        #[case] reason: &str,
        #[case] answer: &str,
    ) {
        assert_eq!(said(stable, conditions, reason), answer);
    }
}
