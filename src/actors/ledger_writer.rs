//! Ledger writer: books what was captured and refunded.
//! Receives: `payment.captured` and `payment.refunded`.   Sends: postings to the shard writer.
//! Durable: entry, balances and the event's id in one transaction, so that an event is booked once.   In memory: nothing.
//! Stops with its event worker; a panic has the events delivered again and booked once.
//! Limit: `requests.batch_max` events of a partition at once.

use futures_util::future::join_all;

use super::event_worker::{Applied, Work};
use super::psp_work::read;
use super::shard_writer::WriteError;
use super::shards::Shards;
use crate::domain::command::Posting;
use crate::domain::event::{Consumer, Topic};
use crate::infra::event_log::Delivery;
use crate::runtime::Context;

/// See the file's header.
pub struct LedgerWriter(pub Shards);

impl Work for LedgerWriter {
    const CONSUMER: Consumer = Consumer::Ledger;

    async fn apply(&self, deliveries: &[Delivery], _: &Context) -> Vec<Applied> {
        join_all(deliveries.iter().map(|delivery| self.book(delivery))).await
    }
}

impl LedgerWriter {
    async fn book(&self, delivery: &Delivery) -> Applied {
        let never = |error_type, error: String| Applied::Never { error_type, error_message: error };
        let (event_id, data) = match read(delivery) {
            Ok(event) => event,
            Err(unreadable) => return unreadable,
        };
        let Some(topic) = Topic::parse(delivery.record.topic) else {
            return never("topic_unknown", delivery.record.topic.to_owned());
        };
        let shard = self.shards().of(data.payment_id.bucket());
        match shard.write(Posting { event_id, topic, data }).await {
            Ok(Ok(_)) => Applied::Done,
            Ok(Err(error)) => never("unbookable", error.to_string()),
            Err(WriteError::Refused) => never("refused", "the shard refuses the entry".to_owned()),
            Err(_) => Applied::Later,
        }
    }

    fn shards(&self) -> &Shards {
        &self.0
    }
}
