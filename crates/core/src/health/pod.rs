//! Health of a Pod, with the cause that its containers or the scheduler give.

use super::Health;
use super::body::{Body, Truth, one_line, plural};
use crate::api::HealthStatus;

/// Pod.
pub(super) fn assess(body: Body) -> Health {
    match body.text("/status/phase") {
        "Succeeded" => Health::healthy(),
        "Failed" => Health::degraded(format!("failed{}", because(&failed(body)))),
        "Unknown" => {
            Health::new(HealthStatus::Unknown, format!("its node does not answer{}", because(&said(body))))
        }
        "Pending" | "Running" => alive(body),
        _ => Health::progressing("not seen by the scheduler yet"),
    }
}

/// A pod that is to start or runs. One with an end is on its way until it gets there, ready or not.
fn alive(body: Body) -> Health {
    let ends = matches!(body.text("/spec/restartPolicy"), "Never" | "OnFailure");
    let ready = body.condition("Ready").filter(|ready| ready.truth == Truth::True).is_some();
    match containers(body).find_map(stuck) {
        _ if ready && ends => Health::progressing("running"),
        _ if ready => Health::healthy(),
        Some(cause) => Health::degraded(cause),
        None => Health::progressing(on_its_way(body).unwrap_or_else(|| "not ready".to_owned())),
    }
}

fn containers(body: Body<'_>) -> impl Iterator<Item = Body<'_>> {
    body.parts("/status/initContainerStatuses").chain(body.parts("/status/containerStatuses"))
}

/// Why a container cannot get on: the kubelet waits with starting it because of an error, or it fell
/// over and was started again.
fn stuck(container: Body) -> Option<String> {
    let reason = container.text("/state/waiting/reason");
    if is_error(reason) {
        let message = one_line(container.text("/state/waiting/message"));
        // The kubelet's sentence to these two only repeats the delay and the pod's name.
        let told = if reason == "CrashLoopBackOff" { "" } else { message.as_str() };
        return Some(format!(
            "{} is waiting: {reason}{}{}",
            name(container),
            because(told),
            last_exit(container)
        ));
    }
    if let Some(exit) = exit(container, "/state/terminated").filter(|exit| exit.failed) {
        return Some(format!("{} {}{}", name(container), exit.told, restarts(container)));
    }
    let crashed = exit(container, "/lastState/terminated").is_some_and(|exit| exit.failed);
    let done = container.flag("/ready") == Some(true) || container.has("/state/terminated");
    (crashed && !done).then(|| format!("{} is not ready{}", name(container), last_exit(container)))
}

/// Reasons of the kubelet for waiting that are errors. The others are `ContainerCreating` and
/// `PodInitializing`.
fn is_error(reason: &str) -> bool {
    reason.starts_with("Err")
        || reason.ends_with("Error")
        || reason.ends_with("BackOff")
        || matches!(reason, "InvalidImageName" | "RegistryUnavailable" | "SignatureValidationFailed")
}

struct Exit {
    failed: bool,
    told: String,
}

/// How a container ended, from the `terminated` state at `path`.
fn exit(container: Body, path: &str) -> Option<Exit> {
    let code = container.int(&format!("{path}/exitCode"))?;
    let reason = container.text(&format!("{path}/reason"));
    let message = one_line(container.text(&format!("{path}/message")));
    let reason =
        if matches!(reason, "" | "Error" | "Completed") { String::new() } else { format!(" ({reason})") };
    Some(Exit { failed: code != 0, told: format!("exited with code {code}{reason}{}", because(&message)) })
}

fn last_exit(container: Body) -> String {
    let restarts = restarts(container);
    match exit(container, "/lastState/terminated") {
        Some(exit) => format!("; it last {}{restarts}", exit.told),
        None => restarts,
    }
}

fn restarts(container: Body) -> String {
    match container.count("/restartCount") {
        None | Some(0) => String::new(),
        Some(count) => format!("; {}", plural(count, "restart")),
    }
}

/// What a pod that has not failed is waiting for.
fn on_its_way(body: Body) -> Option<String> {
    if let Some(scheduled) =
        body.condition("PodScheduled").filter(|scheduled| scheduled.truth == Truth::False)
    {
        return Some(format!("not scheduled: {}", scheduled.cause()));
    }
    let waiting = containers(body).find_map(|container| {
        let reason = container.text("/state/waiting/reason");
        // Those behind an init container wait for it, which says less than what it does itself.
        if !matches!(reason, "" | "PodInitializing") {
            return Some(format!("{} is waiting: {reason}", name(container)));
        }
        let running = container.has("/state/running") && container.flag("/ready") == Some(false);
        let probe =
            if container.flag("/started") == Some(false) { "has not started up" } else { "is not ready" };
        running.then(|| format!("{} runs and {probe}", name(container)))
    });
    waiting.or_else(|| body.condition("Ready").map(|ready| ready.cause()))
}

/// Why a pod as a whole failed: what the kubelet says, else the first container that did.
fn failed(body: Body) -> String {
    let said = said(body);
    if !said.is_empty() {
        return said;
    }
    let exited = containers(body).find_map(|container| {
        let exit = exit(container, "/state/terminated").filter(|exit| exit.failed)?;
        Some(format!("{} {}", name(container), exit.told))
    });
    exited.unwrap_or_default()
}

/// Reason and message of the pod itself, for example of an eviction.
fn said(body: Body) -> String {
    let (reason, message) = (body.text("/status/reason"), one_line(body.text("/status/message")));
    if reason.is_empty() { message } else { format!("{reason}{}", because(&message)) }
}

fn name(container: Body) -> String {
    format!("container {}", container.text("/name"))
}

fn because(cause: &str) -> String {
    if cause.is_empty() { String::new() } else { format!(": {cause}") }
}
