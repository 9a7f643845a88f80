//! One batch in one transaction, and what is done when the database says no or says nothing: the same for every database,
//! the simulation's store in memory included.
//!
//! After an error the connection is used again only if the error was about the rows and a ROLLBACK succeeded. What became
//! of a COMMIT that failed is asked in another transaction, which sees only what is committed.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use tokio::time::Instant;

use super::bounded::in_time;
use super::error::DatabaseError;
use super::witness::Witness;
use crate::domain::ShardId;
use crate::domain::book::{Book, Needs};

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
    async fn load(&mut self, needs: &Needs, book: &mut Book<'_>) -> Result<(), DatabaseError>;

    async fn write(&mut self, book: &Book<'_>) -> Result<(), DatabaseError>;

    /// Whatever the error, the connection is closed; whether the transaction is in the tables is not known.
    async fn commit(self) -> Result<(), DbErr>;

    /// Undoes everything. Its connection is kept only if the database says that it has done so.
    async fn rollback(self);

    async fn is_there(&mut self, witness: Witness) -> Result<bool, DatabaseError>;
}

/// Reads what the batch needs, lets `decide` change the book, writes and commits. When this returns, with the book as it
/// is written, all of it is durable; when it fails, none of it happened, except if it is [`DatabaseError::InDoubt`].
pub(super) async fn batch<'a, T>(
    id: ShardId,
    database: &impl Begins,
    needs: &Needs,
    mut book: Book<'a>,
    decide: impl FnOnce(&mut Book<'a>) -> T,
) -> Result<(T, Book<'a>), DatabaseError> {
    let mut tx = in_time(database.begin()).await??;
    let written = in_time(async {
        tx.load(needs, &mut book).await?;
        let decided = decide(&mut book);
        tx.write(&book).await?;
        Ok::<_, DatabaseError>(decided)
    });
    let decided = match written.await.flatten() {
        Ok(decided) => decided,
        Err(error) => {
            if matches!(error, DatabaseError::Conflict | DatabaseError::Refused(_) | DatabaseError::Damaged(_)) {
                tx.rollback().await;
            }
            return Err(error);
        }
    };
    let committed = in_time(tx.commit()).await.and_then(|committed| committed.map_err(DatabaseError::from));
    match committed {
        Ok(()) => {}
        // The database says that it has undone it.
        Err(DatabaseError::Conflict) => return Err(DatabaseError::Conflict),
        Err(failure) => look_for(id, database, &book, failure).await?,
    }
    Ok((decided, book))
}

/// Finds out whether a batch is in the tables although its COMMIT failed.
async fn look_for(
    id: ShardId,
    database: &impl Begins,
    book: &Book<'_>,
    failure: DatabaseError,
) -> Result<(), DatabaseError> {
    tracing::warn!(shard.id = id.0, error = %failure, "a commit failed, or its answer was lost");
    // What has no witness is decided again: marks and schedules, which the tables then have already or get once.
    let Some(witness) = Witness::of(book) else { return Err(not_committed(failure)) };
    let begun = Instant::now();
    loop {
        match in_time(ask_for(database, witness)).await.flatten() {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(not_committed(failure)),
            Err(error) if begun.elapsed() >= DOUBT_TIMEOUT => return Err(DatabaseError::InDoubt(Box::new(error))),
            Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
        }
    }
}

/// Whether the witness is there. Waits for the rows' or the file's lock, which the failed transaction may still have.
async fn ask_for(database: &impl Begins, witness: Witness) -> Result<bool, DatabaseError> {
    let mut tx = database.begin().await?;
    let is_there = tx.is_there(witness).await?;
    tx.rollback().await;
    Ok(is_there)
}

/// What a COMMIT has come to that is known not to have happened. Where only the answer was lost, reading and deciding again
/// is right; where the database itself said no, it says so again.
fn not_committed(failure: DatabaseError) -> DatabaseError {
    match failure {
        DatabaseError::Unavailable(DbErr::Exec(RuntimeErr::SqlxError(error)))
            if error.as_database_error().is_some() =>
        {
            DatabaseError::Unavailable(DbErr::Exec(RuntimeErr::SqlxError(error)))
        }
        DatabaseError::Unavailable(_) => DatabaseError::Conflict,
        other => other,
    }
}

#[cfg(test)]
mod tests;
