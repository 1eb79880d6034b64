use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use windlass_core::api::{Action, Application, DeletionPolicy, REQUEST_ANNOTATION, Request};

/// What an Application is waiting for, in one line; the first cause that explains all others.
pub(in crate::cli) fn waiting_for(application: &Application) -> String {
    let (metadata, spec) = (&application.metadata, &application.spec);
    if metadata.deletion_timestamp.is_some() {
        return match spec.deletion_policy {
            DeletionPolicy::Prune => "it is being deleted: waiting until its objects are gone",
            DeletionPolicy::Orphan => "it is being deleted: waiting until its objects are released",
        }
        .to_owned();
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
    let is_true = |kind| condition(application, kind).filter(|condition| condition.status == "True");
    if let Some(stalled) = is_true("Stalled") {
        return format!("stalled, {}", reason_and_message(stalled));
    }
    if let Some(reconciling) = is_true("Reconciling") {
        return format!("working, {}", reason_and_message(reconciling));
    }
    match condition(application, "Ready") {
        Some(ready) if ready.status == "True" => {
            let revision = &status.sync.revision;
            format!(
                "waiting for nothing: {} is live and healthy",
                if revision.is_empty() { "its release" } else { revision }
            )
        }
        Some(ready) => format!("not ready, {}", reason_and_message(ready)),
        None => "waiting for the controller's first judgement".to_owned(),
    }
}

/// A condition by its type.
pub(in crate::cli) fn condition<'a>(application: &'a Application, kind: &str) -> Option<&'a Condition> {
    application.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)
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
    }
}

fn reason_and_message(condition: &Condition) -> String {
    match condition.message.as_str() {
        "" => condition.reason.clone(),
        message => format!("{}: {message}", condition.reason),
    }
}
