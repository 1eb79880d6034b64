//! What the API server's audit log says of who wrote what.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::cluster;

/// A line can come a moment after the answer to its request.
const LATE: Duration = Duration::from_secs(1);

/// A place in the log: what is written later counts.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Mark {
    /// Here, once the lines of all requests that were answered are written.
    pub fn now() -> Self {
        thread::sleep(LATE);
        Self(cluster().audit.metadata().expect("the log is there").len())
    }
}

/// A request that was to change something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// `create`, `update`, `patch` or `delete`.
    pub verb: String,
    /// For example `deployments`, or `applications/status`.
    pub resource: String,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name; empty where the server chose it.
    pub name: String,
    /// HTTP status of the answer.
    pub code: u64,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.name)
    }
}

impl Write {
    /// Whether it came too late: something newer was stored, and it changed nothing.
    pub fn is_refused_as_late(&self) -> bool {
        self.code == 409
    }

    /// Whether it is the controller's own bookkeeping: its Lease, Events, stored releases, and the
    /// Applications with their status.
    pub fn is_bookkeeping(&self) -> bool {
        matches!(self.resource.as_str(), "leases" | "events" | "applications" | "applications/status")
            || self.resource == "secrets" && self.name.starts_with("windlass-release-")
    }
}

/// What a user wrote since a mark, the oldest first.
pub fn writes(user: &str, since: Mark) -> Vec<Write> {
    requests(user, since, false)
}

/// What a user had checked as if it were written, the oldest first.
pub fn dry_runs(user: &str, since: Mark) -> Vec<Write> {
    requests(user, since, true)
}

/// The resources that a user listed since a mark, the oldest first.
pub fn lists(user: &str, since: Mark) -> Vec<String> {
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON");
    let lists = lines(user, since).into_iter().map(|line| event(&line)).filter(|event| {
        event["verb"] == "list" && event["stage"] == "ResponseComplete" && event["user"]["username"] == user
    });
    lists.map(|event| event["objectRef"]["resource"].as_str().unwrap_or_default().to_owned()).collect()
}

fn requests(user: &str, since: Mark, dry_run: bool) -> Vec<Write> {
    lines(user, since).iter().filter_map(|line| write_of(line, user, dry_run)).collect()
}

/// The lines since a mark that name a user.
fn lines(user: &str, since: Mark) -> Vec<String> {
    thread::sleep(LATE);
    let mut log = File::open(&cluster().audit).expect("the log is there");
    log.seek(SeekFrom::Start(since.0)).expect("the mark is in it");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("it is text");
    // The last line may be half written.
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    text[..end].lines().filter(|line| line.contains(user)).map(str::to_owned).collect()
}

fn write_of(line: &str, user: &str, dry_run: bool) -> Option<Write> {
    let event: Value = serde_json::from_str(line).expect("a line is JSON");
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let writes = ["create", "update", "patch", "delete", "deletecollection"];
    let counts = text("/user/username") == user
        && text("/stage") == "ResponseComplete"
        && writes.contains(&text("/verb"))
        && text("/requestURI").contains("dryRun=All") == dry_run;
    let resource = match text("/objectRef/subresource") {
        "" => text("/objectRef/resource").to_owned(),
        subresource => format!("{}/{subresource}", text("/objectRef/resource")),
    };
    counts.then(|| Write {
        verb: text("/verb").to_owned(),
        resource,
        namespace: text("/objectRef/namespace").to_owned(),
        name: text("/objectRef/name").to_owned(),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0),
    })
}
