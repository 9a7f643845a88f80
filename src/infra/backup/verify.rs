//! Whether a backup is whole: judged by what it says itself, without a configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{RestoreError, restore_io, restore_sqlite};
use super::files::{CopyError, digest, is_there, open_regular};
use super::made::BESIDE;
use super::manifest::{Manifest, SavedFile};
use super::part::{DataFile, Part, ShardOf};
use crate::domain::{ShardId, Timestamp};
use crate::infra::data_guard::beside;
use crate::infra::sqlite;

/// A backup that is whole.
#[derive(Debug)]
pub struct Verified {
    pub directory: PathBuf,
    pub manifest: Manifest,
}

/// Reads all of a backup: every file is what it was, and none is missing that the system had in its data directory.
///
/// # Errors
/// [`RestoreError`] names the file that is missing, damaged or cut short.
pub fn verify(directory: &Path, now: Timestamp) -> Result<Verified, RestoreError> {
    let manifest = Manifest::read(directory)?;
    if now.0 < manifest.taken_at.0 {
        return Err(RestoreError::Clock { now, taken: manifest.taken_at });
    }
    for file in &manifest.files {
        stands_alone(&directory.join(&file.name))?;
        read_checked(directory, file, io::sink(), Path::new(""))?;
    }
    is_set_whole(directory, &manifest)?;
    Ok(Verified { directory: directory.to_owned(), manifest })
}

impl Verified {
    /// Whether a node that works with these files can work with what is restored.
    ///
    /// # Errors
    /// [`RestoreError::Lacks`] and [`RestoreError::Beyond`].
    pub fn fits(&self, wanted: &[DataFile]) -> Result<(), RestoreError> {
        let lacks = |file: &&DataFile| !file.part.is_optional() && self.manifest.parts().all(|part| part != file.part);
        if let Some(lacking) = wanted.iter().find(lacks) {
            return Err(RestoreError::Lacks(lacking.name()));
        }
        match self.manifest.parts().find(|part| wanted.iter().all(|wanted| wanted.part != *part)) {
            Some(beyond) => Err(RestoreError::Beyond(beyond.file_name())),
            None => Ok(()),
        }
    }
}

/// Writes a file of the backup into `to`, which is at `path`, and sees whether it is what it was.
pub(super) fn read_checked(
    directory: &Path,
    file: &SavedFile,
    to: impl io::Write,
    path: &Path,
) -> Result<(), RestoreError> {
    let from = directory.join(&file.name);
    let opened = open_regular(&from).map_err(restore_io(&from))?;
    let opened = opened.ok_or_else(|| RestoreError::NotRegular(from.clone()))?;
    let (found, sha256) = digest(opened, to).map_err(|error| match error {
        CopyError::Read(error) => restore_io(&from)(error),
        CopyError::Write(error) => restore_io(path)(error),
    })?;
    if found != file.bytes {
        return Err(RestoreError::Truncated { path: from, found, wanted: file.bytes });
    }
    if sha256 == file.sha256 { Ok(()) } else { Err(RestoreError::Damaged(from)) }
}

/// A copy has nothing beside it. SQLite would take in what somebody has put there.
fn stands_alone(path: &Path) -> Result<(), RestoreError> {
    for path in BESIDE.map(|end| beside(path, end)) {
        if is_there(&path).map_err(restore_io(&path))? {
            return Err(RestoreError::Foreign(path));
        }
    }
    Ok(())
}

/// Whether all parts are there that are not on servers, and each shard says that it is one of so many.
fn is_set_whole(directory: &Path, manifest: &Manifest) -> Result<(), RestoreError> {
    let mut count = manifest.shard_count;
    for part in manifest.parts() {
        let Part::Shard(shard) = part else { continue };
        let path = directory.join(part.file_name());
        let found = sqlite::read_only(&path).and_then(|db| ShardOf::said_by(&db)).map_err(restore_sqlite(&path))?;
        let wanted = ShardOf { shard: shard.0, count: *count.get_or_insert(found.count) };
        if found != wanted {
            return Err(RestoreError::OtherShard { path, found, wanted });
        }
    }
    // A system has one shard at least.
    let count = count.unwrap_or(1);
    let mut wanted = (1..=count).map(|number| Part::Shard(ShardId(number))).chain([Part::EventLog, Part::PspBooks]);
    let is_outside = |part: Part| manifest.outside.iter().any(|setting| setting == part.server_setting());
    match wanted.find(|part| !is_outside(*part) && manifest.parts().all(|saved| saved != *part)) {
        Some(missing) => {
            let (directory, name) = (directory.to_owned(), missing.file_name());
            Err(RestoreError::NotWhole { directory, name, count })
        }
        None => Ok(()),
    }
}
