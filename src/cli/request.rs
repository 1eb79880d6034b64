//! What people ask of a controller: an annotation on the Application, written with their own rights.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use kube::api::{Patch, PatchParams};
use rand::RngExt as _;
use serde_json::json;
use windlass_core::api::{self, Action, Application, REQUEST_ANNOTATION, Request};

use super::connection::{Connection, read};
use super::output::Exit;
use super::text;
use super::watching::{Look, Outcome, until};

/// The claimed name goes into the history, which is bounded.
const LONGEST_USER: usize = 64;

/// Whether and how long to wait.
#[derive(Args, Debug)]
pub struct Patience {
    /// Return as soon as the request is written
    #[arg(long)]
    no_wait: bool,
    /// Give up waiting after this time, with exit code 3
    #[arg(long, default_value = "5m")]
    timeout: api::Duration,
}

/// What is asked for.
#[derive(Debug)]
pub struct Wish {
    /// What to do.
    pub action: Action,
    /// The revision that may prune more than the limit.
    pub revision: Option<String>,
    /// The release to go back to.
    pub release: Option<String>,
    /// The workload whose rollout is meant.
    pub target: Option<String>,
}

impl From<Action> for Wish {
    fn from(action: Action) -> Self {
        Self { action, revision: None, release: None, target: None }
    }
}

/// Writes a request for the Application `name` and waits until it is carried out and `judge` says that its
/// outcome is there.
///
/// # Errors
/// The Application doesn't exist, is suspended or may not be changed, or another request takes the place of
/// this one.
pub async fn ask(
    connection: &Connection,
    name: &str,
    wish: Wish,
    patience: &Patience,
    judge: impl Fn(&Application) -> Look,
) -> anyhow::Result<Exit> {
    if read(connection.application(name).await?)?.spec.suspend {
        bail!("the Application {name} is suspended: set spec.suspend to false first");
    }
    let request = Request {
        id: format!("{:016x}", rand::rng().random::<u64>()),
        action: wish.action,
        by: connection.user.chars().take(LONGEST_USER).collect(),
        revision: wish.revision,
        release: wish.release,
        target: wish.target,
    };
    let annotation = serde_json::to_string(&request)?;
    let patch = Patch::Merge(json!({"metadata": {"annotations": {REQUEST_ANNOTATION: annotation}}}));
    let applications = connection.applications();
    connection.answer(applications.patch(name, &PatchParams::default(), &patch)).await?;
    if patience.no_wait {
        text::print(&format!("{name}: asked\n"))?;
        return Ok(Exit::Ok);
    }
    let timeout = patience.timeout.get();
    let outcome = until(connection, name, timeout, |application| match handled(application, &request.id) {
        Look::Done(_) => match refused(application) {
            Some(why) => Look::Never(why),
            None => judge(application),
        },
        other => other,
    })
    .await?;
    conclude(name, timeout, outcome)
}

/// Whether the request of this id was carried out.
fn handled(application: &Application, id: &str) -> Look {
    let status = application.status.as_ref();
    if status.and_then(|status| status.handled_request.as_deref()) == Some(id) {
        return Look::Done(String::new());
    }
    let annotation =
        application.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REQUEST_ANNOTATION));
    match annotation.and_then(|text| serde_json::from_str::<Request>(text).ok()) {
        Some(request) if request.id == id => {
            Look::NotYet("waiting for the controller to see the request".into())
        }
        Some(other) if !other.by.is_empty() => {
            Look::Never(format!("a later request of {} took the place of this one", other.by))
        }
        _ => Look::Never("another request took the place of this one".into()),
    }
}

/// Why the request that was handled last was refused, if it was.
fn refused(application: &Application) -> Option<String> {
    let problem = &application.status.as_ref()?.request_problem;
    (!problem.is_empty()).then(|| format!("the controller refused the request: {problem}"))
}

/// Prints how the waiting ended.
///
/// # Errors
/// Standard output cannot be written.
pub fn conclude(name: &str, timeout: Duration, outcome: Outcome) -> anyhow::Result<Exit> {
    match outcome {
        Outcome::Done(how) => {
            text::print(&format!("{}\n", text::line(&format!("{name}: {how}"))))?;
            Ok(Exit::Ok)
        }
        Outcome::Failed(why) => {
            text::progress(format!("{name}: {why}"));
            Ok(Exit::Differs)
        }
        Outcome::TimedOut(why) => {
            text::progress(format!("{name}: not within {} s: {why}", timeout.as_secs_f32()));
            Ok(Exit::Timeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(annotation: &str, handled: &str) -> Application {
        serde_json::from_value(json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "annotations": {REQUEST_ANNOTATION: annotation}},
            "spec": {"sources": []}, "status": {"handledRequest": handled},
        }))
        .unwrap()
    }

    #[test]
    fn a_request_is_carried_out_when_its_id_is_echoed() {
        let mine = r#"{"id":"7","action":"refresh","by":"jane"}"#;
        assert!(matches!(handled(&application(mine, "6"), "7"), Look::NotYet(_)));
        assert!(matches!(handled(&application(mine, "7"), "7"), Look::Done(_)));
    }

    #[test]
    fn a_request_that_was_replaced_is_not_waited_for() {
        let other = r#"{"id":"8","action":"refresh","by":"jane"}"#;
        let Look::Never(why) = handled(&application(other, "6"), "7") else { panic!("still waiting") };
        assert_eq!(why, "a later request of jane took the place of this one");
        assert!(matches!(handled(&application("not JSON", "6"), "7"), Look::Never(_)));
        // Replaced after it was carried out is no loss.
        assert!(matches!(handled(&application(other, "7"), "7"), Look::Done(_)));
    }
}
