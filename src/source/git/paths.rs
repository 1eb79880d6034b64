//! What stands at paths of a commit, by object id: two commits that agree on every path that a render read
//! render to the same release.

use std::collections::HashMap;

use git2::{ObjectType, Oid, Repository, Tree};

use super::PathIdsRequest;
use super::mirror::open_mirror;
use crate::failure::Failure;

/// The id of the blob or tree at each path, `None` where there is nothing. Links are not followed.
///
/// # Errors
/// `MirrorFailed` where the mirror or the commit cannot be read.
pub fn path_ids(request: &PathIdsRequest) -> Result<Vec<Option<String>>, Failure> {
    let repository = open_mirror(&request.mirror)?;
    let failed = |error: git2::Error| {
        Failure::transient("MirrorFailed", format!("commit {}: {}", request.commit, error.message()))
    };
    let root =
        Oid::from_str(&request.commit).and_then(|id| repository.find_commit(id)).map_err(failed)?.tree_id();
    let mut trees = Trees { repository: &repository, root, known: HashMap::new() };
    request.paths.iter().map(|path| Ok(trees.id(path).map_err(failed)?.map(|id| id.to_string()))).collect()
}

/// Names of a directory, each with its object id and whether it is a directory itself.
type Entries = HashMap<Vec<u8>, (Oid, bool)>;

/// Each directory is parsed once, however many paths lie in it: looking one name up parses it whole.
struct Trees<'a> {
    repository: &'a Repository,
    root: Oid,
    known: HashMap<String, Option<Entries>>,
}

impl Trees<'_> {
    fn id(&mut self, path: &str) -> Result<Option<Oid>, git2::Error> {
        if path == "." {
            return Ok(Some(self.root));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        Ok(self.entries(parent)?.and_then(|entries| entries.get(name.as_bytes())).map(|(id, _)| *id))
    }

    fn entries(&mut self, directory: &str) -> Result<Option<&Entries>, git2::Error> {
        if !self.known.contains_key(directory) {
            let id = if directory == "." {
                Some(self.root)
            } else {
                let (parent, name) = directory.rsplit_once('/').unwrap_or((".", directory));
                let entries = self.entries(parent)?;
                entries
                    .and_then(|e| e.get(name.as_bytes()))
                    .filter(|(_, is_tree)| *is_tree)
                    .map(|(id, _)| *id)
            };
            let entries = id.map(|id| self.repository.find_tree(id).map(|tree| read(&tree))).transpose()?;
            self.known.insert(directory.to_owned(), entries);
        }
        Ok(self.known.get(directory).and_then(Option::as_ref))
    }
}

fn read(tree: &Tree<'_>) -> Entries {
    tree.iter()
        .map(|entry| (entry.name_bytes().to_vec(), (entry.id(), entry.kind() == Some(ObjectType::Tree))))
        .collect()
}
