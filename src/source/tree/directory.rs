use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use windlass_core::object::Digest;

use super::{Budget, Entry, EntryKind, MAX_FILE, Tree, check_entries, escapes, normalise};
use crate::failure::Failure;
use crate::render::PathRead;

/// A directory on disk, for offline commands. Links may not lead out of it.
pub struct DirectoryTree {
    root: PathBuf,
    budget: Budget,
}

impl DirectoryTree {
    /// The files below `root`.
    ///
    /// # Errors
    /// `PathNotFound` where there is no such directory.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let root = root
            .canonicalize()
            .map_err(|error| Failure::permanent("PathNotFound", format!("{}: {error}", root.display())))?;
        Ok(Self { root, budget: Budget::default() })
    }

    /// The real place of a path; `None` where there is nothing.
    fn locate(&self, path: &str) -> Result<Option<PathBuf>, Failure> {
        let path = normalise(".", path)?;
        let real = match self.root.join(&path).canonicalize() {
            Ok(real) => real,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(&path, &error)),
        };
        if real.starts_with(&self.root) { Ok(Some(real)) } else { Err(escapes(&path)) }
    }

    /// The content of a file, one byte more than allowed where it is too large.
    fn content(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(real) = self.locate(path)?.filter(|real| real.is_file()) else { return Ok(None) };
        let mut content = Vec::new();
        fs::File::open(real)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content))
            .map_err(|error| unreadable(path, &error))?;
        Ok(Some(content))
    }
}

impl Tree for DirectoryTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let content = self.content(path)?;
        if let Some(content) = &content {
            self.budget.spend(path, u64::try_from(content.len()).unwrap_or(u64::MAX))?;
        }
        Ok(content)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure> {
        let Some(real) = self.locate(path)?.filter(|real| real.is_dir()) else { return Ok(None) };
        let mut entries = Vec::new();
        for entry in fs::read_dir(real).map_err(|error| unreadable(path, &error))? {
            let entry = entry.map_err(|error| unreadable(path, &error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = match self.locate(&normalise(path, &name)?)? {
                Some(real) if real.is_file() => EntryKind::File,
                Some(real) if real.is_dir() => EntryKind::Directory,
                _ => EntryKind::Other,
            };
            entries.push(Entry { name, kind });
            check_entries(path, entries.len())?;
        }
        entries.sort();
        Ok(Some(entries))
    }

    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure> {
        let path = normalise(".", path)?;
        let id = match (self.content(&path)?, self.list(&path)?) {
            (Some(content), _) => Some(Digest::of_bytes(&content).to_string()),
            (None, Some(entries)) => Some(Digest::of_bytes(format!("{entries:?}").as_bytes()).to_string()),
            (None, None) => None,
        };
        Ok(vec![PathRead { path, id }])
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::permanent("PathNotFound", format!("{path}: {error}"))
}
