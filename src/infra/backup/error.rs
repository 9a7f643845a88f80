//! Why there is no backup, or none was restored.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::DbErr;

use crate::domain::Timestamp;
use crate::infra::sqlite::OpenError;
use migrations::SchemaStatus;

/// Why no backup was made. What had been written of it is gone again.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{path}: {error}")]
    Sqlite { path: PathBuf, error: rusqlite::Error },
    /// Where a backup begins, nothing may be overwritten.
    #[error("{0} is not empty: give a directory of its own to each backup")]
    NotEmpty(PathBuf),
    #[error("{path} is written without a pause: not all files could be locked at once within {within:?}")]
    Busy { path: PathBuf, within: Duration },
    #[error("{path} has {free} bytes left and {needed} are needed: nothing was written")]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
    /// The copy holds every page, and they do not fit together: so they did not before.
    #[error("{path} is damaged, so that a backup of it could not be worked with: {found}")]
    Damaged { path: PathBuf, found: String },
    #[error("{0} does not say what system it is of: has a node of this version been started on it?")]
    Nameless(PathBuf),
    #[error("{path} is of system {found}, and the files before it are of system {system}")]
    OtherSystem { path: PathBuf, found: String, system: String },
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    /// The manifest is what a backup ends with.
    #[error("{0} has no manifest.json: it is no backup, or one that was cut off")]
    NoManifest(PathBuf),
    #[error("{path} cannot be read: {error}")]
    Manifest { path: PathBuf, error: serde_json::Error },
    #[error("{path} has format {found}, this version knows {known}")]
    NewerManifest { path: PathBuf, found: u32, known: u32 },
    #[error("{path} names the file {name:?}, which no backup has")]
    BadName { path: PathBuf, name: String },
    #[error("the backup has no {0}, which this configuration works with: is it the configuration of before?")]
    Lacks(String),
    #[error("the backup has {0}, which this configuration does not work with: is it the configuration of before?")]
    Beyond(String),
    #[error("{path} is damaged: it has {found} bytes, and had {wanted} when the backup was made")]
    Truncated { path: PathBuf, found: u64, wanted: u64 },
    #[error("{0} is damaged: its SHA-256 is not the one of when the backup was made")]
    Damaged(PathBuf),
    #[error("{path}: {error}")]
    Database { path: PathBuf, error: DbErr },
    /// A newer version has written it.
    #[error("{path}: {status}")]
    Schema { path: PathBuf, status: SchemaStatus },
    #[error(transparent)]
    Format(#[from] OpenError),
    /// Ids and the keys at the PSP are made of the time: a clock that is behind would make those of before again.
    #[error("this machine's clock says {now}, and the backup is of {taken}: set the clock right first")]
    Clock { now: Timestamp, taken: Timestamp },
    #[error("{0} is not empty: restore into a directory of its own, and keep the one of before")]
    NotEmpty(PathBuf),
}

pub(super) fn backup_io(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |error| BackupError::Io { path: path.clone(), error }
}

pub(super) fn restore_io(path: &Path) -> impl Fn(io::Error) -> RestoreError + use<> {
    let path = path.to_owned();
    move |error| RestoreError::Io { path: path.clone(), error }
}

pub(super) fn backup_sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |error| BackupError::Sqlite { path: path.clone(), error }
}
