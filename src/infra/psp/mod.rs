//! The port to a payment service provider: it moves the money, and may refuse, be slow, or leave the outcome unknown.

pub mod http;
pub mod simulator;

use async_trait::async_trait;

use crate::domain::psp::{PspKey, Verdict};
use crate::domain::{Money, PaymentId};

/// What the PSP is asked to do. `authorization` is the reference that it gave when it approved the authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Reserve the money.
    Authorize,
    /// Take the money, or a part and release the rest.
    Capture { authorization: String },
    /// Release the money.
    Void { authorization: String },
    /// Give captured money back, or a part.
    Refund { authorization: String },
}

impl Action {
    /// The action's name in the books and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Refund { .. } => "refund",
        }
    }

    /// The authorization that it refers to, unless it makes one.
    pub fn authorization(&self) -> Option<&str> {
        match self {
            Self::Authorize => None,
            Self::Capture { authorization } | Self::Void { authorization } | Self::Refund { authorization } => {
                Some(authorization)
            }
        }
    }
}

/// One request to the PSP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PspOperation {
    pub key: PspKey,
    pub payment_id: PaymentId,
    pub merchant_id: String,
    /// How much; for a void, what was authorized.
    pub money: Money,
    pub action: Action,
}

/// The PSP's decision; it stays the same for the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PspAnswer {
    /// Done, for this much: the caller compares it with what was asked.
    Approved {
        /// The PSP's name for what was done.
        reference: String,
        money: Money,
    },
    /// Refused for good; nothing was done.
    Declined {
        /// A short code, such as `insufficient_funds`.
        reason: String,
    },
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PspError {
    /// Nothing reached the PSP, so nothing was done: safe to try again.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Sent, but the answer is lost or invalid: it may have been done. Ask with [`Psp::lookup`].
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// A payment service provider.
#[async_trait]
pub trait Psp: Send + Sync {
    /// Does the operation once per key, however often it is asked. It has no time limit of its own; for a caller that
    /// stops waiting the outcome is unknown, as after [`PspError::Unknown`].
    async fn perform(&self, operation: &PspOperation) -> Result<PspAnswer, PspError>;

    /// The decision under the key; `None` if no such operation reached the PSP.
    async fn lookup(&self, key: &PspKey) -> Result<Option<PspAnswer>, PspError>;
}

/// The domain's outcome of an operation.
impl From<Result<PspAnswer, PspError>> for Verdict {
    fn from(performed: Result<PspAnswer, PspError>) -> Self {
        match performed {
            Ok(answer) => answer.into(),
            Err(PspError::NotSent(why)) => Self::NotSent { why },
            Err(PspError::Unknown(why)) => Self::Unknown { why },
        }
    }
}

impl From<PspAnswer> for Verdict {
    fn from(answer: PspAnswer) -> Self {
        match answer {
            PspAnswer::Approved { reference, money } => Self::Approved { reference, money },
            PspAnswer::Declined { reason } => Self::Declined { reason },
        }
    }
}

/// The domain's outcome of a lookup. A lookup that was not sent says nothing about the operation: its outcome stays
/// unknown.
pub fn looked_up(found: Result<Option<PspAnswer>, PspError>) -> Verdict {
    match found {
        Ok(Some(answer)) => answer.into(),
        Ok(None) => Verdict::Absent,
        Err(error) => Verdict::Unknown { why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_lookup_never_means_operation_not_sent() {
        let not_sent = || PspError::NotSent("connection refused".into());
        assert_eq!(Verdict::from(Err(not_sent())), Verdict::NotSent { why: "connection refused".into() });
        assert!(matches!(looked_up(Err(not_sent())), Verdict::Unknown { .. }));
        assert_eq!(looked_up(Ok(None)), Verdict::Absent);
    }
}
