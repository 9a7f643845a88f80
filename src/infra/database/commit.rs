//! One batch in one transaction, and what is done when the database says no or says nothing: the same for every
//! database, the simulation's store in memory included.
//!
//! After an error the connection is used again only if the error was about the rows and a ROLLBACK succeeded. What
//! became of a COMMIT that failed is asked in another transaction, which sees only what is committed.

use std::future::Future;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use tokio::time::Instant;

use super::connection::ANSWER_TIMEOUT;
use super::error::{DatabaseError, is_undone, may_reappear};
use super::witness::Witness;
use crate::domain::ShardId;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::infra::telemetry::repeats::is_first;

/// How long a lost COMMIT is asked after.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(12);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Where transactions that write begin.
pub(super) trait Begins {
    type Begun: Begun;

    /// Begins one on a connection that has none open.
    async fn begin(&self) -> Result<Self::Begun, DbErr>;
}

/// A transaction. Dropped without its end, it is undone, and its connection is never used again.
pub(super) trait Begun: Sized {
    async fn load(&mut self, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError>;

    /// Returns how many rows were written.
    async fn write(&mut self, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError>;

    /// Writes one row for nothing but to have written.
    async fn write_probe(&mut self) -> Result<(), DatabaseError>;

    /// Whatever the error, the connection is closed; whether the transaction is in the tables is not known.
    async fn commit(self) -> Result<(), DbErr>;

    /// Undoes everything. Its connection is kept only if the database says that it has done so.
    async fn rollback(self);

    async fn is_there(&mut self, witness: Witness) -> Result<bool, DatabaseError>;
}

/// Reads the rows of the read set, lets `decide` change the unit of work, writes and commits. When this returns, with
/// the unit of work as it is written and how many rows that were, all of it is durable; when it fails, none of it
/// happened, except if it is [`DatabaseError::InDoubt`].
pub(super) async fn batch<'a, T>(
    id: ShardId,
    database: &impl Begins,
    read_set: &ReadSet,
    mut unit: UnitOfWork<'a>,
    decide: impl FnOnce(&mut UnitOfWork<'a>) -> T,
) -> Result<(T, UnitOfWork<'a>, u64), DatabaseError> {
    let mut tx = database.begin().await?;
    let written = in_time(async {
        tx.load(read_set, &mut unit).await?;
        let decided = decide(&mut unit);
        let rows = tx.write(&unit).await?;
        Ok::<_, DatabaseError>((decided, rows))
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
    if let Err(failure) = tx.commit().await {
        look_for(id, database, &unit, failure).await?;
    }
    Ok((decided, unit, rows))
}

/// Finds out whether a batch is in the tables although its COMMIT failed.
async fn look_for(
    id: ShardId,
    database: &impl Begins,
    unit: &UnitOfWork<'_>,
    failure: DbErr,
) -> Result<(), DatabaseError> {
    if is_undone(&failure) {
        return Err(DatabaseError::Conflict);
    }
    if is_first(&format!("shard {id}: a commit failed"), &failure) {
        tracing::warn!(shard.id = id.0, error = %failure, "a commit failed, or its answer was lost");
    }
    let has_to_write = may_reappear(&failure);
    let not_committed = || match DatabaseError::from(failure) {
        storage @ DatabaseError::Storage(_) => storage,
        DatabaseError::Unavailable(error) | DatabaseError::Refused(error) => DatabaseError::NotCommitted(error),
        other => other,
    };
    // What has no witness is decided again: marks and schedules, which the tables then have already or get once.
    let Some(witness) = Witness::of(unit) else { return Err(not_committed()) };
    let begun = Instant::now();
    loop {
        match ask_for(database, witness, has_to_write).await {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(not_committed()),
            Err(error) if begun.elapsed() >= DOUBT_TIMEOUT => return Err(DatabaseError::InDoubt(Box::new(error))),
            Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
        }
    }
}

/// Whether the witness is there. Goes through a connection of its own, for the one that failed is closed, and waits for
/// the rows' or the file's lock, which the failed transaction may still have.
async fn ask_for(database: &impl Begins, witness: Witness, has_to_write: bool) -> Result<bool, DatabaseError> {
    let mut tx = database.begin().await?;
    let is_there = in_time(tx.is_there(witness)).await??;
    if has_to_write {
        // Takes the place in the log of what failed, so that no restart finds it there.
        tx.write_probe().await?;
        tx.commit().await?;
    } else {
        tx.rollback().await;
    }
    Ok(is_there)
}

/// Gives up on what takes too long.
pub(in crate::infra) async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, DatabaseError> {
    let no_answer = || DbErr::Conn(RuntimeErr::Internal(format!("no answer within {ANSWER_TIMEOUT:?}")));
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.map_err(|_| DatabaseError::Unavailable(no_answer()))
}

#[cfg(test)]
mod tests;
