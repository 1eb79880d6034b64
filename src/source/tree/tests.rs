use std::os::unix::fs::symlink;
use std::{fs, path::Path};

use git2::{IndexEntry, IndexTime, Oid, Repository, Signature};
use rstest::rstest;

use super::*;

#[rstest]
#[case(".", "a/b.yaml", "a/b.yaml")]
#[case("envs/prod", "../values/base.yaml", "envs/values/base.yaml")]
#[case("envs/prod", "../../x", "x")]
#[case("a", "./b//c/.", "a/b/c")]
#[case("a", "..", ".")]
fn paths_are_joined(#[case] base: &str, #[case] path: &str, #[case] joined: &str) {
    assert_eq!(normalise(base, path).unwrap(), joined);
}

#[rstest]
#[case("a", "../../x")]
#[case(".", "..")]
#[case(".", "/etc/passwd")]
#[case(".", "a\\..\\b")]
#[case(".", "a\0b")]
fn paths_that_lead_out_are_refused(#[case] base: &str, #[case] path: &str) {
    assert_eq!(normalise(base, path).unwrap_err().reason, "PathEscapesRepository");
}

/// A bare repository with one commit of `files`; a content that begins with `-> ` is a symbolic link.
fn commit(directory: &Path, files: &[(&str, &str)]) -> String {
    let repository = Repository::init_bare(directory).unwrap();
    let mut index = repository.index().unwrap();
    for (path, content) in files {
        let (mode, content) = match content.strip_prefix("-> ") {
            Some(target) => (0o120_000, target),
            None => (0o100_644, *content),
        };
        let id = repository.blob(content.as_bytes()).unwrap();
        index.add(&entry(path, mode, id)).unwrap();
    }
    let tree = index.write_tree().unwrap();
    commit_tree(&repository, tree)
}

fn commit_tree(repository: &Repository, tree: Oid) -> String {
    let author = Signature::now("t", "t@example.com").unwrap();
    let tree = repository.find_tree(tree).unwrap();
    repository.commit(None, &author, &author, "m", &tree, &[]).unwrap().to_string()
}

fn entry(path: &str, mode: u32, id: Oid) -> IndexEntry {
    let time = IndexTime::new(0, 0);
    IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

fn text(tree: &dyn Tree, path: &str) -> Option<String> {
    tree.read(path).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn files_of_a_commit_are_read_without_a_checkout() {
    let directory = tempfile::tempdir().unwrap();
    let files = [("a.yaml", "a"), ("dir/b.yaml", "b"), ("dir/link", "-> ../a.yaml"), ("up", "-> dir")];
    let id = commit(directory.path(), &files);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    assert_eq!(text(&tree, "dir/b.yaml").as_deref(), Some("b"));
    assert_eq!(text(&tree, "dir/link").as_deref(), Some("a"));
    assert_eq!(text(&tree, "up/b.yaml").as_deref(), Some("b"));
    assert_eq!(text(&tree, "dir"), None);
    assert_eq!(text(&tree, "a.yaml/x"), None);
    let names: Vec<_> = tree.list("dir").unwrap().unwrap().into_iter().map(|e| (e.name, e.kind)).collect();
    assert_eq!(names, [("b.yaml".into(), EntryKind::File), ("link".into(), EntryKind::File)]);
    assert_eq!(tree.list("nowhere").unwrap(), None);
}

#[test]
fn a_record_has_links_and_missing_paths_too() {
    let directory = tempfile::tempdir().unwrap();
    let id = commit(directory.path(), &[("a.yaml", "a"), ("link", "-> a.yaml")]);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    let recorder = Recorder::new(&tree);
    recorder.read("link").unwrap();
    recorder.read("missing").unwrap();
    let reads: Vec<_> = recorder.reads().into_iter().map(|r| (r.path, r.id.is_some())).collect();
    assert_eq!(reads, [("a.yaml".into(), true), ("link".into(), true), ("missing".into(), false)]);
}

#[test]
fn a_listing_depends_on_what_its_links_lead_to() {
    let directory = tempfile::tempdir().unwrap();
    let id = commit(directory.path(), &[("app/link", "-> ../gone"), ("app/a.yaml", "a")]);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    let recorder = Recorder::new(&tree);
    let entries = recorder.list("app").unwrap().unwrap();
    assert_eq!(entries[1], Entry { name: "link".into(), kind: EntryKind::Other });
    let reads: Vec<_> = recorder.reads().into_iter().map(|r| (r.path, r.id.is_some())).collect();
    assert_eq!(reads, [("app".into(), true), ("app/link".into(), true), ("gone".into(), false)]);
}

#[test]
fn links_to_directories_are_followed_where_they_really_are() {
    let directory = tempfile::tempdir().unwrap();
    let files =
        [("deep/down/a", "a"), ("deep/b", "b"), ("x/l", "-> ../deep/down"), ("deep/down/m", "-> ../b")];
    let id = commit(directory.path(), &[files.as_slice(), &[("root", "-> .")]].concat());
    let tree = GitTree::open(directory.path(), &id).unwrap();
    assert_eq!(text(&tree, "x/l/a").as_deref(), Some("a"));
    assert_eq!(text(&tree, "x/l/m").as_deref(), Some("b"));
    assert_eq!(text(&tree, "root/root/x/l/m").as_deref(), Some("b"));
    assert_eq!(tree.list("root").unwrap(), tree.list(".").unwrap());
}

#[test]
fn a_submodule_is_neither_file_nor_directory() {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(directory.path()).unwrap();
    let mut index = repository.index().unwrap();
    index.add(&entry("sub", 0o160_000, Oid::from_str(&"1".repeat(40)).unwrap())).unwrap();
    let id = commit_tree(&repository, index.write_tree().unwrap());
    let tree = GitTree::open(directory.path(), &id).unwrap();
    let listed = tree.list(".").unwrap().unwrap();
    assert_eq!(listed, [Entry { name: "sub".into(), kind: EntryKind::Other }]);
    assert_eq!((tree.read("sub").unwrap(), tree.read("sub/a").unwrap()), (None, None));
    assert_eq!(tree.list("sub").unwrap(), None);
}

#[test]
fn names_that_git_would_never_write_are_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(directory.path()).unwrap();
    let blob = repository.blob(b"a").unwrap();
    let mut bytes = Vec::new();
    for name in ["..", "a/b", "c"] {
        bytes.extend_from_slice(format!("100644 {name}\0").as_bytes());
        bytes.extend_from_slice(blob.as_bytes());
    }
    let hostile = repository.odb().unwrap().write(git2::ObjectType::Tree, &bytes).unwrap();
    let id = commit_tree(&repository, hostile);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    let names: Vec<_> = tree.list(".").unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["c"]);
}

#[test]
fn a_directory_of_too_many_entries_is_not_listed_but_read() {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..=MAX_ENTRIES).map(|number| format!("f{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let id = commit(directory.path(), &files);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    assert_eq!(tree.list(".").unwrap_err().reason, "SourceTooLarge");
    assert_eq!(text(&tree, "f77").as_deref(), Some("x"));
}

#[rstest]
#[case("-> ../../etc/passwd", "PathEscapesRepository")]
#[case("-> /etc/passwd", "PathEscapesRepository")]
#[case("-> link", "PathEscapesRepository")]
fn links_that_lead_out_or_in_circles_are_refused(#[case] link: &str, #[case] reason: &str) {
    let directory = tempfile::tempdir().unwrap();
    let id = commit(directory.path(), &[("link", link)]);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    assert_eq!(tree.read("link").unwrap_err().reason, reason);
}

#[test]
fn a_huge_file_is_refused_by_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let huge = "x".repeat(usize::try_from(MAX_FILE).unwrap() + 1);
    let id = commit(directory.path(), &[("huge", &huge)]);
    let tree = GitTree::open(directory.path(), &id).unwrap();
    assert_eq!(tree.read("huge").unwrap_err().reason, "SourceTooLarge");
}

#[test]
fn a_directory_on_disk_is_jailed_too() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "a").unwrap();
    symlink(outside.path().join("secret"), root.path().join("out")).unwrap();
    symlink("a", root.path().join("in")).unwrap();
    let tree = DirectoryTree::open(root.path()).unwrap();
    assert_eq!(text(&tree, "in").as_deref(), Some("a"));
    assert_eq!(tree.read("out").unwrap_err().reason, "PathEscapesRepository");
    assert_eq!(tree.list(".").unwrap_err().reason, "PathEscapesRepository");
}
