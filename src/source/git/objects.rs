//! The objects of a commit, straight from a mirror's object database.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;

use git2::{FileMode, Oid, Repository};

use super::mirror::open_mirror;
use crate::failure::Failure;

/// Largest directory that is parsed, in bytes of its tree object: some 400,000 entries.
const MAX_TREE: usize = 16 << 20;
/// Most names that are kept parsed.
const MAX_KEPT: usize = 500_000;

/// An entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Id of the blob, the tree or the submodule's commit.
    pub id: Oid,
    /// What it is.
    pub kind: Kind,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A symbolic link; its target is its content.
    Link,
    /// A directory.
    Directory,
    /// A submodule.
    Submodule,
}

/// The entries of a tree, by the bytes of their names.
pub type Names = BTreeMap<Box<[u8]>, Item>;

/// The objects of one commit. Each tree is parsed once: looking one name up in libgit2 parses it whole, and
/// in a repository with a directory for each of a thousand Applications that is most of the work.
pub struct Objects {
    repository: Repository,
    commit: String,
    root: Oid,
    parsed: RefCell<HashMap<Oid, Rc<Names>>>,
}

impl Objects {
    /// The objects of `commit` (its full id) in the bare repository `mirror`.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have the commit.
    pub fn open(mirror: &Path, commit: &str) -> Result<Self, Failure> {
        let repository = open_mirror(mirror)?;
        let root = Oid::from_str(commit)
            .and_then(|id| repository.find_commit(id))
            .map(|commit| commit.tree_id())
            .map_err(|error| unreadable(commit, &error))?;
        Ok(Self { repository, commit: commit.to_owned(), root, parsed: RefCell::default() })
    }

    /// The root directory.
    pub fn root(&self) -> Item {
        Item { id: self.root, kind: Kind::Directory }
    }

    /// What is at a path of names from the root; links are not followed.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn find<'p>(&self, names: impl IntoIterator<Item = &'p str>) -> Result<Option<Item>, Failure> {
        let mut item = self.root();
        for name in names {
            if item.kind != Kind::Directory {
                return Ok(None);
            }
            match self.names(item.id)?.get(name.as_bytes()) {
                Some(found) => item = *found,
                None => return Ok(None),
            }
        }
        Ok(Some(item))
    }

    /// The entries of a directory.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have it, `SourceTooLarge` where it is huge.
    pub fn names(&self, directory: Oid) -> Result<Rc<Names>, Failure> {
        if let Some(names) = self.parsed.borrow().get(&directory) {
            return Ok(names.clone());
        }
        let size = self.size(directory)?;
        if size > MAX_TREE {
            let message =
                format!("a directory of the repository takes {size} bytes, at most {MAX_TREE} are read");
            return Err(Failure::permanent("SourceTooLarge", message));
        }
        let tree = self.repository.find_tree(directory).map_err(|error| unreadable(&self.commit, &error))?;
        let names: Names = tree.iter().filter_map(|entry| item(&entry)).collect();
        let names = Rc::new(names);
        let mut parsed = self.parsed.borrow_mut();
        if parsed.values().map(|names| names.len()).sum::<usize>() + names.len() > MAX_KEPT {
            parsed.clear();
        }
        parsed.insert(directory, names.clone());
        Ok(names)
    }

    /// The size of an object in bytes, without inflating it.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have it.
    pub fn size(&self, id: Oid) -> Result<usize, Failure> {
        let header = self.repository.odb().and_then(|odb| odb.read_header(id));
        header.map(|(size, _)| size).map_err(|error| unreadable(&self.commit, &error))
    }

    /// The bytes of a file or of a link's target. The caller looked at [`Self::size`] first.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have it.
    pub fn content(&self, blob: Oid) -> Result<Vec<u8>, Failure> {
        let blob = self.repository.find_blob(blob).map_err(|error| unreadable(&self.commit, &error))?;
        Ok(blob.content().to_vec())
    }
}

/// A name that is no name, as only a hand-made tree has it, is as good as missing.
fn item(entry: &git2::TreeEntry<'_>) -> Option<(Box<[u8]>, Item)> {
    let name = entry.name_bytes();
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
        return None;
    }
    let kind = match entry.filemode() {
        mode if mode == i32::from(FileMode::Tree) => Kind::Directory,
        mode if mode == i32::from(FileMode::Link) => Kind::Link,
        mode if mode == i32::from(FileMode::Commit) => Kind::Submodule,
        _ => Kind::File,
    };
    Some((name.into(), Item { id: entry.id(), kind }))
}

fn unreadable(commit: &str, error: &git2::Error) -> Failure {
    let message = format!("commit {commit}: the mirror cannot be read: {}", error.message());
    Failure::transient("MirrorFailed", message)
}
