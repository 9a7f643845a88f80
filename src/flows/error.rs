//! Why a call has no outcome.

use std::time::Duration;

use crate::actors::breaker::BreakerError;
use crate::actors::row_reader::ReadError;
use crate::actors::shard_writer::WriteError;
use crate::domain::PaymentId;
use crate::infra::control::ControlError;
use crate::infra::database::DatabaseError;
use crate::runtime::AskError;

/// A call that was refused or failed. No answer of it is stored, and only [`FlowError::OutcomeUnknown`] may have had an
/// effect: repeating the call with the same key is safe in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    #[error("the merchant's rate limit is used up")]
    RateLimited { retry_after: Duration },
    #[error("the key's first call is still running")]
    KeyInProgress,
    #[error("the key was used for another request")]
    KeyReused,
    #[error("no such payment")]
    PaymentNotFound,
    #[error("no such refund")]
    RefundNotFound,
    /// Another payment of the merchant has the reference that was to be unique: nothing was written, and nobody asked.
    #[error("{payment_id} has the reference")]
    ReferenceUsed { payment_id: PaymentId },
    /// More has been booked since than is summed up for one call.
    #[error("too much was booked since")]
    BalanceTooOld,
    /// The PSP's breaker is open: nothing was sent, and the key is free.
    #[error("the psp is unavailable")]
    PspUnavailable { retry_after: Option<Duration> },
    /// The PSP refused the connection: nothing was sent, and the key is free.
    #[error("the psp cannot be reached")]
    PspNotReached { retry_after: Duration },
    #[error("too much is waiting")]
    Overloaded { retry_after: Duration },
    #[error("the merchant's shard is unavailable")]
    ShardUnavailable { retry_after: Duration },
    /// The shard cannot write to its disk, or a commit failed; nothing was written.
    #[error("the shard's storage cannot write")]
    StorageUnavailable { retry_after: Duration },
    /// The control store is away. No payment needs it.
    #[error("the control store is unavailable")]
    ControlUnavailable { retry_after: Duration },
    /// It was interrupted with the work in hand, which may or may not be done: repeating it with its key finds out.
    #[error("interrupted with the work in hand")]
    OutcomeUnknown,
    /// A row cannot be read, or the fault is Rialto's: repeating the call changes nothing.
    #[error("it cannot be done")]
    Internal,
    /// The payment's texts are more than its database takes: nothing was written, and nobody asked.
    #[error("the payment's texts are too large for its database")]
    TextsTooLarge,
}

/// When to come back to a shard whose database is down: about as long as it takes to notice that it is up again.
const SHARD_RETRY_AFTER: Duration = Duration::from_secs(5);
/// When to come back to the control store: about as often as it is looked at.
const CONTROL_RETRY_AFTER: Duration = Duration::from_secs(5);
/// When to read again what was interrupted: a fresh reader is there at once.
const READ_RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<WriteError> for FlowError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            WriteError::Unavailable => Self::ShardUnavailable { retry_after: SHARD_RETRY_AFTER },
            WriteError::Storage => Self::StorageUnavailable { retry_after: SHARD_RETRY_AFTER },
            WriteError::Interrupted => Self::OutcomeUnknown,
            WriteError::Refused => Self::Internal,
        }
    }
}

impl From<AskError> for FlowError {
    fn from(error: AskError) -> Self {
        WriteError::from(error).into()
    }
}

impl From<ReadError> for FlowError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => Self::ShardUnavailable { retry_after: SHARD_RETRY_AFTER },
            ReadError::Failed => Self::Internal,
            // A reading that was interrupted has no outcome to find out about.
            ReadError::Ask(AskError::Interrupted | AskError::DeadlineExceeded) => {
                Self::Overloaded { retry_after: READ_RETRY_AFTER }
            }
            ReadError::Ask(error) => error.into(),
        }
    }
}

impl From<DatabaseError> for FlowError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(_) => Self::ShardUnavailable { retry_after: SHARD_RETRY_AFTER },
            DatabaseError::Storage(_) => Self::StorageUnavailable { retry_after: SHARD_RETRY_AFTER },
            other => {
                tracing::error!(error = %other, "read failed");
                Self::Internal
            }
        }
    }
}

impl From<ControlError> for FlowError {
    fn from(error: ControlError) -> Self {
        tracing::warn!(%error, "control store cannot be read");
        Self::ControlUnavailable { retry_after: CONTROL_RETRY_AFTER }
    }
}

impl From<BreakerError> for FlowError {
    fn from(error: BreakerError) -> Self {
        match error {
            BreakerError::Refused { retry_after } => Self::PspUnavailable { retry_after },
            // Nothing is sent without the breaker's word.
            BreakerError::Ask(AskError::Interrupted | AskError::DeadlineExceeded) => {
                Self::PspUnavailable { retry_after: Some(READ_RETRY_AFTER) }
            }
            BreakerError::Ask(error) => error.into(),
        }
    }
}
