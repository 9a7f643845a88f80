//! What a batch asks of a table.

use sea_orm::EntityTrait;

use super::connection::Transaction;
use super::error::DatabaseError;
use super::row::Damaged;
use super::write::BatchWriter;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// One table of a shard: its rows, and its part in a batch.
pub trait Table: EntityTrait {
    /// What a row is to the domain.
    type Row;

    const NAME: &'static str;
    /// The column that names a row in logs, and among those that are left alone for a while.
    const KEY: Self::Column;

    /// # Errors
    /// A value that no version has written.
    fn read(row: Self::Model) -> Result<Self::Row, Damaged>;

    /// Loads the rows of the read set. A table of which no decision needs to know has none.
    async fn load(_: &Transaction, _: &ReadSet, _: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        Ok(())
    }

    /// Deletes the rows that the decisions have removed. Returns how many those were.
    async fn remove(_: &Transaction, _: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        Ok(0)
    }

    /// Writes the rows that the decisions have made or changed.
    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError>;
}
