//! Take in what the PSP said about an authorization.

use crate::domain::command::{Command, key_of};
use crate::domain::event::Topic;
use crate::domain::id::PaymentId;
use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::outcome::{PaymentOutcome, StoredResponse};
use crate::domain::payment::{CaptureMode, Payment, PaymentStatus, Refusal};
use crate::domain::psp::Verdict;
use crate::domain::request::Task;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Write what the PSP said, the answer and the events. The first outcome wins: one that comes later is told how the
/// payment stands.
#[derive(Debug, Clone)]
pub struct RecordPspOutcome {
    pub payment_id: PaymentId,
    /// The key that the authorization answers.
    pub key_hash: KeyHash,
    pub verdict: Verdict,
    /// Who only looked it up: the payment's `attempts` at that time. Two questions that were asked at once count as
    /// one.
    pub looked_up_at: Option<u32>,
    /// How long the PSP took, in milliseconds.
    pub took_ms: u64,
    /// The request that the answer is recorded for.
    pub request_id: String,
    pub trace: TraceContext,
}

impl Command for RecordPspOutcome {
    type Answer = Result<StoredResponse, Refusal>;
    const KIND: &'static str = "conclude";
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

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<StoredResponse, Refusal> {
        let Self { payment_id, verdict, trace, .. } = self;
        let mut payment = unit.payments.get(payment_id).ok_or(Refusal::PaymentNotFound)?.clone();
        let before = payment.status;
        if !matches!(before, PaymentStatus::Authorizing | PaymentStatus::Unknown) {
            self.release_late_approval(&mut payment, unit);
            return Ok(self.record(PaymentOutcome::of_authorization(&payment), unit));
        }
        // The resolver died or gave up waiting, and has asked again before this answer was written: only time makes
        // "the PSP does not know it" mean "it was never sent".
        let is_stale = self.looked_up_at.is_some_and(|attempts| attempts != payment.attempts);
        if is_stale && matches!(verdict, Verdict::Absent | Verdict::Unknown { .. }) {
            return Ok(self.record(PaymentOutcome::of_authorization(&payment), unit));
        }
        payment.timeline.note_call(unit.now, self.call(), verdict, self.took_ms, trace);
        payment.conclude_authorization(verdict, unit.policy, unit.now)?;
        if payment.status != before {
            unit.enter(&mut payment, trace);
        }
        match payment.status {
            PaymentStatus::Authorized => {
                let amount = payment.authorized;
                unit.emit(&mut payment, Topic::Authorized, amount, None, trace);
                if payment.capture_mode == CaptureMode::Automatic {
                    unit.request_capture(&mut payment, None, trace)?;
                }
            }
            PaymentStatus::Declined | PaymentStatus::Failed => {
                if let Some(failure) = payment.failure.clone() {
                    let amount = payment.amount;
                    unit.emit_failure(&mut payment, amount, None, &failure, trace);
                }
            }
            _ => {}
        }
        let outcome = PaymentOutcome::of_authorization(&payment);
        unit.store_payment(payment);
        Ok(self.record(outcome, unit))
    }
}

impl RecordPspOutcome {
    /// What the PSP was asked, for the timeline.
    fn call(&self) -> &'static str {
        if self.looked_up_at.is_some() { "lookup" } else { "authorize" }
    }

    /// Has the PSP release what reached it after it had been given up: its key may have been used again.
    fn release_late_approval(&self, payment: &mut Payment, unit: &mut UnitOfWork<'_>) {
        let Verdict::Approved { reference, .. } = &self.verdict else { return };
        if !payment.is_not_sent() || payment.psp_reference.is_some() {
            return;
        }
        payment.psp_reference = Some(reference.clone());
        payment.updated_at = unit.now;
        payment.timeline.note_call(unit.now, self.call(), &self.verdict, self.took_ms, &self.trace);
        let id = unit.ids.next(unit.now, payment.id.bucket());
        unit.owe(id, payment, Task::Void, payment.amount, &self.trace);
        unit.store_payment(payment.clone());
    }

    /// Records the answer under the authorization's key, unless it has one. Returns the answer that counts. Where
    /// nothing was sent the key is free again: recorded, that answer would stay true of this payment and be wrong of
    /// the next try.
    fn record(&self, outcome: PaymentOutcome, unit: &mut UnitOfWork<'_>) -> StoredResponse {
        let mut answer = StoredResponse { outcome, request_id: self.request_id.clone(), kept_until: None };
        let Some(record) = unit.record_of(self.key_hash, self.payment_id) else { return answer };
        let kept_until = Some(record.expires_at);
        if let Some(earlier) = &record.recorded {
            return StoredResponse { kept_until, ..earlier.clone() };
        }
        if matches!(answer.outcome, PaymentOutcome::NotSent { .. }) {
            unit.idempotency_records.remove(&self.key_hash);
            return answer;
        }
        answer.kept_until = kept_until;
        let finished =
            IdempotencyRecord { recorded: Some(answer.clone()), finished_at: Some(unit.now), ..record.clone() };
        unit.idempotency_records.put(self.key_hash, finished);
        answer
    }
}
