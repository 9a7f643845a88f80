//! Writes a decided unit of work: one multi-row statement a table, in key order, each row guarded by the version that was read.

use sea_orm::sea_query::{Alias, Expr, Func, Iden, IntoIden, OnConflict, Values};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, Iterable, PrimaryKeyToColumn,
    QueryFilter, QueryTrait, Statement,
};

use entities::{
    account_balance, dead_letter, idempotency_key, outbox_event, payment, refund, refund_request, settlement_request,
};

use super::connection::Transaction;
use super::error::DatabaseError;
use super::script::Script;
use super::statements::{Statements, values};
use super::{letters, rows};
use crate::domain::Timestamp;
use crate::domain::request::Task;
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::sqlite::{even_chunks, even_sizes};

/// Writes everything that the unit of work's decisions have changed. A row that somebody else has written since it was read
/// makes the whole of it a [`DatabaseError::Conflict`]: roll back, read again, decide again. No statement is longer
/// than `packet_max`. Returns how many rows were written.
pub async fn write(
    tx: &Transaction,
    statements: &Statements,
    packet_max: usize,
    unit: &UnitOfWork<'_>,
) -> Result<u64, DatabaseError> {
    let removed = remove_claims(tx, unit).await?.saturating_add(remove_payments(tx, unit).await?);
    let mut writing = Writing::begin(tx, statements, packet_max);
    let (anew, claims): (Vec<_>, Vec<_>) = unit
        .idempotency_records
        .written_rows()
        .partition(|(_, claim)| claim.version > 0 && claim.created_at == unit.now);
    writing.save(claims.into_iter().map(|(_, claim)| (claim.version, rows::claim_row(claim))), CLAIM).await?;
    writing.save(anew.into_iter().map(|(_, claim)| (claim.version, rows::claim_row(claim))), CLAIM_ANEW).await?;
    let payments = unit.payments.written_rows().map(|(_, row)| (row.version, rows::payment_row(row)));
    writing.save(payments, PAYMENT).await?;
    let pages = unit.timeline_pages.iter();
    writing.insert(pages.map(|(payment_id, page)| rows::timeline_page_row(*payment_id, page))).await?;
    let refunds = unit.refunds.written_rows().map(|(_, row)| (row.version, rows::refund_row(row)));
    writing.save(refunds, REFUND).await?;
    let settlements = unit.settlements.written_rows().map(|(_, row)| (row.version, rows::settlement_row(row)));
    writing.save(settlements, SETTLEMENT).await?;
    let refund_requests = unit.refund_requests.written_rows().filter_map(|(_, row)| match row.task {
        Task::Refund(refund_id) => Some((row.version, rows::refund_request_row(row, refund_id))),
        Task::Capture(_) | Task::Void => None,
    });
    writing.save(refund_requests, REFUND_REQUEST).await?;
    let balances = unit.balances.written_rows().map(|(key, row)| (row.version, rows::balance_row(key, row)));
    writing.save(balances, BALANCE).await?;
    let processed = unit.processed.written_rows();
    writing.insert(processed.map(|((consumer, event), at)| rows::processed_row(*consumer, *event, *at))).await?;
    writing.insert(unit.entries.iter().map(rows::ledger_entry_row)).await?;
    let letters = unit.letters.written_rows().map(|(_, kept)| (kept.version, letters::letter_row(kept)));
    writing.save(letters, DEAD_LETTER).await?;
    writing.insert(unit.actions.iter().map(letters::action_row)).await?;
    writing.insert(unit.events.iter().map(rows::event_row)).await?;
    writing.mark_published(&unit.published, unit.now).await?;
    Ok(removed.saturating_add(writing.end().await?))
}

/// Frees the keys of what was let go.
async fn remove_claims(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
    let key_hashes: Vec<Vec<u8>> = unit.idempotency_records.removed_rows().map(|(scope, _)| scope.0.to_vec()).collect();
    if key_hashes.is_empty() {
        return Ok(0);
    }
    let removed = idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::Scope.is_in(key_hashes))
        .filter(idempotency_key::Column::Outcome.is_null())
        .exec(tx)
        .await?;
    Ok(removed.rows_affected)
}

/// Takes away payments of which nothing was sent, as they were read: one that somebody else has written since stays,
/// and is a conflict.
async fn remove_payments(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
    use payment::Column::{Id, Version};
    let removed: Vec<_> = unit.payments.removed_rows().collect();
    for chunk in even_chunks(&removed) {
        let as_read = chunk
            .iter()
            .fold(Condition::any(), |any, (id, payment)| any.add(Id.eq(id.get()).and(Version.eq(payment.version))));
        let deleted = payment::Entity::delete_many().filter(as_read).exec(tx).await?;
        if deleted.rows_affected != chunk.len() as u64 {
            return Err(DatabaseError::Conflict);
        }
    }
    Ok(removed.len() as u64)
}

/// What is changed and the columns in which a stored row may change, `version` last: MariaDB sets columns from left to
/// right and reads what it has set. The others are as they were written first; naming them would cost their indexes a
/// rewrite.
type Mutable<C> = (&'static str, &'static [C]);

const PAYMENT: Mutable<payment::Column> = ("change", {
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
        CapturedEvent,
        Refunds,
        RefundsWaiting,
        Version,
    ]
});

const REFUND: Mutable<refund::Column> = ("change", {
    use refund::Column::*;
    &[Status, PspReference, Failure, RefundedEvent, UpdatedAt, Version]
});

const SETTLEMENT: Mutable<settlement_request::Column> = ("change", {
    use settlement_request::Column::*;
    &[Status, Attempts, Unsure, DueAt, LastError, UpdatedAt, Version]
});

const REFUND_REQUEST: Mutable<refund_request::Column> = ("change", {
    use refund_request::Column::*;
    &[Status, Attempts, Unsure, DueAt, LastError, UpdatedAt, Version]
});

const BALANCE: Mutable<account_balance::Column> = ("change", {
    use account_balance::Column::*;
    &[Debits, Credits, Version]
});

const DEAD_LETTER: Mutable<dead_letter::Column> = ("change", {
    use dead_letter::Column::*;
    &[
        SourceTopic,
        SourcePartition,
        SourceOffset,
        Payload,
        ErrorType,
        ErrorMessage,
        RetryCount,
        LastFailedAt,
        TraceId,
        Status,
        Matter,
        OccurredAt,
        Traceparent,
        Redrives,
        DueAt,
        Note,
        Version,
    ]
});

/// A claim gets its answer.
const CLAIM: Mutable<idempotency_key::Column> = ("answer", {
    use idempotency_key::Column::*;
    &[Outcome, FinishedAt, Version]
});

/// A claim whose time has passed is taken for another request.
const CLAIM_ANEW: Mutable<idempotency_key::Column> = ("claim anew", {
    use idempotency_key::Column::*;
    &[PaymentId, Fingerprint, Outcome, CreatedAt, FinishedAt, ExpiresAt, Version]
});

/// What a batch writes with: statements that run one by one on SQLite, and all together on MariaDB, where a round trip
/// costs more than a statement.
struct Writing<'a> {
    tx: &'a Transaction,
    statements: &'a Statements,
    /// MariaDB's.
    script: Option<Script>,
    /// Rows that the database will say it wrote if nobody else has changed one of them, and those that it has.
    expected: u64,
    written: u64,
}

impl<'a> Writing<'a> {
    fn begin(tx: &'a Transaction, statements: &'a Statements, packet_max: usize) -> Self {
        let script = (tx.get_database_backend() == DbBackend::MySql).then(|| Script::new(packet_max));
        Self { tx, statements, script, expected: 0, written: 0 }
    }

    async fn insert<A: ActiveModelTrait>(&mut self, rows: impl Iterator<Item = A>) -> Result<(), DatabaseError> {
        self.put(rows.collect(), 1, "insert", || None).await
    }

    /// Writes rows, new ones and changed ones, each with the version that was read (0 for a new one) and as it is to
    /// be: one above. One statement for many rows: an insert whose conflict is an update, which applies only to the
    /// version before.
    async fn save<A: ActiveModelTrait>(
        &mut self,
        rows: impl Iterator<Item = (i64, A)>,
        (purpose, mutable): Mutable<<A::Entity as EntityTrait>::Column>,
    ) -> Result<(), DatabaseError> {
        let backend = self.tx.get_database_backend();
        // MariaDB counts a row that the guard leaves alone as one, as if it were inserted; so there what is new has a
        // statement of its own, in which a row that is there is an error.
        let is_apart = backend == DbBackend::MySql;
        let (new, changed): (Vec<_>, Vec<_>) = rows.partition(|(version, _)| is_apart && *version == 0);
        self.insert(new.into_iter().map(|(_, row)| row)).await?;
        let changed = changed.into_iter().map(|(_, row)| row).collect();
        // It counts a row that it updates as two, SQLite as one.
        let each = if is_apart { 2 } else { 1 };
        self.put(changed, each, purpose, || Some(overwrite::<A::Entity>(backend, mutable))).await
    }

    /// Writes rows each of which counts so many times if it is written.
    async fn put<A: ActiveModelTrait>(
        &mut self,
        rows: Vec<A>,
        each: u64,
        purpose: &'static str,
        conflict: impl Fn() -> Option<OnConflict>,
    ) -> Result<(), DatabaseError> {
        self.expected += rows.len() as u64 * each;
        let sizes = even_sizes(rows.len());
        let mut rows = rows.into_iter().peekable();
        for size in sizes {
            let Some(first) = rows.peek() else { break };
            let backend = self.tx.get_database_backend();
            let text = |rows| self.statements.text(backend, first, rows, purpose, &conflict);
            if let Some(script) = &mut self.script {
                let text = text(1);
                let mut waiting = rows.by_ref().take(size).map(values).peekable();
                while waiting.peek().is_some() {
                    script.insert(&text, &mut waiting)?;
                    if script.is_long() || waiting.peek().is_some() {
                        self.written += script.send(self.tx).await?;
                    }
                }
            } else {
                let sql = text(size);
                let bound = Some(Values(rows.by_ref().take(size).flat_map(values).collect()));
                let statement = Statement { sql, values: bound, db_backend: backend };
                self.written += self.tx.execute(statement).await?.rows_affected();
            }
        }
        Ok(())
    }

    /// Marks events as published.
    async fn mark_published(&mut self, seqs: &[i64], now: Timestamp) -> Result<(), DatabaseError> {
        self.expected += seqs.len() as u64;
        for chunk in even_chunks(seqs) {
            let marks = outbox_event::Entity::update_many()
                .col_expr(outbox_event::Column::PublishedAt, Expr::value(now.0))
                .filter(outbox_event::Column::Seq.is_in(chunk.iter().copied()));
            match &mut self.script {
                Some(script) => {
                    script.add(&marks.build(DbBackend::MySql).to_string());
                    if script.is_long() {
                        self.written += script.send(self.tx).await?;
                    }
                }
                None => self.written += marks.exec(self.tx).await?.rows_affected,
            }
        }
        Ok(())
    }

    /// Sends what waits, and finds out whether all of it was written. A row that was not makes for fewer, never for
    /// more.
    async fn end(mut self) -> Result<u64, DatabaseError> {
        if let Some(script) = &mut self.script {
            self.written += script.send(self.tx).await?;
        }
        if self.written == self.expected { Ok(self.written) } else { Err(DatabaseError::Conflict) }
    }
}

fn overwrite<E: EntityTrait>(backend: DbBackend, mutable: &[E::Column]) -> OnConflict {
    let table = Alias::new(E::default().table_name());
    let stored = |column: &str| Expr::col((table.clone(), Alias::new(column)));
    // Written out: the values of a statement are those of its rows.
    let one = || Expr::cust("1");
    let keys = E::PrimaryKey::iter().map(|key| key.into_column().into_iden());
    let mut conflict = OnConflict::columns(keys);
    if backend == DbBackend::MySql {
        let offered = |column: &str| Expr::cust(format!("VALUES(`{column}`)"));
        for column in mutable {
            let choice = Func::cust(Alias::new("IF"))
                .arg(stored("version").eq(offered("version").sub(one())))
                .arg(offered(&name(column)))
                .arg(stored(&name(column)));
            conflict.value(*column, choice);
        }
    } else {
        let offered = Expr::col((Alias::new("excluded"), Alias::new("version")));
        conflict.update_columns(mutable.iter().copied()).action_and_where(stored("version").eq(offered.sub(one())));
    }
    conflict
}

fn name(column: &impl Iden) -> String {
    column.to_string()
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
    let key_hashes: Vec<Vec<u8>> = idempotency_key::Entity::find()
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
    for chunk in even_chunks(&key_hashes) {
        let delete =
            idempotency_key::Entity::delete_many().filter(idempotency_key::Column::Scope.is_in(chunk.to_vec()));
        deleted += delete.exec(db).await?.rows_affected;
    }
    Ok(deleted)
}
