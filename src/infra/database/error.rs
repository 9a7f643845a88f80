//! Why a database did not do what it was asked, sorted by what helps.

use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{DbErr, RuntimeErr};

use super::row::Damaged;
use crate::infra::data_guard::GuardError;
use migrations::{SchemaError, SchemaStatus};

/// Why a shard's database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Somebody else changed the same rows at the same time: nothing was written, reading and deciding again is right.
    #[error("the rows were changed meanwhile")]
    Conflict,
    /// The database cannot be reached, or has a trouble of its own that is not about the rows.
    #[error("the database is unavailable: {0}")]
    Unavailable(DbErr),
    /// What it stands on does not take writes: the disk is full, fails or is read-only. Nothing was written.
    #[error("the database cannot write: {0}")]
    Storage(DbErr),
    /// It refuses these very rows.
    #[error("the database refused: {0}")]
    Refused(DbErr),
    /// COMMIT failed, and the tables say that it did not happen: reading and deciding again is right.
    #[error("the commit did not happen: {0}")]
    NotCommitted(DbErr),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The answer to COMMIT was lost, and nobody can say whether the batch is in the tables or will be.
    #[error("the connection was lost at the commit, and the tables cannot be read: {0}")]
    InDoubt(Box<DatabaseError>),
    /// The server is not one that can be trusted with money, or is not reached as it is told.
    #[error("{0}")]
    Server(String),
    /// The server's `innodb_flush_log_at_trx_commit`, which has to be 1.
    #[error("innodb_flush_log_at_trx_commit is {0}: a commit would be answered before it is on disk")]
    NotDurable(i64),
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
            Self::Storage(_) => "storage",
            Self::Refused(_) => "refused",
            Self::NotCommitted(_) => "not_committed",
            Self::Damaged(_) => "damaged",
            Self::InDoubt(_) => "in_doubt",
            Self::Server(_) | Self::NotDurable(_) | Self::Schema(_) | Self::Migration(_) => "unfit",
        }
    }

    /// What is wrong with the database as a whole, for people; none if it is only about the rows that were asked for.
    pub(super) fn outage(&self) -> Option<&'static str> {
        match self {
            Self::Storage(error) => Some(match code(error) {
                Some(Code::Sqlite(FULL, _) | Code::MariaDb(1021 | 1114)) => "the disk is full",
                Some(Code::Sqlite(CORRUPT | NOTADB, _)) => "its file is damaged",
                Some(Code::Sqlite(READONLY, _) | Code::MariaDb(1290 | 1836)) => "it is read-only",
                _ => "its storage fails",
            }),
            Self::Unavailable(_) | Self::NotCommitted(_) => Some("it does not answer as it should"),
            Self::InDoubt(_) => Some("whether a commit happened is not known"),
            Self::Conflict
            | Self::Refused(_)
            | Self::Damaged(_)
            | Self::Server(_)
            | Self::NotDurable(_)
            | Self::Schema(_)
            | Self::Migration(_) => None,
        }
    }

    /// Whether SQLite says that the file is damaged: what it has not read yet may be, too.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Storage(error) if matches!(code(error), Some(Code::Sqlite(CORRUPT | NOTADB, _))))
    }

    /// Whether it is about rows alone, so that the connection which told it is as good as before once it is rolled
    /// back.
    pub(super) fn is_about_rows(&self) -> bool {
        matches!(self, Self::Conflict | Self::Refused(_) | Self::Damaged(_))
    }
}

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        match code(&error) {
            Some(Code::Sqlite(primary, extended)) => of_sqlite(primary, extended, error),
            Some(Code::MariaDb(number)) => of_mariadb(number, error),
            // Not a database's own answer: the connection broke, or none was to be had.
            None if is_of_connection(&error) => Self::Unavailable(error),
            None => Self::Refused(error),
        }
    }
}

/// Whether MariaDB says with this that it has undone the transaction, so that its COMMIT need not be looked for:
/// deadlock (which Galera also answers to a COMMIT that lost against another node's), lock wait, changed record.
pub(super) fn is_undone(error: &DbErr) -> bool {
    matches!(code(error), Some(Code::MariaDb(1213 | 1205 | 1020)))
}

/// Whether the file may hold a commit that SQLite has called failed: its record was written, and the sync was not sure.
/// A write that comes after takes its place.
pub(super) fn may_reappear(error: &DbErr) -> bool {
    matches!(code(error), Some(Code::Sqlite(IOERR, _)))
}

// Result codes of SQLite, https://www.sqlite.org/rescode.html
const ERROR: u32 = 1;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const TOOBIG: u32 = 18;
const CONSTRAINT: u32 = 19;
const MISMATCH: u32 = 20;
const RANGE: u32 = 25;
const NOTADB: u32 = 26;
const CONSTRAINT_PRIMARYKEY: u32 = 1555;
const CONSTRAINT_UNIQUE: u32 = 2067;

fn of_sqlite(primary: u32, extended: u32, error: DbErr) -> DatabaseError {
    match primary {
        BUSY | LOCKED => DatabaseError::Conflict,
        CONSTRAINT if matches!(extended, CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE) => DatabaseError::Conflict,
        ERROR | TOOBIG | CONSTRAINT | MISMATCH | RANGE => DatabaseError::Refused(error),
        READONLY | IOERR | CORRUPT | FULL | CANTOPEN | NOTADB => DatabaseError::Storage(error),
        _ => DatabaseError::Unavailable(error),
    }
}

/// Numbers of MariaDB, <https://mariadb.com/kb/en/mariadb-error-code-reference/>. What is not known to be about the
/// rows is the server's: a row that is wrongly taken for an outage is tried again, an outage that is wrongly taken for
/// a row's ends in the dead letters.
fn of_mariadb(number: u16, error: DbErr) -> DatabaseError {
    match number {
        // A key that is there, deadlock, lock wait, changed record.
        1062 | 1213 | 1205 | 1020 => DatabaseError::Conflict,
        // No such column, syntax, count of columns, row too large, packet too large, NULL, no default, foreign keys,
        // out of range, cut, wrong value, too long, overflow, CHECK.
        1048 | 1054 | 1064 | 1118 | 1136 | 1153 | 1216 | 1217 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 1451
        | 1452 | 1690 | 4025 => DatabaseError::Refused(error),
        // Disk full, error of the storage engine, table full, error during COMMIT, read-only (two ways), and of files.
        1021 | 1030 | 1114 | 1180 | 1290 | 1836 | 1016 | 1017 | 1023 | 1024 | 1026 | 1194 => {
            DatabaseError::Storage(error)
        }
        _ => DatabaseError::Unavailable(error),
    }
}

impl From<GuardError> for DatabaseError {
    fn from(error: GuardError) -> Self {
        Self::Server(error.to_string())
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

/// What the database itself answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Primary and extended result code.
    Sqlite(u32, u32),
    MariaDb(u16),
}

fn code(error: &DbErr) -> Option<Code> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    let database = error.as_database_error()?;
    if let Some(error) = database.try_downcast_ref::<MySqlDatabaseError>() {
        return Some(Code::MariaDb(error.number()));
    }
    let extended: u32 = database.code()?.parse().ok()?;
    Some(Code::Sqlite(extended & 0xff, extended))
}

fn is_of_connection(error: &DbErr) -> bool {
    matches!(
        error,
        DbErr::ConnectionAcquire(_)
            | DbErr::Conn(_)
            | DbErr::Exec(RuntimeErr::SqlxError(_))
            | DbErr::Query(RuntimeErr::SqlxError(_))
    )
}
