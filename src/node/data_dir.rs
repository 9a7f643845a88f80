//! The data directory: what the embedded default keeps where, and that it has one owner.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::ShardId;
use crate::infra::backup::{DataFile, MARKER, Part, is_there};
use crate::infra::data_guard::{self, FILE_MODE};

/// The data directory cannot be this process's.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("data directory {path}: {error}")]
    Io { path: PathBuf, error: std::io::Error },
    #[error("data directory {0} is in use by another rialto")]
    InUse(PathBuf),
    /// Part of the files would look like data that are lost.
    #[error("data directory {0} holds an unfinished restore: delete it, and restore again")]
    Unfinished(PathBuf),
}

/// A shard.
pub fn shard_path(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join(Part::Shard(shard).file_name())
}

/// The control store.
pub fn control_path(data_dir: &Path) -> PathBuf {
    data_dir.join(Part::Control.file_name())
}

/// The event log.
pub fn event_log_path(data_dir: &Path) -> PathBuf {
    data_dir.join(Part::EventLog.file_name())
}

/// The PSP simulator's books.
pub fn psp_books_path(data_dir: &Path) -> PathBuf {
    data_dir.join(Part::PspBooks.file_name())
}

/// Makes the data directory this process's own, as long as the file is held. The file keeps two processes apart that
/// both find it; each database is locked besides, since a file can be deleted.
pub fn lock_data_dir(path: &Path) -> Result<File, DataDirError> {
    let io = |error| DataDirError::Io { path: path.to_owned(), error };
    data_guard::create_directory(path).map_err(io)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(path.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => check_whole(path).map(|()| file),
        Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Whether it is not in the middle of a restore.
///
/// # Errors
/// [`DataDirError::Unfinished`] if it is, or the restore was cut off.
pub fn check_whole(path: &Path) -> Result<(), DataDirError> {
    match is_there(&path.join(MARKER)) {
        Ok(false) => Ok(()),
        Ok(true) => Err(DataDirError::Unfinished(path.to_owned())),
        Err(error) => Err(DataDirError::Io { path: path.to_owned(), error }),
    }
}

/// The parts whose files are in the data directory and not among those that are worked with, in order: whoever goes on
/// without them goes on without their money. None in a directory that does not exist.
///
/// # Errors
/// If the directory cannot be read.
pub fn left_out(files: &[DataFile], path: &Path) -> Result<Vec<Part>, DataDirError> {
    let failed = |error| DataDirError::Io { path: path.to_owned(), error };
    let mut left_out = Vec::new();
    if !is_there(path).map_err(failed)? {
        return Ok(left_out);
    }
    for entry in path.read_dir().map_err(failed)? {
        let part = entry.map_err(failed)?.file_name().to_str().and_then(Part::named);
        left_out.extend(part.filter(|part| files.iter().all(|file| file.part != *part)));
    }
    left_out.sort_unstable();
    Ok(left_out)
}
