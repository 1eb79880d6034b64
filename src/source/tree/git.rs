use std::path::Path;

use git2::{ObjectType, Oid, Repository};

use super::{Budget, Entry, EntryKind, MAX_LINKS, Tree, check_entries, escapes, normalise, parent};
use crate::failure::Failure;
use crate::render::PathRead;

const LINK_MODE: i32 = 0o120_000;
const SUBMODULE_MODE: i32 = 0o160_000;

/// The files of a commit, read from a mirror's object database without a checkout.
pub struct GitTree {
    repository: Repository,
    root: Oid,
    budget: Budget,
}

/// Where a path ends.
struct End {
    path: String,
    id: Option<Oid>,
    kind: EntryKind,
    links: Vec<PathRead>,
}

impl GitTree {
    /// The files of `commit` in the bare repository `mirror`.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have the commit.
    pub fn open(mirror: &Path, commit: &str) -> Result<Self, Failure> {
        let repository = crate::source::git::open_mirror(mirror)?;
        let root = Oid::from_str(commit)
            .and_then(|id| repository.find_commit(id))
            .map(|commit| commit.tree_id())
            .map_err(|error| unreadable(commit, &error))?;
        Ok(Self { repository, root, budget: Budget::default() })
    }

    /// Follows a path, and links on it, to its end.
    fn resolve(&self, path: &str) -> Result<End, Failure> {
        let mut path = normalise(".", path)?;
        let mut links = Vec::new();
        'again: loop {
            if path == "." {
                return Ok(End { path, id: Some(self.root), kind: EntryKind::Directory, links });
            }
            let mut tree = self.root;
            let mut walked = String::new();
            let mut rest = path.split('/').peekable();
            while let Some(part) = rest.next() {
                let parent_tree = self.repository.find_tree(tree).map_err(|e| unreadable(&path, &e))?;
                if !walked.is_empty() {
                    walked.push('/');
                }
                walked.push_str(part);
                let Some(entry) = parent_tree.get_name(part) else {
                    return Ok(End { path, id: None, kind: EntryKind::Other, links });
                };
                let (id, mode) = (entry.id(), entry.filemode());
                if mode == LINK_MODE {
                    if links.len() >= MAX_LINKS {
                        let message = format!("{path}: more than {MAX_LINKS} symbolic links on the way");
                        return Err(Failure::permanent("PathEscapesRepository", message));
                    }
                    links.push(PathRead { path: walked.clone(), id: Some(id.to_string()) });
                    let target = self.blob(&walked, id)?;
                    let target = String::from_utf8(target).map_err(|_| escapes(&walked))?;
                    let mut next = normalise(parent(&walked), &target).map_err(|_| escapes(&walked))?;
                    for part in rest {
                        next = normalise(&next, part)?;
                    }
                    path = next;
                    continue 'again;
                }
                let kind = match entry.kind() {
                    _ if mode == SUBMODULE_MODE => EntryKind::Other,
                    Some(ObjectType::Tree) => EntryKind::Directory,
                    Some(ObjectType::Blob) => EntryKind::File,
                    _ => EntryKind::Other,
                };
                if rest.peek().is_none() {
                    return Ok(End { path, id: Some(id), kind, links });
                }
                if kind != EntryKind::Directory {
                    return Ok(End { path, id: None, kind: EntryKind::Other, links });
                }
                tree = id;
            }
        }
    }

    fn blob(&self, path: &str, id: Oid) -> Result<Vec<u8>, Failure> {
        let failed = |error: git2::Error| unreadable(path, &error);
        // The size comes before the content, so that a huge file is never inflated.
        let odb = self.repository.odb().map_err(failed)?;
        let (size, _) = odb.read_header(id).map_err(failed)?;
        self.budget.spend(path, u64::try_from(size).unwrap_or(u64::MAX))?;
        Ok(self.repository.find_blob(id).map_err(failed)?.content().to_vec())
    }
}

impl Tree for GitTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let end = self.resolve(path)?;
        match (end.id, end.kind) {
            (Some(id), EntryKind::File) => self.blob(&end.path, id).map(Some),
            _ => Ok(None),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure> {
        let end = self.resolve(path)?;
        let (Some(id), EntryKind::Directory) = (end.id, end.kind) else { return Ok(None) };
        let tree = self.repository.find_tree(id).map_err(|error| unreadable(path, &error))?;
        check_entries(path, tree.len())?;
        let mut entries = Vec::with_capacity(tree.len());
        for entry in &tree {
            // A name that is not UTF-8 cannot be asked for.
            let Ok(name) = entry.name().map(str::to_owned) else { continue };
            let kind = match entry.kind() {
                Some(ObjectType::Tree) => EntryKind::Directory,
                Some(ObjectType::Blob) if entry.filemode() == LINK_MODE => {
                    self.resolve(&normalise(&end.path, &name)?)?.kind
                }
                Some(ObjectType::Blob) => EntryKind::File,
                _ => EntryKind::Other,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort();
        Ok(Some(entries))
    }

    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure> {
        let mut end = self.resolve(path)?;
        end.links.push(PathRead { path: end.path, id: end.id.map(|id| id.to_string()) });
        Ok(end.links)
    }
}

fn unreadable(what: &str, error: &git2::Error) -> Failure {
    Failure::transient("MirrorFailed", format!("{what}: the mirror cannot be read: {}", error.message()))
}
