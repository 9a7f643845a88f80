//! A shard in memory, for the simulation: the tables' keys and versions hold as they do in a database, and every call
//! asks a fate what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::DbErr;
use tokio::time::Instant;

use super::{DatabaseError, DuePlace, OutboxBacklog, OutboxRow};
use crate::domain::book::{Book, Needs, Shelf};
use crate::domain::dead_letter::KeptLetter;
use crate::domain::event::{Consumer, DeadLetterTopic};
use crate::domain::idempotency::{Claim, Scope};
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::payment::Payment;
use crate::domain::planted::{Bug, is_planted};
use crate::domain::refund::Refund;
use crate::domain::request::PspRequest;
use crate::domain::{EventId, LetterId, PaymentId, RefundId, Timestamp};
use crate::infra::testing::{Fate, Fated, dead};

/// The tables.
#[derive(Debug, Default, Clone)]
pub struct Tables {
    pub payments: BTreeMap<PaymentId, Payment>,
    pub refunds: BTreeMap<RefundId, Refund>,
    pub claims: BTreeMap<Scope, Claim>,
    pub settlements: BTreeMap<EventId, PspRequest>,
    pub refund_requests: BTreeMap<EventId, PspRequest>,
    pub balances: BTreeMap<BalanceKey, Balance>,
    pub processed: BTreeSet<(Consumer, EventId)>,
    pub entries: Vec<LedgerEntry>,
    pub outbox: Vec<OutboxRow>,
    pub letters: BTreeMap<LetterId, KeptLetter>,
    /// With answers given before their commit: the tables as they were before each write of late.
    undo: Vec<(Instant, Arc<Tables>)>,
}

/// What a crash takes with it of what was answered before its commit.
const NOT_YET_DURABLE: Duration = Duration::from_millis(100);

impl Tables {
    /// What is left after a crash: everything, unless somebody has planted otherwise.
    pub fn crash(&mut self) {
        let recent = std::mem::take(&mut self.undo).into_iter().find(|(at, _)| at.elapsed() < NOT_YET_DURABLE);
        if let Some((_, before)) = recent {
            *self = Self::clone(&before);
        }
    }
}

/// The tables as one process reaches them.
#[derive(Debug, Clone)]
pub struct Memory {
    pub tables: Arc<Mutex<Tables>>,
    pub fate: Arc<dyn Fate>,
}

macro_rules! load {
    ($tables:ident, $book:ident, $needs:ident: $($table:ident),*) => {$(
        for key in &$needs.$table {
            if let Some(row) = $tables.$table.get(key) {
                $book.$table.load(key.clone(), row.clone());
            }
        }
    )*};
}

macro_rules! save {
    ($tables:ident, $book:ident: $($table:ident),*) => {$(
        for (key, row) in $book.$table.written_rows() {
            if $tables.$table.get(key).map_or(0, |stored| stored.version) != row.version {
                return Err(DatabaseError::Conflict);
            }
            let mut row = row.clone();
            row.version += 1;
            $tables.$table.insert(key.clone(), row);
        }
    )*};
}

impl Memory {
    fn unavailable(when: &str) -> DatabaseError {
        DatabaseError::Unavailable(DbErr::Custom(format!("fate: {when}")))
    }

    /// What becomes of a read.
    async fn reading(&self) -> Result<Tables, DatabaseError> {
        match self.fate.of("read").await {
            Fated::Well => Ok(self.tables.lock().clone()),
            Fated::FailBefore | Fated::FailAfter => Err(Self::unavailable("read")),
            Fated::DieAfter => dead().await,
        }
    }

    pub async fn batch<'a, T>(
        &self,
        needs: &Needs,
        mut book: Book<'a>,
        decide: impl FnOnce(&mut Book<'a>) -> T,
    ) -> Result<(T, Book<'a>), DatabaseError> {
        let fated = self.fate.of("batch").await;
        if matches!(fated, Fated::FailBefore) {
            return Err(Self::unavailable("batch"));
        }
        let decided = {
            let mut tables = self.tables.lock();
            load!(tables, book, needs: payments, refunds, claims, settlements, refund_requests, balances, letters);
            for key in needs.processed.iter().filter(|key| tables.processed.contains(key)) {
                book.processed.load(*key, Timestamp(0));
            }
            let decided = decide(&mut book);
            let mut written = tables.clone();
            write(&mut written, &book)?;
            if is_planted(Bug::AnswerBeforeCommit) {
                let before = Tables { undo: Vec::new(), ..tables.clone() };
                written.undo.push((Instant::now(), Arc::new(before)));
            }
            *tables = written;
            decided
        };
        match fated {
            Fated::Well => Ok((decided, book)),
            // The commit's answer is lost, and so is the table's, by which it could be found out.
            Fated::FailAfter => Err(DatabaseError::InDoubt(Box::new(Self::unavailable("commit")))),
            _ => dead().await,
        }
    }

    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, DatabaseError> {
        Ok(self.reading().await?.payments.get(&id).cloned())
    }

    pub async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DatabaseError> {
        let tables = self.reading().await?;
        let ids: BTreeSet<_> = ids.iter().collect();
        Ok(ids.into_iter().filter_map(|id| tables.payments.get(id).cloned()).collect())
    }

    pub async fn unpublished(&self, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        let tables = self.reading().await?;
        let waiting = tables.outbox.into_iter().filter(|row| row.published_at.is_none());
        Ok(waiting.take(limit as usize).collect())
    }

    pub async fn outbox_backlog(&self) -> Result<OutboxBacklog, DatabaseError> {
        let waiting = self.unpublished(u64::from(u32::MAX)).await?;
        let oldest = waiting.iter().map(|row| Timestamp(row.occurred_at)).min();
        Ok(OutboxBacklog { pending: waiting.len() as u64, oldest })
    }

    pub async fn requests(&self, ids: &[EventId], refunds: bool) -> Result<Vec<PspRequest>, DatabaseError> {
        let tables = self.reading().await?;
        let table = if refunds { tables.refund_requests } else { tables.settlements };
        Ok(ids.iter().filter_map(|id| table.get(id).cloned()).collect())
    }

    pub async fn requests_due(
        &self,
        now: Timestamp,
        refunds: bool,
        limit: u64,
    ) -> Result<Vec<PspRequest>, DatabaseError> {
        let tables = self.reading().await?;
        let table = if refunds { tables.refund_requests } else { tables.settlements };
        Ok(due(table.into_values(), |request| request.due_at, now, limit))
    }

    pub async fn payments_due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: u64,
    ) -> Result<Vec<Payment>, DatabaseError> {
        let is_behind = |payment: &Payment| payment.due_at.map(|due_at| (due_at, payment.id)) > after;
        let payments = self.reading().await?.payments.into_values().filter(is_behind);
        Ok(due(payments, |payment| payment.due_at, now, limit))
    }

    pub async fn claims(&self, scopes: &[Scope]) -> Result<Vec<Claim>, DatabaseError> {
        let tables = self.reading().await?;
        Ok(scopes.iter().filter_map(|scope| tables.claims.get(scope).cloned()).collect())
    }

    pub async fn dead_letters_due(
        &self,
        topic: DeadLetterTopic,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<KeptLetter>, DatabaseError> {
        let letters = self.reading().await?.letters.into_values().filter(|kept| kept.letter.topic == topic);
        Ok(due(letters, |kept| kept.due_at, now, limit))
    }
}

fn due<T>(
    rows: impl Iterator<Item = T>,
    due_at: impl Fn(&T) -> Option<Timestamp>,
    now: Timestamp,
    limit: u64,
) -> Vec<T> {
    let mut due: Vec<T> = rows.filter(|row| due_at(row).is_some_and(|time| time <= now)).collect();
    due.sort_by_key(|row| due_at(row));
    due.truncate(limit as usize);
    due
}

/// Writes what the book has decided: all of it, or nothing.
fn write(tables: &mut Tables, book: &Book<'_>) -> Result<(), DatabaseError> {
    for (scope, claim) in book.claims.removed_rows() {
        if tables.claims.get(scope).is_some_and(|stored| stored.version == claim.version) {
            tables.claims.remove(scope);
        }
    }
    for (id, payment) in book.payments.removed_rows() {
        if tables.payments.get(id).is_none_or(|stored| stored.version != payment.version) {
            return Err(DatabaseError::Conflict);
        }
        tables.payments.remove(id);
    }
    save!(tables, book: claims, payments, refunds, settlements, refund_requests, balances, letters);
    insert_processed(tables, &book.processed)?;
    for entry in &book.entries {
        let is_known = tables.entries.iter().any(|known| known.event_id == entry.event_id);
        if is_known && !is_planted(Bug::MissingDedupe) {
            return Err(DatabaseError::Conflict);
        }
        tables.entries.push(entry.clone());
    }
    for event in &book.events {
        if tables.outbox.iter().any(|known| known.event_id == event.id.get()) {
            return Err(DatabaseError::Conflict);
        }
        tables.outbox.push(OutboxRow {
            seq: tables.outbox.len() as i64 + 1,
            event_id: event.id.get(),
            payment_id: event.payment_id.get(),
            topic: event.topic.to_owned(),
            payload: event.payload.clone(),
            traceparent: event.trace.to_string(),
            occurred_at: event.occurred_at.0,
            published_at: None,
        });
    }
    for row in tables.outbox.iter_mut().filter(|row| book.published.contains(&row.seq)) {
        row.published_at = Some(book.now.0);
    }
    Ok(())
}

fn insert_processed(
    tables: &mut Tables,
    processed: &Shelf<(Consumer, EventId), Timestamp>,
) -> Result<(), DatabaseError> {
    for (key, _) in processed.written_rows() {
        if !tables.processed.insert(*key) && !is_planted(Bug::MissingDedupe) {
            return Err(DatabaseError::Conflict);
        }
    }
    Ok(())
}
