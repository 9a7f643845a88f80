//! Retrier: tries again what is owed to the PSP and due: after a try that failed, or when its event never came.
//! Receives: a tick, heeded where it has the tenure.   Sends: attempts to the shard writer.
//! Durable: the request holds tries and the next time (exponential backoff with jitter).   In memory: nothing.
//! A panic costs nothing: what is due stays due. While the PSP's breaker is open nothing is tried and no try is
//! counted. Limit: `requests.batch_max` requests at once; after `requests.tries_max` tries a request fails and is a
//! dead letter.

use futures_util::future::join_all;

use super::lease_guard::LeaseGuard;
use super::psp_work::{PspWork, Subject};
use super::shard_writer::WriteError;
use super::shards::Shard;
use crate::domain::request::PspRequest;
use crate::domain::{PaymentId, Timestamp};
use crate::infra::database::DatabaseError;
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::{Actor, Context, Failure, Never, Wake};

/// See the file's header. One works on a shard's captures and voids, another on its refunds.
pub struct Retrier {
    work: PspWork,
    shard: Shard,
    lease_guard: LeaseGuard,
    is_for_refunds: bool,
    batch_max: usize,
}

impl Retrier {
    /// Retries what is due on `shard`, while it has the `lease_guard`.
    pub fn new(work: PspWork, shard: Shard, lease_guard: LeaseGuard, is_for_refunds: bool, batch_max: usize) -> Self {
        Self { work, shard, lease_guard, is_for_refunds, batch_max }
    }

    /// Tries what is due. Returns whether there may be more.
    async fn retry(&self, ctx: &Context) -> Result<bool, DatabaseError> {
        let now = Timestamp(ctx.clock().now_ms());
        let due = self.shard.database.requests_due(now, self.is_for_refunds, self.batch_max as u64).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let ids: Vec<PaymentId> = due.iter().map(|request| request.payment_id).collect();
        let payments = self.shard.database.readable_payments(&ids).await?;
        let tries = due.iter().map(async |request: &PspRequest| {
            let Some(payment) = payments.iter().find(|payment| payment.id == request.payment_id) else {
                self.shard.database.set_request_aside(request);
                return None;
            };
            let subject = Subject {
                merchant_id: payment.merchant_id.clone(),
                authorization: payment.psp_reference.clone().unwrap_or_default(),
            };
            let attempt = self.work.attempt(&self.shard, request, subject, None, request.trace, ctx);
            let attempted = in_trace(request.trace, attempt).await;
            // What the shard refuses now it refuses in half a second too, and the PSP would be asked each time.
            if matches!(attempted, Some(Err(WriteError::Refused))) {
                self.shard.database.set_request_aside(request);
            }
            attempted
        });
        let tried = join_all(tries).await;
        // With none tried or none written there is an outage: the next tick is soon enough.
        Ok(due.len() == self.batch_max && tried.iter().flatten().any(Result::is_ok))
    }
}

impl Actor for Retrier {
    type Message = Never;

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        if !self.lease_guard.is_to_work(ctx.clock().instant()) {
            return Ok(Wake::Idle);
        }
        match self.retry(ctx).await {
            Ok(true) => Ok(Wake::Again),
            Ok(false) => Ok(Wake::Idle),
            Err(error) => {
                tracing::warn!(shard.id = self.shard.database.id.0, %error, "retries put off");
                Ok(Wake::Idle)
            }
        }
    }
}
