//! What a shard's database is, asked before it is opened as a shard, and written once it is known to be the right one.

use std::path::PathBuf;

use entities::{payment, shard_identity};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, IntoActiveModel, Order,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};

use super::commit::in_time;
use super::error::DatabaseError;
use super::mariadb;
use crate::domain::identity::{Companion, FoundShard, ShardIdentity, SystemId};
use crate::domain::{PaymentId, ShardId, Timestamp};
use crate::infra::sqlite;
use migrations::{SchemaStatus, ShardMigrator};

/// Where a shard's database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardPlace {
    /// A SQLite file, which may not be there yet.
    File(PathBuf),
    /// The URL of a MariaDB database.
    Server(String),
}

/// Tables whose rows are lost if the database is.
const DATA: [&str; 6] = ["payment", "refund", "idempotency_key", "outbox_event", "ledger_entry", "dead_letter"];
/// Payments at each end of the table that are looked at in a database without an identity.
const SAMPLE: u64 = 100;
/// The row's key.
const ONLY: i64 = 1;

/// A database that is looked at, and then told what it is.
#[derive(Debug)]
pub struct ShardRecord {
    /// None for a file that is not there.
    db: Option<DatabaseConnection>,
    holds_data: bool,
    has_published: bool,
}

/// Asks whether there are events that are in the event log, each with the table that must be there.
const PUBLISHED: [(&str, &str); 2] = [
    ("processed_event", "SELECT 1 FROM processed_event LIMIT 1"),
    ("outbox_event", "SELECT 1 FROM outbox_event WHERE published_at IS NOT NULL LIMIT 1"),
];

impl ShardRecord {
    /// Opens what is there, and sees whether there are data in it. Creates nothing. Waits for a server that is not up
    /// yet.
    ///
    /// # Errors
    /// [`DatabaseError`] also for a schema that is newer than this program.
    pub async fn look(place: &ShardPlace) -> Result<Self, DatabaseError> {
        let db = match place {
            ShardPlace::File(path) if !path.exists() => {
                return Ok(Self { db: None, holds_data: false, has_published: false });
            }
            ShardPlace::File(path) => sqlite::open_readers(path, 1).await?,
            ShardPlace::Server(url) => mariadb::open(url).await?,
        };
        let (holds_data, has_published) = mariadb::patiently(&db, async || look_at(&db).await).await?;
        Ok(Self { db: Some(db), holds_data, has_published })
    }

    /// What it says that it is. Asked after [`look`](Self::look) at all shards: whoever has written data into one of
    /// them by then had told all of them what they are.
    pub async fn found(&self) -> Result<FoundShard, DatabaseError> {
        let Some(db) = &self.db else { return Ok(FoundShard::default()) };
        mariadb::patiently(db, async || self.found_in(db).await).await
    }

    async fn found_in(&self, db: &DatabaseConnection) -> Result<FoundShard, DatabaseError> {
        let (holds_data, has_published) = (self.holds_data, self.has_published);
        let nothing = FoundShard { holds_data, has_published, ..FoundShard::default() };
        let row = if tables(db).await?.iter().any(|table| table == "shard_identity") { row(db).await? } else { None };
        if let Some(row) = row {
            let (event_log, psp) = (row.event_log.clone(), row.psp.clone());
            return Ok(FoundShard { identity: Some(identity(row)), event_log, psp, ..nothing });
        }
        let payments = if self.holds_data { sample(db).await? } else { Vec::new() };
        Ok(FoundShard { payments, ..nothing })
    }

    /// Opens a database whose schema is of this version, to tell it what it is.
    pub async fn open(place: &ShardPlace) -> Result<Self, DatabaseError> {
        let db = match place {
            ShardPlace::File(path) => sqlite::open_writer(path).await?,
            ShardPlace::Server(url) => mariadb::open(url).await?,
        };
        Ok(Self { db: Some(db), holds_data: false, has_published: false })
    }

    /// Writes what it is unless it knows already, and returns what it then says: of processes that start together the
    /// first one decides.
    pub async fn claim(&self, wanted: &ShardIdentity, now: Timestamp) -> Result<Option<ShardIdentity>, DatabaseError> {
        let Some(db) = &self.db else { return Ok(None) };
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let row = shard_identity::Model {
            id: ONLY,
            system_id: wanted.system.as_str().to_owned(),
            shard: number(wanted.shard.0),
            shard_count: number(wanted.count),
            map_version: number(wanted.map_version),
            event_log: None,
            psp: None,
            created_at: now.0,
        };
        let mut keep = OnConflict::column(shard_identity::Column::Id);
        // MariaDB has no way to do nothing; this is SeaORM's for it.
        keep.do_nothing_on([shard_identity::Column::Id]);
        let insert = || shard_identity::Entity::insert(row.clone().into_active_model()).on_conflict(keep.clone());
        let claimed = mariadb::patiently(db, async || match in_time(insert().exec_without_returning(db)).await? {
            Ok(_) | Err(DbErr::RecordNotInserted) => self::row(db).await,
            Err(error) => Err(error.into()),
        });
        Ok(claimed.await?.map(identity))
    }

    /// Notes the event log or PSP of the system, unless one is noted or `replace` is given. Returns what is noted then.
    pub async fn note(&self, what: Companion, name: &str, replace: bool) -> Result<Option<String>, DatabaseError> {
        let Some(db) = &self.db else { return Ok(None) };
        let column = match what {
            Companion::EventLog => shard_identity::Column::EventLog,
            Companion::Psp => shard_identity::Column::Psp,
        };
        let mut update = shard_identity::Entity::update_many().col_expr(column, Expr::value(name));
        if !replace {
            update = update.filter(column.is_null());
        }
        let noted = mariadb::patiently(db, async || {
            in_time(update.clone().exec(db)).await??;
            row(db).await
        });
        let noted = noted.await?;
        Ok(noted.and_then(|row| match what {
            Companion::EventLog => row.event_log,
            Companion::Psp => row.psp,
        }))
    }

    /// Gives the connection back.
    pub async fn close(self) -> Result<(), DatabaseError> {
        if let Some(db) = self.db {
            db.close().await?;
        }
        Ok(())
    }
}

async fn row(db: &DatabaseConnection) -> Result<Option<shard_identity::Model>, DatabaseError> {
    Ok(in_time(shard_identity::Entity::find_by_id(ONLY).one(db)).await??)
}

fn identity(row: shard_identity::Model) -> ShardIdentity {
    ShardIdentity {
        system: SystemId::from_stored(row.system_id),
        shard: ShardId(row.shard.unsigned_abs()),
        count: row.shard_count.unsigned_abs(),
        map_version: row.map_version.unsigned_abs(),
    }
}

/// The names of all tables.
pub(in crate::infra) async fn tables(db: &DatabaseConnection) -> Result<Vec<String>, DatabaseError> {
    let backend = db.get_database_backend();
    let query = match backend {
        DbBackend::MySql => {
            "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        DbBackend::Sqlite | DbBackend::Postgres => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let rows = in_time(db.query_all(Statement::from_string(backend, query))).await??;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}

/// Whether it holds data, and whether it knows of published events.
async fn look_at(db: &DatabaseConnection) -> Result<(bool, bool), DatabaseError> {
    if let ahead @ SchemaStatus::Ahead { .. } = in_time(migrations::status::<ShardMigrator>(db)).await?? {
        return Err(DatabaseError::Schema(ahead));
    }
    let tables = tables(db).await?;
    let is_there = |table: &&str| tables.iter().any(|there| there == table);
    let (mut holds_data, mut has_published) = (false, false);
    for table in DATA.into_iter().filter(is_there) {
        holds_data = holds_data || finds(db, &format!("SELECT 1 FROM {table} LIMIT 1")).await?;
    }
    for (_, query) in PUBLISHED.into_iter().filter(|(table, _)| is_there(table)) {
        has_published = has_published || finds(db, query).await?;
    }
    Ok((holds_data, has_published))
}

async fn finds(db: &DatabaseConnection, query: &str) -> Result<bool, DatabaseError> {
    let query = Statement::from_string(db.get_database_backend(), query);
    Ok(in_time(db.query_one(query)).await??.is_some())
}

/// Some of the oldest payments and some of the youngest.
async fn sample(db: &DatabaseConnection) -> Result<Vec<PaymentId>, DatabaseError> {
    let mut sample = Vec::new();
    for order in [Order::Asc, Order::Desc] {
        let ids = payment::Entity::find().select_only().column(payment::Column::Id);
        let ids = ids.order_by(payment::Column::Id, order).limit(SAMPLE).into_tuple::<i64>();
        let found = in_time(ids.all(db)).await??;
        sample.extend(found.into_iter().map(PaymentId::from_stored));
    }
    Ok(sample)
}
