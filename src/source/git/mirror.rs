//! The bare mirror on disk. It can be lost at any time: what is missing is fetched again.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, ConfigLevel, ErrorClass, FetchOptions, ObjectType, Oid, RemoteCallbacks, Repository,
    RepositoryInitOptions,
};

use super::compact::compact;
use super::http::Session;
use super::transport::{FetchError, give_up, with_session};
use crate::failure::Failure;

/// Most objects of one fetch.
const MAX_OBJECTS: usize = 5_000_000;
/// How long another process may hold the mirror.
const LOCK_DEADLINE: Duration = Duration::from_secs(60);

/// Opens a mirror as it is on disk.
///
/// # Errors
/// `MirrorFailed` where there is none, or it is damaged.
pub fn open_mirror(directory: &Path) -> Result<Repository, Failure> {
    ignore_configuration();
    Repository::open_bare(directory).map_err(|error| failed(directory, &error.message()))
}

/// A mirror that no other process changes meanwhile.
pub(super) struct Mirror {
    directory: PathBuf,
    repository: Repository,
    _lock: File,
}

impl Mirror {
    /// Opens a mirror, or makes an empty one where there is none or it cannot be opened.
    ///
    /// # Errors
    /// `MirrorFailed` where the disk fails, or another process has held the mirror for a minute.
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        let lock = lock(directory)?;
        for leftover in ["new", "old", "merge"].map(|extension| beside(directory, extension)) {
            remove(&leftover)?;
        }
        let repository = open_mirror(directory).or_else(|_| create(directory))?;
        Ok(Self { directory: directory.to_owned(), repository, _lock: lock })
    }

    /// Whether it has a commit with its tree.
    pub(super) fn has_commit(&self, commit: &str) -> bool {
        let commit = Oid::from_str(commit).and_then(|id| self.repository.find_commit(id));
        commit.and_then(|commit| commit.tree().map(|_| ())).is_ok()
    }

    /// The commit that a reference of the mirror points to, if it has that.
    pub(super) fn tip(&self, name: &str) -> Option<String> {
        let commit = self.repository.find_reference(name).and_then(|r| r.peel_to_commit()).ok()?;
        Some(commit.id().to_string()).filter(|id| self.has_commit(id))
    }

    /// What an object is that is no commit; `None` where it is one, or is not there.
    pub(super) fn other_kind(&self, id: &str) -> Option<ObjectType> {
        let object = Oid::from_str(id).and_then(|id| self.repository.find_object(id, None)).ok()?;
        object.kind().filter(|kind| *kind != ObjectType::Commit)
    }

    /// Fetches what `refspecs` name.
    ///
    /// # Errors
    /// Why the server, what it sent, or the mirror failed.
    pub(super) fn fetch(&self, session: Session, refspecs: &[String]) -> Result<(), FetchError> {
        sweep(&self.directory);
        // The fetch does not depend on it, and where it fails the disk or a pack is bad: that is found below.
        let _ = compact(&self.repository, &beside(&self.directory, "merge"));
        fetch(&self.repository, session, refspecs)
    }

    /// Fetches what `refspecs` name into an empty mirror, which takes this one's place when all went well.
    ///
    /// # Errors
    /// As [`Self::fetch`]; then this mirror is as it was.
    pub(super) fn renew(&mut self, session: Session, refspecs: &[String]) -> Result<(), FetchError> {
        let (new, old) = (beside(&self.directory, "new"), beside(&self.directory, "old"));
        let fresh = create(&new).map_err(FetchError::Conversation)?;
        fetch(&fresh, session, refspecs)?;
        drop(fresh);
        let moved = fs::rename(&self.directory, &old).and_then(|()| fs::rename(&new, &self.directory));
        moved.map_err(|error| FetchError::Conversation(failed(&self.directory, &error)))?;
        self.repository = open_mirror(&self.directory).map_err(FetchError::Conversation)?;
        // What is left of it goes with the next look.
        let _ = fs::remove_dir_all(old);
        Ok(())
    }

    /// The failure that a fetch ended with.
    pub(super) fn failure(&self, url: &str, error: FetchError) -> Failure {
        match error {
            FetchError::Conversation(failure) => failure,
            FetchError::Git(error) if matches!(error.class(), ErrorClass::Os | ErrorClass::Filesystem) => {
                failed(&self.directory, &format!("{} (is the disk full?)", error.message()))
            }
            FetchError::Git(error) => {
                Failure::transient("FetchFailed", format!("{url}: {}", error.message()))
            }
        }
    }
}

fn fetch(repository: &Repository, session: Session, refspecs: &[String]) -> Result<(), FetchError> {
    let url = session.url().to_string();
    with_session(session, || {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| {
            let fits = progress.total_objects() <= MAX_OBJECTS;
            if !fits {
                give_up(&format!("more than {MAX_OBJECTS} objects"));
            }
            fits
        });
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
        repository.remote_anonymous(&url)?.fetch(refspecs, Some(&mut options), None)
    })
}

fn create(directory: &Path) -> Result<Repository, Failure> {
    ignore_configuration();
    remove(directory)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).no_reinit(true);
    Repository::init_opts(directory, &options).map_err(|error| failed(directory, &error.message()))
}

fn remove(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(directory, &error)),
        _ => Ok(()),
    }
}

/// Keeps other processes off a mirror as long as the file lives.
fn lock(directory: &Path) -> Result<File, Failure> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(directory, &error))?;
    }
    let file = File::create(beside(directory, "lock")).map_err(|error| failed(directory, &error))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_DEADLINE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(failed(directory, &"another process has been using it for a minute"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(directory, &error)),
        }
    }
}

/// Deletes what a fetch that was killed has left: half a pack, which would fill the disk in time, and locks
/// on references, which would stop the next fetch. The mirror is locked, so nobody else needs them.
fn sweep(directory: &Path) {
    let is = |path: &Path, extension: &str| path.extension().is_some_and(|e| e == extension);
    for path in entries(&directory.join("objects/pack")) {
        let pair = match path.extension().and_then(|e| e.to_str()) {
            Some("pack") => path.with_extension("idx").exists(),
            Some("idx") => path.with_extension("pack").exists(),
            _ => false,
        };
        if !pair {
            // A file that stays is tried again before the next fetch.
            let _ = fs::remove_file(path);
        }
    }
    let mut directories = vec![directory.join("refs")];
    while let Some(next) = directories.pop() {
        for path in entries(&next) {
            if path.is_dir() {
                directories.push(path);
            } else if is(&path, "lock") {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn beside(directory: &Path, extension: &str) -> PathBuf {
    directory.with_extension(extension)
}

/// Files of the user or the system must not change what a mirror is.
fn ignore_configuration() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for level in [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData] {
            // SAFETY: the search path is process-wide and is set once, before the first repository is opened.
            // A level that this platform lacks has nothing to ignore.
            let _ = unsafe { git2::opts::set_search_path(level, "") };
        }
        // SAFETY: as above. The mirror is ours, whoever runs this program.
        let _ = unsafe { git2::opts::set_verify_owner_validation(false) };
    });
}

fn failed(directory: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::transient("MirrorFailed", format!("the mirror {} cannot be used: {error}", directory.display()))
}
