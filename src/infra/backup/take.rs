//! Makes a backup, or leaves nothing behind.
//!
//! It is filled beside the place where it shall be, under a name of its own, and gets its name at once when it is whole
//! and on the disk. So nobody finds half a backup under that name, and whoever has put something there meanwhile keeps
//! it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::copy::{Place, save, size};
use super::cut::{Cut, cut};
use super::error::{BackupError, backup_io};
use super::files::{above, canonical, is_there, sync_directory};
use super::made::Made;
use super::manifest::Manifest;
use super::part::DataFile;
use crate::domain::Timestamp;
use crate::infra::storage::room;

/// What to back up, and what the manifest says besides.
#[derive(Debug, Clone)]
pub struct Order {
    pub data_dir: PathBuf,
    /// The files of the data directory, of which optional ones may be missing.
    pub files: Vec<DataFile>,
    /// How many shards the system has, in the data directory or on servers.
    pub shard_count: u32,
    /// A directory that is missing or empty, not in the data directory.
    pub to: PathBuf,
    /// What has to stay free, in bytes, if the backup is on the disk of the data.
    pub keep_free: u64,
    /// The node's id.
    pub node: u8,
    pub operator: String,
    pub outside: Vec<String>,
}

/// Makes the backup. It is whole and on the disk when this returns; it may take as long as copying takes, and it
/// blocks.
///
/// # Errors
/// [`BackupError`]: then what had been made is deleted. Only a backup whose name could not be synced stays: it is
/// whole.
pub fn take(order: &Order, made: &Made, now: impl Fn() -> Timestamp) -> Result<Manifest, BackupError> {
    let to = vacant(order)?;
    let taken = fill(order, &to, made, now);
    if taken.is_err() {
        made.undo();
    }
    taken
}

/// The path of the directory, where a backup can be put at the end.
fn vacant(order: &Order) -> Result<PathBuf, BackupError> {
    let to = canonical(&order.to).map_err(backup_io(&order.to))?;
    let data_dir = canonical(&order.data_dir).map_err(backup_io(&order.data_dir))?;
    if to.starts_with(&data_dir) {
        return Err(BackupError::InsideData { to, data_dir });
    }
    if !is_there(&to).map_err(backup_io(&to))? {
        return Ok(to);
    }
    if fs::read_dir(&to).map_err(backup_io(&to))?.next().is_some() {
        return Err(BackupError::NotEmpty(to));
    }
    let found = statx(CWD, &to, AtFlags::empty(), StatxFlags::BASIC_STATS);
    let found = found.map_err(|error| backup_io(&to)(error.into()))?;
    let is_mounted = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    if is_mounted { Err(BackupError::MountPoint(to)) } else { Ok(to) }
}

fn fill(order: &Order, to: &Path, made: &Made, now: impl Fn() -> Timestamp) -> Result<Manifest, BackupError> {
    let partial = begin(to, made).map_err(backup_io(to))?;
    let mut data = Vec::with_capacity(order.files.len());
    for file in &order.files {
        if !file.part.is_optional() || is_there(&file.path).map_err(backup_io(&file.path))? {
            data.push(file);
        }
    }
    let paths: Vec<PathBuf> = data.iter().map(|file| file.path.clone()).collect();
    let Cut { files, pause } = cut(&paths)?;
    let taken_at = now();
    let needed = files.iter().map(size).sum::<Result<u64, _>>()?;
    check_room(order, &partial, &paths, needed)?;
    let mut system: Option<String> = None;
    let mut saved = Vec::with_capacity(files.len());
    let place = Place { directory: &partial, made, shard_count: order.shard_count };
    for (file, data) in files.into_iter().zip(data) {
        let (file, found) = save(file, data, &place)?;
        let system = system.get_or_insert_with(|| found.clone());
        if found != *system {
            return Err(BackupError::OtherSystem { path: data.path.clone(), found, system: system.clone() });
        }
        saved.push(file);
    }
    // The names of the files must be on the disk before the manifest is.
    sync_directory(&partial).map_err(backup_io(&partial))?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        taken_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system: system.unwrap_or_default(),
        shard_count: Some(order.shard_count),
        node: order.node,
        operator: order.operator.clone(),
        pause_us: u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
        files: saved,
        outside: order.outside.clone(),
    };
    manifest.write(&partial, made)?;
    // Replaces an empty directory, and nothing else.
    made.keep(|| fs::rename(&partial, to)).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            BackupError::NotEmpty(to.to_owned())
        }
        _ => backup_io(to)(error),
    })?;
    let above = above(to);
    sync_directory(&above).map_err(backup_io(&above))?;
    Ok(manifest)
}

/// Makes the directory in which a backup is filled, beside the place where it shall be.
fn begin(to: &Path, made: &Made) -> io::Result<PathBuf> {
    let mut name = to.file_name().map(OsString::from).ok_or(ErrorKind::InvalidInput)?;
    name.push(format!(".partial-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    let partial = to.with_file_name(name);
    if made.directory(&partial)? { Ok(partial) } else { Err(ErrorKind::AlreadyExists.into()) }
}

/// Refuses what would not fit, or would fill the disk under the node.
fn check_room(order: &Order, partial: &Path, paths: &[PathBuf], bytes: u64) -> Result<(), BackupError> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let own = device(partial).map_err(backup_io(partial))?;
    let is_shared = paths.iter().any(|path| device(path).is_ok_and(|device| device == own));
    let needed = bytes.saturating_add(if is_shared { order.keep_free } else { 0 });
    let free = room(partial).map_err(backup_io(partial))?.free_bytes;
    if free < needed { Err(BackupError::NoRoom { path: order.to.clone(), free, needed }) } else { Ok(()) }
}
