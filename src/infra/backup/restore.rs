//! Makes a data directory of a backup.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::error::{RestoreError, restore_io};
use super::files::{above, create, digest, sync_directory};
use super::manifest::{Manifest, SavedFile};
use super::part::DataFile;
use crate::domain::Timestamp;
use crate::infra::data_guard::create_directory;

/// The file that is in a data directory for as long as not all of its files are there: no node starts on it.
pub const MARKER: &str = "restoring";

/// A backup whose files are all there, and what they were.
#[derive(Debug)]
pub struct Verified {
    pub directory: PathBuf,
    pub manifest: Manifest,
}

/// Reads all of a backup. `wanted` is what the configuration works with.
///
/// # Errors
/// [`RestoreError`] names the file that is missing, damaged or cut short.
pub fn verify(directory: &Path, wanted: &[DataFile], now: Timestamp) -> Result<Verified, RestoreError> {
    let manifest = Manifest::read(directory)?;
    let is_saved = |name: &str| manifest.files.iter().any(|file| file.name == name);
    if let Some(lacking) = wanted.iter().find(|file| !file.part.is_optional() && !is_saved(&file.name())) {
        return Err(RestoreError::Lacks(lacking.name()));
    }
    if let Some(beyond) = manifest.files.iter().find(|file| wanted.iter().all(|wanted| wanted.name() != file.name)) {
        return Err(RestoreError::Beyond(beyond.name.clone()));
    }
    if now.0 < manifest.taken_at.0 {
        return Err(RestoreError::Clock { now, taken: manifest.taken_at });
    }
    for file in &manifest.files {
        copy_checked(directory, file, io::sink())?;
    }
    Ok(Verified { directory: directory.to_owned(), manifest })
}

/// Copies the backup's files into `to`, which must be missing or empty, durably.
///
/// # Errors
/// [`RestoreError`]: then `to` is no data directory that a node would start on.
pub fn restore(backup: &Verified, to: &Path) -> Result<(), RestoreError> {
    create_directory(to).map_err(restore_io(to))?;
    if fs::read_dir(to).map_err(restore_io(to))?.next().is_some() {
        return Err(RestoreError::NotEmpty(to.to_owned()));
    }
    let marker = to.join(MARKER);
    create(&marker).and_then(|file| file.sync_all()).map_err(restore_io(&marker))?;
    sync_directory(to).map_err(restore_io(to))?;
    for file in &backup.manifest.files {
        let path = to.join(&file.name);
        let copy = create(&path).map_err(restore_io(&path))?;
        copy_checked(&backup.directory, file, &copy)?;
        copy.sync_all().map_err(restore_io(&path))?;
    }
    sync_directory(to).map_err(restore_io(to))?;
    fs::remove_file(&marker).map_err(restore_io(&marker))?;
    for directory in [to.to_owned(), above(to)] {
        sync_directory(&directory).map_err(restore_io(&directory))?;
    }
    Ok(())
}

/// Writes a file of the backup into `to`, and sees whether it is what it was.
fn copy_checked(directory: &Path, file: &SavedFile, to: impl io::Write) -> Result<(), RestoreError> {
    let path = directory.join(&file.name);
    let from = File::open(&path).map_err(restore_io(&path))?;
    let (found, sha256) = digest(BufReader::new(from), to).map_err(restore_io(&path))?;
    if found != file.bytes {
        return Err(RestoreError::Truncated { path, found, wanted: file.bytes });
    }
    if sha256 == file.sha256 { Ok(()) } else { Err(RestoreError::Damaged(path)) }
}
