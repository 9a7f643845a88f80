//! A shard's database: its tables read and written for the actors above. The SQL is here and nowhere else.

pub mod audit;
mod batch;
mod commit;
mod connection;
mod error;
mod figures;
pub(in crate::infra) mod file;
mod health;
pub mod identity;
mod ill_treat;
mod letters;
mod load;
pub(in crate::infra) mod mariadb;
#[cfg(test)]
pub mod memory;
mod moved_actions;
mod read;
mod readable;
mod rows;
mod script;
mod statements;
mod timelines;
mod unreadable;
mod witness;
mod write;

use std::path::Path;
use std::sync::Arc;

use sea_orm::DatabaseConnection;

pub(in crate::infra) use commit::in_time;
pub(in crate::infra) use connection::{PacketMax, Pool, lost};
pub use error::DatabaseError;
pub use health::Health;
pub use ill_treat::{IllTreated, Kill};
pub use letters::{LetterFilter, StoredAction};
pub use moved_actions::ActionBacklog;
pub use read::{DuePlace, ListFilter, OutboxBacklog, OutboxRow};
pub use rows::Damaged;

use self::file::FilePools;
use self::statements::Statements;
use self::unreadable::Unreadable;
use crate::domain::ShardId;
use crate::domain::timeline::Timeline;
use crate::infra::data_guard::{DataGuard, Lost};
use crate::infra::sqlite;
use migrations::{SchemaStatus, ShardMigrator};

/// One shard's database. Writing is the shard writer's alone; anyone may read.
#[derive(Debug, Clone)]
pub struct ShardDatabase {
    pub id: ShardId,
    /// Whether it takes writes.
    pub health: Health,
    writer: Pool,
    readers: Pool,
    statements: Arc<Statements>,
    /// Of the file; of nothing where the data are on a server.
    guard: DataGuard,
    unreadable: Arc<Unreadable>,
    /// What a statement may be long, as MariaDB said when it was last connected to.
    packet_max: PacketMax,
    /// In the simulation, what stands for all of the above.
    #[cfg(test)]
    memory: Option<memory::Memory>,
}

/// Has a call answered by the shard in memory, where a test has put one.
macro_rules! or_in_memory {
    ($shard:ident.$call:ident($($argument:expr),*)) => {
        #[cfg(test)]
        if let Some(memory) = &$shard.memory {
            return memory.$call($($argument),*).await;
        }
    };
}
use or_in_memory;

/// How many connections read a shard beside its writer: publisher, retriers and look-ups, a handful at a time.
const READERS: u32 = 4;
/// What a payment's row has beside its timeline and the merchant's texts, at most and with room to spare.
const REST_OF_ROW: usize = 3 * 1024;

impl ShardDatabase {
    /// Opens a shard in a SQLite file. With `migrate`, brings a new or older file up to this version first; else, and
    /// for a newer one, refuses and says which migration.
    pub async fn open_sqlite(id: ShardId, path: &Path, migrate: bool) -> Result<Self, DatabaseError> {
        let opened = file::open(path, READERS, async |opening| prepare(id, opening, migrate).await).await;
        let FilePools { writer, readers, guard } = opened?;
        Ok(Self { guard, ..Self::new(id, writer, readers) })
    }

    /// Opens an existing SQLite file only to read it, whoever writes it.
    pub async fn open_sqlite_to_read(id: ShardId, path: &Path) -> Result<Self, DatabaseError> {
        let opening = sqlite::open_readers(path, 1).await?;
        prepare(id, &opening, false).await?;
        let readers = file::readers(path, READERS, DataGuard::default());
        let opened = Self::new(id, readers.clone(), readers);
        opened.ping().await?;
        opening.close().await?;
        Ok(opened)
    }

    /// Opens a shard on a MariaDB server, waiting for one that is not up yet; `migrate` as for
    /// [`open_sqlite`](Self::open_sqlite), with one host at a time.
    pub async fn open_mariadb(id: ShardId, url: &str, migrate: bool) -> Result<Self, DatabaseError> {
        let packet_max = PacketMax::default();
        let opening = mariadb::open(url).await?;
        mariadb::patiently(async || prepare(id, &opening, migrate).await).await?;
        packet_max.set(mariadb::max_allowed_packet(&opening).await?);
        // A connection is woken on the thread that made it. Those that are used from now on are made where they are
        // used.
        opening.close().await?;
        let writers = mariadb::writers(url, &packet_max)?;
        Ok(Self { packet_max, ..Self::new(id, writers, mariadb::readers(url, READERS)?) })
    }

    /// A shard that is nowhere but in memory.
    #[cfg(test)]
    pub fn in_memory(id: ShardId, memory: memory::Memory) -> Self {
        let nowhere = || file::readers(Path::new("nowhere"), READERS, DataGuard::default());
        Self { memory: Some(memory), ..Self::new(id, nowhere(), nowhere()) }
    }

    fn new(id: ShardId, writer: Pool, readers: Pool) -> Self {
        Self {
            id,
            health: Health::default(),
            writer,
            readers,
            statements: Arc::default(),
            guard: DataGuard::default(),
            unreadable: Arc::new(Unreadable::new(id)),
            packet_max: PacketMax::default(),
            #[cfg(test)]
            memory: None,
        }
    }

    /// Whether its file is still under its path; looks there.
    ///
    /// # Errors
    /// [`Lost`] as long as it is not.
    pub fn check_file(&self) -> Result<(), Lost> {
        self.guard.check()
    }

    /// Whether it was found to be lost and still is. Costs nothing otherwise.
    pub fn is_lost(&self) -> bool {
        self.guard.is_lost()
    }

    /// How many bytes a payment's own texts may have in all, as JSON: with them and all that is added later, its row
    /// and its answer fit into what the server takes.
    pub fn texts_max(&self) -> usize {
        // Written in hexadecimal, as what has a backslash is, everything is twice as long.
        (self.packet_max.get() / 2).saturating_sub(Timeline::ROW_BYTES_MAX + REST_OF_ROW)
    }
}

/// Brings the schema up to this version, or refuses one that is not.
async fn prepare(id: ShardId, db: &DatabaseConnection, migrate: bool) -> Result<(), DatabaseError> {
    if migrate {
        for name in migrations::migrate::<ShardMigrator>(db).await? {
            tracing::info!(shard.id = id.0, migration = name, "migration applied");
        }
    }
    match migrations::status::<ShardMigrator>(db).await? {
        SchemaStatus::Current => Ok(()),
        status => Err(DatabaseError::Schema(status)),
    }
}

#[cfg(test)]
mod tests;
