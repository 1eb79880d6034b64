//! What is wrong with one pod.

use serde_json::Value;

use super::FailureClass::{Environment, Release};
use super::image;
use super::trouble::{Kind, Trouble, because, from_events, quoted};
use crate::health::body::{Body, Truth, one_line};

/// Failed starts after which a container that went down again is taken to go down always.
const RESTARTS: i64 = 2;
/// Reasons with which the kubelet or a controller takes a pod away from its node.
const DISPLACED: [&str; 10] = [
    "Evicted",
    "Preempting",
    "Shutdown",
    "NodeShutdown",
    "Terminated",
    "NodeLost",
    "NodeAffinity",
    "OutOfcpu",
    "OutOfmemory",
    "UnexpectedAdmissionError",
];

/// What is wrong with a pod, in words that begin with its name; `None` when nothing is, or nothing yet.
pub(super) fn trouble(pod: Body, events: &[Value]) -> Option<Trouble> {
    let ready = pod.condition("Ready").is_some_and(|ready| ready.truth == Truth::True);
    let trouble = match pod.text("/status/phase") {
        "Succeeded" => None,
        "Failed" => Some(failed(pod)),
        "Unknown" => Some(Trouble::new(Kind::Displaced, Environment, "its node does not answer")),
        _ if ready => None,
        _ => unscheduled(pod).or_else(|| worst_container(pod, events)).or_else(|| not_ready(pod, events)),
    }?;
    let message = format!("pod {}: {}", pod.text("/metadata/name"), trouble.message);
    Some(Trouble { message, ..trouble })
}

fn failed(pod: Body) -> Trouble {
    let (reason, message) = (pod.text("/status/reason"), one_line(pod.text("/status/message")));
    let target = pod.condition("DisruptionTarget").filter(|target| target.truth == Truth::True);
    if DISPLACED.contains(&reason) || reason.starts_with("OutOf") {
        return Trouble::new(Kind::Displaced, Environment, format!("{reason}{}", because(&message)));
    }
    if let Some(target) = target {
        return Trouble::new(Kind::Displaced, Environment, format!("disrupted: {}", target.cause()));
    }
    let exit = containers(pod).find_map(|container| {
        let exit = Exit::at(container, "/state/terminated").filter(Exit::failed)?;
        Some(format!("{}: {}", name(container), exit.told()))
    });
    let text = match (reason, exit) {
        ("", Some(exit)) => exit,
        ("", None) => format!("it failed{}", because(&message)),
        (reason, Some(exit)) => format!("{reason}: {exit}"),
        (reason, None) => format!("{reason}{}", because(&message)),
    };
    Trouble::new(Kind::Exit, Release, text)
}

fn unscheduled(pod: Body) -> Option<Trouble> {
    let scheduled = pod.condition("PodScheduled").filter(|scheduled| scheduled.truth == Truth::False)?;
    let told = match scheduled.reason {
        "Unschedulable" => one_line(scheduled.message),
        _ => scheduled.cause(),
    };
    Some(Trouble::new(Kind::Unscheduled, Environment, format!("not scheduled{}", because(&told))))
}

fn worst_container(pod: Body, events: &[Value]) -> Option<Trouble> {
    let mut worst: Option<Trouble> = None;
    for container in containers(pod) {
        let Some(trouble) = self::container(pod, container, events) else { continue };
        if worst.as_ref().is_none_or(|worst| trouble.kind > worst.kind) {
            let message = format!("{}: {}", name(container), trouble.message);
            worst = Some(Trouble { message, ..trouble });
        }
    }
    worst
}

fn container(pod: Body, container: Body, events: &[Value]) -> Option<Trouble> {
    let (reason, message) =
        (container.text("/state/waiting/reason"), container.text("/state/waiting/message"));
    match reason {
        "InvalidImageName" => {
            let image = one_line(container.text("/image"));
            return Some(Trouble::new(Kind::Stuck, Release, format!("InvalidImageName: {image}")));
        }
        "ErrImageNeverPull" => {
            let text = format!("ErrImageNeverPull{}", because(&one_line(message)));
            return Some(Trouble::new(Kind::Image, Release, text));
        }
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => {
            return Some(pull(pod, container, events));
        }
        // For example a key or an object that is missing, or a program that is not in the image.
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "PreStartHookError"
        | "PostStartHookError" => {
            let text = format!("{reason}{}", because(&one_line(message)));
            return Some(Trouble::new(Kind::Configuration, Release, text));
        }
        _ => {}
    }
    crashed(pod, container, events).or_else(|| idle(pod, container, events))
}

fn pull(pod: Body, container: Body, events: &[Value]) -> Trouble {
    let image = container.text("/image");
    let own = one_line(container.text("/state/waiting/message"));
    let told = match image::told(&own) {
        "" => from_events(events, pod, |reason, message| {
            let told = image::told(message);
            let ours = reason == "Failed" && message.starts_with("Failed to pull image");
            (ours && !told.is_empty()).then(|| told.to_owned())
        }),
        told => Some(told.to_owned()),
    };
    let class = image::class(image, told.as_deref().unwrap_or_default());
    let text = format!(
        "ErrImagePull, image {}{}",
        one_line(image),
        told.as_deref().map(because).unwrap_or_default()
    );
    let trouble = Trouble::new(Kind::Image, class, text);
    if told.is_none() { trouble.asking(pod) } else { trouble }
}

/// A container that ended with an error, now or before it was started again.
fn crashed(pod: Body, container: Body, events: &[Value]) -> Option<Trouble> {
    let ready = container.flag("/ready") == Some(true);
    let exit = Exit::at(container, "/state/terminated").or_else(|| {
        // An init container that ran through at last has nothing wrong any more.
        let last = (!ready && !container.has("/state/terminated")).then_some("/lastState/terminated")?;
        Exit::at(container, last)
    })?;
    let looping = container.text("/state/waiting/reason") == "CrashLoopBackOff";
    if !exit.failed() && !looping {
        return None;
    }
    let ends = matches!(pod.text("/spec/restartPolicy"), "Never" | "OnFailure");
    let often = container.count("/restartCount").unwrap_or(0) >= RESTARTS;
    let kind = if often && !ends { Kind::Stuck } else { Kind::Exit };
    let mut text = match looping || kind == Kind::Stuck {
        true => format!("CrashLoopBackOff, {}", exit.told()),
        false => exit.told(),
    };
    // What the kubelet killed ends like what the kernel did; only its Events tell.
    let killed = matches!(exit.code, 137 | 143) && exit.reason != "OOMKilled";
    if killed {
        let probe = from_events(events, pod, |reason, message| {
            let liveness = message.starts_with("Liveness probe") || message.starts_with("Startup probe");
            (reason == "Unhealthy" && liveness).then(|| message.to_owned())
        });
        text.push_str(&probe.map(|probe| format!("; {probe}")).unwrap_or_default());
    }
    let trouble = Trouble::new(kind, Release, text);
    Some(if killed { trouble.asking(pod) } else { trouble })
}

/// A container that runs and is not ready, or has nothing to run on yet.
fn idle(pod: Body, container: Body, events: &[Value]) -> Option<Trouble> {
    let init = pod.parts("/status/initContainerStatuses").any(|one| one.0 == container.0);
    if container.has("/state/running") && container.flag("/ready") == Some(false) {
        let probe = from_events(events, pod, |reason, message| {
            (reason == "Unhealthy" || reason == "ProbeWarning").then(|| message.to_owned())
        });
        let text = match probe {
            Some(probe) => format!("running but not ready: {probe}"),
            None if init => "the init container has not ended".to_owned(),
            None if container.flag("/started") == Some(false) => "running but not started up".to_owned(),
            None => "running but not ready".to_owned(),
        };
        return Some(Trouble::new(Kind::NotReady, Release, text).asking(pod));
    }
    None
}

/// A pod that nothing in its containers' states explains.
fn not_ready(pod: Body, events: &[Value]) -> Option<Trouble> {
    let mut all = containers(pod).peekable();
    let some = all.peek().is_some();
    let waiting = containers(pod)
        .any(|one| matches!(one.text("/state/waiting/reason"), "ContainerCreating" | "PodInitializing"));
    if waiting || (!some && pod.condition("PodScheduled").is_some()) {
        return Some(setup(pod, events));
    }
    if !some || !all.all(|one| one.flag("/ready") == Some(true) || one.has("/state/terminated")) {
        return None;
    }
    let gate = pod
        .parts("/spec/readinessGates")
        .map(|gate| gate.text("/conditionType"))
        .find(|kind| !pod.condition(kind).is_some_and(|condition| condition.truth == Truth::True));
    let text = match gate {
        Some(gate) => format!("its readiness gate {gate} is not met"),
        None => {
            let ready = pod.condition("Ready")?;
            format!("its containers are ready and it is not: {}", ready.cause())
        }
    };
    Some(Trouble::new(Kind::NotReady, Environment, text))
}

/// Volumes and network of a pod are set up by the kubelet, which tells of errors only in Events.
fn setup(pod: Body, events: &[Value]) -> Trouble {
    let told = from_events(events, pod, |reason, message| match reason {
        "FailedMount"
        | "FailedMapVolume"
        | "FailedAttachVolume"
        | "FailedCreatePodSandBox"
        | "NetworkNotReady" => {
            // Of a ConfigMap or Secret that is not there; all else is the storage's or the node's.
            let missing = (message.contains("configmap \"") || message.contains("secret \""))
                && message.contains("not found")
                || message.contains("references non-existent");
            let class = if reason == "FailedMount" && missing { Release } else { Environment };
            Some((class, format!("{reason}: {message}")))
        }
        _ => None,
    });
    match told {
        Some((class, text)) => Trouble::new(Kind::Setup, class, text),
        None => Trouble::new(Kind::Starting, Environment, "its containers are being created").asking(pod),
    }
}

fn containers(pod: Body<'_>) -> impl Iterator<Item = Body<'_>> {
    pod.parts("/status/initContainerStatuses").chain(pod.parts("/status/containerStatuses"))
}

fn name(container: Body) -> String {
    format!("container {}", container.text("/name"))
}

/// How a container ended.
struct Exit<'a> {
    code: i64,
    reason: &'a str,
    message: &'a str,
}

impl<'a> Exit<'a> {
    fn at(container: Body<'a>, path: &str) -> Option<Self> {
        let state = Body(container.0.pointer(path)?);
        let code = state.int("/exitCode")?;
        Some(Self { code, reason: state.text("/reason"), message: state.text("/message") })
    }

    fn failed(&self) -> bool {
        self.code != 0
    }

    fn told(&self) -> String {
        let reason = match self.reason {
            "" | "Error" | "Completed" => String::new(),
            reason => format!("{}, ", one_line(reason)),
        };
        let signal = match self.code {
            134 => " (SIGABRT)",
            137 => " (SIGKILL)",
            139 => " (SIGSEGV)",
            143 => " (SIGTERM)",
            _ => "",
        };
        format!("{reason}exit code {}{signal}{}", self.code, quoted(self.message))
    }
}
