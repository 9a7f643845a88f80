//! What a backup says of itself: `manifest.json`, written when everything else is on the disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{BackupError, RestoreError, backup_io, restore_io};
use super::files::{create, sync_directory};
use crate::domain::Timestamp;

const NAME: &str = "manifest.json";
/// Its name until it is whole.
const PARTIAL: &str = "manifest.json.partial";
/// What this version writes, and the highest that it reads.
const FORMAT: u32 = 1;

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

impl Manifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// Ends a backup: from here on the directory is one.
    pub(super) fn write(&self, directory: &Path) -> Result<(), BackupError> {
        let partial = directory.join(PARTIAL);
        let write = || {
            let mut file = create(&partial)?;
            let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&partial, directory.join(NAME))?;
            sync_directory(directory)
        };
        write().map_err(backup_io(&partial))
    }

    /// Reads that of a backup.
    ///
    /// # Errors
    /// [`RestoreError::NoManifest`] in a directory that is no backup, or one that was cut off.
    pub fn read(directory: &Path) -> Result<Self, RestoreError> {
        let path = directory.join(NAME);
        if directory.is_dir() && !path.exists() {
            return Err(RestoreError::NoManifest(directory.to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(restore_io(&path))?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| RestoreError::Manifest { path: path.clone(), error })?;
        if manifest.format > FORMAT {
            return Err(RestoreError::NewerManifest { path, found: manifest.format, known: FORMAT });
        }
        // A name is joined to a directory that is written.
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        match manifest.files.iter().find(|file| !is_plain(&file.name)) {
            Some(file) => Err(RestoreError::BadName { path, name: file.name.clone() }),
            None => Ok(manifest),
        }
    }

    /// All of its files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}
