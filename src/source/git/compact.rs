//! Keeps the number of packs small. Each fetch adds one, every look-up asks each, and each holds a file open:
//! a branch with a commit every few minutes would use up a process's files within days.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Error, Odb, Repository};

/// Most small packs that are left as they are.
pub(super) const MAX_SMALL: usize = 50;
/// Smallest pack in bytes that is never copied again.
const LARGE: u64 = 16 << 20;

/// Makes one pack of all small ones once there are too many. `scratch` is a directory of the same file
/// system, made and deleted here. Whoever reads the mirror meanwhile finds the new pack by itself: libgit2
/// looks for new packs when it misses an object.
///
/// # Errors
/// Why it was not possible; the mirror has all its objects then, too.
pub(super) fn compact(repository: &Repository, scratch: &Path) -> Result<(), Error> {
    let directory = repository.path().join("objects/pack");
    let small = small_packs(&directory);
    if small.len() <= MAX_SMALL {
        return Ok(());
    }
    let merged = merge(repository, &directory, &small, scratch);
    // What stays of it is deleted by the next look.
    let _ = fs::remove_dir_all(scratch);
    let merged = merged?;
    for pack in small.iter().filter(|pack| **pack != merged) {
        // The index goes last: without it nobody would know what the pack is.
        for file in [pack.clone(), pack.with_extension("idx")] {
            fs::remove_file(file).map_err(|error| io(&error))?;
        }
    }
    Ok(())
}

/// Writes the pack and gives its file.
fn merge(
    repository: &Repository,
    directory: &Path,
    small: &[PathBuf],
    scratch: &Path,
) -> Result<PathBuf, Error> {
    // libgit2 lists the objects of a database only, not of a pack: so here is a database of these packs.
    fs::create_dir_all(scratch.join("pack")).map_err(|error| io(&error))?;
    for pack in small {
        for file in [pack.clone(), pack.with_extension("idx")] {
            let copy = scratch.join("pack").join(file.file_name().unwrap_or_default());
            // A file system or a sandbox may refuse links.
            fs::hard_link(&file, &copy)
                .or_else(|_| fs::copy(&file, &copy).map(|_| ()))
                .map_err(|e| io(&e))?;
        }
    }
    let objects = Odb::new()?;
    objects.add_disk_alternate(&scratch.to_string_lossy())?;
    let mut builder = repository.packbuilder()?;
    builder.set_threads(1);
    let mut inserted = Ok(());
    objects.foreach(|id| {
        inserted = builder.insert_object(*id, None);
        inserted.is_ok()
    })?;
    inserted?;
    builder.write(directory, 0)?;
    let name = builder.name()?.ok_or_else(|| Error::from_str("the new pack has no name"))?;
    Ok(directory.join(format!("pack-{name}.pack")))
}

fn small_packs(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let small = entries.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() < LARGE));
    small.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "pack")).collect()
}

fn io(error: &std::io::Error) -> Error {
    Error::from_str(&error.to_string())
}
