//! Mirrors that a crash, a kill or a bad disk has left.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::server::Mood;
use super::{Case, Reference, ResolveRequest, Revision, resolve};
use crate::failure::Failure;
use crate::source::git::compact::MAX_SMALL;
use crate::source::tree::{GitTree, Tree as _};

#[test]
fn a_damaged_mirror_heals() {
    let case = Case::new();
    case.server.commit("main", "one");
    case.main().unwrap();
    let mirror = case.cache.path().join("mirror");
    std::fs::remove_dir_all(mirror.join("objects")).unwrap();
    std::fs::write(mirror.join("HEAD"), "nonsense").unwrap();
    let commit = case.main().unwrap().commit;
    assert_eq!(case.content(&commit), "one");
}

fn packs(mirror: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(mirror.join("objects/pack")).unwrap();
    entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "pack")).collect()
}

fn renew(case: &Case) -> Result<Revision, Failure> {
    let request = ResolveRequest {
        url: case.server.url.clone(),
        credentials: case.credentials.clone(),
        mirror: case.cache.path().join("mirror"),
        references: vec![Reference::Branch("main".into())],
        renew: true,
    };
    resolve(&request).remove(0)
}

#[test]
fn a_pack_that_lost_its_content_is_fetched_again() {
    let case = Case::new();
    case.server.commit("main", "one");
    case.main().unwrap();
    for pack in packs(&case.cache.path().join("mirror")) {
        let mut bytes = fs::read(&pack).unwrap();
        let middle = 12..bytes.len() - 20;
        bytes[middle].fill(0);
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
    }
    let commit = case.main().unwrap().commit;
    assert_eq!(case.content(&commit), "one");
}

#[test]
fn a_mirror_is_renewed_when_asked_and_kept_when_that_fails() {
    let case = Case::new();
    let first = case.server.commit("main", "one");
    case.main().unwrap();
    case.server.be(Mood::Answers(503));
    renew(&case).unwrap_err();
    assert_eq!(case.content(&first), "one");
    case.server.be(Mood::Serves);
    case.server.commit("main", "two");
    case.main().unwrap();
    let mirror = case.cache.path().join("mirror");
    assert_eq!(packs(&mirror).len(), 2);
    renew(&case).unwrap();
    assert_eq!(packs(&mirror).len(), 1);
    let mut left: Vec<_> = fs::read_dir(case.cache.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["mirror", "mirror.lock"]);
}

#[test]
fn what_a_killed_fetch_left_is_no_obstacle_and_goes() {
    let case = Case::new();
    case.server.commit("main", "one");
    case.main().unwrap();
    let mirror = case.cache.path().join("mirror");
    let leftovers = ["objects/pack/pack_git2_x1", "objects/pack/pack-1234.idx", "refs/heads/main.lock"];
    for leftover in leftovers {
        fs::write(mirror.join(leftover), "half").unwrap();
    }
    let kept = packs(&mirror);
    let commit = case.server.commit("main", "two");
    assert_eq!(case.main().unwrap().commit, commit);
    assert!(leftovers.iter().all(|leftover| !mirror.join(leftover).exists()));
    // Fetched beside what was there, not anew.
    assert!(kept.iter().all(|pack| pack.exists()));
}

#[test]
fn a_branch_where_a_directory_of_branches_was_is_followed() {
    let case = Case::new();
    case.server.commit("a/b", "one");
    case.one(Reference::Branch("a/b".into())).unwrap();
    case.server.git(&["checkout", "-q", "--detach"]);
    case.server.git(&["push", "-q", "origin", ":a/b"]);
    case.server.git(&["branch", "-D", "a/b"]);
    let commit = case.server.commit("a", "two");
    assert_eq!(case.one(Reference::Branch("a".into())).unwrap().commit, commit);
}

#[test]
fn many_fetches_do_not_leave_many_packs() {
    let case = Case::new();
    let first = case.server.commit("main", "one");
    case.main().unwrap();
    let mirror = case.cache.path().join("mirror");
    let reader = GitTree::open(&mirror, &first).unwrap();
    for number in 0..MAX_SMALL {
        case.server.commit("main", &format!("change {number}"));
        case.main().unwrap();
    }
    assert_eq!(packs(&mirror).len(), MAX_SMALL + 1);
    let last = case.server.commit("main", "last");
    let started = Instant::now();
    case.main().unwrap();
    println!("timing: fetch that compacts {MAX_SMALL} packs {:?}", started.elapsed());
    assert_eq!(packs(&mirror).len(), 2);
    assert_eq!((case.content(&first), case.content(&last)), ("one".into(), "last".into()));
    // One that had opened the mirror before finds its files, too.
    assert_eq!(reader.read("app/a.yaml").unwrap().unwrap(), b"one");
}
