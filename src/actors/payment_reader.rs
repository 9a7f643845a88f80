//! Payment reader: look-ups of a shard's payments that wait together are one query.
//! Receives: look-ups, by [`find`].   Sends: nothing.
//! Durable: nothing.   In memory: nothing.
//! A panic costs the look-ups in hand a second turn; a database that is away fails them.
//! Limit: mailbox and batch as in [`options`].

use std::collections::HashMap;

use crate::domain::PaymentId;
use crate::domain::payment::Payment;
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::runtime::{Actor, AskError, Context, Failure, Handle, Message, Options, Reply};

/// Why a payment could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the shard's database is unavailable")]
    Unavailable,
    /// Its row is damaged, or the database refuses; the log says more.
    #[error("the payment cannot be read")]
    Failed,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// The payment as it is committed; none if there is none.
pub async fn find(reader: &Handle<PaymentReader>, id: PaymentId) -> Result<Option<Payment>, ReadError> {
    match reader.ask(|reply| Find { id, reply }).await {
        // Reading twice is reading once.
        Err(AskError::Interrupted) => reader.ask(|reply| Find { id, reply }).await?,
        answer => answer?,
    }
}

/// A look-up, sent by [`find`].
pub struct Find {
    id: PaymentId,
    reply: Reply<Result<Option<Payment>, ReadError>>,
}

impl Message for Find {
    fn kind(&self) -> &'static str {
        "find"
    }
}

/// See the file's header.
pub struct PaymentReader(ShardDatabase);

/// How a reader runs: a batch is one statement.
pub fn options() -> Options {
    Options::new("payment_reader").capacity(8_192).max_batch(128)
}

impl PaymentReader {
    pub fn new(database: ShardDatabase) -> Self {
        Self(database)
    }

    async fn read(&self, ids: &[PaymentId]) -> Result<HashMap<PaymentId, Payment>, DatabaseError> {
        let found = self.0.payments(ids).await?;
        Ok(found.into_iter().map(|payment| (payment.id, payment)).collect())
    }

    async fn find_alone(&self, id: PaymentId) -> Result<Option<Payment>, ReadError> {
        let read = self.read(&[id]).await;
        read.map(|mut found| found.remove(&id)).map_err(|error| match error {
            DatabaseError::Unavailable(_) | DatabaseError::Storage(_) => ReadError::Unavailable,
            error => {
                tracing::error!(payment.id = %id, %error, "payment unreadable");
                ReadError::Failed
            }
        })
    }
}

impl Actor for PaymentReader {
    type Message = Find;

    async fn handle(&mut self, batch: Vec<Find>, _: &Context) -> Result<(), Failure> {
        let mut ids: Vec<_> = batch.iter().map(|look_up| look_up.id).collect();
        ids.sort_unstable();
        ids.dedup();
        match self.read(&ids).await {
            Ok(found) => batch.into_iter().for_each(|Find { id, reply }| reply.send(Ok(found.get(&id).cloned()))),
            Err(DatabaseError::Unavailable(error) | DatabaseError::Storage(error)) => {
                tracing::warn!(shard.id = self.0.id.0, %error, "look-ups failed");
                batch.into_iter().for_each(|Find { reply, .. }| reply.send(Err(ReadError::Unavailable)));
            }
            // One row that cannot be read fails nobody else's look-up.
            Err(_) => {
                for Find { id, reply } in batch {
                    reply.send(self.find_alone(id).await);
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
    use crate::domain::book::{Book, Needs};
    use crate::domain::command::{AuthorizeOrder, Command};
    use crate::domain::policy::Policy;
    use crate::domain::testing::order;
    use crate::domain::{IdGenerator, ShardId, Timestamp};
    use crate::infra::sqlite;
    use crate::runtime::{Environment, Intensity, Strategy, Supervisor};

    async fn store(database: &ShardDatabase, orders: &[AuthorizeOrder]) {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut needs = Needs::default();
        orders.iter().for_each(|order| order.needs(&mut needs));
        let book = Book::new(Timestamp(1_000), &policy, &mut ids);
        let decide = |book: &mut Book<'_>| orders.iter().for_each(|order| drop(order.clone().decide(book)));
        database.batch(&needs, book, decide).await.unwrap();
    }

    #[tokio::test]
    async fn each_look_up_finds_its_own_and_a_damaged_row_fails_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard.db");
        let database = ShardDatabase::open_sqlite(ShardId(1), &path, true).await.unwrap();
        let orders: Vec<_> = (1..=20).map(|id| order(id, 100 + id)).collect();
        store(&database, &orders).await;
        let spoil = "UPDATE payment SET status = 'NONSENSE' WHERE id = 7";
        sqlite::open_writer(&path).await.unwrap().execute_unprepared(spoil).await.unwrap();

        let environment = Environment::service();
        let mut root = Supervisor::new("test", Strategy::OneForOne, Intensity::default(), &environment);
        let reader = root.actor(options(), move || PaymentReader::new(database.clone()));
        let running = root.start().await;
        // Some ask for the same one, some for one that there is not.
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
