//! A refusal as it is stored.

use serde::{Deserialize, Serialize};

use crate::domain::payment::{PaymentStatus, Refusal};

/// See the module.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredRefusal {
    PaymentNotFound,
    StateConflict { status: PaymentStatus },
    CaptureExceedsAuthorized { capturable: i64 },
    RefundExceedsCaptured { refundable: i64 },
    RefundLimitReached { limit: u32 },
    AmountOverflow,
}

impl From<&Refusal> for StoredRefusal {
    fn from(refusal: &Refusal) -> Self {
        match *refusal {
            Refusal::PaymentNotFound => Self::PaymentNotFound,
            Refusal::StateConflict { status } => Self::StateConflict { status },
            Refusal::CaptureExceedsAuthorized { capturable } => Self::CaptureExceedsAuthorized { capturable },
            Refusal::RefundExceedsCaptured { refundable } => Self::RefundExceedsCaptured { refundable },
            Refusal::RefundLimitReached { limit } => Self::RefundLimitReached { limit },
            Refusal::AmountOverflow => Self::AmountOverflow,
        }
    }
}

impl From<StoredRefusal> for Refusal {
    fn from(stored: StoredRefusal) -> Self {
        match stored {
            StoredRefusal::PaymentNotFound => Self::PaymentNotFound,
            StoredRefusal::StateConflict { status } => Self::StateConflict { status },
            StoredRefusal::CaptureExceedsAuthorized { capturable } => Self::CaptureExceedsAuthorized { capturable },
            StoredRefusal::RefundExceedsCaptured { refundable } => Self::RefundExceedsCaptured { refundable },
            StoredRefusal::RefundLimitReached { limit } => Self::RefundLimitReached { limit },
            StoredRefusal::AmountOverflow => Self::AmountOverflow,
        }
    }
}
