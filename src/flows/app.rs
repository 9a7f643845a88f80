//! Everything that a call needs, put together by the node.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::SpanKind;
use parking_lot::Mutex;

use super::idempotency_meter::IdempotencyMeter;
use super::{CallResult, Conditions, FlowError, Operations, Quota, Response};
use crate::actors::admission::{Admission, AdmissionPermit, Priority};
use crate::actors::guarded_psp::GuardedPsp;
use crate::actors::idempotency_cache::IdempotencyCache;
use crate::actors::rate_limiter::{self, RateLimiter, limited};
use crate::actors::row_reader::RowReader;
use crate::actors::shard_writer::WriteError;
use crate::actors::shards::Shards;
use crate::config::{Role, Roles};
use crate::domain::key::{KeyHash, PaymentOperation};
use crate::domain::policy::Policy;
use crate::domain::{Bucket, IdGenerator, PaymentId, Timestamp, TraceContext};
use crate::infra::data_guard::DataFiles;
use crate::infra::telemetry::logs::in_trace;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Chance, Clock, Executor, Handle, LocalExecutor};

/// The flows' one argument; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    /// What this node does of the whole.
    pub roles: Roles,
    pub clock: Clock,
    pub chance: Chance,
    /// Where calls are worked on.
    pub executor: Executor,
    /// How long a call may take; past it nobody knows what becomes of it.
    pub patience: Duration,
    pub policy: Arc<Policy>,
    /// Makes the payments' ids, for all threads.
    pub ids: Mutex<IdGenerator>,
    pub shards: Shards,
    /// Whom to ask for payments as they are, in the shards' order.
    pub readers: Vec<Handle<RowReader<PaymentId>>>,
    /// Whom to ask for recorded answers, in the shards' order.
    pub claim_readers: Vec<Handle<RowReader<KeyHash>>>,
    /// The shards' doors for new work.
    pub admission: Admission,
    pub limiter: Handle<RateLimiter>,
    pub cache: Handle<IdempotencyCache>,
    pub idempotency: IdempotencyMeter,
    pub psp: GuardedPsp,
    pub conditions: Conditions,
    pub operations: Operations,
    /// What is beside the shards in the data directory.
    pub files: DataFiles,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether this node takes requests for payments.
    pub fn takes_payments(&self) -> bool {
        self.roles.has(Role::Ingest)
    }

    /// The largest amount of one payment, in the currency's minor unit.
    pub fn amount_max(&self) -> i64 {
        self.policy.amount_max
    }

    /// Lets a call about this bucket in, or refuses it because of what there is to do already, or because the shard's
    /// data are lost: nothing remembered of them is said any more. Asks nobody, so that a refusal costs next to
    /// nothing.
    pub fn admit(&self, bucket: Bucket, work: Priority) -> Result<AdmissionPermit, FlowError> {
        if self.shards.of(bucket).database.is_lost() {
            return Err(WriteError::Unavailable.into());
        }
        Ok(self.admission.admit(bucket, work)?)
    }

    /// Works on a call among the actors that it asks, to its end even if the caller leaves. None when that failed, or
    /// takes too long: repeating the call under its key finds out.
    pub async fn perform<W>(
        &self,
        local_executor: &LocalExecutor,
        trace: TraceContext,
        call: impl FnOnce(Self) -> W,
    ) -> Option<CallResult>
    where
        W: Future<Output = CallResult> + Send + 'static,
    {
        tokio::time::timeout(self.patience, local_executor.run(in_trace(trace, call(self.clone()))))
            .await
            .ok()
            .flatten()
    }

    /// Joins the caller's trace, or begins one.
    pub fn open_trace(&self, parent: Option<TraceContext>) -> TraceContext {
        let span = self.chance.u64();
        match parent {
            Some(parent) => TraceContext { span_id: span | 1, ..parent },
            None => TraceContext::opened(self.chance.u64(), self.chance.u64(), span),
        }
    }

    /// A name for a request that came without one.
    pub fn new_request_id(&self) -> String {
        format!("req_{:016x}", self.chance.u64())
    }

    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }

    pub(super) fn new_payment_id(&self, merchant_id: &str) -> PaymentId {
        self.ids.lock().next(self.now(), Bucket::of_merchant(merchant_id))
    }

    /// Takes one call from the merchant's limit. A limiter that is itself down or overloaded limits nobody: it guards
    /// against merchants, and the mailboxes behind it guard the node.
    pub(super) async fn take_quota(
        &self,
        merchant_id: &str,
        operation: PaymentOperation,
        trace: TraceContext,
    ) -> (Option<Quota>, Result<(), FlowError>) {
        let _span = Span::begin(trace, SpanKind::Internal, || "rate_limiter take");
        let taken = rate_limiter::take(&self.limiter, merchant_id, limited(operation)).await;
        let Ok(taken) = taken else { return (None, Ok(())) };
        let quota = Quota {
            limit: taken.limit,
            window: Duration::from_secs(60),
            remaining: taken.remaining,
            reset: taken.reset,
        };
        let verdict = if taken.allowed { Ok(()) } else { Err(FlowError::RateLimited { retry_after: taken.reset }) };
        (Some(quota), verdict)
    }

    /// Gives back what a call took that turned out to be a repetition. Whoever asks does not wait for it.
    pub(super) fn give_quota_back(&self, merchant_id: &str, operation: PaymentOperation, quota: &mut Option<Quota>) {
        if let Some(quota) = quota {
            rate_limiter::give_back(&self.limiter, merchant_id, limited(operation));
            quota.remaining = quota.remaining.saturating_add(1).min(quota.limit);
        }
    }
}

/// Whether a key's first call is answered once more, or is still under way: nothing is done for this one.
pub(super) fn is_repetition(result: &Result<Response, FlowError>) -> bool {
    match result {
        Ok(answer) => answer.replayed,
        Err(error) => matches!(error, FlowError::KeyInProgress),
    }
}
