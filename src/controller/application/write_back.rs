//! Tells Git of a rollback: the files of the undone release, as they were, in one commit.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use windlass_core::api::{Quarantined, Source, WriteBack, bounded_message};
use windlass_core::release::{Effective, SourceRecord};

use super::prove::Proved;
use super::resolve::{credentials, reference};
use super::{Scope, back_off};
use crate::controller::context::Memory;
use crate::failure::Failure;
use crate::source::git::{Reference, RestoreRequest};

/// How long a commit and its push may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Who commits where the Application names nobody.
const AUTHOR: &str = "Windlass <windlass@localhost>";

/// What happened to one source.
struct Outcome {
    source: String,
    result: Result<Option<String>, Failure>,
}

/// Commits what a complete rollback restored, once, where the Application asks for it. What came of it is told
/// with the quarantined release; a server that cannot be reached is tried again.
pub async fn rollback(scope: &Scope<'_>, memory: &mut Memory, mut proved: Proved) -> Proved {
    let Some(policy) = &scope.app.spec.sync.write_back_rollback else { return proved };
    let assessed = &proved.assessed;
    let healthy = assessed.health.status.is_good();
    let done = assessed.outcome.begun.chosen.effective == Effective::Undone && assessed.complete && healthy;
    let Some(entry) = memory.releases.undone().map(|(_, entry)| entry.clone()).filter(|_| done) else {
        return proved;
    };
    if !entry.write_back.is_empty() {
        return proved;
    }
    let outcomes = sources(scope, memory, policy, &entry).await;
    let transient = outcomes.iter().find_map(|outcome| outcome.result.as_ref().err().filter(|f| f.transient));
    if let Some(failure) = transient {
        tracing::warn!(app = %scope.key, %failure, "the rollback could not be committed to Git; trying again");
        memory.write_back_attempts = memory.write_back_attempts.saturating_add(1);
        let again = back_off(memory.write_back_attempts);
        proved.again = Some(proved.again.map_or(again, |other| other.min(again)));
        return proved;
    }
    memory.write_back_attempts = 0;
    let text = tell(&outcomes);
    tracing::info!(app = %scope.key, revision = entry.revision, "rollback: {text}");
    if let Some(entry) = memory.releases.quarantined.iter_mut().find(|known| known.digest == entry.digest) {
        entry.write_back = bounded_message(&text);
    }
    proved
}

async fn sources(
    scope: &Scope<'_>,
    memory: &Memory,
    policy: &WriteBack,
    entry: &Quarantined,
) -> Vec<Outcome> {
    let good = memory.releases.stable.as_ref().and_then(|kept| kept.render.clone());
    let bad = memory.releases.undone().and_then(|(kept, _)| kept.render.clone());
    let (Some(good), Some(bad)) = (good, bad) else { return Vec::new() };
    let mut outcomes = Vec::new();
    let pairs = good.sources.iter().zip(&bad.sources);
    for (source, (good, bad)) in scope.app.spec.sources.iter().zip(pairs) {
        if good.commit != bad.commit {
            let result = one(scope, policy, entry, source, good, bad).await;
            outcomes.push(Outcome { source: source.name.clone(), result });
        }
    }
    outcomes
}

/// Commits what one source had; gives the commit and its branch, or nothing where Git says it already.
async fn one(
    scope: &Scope<'_>,
    policy: &WriteBack,
    entry: &Quarantined,
    source: &Source,
    good: &SourceRecord,
    bad: &SourceRecord,
) -> Result<Option<String>, Failure> {
    let Reference::Branch(branch) = reference(&source.git) else {
        return Err(Failure::permanent(
            "NotABranch",
            "it follows no branch, so there is nothing to commit to",
        ));
    };
    let credentials = credentials(scope, source).await?;
    let mirror = scope.ctx.mirrors.get(&source.git.url, &credentials);
    let paths: BTreeSet<_> =
        good.reads.iter().chain(bad.reads.iter()).map(|read| read.path.clone()).collect();
    let known: BTreeSet<_> = bad.reads.iter().collect();
    let same: BTreeSet<_> = good.reads.iter().filter(|read| known.contains(read)).map(|r| &r.path).collect();
    let changed: BTreeSet<_> = paths.iter().filter(|path| !same.contains(path)).cloned().collect();
    let target = match &policy.branch {
        Some(named) => named.clone(),
        None if mirror.is_read_by_others(scope.key, &changed) => {
            format!("windlass/rollback/{}/{}", scope.key.namespace, scope.key.name)
        }
        None => branch.clone(),
    };
    let request = RestoreRequest {
        url: source.git.url.clone(),
        credentials,
        mirror: mirror.directory().to_owned(),
        branch,
        target: target.clone(),
        good: good.commit.clone(),
        bad: bad.commit.clone(),
        paths: paths.into_iter().collect(),
        author: policy.author.clone().unwrap_or_else(|| AUTHOR.to_owned()),
        message: message(scope, entry, good, bad),
        seconds: Timestamp::now().as_second(),
    };
    let restored = scope.ctx.pool.restore(request, DEADLINE).await?;
    Ok(restored.map(|restored| format!("{target}@{}", restored.commit.get(..7).unwrap_or(&restored.commit))))
}

fn message(scope: &Scope<'_>, entry: &Quarantined, good: &SourceRecord, bad: &SourceRecord) -> String {
    format!(
        "Restore {} of Application {}\n\nRolled back: {} is quarantined ({}): {}\n\nThe files that the Application \
         reads are as they were at {}.\n",
        good.revision, scope.key, bad.commit, entry.reason, entry.message, good.commit
    )
}

/// `committed main@3f2a9c1`, or why not
fn tell(outcomes: &[Outcome]) -> String {
    let words = outcomes.iter().map(|Outcome { source, result }| match result {
        Ok(Some(commit)) => format!("committed {commit}"),
        Ok(None) => format!("source {source}: Git has the earlier files already"),
        Err(failure) => format!("source {source}: not committed: {}", failure.message),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "nothing to commit: no file differs".to_owned() } else { words.join("; ") }
}
