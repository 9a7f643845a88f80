//! Take on a payment: the intent, before the PSP is asked.

use crate::domain::command::Command;
use crate::domain::id::PaymentId;
use crate::domain::idempotency::KeyOutcome;
use crate::domain::key::KeyedRequest;
use crate::domain::money::Money;
use crate::domain::payment::{CaptureMode, Metadata, Payment, PaymentStatus};
use crate::domain::policy::Policy;
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Timeline, TimelineKind};
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Take the key and write the intent. Until this is durable, nobody may ask the PSP.
#[derive(Debug, Clone)]
pub struct Authorize {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub money: Money,
    pub capture_mode: CaptureMode,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub keyed_request: KeyedRequest,
    pub trace: TraceContext,
}

impl Command for Authorize {
    type Answer = KeyOutcome<()>;
    const KIND: &'static str = "authorize";

    fn key(&self) -> u128 {
        u128::from_be_bytes(self.keyed_request.key_hash.0)
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.idempotency_records.insert(self.keyed_request.key_hash);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> KeyOutcome<()> {
        if let Some(outcome) = unit.outcome_of_taken_key(&self.keyed_request) {
            return outcome;
        }
        let payment = self.payment(unit.policy, unit.now);
        #[cfg(test)]
        if crate::domain::planted::is_planted(crate::domain::planted::Bug::NonAtomicClaim) {
            unit.store_payment(payment);
            return KeyOutcome::Fresh(());
        }
        unit.take_key(&self.keyed_request, &self.merchant_id, self.payment_id, None);
        unit.entered.push(payment.status);
        unit.store_payment(payment);
        KeyOutcome::Fresh(())
    }
}

impl Authorize {
    /// The payment that the command takes on.
    pub fn payment(&self, policy: &Policy, now: Timestamp) -> Payment {
        let mut timeline = Timeline::default();
        // The id's own time, so that a list by time and a list by id are one; but ids never go back, and stay ahead of
        // a clock that does: then it is the clock's.
        let requested_at = self.payment_id.time().min(now);
        timeline.note(requested_at, TimelineKind::Requested, format!("authorize {}", self.money), &self.trace);
        Payment {
            id: self.payment_id,
            merchant_id: self.merchant_id.clone(),
            status: PaymentStatus::Authorizing,
            currency: self.money.currency,
            amount: self.money.minor,
            authorized: 0,
            capture_pending: 0,
            captured: 0,
            refund_pending: 0,
            refunded: 0,
            refunds_waiting: Vec::new(),
            capture_mode: self.capture_mode,
            description: self.description.clone(),
            metadata: self.metadata.clone(),
            psp_reference: None,
            failure: None,
            requested_at,
            updated_at: now,
            capture_before: None,
            due_at: Some(now.after(policy.resolve_after)),
            attempts: 0,
            key_hash: self.keyed_request.key_hash,
            timeline,
            captured_event: None,
            refunds: 0,
            version: 0,
        }
    }
}
