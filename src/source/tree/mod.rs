//! Files of one revision, jailed and bounded: whatever a repository holds, nothing outside of it is read,
//! and not more than a release can need.

mod directory;
mod git;
mod recorder;
#[cfg(test)]
mod tests;

use crate::failure::Failure;
use crate::render::PathRead;

pub use directory::DirectoryTree;
pub use git::GitTree;
pub use recorder::Recorder;

/// Largest file in bytes.
pub const MAX_FILE: u64 = 4 << 20;
/// Most entries of one directory.
pub const MAX_ENTRIES: usize = 10_000;
/// Most bytes that one tree gives.
pub const MAX_TOTAL: u64 = 64 << 20;
/// Most symbolic links on the way to one file.
const MAX_LINKS: usize = 16;
/// Longest path in bytes, as in Linux's PATH_MAX.
const MAX_PATH: usize = 4096;

/// Read access to the files of one revision. Paths are relative to its root, which is `.`; symbolic links
/// are followed inside the tree only.
pub trait Tree {
    /// The content of a file; `None` where there is no file.
    ///
    /// # Errors
    /// `PathEscapesRepository` for a path or a link that leads out of the tree, `SourceTooLarge` beyond the
    /// bounds, `MirrorFailed` where the tree cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure>;

    /// The entries of a directory, by name; `None` where there is no directory.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure>;

    /// What a look at a path depends on: every link on the way and the end of it, with the object ids; for a
    /// directory also what the links in it lead to.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure>;
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is, links followed.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A submodule, a broken link or anything else that cannot be read.
    Other,
}

/// Joins `path` to the directory `base` and takes out `.` and `..`. Both are relative to the root of a tree,
/// which is `.`.
///
/// # Errors
/// `PathEscapesRepository` where the path is absolute or leads above the root.
pub fn normalise(base: &str, path: &str) -> Result<String, Failure> {
    if path.starts_with('/') || path.len() > MAX_PATH || path.contains(['\\', '\0']) {
        return Err(escapes(path));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| escapes(path))?;
            }
            part => parts.push(part),
        }
    }
    Ok(if parts.is_empty() { ".".into() } else { parts.join("/") })
}

/// The directory that holds `path`.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

fn escapes(path: &str) -> Failure {
    Failure::permanent(
        "PathEscapesRepository",
        format!("{}: leads out of the repository; only files inside it can be read", shown(path)),
    )
}

/// A stranger's path as a message can carry it.
fn shown(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn too_large(message: String) -> Failure {
    Failure::permanent("SourceTooLarge", message)
}

/// Counts what a tree gives.
#[derive(Default)]
struct Budget(std::cell::Cell<u64>);

impl Budget {
    fn spend(&self, path: &str, bytes: u64) -> Result<(), Failure> {
        if bytes > MAX_FILE {
            return Err(too_large(format!(
                "{path}: the file has {bytes} bytes, at most {MAX_FILE} are read"
            )));
        }
        self.0.set(self.0.get() + bytes);
        if self.0.get() > MAX_TOTAL {
            return Err(too_large(format!(
                "{path}: more than {MAX_TOTAL} bytes in the files of this source"
            )));
        }
        Ok(())
    }
}

fn check_entries(path: &str, count: usize) -> Result<(), Failure> {
    if count > MAX_ENTRIES {
        return Err(too_large(format!(
            "{path}: {count} entries in one directory, at most {MAX_ENTRIES} are read"
        )));
    }
    Ok(())
}
