//! Does the database's schema fit this binary, and bringing it up to date.

use std::fmt;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, Statement, TransactionTrait,
};
use sea_orm_migration::seaql_migrations;

/// How long a host waits while another one migrates the same MariaDB database.
const LOCK_WAIT_S: u32 = 60;

/// A database's schema as this binary sees it. Only [`SchemaStatus::Current`] may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaStatus {
    /// Every migration of this binary is applied, and no other.
    Current,
    /// The schema is older than the binary.
    Behind {
        /// The migrations to apply, in order; all of them for a database without a schema.
        missing: Vec<String>,
    },
    /// The schema is newer than the binary (some migrations of the binary's may be missing as well).
    Ahead {
        /// The applied migrations that the binary does not know, by name.
        unknown: Vec<String>,
    },
}

impl fmt::Display for SchemaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("schema is current"),
            Self::Behind { missing } => {
                write!(f, "schema is older than this binary, it lacks {}", missing.join(", "))
            }
            Self::Ahead { unknown } => {
                write!(f, "schema is newer than this binary, which does not know {}", unknown.join(", "))
            }
        }
    }
}

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database failed or refused a statement.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// The schema is newer than the binary; nothing was changed.
    #[error("schema is newer than this binary, which does not know {}", unknown.join(", "))]
    Ahead {
        /// As in [`SchemaStatus::Ahead`].
        unknown: Vec<String>,
    },
    /// Another host has been migrating this database for longer than we wait (60 s); nothing was changed.
    #[error("another process is migrating this database")]
    Locked,
}

/// Compares the database's schema with this binary's migrations `M`. Changes nothing.
pub async fn status<M: MigratorTrait>(db: &DatabaseConnection) -> Result<SchemaStatus, DbErr> {
    let applied = if SchemaManager::new(db).has_table(M::migration_table_name().to_string()).await? {
        applied(db).await?
    } else {
        Vec::new()
    };
    Ok(compare::<M>(&applied))
}

/// Applies what is missing and returns the names of the migrations applied, in order; empty if the schema was current.
///
/// On SQLite it is one transaction. MariaDB commits each DDL statement for itself, so there a named lock keeps hosts
/// that start together apart, and a migration that was cut off is completed by the next call.
pub async fn migrate<M: MigratorTrait>(db: &DatabaseConnection) -> Result<Vec<String>, SchemaError> {
    // The lock belongs to a connection; a transaction is what holds on to one (and leaves a pool of one its only one).
    let connection = db.begin().await?;
    let applied = match db.get_database_backend() {
        DbBackend::MySql => {
            lock(&connection).await?;
            let applied = apply::<M>(&connection).await;
            // Before anything is returned: the connection goes back to the pool, and its lock would go with it.
            connection.execute_unprepared(&format!("DO RELEASE_LOCK({LOCK_NAME})")).await?;
            applied?
        }
        DbBackend::Sqlite | DbBackend::Postgres => apply::<M>(&connection).await?,
    };
    connection.commit().await?;
    Ok(applied)
}

async fn apply<M: MigratorTrait>(connection: &DatabaseTransaction) -> Result<Vec<String>, SchemaError> {
    M::install(connection).await?;
    let missing = match compare::<M>(&applied(connection).await?) {
        SchemaStatus::Current => return Ok(Vec::new()),
        SchemaStatus::Ahead { unknown } => return Err(SchemaError::Ahead { unknown }),
        SchemaStatus::Behind { missing } => missing,
    };
    M::up(connection, None).await?;
    Ok(missing)
}

/// An SQL expression: MariaDB's named locks are the server's, so the name carries the database's.
const LOCK_NAME: &str = "CONCAT('rialto.migrate.', DATABASE())";

async fn lock(connection: &DatabaseTransaction) -> Result<(), SchemaError> {
    let sql = format!("SELECT GET_LOCK({LOCK_NAME}, {LOCK_WAIT_S}) AS locked");
    let row = connection.query_one(Statement::from_string(DbBackend::MySql, sql)).await?;
    let locked: Option<i32> = row.map(|row| row.try_get("", "locked")).transpose()?.flatten();
    if locked == Some(1) { Ok(()) } else { Err(SchemaError::Locked) }
}

async fn applied(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let rows = seaql_migrations::Entity::find().all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

fn compare<M: MigratorTrait>(applied: &[String]) -> SchemaStatus {
    let known: Vec<String> = M::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let unknown: Vec<String> = applied.iter().filter(|name| !known.contains(name)).cloned().collect();
    let missing: Vec<String> = known.into_iter().filter(|name| !applied.contains(name)).collect();
    if !unknown.is_empty() {
        SchemaStatus::Ahead { unknown }
    } else if !missing.is_empty() {
        SchemaStatus::Behind { missing }
    } else {
        SchemaStatus::Current
    }
}
