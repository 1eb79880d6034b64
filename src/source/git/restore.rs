//! Takes files of a branch back to what they were at an earlier commit, in one new commit: how a rollback is
//! told to Git. Never a blind revert: only the files that an Application reads, and only where nobody changed
//! them since.

use std::collections::{BTreeMap, BTreeSet};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature, Time, Tree};
use serde::{Deserialize, Serialize};

use super::http::{Patience, Session};
use super::mirror::{Mirror, open_mirror};
use super::{Credentials, Reference, ResolveRequest, push, resolve};
use crate::failure::Failure;

/// Most files of one commit.
const MAX_FILES: usize = 10_000;

/// Asks for a commit on `branch` in which files are as they were at `good`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRequest {
    /// Address of the repository, without credentials.
    pub url: String,
    /// How to sign in; the account must be allowed to push.
    pub credentials: Credentials,
    /// Directory of the bare mirror.
    pub mirror: std::path::PathBuf,
    /// The branch to start from.
    pub branch: String,
    /// The branch to push to: the same, or another one, whose content is replaced.
    pub target: String,
    /// The commit to go back to.
    pub good: String,
    /// The commit whose changes are taken back.
    pub bad: String,
    /// The paths that may be restored: files, and directories of which the files right in them are meant.
    pub paths: Vec<String>,
    /// Author and committer, as `Name <address>`.
    pub author: String,
    /// The commit's message.
    pub message: String,
    /// The commit's time in seconds since 1970.
    pub seconds: i64,
}

/// The commit that was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Its full id.
    pub commit: String,
    /// How many files it changes.
    pub files: usize,
}

/// What a file is to become: its mode and blob, or nothing.
type Change = Option<(i32, Oid)>;

/// Makes the commit and pushes it; `None` where the branch has the good files already.
///
/// Waits for the network; not to be called from an async task.
///
/// # Errors
/// `GitMovedOn` where somebody changed one of the files since, `PushRejected` with the server's words, or why
/// the repository cannot be read.
pub fn restore(request: &RestoreRequest) -> Result<Option<Restored>, Failure> {
    let tip = tip(request)?;
    let mirror = Mirror::open(&request.mirror)?;
    for commit in [&request.good, &request.bad] {
        if !mirror.has_commit(commit) {
            let message = format!("{}: commit {commit} is not in the mirror any more", request.url);
            return Err(Failure::permanent("RevisionNotFound", message));
        }
    }
    let repository = open_mirror(&request.mirror)?;
    let changes = changes(&repository, request, &tip)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let (commit, objects) = commit(&repository, request, &tip, &changes).map_err(|e| broken(&e))?;
    let mut session = Session::new(&request.url, &request.credentials, Patience::default())?;
    let old =
        if request.target == request.branch { Some(tip) } else { push::head(&mut session, &request.target)? };
    push::push(&mut session, &repository, &request.target, old.as_deref(), commit, &objects)?;
    Ok(Some(Restored { commit: commit.to_string(), files: changes.len() }))
}

/// The branch as it is on the server now, with its commit in the mirror.
fn tip(request: &RestoreRequest) -> Result<String, Failure> {
    let looked = resolve(&ResolveRequest {
        url: request.url.clone(),
        credentials: request.credentials.clone(),
        mirror: request.mirror.clone(),
        references: vec![Reference::Branch(request.branch.clone())],
        renew: false,
    });
    let revision = looked.into_iter().next().unwrap_or_else(|| {
        Err(Failure::transient("SourceUnreachable", format!("{}: no answer", request.url)))
    })?;
    Ok(revision.commit)
}

/// What has to change at the tip, by path.
fn changes(
    repository: &Repository,
    request: &RestoreRequest,
    tip: &str,
) -> Result<BTreeMap<String, Change>, Failure> {
    let tree = |commit: &str| {
        let found = Oid::from_str(commit).and_then(|id| repository.find_commit(id)?.tree());
        found.map_err(|error| broken(&error))
    };
    let (good, bad, tip) = (tree(&request.good)?, tree(&request.bad)?, tree(tip)?);
    let mut files = BTreeSet::new();
    for path in &request.paths {
        for tree in [&good, &bad] {
            files.extend(files_at(repository, tree, path));
        }
        if files.len() > MAX_FILES {
            let message = format!("{}: more than {MAX_FILES} files would be restored", request.url);
            return Err(Failure::permanent("SourceTooLarge", message));
        }
    }
    let mut changes = BTreeMap::new();
    for path in files {
        let (wanted, undone, present) = (file(&good, &path), file(&bad, &path), file(&tip, &path));
        if wanted == undone || wanted == present {
            continue;
        }
        if present != undone {
            let message = format!("{}: {path} was changed since on branch {}", request.url, request.branch);
            return Err(Failure::permanent("GitMovedOn", message));
        }
        changes.insert(path, wanted);
    }
    Ok(changes)
}

/// The files that a path means: itself, or those right in the directory that it is.
fn files_at(repository: &Repository, root: &Tree<'_>, path: &str) -> Vec<String> {
    let path = path.trim_matches('/');
    let directory = if matches!(path, "" | ".") {
        Some(root.clone())
    } else {
        match root.get_path(path.as_ref()) {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => return vec![path.to_owned()],
            Ok(entry) => entry.to_object(repository).ok().and_then(|object| object.into_tree().ok()),
            Err(_) => None,
        }
    };
    let Some(directory) = directory else { return Vec::new() };
    let prefix = if matches!(path, "" | ".") { String::new() } else { format!("{path}/") };
    let blobs = directory.iter().filter(|entry| entry.kind() == Some(ObjectType::Blob));
    blobs.filter_map(|entry| Some(format!("{prefix}{}", entry.name().ok()?))).collect()
}

fn file(root: &Tree<'_>, path: &str) -> Change {
    let entry = root.get_path(path.as_ref()).ok()?;
    (entry.kind() == Some(ObjectType::Blob)).then(|| (entry.filemode(), entry.id()))
}

/// The commit with everything that the server may lack.
fn commit(
    repository: &Repository,
    request: &RestoreRequest,
    tip: &str,
    changes: &BTreeMap<String, Change>,
) -> Result<(Oid, Vec<Oid>), git2::Error> {
    let parent = repository.find_commit(Oid::from_str(tip)?)?;
    let before = parent.tree()?;
    let mut update = TreeUpdateBuilder::new();
    let mut objects = Vec::new();
    for (path, change) in changes {
        match change {
            Some((mode, blob)) => {
                update.upsert(path.as_str(), *blob, file_mode(*mode));
                objects.push(*blob);
            }
            None => {
                update.remove(path.as_str());
            }
        }
    }
    let after = repository.find_tree(update.create_updated(repository, &before)?)?;
    new_trees(repository, &after, Some(&before), &mut objects)?;
    let (name, address) = person(&request.author);
    let who = Signature::new(name, address, &Time::new(request.seconds, 0))?;
    let commit = repository.commit(None, &who, &who, &request.message, &after, &[&parent])?;
    objects.push(commit);
    objects.sort();
    objects.dedup();
    Ok((commit, objects))
}

/// The trees below `after` that `before` does not have at the same place.
fn new_trees(
    repository: &Repository,
    after: &Tree<'_>,
    before: Option<&Tree<'_>>,
    objects: &mut Vec<Oid>,
) -> Result<(), git2::Error> {
    if before.is_some_and(|before| before.id() == after.id()) {
        return Ok(());
    }
    objects.push(after.id());
    for entry in after.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
        let same_name = before.and_then(|before| {
            before.iter().find(|old| old.name_bytes() == entry.name_bytes()).map(|old| old.id())
        });
        if same_name == Some(entry.id()) {
            continue;
        }
        let old = same_name.and_then(|id| repository.find_tree(id).ok());
        new_trees(repository, &repository.find_tree(entry.id())?, old.as_ref(), objects)?;
    }
    Ok(())
}

fn file_mode(mode: i32) -> FileMode {
    match mode {
        mode if mode == i32::from(FileMode::BlobExecutable) => FileMode::BlobExecutable,
        mode if mode == i32::from(FileMode::Link) => FileMode::Link,
        _ => FileMode::Blob,
    }
}

/// `Jane <jane@example.com>`
fn person(author: &str) -> (&str, &str) {
    let (name, address) = author.split_once('<').unwrap_or((author, ""));
    (name.trim(), address.trim_end_matches('>').trim())
}

fn broken(error: &git2::Error) -> Failure {
    Failure::transient("MirrorFailed", format!("the mirror cannot be read: {}", error.message()))
}
