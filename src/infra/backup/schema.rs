//! Whether this version of the program can work with the files of a backup.

use std::path::Path;

use super::error::RestoreError;
use super::part::Part;
use super::verify::Verified;
use crate::infra::event_log::embedded::Reader;
use crate::infra::psp::simulator::books::Books;
use crate::infra::sqlite;
use migrations::{ControlMigrator, SchemaStatus, ShardMigrator};

/// The names of files whose schema is older than this version: the node brings them up to date when it starts. Each
/// is read where it lies in the backup.
///
/// # Errors
/// [`RestoreError::Schema`] and [`RestoreError::Format`] for a file that a newer version has written.
pub async fn older(backup: &Verified) -> Result<Vec<String>, RestoreError> {
    let mut older = Vec::new();
    for part in backup.manifest.parts() {
        let path = backup.directory.join(part.file_name());
        match status(&path, part).await? {
            SchemaStatus::Current => {}
            SchemaStatus::Behind { .. } => older.push(part.file_name()),
            status => return Err(RestoreError::Schema { path, status }),
        }
    }
    Ok(older)
}

async fn status(path: &Path, part: Part) -> Result<SchemaStatus, RestoreError> {
    let failed = |error| RestoreError::Database { path: path.to_owned(), error };
    let db = match part {
        Part::EventLog => return Ok(Reader::open(path, &[]).await.map(|_| SchemaStatus::Current)?),
        Part::PspBooks => return Ok(Books::open_read_only(path).await.map(|_| SchemaStatus::Current)?),
        Part::Shard(_) | Part::Control => sqlite::open_readers(path, 1).await.map_err(failed)?,
    };
    let status = if part == Part::Control {
        migrations::status::<ControlMigrator>(&db).await
    } else {
        migrations::status::<ShardMigrator>(&db).await
    };
    let status = status.map_err(failed)?;
    db.close().await.map_err(failed)?;
    Ok(status)
}
