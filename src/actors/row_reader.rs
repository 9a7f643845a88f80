//! Row reader: look-ups of a shard's rows by key that wait together are one query.
//! Receives: look-ups, by [`find`].   Sends: nothing.
//! Durable: nothing.   In memory: nothing.
//! A panic costs the look-ups in hand a second turn; a database that is away fails them.
//! Limit: mailbox and batch as in [`options`]. There is one for payments, and one for the claims of idempotency keys,
//! which is asked only where a call would be refused before its key is claimed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::domain::PaymentId;
use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::payment::Payment;
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::telemetry::repeats::is_first;
use crate::runtime::{Actor, AskError, Context, Failure, Handle, Message, Options, Reply};

/// Why a row could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the shard's database is unavailable")]
    Unavailable,
    /// The row is damaged, or the database refuses; the log says more.
    #[error("the row cannot be read")]
    Failed,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// A key by which rows are looked up.
pub trait RowKey: Copy + Ord + Hash + Debug + Send + 'static {
    type Row: Clone + Send + 'static;
    /// The name of the reader in metrics and faults.
    const READER: &'static str;

    fn of(row: &Self::Row) -> Self;

    /// The rows of these keys, in any order.
    fn read(database: &ShardDatabase, keys: &[Self]) -> impl Future<Output = Result<Vec<Self::Row>, DatabaseError>>;
}

impl RowKey for PaymentId {
    type Row = Payment;
    const READER: &'static str = "payment_reader";

    fn of(row: &Payment) -> Self {
        row.id
    }

    async fn read(database: &ShardDatabase, keys: &[Self]) -> Result<Vec<Payment>, DatabaseError> {
        database.payments(keys).await
    }
}

impl RowKey for KeyHash {
    type Row = IdempotencyRecord;
    const READER: &'static str = "claim_reader";

    fn of(row: &IdempotencyRecord) -> Self {
        row.key_hash
    }

    async fn read(database: &ShardDatabase, keys: &[Self]) -> Result<Vec<IdempotencyRecord>, DatabaseError> {
        database.idempotency_records(keys).await
    }
}

/// The row as it is committed; none if there is none.
pub async fn find<K: RowKey>(reader: &Handle<RowReader<K>>, key: K) -> Result<Option<K::Row>, ReadError> {
    match reader.ask(|reply| Find { key, reply }).await {
        // Reading twice has no effect, so a failed read can be repeated.
        Err(AskError::Interrupted) => reader.ask(|reply| Find { key, reply }).await?,
        answer => answer?,
    }
}

/// A look-up, sent by [`find`].
pub struct Find<K: RowKey> {
    key: K,
    reply: Reply<Result<Option<K::Row>, ReadError>>,
}

impl<K: RowKey> Message for Find<K> {
    fn kind(&self) -> &'static str {
        "find"
    }
}

/// See the file's header.
pub struct RowReader<K> {
    database: ShardDatabase,
    keys: std::marker::PhantomData<fn(K)>,
}

/// How a reader runs: a batch is one statement.
pub fn options<K: RowKey>() -> Options {
    Options::new(K::READER).capacity(8_192).max_batch(128)
}

impl<K: RowKey> RowReader<K> {
    /// Reads from the shard of `database`.
    pub fn new(database: ShardDatabase) -> Self {
        Self { database, keys: std::marker::PhantomData }
    }

    async fn read(&self, keys: &[K]) -> Result<HashMap<K, K::Row>, DatabaseError> {
        let found = K::read(&self.database, keys).await?;
        Ok(found.into_iter().map(|row| (K::of(&row), row)).collect())
    }

    async fn find_alone(&self, key: K) -> Result<Option<K::Row>, ReadError> {
        let read = self.read(&[key]).await;
        read.map(|mut found| found.remove(&key)).map_err(|error| match error {
            DatabaseError::Unavailable(_) | DatabaseError::Storage(_) => ReadError::Unavailable,
            error => {
                tracing::error!(row.key = ?key, reader = K::READER, %error, "row unreadable");
                ReadError::Failed
            }
        })
    }
}

impl<K: RowKey> Actor for RowReader<K> {
    type Message = Find<K>;

    async fn handle(&mut self, batch: Vec<Find<K>>, _: &Context) -> Result<(), Failure> {
        let mut keys: Vec<_> = batch.iter().map(|look_up| look_up.key).collect();
        keys.sort_unstable();
        keys.dedup();
        match self.read(&keys).await {
            Ok(found) => batch.into_iter().for_each(|Find { key, reply }| reply.send(Ok(found.get(&key).cloned()))),
            Err(DatabaseError::Unavailable(error) | DatabaseError::Storage(error)) => {
                let (shard, reader) = (self.database.id.0, K::READER);
                if is_first(&format!("look-ups of {reader} in shard {shard} failed"), &error) {
                    tracing::warn!(shard.id = shard, reader, %error, "look-ups failed");
                }
                batch.into_iter().for_each(|Find { reply, .. }| reply.send(Err(ReadError::Unavailable)));
            }
            // A row that cannot be read fails no other look-up.
            Err(_) => {
                for Find { key, reply } in batch {
                    reply.send(self.find_alone(key).await);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::domain::command::Command;
    use crate::domain::commands::Authorize;
    use crate::domain::policy::Policy;
    use crate::domain::testing::order;
    use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
    use crate::domain::{IdGenerator, ShardId, Timestamp};
    use crate::infra::sqlite;
    use crate::runtime::{Environment, Intensity, Strategy, Supervisor};

    async fn store(database: &ShardDatabase, orders: &[Authorize]) {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut read_set = ReadSet::default();
        orders.iter().for_each(|order| order.reads(&mut read_set));
        let unit = UnitOfWork::new(Timestamp(1_000), &policy, &mut ids);
        let decide = |unit: &mut UnitOfWork<'_>| orders.iter().for_each(|order| drop(order.clone().decide(unit)));
        database.batch(&read_set, unit, decide).await.unwrap();
    }

    #[tokio::test]
    async fn lookups_find_their_rows_and_a_damaged_row_fails_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard.db");
        let database = ShardDatabase::open_sqlite(ShardId(1), &path, true).await.unwrap();
        let orders: Vec<_> = (1..=20).map(|id| order(id, 100 + id)).collect();
        store(&database, &orders).await;
        let spoil = "UPDATE payment SET status = 'NONSENSE' WHERE id = 7";
        sqlite::open_writer(&path).await.unwrap().execute_unprepared(spoil).await.unwrap();

        let environment = Environment::service();
        let mut root = Supervisor::new("test", Strategy::OneForOne, Intensity::default(), &environment);
        let reader = root.actor(options::<PaymentId>(), move || RowReader::new(database.clone()));
        let running = root.start().await;
        // Some ask for the same row, some for a row that does not exist.
        let asked = (0..100).map(|n| n % 25);
        let found = join_all(asked.clone().map(|id| find(&reader, PaymentId::from_stored(id)))).await;
        for (id, found) in asked.zip(found) {
            match id {
                7 => assert_eq!(found, Err(ReadError::Failed)),
                1..=20 => assert_eq!(found.unwrap().unwrap().amount, 100 + id),
                _ => assert_eq!(found, Ok(None)),
            }
        }
        running.stop(std::time::Duration::from_secs(1)).await;
    }
}
