//! One batch in one transaction, and what is done when the database says no or says nothing.
//!
//! After an error the connection is used again only if the error was about the rows and a ROLLBACK succeeded; else it is
//! closed. What became of a COMMIT that failed is asked over another connection, which sees only what is committed.

use std::future::Future;
use std::time::{Duration, Instant};

use entities::write_probe;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{DbErr, EntityTrait, RuntimeErr};

use super::connection::{ANSWER_TIMEOUT, Transaction, lost};
use super::error::{DatabaseError, is_undone, may_reappear};
use super::witness::Witness;
use super::{ShardDatabase, load, or_in_memory, write};
use crate::domain::Timestamp;
use crate::domain::book::{Book, Needs};

/// How long a lost COMMIT is asked after.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(12);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

impl ShardDatabase {
    /// One batch in one transaction: reads what it needs, lets `decide` change the book, writes and commits. When this
    /// returns, with the book as it is written, all of it is durable; when it fails, none of it happened, except if it
    /// is [`DatabaseError::InDoubt`].
    pub async fn batch<'a, T>(
        &self,
        needs: &Needs,
        book: Book<'a>,
        decide: impl FnOnce(&mut Book<'a>) -> T,
    ) -> Result<(T, Book<'a>), DatabaseError> {
        or_in_memory!(self.batch(needs, book, decide));
        self.noted(self.commit_batch(needs, book, decide).await)
    }

    /// Deletes events published before `published_before`, and claims that have expired by `now`: at most `limit` of
    /// each, so that a prune never holds the writer for long. Returns how many rows went.
    pub async fn prune(&self, published_before: Timestamp, now: Timestamp, limit: u64) -> Result<u64, DatabaseError> {
        #[cfg(test)]
        if self.memory.is_some() {
            return Ok(0);
        }
        let pruned = async {
            let tx = self.writer.begin().await?;
            let deleted = in_time(write::prune(&tx, published_before, now, limit)).await??;
            tx.commit().await?;
            self.health.committed(deleted > 0);
            Ok(deleted)
        };
        self.noted(pruned.await)
    }

    /// Writes one row for nothing but to see whether that can be done; a shard that has failed is up again when it can.
    pub async fn probe(&self) -> Result<(), DatabaseError> {
        #[cfg(test)]
        if self.memory.is_some() {
            return Ok(());
        }
        let probed = async {
            let tx = self.writer.begin().await?;
            write_probe(&tx).await?;
            tx.commit().await?;
            self.health.committed(true);
            Ok(())
        };
        self.noted(probed.await)
    }

    fn noted<T>(&self, done: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        done.inspect_err(|error| self.health.failed(error))
    }

    async fn commit_batch<'a, T>(
        &self,
        needs: &Needs,
        mut book: Book<'a>,
        decide: impl FnOnce(&mut Book<'a>) -> T,
    ) -> Result<(T, Book<'a>), DatabaseError> {
        let tx = self.writer.begin().await?;
        let written = in_time(async {
            load::load(&tx, needs, &mut book).await?;
            let decided = decide(&mut book);
            let written = write::write(&tx, &self.statements, &book).await?;
            Ok::<_, DatabaseError>((decided, written))
        });
        let (decided, rows) = match written.await.flatten() {
            Ok(written) => written,
            Err(error) => {
                if error.is_about_rows() {
                    tx.rollback().await;
                }
                return Err(error);
            }
        };
        if let Err(error) = tx.commit().await {
            self.look_for(&book, error).await?;
        }
        // Committed to a file that is gone is committed nowhere, and to one that was moved away is committed there.
        let in_doubt = |gone| DatabaseError::InDoubt(Box::new(DatabaseError::Storage(lost(gone))));
        self.check_file().map_err(in_doubt)?;
        self.health.committed(rows > 0);
        Ok((decided, book))
    }

    /// Finds out whether a batch is in the tables although its COMMIT failed.
    async fn look_for(&self, book: &Book<'_>, failure: DbErr) -> Result<(), DatabaseError> {
        if is_undone(&failure) {
            return Err(DatabaseError::Conflict);
        }
        tracing::warn!(shard.id = self.id.0, error = %failure, "a commit failed, or its answer was lost");
        let has_to_write = may_reappear(&failure);
        let not_committed = || match DatabaseError::from(failure) {
            storage @ DatabaseError::Storage(_) => storage,
            DatabaseError::Unavailable(error) | DatabaseError::Refused(error) => DatabaseError::NotCommitted(error),
            other => other,
        };
        // What has no witness is decided again: marks and schedules, which the tables then have already or get once.
        let Some(witness) = Witness::of(book) else { return Err(not_committed()) };
        let begun = Instant::now();
        loop {
            match self.ask_for(witness, has_to_write).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(not_committed()),
                Err(error) if begun.elapsed() >= DOUBT_TIMEOUT => return Err(DatabaseError::InDoubt(Box::new(error))),
                Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
            }
        }
    }

    /// Whether the witness is there. Goes through a connection of its own, for the one that failed is closed, and waits for
    /// the rows' or the file's lock, which the failed transaction may still have.
    async fn ask_for(&self, witness: Witness, has_to_write: bool) -> Result<bool, DatabaseError> {
        let tx = self.writer.begin().await?;
        let is_there = in_time(witness.is_there(&tx)).await??;
        if has_to_write {
            // Takes the place in the log of what failed, so that no restart finds it there.
            write_probe(&tx).await?;
            tx.commit().await?;
        } else {
            tx.rollback().await;
        }
        Ok(is_there)
    }
}

async fn write_probe(tx: &Transaction) -> Result<(), DatabaseError> {
    let row = write_probe::ActiveModel { id: Set(1), writes: Set(1) };
    let again = OnConflict::column(write_probe::Column::Id)
        .value(write_probe::Column::Writes, Expr::col((write_probe::Entity, write_probe::Column::Writes)).add(1))
        .to_owned();
    write_probe::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

/// Gives up on what takes too long.
pub(super) async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, DatabaseError> {
    let no_answer = || DbErr::Conn(RuntimeErr::Internal(format!("no answer within {ANSWER_TIMEOUT:?}")));
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.map_err(|_| DatabaseError::Unavailable(no_answer()))
}
