//! Whether this version of the program can work with the files of a backup.

use std::path::Path;

use super::error::RestoreError;
use super::part::{DataFile, Part};
use crate::infra::event_log::embedded::Reader;
use crate::infra::psp::simulator::books::Books;
use crate::infra::sqlite;
use migrations::{ControlMigrator, SchemaStatus, ShardMigrator};

/// The names of files whose schema is older than this version: the node brings them up to date when it starts. Each
/// is read where it lies in `directory`, and must be there unless it is optional.
///
/// # Errors
/// [`RestoreError::Schema`] and [`RestoreError::Format`] for a file that a newer version has written.
pub async fn older(directory: &Path, files: &[DataFile]) -> Result<Vec<String>, RestoreError> {
    let mut older = Vec::new();
    for file in files {
        let path = directory.join(file.name());
        if file.part.is_optional() && !path.exists() {
            continue;
        }
        match status(&path, file.part).await? {
            SchemaStatus::Current => {}
            SchemaStatus::Behind { .. } => older.push(file.name()),
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
