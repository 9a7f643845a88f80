//! Change a payment for its merchant: capture, void or refund.

use crate::domain::command::{Command, key_of};
use crate::domain::id::{PaymentId, RefundId};
use crate::domain::idempotency::KeyOutcome;
use crate::domain::key::{KeyedRequest, PaymentOperation};
use crate::domain::outcome::{PaymentOutcome, PaymentSnapshot, StoredResponse};
use crate::domain::payment::{Payment, PaymentStatus, Refusal, WaitingRefund};
use crate::domain::timeline::TimelineKind;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// What a merchant can ask of a payment that exists.
#[derive(Debug, Clone)]
pub enum Change {
    /// Capture `amount`, or all.
    Capture {
        amount: Option<i64>,
    },
    Void,
    /// Refund `amount`, or all that is left.
    Refund {
        amount: Option<i64>,
        reason: Option<String>,
    },
}

impl Change {
    pub fn operation(&self) -> PaymentOperation {
        match self {
            Self::Capture { .. } => PaymentOperation::Capture,
            Self::Void => PaymentOperation::Void,
            Self::Refund { .. } => PaymentOperation::Refund,
        }
    }
}

/// Capture, void or refund. What the rules refuse for good is an outcome too: it is recorded under the key. A refusal
/// that may pass by itself is not, so that the same call may succeed later.
#[derive(Debug, Clone)]
pub struct ChangePayment {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub change: Change,
    pub keyed_request: Option<KeyedRequest>,
    pub request_id: String,
    pub trace: TraceContext,
}

impl Command for ChangePayment {
    type Answer = KeyOutcome<StoredResponse>;
    const KIND: &'static str = "change_payment";

    fn key(&self) -> u128 {
        key_of(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.payments.insert(self.payment_id);
        read_set.idempotency_records.extend(self.keyed_request.iter().map(|keyed_request| keyed_request.key_hash));
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> KeyOutcome<StoredResponse> {
        let taken = self.keyed_request.as_ref().and_then(|keyed_request| unit.outcome_of_taken_key(keyed_request));
        if let Some(outcome) = taken {
            return outcome;
        }
        let (outcome, is_for_good) = match self.change(unit) {
            Ok(outcome) => (outcome, true),
            Err(refusal) => {
                let payment = unit.payments.get(&self.payment_id);
                let is_for_good = payment.is_some_and(|payment| self.is_refused_for_good(payment, &refusal));
                (PaymentOutcome::Refused { refusal }, is_for_good)
            }
        };
        let mut answer = StoredResponse { outcome, request_id: self.request_id.clone(), kept_until: None };
        if let Some(keyed_request) = self.keyed_request.as_ref().filter(|_| is_for_good) {
            answer.kept_until = Some(unit.now.after(unit.policy.answers_kept));
            unit.take_key(keyed_request, &self.merchant_id, self.payment_id, Some(answer.clone()));
        }
        KeyOutcome::Fresh(answer)
    }
}

impl ChangePayment {
    fn change(&self, unit: &mut UnitOfWork<'_>) -> Result<PaymentOutcome, Refusal> {
        let payment = unit.payments.get(&self.payment_id).filter(|payment| payment.merchant_id == self.merchant_id);
        let mut payment = payment.ok_or(Refusal::PaymentNotFound)?.clone();
        let refund_id = match &self.change {
            Change::Capture { amount } => {
                unit.request_capture(&mut payment, *amount, &self.trace)?;
                None
            }
            Change::Void => {
                payment.void(unit.now)?;
                unit.release_authorization(&mut payment, &self.trace);
                None
            }
            Change::Refund { amount, reason } => Some(self.request_refund(&mut payment, *amount, reason, unit)?),
        };
        let outcome = PaymentOutcome::Done { payment: PaymentSnapshot::from(&payment), refund_id };
        unit.store_payment(payment);
        Ok(outcome)
    }

    fn request_refund(
        &self,
        payment: &mut Payment,
        amount: Option<i64>,
        reason: &Option<String>,
        unit: &mut UnitOfWork<'_>,
    ) -> Result<RefundId, Refusal> {
        if !payment.status.may_be_refunded() {
            return Err(Refusal::StateConflict { status: payment.status });
        }
        let limit = unit.policy.refunds_max;
        if payment.refunds >= limit {
            return Err(Refusal::RefundLimitReached { limit });
        }
        let amount = payment.amount_to_refund(amount)?;
        payment.refunds = payment.refunds.saturating_add(1);
        let id: RefundId = unit.ids.next(unit.now, payment.id.bucket());
        let refund = WaitingRefund { id, amount, reason: reason.clone(), requested_at: unit.now, trace: self.trace };
        if payment.status == PaymentStatus::CaptureRequested {
            payment.wait_to_refund(refund)?;
            unit.waiting_refunds.insert(id, Some((payment.id, payment.merchant_id.clone())));
            let waits = format!("refund of {} waits for the capture", payment.money(amount));
            payment.timeline.note(unit.now, TimelineKind::Decision, waits, &self.trace);
        } else {
            unit.begin_refund(payment, refund)?;
        }
        Ok(id)
    }

    /// Whether a refusal stays true, whatever becomes of the payment by itself and by other calls.
    fn is_refused_for_good(&self, payment: &Payment, refusal: &Refusal) -> bool {
        let may_become = |next: PaymentStatus| move |status: PaymentStatus| status.may_become(next);
        match (refusal, &self.change) {
            (Refusal::PaymentNotFound | Refusal::AmountOverflow, _) => false,
            (Refusal::CaptureExceedsAuthorized { .. } | Refusal::RefundLimitReached { .. }, _) => true,
            (Refusal::StateConflict { status }, Change::Capture { .. }) => {
                !status.may_reach(may_become(PaymentStatus::CaptureRequested))
            }
            (Refusal::StateConflict { status }, Change::Void) => !status.may_reach(may_become(PaymentStatus::Voided)),
            (Refusal::StateConflict { status }, Change::Refund { .. }) => {
                !status.may_reach(PaymentStatus::may_be_refunded)
            }
            // Refunds under way may fail, and another capture may be of more.
            (Refusal::RefundExceedsCaptured { .. }, Change::Refund { amount: Some(amount), .. }) => {
                let most = match payment.status {
                    PaymentStatus::CaptureRequested => payment.authorized,
                    _ => payment.captured.saturating_sub(payment.refunded),
                };
                *amount > most
            }
            (Refusal::RefundExceedsCaptured { .. }, _) => false,
        }
    }
}
