//! What an Application is waiting for, in one line.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{Action, Application, DeletionPolicy, REQUEST_ANNOTATION, Request};

/// What an Application is waiting for: the first cause that explains all others.
pub fn waiting_for(application: &Application) -> String {
    let (metadata, spec) = (&application.metadata, &application.spec);
    if metadata.deletion_timestamp.is_some() {
        return deletion(application);
    }
    let Some(status) = application.status.as_ref().filter(|status| status.observed_generation.is_some())
    else {
        return "waiting for a controller to see it; is one running, and does it own this namespace?"
            .to_owned();
    };
    if spec.suspend {
        return "suspended: set spec.suspend to false to go on".to_owned();
    }
    if status.observed_generation < metadata.generation {
        return "waiting for the controller to look at the last change of its spec".to_owned();
    }
    if let Some(request) = open_request(application) {
        let by = if request.by.is_empty() { String::new() } else { format!(" of {}", request.by) };
        return format!("waiting for the controller to carry out the {} request{by}", action(request.action));
    }
    let Some(ready) = condition(application, "Ready") else {
        return "waiting for the controller's first judgement".to_owned();
    };
    if ready.status == "True" {
        let revision = &status.sync.revision;
        let release = if revision.is_empty() { "its release" } else { revision };
        return format!("waiting for nothing: {release} is live and healthy");
    }
    let is_true = |kind| condition(application, kind).is_some_and(|condition| condition.status == "True");
    not_ready(ready, is_true("Stalled"), is_true("Reconciling"))
}

/// A condition by its type.
pub fn condition<'a>(application: &'a Application, kind: &str) -> Option<&'a Condition> {
    application.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)
}

fn not_ready(ready: &Condition, stalled: bool, reconciling: bool) -> String {
    let message = ready.message.as_str();
    match ready.reason.as_str() {
        // `main@3f2a9c1 waits for database: Degraded`
        "DependencyNotReady" => match message.split_once(" waits for ") {
            Some((revision, others)) => format!("waiting for {others} ({revision} has not begun)"),
            None => format!("waiting for what it depends on: {message}"),
        },
        "PreflightFailed" => {
            let again = if stalled { "" } else { "; trying again" };
            format!("refused by preflight: {message}{again}")
        }
        "RolledBack" => format!("rolled back: {message}"),
        "RollingOut" => format!("rolling out: {message}"),
        "AwaitingSync" | "PruneLimitExceeded" => format!("waiting for a person: {message}"),
        // `main@3f2a9c1: waiting for wave 1: Deployment shop/web: 1 of 2 pods ready`
        "Progressing" if message.contains(": waiting for ") => match message.split_once(": waiting for ") {
            Some((revision, step)) => format!("waiting for {step} ({revision})"),
            None => message.to_owned(),
        },
        _ if stalled => format!("stalled, {}", reason_and_message(ready)),
        _ if reconciling => format!("working, {}", reason_and_message(ready)),
        _ => format!("not ready, {}", reason_and_message(ready)),
    }
}

fn deletion(application: &Application) -> String {
    let told = condition(application, "Ready").filter(|ready| {
        ready.status == "False" && condition(application, "Reconciling").is_some_and(|c| c.status == "True")
    });
    match (told.map(|ready| ready.message.as_str()), application.spec.deletion_policy) {
        (Some(message), _) if message.starts_with("waiting for ") => {
            format!("it is being deleted: {message}")
        }
        (_, DeletionPolicy::Prune) => "it is being deleted: waiting until its objects are gone".to_owned(),
        (_, DeletionPolicy::Orphan) => {
            "it is being deleted: waiting until its objects are released".to_owned()
        }
    }
}

/// The request by annotation that was not carried out yet.
fn open_request(application: &Application) -> Option<Request> {
    let annotation = application.metadata.annotations.as_ref()?.get(REQUEST_ANNOTATION)?;
    let request: Request = serde_json::from_str(annotation).ok()?;
    let handled = application.status.as_ref()?.handled_request.as_ref();
    (handled != Some(&request.id)).then_some(request)
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Refresh => "refresh",
        Action::Sync => "sync",
        Action::AllowPrune => "allow-prune",
        Action::Rollback => "rollback",
        Action::Retry => "retry",
        Action::Approve => "approve",
        Action::Promote => "promote",
        Action::PromoteFull => "promote-full",
        Action::Pause => "pause",
        Action::Resume => "resume",
        Action::Abort => "abort",
    }
}

fn reason_and_message(condition: &Condition) -> String {
    match condition.message.as_str() {
        "" => condition.reason.clone(),
        message => format!("{}: {message}", condition.reason),
    }
}
