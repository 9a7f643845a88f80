//! PSP worker: has the PSP do what is owed to it, as the events ask. One works for settlement (captures, and what is
//! voided or has expired), another for refunds.
//! Receives: `payment.capture-requested` and `payment.voided`, or `payment.refund-requested`.
//! Sends: attempts to the shard writer.
//! Durable: the request, the payment, the refund and the event that tells of them move in one transaction.
//! In memory: nothing. Stops with its event worker; a panic has the events delivered again, and the PSP's key makes
//! what is asked twice one. Limit: `requests.batch_max` events of a partition at once.

use super::event_handler::{EventHandler, EventOutcome};
use super::psp_work::PspWork;
use crate::domain::event::Consumer;
use crate::infra::event_log::Delivery;
use crate::runtime::Context;

/// See the file's header.
#[derive(Clone)]
pub struct PspWorker {
    pub work: PspWork,
    /// Settlement or refunds.
    pub consumer: Consumer,
}

impl EventHandler for PspWorker {
    fn consumer(&self) -> Consumer {
        self.consumer
    }

    async fn apply(&self, deliveries: &[Delivery], ctx: &Context) -> Vec<EventOutcome> {
        self.work.apply(self.consumer, deliveries, ctx).await
    }
}
