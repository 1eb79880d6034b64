//! Which files of a source's path take part.

use crate::failure::Failure;
use crate::source::tree::{EntryKind, Tree, normalise};

/// Deepest directory below a source's path; symbolic links can make a tree endless.
const MAX_DEPTH: usize = 32;
/// Most directories and files below a source's path, those that take no part too.
const MAX_WALKED: usize = 50_000;
/// Most names that a message lists.
const MAX_NAMES: usize = 20;

/// What a file is for, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// `*.yaml`, `*.yml` or `*.json`.
    Manifest,
    /// `*.hbs`.
    Template,
    /// `_*.hbs`: included by templates.
    Partial,
}

/// A file that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Path relative to the root of the tree.
    pub(super) path: String,
    /// What it is for.
    pub(super) role: Role,
}

/// All files below the directory `path` that take part, in the order of their paths. Hidden files and
/// directories are left out.
pub(super) fn walk(tree: &dyn Tree, path: &str) -> Result<Vec<File>, Failure> {
    let mut walk = Walk { tree, files: Vec::new(), walked: 0 };
    if walk.directory(path, 0)? { Ok(walk.files) } else { Err(not_found(tree, path)?) }
}

/// Says that nothing, or no directory, is at `path`, and what is there instead.
fn not_found(tree: &dyn Tree, path: &str) -> Result<Failure, Failure> {
    let message = if tree.read(path)?.is_some() {
        format!("path {path} is a file; give the directory that holds it")
    } else {
        format!("there is no directory {path} in the repository; {}", beside(tree, path)?)
    };
    Ok(Failure::permanent("PathNotFound", message))
}

/// What exists in the nearest directory above `path`, as the rest of a sentence.
pub(super) fn beside(tree: &dyn Tree, path: &str) -> Result<String, Failure> {
    let mut directory = path;
    loop {
        directory = directory.rsplit_once('/').map_or(".", |(parent, _)| parent);
        if let Some(entries) = tree.list(directory)? {
            let place = if directory == "." { "its root" } else { directory };
            let visible: Vec<_> =
                entries.iter().map(|e| e.name.as_str()).filter(|name| !name.starts_with('.')).collect();
            let names = visible.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
            return Ok(match visible.len() {
                0 => format!("{place} is empty"),
                n if n > MAX_NAMES => format!("{place} has {names} and {} more", n - MAX_NAMES),
                _ => format!("{place} has {names}"),
            });
        }
        if directory == "." {
            return Ok("the repository is empty".into());
        }
    }
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    files: Vec<File>,
    walked: usize,
}

impl Walk<'_> {
    /// Whether `path` is a directory.
    fn directory(&mut self, path: &str, depth: usize) -> Result<bool, Failure> {
        let Some(entries) = self.tree.list(path)? else { return Ok(false) };
        self.walked += entries.len();
        if depth > MAX_DEPTH || self.walked > MAX_WALKED {
            let message = format!(
                "{path}: more than {MAX_DEPTH} directories deep or more than {MAX_WALKED} files; does a symbolic \
                 link point to a directory above itself?"
            );
            return Err(Failure::permanent("SourceTooLarge", message));
        }
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = normalise(path, &entry.name)?;
            match (entry.kind, role(&entry.name)) {
                (EntryKind::Directory, _) => {
                    self.directory(&path, depth + 1)?;
                }
                (EntryKind::File, Some(role)) => self.files.push(File { path, role }),
                // Its objects would be pruned if it were left out.
                (EntryKind::Other, Some(_)) => {
                    let message =
                        format!("{path} is a broken symbolic link or a submodule; it cannot be read");
                    return Err(Failure::permanent("PathNotFound", message));
                }
                (EntryKind::File | EntryKind::Other, _) => {}
            }
        }
        Ok(true)
    }
}

fn role(name: &str) -> Option<Role> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension {
        "yaml" | "yml" | "json" => Some(Role::Manifest),
        "hbs" if name.starts_with('_') => Some(Role::Partial),
        "hbs" => Some(Role::Template),
        _ => None,
    }
}
