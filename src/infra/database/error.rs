//! Why a database did not do what it was asked, sorted by what helps.

use sea_orm::{DbErr, SqlErr};

use super::rows::Damaged;
use migrations::{SchemaError, SchemaStatus};

/// Why a shard's database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Somebody else changed the same rows at the same time: nothing was written, reading and deciding again is right.
    #[error("the rows were changed meanwhile")]
    Conflict,
    /// The database cannot be reached or cannot write at all.
    #[error("the database is unavailable: {0}")]
    Unavailable(DbErr),
    /// It refuses this very work.
    #[error("the database refused: {0}")]
    Refused(DbErr),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The answer to COMMIT was lost, and nobody can say whether the batch is in the tables or will be.
    #[error("the connection was lost at the commit, and the tables cannot be read: {0}")]
    InDoubt(Box<DatabaseError>),
    /// The server is not one that can be trusted with money, or is not reached as it is told.
    #[error("{0}")]
    Server(String),
    #[error("{0}")]
    Schema(SchemaStatus),
    #[error(transparent)]
    Migration(SchemaError),
}

impl DatabaseError {
    /// A word for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Damaged(_) => "damaged",
            Self::InDoubt(_) => "in_doubt",
            Self::Server(_) | Self::Schema(_) | Self::Migration(_) => "unfit",
        }
    }
}

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) || is_lock_conflict(&error) {
            return Self::Conflict;
        }
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(error),
            other if is_outage(&other) => Self::Unavailable(other),
            other => Self::Refused(other),
        }
    }
}

impl From<SchemaError> for DatabaseError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Database(error) => error.into(),
            other => Self::Migration(other),
        }
    }
}

/// The error code that the database gave: MariaDB's number, or SQLite's primary result code.
fn code(error: &DbErr) -> Option<u32> {
    let (DbErr::Exec(sea_orm::RuntimeErr::SqlxError(error)) | DbErr::Query(sea_orm::RuntimeErr::SqlxError(error))) =
        error
    else {
        return None;
    };
    let database = error.as_database_error()?;
    if let Some(error) = database.try_downcast_ref::<sea_orm::sqlx::mysql::MySqlDatabaseError>() {
        return Some(u32::from(error.number()));
    }
    database.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Deadlock, lock wait and changed record on MariaDB (1213, 1205, 1020); busy and locked on SQLite (5, 6).
fn is_lock_conflict(error: &DbErr) -> bool {
    matches!(code(error), Some(1213 | 1205 | 1020 | 5 | 6))
}

/// SQLite: I/O error, damaged, full, cannot open, not a database (10, 11, 13, 14, 26). Anything that is not a database's
/// own answer at all: a connection that broke.
fn is_outage(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(sea_orm::RuntimeErr::SqlxError(source)) | DbErr::Query(sea_orm::RuntimeErr::SqlxError(source)) => {
            source.as_database_error().is_none() || matches!(code(error), Some(10 | 11 | 13 | 14 | 26))
        }
        _ => false,
    }
}
