//! What writes a shard: batches, pruning, and a probe.

use std::sync::Arc;

use entities::write_probe;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{DbErr, EntityTrait};

use super::commit::{self, Begins, Begun, in_time};
use super::connection::{Transaction, lost};
use super::error::DatabaseError;
use super::statements::Statements;
use super::unreadable::Unreadable;
use super::witness::Witness;
use super::write::BatchWriter;
use super::{ShardDatabase, tables};
use crate::domain::Timestamp;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

impl ShardDatabase {
    /// One batch in one transaction: reads the rows of the read set, lets `decide` change the unit of work, writes and
    /// commits. When this returns, with the unit of work as it is written, all of it is durable; when it fails, none of
    /// it happened, except if it is [`DatabaseError::InDoubt`].
    pub async fn batch<'a, T>(
        &self,
        read_set: &ReadSet,
        unit: UnitOfWork<'a>,
        decide: impl FnOnce(&mut UnitOfWork<'a>) -> T,
    ) -> Result<(T, UnitOfWork<'a>), DatabaseError> {
        #[cfg(test)]
        if let Some(memory) = &self.memory {
            let committed = commit::batch(self.id, memory, read_set, unit, decide).await;
            return committed.map(|(decided, unit, _)| (decided, unit));
        }
        let (decided, unit, rows) = self.noted(commit::batch(self.id, self, read_set, unit, decide).await)?;
        // Committed to a file that is gone is committed nowhere, and to one that was moved away is committed there.
        let in_doubt = |gone| DatabaseError::InDoubt(Box::new(DatabaseError::Storage(lost(gone))));
        self.noted(self.check_file().map_err(in_doubt))?;
        self.health.committed(rows > 0);
        Ok((decided, unit))
    }

    /// Deletes events published before `published_before`, and keys that have expired by `now`: at most `limit` of
    /// each, so that a prune never holds the writer for long. Returns how many rows went.
    pub async fn prune(&self, published_before: Timestamp, now: Timestamp, limit: u64) -> Result<u64, DatabaseError> {
        #[cfg(test)]
        if self.memory.is_some() {
            return Ok(0);
        }
        self.write_apart(async |tx| tables::prune(tx, published_before, now, limit).await).await
    }

    /// Writes one row for nothing but to see whether that can be done; a shard that has failed is up again when it can.
    pub async fn probe(&self) -> Result<(), DatabaseError> {
        #[cfg(test)]
        if self.memory.is_some() {
            return Ok(());
        }
        self.write_apart(async |tx| write_probe(tx).await.map(|()| 1)).await.map(drop)
    }

    /// Has rows written in a transaction of their own. Returns how many those were.
    pub(super) async fn write_apart(
        &self,
        write: impl AsyncFnOnce(&Transaction) -> Result<u64, DatabaseError>,
    ) -> Result<u64, DatabaseError> {
        let written = async {
            let tx = self.writer.begin().await?;
            let rows = in_time(write(&tx)).await??;
            tx.commit().await?;
            self.health.committed(rows > 0);
            Ok(rows)
        };
        self.noted(written.await)
    }

    fn noted<T>(&self, done: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        done.inspect_err(|error| self.health.failed(error))
    }
}

/// A transaction of the shard's writer.
pub(super) struct Writing {
    tx: Transaction,
    statements: Arc<Statements>,
    unreadable: Arc<Unreadable>,
    packet_max: usize,
}

impl Begins for ShardDatabase {
    type Begun = Writing;

    async fn begin(&self) -> Result<Writing, DbErr> {
        let (statements, unreadable) = (self.statements.clone(), self.unreadable.clone());
        let tx = self.writer.begin().await?;
        Ok(Writing { tx, statements, unreadable, packet_max: self.packet_max.get() })
    }
}

impl Begun for Writing {
    async fn load(&mut self, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        tables::load(&self.tx, read_set, unit).await.inspect_err(|error| {
            if let DatabaseError::Damaged(damaged) = error {
                self.unreadable.note(damaged);
            }
        })
    }

    async fn write(&mut self, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let removed = tables::remove(&self.tx, unit).await?;
        let mut batch = BatchWriter::begin(&self.tx, &self.statements, self.packet_max);
        tables::write(&mut batch, unit).await?;
        Ok(removed.saturating_add(batch.end().await?))
    }

    async fn write_probe(&mut self) -> Result<(), DatabaseError> {
        write_probe(&self.tx).await
    }

    async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }

    async fn rollback(self) {
        self.tx.rollback().await;
    }

    async fn is_there(&mut self, witness: Witness) -> Result<bool, DatabaseError> {
        witness.is_there(&self.tx).await
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
