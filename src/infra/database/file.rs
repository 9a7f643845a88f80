//! How a SQLite file that migrations manage becomes this process's: locked, brought up to date, and watched.

use std::path::Path;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

use super::connection::{Pool, Target};
use super::error::DatabaseError;
use crate::infra::data_guard::{DataGuard, GuardError};
use crate::infra::sqlite;
use crate::infra::waits::wait_for_file;

/// The connections to one file, and its guard.
#[derive(Debug)]
pub struct FilePools {
    /// One connection.
    pub writer: Pool,
    pub readers: Pool,
    pub guard: DataGuard,
}

/// Opens the file, making it if it is missing, has `prepare` see to its tables, and holds its write-ahead log.
pub async fn open<E: From<GuardError> + From<DbErr> + From<DatabaseError>>(
    path: &Path,
    readers: u32,
    prepare: impl AsyncFnOnce(&DatabaseConnection) -> Result<(), E>,
) -> Result<FilePools, E> {
    let _wait = wait_for_file(path);
    let guard = DataGuard::lock(path)?;
    let opening = sqlite::open_writer(path).await?;
    prepare(&opening).await?;
    let writer = Pool::guarded(Target::Sqlite(Box::new(sqlite::writing(path))), 1, guard.clone());
    let readers = self::readers(path, readers, guard.clone());
    // A reader is there before the last writer goes: the write-ahead log stays as it is.
    let read = "SELECT 1 FROM seaql_migrations LIMIT 1";
    readers.query_one(Statement::from_string(readers.get_database_backend(), read)).await?;
    guard.hold_write_ahead_log()?;
    opening.close().await?;
    Ok(FilePools { writer, readers, guard })
}

/// Up to so many connections that read.
pub fn readers(path: &Path, connections: u32, guard: DataGuard) -> Pool {
    Pool::guarded(Target::Sqlite(Box::new(sqlite::reading(path))), connections, guard)
}
