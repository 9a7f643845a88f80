//! Settlement: has the PSP capture what merchants asked to capture, and release what they voided or let expire.
//! Receives: `payment.capture-requested` and `payment.voided`.   Sends: attempts to the shard writer.
//! Durable: the request, the payment and `payment.captured` move in one transaction.   In memory: nothing.
//! Stops with its event worker; a panic has the events delivered again, and the PSP's key makes the capture one
//! capture. Limit: `requests.batch_max` events of a partition at once.

use super::event_handler::{EventHandler, EventOutcome};
use super::psp_work::PspWork;
use crate::domain::event::Consumer;
use crate::infra::event_log::Delivery;
use crate::runtime::Context;

/// See the file's header.
#[derive(Clone)]
pub struct Settlement(pub PspWork);

impl EventHandler for Settlement {
    const CONSUMER: Consumer = Consumer::Settlement;

    async fn apply(&self, deliveries: &[Delivery], ctx: &Context) -> Vec<EventOutcome> {
        self.0.apply(Self::CONSUMER, deliveries, ctx).await
    }
}
