//! Servers that refuse, misbehave or lie, and requests that make no sense.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::server::{self, Mood, Server};
use super::{Case, Credentials, Reference, ResolveRequest, resolve};

#[test]
fn credentials_open_a_protected_repository_and_are_never_told() {
    let mut case = Case::new();
    case.server.commit("main", "one");
    case.server.be(Mood::Protected);
    assert_eq!(case.main().unwrap_err().reason, "AuthenticationFailed");
    case.credentials = Credentials::Basic { username: "u".into(), password: "wrong-secret".into() };
    let failure = case.main().unwrap_err();
    assert_eq!(failure.reason, "AuthenticationFailed");
    assert!(
        !failure.message.contains("wrong-secret") && !format!("{:?}", case.credentials).contains("wrong")
    );
    case.credentials = Credentials::Basic { username: "u".into(), password: "p".into() };
    case.main().unwrap();
}

#[rstest]
#[case(Mood::Silent, "SourceTimeout", true)]
#[case(Mood::Endless, "RepositoryTooLarge", false)]
#[case(Mood::ClosesMidway, "SourceUnreachable", true)]
#[case(Mood::Answers(500), "SourceUnreachable", true)]
#[case(Mood::Answers(429), "SourceUnreachable", true)]
#[case(Mood::Answers(404), "RepositoryNotFound", false)]
#[case(Mood::Answers(401), "AuthenticationFailed", false)]
fn a_bad_server_is_told_by_its_reason(#[case] mood: Mood, #[case] reason: &str, #[case] transient: bool) {
    let case = Case::new();
    case.server.commit("main", "one");
    case.server.be(mood);
    let started = Instant::now();
    let failure = case.main().unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.transient), (reason, transient), "{failure}");
    assert!(failure.message.contains(&case.server.url), "{failure}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_address_where_nobody_listens_is_told() {
    let case = Case::new();
    let request = ResolveRequest {
        url: "http://127.0.0.1:1/env.git".into(),
        credentials: Credentials::Anonymous,
        mirror: case.cache.path().join("m"),
        references: vec![Reference::Branch("main".into())],
        renew: false,
    };
    let failure = resolve(&request).remove(0).unwrap_err();
    assert_eq!(failure.reason, "SourceUnreachable");
    assert!(failure.message.contains("refused"), "{failure}");
}

#[test]
fn credentials_go_to_no_other_server() {
    let mut case = Case::new();
    let other = Server::start();
    let commit = other.commit("main", "one");
    case.server.be(Mood::Elsewhere(other.port()));
    case.credentials = Credentials::Basic { username: "u".into(), password: "p".into() };
    assert_eq!(case.main().unwrap().commit, commit);
    assert!(case.server.seen().iter().all(|seen| seen.authorization.is_some()));
    let seen = other.seen();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()));
}

#[rstest]
#[case("https://u:hush@git.example/env.git", "in secretRef")]
#[case("https://hush@git.example/env.git", "in secretRef")]
#[case("https://git.example/env.git?token=hush", "has a ? or #")]
#[case("https://u:hush@[git.example/env.git", "makes no sense")]
#[case("file:///etc/hush", "only https")]
#[case("ssh://hush@git.example/env.git", "only https")]
fn an_address_that_cannot_be_used_is_not_repeated(#[case] url: &str, #[case] hint: &str) {
    let cache = tempfile::tempdir().unwrap();
    let request = ResolveRequest {
        url: url.into(),
        credentials: Credentials::Anonymous,
        mirror: cache.path().join("m"),
        references: vec![Reference::Branch("main".into())],
        renew: false,
    };
    let failure = resolve(&request).remove(0).unwrap_err();
    assert_eq!(failure.reason, "InvalidSource");
    assert!(failure.message.contains(hint) && !failure.message.contains("hush"), "{failure}");
}

#[test]
fn a_token_that_cannot_be_sent_is_told_instead_of_left_out() {
    let mut case = Case::new();
    case.credentials = Credentials::Bearer { token: "two\nlines".into() };
    let failure = case.main().unwrap_err();
    assert_eq!(failure.reason, "AuthenticationFailed");
    assert!(failure.message.contains("line break") && !failure.message.contains("two"), "{failure}");
}

#[rstest]
#[case(Mood::Answers(503), 1)]
#[case(Mood::Answers(429), 1)]
#[case(Mood::Silent, 1)]
#[case(Mood::Answers(500), 2)]
fn a_busy_server_is_asked_once_and_not_taken_for_an_old_one(#[case] mood: Mood, #[case] requests: usize) {
    let case = Case::new();
    case.server.commit("main", "one");
    case.main().unwrap();
    case.server.methods();
    case.server.be(mood);
    case.main().unwrap_err();
    assert_eq!(case.server.methods().len(), requests);
    case.server.be(Mood::Serves);
    case.main().unwrap();
    assert_eq!(case.server.methods(), ["POST"]);
}

#[test]
fn a_pinned_commit_in_the_mirror_needs_no_server() {
    let case = Case::new();
    let commit = case.server.commit("main", "one");
    case.main().unwrap();
    case.server.be(Mood::Answers(503));
    let answers = case.all(&[Reference::Commit(commit.clone()), Reference::Branch("main".into())]);
    assert_eq!(answers[0].as_ref().unwrap().commit, commit);
    assert_eq!(answers[1].as_ref().unwrap_err().reason, "SourceUnreachable");
}

#[test]
fn a_tag_of_something_else_than_a_commit_is_told() {
    let case = Case::new();
    case.server.commit("main", "one");
    let blob = case.server.git(&["rev-parse", "HEAD:app/a.yaml"]);
    case.server.git(&["tag", "odd", &blob]);
    case.server.git(&["push", "-q", "origin", "odd"]);
    let failure = case.one(Reference::Tag("odd".into())).unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.transient), ("RevisionNotFound", false));
    assert!(failure.message.ends_with("tag odd is a blob, not a commit"), "{failure}");
}

#[rstest]
#[case(Reference::Branch("mian".into()), "there is no branch mian; it has main, side")]
#[case(Reference::Branch("a b:*".into()), "there is no branch a b:*; it has main, side")]
#[case(Reference::Tag("v1".into()), "there is no tag v1; it has no tag at all")]
#[case(Reference::Commit("abc123".into()), "abc123 is no commit id; give all 40 hexadecimal digits")]
fn what_is_not_there_is_named_with_what_is(#[case] reference: Reference, #[case] words: &str) {
    let case = Case::new();
    case.server.commit("main", "one");
    case.server.commit("side", "two");
    let failure = case.one(reference).unwrap_err();
    assert_eq!(failure.reason, "RevisionNotFound");
    assert!(failure.message.ends_with(words), "{failure}");
}

#[rstest]
#[case(Mood::Serves)]
#[case(Mood::Old)]
fn a_repository_with_longer_ids_is_refused(#[case] mood: Mood) {
    let case = Case::new();
    std::fs::remove_dir_all(case.server.bare()).unwrap();
    let make = ["init", "-q", "--bare", "-b", "main", "--object-format=sha256", "env.git"];
    server::git(case.server.root.path(), &make);
    let bare = case.server.bare();
    let tree = server::git(&bare, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let commit = server::git(&bare, &["commit-tree", "-m", "one", &tree]);
    server::git(&bare, &["update-ref", "refs/heads/main", &commit]);
    case.server.be(mood);
    let failure = case.main().unwrap_err();
    assert_eq!(failure.reason, "InvalidSource");
    assert!(failure.message.contains("SHA-256"), "{failure}");
}

#[test]
fn a_page_that_is_no_repository_is_told() {
    let case = Case::new();
    std::fs::remove_dir_all(case.server.bare()).unwrap();
    assert_eq!(case.main().unwrap_err().reason, "RepositoryNotFound");
}
