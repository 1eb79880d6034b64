mod damage;
mod refusals;
mod server;

use std::time::{Duration, Instant};

use rstest::rstest;

use super::*;
use crate::failure::Failure;
use server::{Mood, Server};

struct Case {
    server: Server,
    cache: tempfile::TempDir,
    credentials: Credentials,
}

impl Case {
    fn new() -> Self {
        Self {
            server: Server::start(),
            cache: tempfile::tempdir().unwrap(),
            credentials: Credentials::Anonymous,
        }
    }

    fn all(&self, references: &[Reference]) -> Vec<Result<Revision, Failure>> {
        // Only who is silent on purpose is given up soon: a server on a busy machine may take its time.
        let stall = if self.server.is(Mood::Silent) { 700 } else { 30_000 };
        let patience = Patience { stall: Duration::from_millis(stall) };
        let request = ResolveRequest {
            url: self.server.url.clone(),
            credentials: self.credentials.clone(),
            mirror: self.cache.path().join("mirror"),
            references: references.to_vec(),
            renew: false,
        };
        resolve_with(&request, patience)
    }

    fn one(&self, reference: Reference) -> Result<Revision, Failure> {
        self.all(&[reference]).remove(0)
    }

    fn main(&self) -> Result<Revision, Failure> {
        self.one(Reference::Branch("main".into()))
    }

    fn content(&self, commit: &str) -> String {
        use crate::source::tree::{GitTree, Tree as _};
        let tree = GitTree::open(&self.cache.path().join("mirror"), commit).unwrap();
        String::from_utf8(tree.read("app/a.yaml").unwrap().unwrap()).unwrap()
    }
}

#[rstest]
#[case(Mood::Serves)]
#[case(Mood::Old)]
#[case(Mood::Moved)]
fn branches_tags_and_commits_are_resolved_and_fetched(#[case] mood: Mood) {
    let case = Case::new();
    let first = case.server.commit("main", "one");
    case.server.git(&["tag", "light"]);
    case.server.git(&["tag", "-a", "-m", "note", "heavy"]);
    case.server.git(&["push", "-q", "origin", "light", "heavy"]);
    let second = case.server.commit("main", "two");
    case.server.be(mood);
    let results = case.all(&[
        Reference::Branch("main".into()),
        Reference::Tag("light".into()),
        Reference::Tag("heavy".into()),
        Reference::Commit(first.clone()),
    ]);
    let commits: Vec<_> = results.into_iter().map(|r| r.unwrap().commit).collect();
    assert_eq!(commits, [second.clone(), first.clone(), first.clone(), first.clone()]);
    assert_eq!((case.content(&first), case.content(&second)), ("one".into(), "two".into()));
}

#[test]
fn nothing_new_is_one_small_request() {
    let case = Case::new();
    case.server.commit("main", "one");
    case.main().unwrap();
    case.server.methods();
    let started = Instant::now();
    case.main().unwrap();
    println!("timing: listing with nothing new {:?}", started.elapsed());
    assert_eq!(case.server.methods(), ["POST"]);
}

#[test]
fn a_bare_commit_that_no_branch_has_is_asked_for_by_id() {
    let case = Case::new();
    case.server.commit("main", "one");
    let lost = case.server.commit("side", "lost");
    case.server.git(&["push", "-q", "origin", ":side"]);
    let refused = case.one(Reference::Commit(lost.clone())).unwrap_err();
    assert_eq!(refused.reason, "RevisionNotFound", "{refused}");
    server::git(&case.server.bare(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    assert_eq!(case.one(Reference::Commit(lost.clone())).unwrap().commit, lost);
    assert_eq!(case.content(&lost), "lost");
}

#[test]
fn a_rewritten_branch_is_followed_and_a_deleted_one_is_named() {
    let case = Case::new();
    case.server.commit("main", "one");
    case.server.commit("side", "a");
    case.one(Reference::Branch("side".into())).unwrap();
    case.server.git(&["reset", "-q", "--hard", "main"]);
    let rewritten = case.server.commit("side", "b");
    assert_eq!(case.one(Reference::Branch("side".into())).unwrap().commit, rewritten);
    case.server.git(&["push", "-q", "origin", ":side"]);
    let failure = case.one(Reference::Branch("side".into())).unwrap_err();
    assert_eq!(failure.reason, "RevisionNotFound");
    assert!(failure.message.ends_with("there is no branch side; its only branch is main"), "{failure}");
}

#[test]
fn one_missing_reference_does_not_hide_the_others() {
    let case = Case::new();
    case.server.commit("main", "one");
    let results = case.all(&[Reference::Tag("v9".into()), Reference::Branch("main".into())]);
    assert!(results[0].is_err() && results[1].is_ok());
}

#[test]
fn path_ids_tell_what_a_commit_changed() {
    let case = Case::new();
    let work = case.server.commit("main", "one");
    case.main().unwrap();
    case.server.git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
    let changed = case.server.commit("main", "two");
    case.main().unwrap();
    let ids = |commit: &str| {
        let paths = ["app/a.yaml", "app", "missing", "app/a.yaml/x", "."].map(str::to_owned).to_vec();
        let mirror = case.cache.path().join("mirror");
        path_ids(&PathIdsRequest { mirror, commit: commit.to_owned(), paths }).unwrap()
    };
    let (before, after) = (ids(&work), ids(&changed));
    assert_eq!(before.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false, true]);
    assert_ne!(before[0], after[0]);
    assert_ne!(before[4], after[4]);
    assert_eq!(ids(&work), before);
}
