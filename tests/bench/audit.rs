//! What the API server's audit log says of who asked for what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// A line can come a moment after the answer to its request.
const LATE: Duration = Duration::from_secs(1);
/// A cluster in which nothing was written for this long has done what there was to do.
const QUIET: Duration = Duration::from_secs(2);
/// More than a cluster needs to come to rest.
const PATIENCE: Duration = Duration::from_secs(180);

/// An audit log.
pub struct Audit {
    file: PathBuf,
}

/// A place in the log: what is written later counts.
#[derive(Clone, Copy)]
pub struct Mark(u64);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `create`, `update`, `patch`, `delete`, `get`, `list`, `watch`.
    pub verb: String,
    /// For example `deployments`, or `applications/status`.
    pub resource: String,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// HTTP status of the answer.
    pub code: u64,
    user: String,
}

/// Requests of one kind.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Count {
    /// As [`Request::verb`].
    pub verb: String,
    /// As [`Request::resource`].
    pub resource: String,
    /// How many.
    pub count: usize,
}

impl Request {
    /// Whether it was to change something.
    pub fn writes(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether it renews or takes a Lease.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

impl Audit {
    /// The log in `file`.
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Here, once the lines of all requests that were answered are written.
    pub async fn mark(&self) -> anyhow::Result<Mark> {
        tokio::time::sleep(LATE).await;
        Ok(Mark(std::fs::metadata(&self.file)?.len()))
    }

    /// What a user asked for since a mark.
    pub async fn since(&self, mark: Mark, user: &str) -> anyhow::Result<Vec<Request>> {
        tokio::time::sleep(LATE).await;
        let mut requests = self.read(mark)?;
        requests.retain(|request| request.user == user);
        Ok(requests)
    }

    /// Waits until nobody writes anything but Leases, so that what was done before does not weigh on what
    /// is measured next.
    pub async fn quiet(&self) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        loop {
            let mark = Mark(std::fs::metadata(&self.file)?.len());
            tokio::time::sleep(QUIET).await;
            let writes: Vec<_> =
                self.read(mark)?.into_iter().filter(|r| r.writes() && !r.is_lease()).collect();
            if writes.is_empty() {
                return Ok(());
            }
            anyhow::ensure!(
                began.elapsed() < PATIENCE,
                "the cluster does not come to rest: {:?}",
                count(writes.iter().map(|w| (&w.user, &w.resource)))
            );
        }
    }

    fn read(&self, mark: Mark) -> anyhow::Result<Vec<Request>> {
        let mut file = BufReader::new(File::open(&self.file)?);
        let mut line = String::new();
        // A mark can be in the middle of a line, which then began before it.
        if let Some(before) = mark.0.checked_sub(1) {
            file.seek(SeekFrom::Start(before))?;
            file.skip_until(b'\n')?;
        }
        let mut requests = Vec::new();
        // The last line may be half written.
        while file.read_line(&mut line)? > 0 && line.ends_with('\n') {
            let event = serde_json::from_str(&line).with_context(|| format!("in the audit log: {line}"))?;
            requests.extend(parse(&event));
            line.clear();
        }
        Ok(requests)
    }
}

/// An answered request; a watch counts when it begins.
fn parse(event: &Value) -> Option<Request> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (verb, stage) = (text("/verb"), text("/stage"));
    let resource = match text("/objectRef/subresource") {
        "" => text("/objectRef/resource").to_owned(),
        subresource => format!("{}/{subresource}", text("/objectRef/resource")),
    };
    // What the server only tries out is no write.
    let tried = text("/requestURI").contains("dryRun=All");
    (stage == if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" }).then(|| Request {
        verb: if tried { format!("dry-run {verb}") } else { verb.to_owned() },
        resource,
        namespace: text("/objectRef/namespace").to_owned(),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0),
        user: text("/user/username").to_owned(),
    })
}

/// Requests by verb and resource, the most frequent first.
pub fn counts<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Vec<Count> {
    let counted = count(requests.into_iter().map(|r| (&r.verb, &r.resource)));
    let mut counts: Vec<_> = counted
        .into_iter()
        .map(|((verb, resource), count)| Count { verb: verb.clone(), resource: resource.clone(), count })
        .collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

fn count<K: Ord>(keys: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
