//! One table, one file: how its rows are read and written, in which columns they change, and what may be read of it
//! without asking the shard's writer. A new table is a file here and its name in the list below.

mod account_balance;
mod dead_letter;
mod idempotency_key;
mod ledger_entry;
mod merchant_reference;
mod operator_action;
mod outbox_event;
mod payment;
mod processed_event;
mod refund;
mod refund_request;
mod settlement_request;
mod timeline_page;
mod unique_reference;
mod waiting_refund;

pub use dead_letter::LetterFilter;
pub use ledger_entry::EntryFilter;
#[cfg(test)]
pub use operator_action::stored as stored_action;
pub use operator_action::{ActionBacklog, StoredAction};
pub use outbox_event::{OutboxBacklog, OutboxRow};
pub use payment::{DuePlace, ListFilter};
pub use refund::RefundFilter;

use super::connection::Transaction;
use super::error::DatabaseError;
use super::table::Table;
use super::write::BatchWriter;
use crate::domain::Timestamp;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        /// Their names.
        pub const NAMES: &[&str] = &[$(<entities::$table::Entity as Table>::NAME),*];

        /// Fills the unit of work with the rows of the read set that exist: at most a query for each table.
        pub async fn load(
            tx: &Transaction,
            read_set: &ReadSet,
            unit: &mut UnitOfWork<'_>,
        ) -> Result<(), DatabaseError> {
            $(entities::$table::Entity::load(tx, read_set, unit).await?;)*
            Ok(())
        }

        /// Deletes the rows that the decisions have removed. Returns how many those were.
        pub async fn remove(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
            let mut removed = 0_u64;
            $(removed = removed.saturating_add(entities::$table::Entity::remove(tx, unit).await?);)*
            Ok(removed)
        }

        /// Writes the rows that the decisions have made or changed.
        pub async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
            $(entities::$table::Entity::write(batch, unit).await?;)*
            Ok(())
        }
    };
}

// In this order rows are locked and written by every batch, so that no two batches wait for each other in a circle.
tables![
    idempotency_key,
    unique_reference,
    payment,
    merchant_reference,
    timeline_page,
    refund,
    waiting_refund,
    settlement_request,
    refund_request,
    dead_letter,
    account_balance,
    processed_event,
    ledger_entry,
    operator_action,
    outbox_event,
];

/// Deletes events published before `published_before`, and keys that have expired by `now`: at most `limit` of each.
/// Returns how many rows went.
pub async fn prune(
    tx: &Transaction,
    published_before: Timestamp,
    now: Timestamp,
    limit: u64,
) -> Result<u64, DatabaseError> {
    let events = outbox_event::prune(tx, published_before, limit).await?;
    Ok(events.saturating_add(idempotency_key::prune(tx, now, limit).await?))
}
