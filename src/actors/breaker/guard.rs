//! How callers use a breaker: permit, call and report, in a form in which the report cannot be forgotten.

use std::time::Duration;

use tokio::time::Instant;

use super::{Breaker, BreakerMessage, CallOutcome, Permit, Refused};
use crate::runtime::{AskError, Clock, Handle};

/// Why a call was not made: nothing has reached the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BreakerError {
    /// The breaker refuses calls for now.
    #[error("the breaker refuses")]
    Refused {
        /// As in [`Refused`].
        retry_after: Option<Duration>,
    },
    /// The breaker itself did not answer.
    #[error("the breaker does not answer: {0}")]
    Ask(#[from] AskError),
}

impl From<Refused> for BreakerError {
    fn from(refused: Refused) -> Self {
        Self::Refused { retry_after: refused.retry_after }
    }
}

/// Makes one call through a breaker. The outer error means that the call was not begun.
///
/// `outcome` tells whether the result speaks against the dependency's health; a decline does not. A call that is
/// dropped midway, or panics, is reported as a failure.
pub async fn guarded<T, E>(
    breaker: &Handle<Breaker>,
    clock: &Clock,
    call: impl Future<Output = Result<T, E>>,
    outcome: impl Fn(&Result<T, E>) -> CallOutcome,
) -> Result<Result<T, E>, BreakerError> {
    let permit = breaker.ask(|reply| BreakerMessage::Permit { reply }).await??;
    let mut reporter =
        Reporter { breaker, clock, begun: clock.instant(), permit: Some(permit), outcome: CallOutcome::Failure };
    let result = call.await;
    reporter.outcome = outcome(&result);
    Ok(result)
}

impl CallOutcome {
    /// An error is a failure.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Success } else { Self::Failure }
    }
}

/// Whether a call would be refused now, for callers that would otherwise prepare it in vain. It takes no permit, so the
/// call itself may still be refused.
pub async fn peek(breaker: &Handle<Breaker>) -> Result<(), BreakerError> {
    Ok(breaker.ask(|reply| BreakerMessage::Peek { reply }).await??)
}

/// Reports when it is dropped, for whatever reason.
struct Reporter<'a> {
    breaker: &'a Handle<Breaker>,
    clock: &'a Clock,
    begun: Instant,
    permit: Option<Permit>,
    outcome: CallOutcome,
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let took = self.clock.instant().saturating_duration_since(self.begun);
        let report = BreakerMessage::Report { permit, outcome: self.outcome, took };
        // A full mailbox loses the report: the count lacks one call, and the circuit gives up a trial call by itself.
        if let Err(error) = self.breaker.tell(report) {
            tracing::debug!(%error, "call not reported to its breaker");
        }
    }
}
