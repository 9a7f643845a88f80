//! Refund: has the PSP give back what merchants asked to refund.
//! Receives: `payment.refund-requested`.   Sends: attempts to the shard writer.
//! Durable: the request, the refund, the payment and `payment.refunded` move in one transaction.   In memory: nothing.
//! Stops with its event worker; a panic has the events delivered again, and the PSP's key makes the refund one refund.
//! Limit: `requests.batch_max` events of a partition at once.

use super::event_handler::{EventHandler, EventOutcome};
use super::psp_work::PspWork;
use crate::domain::event::Consumer;
use crate::infra::event_log::Delivery;
use crate::runtime::Context;

/// See the file's header.
#[derive(Clone)]
pub struct Refund(pub PspWork);

impl EventHandler for Refund {
    const CONSUMER: Consumer = Consumer::Refund;

    async fn apply(&self, deliveries: &[Delivery], ctx: &Context) -> Vec<EventOutcome> {
        self.0.apply(Self::CONSUMER, deliveries, ctx).await
    }
}
