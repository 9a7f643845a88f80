//! Makes a data directory of a backup.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{RestoreError, restore_io};
use super::files::{above, canonical, is_there, sync_directory};
use super::made::Made;
use super::verify::{Verified, read_checked};
use crate::infra::storage::room;

/// The file that is in a data directory for as long as not all of its files are there: no node starts on it.
pub const MARKER: &str = "restoring";

/// Copies the backup's files into `to`, which must be missing or empty, durably.
///
/// # Errors
/// [`RestoreError`]: then what had been made is deleted.
pub fn restore(backup: &Verified, to: &Path, made: &Made) -> Result<(), RestoreError> {
    let to = vacant(backup, to)?;
    let restored = fill(backup, &to, made);
    if restored.is_err() {
        made.undo();
    }
    restored
}

/// The path of the directory, where nothing is.
fn vacant(backup: &Verified, to: &Path) -> Result<PathBuf, RestoreError> {
    let to = canonical(to).map_err(restore_io(to))?;
    let from = canonical(&backup.directory).map_err(restore_io(&backup.directory))?;
    if to.starts_with(&from) {
        return Err(RestoreError::InsideBackup { to, from });
    }
    if !is_there(&to).map_err(restore_io(&to))? {
        return Ok(to);
    }
    let marker = to.join(MARKER);
    if is_there(&marker).map_err(restore_io(&marker))? {
        return Err(RestoreError::Unfinished(to));
    }
    if fs::read_dir(&to).map_err(restore_io(&to))?.next().is_some() { Err(RestoreError::NotEmpty(to)) } else { Ok(to) }
}

fn fill(backup: &Verified, to: &Path, made: &Made) -> Result<(), RestoreError> {
    made.directory(to).map_err(restore_io(to))?;
    let marker = to.join(MARKER);
    let marked = made.file(&marker).map_err(|error| match error.kind() {
        // Another one has begun since it was looked for.
        ErrorKind::AlreadyExists => RestoreError::Unfinished(to.to_owned()),
        _ => restore_io(&marker)(error),
    })?;
    marked.sync_all().map_err(restore_io(&marker))?;
    sync_directory(to).map_err(restore_io(to))?;
    let (free, needed) = (room(to).map_err(restore_io(to))?.free_bytes, backup.manifest.bytes());
    if free < needed {
        return Err(RestoreError::NoRoom { path: to.to_owned(), free, needed });
    }
    for file in &backup.manifest.files {
        let path = to.join(&file.name);
        let copy = made.file(&path).map_err(restore_io(&path))?;
        read_checked(&backup.directory, file, &copy, &path)?;
        copy.sync_all().map_err(restore_io(&path))?;
    }
    sync_directory(to).map_err(restore_io(to))?;
    made.keep(|| fs::remove_file(&marker)).map_err(restore_io(&marker))?;
    for directory in [to.to_owned(), above(to)] {
        sync_directory(&directory).map_err(restore_io(&directory))?;
    }
    Ok(())
}
