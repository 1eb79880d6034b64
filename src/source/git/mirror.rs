//! The bare mirror on disk. It can be lost at any time: what is missing is fetched again.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Once;
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, ConfigLevel, FetchOptions, Oid, RemoteCallbacks, Repository, RepositoryInitOptions,
};

use super::http::Session;
use super::transport::{FetchError, with_session};
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
    Repository::open_bare(directory).map_err(|error| failed(&error))
}

/// Opens a mirror, or makes an empty one where there is none or it cannot be used.
pub(super) fn open_or_create(directory: &Path) -> Result<Repository, Failure> {
    open_mirror(directory).or_else(|_| {
        remove(directory)?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).no_reinit(true);
        Repository::init_opts(directory, &options).map_err(|error| failed(&error))
    })
}

/// Deletes a mirror.
pub(super) fn remove(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::transient(
            "MirrorFailed",
            format!("the mirror {} cannot be deleted: {error}", directory.display()),
        )),
        _ => Ok(()),
    }
}

/// Keeps other processes off a mirror as long as the file lives.
pub(super) fn lock(directory: &Path) -> Result<File, Failure> {
    let fail = |error: &dyn std::fmt::Display| {
        Failure::transient(
            "MirrorFailed",
            format!("the mirror {} cannot be locked: {error}", directory.display()),
        )
    };
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(|error| fail(&error))?;
    }
    let file = File::create(directory.with_extension("lock")).map_err(|error| fail(&error))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_DEADLINE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(fail(&error)),
        }
    }
}

/// Whether the mirror has a commit with its tree.
pub(super) fn has_commit(repository: &Repository, commit: &str) -> bool {
    Oid::from_str(commit).and_then(|id| repository.find_commit(id)).and_then(|c| c.tree().map(|_| ())).is_ok()
}

/// Fetches what `refspecs` name.
pub(super) fn fetch(
    repository: &Repository,
    session: Session,
    url: &str,
    refspecs: &[String],
) -> Result<(), FetchError> {
    with_session(session, || {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| progress.total_objects() <= MAX_OBJECTS);
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
        repository.remote_anonymous(url)?.fetch(refspecs, Some(&mut options), None)
    })
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

fn failed(error: &git2::Error) -> Failure {
    Failure::transient("MirrorFailed", format!("the mirror cannot be used: {}", error.message()))
}
