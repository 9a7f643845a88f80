//! The PSP behind its breaker and its deadline: the only way in which Rialto calls it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::breaker::{Breaker, BreakerError, CallOutcome, guarded, peek};
use crate::domain::TraceContext;
use crate::domain::psp::{PspKey, Verdict};
use crate::infra::psp::{Psp, PspError, PspOperation, looked_up};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Clock, DurationHistogram, Handle};

/// Calls the PSP, for flows and workers alike.
#[derive(Clone)]
pub struct GuardedPsp {
    psp: Arc<dyn Psp>,
    breakers: PspBreakers,
    clock: Clock,
    /// How long an answer is waited for; after that the outcome is unknown.
    timeout: Duration,
    calls: DurationHistogram,
}

/// The breakers. There are two because lookups can work while the PSP performs nothing new, and the other way round.
#[derive(Clone)]
pub struct PspBreakers {
    pub operations: Handle<Breaker>,
    pub lookups: Handle<Breaker>,
}

/// The PSP's answer, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub verdict: Verdict,
    pub took_ms: u64,
}

impl GuardedPsp {
    pub fn new(psp: Arc<dyn Psp>, breakers: PspBreakers, clock: Clock, timeout: Duration) -> Self {
        Self { psp, breakers, clock, timeout, calls: catalogue::PSP_CALL.to_duration_histogram() }
    }

    /// Whether the PSP would be called now; takes no trial call.
    pub async fn check(&self) -> Result<(), BreakerError> {
        peek(&self.breakers.operations).await
    }

    /// Has the PSP perform an operation. An error means that the PSP was not called.
    pub async fn perform(&self, operation: &PspOperation, trace: TraceContext) -> Result<Asked, BreakerError> {
        self.perform_again(operation, 0, trace).await
    }

    /// As [`Self::perform`], of an operation of which so many tries have failed.
    pub async fn perform_again(
        &self,
        operation: &PspOperation,
        failed: u32,
        trace: TraceContext,
    ) -> Result<Asked, BreakerError> {
        let failure = if failed == 0 { CallOutcome::Failure } else { CallOutcome::FailedAgain };
        let (breaker, call) = ((&self.breakers.operations, failure), self.psp.perform(operation));
        self.ask(breaker, operation.action.name(), trace, call, Verdict::from).await
    }

    /// Looks up the outcome of an operation. An error means that the PSP was not called.
    pub async fn lookup(&self, key: &PspKey, trace: TraceContext) -> Result<Asked, BreakerError> {
        self.ask((&self.breakers.lookups, CallOutcome::Failure), "lookup", trace, self.psp.lookup(key), looked_up).await
    }

    async fn ask<T>(
        &self,
        (breaker, failure): (&Handle<Breaker>, CallOutcome),
        operation: &'static str,
        trace: TraceContext,
        call: impl Future<Output = Result<T, PspError>>,
        verdict: impl FnOnce(Result<T, PspError>) -> Verdict,
    ) -> Result<Asked, BreakerError> {
        let mut span = Span::begin(trace, SpanKind::Client, || format!("psp {operation}"));
        let (begun, mut is_late) = (self.clock.instant(), false);
        let call = async {
            let answered = tokio::time::timeout(self.timeout, call).await;
            is_late = answered.is_err();
            answered.unwrap_or_else(|_| Err(PspError::Unknown("no answer in time".to_owned())))
        };
        // A decline is an answer: only missing answers and refused connections are failures.
        let outcome = |answer: &Result<T, PspError>| if answer.is_ok() { CallOutcome::Success } else { failure };
        let answered = guarded(breaker, &self.clock, call, outcome).await;
        let answered = answered.inspect_err(|_| span.fail("breaker_refused"))?;
        let took = self.clock.instant() - begun;
        let failure = match &answered {
            Ok(_) => None,
            Err(PspError::NotSent(_)) => Some("failed"),
            Err(PspError::Unknown(_)) if is_late => Some("timeout"),
            Err(PspError::Unknown(_)) => Some("unknown"),
        };
        let verdict = verdict(answered);
        let outcome = failure.unwrap_or(verdict.word());
        span.set("rialto.psp.outcome", outcome);
        if let Some(failure) = failure {
            span.fail(failure);
        }
        self.calls.record(took, &[KeyValue::new("operation", operation), KeyValue::new("outcome", outcome)]);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Ok(Asked { verdict, took_ms })
    }
}
