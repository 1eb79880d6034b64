use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::AppKey;
use crate::object::ObjectId;

/// How long a prune waits for Applications that may be about to take the object over.
pub const MOVE_DEADLINE: Duration = Duration::from_secs(60);

/// Whether data, or objects of others, go with an object: then its prune waits without a deadline.
pub fn holds_data(id: &ObjectId) -> bool {
    matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Whether an object that its Application no longer wants may be deleted. It may have been moved to any
/// Application that reads the same repository, so those are heard first: `unheard` are the ones that have
/// not said yet what they want as of the commits that are known now. An Application that is broken must not
/// hold up others for ever, so it loses its say after [`MOVE_DEADLINE`]; but what [`holds_data`] waits for it,
/// or for a person's word.
pub fn may_prune(id: &ObjectId, unheard: &BTreeSet<AppKey>, waited: Duration, approved: bool) -> bool {
    unheard.is_empty() || approved || (waited >= MOVE_DEADLINE && !holds_data(id))
}

/// Whether two addresses are of one repository, as far as they tell: `https://Git.example/a.git` and
/// `https://git.example/a/` are.
pub fn same_repository(a: &str, b: &str) -> bool {
    a == b || normal(a) == normal(b)
}

fn normal(url: &str) -> (String, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let default_port = if scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
    let host = host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
    let path = path.trim_end_matches('/');
    (host, path.strip_suffix(".git").unwrap_or(path))
}
