//! Retrier: tries again what is owed to the PSP and due: after a try that failed, or when its event never came.
//! A step of a job: see `job`.   Sends: attempts to the shard writer.
//! Durable: the request holds tries and the next time (exponential backoff with jitter).   In memory: nothing.
//! A panic costs nothing: what is due stays due. While the PSP's breaker is open nothing is tried and no try is
//! counted. Limit: `requests.batch_max` requests at once; after `requests.tries_max` tries a request fails and is a
//! dead letter.

use futures_util::future::join_all;

use super::job::{Step, StepDone, StepFailure};
use super::psp_work::{PspWork, Subject};
use super::shard_writer::WriteError;
use super::shards::Shard;
use crate::domain::request::PspRequest;
use crate::domain::{PaymentId, Timestamp};
use crate::infra::database::DatabaseError;
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::{Context, Failure};

/// See the file's header. One works on a shard's captures and voids, another on its refunds.
pub struct Retrier {
    work: PspWork,
    shard: Shard,
    is_for_refunds: bool,
    batch_max: usize,
}

impl Retrier {
    /// Retries what is due on `shard`.
    pub fn new(work: PspWork, shard: Shard, is_for_refunds: bool, batch_max: usize) -> Self {
        Self { work, shard, is_for_refunds, batch_max }
    }

    /// Tries what is due.
    async fn retry(&self, ctx: &Context) -> Result<StepDone, DatabaseError> {
        let now = Timestamp(ctx.clock().now_ms());
        let due = self.shard.database.requests_due(now, self.is_for_refunds, self.batch_max as u64).await?;
        if due.is_empty() {
            return Ok(StepDone { count: 0, again: false });
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
            // What the shard refuses now it would refuse in half a second too, and the PSP would be asked each time.
            if matches!(attempted, Some(Err(WriteError::Refused))) {
                self.shard.database.set_request_aside(request);
            }
            attempted
        });
        let tried = join_all(tries).await;
        // If none was tried or none was written there is an outage, so the next tick is soon enough.
        let count = tried.iter().flatten().filter(|tried| tried.is_ok()).count() as u64;
        Ok(StepDone { count, again: due.len() == self.batch_max && count > 0 })
    }
}

impl Step for Retrier {
    async fn step(&mut self, ctx: &Context) -> Result<StepDone, StepFailure> {
        Ok(self.retry(ctx).await.map_err(Failure::new)?)
    }
}
