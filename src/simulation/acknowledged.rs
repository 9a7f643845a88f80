//! What outlives a client: what it was told.

use crate::domain::{PaymentId, RefundId};

/// What a client was told for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    Authorized {
        id: PaymentId,
    },
    Declined {
        id: PaymentId,
    },
    /// It never reached the PSP.
    NotSent {
        id: PaymentId,
    },
    CaptureRequested {
        id: PaymentId,
    },
    Voided {
        id: PaymentId,
    },
    RefundRequested {
        refund_id: RefundId,
    },
    /// An action of an operator, by its target.
    Noted {
        target: String,
    },
    /// What no state of the cluster explains.
    Absurd(String),
}
