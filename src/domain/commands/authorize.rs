//! Take on a payment: the intent, before the PSP is asked.

use crate::domain::command::Command;
use crate::domain::id::PaymentId;
use crate::domain::idempotency::KeyOutcome;
use crate::domain::key::KeyedRequest;
use crate::domain::money::Money;
use crate::domain::payment::{CaptureMode, Metadata, Payment, PaymentStatus};
use crate::domain::policy::Policy;
use crate::domain::reference::{MerchantReference, ReferenceKey, ReferenceUse, ReferenceUsed};
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
    pub merchant_reference: Option<MerchantReference>,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub keyed_request: KeyedRequest,
    pub trace: TraceContext,
}

impl Command for Authorize {
    type Answer = KeyOutcome<Result<(), ReferenceUsed>>;
    const KIND: &'static str = "authorize";

    fn key(&self) -> u128 {
        u128::from_be_bytes(self.keyed_request.key_hash.0)
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.idempotency_records.insert(self.keyed_request.key_hash);
        read_set.references.extend(self.unique_reference());
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Self::Answer {
        if let Some(outcome) = unit.outcome_of_taken_key(&self.keyed_request) {
            return outcome;
        }
        if let Err(used) = self.take_reference(unit) {
            return KeyOutcome::Fresh(Err(used));
        }
        let payment = self.payment(unit.policy, unit.now);
        #[cfg(test)]
        if crate::domain::planted::is_planted(crate::domain::planted::Bug::NonAtomicClaim) {
            unit.store_payment(payment);
            return KeyOutcome::Fresh(Ok(()));
        }
        unit.take_key(&self.keyed_request, &self.merchant_id, self.payment_id, None);
        unit.entered.push(payment.status);
        unit.store_payment(payment);
        KeyOutcome::Fresh(Ok(()))
    }
}

impl Authorize {
    /// The reference that no other payment may have.
    fn unique_reference(&self) -> Option<ReferenceKey> {
        let reference = self.merchant_reference.as_ref().filter(|reference| reference.is_unique)?;
        Some(ReferenceKey { merchant_id: self.merchant_id.clone(), reference: reference.text.clone() })
    }

    /// Takes the reference, if it is to be unique and no other payment has it: none of before, and none of this batch.
    fn take_reference(&self, unit: &mut UnitOfWork<'_>) -> Result<(), ReferenceUsed> {
        let Some(key) = self.unique_reference() else { return Ok(()) };
        let before = unit.references.get(&key).cloned().unwrap_or_default();
        let holds = |payment: &&Payment| payment.holds_reference(&key.merchant_id, &key.reference);
        let beside = unit.payments.new_rows().map(|(_, payment)| payment).find(holds).map(|payment| payment.id);
        match before.payment_id.or(beside) {
            Some(payment_id) => Err(ReferenceUsed { payment_id }),
            None => {
                unit.references.put(key, ReferenceUse { payment_id: Some(self.payment_id), ..before });
                Ok(())
            }
        }
    }

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
            merchant_reference: self.merchant_reference.as_ref().map(|reference| reference.text.clone()),
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
            capture: None,
            refunds: 0,
            version: 0,
        }
    }
}
