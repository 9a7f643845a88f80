//! A payment and every move that it can make. The amounts are the truth; the status follows from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capture::{Capture, CaptureStatus};
use super::currency::Currency;
use super::failure::{Failure, FailureCode};
use super::id::{EventId, PaymentId, RefundId};
use super::key::KeyHash;
use super::money::{AmountOverflow, Money, add, sub};
use super::policy::Policy;
use super::psp::Verdict;
pub use super::status::PaymentStatus;
use super::time::Timestamp;
use super::timeline::Timeline;
use super::trace::TraceContext;

/// Who asks for the capture: the merchant later, or Rialto at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaptureMode {
    #[default]
    Manual,
    Automatic,
}

impl CaptureMode {
    pub const ALL: [Self; 2] = [Self::Manual, Self::Automatic];

    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

/// The merchant's own data on a payment.
pub type Metadata = BTreeMap<String, String>;

/// A request that the rules refuse. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no such payment")]
    PaymentNotFound,
    #[error("the payment is {}", status.name())]
    StateConflict { status: PaymentStatus },
    #[error("{capturable} can be captured")]
    CaptureExceedsAuthorized { capturable: i64 },
    #[error("{refundable} can be refunded")]
    RefundExceedsCaptured { refundable: i64 },
    #[error("the payment has had {limit} refunds")]
    RefundLimitReached { limit: u32 },
    #[error("an amount left its range")]
    AmountOverflow,
}

impl From<AmountOverflow> for Refusal {
    fn from(_: AmountOverflow) -> Self {
        Self::AmountOverflow
    }
}

/// A refund that was asked for while the capture is under way. It becomes one, or fails, when that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRefund {
    pub id: RefundId,
    /// Minor units.
    pub amount: i64,
    pub reason: Option<String>,
    pub requested_at: Timestamp,
    pub trace: TraceContext,
}

/// Refunds of one payment that may wait for its capture: they stand in the payment's row.
pub const REFUNDS_WAITING_MAX: usize = 20;
/// Captures of one payment that may be asked for, each after the one before has failed.
pub const CAPTURES_MAX: u32 = 99;

/// One payment, as its row holds it. All amounts are in `currency`'s minor unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub merchant_id: String,
    pub status: PaymentStatus,
    pub currency: Currency,
    /// What the merchant asked to authorize.
    pub amount: i64,
    /// What the PSP authorized.
    pub authorized: i64,
    /// Asked to capture, not yet captured.
    pub capture_pending: i64,
    pub captured: i64,
    /// Asked to refund, not yet refunded.
    pub refund_pending: i64,
    pub refunded: i64,
    /// None of them is in `refund_pending` yet.
    pub refunds_waiting: Vec<WaitingRefund>,
    pub capture_mode: CaptureMode,
    /// The merchant's own name for it.
    pub merchant_reference: Option<String>,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub psp_reference: Option<String>,
    /// Why it was declined, failed or is held.
    pub failure: Option<Failure>,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
    pub capture_before: Option<Timestamp>,
    /// When the resolver must look at it, if nothing happens before.
    pub due_at: Option<Timestamp>,
    /// How often the resolver has asked the PSP about it; once it is authorized, how many captures have failed.
    pub attempts: u32,
    /// The idempotency key that its authorization answers.
    pub key_hash: KeyHash,
    pub timeline: Timeline,
    /// The event that told of the capture: the ledger books no other. None before it, and where it was told before that
    /// was kept.
    pub captured_event: Option<EventId>,
    /// The capture that was asked for last; none before it, and where it was asked for before captures had ids.
    pub capture: Option<Capture>,
    /// How many refunds were asked for.
    pub refunds: u32,
    /// Counts the row's writes; a write applies only to the version that it has read.
    pub version: i64,
}

impl Payment {
    /// What can still be captured.
    pub fn capturable(&self) -> i64 {
        use PaymentStatus::{Authorized, CaptureFailed};
        if matches!(self.status, Authorized | CaptureFailed) { self.authorized } else { 0 }
    }

    /// What can still be refunded; while a capture is under way, of what it will bring.
    pub fn refundable(&self) -> i64 {
        if self.status == PaymentStatus::CaptureRequested {
            return self.capture_pending.saturating_sub(self.refund_waiting()).max(0);
        }
        self.captured.saturating_sub(self.refunded).saturating_sub(self.refund_pending).max(0)
    }

    /// What the refunds that wait for the capture come to.
    pub fn refund_waiting(&self) -> i64 {
        self.refunds_waiting.iter().fold(0, |sum, refund| sum.saturating_add(refund.amount))
    }

    /// Where the capture that was asked for last stands.
    pub fn capture_status(&self) -> CaptureStatus {
        match self.status {
            PaymentStatus::CaptureRequested => CaptureStatus::Requested,
            _ if self.captured > 0 => CaptureStatus::Captured,
            _ => CaptureStatus::Failed,
        }
    }

    /// Whether it keeps its reference from other payments: not once it was declined.
    pub fn holds_reference(&self, merchant_id: &str, reference: &str) -> bool {
        self.merchant_id == merchant_id
            && self.merchant_reference.as_deref() == Some(reference)
            && !self.status.frees_reference()
    }

    /// Whether it is held because the PSP approved another amount or currency than was asked.
    pub fn is_mismatched(&self) -> bool {
        let is_mismatch = |failure: &Failure| failure.code == FailureCode::AmountMismatch;
        self.status == PaymentStatus::Unknown && self.failure.as_ref().is_some_and(is_mismatch)
    }

    /// Whether it has failed because the PSP had never heard of it.
    pub fn is_not_sent(&self) -> bool {
        self.status == PaymentStatus::Failed
    }

    pub fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }

    fn conflict(&self) -> Refusal {
        Refusal::StateConflict { status: self.status }
    }

    fn become_status(&mut self, next: PaymentStatus, now: Timestamp) -> Result<(), Refusal> {
        if !self.status.may_become(next) {
            return Err(self.conflict());
        }
        self.status = next;
        self.updated_at = now;
        Ok(())
    }

    /// Takes in what the PSP said about the authorization. An approval of anything else than was asked is held as
    /// UNKNOWN; a key that the PSP does not know is FAILED only once the resolver has asked twice, because a request
    /// may still be on its way at the first asking.
    pub fn conclude_authorization(
        &mut self,
        verdict: &Verdict,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        use PaymentStatus::{Authorized, Authorizing, Unknown};
        if !matches!(self.status, Authorizing | Unknown) {
            return Err(self.conflict());
        }
        #[cfg(test)]
        if *verdict == Verdict::Absent && super::planted::is_planted(super::planted::Bug::UnknownIsDeclined) {
            return self.end(PaymentStatus::Failed, FailureCode::NotSent.into(), now);
        }
        match verdict {
            Verdict::Approved { reference, money } => {
                self.psp_reference = Some(reference.clone());
                if *money != self.money(self.amount) {
                    self.failure = Some(Failure::mismatch(self.money(self.amount), *money));
                    return self.hold(policy, now);
                }
                self.become_status(Authorized, now)?;
                self.authorized = self.amount;
                self.failure = None;
                // Not before the request, whichever clock that was made by.
                self.capture_before = Some(now.after(policy.capture_window).max(self.requested_at));
                self.due_at = self.capture_before;
                self.attempts = 0;
            }
            Verdict::Declined { reason } => self.end(PaymentStatus::Declined, Failure::refused(reason), now)?,
            Verdict::Absent if self.attempts >= 1 => {
                self.end(PaymentStatus::Failed, FailureCode::NotSent.into(), now)?
            }
            Verdict::NotSent { .. } | Verdict::Absent | Verdict::Unknown { .. } => {
                // The first asking of a payment that a crash left behind counts too.
                if *verdict == Verdict::Absent && self.status == Authorizing {
                    self.attempts = self.attempts.saturating_add(1);
                }
                self.hold(policy, now)?
            }
        }
        Ok(())
    }

    /// Ends an authorization that did not come about.
    fn end(&mut self, status: PaymentStatus, failure: Failure, now: Timestamp) -> Result<(), Refusal> {
        self.become_status(status, now)?;
        self.failure = Some(failure);
        self.due_at = None;
        Ok(())
    }

    /// Keeps the payment UNKNOWN until the resolver's next attempt. A mismatch that was found stays told while the PSP
    /// says nothing new.
    fn hold(&mut self, policy: &Policy, now: Timestamp) -> Result<(), Refusal> {
        if self.status == PaymentStatus::Unknown {
            self.attempts = self.attempts.saturating_add(1);
            self.updated_at = now;
        } else {
            self.become_status(PaymentStatus::Unknown, now)?;
        }
        self.due_at = Some(now.after(policy.resolver_delay(self.attempts)));
        Ok(())
    }

    /// Asks for the capture of `amount`, or of all that was authorized; what is not asked for is released. After its
    /// time it is refused as what the payment is about to be, because the hold may be gone already. Returns what will
    /// be captured.
    pub fn request_capture(&mut self, amount: Option<i64>, now: Timestamp) -> Result<i64, Refusal> {
        let ends_as = match self.status {
            PaymentStatus::Authorized => PaymentStatus::Expired,
            PaymentStatus::CaptureFailed if self.attempts < CAPTURES_MAX => PaymentStatus::Voided,
            _ => return Err(self.conflict()),
        };
        if self.capture_before.is_some_and(|end| now >= end) {
            return Err(Refusal::StateConflict { status: ends_as });
        }
        let capturable = self.capturable();
        let amount = amount.unwrap_or(capturable);
        if amount > capturable || amount <= 0 {
            return Err(Refusal::CaptureExceedsAuthorized { capturable });
        }
        if self.status == PaymentStatus::CaptureFailed {
            // Failures of before there could be another capture were not counted.
            self.attempts = self.attempts.max(1);
        }
        self.become_status(PaymentStatus::CaptureRequested, now)?;
        self.capture_pending = amount;
        self.due_at = None;
        self.failure = None;
        Ok(amount)
    }

    /// Which capture of the payment the one under way is, from 1.
    pub fn capture_number(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    /// The PSP has captured what was asked.
    pub fn capture_done(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.become_status(PaymentStatus::Captured, now)?;
        self.captured = add(self.captured, self.capture_pending)?;
        self.capture_pending = 0;
        Ok(())
    }

    /// The capture has failed for good. The authorization still stands: it can be captured again or voided, and is
    /// released when its time to capture has passed.
    pub fn capture_failed(&mut self, failure: Failure, now: Timestamp) -> Result<(), Refusal> {
        self.become_status(PaymentStatus::CaptureFailed, now)?;
        self.capture_pending = 0;
        self.failure = Some(failure);
        self.attempts = self.attempts.saturating_add(1);
        self.due_at = self.capture_before;
        Ok(())
    }

    pub fn void(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.become_status(PaymentStatus::Voided, now)?;
        self.due_at = None;
        Ok(())
    }

    /// Gives up an authorization whose time to capture has passed: it has expired, or is voided where a capture had
    /// been tried in vain.
    pub fn expire(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if self.capture_before.is_none_or(|end| now < end) {
            return Err(self.conflict());
        }
        let next = match self.status {
            PaymentStatus::CaptureFailed => PaymentStatus::Voided,
            _ => PaymentStatus::Expired,
        };
        self.become_status(next, now)?;
        self.due_at = None;
        Ok(())
    }

    /// Asks for a refund of `amount`, or of all that is left. Refunds may run beside each other as long as their sum
    /// fits. Returns what will be refunded.
    pub fn request_refund(&mut self, amount: Option<i64>, now: Timestamp) -> Result<i64, Refusal> {
        if !self.status.may_be_refunded() || self.status == PaymentStatus::CaptureRequested {
            return Err(self.conflict());
        }
        let amount = self.amount_to_refund(amount)?;
        self.refund_pending = add(self.refund_pending, amount)?;
        self.follow_refunds(now)?;
        Ok(amount)
    }

    /// What a refund of `amount`, or of all that is left, would give back now.
    pub fn amount_to_refund(&self, amount: Option<i64>) -> Result<i64, Refusal> {
        let refundable = self.refundable();
        let amount = amount.unwrap_or(refundable);
        if amount > refundable || amount <= 0 {
            return Err(Refusal::RefundExceedsCaptured { refundable });
        }
        Ok(amount)
    }

    /// Takes on a refund of what the capture under way will bring.
    pub fn wait_to_refund(&mut self, refund: WaitingRefund) -> Result<(), Refusal> {
        if self.status != PaymentStatus::CaptureRequested || self.refunds_waiting.len() >= REFUNDS_WAITING_MAX {
            return Err(self.conflict());
        }
        self.amount_to_refund(Some(refund.amount))?;
        self.updated_at = refund.requested_at;
        self.refunds_waiting.push(refund);
        Ok(())
    }

    /// The PSP has refunded `amount` of what was asked.
    pub fn refund_done(&mut self, amount: i64, now: Timestamp) -> Result<(), Refusal> {
        self.refund_pending = sub(self.refund_pending, amount)?;
        self.refunded = add(self.refunded, amount)?;
        self.follow_refunds(now)
    }

    /// A refund of `amount` has failed for good.
    pub fn refund_failed(&mut self, amount: i64, now: Timestamp) -> Result<(), Refusal> {
        self.refund_pending = sub(self.refund_pending, amount)?;
        self.follow_refunds(now)
    }

    /// The status that the refunds' amounts say.
    fn follow_refunds(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let next = if self.refund_pending > 0 {
            PaymentStatus::RefundRequested
        } else if self.refunded == self.captured {
            PaymentStatus::Refunded
        } else if self.refunded > 0 {
            PaymentStatus::PartiallyRefunded
        } else {
            PaymentStatus::Captured
        };
        self.updated_at = now;
        if next == self.status { Ok(()) } else { self.become_status(next, now) }
    }

    /// What must hold for every payment at every instant; the database checks the same.
    pub fn is_sound(&self) -> bool {
        let parts = [self.authorized, self.capture_pending, self.captured, self.refund_pending, self.refunded];
        let sums = (self.captured.checked_add(self.capture_pending), self.refunded.checked_add(self.refund_pending));
        parts.iter().all(|amount| *amount >= 0)
            && self.authorized <= self.amount
            && sums.0.is_some_and(|sum| sum <= self.authorized)
            && sums.1.is_some_and(|sum| sum <= self.captured)
            && self.refund_waiting() <= self.capture_pending
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::testing::approved;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn authorizing() -> Payment {
        crate::domain::testing::order(1, 100).payment(&Policy::default(), NOW)
    }

    fn captured() -> Payment {
        let mut payment = authorizing();
        payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
        payment.request_capture(None, NOW).unwrap();
        payment.capture_done(NOW).unwrap();
        payment
    }

    #[test]
    fn another_amount_than_asked_is_held() {
        let mut payment = authorizing();
        payment.conclude_authorization(&approved(99), &Policy::default(), NOW).unwrap();
        assert_eq!((payment.status, payment.authorized), (PaymentStatus::Unknown, 0));
        assert!(payment.is_mismatched());
        let told = Failure::mismatch(payment.money(100), payment.money(99));
        assert_eq!(payment.failure, Some(told.clone()));
        assert_eq!(payment.due_at, Some(NOW.after(Duration::from_secs(5))));
        // A look-up without an answer takes nothing back.
        payment.conclude_authorization(&Verdict::Unknown { why: "timeout".into() }, &Policy::default(), NOW).unwrap();
        assert_eq!((payment.is_mismatched(), payment.failure), (true, Some(told)));
    }

    #[test]
    fn an_unknown_outcome_climbs_the_ladder_and_absence_counts_from_the_second_asking() {
        let mut payment = authorizing();
        payment.conclude_authorization(&Verdict::Unknown { why: "timeout".into() }, &Policy::default(), NOW).unwrap();
        assert_eq!(payment.due_at, Some(NOW.after(Duration::from_secs(5))));
        payment.conclude_authorization(&Verdict::Absent, &Policy::default(), NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::Unknown);
        assert_eq!(payment.due_at, Some(NOW.after(Duration::from_secs(30))));
        payment.conclude_authorization(&Verdict::Absent, &Policy::default(), NOW).unwrap();
        assert_eq!((payment.status, payment.due_at), (PaymentStatus::Failed, None));
        assert_eq!(payment.failure, Some(FailureCode::NotSent.into()));
    }

    #[test]
    fn what_a_crash_left_behind_has_failed_at_the_second_asking() {
        let (mut payment, policy) = (authorizing(), Policy::default());
        payment.conclude_authorization(&Verdict::Absent, &policy, NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::Unknown);
        assert_eq!(payment.due_at, Some(NOW.after(Duration::from_secs(30))));
        payment.conclude_authorization(&Verdict::Absent, &policy, NOW).unwrap();
        assert!(payment.is_not_sent());
    }

    #[test]
    fn nothing_sent_is_no_decline() {
        let mut payment = authorizing();
        payment.conclude_authorization(&Verdict::NotSent { why: "refused".into() }, &Policy::default(), NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::Unknown);

        let mut payment = authorizing();
        payment.conclude_authorization(&Verdict::Unknown { why: "timeout".into() }, &Policy::default(), NOW).unwrap();
        payment.conclude_authorization(&Verdict::NotSent { why: "refused".into() }, &Policy::default(), NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::Unknown);
    }

    #[test]
    fn captures_fit_what_was_authorized() {
        let mut payment = authorizing();
        assert!(matches!(payment.request_capture(None, NOW), Err(Refusal::StateConflict { .. })));
        payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
        for wrong in [101, 0, -1, i64::MAX] {
            let refused = payment.request_capture(Some(wrong), NOW);
            assert_eq!(refused, Err(Refusal::CaptureExceedsAuthorized { capturable: 100 }), "{wrong}");
        }
        assert_eq!(payment.request_capture(Some(60), NOW), Ok(60));
        payment.capture_done(NOW).unwrap();
        assert_eq!((payment.captured, payment.capturable(), payment.refundable()), (60, 0, 60));
        assert!(payment.void(NOW).is_err());
    }

    #[test]
    fn a_capture_that_failed_can_be_made_again_or_given_up() {
        let failed = || {
            let mut payment = authorizing();
            payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
            payment.request_capture(Some(60), NOW).unwrap();
            assert_eq!(payment.capture_number(), 1);
            payment.capture_failed(Failure::refused("declined"), NOW).unwrap();
            payment
        };
        let end = NOW.after(Policy::default().capture_window);
        assert_eq!((failed().capturable(), failed().capture_number(), failed().due_at), (100, 2, Some(end)));
        let mut again = failed();
        assert_eq!(again.request_capture(None, NOW), Ok(100));
        assert_eq!((&again.failure, again.due_at), (&None, None));
        again.capture_done(NOW).unwrap();
        assert_eq!((again.status, again.captured), (PaymentStatus::Captured, 100));
        let mut voided = failed();
        voided.void(NOW).unwrap();
        assert_eq!((voided.status, voided.due_at), (PaymentStatus::Voided, None));
        let mut left = failed();
        assert!(left.expire(Timestamp(end.0 - 1)).is_err());
        left.expire(end).unwrap();
        assert_eq!(left.status, PaymentStatus::Voided);
    }

    #[test]
    fn nothing_is_captured_after_its_time() {
        let mut payment = authorizing();
        payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
        let end = NOW.after(Policy::default().capture_window);
        let late = payment.request_capture(None, end);
        assert_eq!(late, Err(Refusal::StateConflict { status: PaymentStatus::Expired }));
        assert_eq!(payment.clone().request_capture(None, Timestamp(end.0 - 1)), Ok(100));
        payment.request_capture(None, NOW).unwrap();
        payment.capture_failed(Failure::refused("declined"), NOW).unwrap();
        let late = payment.request_capture(None, end);
        assert_eq!(late, Err(Refusal::StateConflict { status: PaymentStatus::Voided }));
    }

    #[test]
    fn refunds_that_wait_fit_the_capture_under_way() {
        let mut payment = authorizing();
        payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
        let waiting = |amount| WaitingRefund {
            id: RefundId::from_stored(amount),
            amount,
            reason: None,
            requested_at: NOW,
            trace: crate::domain::testing::TRACE,
        };
        assert!(matches!(payment.wait_to_refund(waiting(10)), Err(Refusal::StateConflict { .. })));
        payment.request_capture(Some(60), NOW).unwrap();
        payment.wait_to_refund(waiting(40)).unwrap();
        assert_eq!(payment.wait_to_refund(waiting(21)), Err(Refusal::RefundExceedsCaptured { refundable: 20 }));
        assert_eq!((payment.amount_to_refund(None), payment.refund_pending, payment.is_sound()), (Ok(20), 0, true));
        for _ in 1..REFUNDS_WAITING_MAX {
            payment.wait_to_refund(waiting(1)).unwrap();
        }
        assert!(matches!(payment.wait_to_refund(waiting(1)), Err(Refusal::StateConflict { .. })));
        payment.capture_pending = 58;
        assert!(!payment.is_sound());
    }

    #[test]
    fn refunds_fit_what_was_captured_and_the_status_follows() {
        let mut payment = captured();
        assert_eq!(payment.request_refund(Some(60), NOW), Ok(60));
        let refused = payment.request_refund(Some(60), NOW);
        assert_eq!(refused, Err(Refusal::RefundExceedsCaptured { refundable: 40 }));
        assert_eq!(payment.request_refund(Some(10), NOW), Ok(10));
        payment.refund_done(60, NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::RefundRequested);
        payment.refund_failed(10, NOW).unwrap();
        assert_eq!(payment.status, PaymentStatus::PartiallyRefunded);
        assert_eq!(payment.request_refund(None, NOW), Ok(40));
        payment.refund_done(40, NOW).unwrap();
        assert_eq!((payment.status, payment.refunded), (PaymentStatus::Refunded, 100));
    }

    #[test]
    fn a_first_refund_that_fails_leaves_the_payment_captured() {
        let mut payment = captured();
        payment.request_refund(None, NOW).unwrap();
        payment.refund_failed(100, NOW).unwrap();
        assert_eq!((payment.status, payment.refundable()), (PaymentStatus::Captured, 100));
    }

    #[test]
    fn authorizations_expire_after_seven_days_and_not_before() {
        let mut payment = authorizing();
        payment.conclude_authorization(&approved(100), &Policy::default(), NOW).unwrap();
        let end = NOW.after(Policy::default().capture_window);
        assert!(payment.expire(Timestamp(end.0 - 1)).is_err());
        payment.expire(end).unwrap();
        assert_eq!((payment.status, payment.capturable()), (PaymentStatus::Expired, 0));
    }
}
