//! Resolver: settles authorizations whose outcome is unknown, and ends those whose time to capture has passed.
//! A step of a job: see `job`.   Sends: conclusions and expiries to the shard writer.
//! Durable: the payment holds when it is due and how often it was asked about (5 s, 30 s, 5 min, 1 h, 1 day).
//! In memory: how far it has come in what is due, so that payments which cannot be settled now hold up none behind
//! them. A panic costs nothing: what is due stays due. It only asks the PSP by key, it never authorizes. Limit:
//! `batch_max` payments at once.

use futures_util::future::join_all;

use super::guarded_psp::GuardedPsp;
use super::job::{Step, StepDone, StepFailure};
use super::shard_writer::WriteError;
use super::shards::Shard;
use crate::domain::commands::{ExpireAuthorization, RecordPspOutcome};
use crate::domain::payment::{Payment, PaymentStatus, Refusal};
use crate::domain::psp::PspKey;
use crate::domain::{Timestamp, TraceContext};
use crate::infra::database::{DatabaseError, DuePlace};
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::{Context, Failure};

/// See the file's header.
pub struct Resolver {
    shard: Shard,
    psp: GuardedPsp,
    batch_max: u64,
    /// The last payment of the previous batch, if there were more behind it.
    place: Option<DuePlace>,
}

impl Resolver {
    /// Resolves what is due on `shard`.
    pub fn new(shard: Shard, psp: GuardedPsp, batch_max: u64) -> Self {
        Self { shard, psp, batch_max, place: None }
    }

    /// Looks at the next payments that are due. It continues at once if there may be more and something was written:
    /// else there is an outage.
    async fn resolve_due(&mut self, ctx: &Context) -> Result<StepDone, DatabaseError> {
        let now = Timestamp(ctx.clock().now_ms());
        let due = self.shard.database.payments_due(now, self.place, self.batch_max).await?;
        let is_in_doubt = ctx.clock().doubt().is_some();
        let resolved = join_all(due.iter().map(|payment| self.resolve(payment, is_in_doubt, ctx))).await;
        let last = due.last().filter(|_| due.len() as u64 == self.batch_max);
        self.place = last.and_then(|payment| Some((payment.due_at?, payment.id)));
        let count = resolved.iter().filter(|is_resolved| **is_resolved).count() as u64;
        Ok(StepDone { count, again: self.place.is_some() && count > 0 })
    }

    /// Settles one payment if possible; returns whether something was written.
    async fn resolve(&self, payment: &Payment, is_in_doubt: bool, ctx: &Context) -> bool {
        if is_in_doubt && matches!(payment.status, PaymentStatus::Authorized | PaymentStatus::CaptureFailed) {
            // An expiry cannot be taken back: it waits for a clock that is believed, and takes no other payment's place
            // meanwhile.
            self.shard.database.set_aside("payment", payment.id.get());
            return false;
        }
        let trace = TraceContext::opened(ctx.chance().u64(), ctx.chance().u64(), ctx.chance().u64());
        in_trace(trace, self.settle(payment, trace)).await
    }

    async fn settle(&self, payment: &Payment, trace: TraceContext) -> bool {
        match payment.status {
            PaymentStatus::Authorized | PaymentStatus::CaptureFailed => {
                let expiry = ExpireAuthorization { payment_id: payment.id, trace };
                self.is_settled(payment, self.shard.write(expiry).await)
            }
            PaymentStatus::Authorizing | PaymentStatus::Unknown => {
                let Ok(found) = self.psp.lookup(&PspKey::authorize(payment.id), trace).await else { return false };
                if payment.is_mismatched() {
                    tracing::error!(
                        payment.id = %payment.id,
                        payment.attempts = payment.attempts,
                        "payment held: the psp approved another amount or currency than was asked"
                    );
                }
                let conclusion = RecordPspOutcome {
                    payment_id: payment.id,
                    key_hash: payment.key_hash,
                    verdict: found.verdict,
                    looked_up_at: Some(payment.attempts),
                    took_ms: found.took_ms,
                    request_id: format!("resolver-{}-{}", payment.id, payment.attempts),
                    trace,
                };
                self.is_settled(payment, self.shard.write(conclusion).await)
            }
            _ => false,
        }
    }

    /// Returns whether something was written. What the shard refuses waits a while, because it would refuse it at the
    /// next tick too.
    fn is_settled<T>(&self, payment: &Payment, written: Result<Result<T, Refusal>, WriteError>) -> bool {
        if written.as_ref().is_err_and(|error| *error == WriteError::Refused) {
            self.shard.database.set_aside("payment", payment.id.get());
        }
        matches!(written, Ok(Ok(_)))
    }
}

impl Step for Resolver {
    async fn step(&mut self, ctx: &Context) -> Result<StepDone, StepFailure> {
        Ok(self.resolve_due(ctx).await.map_err(Failure::new)?)
    }
}
