//! Writes a decided book: one multi-row statement a table, in key order, each row guarded by the version that was read.

use sea_orm::sea_query::{Alias, Expr, Func, Iden, IntoIden, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Insert, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryTrait,
};

use entities::{account_balance, idempotency_key, outbox_event, payment, refund, refund_request, settlement_request};

use super::error::DatabaseError;
use super::rows;
use crate::domain::Timestamp;
use crate::domain::book::Book;
use crate::domain::request::Task;
use crate::infra::sqlite::even_chunks;

/// Writes everything that the book's decisions have changed. A row that somebody else has written since it was read
/// makes the whole of it a [`DatabaseError::Conflict`]: roll back, read again, decide again.
pub async fn write(tx: &DatabaseTransaction, book: &Book<'_>) -> Result<(), DatabaseError> {
    let (anew, claims): (Vec<_>, Vec<_>) =
        book.claims.written_rows().partition(|(_, claim)| claim.version > 0 && claim.created_at == book.now);
    save(tx, claims.into_iter().map(|(_, claim)| (claim.version, rows::claim_row(claim))), CLAIM).await?;
    save(tx, anew.into_iter().map(|(_, claim)| (claim.version, rows::claim_row(claim))), CLAIM_ANEW).await?;
    remove_claims(tx, book).await?;
    let payments = book.payments.written_rows().map(|(_, row)| (row.version, rows::payment_row(row)));
    save(tx, payments, PAYMENT).await?;
    let refunds = book.refunds.written_rows().map(|(_, row)| (row.version, rows::refund_row(row)));
    save(tx, refunds, REFUND).await?;
    let settlements = book.settlements.written_rows().map(|(_, row)| (row.version, rows::settlement_row(row)));
    save(tx, settlements, SETTLEMENT).await?;
    let refund_requests = book.refund_requests.written_rows().filter_map(|(_, row)| match row.task {
        Task::Refund(refund_id) => Some((row.version, rows::refund_request_row(row, refund_id))),
        Task::Capture | Task::Void => None,
    });
    save(tx, refund_requests, REFUND_REQUEST).await?;
    let balances = book.balances.written_rows().map(|(key, row)| (row.version, rows::balance_row(key, row)));
    save(tx, balances, BALANCE).await?;
    let processed = book.processed.written_rows();
    insert(tx, processed.map(|((consumer, event), at)| rows::processed_row(*consumer, *event, *at)).collect()).await?;
    insert(tx, book.entries.iter().map(rows::ledger_entry_row).collect()).await?;
    insert(tx, book.dead_letters.iter().map(rows::dead_letter_row).collect()).await?;
    insert(tx, book.events.iter().map(rows::event_row).collect()).await?;
    mark_published(tx, &book.published, book.now.0).await
}

/// Frees the keys of what was let go.
async fn remove_claims(tx: &DatabaseTransaction, book: &Book<'_>) -> Result<(), DatabaseError> {
    let scopes: Vec<Vec<u8>> = book.claims.removed_rows().map(|(scope, _)| scope.0.to_vec()).collect();
    if scopes.is_empty() {
        return Ok(());
    }
    idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::Scope.is_in(scopes))
        .filter(idempotency_key::Column::Outcome.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

async fn insert<A>(tx: &DatabaseTransaction, rows: Vec<A>) -> Result<(), DatabaseError>
where
    A: ActiveModelTrait + Clone,
{
    for chunk in even_chunks(&rows) {
        let statement = Insert::many(chunk.iter().cloned()).into_query();
        tx.execute(tx.get_database_backend().build(&statement)).await?;
    }
    Ok(())
}

// The columns in which a stored row may change, `version` last: MariaDB sets columns from left to right and reads what it
// has set. The others are as they were written first; naming them would cost their indexes a rewrite.

const PAYMENT: &[payment::Column] = {
    use payment::Column::*;
    &[
        Status,
        Authorized,
        CapturePending,
        Captured,
        RefundPending,
        Refunded,
        PspReference,
        Reason,
        UpdatedAt,
        CaptureBefore,
        DueAt,
        Attempts,
        Timeline,
        Version,
    ]
};

const REFUND: &[refund::Column] = {
    use refund::Column::*;
    &[Status, PspReference, Failure, UpdatedAt, Version]
};

const SETTLEMENT: &[settlement_request::Column] = {
    use settlement_request::Column::*;
    &[Status, Attempts, Unsure, DueAt, LastError, UpdatedAt, Version]
};

const REFUND_REQUEST: &[refund_request::Column] = {
    use refund_request::Column::*;
    &[Status, Attempts, Unsure, DueAt, LastError, UpdatedAt, Version]
};

const BALANCE: &[account_balance::Column] = {
    use account_balance::Column::*;
    &[Debits, Credits, Version]
};

/// A claim gets its answer.
const CLAIM: &[idempotency_key::Column] = {
    use idempotency_key::Column::*;
    &[Outcome, FinishedAt, Version]
};

/// A claim whose time has passed is taken for another request.
const CLAIM_ANEW: &[idempotency_key::Column] = {
    use idempotency_key::Column::*;
    &[PaymentId, Fingerprint, Outcome, CreatedAt, FinishedAt, ExpiresAt, Version]
};

/// Writes rows, new ones and changed ones, each with the version that was read (0 for a new one) and as it is to be: one
/// above. One statement for many rows: an insert whose conflict is an update, which applies only to the version before.
async fn save<A>(
    tx: &DatabaseTransaction,
    rows: impl Iterator<Item = (i64, A)>,
    mutable: &[<A::Entity as EntityTrait>::Column],
) -> Result<(), DatabaseError>
where
    A: ActiveModelTrait + Clone,
{
    let backend = tx.get_database_backend();
    let rows: Vec<(i64, A)> = rows.collect();
    for chunk in even_chunks(&rows) {
        let mut statement = Insert::many(chunk.iter().map(|(_, row)| row.clone())).into_query();
        statement.on_conflict(overwrite::<A::Entity>(backend, mutable));
        let result = tx.execute(backend.build(&statement)).await?;
        // MariaDB counts a row that it updates as two, SQLite as one; a row that the guard leaves alone counts as none.
        let per_update = if backend == DbBackend::MySql { 2 } else { 1 };
        let expected: u64 = chunk.iter().map(|(version, _)| if *version == 0 { 1 } else { per_update }).sum();
        if result.rows_affected() != expected {
            return Err(DatabaseError::Conflict);
        }
    }
    Ok(())
}

fn overwrite<E: EntityTrait>(backend: DbBackend, mutable: &[E::Column]) -> OnConflict {
    let table = Alias::new(E::default().table_name());
    let stored = |column: &str| Expr::col((table.clone(), Alias::new(column)));
    let keys = E::PrimaryKey::iter().map(|key| key.into_column().into_iden());
    let mut conflict = OnConflict::columns(keys);
    if backend == DbBackend::MySql {
        let offered = |column: &str| Expr::cust(format!("VALUES(`{column}`)"));
        for column in mutable {
            let choice = Func::cust(Alias::new("IF"))
                .arg(stored("version").eq(offered("version").sub(1)))
                .arg(offered(&name(column)))
                .arg(stored(&name(column)));
            conflict.value(*column, choice);
        }
    } else {
        let offered = Expr::col((Alias::new("excluded"), Alias::new("version")));
        conflict.update_columns(mutable.iter().copied()).action_and_where(stored("version").eq(offered.sub(1)));
    }
    conflict
}

fn name(column: &impl Iden) -> String {
    column.to_string()
}

/// Marks events as published, in one statement a chunk.
async fn mark_published(tx: &DatabaseTransaction, seqs: &[i64], now_ms: i64) -> Result<(), DatabaseError> {
    for chunk in even_chunks(seqs) {
        outbox_event::Entity::update_many()
            .col_expr(outbox_event::Column::PublishedAt, Expr::value(now_ms))
            .filter(outbox_event::Column::Seq.is_in(chunk.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Deletes what is past its time; see [`super::ShardDatabase::prune`].
pub async fn prune(
    db: &impl ConnectionTrait,
    published_before: Timestamp,
    now: Timestamp,
    limit: u64,
) -> Result<u64, DatabaseError> {
    use sea_orm::{QueryOrder, QuerySelect};
    let seqs: Vec<i64> = outbox_event::Entity::find()
        .select_only()
        .column(outbox_event::Column::Seq)
        .filter(outbox_event::Column::PublishedAt.lt(published_before.0))
        .order_by_asc(outbox_event::Column::PublishedAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    let scopes: Vec<Vec<u8>> = idempotency_key::Entity::find()
        .select_only()
        .column(idempotency_key::Column::Scope)
        .filter(idempotency_key::Column::ExpiresAt.lte(now.0))
        .filter(idempotency_key::Column::Outcome.is_not_null())
        .order_by_asc(idempotency_key::Column::ExpiresAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    let mut deleted = 0;
    for chunk in even_chunks(&seqs) {
        let delete = outbox_event::Entity::delete_many().filter(outbox_event::Column::Seq.is_in(chunk.iter().copied()));
        deleted += delete.exec(db).await?.rows_affected;
    }
    for chunk in even_chunks(&scopes) {
        let delete =
            idempotency_key::Entity::delete_many().filter(idempotency_key::Column::Scope.is_in(chunk.to_vec()));
        deleted += delete.exec(db).await?.rows_affected;
    }
    Ok(deleted)
}
