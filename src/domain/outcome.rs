//! What a caller is told: the same value is answered, stored under the idempotency key and answered again. How it is
//! written is for those who write it: the API and the store each have their own form.

use super::capture::CaptureStatus;
use super::currency::Currency;
use super::failure::Failure;
use super::id::{CaptureId, PaymentId, RefundId};
use super::payment::{Metadata, Payment, PaymentStatus, Refusal};
use super::time::Timestamp;

/// The amounts of a payment, in the currency's minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    pub authorized: i64,
    pub captured: i64,
    pub capturable: i64,
    pub refunded: i64,
    pub refundable: i64,
}

/// The capture that was asked for last, as a caller is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureSnapshot {
    pub capture_id: CaptureId,
    /// Minor units.
    pub amount: i64,
    pub status: CaptureStatus,
}

/// A payment as a caller is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSnapshot {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub status: PaymentStatus,
    pub currency: Currency,
    pub amounts: Amounts,
    /// What the merchant asked to authorize.
    pub amount: i64,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
    /// Until when it can be captured.
    pub capture_before: Option<Timestamp>,
    pub psp_reference: Option<String>,
    pub capture: Option<CaptureSnapshot>,
    pub merchant_reference: Option<String>,
    pub description: Option<String>,
    pub metadata: Metadata,
    /// Why it was declined, failed or is held.
    pub failure: Option<Failure>,
    /// One sentence for people.
    pub message: String,
}

impl From<&Payment> for PaymentSnapshot {
    fn from(payment: &Payment) -> Self {
        Self {
            payment_id: payment.id,
            merchant_id: payment.merchant_id.clone(),
            status: payment.status,
            currency: payment.currency,
            amounts: Amounts {
                authorized: payment.authorized,
                captured: payment.captured,
                capturable: payment.capturable(),
                refunded: payment.refunded,
                refundable: payment.refundable(),
            },
            amount: payment.amount,
            requested_at: payment.requested_at,
            updated_at: payment.updated_at,
            capture_before: payment.capture_before,
            psp_reference: payment.psp_reference.clone(),
            capture: payment.capture.map(|capture| CaptureSnapshot {
                capture_id: capture.id,
                amount: capture.amount,
                status: payment.capture_status(),
            }),
            merchant_reference: payment.merchant_reference.clone(),
            description: payment.description.clone(),
            metadata: payment.metadata.clone(),
            failure: failure(payment).cloned(),
            message: message(payment),
        }
    }
}

/// Why a payment stands as it does. A capture that failed is history once the payment is voided.
fn failure(payment: &Payment) -> Option<&Failure> {
    use PaymentStatus::{CaptureFailed, Declined, Failed, Unknown};
    payment.failure.as_ref().filter(|_| matches!(payment.status, CaptureFailed | Declined | Failed | Unknown))
}

/// What is said of a payment in this status; without a full stop where a reason follows.
pub fn sentence(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Authorizing => "The payment is being authorized.",
        PaymentStatus::Authorized => "The payment is authorized.",
        PaymentStatus::Declined => "The payment was declined",
        PaymentStatus::Failed => "The payment failed: it never reached the payment provider, and nothing was done.",
        PaymentStatus::Unknown => "The outcome at the payment provider is not known yet; it is being resolved.",
        PaymentStatus::CaptureRequested => "The capture is requested.",
        PaymentStatus::Captured => "The payment is captured.",
        PaymentStatus::CaptureFailed => "The capture failed",
        PaymentStatus::Voided => "The payment is voided.",
        PaymentStatus::Expired => "The authorization expired before it was captured.",
        PaymentStatus::RefundRequested => "The refund is requested.",
        PaymentStatus::PartiallyRefunded => "The payment is partially refunded.",
        PaymentStatus::Refunded => "The payment is refunded.",
    }
}

fn message(payment: &Payment) -> String {
    let text = sentence(payment.status);
    match (text.ends_with('.'), &payment.failure) {
        (true, Some(failure)) if payment.is_mismatched() => failure.message(),
        (true, _) => text.to_owned(),
        (false, Some(failure)) => format!("{text}: {}.", failure.reason()),
        (false, None) => format!("{text}."),
    }
}

/// The end of an operation's execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// It did what was asked.
    Done { payment: PaymentSnapshot, refund_id: Option<RefundId> },
    /// The PSP declined the authorization.
    Declined { payment: PaymentSnapshot, reason: String },
    /// Nothing reached the PSP, as was found out later; the payment has failed. Its key is free unless it was answered
    /// that the outcome is not known: that is what it goes on to answer.
    NotSent { payment: PaymentSnapshot },
    /// The PSP's answer is not known; the resolver will settle it.
    Pending { payment: PaymentSnapshot },
    /// The rules refused it.
    Refused { refusal: Refusal },
}

impl PaymentOutcome {
    /// What the caller of an authorization is told about the payment as it stands now.
    pub fn of_authorization(payment: &Payment) -> Self {
        let snapshot = PaymentSnapshot::from(payment);
        match payment.status {
            PaymentStatus::Failed => Self::NotSent { payment: snapshot },
            PaymentStatus::Declined => {
                let reason = payment.failure.as_ref().map(|failure| failure.reason().to_owned());
                Self::Declined { payment: snapshot, reason: reason.unwrap_or_default() }
            }
            PaymentStatus::Authorizing | PaymentStatus::Unknown => Self::Pending { payment: snapshot },
            _ => Self::Done { payment: snapshot, refund_id: None },
        }
    }
}

/// An outcome as it is stored: with the id of the request that it answered, so that a replay is the same to the letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    pub outcome: PaymentOutcome,
    pub request_id: String,
    /// Until when it is kept under its key. None if it is not: another call under the key executes.
    pub kept_until: Option<Timestamp>,
}
