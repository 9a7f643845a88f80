//! Makes a backup, or leaves nothing behind.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::copy::{save, size};
use super::cut::{Cut, cut};
use super::error::{BackupError, backup_io};
use super::files::{above, sync_directory};
use super::manifest::Manifest;
use super::part::DataFile;
use crate::domain::Timestamp;
use crate::infra::data_guard::create_directory;
use crate::infra::storage::room;

/// What to back up, and what the manifest says besides.
#[derive(Debug, Clone)]
pub struct Order {
    /// The files of one data directory, of which optional ones may be missing.
    pub files: Vec<DataFile>,
    /// A directory that is missing or empty.
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
/// [`BackupError`]: then what had been written is deleted.
pub fn take(order: &Order, now: impl Fn() -> Timestamp) -> Result<Manifest, BackupError> {
    let is_new = !order.to.exists();
    create_directory(&order.to).map_err(backup_io(&order.to))?;
    if fs::read_dir(&order.to).map_err(backup_io(&order.to))?.next().is_some() {
        return Err(BackupError::NotEmpty(order.to.clone()));
    }
    let taken = fill(order, now);
    if taken.is_err() {
        clear(&order.to, is_new);
    }
    taken
}

fn fill(order: &Order, now: impl Fn() -> Timestamp) -> Result<Manifest, BackupError> {
    let data: Vec<&DataFile> =
        order.files.iter().filter(|file| !file.part.is_optional() || file.path.exists()).collect();
    let paths: Vec<PathBuf> = data.iter().map(|file| file.path.clone()).collect();
    let Cut { files, pause } = cut(&paths)?;
    let taken_at = now();
    let needed = files.iter().map(size).sum::<Result<u64, _>>()?;
    check_room(order, &paths, needed)?;
    let mut system: Option<String> = None;
    let mut saved = Vec::with_capacity(files.len());
    for (file, data) in files.into_iter().zip(data) {
        let (file, found) = save(file, data, &order.to)?;
        let system = system.get_or_insert_with(|| found.clone());
        if found != *system {
            return Err(BackupError::OtherSystem { path: data.path.clone(), found, system: system.clone() });
        }
        saved.push(file);
    }
    // The names of the files must be on the disk before the manifest is.
    sync_directory(&order.to).map_err(backup_io(&order.to))?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        taken_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system: system.unwrap_or_default(),
        node: order.node,
        operator: order.operator.clone(),
        pause_us: u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
        files: saved,
        outside: order.outside.clone(),
    };
    manifest.write(&order.to)?;
    let above = above(&order.to);
    sync_directory(&above).map_err(backup_io(&above))?;
    Ok(manifest)
}

/// Refuses what would not fit, or would fill the disk under the node.
fn check_room(order: &Order, paths: &[PathBuf], bytes: u64) -> Result<(), BackupError> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let own = device(&order.to).map_err(backup_io(&order.to))?;
    let is_shared = paths.iter().any(|path| device(path).is_ok_and(|device| device == own));
    let needed = bytes.saturating_add(if is_shared { order.keep_free } else { 0 });
    let free = room(&order.to).map_err(backup_io(&order.to))?.free_bytes;
    if free < needed { Err(BackupError::NoRoom { path: order.to.clone(), free, needed }) } else { Ok(()) }
}

/// Deletes what a backup has written into a directory that was empty.
fn clear(directory: &Path, is_new: bool) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    // What cannot be deleted has no manifest, and is not restored.
    entries.flatten().for_each(|entry| {
        let _ = fs::remove_file(entry.path());
    });
    if is_new {
        let _ = fs::remove_dir(directory);
    }
}
