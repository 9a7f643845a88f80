//! Keep a dead letter and publish it.

use crate::domain::command::{Command, key_of};
use crate::domain::dead_letter::StoredDeadLetter;
use crate::domain::id::PaymentId;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Keep a dead letter, and publish it unless it stands open for the same cause already.
#[derive(Debug, Clone)]
pub struct StoreDeadLetter {
    pub letter: StoredDeadLetter,
    /// The payment that it is about; of a record whose key is no payment, any id of the shard.
    pub about: PaymentId,
    pub trace: TraceContext,
}

impl Command for StoreDeadLetter {
    type Answer = ();
    const KIND: &'static str = "store_dead_letter";

    fn key(&self) -> u128 {
        key_of(self.letter.letter.id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.letters.insert(self.letter.letter.id);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) {
        unit.store_letter(self.letter.clone(), self.about, self.trace);
    }
}
