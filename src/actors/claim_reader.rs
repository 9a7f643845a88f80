//! Claim reader: look-ups of a shard's keys that wait together are one query.
//! Receives: look-ups of keys, by [`find`].   Sends: nothing.
//! Durable: nothing.   In memory: nothing.
//! A panic costs the look-ups in hand a second turn; a database that is away fails them.
//! Limit: mailbox and batch as in [`options`]. It is asked only where a call would be refused before its key is claimed.

use std::collections::HashMap;

use super::payment_reader::ReadError;
use crate::domain::idempotency::{Claim, Scope};
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::runtime::{Actor, AskError, Context, Failure, Handle, Message, Options, Reply};

/// The claim of a key as it is committed; none if there is none.
pub async fn find(reader: &Handle<ClaimReader>, scope: Scope) -> Result<Option<Claim>, ReadError> {
    match reader.ask(|reply| Find { scope, reply }).await {
        // Reading twice is reading once.
        Err(AskError::Interrupted) => reader.ask(|reply| Find { scope, reply }).await?,
        answer => answer?,
    }
}

/// A look-up, sent by [`find`].
pub struct Find {
    scope: Scope,
    reply: Reply<Result<Option<Claim>, ReadError>>,
}

impl Message for Find {
    fn kind(&self) -> &'static str {
        "find"
    }
}

/// See the file's header.
pub struct ClaimReader(ShardDatabase);

/// How a reader runs: a batch is one statement.
pub fn options() -> Options {
    Options::new("claim_reader").capacity(8_192).max_batch(128)
}

impl ClaimReader {
    pub fn new(database: ShardDatabase) -> Self {
        Self(database)
    }

    async fn read(&self, scopes: &[Scope]) -> Result<HashMap<Scope, Claim>, DatabaseError> {
        let found = self.0.claims(scopes).await?;
        Ok(found.into_iter().map(|claim| (claim.scope, claim)).collect())
    }

    async fn find_alone(&self, scope: Scope) -> Result<Option<Claim>, ReadError> {
        let read = self.read(&[scope]).await;
        read.map(|mut found| found.remove(&scope)).map_err(|error| match error {
            DatabaseError::Unavailable(_) => ReadError::Unavailable,
            error => {
                tracing::error!(idempotency.scope = ?scope, %error, "claim unreadable");
                ReadError::Failed
            }
        })
    }
}

impl Actor for ClaimReader {
    type Message = Find;

    async fn handle(&mut self, batch: Vec<Find>, _: &Context) -> Result<(), Failure> {
        let mut scopes: Vec<_> = batch.iter().map(|look_up| look_up.scope).collect();
        scopes.sort_unstable();
        scopes.dedup();
        match self.read(&scopes).await {
            Ok(found) => batch.into_iter().for_each(|Find { scope, reply }| reply.send(Ok(found.get(&scope).cloned()))),
            Err(DatabaseError::Unavailable(error)) => {
                tracing::warn!(shard.id = self.0.id.0, %error, "look-ups of keys failed");
                batch.into_iter().for_each(|Find { reply, .. }| reply.send(Err(ReadError::Unavailable)));
            }
            // One row that cannot be read fails nobody else's look-up.
            Err(_) => {
                for Find { scope, reply } in batch {
                    reply.send(self.find_alone(scope).await);
                }
            }
        }
        Ok(())
    }
}
