//! Opening a shard's database, in a file or on a server.

use std::path::Path;
use std::sync::Arc;

use sea_orm::DatabaseConnection;

use super::connection::{PacketMax, Pool};
use super::error::DatabaseError;
use super::file::{self, FilePools};
use super::health::Health;
#[cfg(test)]
use super::memory;
use super::unreadable::Unreadable;
use super::{ShardDatabase, mariadb, tables};
use crate::domain::ShardId;
use crate::infra::data_guard::DataGuard;
use crate::infra::sqlite;
use migrations::{SchemaStatus, ShardMigrator};

/// How many connections read a shard beside its writer: publisher, retriers and look-ups, a handful at a time.
const READERS: u32 = 4;

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
        mariadb::patiently(&opening, async || prepare(id, &opening, migrate).await).await?;
        packet_max.set(mariadb::max_allowed_packet(&opening).await?);
        // A connection is woken on the thread that made it. Those that are used from now on are made where they are
        // used.
        opening.close().await?;
        let writers = mariadb::writers(url, &packet_max)?;
        Ok(Self { packet_max, ..Self::new(id, writers, mariadb::readers(url, READERS)?) })
    }

    /// Connects with what writes and all that read, on the thread of the caller, which is to be the one that uses them.
    pub async fn connect(&self) {
        #[cfg(test)]
        if self.memory.is_some() {
            return;
        }
        self.writer.fill(1).await;
        self.readers.fill(READERS).await;
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
            unreadable: Arc::new(Unreadable::new(id, tables::NAMES)),
            packet_max: PacketMax::default(),
            #[cfg(test)]
            memory: None,
        }
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
