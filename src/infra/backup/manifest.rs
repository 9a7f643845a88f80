//! What a backup says of itself: `manifest.json`, written when everything else is on the disk.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{BackupError, RestoreError, backup_io, restore_io};
use super::files::{open_regular, sync_directory};
use super::made::Made;
use super::part::Part;
use crate::domain::Timestamp;

const NAME: &str = "manifest.json";
/// What this version writes, and the highest that it reads. 2: the manifest knows how many shards there are.
const FORMAT: u32 = 2;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format: u32,
    /// When the cut was taken, by the clock of the machine.
    pub taken_at: Timestamp,
    /// The version of the program.
    pub version: String,
    pub system: String,
    /// How many shards the system has, in the backup or on servers. Format 1 does not say it; the shards do.
    pub shard_count: Option<u32>,
    /// The node's id.
    pub node: u8,
    pub operator: String,
    /// How long writers waited, in microseconds.
    pub pause_us: u64,
    pub files: Vec<SavedFile>,
    /// What the system works with that is on servers, by the settings that name it: none of it is in the backup.
    pub outside: Vec<String>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedFile {
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// The last migration that the file has, or its format.
    pub schema: String,
}

/// What every format has.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

impl Manifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Ends a backup: from here on the directory is one.
    pub(super) fn write(&self, directory: &Path, made: &Made) -> Result<(), BackupError> {
        let path = directory.join(NAME);
        let write = || {
            let mut file = made.file(&path)?;
            let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            sync_directory(directory)
        };
        write().map_err(backup_io(&path))
    }

    /// Reads that of a backup.
    ///
    /// # Errors
    /// [`RestoreError::NoManifest`] in a directory that is no backup, or one that was cut off.
    pub fn read(directory: &Path) -> Result<Self, RestoreError> {
        let path = directory.join(NAME);
        let mut file = match open_regular(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(RestoreError::NotRegular(path)),
            // Only this says that there is none: one that may not be read can be a whole one.
            Err(error) if error.kind() == ErrorKind::NotFound && directory.is_dir() => {
                return Err(RestoreError::NoManifest(directory.to_owned()));
            }
            Err(error) => return Err(restore_io(&path)(error)),
        };
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(restore_io(&path))?;
        let unreadable = |error| RestoreError::Manifest { path: path.clone(), error };
        let AnyFormat { format: found } = serde_json::from_str(&text).map_err(unreadable)?;
        if found > FORMAT {
            return Err(RestoreError::NewerManifest { path, found, known: FORMAT });
        }
        let manifest: Self = serde_json::from_str(&text).map_err(unreadable)?;
        // A name is joined to a directory that is written.
        match manifest.files.iter().find(|file| Part::named(&file.name).is_none()) {
            Some(file) => Err(RestoreError::BadName { path, name: file.name.clone() }),
            None => Ok(manifest),
        }
    }

    /// What is in it.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        self.files.iter().filter_map(|file| Part::named(&file.name))
    }

    /// All of its files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}
