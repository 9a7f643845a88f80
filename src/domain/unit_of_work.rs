//! The working set of one batch: the rows that its commands name, the decisions made on them, and what has to be
//! written. A store fills it, the decisions of `commands` change it, and the store writes it in one transaction. A
//! decision either applies whole or leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use super::dead_letter::{Action, StoredDeadLetter};
use super::event::{Consumer, Event};
use super::id::{EventId, IdGenerator, LetterId, PaymentId, RefundId};
use super::idempotency::IdempotencyRecord;
use super::key::KeyHash;
use super::ledger::{Balance, BalanceKey, LedgerEntry};
use super::payment::{Payment, PaymentStatus};
use super::policy::Policy;
use super::reference::{ReferenceKey, ReferenceUse};
use super::refund::Refund;
use super::request::PspRequest;
use super::time::Timestamp;
use super::timeline::TimelinePage;

/// Whether a row is in the database as it stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stored,
    Changed,
    New,
    Removed,
}

/// Rows of one kind by key. Ordered, so that every batch touches rows in the same order and none waits in a circle.
#[derive(Debug)]
pub struct RowSet<K, V>(BTreeMap<K, (State, V)>);

impl<K, V> Default for RowSet<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> RowSet<K, V> {
    /// Puts in a row as it was read.
    pub fn load(&mut self, key: K, value: V) {
        self.0.insert(key, (State::Stored, value));
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).filter(|(state, _)| *state != State::Removed).map(|(_, value)| value)
    }

    /// Writes a row: a new one, or in the place of what was there.
    pub fn put(&mut self, key: K, value: V) {
        let state = match self.0.get(&key) {
            None | Some((State::New, _)) => State::New,
            Some(_) => State::Changed,
        };
        self.0.insert(key, (state, value));
    }

    /// Takes a row away.
    pub fn remove(&mut self, key: &K) {
        match self.0.get_mut(key) {
            Some((State::New, _)) => {
                self.0.remove(key);
            }
            Some((state, _)) => *state = State::Removed,
            None => {}
        }
    }

    /// Rows to insert, in order.
    pub fn new_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.in_state(State::New)
    }

    /// Rows to write over, in order.
    pub fn changed_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.in_state(State::Changed)
    }

    /// Rows to insert or to write over, in order.
    pub fn written_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        let written = self.0.iter().filter(|(_, (state, _))| matches!(state, State::New | State::Changed));
        written.map(|(key, (_, value))| (key, value))
    }

    /// All rows as they are to be, with whether they are written.
    pub fn into_rows(self) -> impl Iterator<Item = (K, V, bool)> {
        let kept = self.0.into_iter().filter(|(_, (state, _))| *state != State::Removed);
        kept.map(|(key, (state, value))| (key, value, state != State::Stored))
    }

    /// Rows to delete, in order.
    pub fn removed_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.in_state(State::Removed)
    }

    fn in_state(&self, wanted: State) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().filter(move |(_, (state, _))| *state == wanted).map(|(key, (_, value))| (key, value))
    }

    /// Takes the writes as done, as a store does after it has written: what remains is what it now holds.
    pub fn settle(&mut self) {
        self.0.retain(|_, (state, _)| *state != State::Removed);
        self.0.values_mut().for_each(|(state, _)| *state = State::Stored);
    }
}

/// Which rows a batch must read before it can decide.
#[derive(Debug, Default, Clone)]
pub struct ReadSet {
    pub payments: BTreeSet<PaymentId>,
    pub refunds: BTreeSet<RefundId>,
    pub idempotency_records: BTreeSet<KeyHash>,
    /// Captures and voids.
    pub settlements: BTreeSet<EventId>,
    pub refund_requests: BTreeSet<EventId>,
    pub balances: BTreeSet<BalanceKey>,
    pub processed: BTreeSet<(Consumer, EventId)>,
    pub letters: BTreeSet<LetterId>,
    /// References that are to be unique.
    pub references: BTreeSet<ReferenceKey>,
}

impl ReadSet {
    /// Reads what `other` reads too.
    pub fn join(&mut self, other: &Self) {
        self.payments.extend(&other.payments);
        self.refunds.extend(&other.refunds);
        self.idempotency_records.extend(&other.idempotency_records);
        self.settlements.extend(&other.settlements);
        self.refund_requests.extend(&other.refund_requests);
        self.balances.extend(other.balances.iter().cloned());
        self.processed.extend(&other.processed);
        self.letters.extend(&other.letters);
        self.references.extend(other.references.iter().cloned());
    }
}

/// See the module.
#[derive(Debug)]
pub struct UnitOfWork<'a> {
    pub now: Timestamp,
    pub policy: &'a Policy,
    pub ids: &'a mut IdGenerator,
    pub payments: RowSet<PaymentId, Payment>,
    pub refunds: RowSet<RefundId, Refund>,
    pub idempotency_records: RowSet<KeyHash, IdempotencyRecord>,
    pub settlements: RowSet<EventId, PspRequest>,
    pub refund_requests: RowSet<EventId, PspRequest>,
    pub balances: RowSet<BalanceKey, Balance>,
    /// When each event was applied.
    pub processed: RowSet<(Consumer, EventId), Timestamp>,
    pub entries: Vec<LedgerEntry>,
    /// In the order in which they happened.
    pub events: Vec<Event>,
    pub letters: RowSet<LetterId, StoredDeadLetter>,
    pub references: RowSet<ReferenceKey, ReferenceUse>,
    /// Refunds that have begun to wait for a capture, with their payment; none for those that have ended waiting.
    pub waiting_refunds: BTreeMap<RefundId, Option<(PaymentId, String)>>,
    /// Entries that have moved out of payments' rows.
    pub timeline_pages: Vec<(PaymentId, TimelinePage)>,
    /// What operators did.
    pub actions: Vec<Action>,
    /// The statuses that payments entered.
    pub entered: Vec<PaymentStatus>,
    /// Places in the outbox of events that the event log has.
    pub published: Vec<i64>,
}

impl<'a> UnitOfWork<'a> {
    pub fn new(now: Timestamp, policy: &'a Policy, ids: &'a mut IdGenerator) -> Self {
        Self {
            now,
            policy,
            ids,
            payments: RowSet::default(),
            refunds: RowSet::default(),
            idempotency_records: RowSet::default(),
            settlements: RowSet::default(),
            refund_requests: RowSet::default(),
            balances: RowSet::default(),
            processed: RowSet::default(),
            entries: Vec::new(),
            events: Vec::new(),
            letters: RowSet::default(),
            references: RowSet::default(),
            waiting_refunds: BTreeMap::new(),
            timeline_pages: Vec::new(),
            actions: Vec::new(),
            entered: Vec::new(),
            published: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_set_tells_what_to_write() {
        let mut rows = RowSet::default();
        rows.load(1, "stored");
        rows.load(2, "stored");
        rows.load(3, "stored");
        rows.put(2, "changed");
        rows.put(4, "new");
        rows.put(4, "new, and again");
        rows.put(5, "new");
        rows.remove(&5);
        rows.remove(&3);
        assert_eq!(rows.new_rows().collect::<Vec<_>>(), [(&4, &"new, and again")]);
        assert_eq!(rows.changed_rows().collect::<Vec<_>>(), [(&2, &"changed")]);
        assert_eq!(rows.removed_rows().map(|(key, _)| *key).collect::<Vec<_>>(), [3]);
        assert_eq!((rows.get(&1), rows.get(&3), rows.get(&5)), (Some(&"stored"), None, None));
        rows.settle();
        assert_eq!(rows.changed_rows().count() + rows.new_rows().count() + rows.removed_rows().count(), 0);
        assert_eq!(rows.get(&2), Some(&"changed"));
    }
}
