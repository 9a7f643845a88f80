//! Rows as this writer wrote them last. A payment is written by its intent and read a moment later to record the PSP's
//! outcome, and balances by one ledger entry after the other: that reading can be saved. If another host has changed a
//! row meanwhile, its version does not match; then everything here is forgotten and read again.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::ledger::{Balance, BalanceKey};
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::unit_of_work::{ReadSet, RowSet, UnitOfWork};
use crate::domain::{PaymentId, RefundId};

/// How many rows of one kind are kept, the oldest going first: some seconds of a shard at full load, a few MiB.
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
    /// Copies the needed rows that are known here into the unit of work, and leaves the others to be read.
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
    /// Fills the unit of work with known rows of `trusting`, the read set of commands that may rely on them. Returns
    /// what remains to be read: the rest of it, and all of `others`.
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
        // Removed rows are gone from the tables too.
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
    fn written_rows_are_known_with_their_version_and_others_are_read() {
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
    fn recent_rows_are_bounded() {
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
