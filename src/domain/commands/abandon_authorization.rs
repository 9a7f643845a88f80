//! Let go of an authorization that was taken on but never sent to the PSP.

use crate::domain::command::{Command, key_of};
use crate::domain::id::PaymentId;
use crate::domain::key::KeyHash;
use crate::domain::payment::{PaymentStatus, Refusal};
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Take back an authorization of which nothing was sent and nobody was told: as if it had not been, with its key free.
#[derive(Debug, Clone)]
pub struct AbandonAuthorization {
    pub payment_id: PaymentId,
    pub key_hash: KeyHash,
    pub trace: TraceContext,
}

impl Command for AbandonAuthorization {
    type Answer = Result<(), Refusal>;
    const KIND: &'static str = "abandon_authorization";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        key_of(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.payments.insert(self.payment_id);
        read_set.idempotency_records.insert(self.key_hash);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<(), Refusal> {
        let payment = unit.payments.get(&self.payment_id).ok_or(Refusal::PaymentNotFound)?;
        if payment.status != PaymentStatus::Authorizing {
            return Err(Refusal::StateConflict { status: payment.status });
        }
        if unit.record_of(self.key_hash, self.payment_id).is_some_and(|record| record.recorded.is_none()) {
            unit.idempotency_records.remove(&self.key_hash);
        }
        unit.payments.remove(&self.payment_id);
        Ok(())
    }
}
