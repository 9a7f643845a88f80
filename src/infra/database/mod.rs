//! A shard's database: its tables read and written for the actors above. The SQL is here and nowhere else.

pub mod audit;
mod bounded;
mod error;
mod figures;
mod letters;
mod load;
mod mariadb;
#[cfg(test)]
pub mod memory;
mod read;
mod rows;
mod script;
mod statements;
mod witness;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{DatabaseConnection, TransactionTrait};

pub use error::DatabaseError;
pub use letters::{LetterFilter, StoredAction};
pub use read::{DuePlace, ListFilter, OutboxBacklog, OutboxRow};
pub use rows::Damaged;

use self::bounded::{Bounded, in_time};
use self::statements::Statements;
use self::witness::Witness;
use crate::domain::book::{Book, Needs};
use crate::domain::{ShardId, Timestamp};
use crate::infra::sqlite;
use migrations::SchemaStatus;

/// One shard's database. Writing is the shard writer's alone; anyone may read.
#[derive(Debug, Clone)]
pub struct ShardDatabase {
    pub id: ShardId,
    writer: DatabaseConnection,
    readers: Bounded,
    statements: Arc<Statements>,
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
/// How long a lost COMMIT is asked after.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(12);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

impl ShardDatabase {
    /// Opens a shard in a SQLite file. With `migrate`, brings a new or older file up to this version first; else, and
    /// for a newer one, refuses and says which migration.
    pub async fn open_sqlite(id: ShardId, path: &Path, migrate: bool) -> Result<Self, DatabaseError> {
        let writer = sqlite::open_writer(path).await?;
        prepare(id, &writer, migrate).await?;
        let readers = sqlite::open_readers(path, READERS).await?;
        Ok(Self::new(id, writer, readers))
    }

    /// Opens an existing SQLite file only to read it.
    pub async fn open_sqlite_to_read(id: ShardId, path: &Path) -> Result<Self, DatabaseError> {
        let readers = sqlite::open_readers(path, READERS).await?;
        prepare(id, &readers, false).await?;
        Ok(Self::new(id, readers.clone(), readers))
    }

    /// Opens a shard on a MariaDB server, waiting for one that is not up yet; `migrate` as for
    /// [`open_sqlite`](Self::open_sqlite), with one host at a time.
    pub async fn open_mariadb(id: ShardId, url: &str, migrate: bool) -> Result<Self, DatabaseError> {
        let opening = mariadb::open(url).await?;
        mariadb::patiently(async || prepare(id, &opening, migrate).await).await?;
        // A connection is woken on the thread that made it. Those that are used from now on are made where they are used.
        opening.close().await?;
        Ok(Self::new(id, mariadb::writers(url)?, mariadb::readers(url, READERS)?))
    }

    /// A shard that is nowhere but in memory.
    #[cfg(test)]
    pub fn in_memory(id: ShardId, memory: memory::Memory) -> Self {
        use sea_orm::DatabaseConnection::Disconnected;
        Self { memory: Some(memory), ..Self::new(id, Disconnected, Disconnected) }
    }

    fn new(id: ShardId, writer: DatabaseConnection, readers: DatabaseConnection) -> Self {
        Self {
            id,
            writer,
            readers: Bounded(readers),
            statements: Arc::default(),
            #[cfg(test)]
            memory: None,
        }
    }

    /// One batch in one transaction: reads what it needs, lets `decide` change the book, writes and commits. When this
    /// returns, with the book as it is written, all of it is durable; when it fails, none of it happened, except if it
    /// is [`DatabaseError::InDoubt`].
    pub async fn batch<'a, T>(
        &self,
        needs: &Needs,
        mut book: Book<'a>,
        decide: impl FnOnce(&mut Book<'a>) -> T,
    ) -> Result<(T, Book<'a>), DatabaseError> {
        or_in_memory!(self.batch(needs, book, decide));
        let written = async {
            let tx = self.writer.begin().await?;
            load::load(&tx, needs, &mut book).await?;
            let decided = decide(&mut book);
            write::write(&tx, &self.statements, &book).await?;
            Ok::<_, DatabaseError>((tx, decided))
        };
        let (tx, decided) = in_time(written).await??;
        let committed = in_time(tx.commit()).await.and_then(|committed| committed.map_err(DatabaseError::from));
        match committed {
            Ok(()) => Ok((decided, book)),
            Err(DatabaseError::Unavailable(_)) => self.look_for(&book).await.map(|()| (decided, book)),
            Err(error) => Err(error),
        }
    }

    /// Finds out whether a batch is in the tables though nobody said so. If it is not, it is a conflict: reading and
    /// deciding again is right.
    async fn look_for(&self, book: &Book<'_>) -> Result<(), DatabaseError> {
        tracing::warn!(shard.id = self.id.0, "the answer to a commit was lost");
        // What has no witness is decided again: marks and schedules, which the tables then have already or get once.
        let Some(witness) = Witness::of(book) else { return Err(DatabaseError::Conflict) };
        let begun = Instant::now();
        loop {
            match in_time(witness.is_there(&self.writer)).await.flatten() {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(DatabaseError::Conflict),
                Err(error) if begun.elapsed() >= DOUBT_TIMEOUT => return Err(DatabaseError::InDoubt(Box::new(error))),
                Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    }

    /// Deletes events published before `published_before`, and claims that have expired by `now`: at most `limit` of
    /// each, so that a prune never holds the writer for long. Returns how many rows went.
    pub async fn prune(&self, published_before: Timestamp, now: Timestamp, limit: u64) -> Result<u64, DatabaseError> {
        #[cfg(test)]
        if self.memory.is_some() {
            return Ok(0);
        }
        in_time(write::prune(&self.writer, published_before, now, limit)).await?
    }
}

/// Brings the schema up to this version, or refuses one that is not.
async fn prepare(id: ShardId, db: &DatabaseConnection, migrate: bool) -> Result<(), DatabaseError> {
    if migrate {
        for name in migrations::migrate(db).await? {
            tracing::info!(shard.id = id.0, migration = name, "migration applied");
        }
    }
    match migrations::status(db).await? {
        SchemaStatus::Current => Ok(()),
        status => Err(DatabaseError::Schema(status)),
    }
}

#[cfg(test)]
mod tests;
