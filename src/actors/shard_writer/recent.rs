//! Rows as this writer has written them last. A payment is written by its intent and read by its conclusion a moment
//! later, balances by one booking after the other: that reading can be spared. What another host has changed meanwhile
//! is noticed when the row's version does not fit; then everything here is forgotten and read.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::ledger::{Balance, BalanceKey};
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::unit_of_work::{ReadSet, RowSet, UnitOfWork};
use crate::domain::{PaymentId, RefundId};

/// Rows of one kind that are kept, the oldest going first: some seconds of a shard at full load, a few MiB.
const ROWS_MAX: usize = 4_096;

/// A row that counts its writes.
trait Versioned {
    /// The row as it stands after it was written.
    fn written(self) -> Self;
}

macro_rules! versioned {
    ($($row:ty),*) => {$(
        impl Versioned for $row {
            fn written(self) -> Self {
                Self { version: self.version + 1, ..self }
            }
        }
    )*};
}

versioned!(Payment, Refund, IdempotencyRecord, Balance);

/// Rows of one kind.
struct Rows<K, V> {
    rows: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { rows: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Clone + Versioned> Rows<K, V> {
    /// Puts what is here of the needed rows into the unit of work, and leaves the others to be read.
    fn fill(&self, needed: &mut std::collections::BTreeSet<K>, rows: &mut RowSet<K, V>) {
        needed.retain(|key| match self.rows.get(key) {
            Some(row) => {
                rows.load(key.clone(), row.clone());
                false
            }
            None => true,
        });
    }

    fn keep(&mut self, rows: RowSet<K, V>) {
        for (key, row, is_written) in rows.into_rows() {
            let row = if is_written { row.written() } else { row };
            if self.rows.insert(key.clone(), row).is_none() {
                self.order.push_back(key);
            }
        }
        while self.order.len() > ROWS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.rows.remove(&oldest);
            }
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Recent {
    payments: Rows<PaymentId, Payment>,
    refunds: Rows<RefundId, Refund>,
    idempotency_records: Rows<KeyHash, IdempotencyRecord>,
    balances: Rows<BalanceKey, Balance>,
}

impl Recent {
    /// Fills the unit of work with what is known of `trusting`, the rows of commands that may rest on it. Returns what
    /// remains to be read: the rest of them, and all that the `others` read.
    pub fn fill(&self, mut trusting: ReadSet, others: &ReadSet, unit: &mut UnitOfWork<'_>) -> ReadSet {
        self.payments.fill(&mut trusting.payments, &mut unit.payments);
        self.refunds.fill(&mut trusting.refunds, &mut unit.refunds);
        self.idempotency_records.fill(&mut trusting.idempotency_records, &mut unit.idempotency_records);
        self.balances.fill(&mut trusting.balances, &mut unit.balances);
        trusting.join(others);
        trusting
    }

    /// Keeps the rows of a unit of work that was just committed.
    pub fn keep(&mut self, unit: UnitOfWork<'_>) {
        // What was let go is gone from the tables too.
        for (key_hash, _) in unit.idempotency_records.removed_rows() {
            self.idempotency_records.rows.remove(key_hash);
        }
        for (id, _) in unit.payments.removed_rows() {
            self.payments.rows.remove(id);
        }
        self.payments.keep(unit.payments);
        self.refunds.keep(unit.refunds);
        self.idempotency_records.keep(unit.idempotency_records);
        self.balances.keep(unit.balances);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Command;
    use crate::domain::policy::Policy;
    use crate::domain::testing::order;
    use crate::domain::{IdGenerator, Timestamp};

    #[test]
    fn what_was_written_is_known_with_its_new_version_and_the_rest_is_to_be_read() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut recent = Recent::default();
        let mut unit = UnitOfWork::new(Timestamp(0), &policy, &mut ids);
        order(1, 100).decide(&mut unit);
        recent.keep(unit);

        let mut trusting = ReadSet::default();
        trusting.payments.extend([PaymentId::from_stored(1), PaymentId::from_stored(2)]);
        let mut others = ReadSet::default();
        order(3, 100).reads(&mut others);
        let mut unit = UnitOfWork::new(Timestamp(0), &policy, &mut ids);
        let to_read = recent.fill(trusting, &others, &mut unit);
        assert_eq!(unit.payments.get(&PaymentId::from_stored(1)).map(|payment| payment.version), Some(1));
        assert_eq!(to_read.payments.into_iter().collect::<Vec<_>>(), [PaymentId::from_stored(2)]);
        assert_eq!(to_read.idempotency_records, others.idempotency_records);
    }

    #[test]
    fn only_so_many_are_kept() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut recent = Recent::default();
        for id in 0..2 * ROWS_MAX as i64 {
            let mut unit = UnitOfWork::new(Timestamp(0), &policy, &mut ids);
            order(id + 1, 100).decide(&mut unit);
            recent.keep(unit);
        }
        assert_eq!((recent.payments.rows.len(), recent.payments.order.len()), (ROWS_MAX, ROWS_MAX));
    }
}
