//! What references point to now, with their commits in the mirror.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Repository;

use super::http::{Patience, Session};
use super::mirror::{fetch, has_commit, lock, open_or_create, remove};
use super::refs::list;
use super::transport::FetchError;
use super::{Reference, ResolveRequest, Revision};
use crate::failure::Failure;

/// Most branches that a message names.
const NAMED: usize = 5;

/// Resolves every reference of a request; a failure of the repository answers all of them.
pub fn resolve(request: &ResolveRequest) -> Vec<Result<Revision, Failure>> {
    resolve_with(request, Patience::default())
}

/// As [`resolve`], with other bounds on silence.
pub fn resolve_with(request: &ResolveRequest, patience: Patience) -> Vec<Result<Revision, Failure>> {
    match all(request, patience) {
        Ok(results) => results,
        Err(failure) => vec![Err(failure); request.references.len()],
    }
}

fn all(request: &ResolveRequest, patience: Patience) -> Result<Vec<Result<Revision, Failure>>, Failure> {
    let connect = || Session::new(&request.url, &request.credentials, patience);
    let refs = wanted_refs(request, &mut connect()?)?;
    let _lock = lock(&request.mirror)?;
    let mut repository = open_or_create(&request.mirror)?;
    let mut results = Vec::new();
    for reference in &request.references {
        let commit = match reference {
            Reference::Commit(commit) => Some(commit.clone()),
            named => refs.get(&full_name(named)).cloned(),
        };
        let Some(commit) = commit else {
            results.push(Err(missing(request, reference, &mut connect()?)));
            continue;
        };
        if !has_commit(&repository, &commit) {
            repository = obtain(request, repository, reference, &commit, patience)?;
        }
        results.push(if has_commit(&repository, &commit) {
            Ok(Revision { reference: display(reference), commit })
        } else {
            Err(unobtainable(request, reference, &commit))
        });
    }
    Ok(results)
}

fn wanted_refs(request: &ResolveRequest, session: &mut Session) -> Result<BTreeMap<String, String>, Failure> {
    let prefixes: Vec<_> =
        request.references.iter().filter(|r| !matches!(r, Reference::Commit(_))).map(full_name).collect();
    // A commit's id says all; its repository is asked only when the mirror lacks it.
    if prefixes.is_empty() { Ok(BTreeMap::new()) } else { list(session, &request.url, &prefixes) }
}

/// Fetches a commit: by its reference, or for a bare id first every branch and tag and then the id itself,
/// which not every server allows.
fn obtain(
    request: &ResolveRequest,
    repository: Repository,
    reference: &Reference,
    commit: &str,
    patience: Patience,
) -> Result<Repository, Failure> {
    let attempts: Vec<Vec<String>> = match reference {
        Reference::Commit(commit) => vec![
            vec!["+refs/heads/*:refs/heads/*".into(), "+refs/tags/*:refs/tags/*".into()],
            vec![format!("+{commit}:refs/windlass/{commit}")],
        ],
        named => vec![vec![format!("+{0}:{0}", full_name(named))]],
    };
    let mut repository = repository;
    for (number, refspecs) in attempts.iter().enumerate() {
        let last_resort = number > 0;
        match fetch_or_renew(request, &mut repository, refspecs, patience, !last_resort) {
            // A server that does not give commits by id leaves the commit missing.
            Err(failure) if last_resort && failure.reason == "FetchFailed" => {}
            other => other?,
        }
        if has_commit(&repository, commit) {
            break;
        }
    }
    Ok(repository)
}

/// Fetches; where the mirror seems damaged, deletes it and fetches once more.
fn fetch_or_renew(
    request: &ResolveRequest,
    repository: &mut Repository,
    refspecs: &[String],
    patience: Patience,
    may_renew: bool,
) -> Result<(), Failure> {
    let run = |repository: &Repository| {
        let session =
            Session::new(&request.url, &request.credentials, patience).map_err(FetchError::Conversation)?;
        fetch(repository, session, &request.url, refspecs)
    };
    let again = match run(repository) {
        Ok(()) => return Ok(()),
        Err(FetchError::Conversation(failure)) => return Err(failure),
        Err(FetchError::Git(error)) if !may_renew => Err(FetchError::Git(error)),
        Err(FetchError::Git(_)) => {
            *repository = renew(&request.mirror)?;
            run(repository)
        }
    };
    again.map_err(|error| match error {
        FetchError::Conversation(failure) => failure,
        FetchError::Git(error) => {
            Failure::transient("FetchFailed", format!("{}: {}", request.url, error.message()))
        }
    })
}

fn renew(mirror: &Path) -> Result<Repository, Failure> {
    remove(mirror)?;
    open_or_create(mirror)
}

fn missing(request: &ResolveRequest, reference: &Reference, session: &mut Session) -> Failure {
    let branches = list(session, &request.url, &["refs/heads/".to_owned()]).unwrap_or_default();
    let names: Vec<_> = branches.keys().filter_map(|name| name.strip_prefix("refs/heads/")).collect();
    let known = match names.len() {
        0 => "it has no branch at all".to_owned(),
        1..=NAMED => format!("its branches are {}", names.join(", ")),
        many => format!(
            "it has {many} branches, among them {}",
            names.get(..NAMED).unwrap_or_default().join(", ")
        ),
    };
    Failure::permanent(
        "RevisionNotFound",
        format!("{}: there is no {}; {known}", request.url, words(reference)),
    )
}

fn unobtainable(request: &ResolveRequest, reference: &Reference, commit: &str) -> Failure {
    match reference {
        Reference::Commit(_) => Failure::permanent(
            "RevisionNotFound",
            format!(
                "{}: commit {commit} is on no branch or tag, and the server does not give it",
                request.url
            ),
        ),
        // It moved between the listing and the fetch: the next look finds where.
        named => Failure::transient("RevisionMoved", format!("{}: {} just moved", request.url, words(named))),
    }
}

fn full_name(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) => format!("refs/heads/{name}"),
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Commit(id) => id.clone(),
    }
}

fn display(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) | Reference::Tag(name) => name.clone(),
        Reference::Commit(_) => "commit".into(),
    }
}

fn words(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) => format!("branch {name}"),
        Reference::Tag(name) => format!("tag {name}"),
        Reference::Commit(id) => format!("commit {id}"),
    }
}
