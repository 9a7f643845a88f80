//! A shard in memory, for the simulation and the tests of HTTP: the tables' keys and versions hold as they do in a
//! database, and every call asks a fate what becomes of it. Writing goes through one connection at a time, as on
//! SQLite; a COMMIT may fail, and on a full disk the ROLLBACK after it fails too.

mod look_ups;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::sqlx::error::{DatabaseError as SqlxDatabaseError, ErrorKind};
use sea_orm::{DbErr, RuntimeErr, sqlx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::commit::{Begins, Begun};
use super::tables::stored_action;
use super::witness::Witness;
use super::{ActionBacklog, DatabaseError, DuePlace, OutboxBacklog, OutboxRow, StoredAction};
use crate::domain::dead_letter::StoredDeadLetter;
use crate::domain::event::{Consumer, DeadLetterTopic};
use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::payment::Payment;
use crate::domain::planted::{Bug, is_planted};
use crate::domain::reference::{ReferenceKey, ReferenceUse};
use crate::domain::refund::Refund;
use crate::domain::request::PspRequest;
use crate::domain::timeline::TimelinePage;
use crate::domain::unit_of_work::{ReadSet, RowSet, UnitOfWork};
use crate::domain::{EventId, LetterId, PaymentId, RefundId, Timestamp};
use crate::infra::testing::{FaultDecision, FaultPlan, dead};

/// The tables.
#[derive(Debug, Default, Clone)]
pub struct Tables {
    pub payments: BTreeMap<PaymentId, Payment>,
    pub refunds: BTreeMap<RefundId, Refund>,
    pub idempotency_records: BTreeMap<KeyHash, IdempotencyRecord>,
    pub settlements: BTreeMap<EventId, PspRequest>,
    pub refund_requests: BTreeMap<EventId, PspRequest>,
    pub balances: BTreeMap<BalanceKey, Balance>,
    pub processed: BTreeSet<(Consumer, EventId)>,
    pub entries: Vec<LedgerEntry>,
    pub timeline_pages: BTreeMap<(PaymentId, u32), TimelinePage>,
    pub outbox: Vec<OutboxRow>,
    pub letters: BTreeMap<LetterId, StoredDeadLetter>,
    /// References that were given as unique ones: to which payment.
    pub references: BTreeMap<ReferenceKey, ReferenceUse>,
    /// Actions of operators that wait to be moved.
    pub actions: BTreeMap<i64, StoredAction>,
    /// With answers given before their commit: the tables as they were before each write of late.
    undo: Vec<(Instant, Arc<Tables>)>,
    trouble: Trouble,
}

/// What is wrong with the disk and the way to it. It outlives processes.
#[derive(Debug, Default, Clone, Copy)]
struct Trouble {
    full_until: Option<Instant>,
    cut_off_until: Option<Instant>,
}

impl Trouble {
    fn is_full(&self) -> bool {
        self.full_until.is_some_and(|end| Instant::now() < end)
    }

    fn is_cut_off(&self) -> bool {
        self.cut_off_until.is_some_and(|end| Instant::now() < end)
    }
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
    tables: Arc<Mutex<Tables>>,
    fate: Arc<dyn FaultPlan>,
    writer: Arc<Writer>,
}

/// The process's one place for a connection that writes.
#[derive(Debug)]
struct Writer {
    place: Arc<Semaphore>,
    /// The connection that rests there, if one does.
    idle: Mutex<Option<Connection>>,
}

#[derive(Debug, Default)]
struct Connection {
    /// What it sees of a transaction that nobody has ended: such a connection is to be closed, not to rest.
    open: Option<Tables>,
}

/// A transaction, and with it the connection.
pub struct Transaction {
    memory: Memory,
    /// The tables with what it has written.
    seen: Tables,
    /// Of a transaction within another one that never ended: what that one has left.
    outer: Option<Tables>,
    _place: OwnedSemaphorePermit,
}

/// SQLite's answer on a full disk.
#[derive(Debug, thiserror::Error)]
#[error("database or disk is full")]
struct Full;

impl SqlxDatabaseError for Full {
    fn message(&self) -> &str {
        "database or disk is full"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("13"))
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

macro_rules! load {
    ($tables:ident, $unit:ident, $read_set:ident: $($table:ident),*) => {$(
        for key in &$read_set.$table {
            if let Some(row) = $tables.$table.get(key) {
                $unit.$table.load(key.clone(), row.clone());
            }
        }
    )*};
}

macro_rules! save {
    ($tables:ident, $unit:ident: $($table:ident),*) => {$(
        for (key, row) in $unit.$table.written_rows() {
            if $tables.$table.get(key).map_or(0, |stored| stored.version) != row.version {
                return Err(DatabaseError::Conflict);
            }
            let mut row = row.clone();
            row.version += 1;
            $tables.$table.insert(key.clone(), row);
        }
    )*};
}

fn cut_off(when: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("fate: {when}")))
}

fn full() -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(sqlx::Error::Database(Box::new(Full))))
}

impl Begins for Memory {
    type Begun = Transaction;

    async fn begin(&self) -> Result<Transaction, DbErr> {
        // invariant: nobody closes the semaphore.
        let place = self.writer.place.clone().acquire_owned().await.unwrap();
        match self.fate.of("begin").await {
            FaultDecision::Well => {}
            FaultDecision::DieAfter => return dead().await,
            _ => return Err(cut_off("begin")),
        }
        let tables = self.tables.lock();
        if tables.trouble.is_cut_off() {
            return Err(cut_off("begin"));
        }
        let outer = self.writer.idle.lock().take().and_then(|connection| connection.open);
        let seen = outer.clone().unwrap_or_else(|| tables.clone());
        Ok(Transaction { memory: self.clone(), seen, outer, _place: place })
    }
}

impl Transaction {
    /// The connection rests until it is used again.
    fn give_back(&self, open: Option<Tables>) {
        *self.memory.writer.idle.lock() = Some(Connection { open });
    }

    /// What it has written is in the tables.
    fn keep(&self) {
        let mut tables = self.memory.tables.lock();
        let mut written = self.seen.clone();
        if is_planted(Bug::AnswerBeforeCommit) {
            let before = Tables { undo: Vec::new(), ..tables.clone() };
            written.undo.push((Instant::now(), Arc::new(before)));
        }
        written.trouble = tables.trouble;
        *tables = written;
    }

    /// COMMIT and ROLLBACK have failed. The connection is closed, unless somebody has planted otherwise.
    fn fail_full(self) -> DbErr {
        if is_planted(Bug::LookThroughFailedConnection) {
            self.give_back(Some(self.seen.clone()));
        }
        full()
    }
}

impl Begun for Transaction {
    async fn load(&mut self, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let tables = &self.seen;
        load!(tables, unit, read_set: payments, refunds, idempotency_records, settlements, refund_requests);
        load!(tables, unit, read_set: balances, letters);
        for key in &read_set.references {
            let holds = |payment: &&Payment| payment.holds_reference(&key.merchant_id, &key.reference);
            let payment_id = tables.payments.values().find(holds).map(|payment| payment.id);
            let version = tables.references.get(key).map_or(0, |stored| stored.version);
            unit.references.load(key.clone(), ReferenceUse { payment_id, version });
        }
        for key in read_set.processed.iter().filter(|key| tables.processed.contains(key)) {
            unit.processed.load(*key, Timestamp(0));
        }
        Ok(())
    }

    async fn write(&mut self, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let mut written = self.seen.clone();
        write(&mut written, unit)?;
        self.seen = written;
        // Nobody asks how many.
        Ok(1)
    }

    async fn write_probe(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn commit(self) -> Result<(), DbErr> {
        if self.outer.is_some() {
            // The end of a savepoint: the transaction around it is as open as before.
            self.give_back(Some(self.seen.clone()));
            return Ok(());
        }
        let fated = self.memory.fate.of("batch").await;
        if self.memory.tables.lock().trouble.is_full() {
            return Err(self.fail_full());
        }
        match fated {
            FaultDecision::Well => {
                self.keep();
                self.give_back(None);
                Ok(())
            }
            FaultDecision::FailBefore => Err(cut_off("commit")),
            FaultDecision::Full(lasts) => {
                self.memory.tables.lock().trouble.full_until = Some(Instant::now() + lasts);
                Err(self.fail_full())
            }
            FaultDecision::FailAfter => {
                self.keep();
                Err(cut_off("commit"))
            }
            FaultDecision::CutOff(lasts) => {
                self.keep();
                self.memory.tables.lock().trouble.cut_off_until = Some(Instant::now() + lasts);
                Err(cut_off("commit"))
            }
            FaultDecision::DieAfter => {
                self.keep();
                dead().await
            }
        }
    }

    async fn rollback(self) {
        match &self.outer {
            Some(outer) => self.give_back(Some(outer.clone())),
            // It fails on a full disk, and the connection is closed.
            None if self.memory.tables.lock().trouble.is_full() => {}
            None => self.give_back(None),
        }
    }

    async fn is_there(&mut self, witness: Witness) -> Result<bool, DatabaseError> {
        Ok(match witness {
            Witness::Event(id) => self.seen.outbox.iter().any(|row| row.event_id == id.get()),
            Witness::Payment(id) => self.seen.payments.contains_key(&id),
            Witness::Processed(who, event) => self.seen.processed.contains(&(who, event)),
        })
    }
}

impl Memory {
    pub fn new(tables: Arc<Mutex<Tables>>, fate: Arc<dyn FaultPlan>) -> Self {
        let writer = Writer { place: Arc::new(Semaphore::new(1)), idle: Mutex::default() };
        Self { tables, fate, writer: Arc::new(writer) }
    }

    /// What becomes of a read.
    async fn reading(&self) -> Result<Tables, DatabaseError> {
        match self.fate.of("read").await {
            FaultDecision::DieAfter => dead().await,
            FaultDecision::Well => {
                let tables = self.tables.lock();
                if tables.trouble.is_cut_off() { Err(cut_off("read").into()) } else { Ok(tables.clone()) }
            }
            _ => Err(cut_off("read").into()),
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

    pub async fn unpublished_after(&self, seq: i64, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        let tables = self.reading().await?;
        let waiting = tables.outbox.into_iter().filter(|row| row.published_at.is_none() && row.seq > seq);
        Ok(waiting.take(limit as usize).collect())
    }

    pub async fn unpublished_at(&self, seqs: &[i64]) -> Result<Vec<OutboxRow>, DatabaseError> {
        let tables = self.reading().await?;
        let waiting = tables.outbox.into_iter().filter(|row| row.published_at.is_none() && seqs.contains(&row.seq));
        Ok(waiting.collect())
    }

    pub async fn outbox_backlog(&self) -> Result<OutboxBacklog, DatabaseError> {
        let waiting = self.unpublished_after(0, u64::from(u32::MAX)).await?;
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

    pub async fn idempotency_records(&self, key_hashes: &[KeyHash]) -> Result<Vec<IdempotencyRecord>, DatabaseError> {
        let tables = self.reading().await?;
        Ok(key_hashes.iter().filter_map(|key_hash| tables.idempotency_records.get(key_hash).cloned()).collect())
    }

    pub async fn waiting_actions(&self, after: i64, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        let actions = self.reading().await?.actions;
        Ok(actions.into_values().filter(|action| action.id > after).take(limit as usize).collect())
    }

    pub async fn newest_actions(&self, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        let actions = self.reading().await?.actions;
        Ok(actions.into_values().rev().take(limit as usize).collect())
    }

    pub async fn action_backlog(&self) -> Result<ActionBacklog, DatabaseError> {
        let actions = self.reading().await?.actions;
        let oldest = actions.values().map(|action| Timestamp(action.at)).min();
        Ok(ActionBacklog { waiting: actions.len() as u64, oldest })
    }

    /// As a database of its own would do it, in a transaction.
    pub async fn delete_actions(&self, ids: &[i64]) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        tx.seen.actions.retain(|id, _| !ids.contains(id));
        Ok(tx.commit().await?)
    }

    pub async fn dead_letters_due(
        &self,
        topic: DeadLetterTopic,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<StoredDeadLetter>, DatabaseError> {
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

/// Writes what the unit of work has decided: all of it, or nothing.
fn write(tables: &mut Tables, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
    for (key_hash, record) in unit.idempotency_records.removed_rows() {
        if tables.idempotency_records.get(key_hash).is_some_and(|stored| stored.version == record.version) {
            tables.idempotency_records.remove(key_hash);
        }
    }
    for (id, payment) in unit.payments.removed_rows() {
        if tables.payments.get(id).is_none_or(|stored| stored.version != payment.version) {
            return Err(DatabaseError::Conflict);
        }
        tables.payments.remove(id);
    }
    save!(tables, unit: idempotency_records, payments, refunds, settlements, refund_requests, balances, letters);
    save!(tables, unit: references);
    insert_processed(tables, &unit.processed)?;
    for (payment_id, page) in &unit.timeline_pages {
        if tables.timeline_pages.insert((*payment_id, page.first), page.clone()).is_some() {
            return Err(DatabaseError::Conflict);
        }
    }
    for action in unit.actions.iter().map(stored_action) {
        if tables.actions.insert(action.id, action).is_some() {
            return Err(DatabaseError::Conflict);
        }
    }
    for entry in &unit.entries {
        let is_known = tables.entries.iter().any(|known| known.event_id == entry.event_id);
        if is_known && !is_planted(Bug::MissingDedupe) {
            return Err(DatabaseError::Conflict);
        }
        tables.entries.push(entry.clone());
    }
    for event in &unit.events {
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
    for row in tables.outbox.iter_mut().filter(|row| unit.published.contains(&row.seq)) {
        row.published_at = Some(unit.now.0);
    }
    Ok(())
}

fn insert_processed(
    tables: &mut Tables,
    processed: &RowSet<(Consumer, EventId), Timestamp>,
) -> Result<(), DatabaseError> {
    for (key, _) in processed.written_rows() {
        if !tables.processed.insert(*key) && !is_planted(Bug::MissingDedupe) {
            return Err(DatabaseError::Conflict);
        }
    }
    Ok(())
}
