//! Why there is no backup, or none was restored.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::DbErr;

use super::holder::LockHolder;
use super::part::ShardOf;
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
    /// It would become part of what is backed up, and be lost with it.
    #[error("{to} is in the data directory {data_dir}: give a directory elsewhere, on another disk")]
    InsideData { to: PathBuf, data_dir: PathBuf },
    /// A directory gets its name at once only on its own disk.
    #[error("{0} is where a disk is mounted: give a directory on it, which the backup makes")]
    MountPoint(PathBuf),
    #[error("{0} is no regular file")]
    NotRegular(PathBuf),
    #[error(
        "{path} is written without a pause: not all files could be locked at once within {within:?}, since {} has its \
         lock",
        said(holder)
    )]
    Busy { path: PathBuf, within: Duration, holder: Option<LockHolder> },
    #[error(
        "{path} is locked by process {process}, which is stopped in the middle of a transaction: until it goes on \
         (kill -CONT {process}) or ends (kill -KILL {process}), no other process can lock the file. What it has \
         acknowledged is committed"
    )]
    Stopped { path: PathBuf, process: u32 },
    #[error("{path} has {free} bytes left and {needed} are needed: nothing was written")]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
    /// The copy holds every page, and they do not fit together: so they did not before.
    #[error("{path} is damaged, so that a backup of it could not be worked with: {found}")]
    Damaged { path: PathBuf, found: String },
    #[error("{0} does not say what system it is of: has a node of this version been started on it?")]
    Nameless(PathBuf),
    #[error("{path} is of system {found}, and the files before it are of system {system}")]
    OtherSystem { path: PathBuf, found: String, system: String },
    #[error("{path} is {found}, and this configuration has {wanted}: is it the node's?")]
    OtherShard { path: PathBuf, found: ShardOf, wanted: ShardOf },
}

fn said(holder: &Option<LockHolder>) -> String {
    // Not every system tells who it is.
    let unknown = || "another process (is it stopped in the middle of a transaction?)".to_owned();
    holder.map_or_else(unknown, |holder| holder.to_string())
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
    /// Anything else than a file could be waited for, or lead out of the backup.
    #[error("{0} is no regular file, as all files of a backup are")]
    NotRegular(PathBuf),
    #[error("{0} is not of the backup: move it away, and find out who has worked on the file beside it")]
    Foreign(PathBuf),
    #[error(
        "{directory} is not whole: it has no {name}, and the system has {count} shards and keeps it in its directory"
    )]
    NotWhole { directory: PathBuf, name: String, count: u32 },
    #[error("{path} says that it is {found}, and in the backup it is {wanted}")]
    OtherShard { path: PathBuf, found: ShardOf, wanted: ShardOf },
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
    #[error("{path}: {error}")]
    Sqlite { path: PathBuf, error: rusqlite::Error },
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
    /// Cut off, or at work now: nobody can know from outside.
    #[error("{0} holds an unfinished restore: if none is running, delete the directory, and restore again")]
    Unfinished(PathBuf),
    #[error("{to} is in the backup {from}: a backup is not changed")]
    InsideBackup { to: PathBuf, from: PathBuf },
    #[error("{path} has {free} bytes left and {needed} are needed: nothing was written")]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
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

pub(super) fn restore_sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> RestoreError + use<> {
    let path = path.to_owned();
    move |error| RestoreError::Sqlite { path: path.clone(), error }
}
