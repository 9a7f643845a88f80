//! Ledger writer: books what was captured and refunded, as far as the shard's own rows bear it out.
//! Receives: `payment.captured` and `payment.refunded`.   Sends: postings to the shard writer.
//! Durable: entry, balances and the event's id in one transaction, so that an event is booked once.   In memory: nothing.
//! Stops with its event worker; a panic has the events delivered again and booked once.
//! Limit: `requests.batch_max` events of a partition at once.

use futures_util::future::join_all;

use super::shard_writer::WriteError;
use super::shards::Shards;
use super::work::{Applied, Work, read, trace_of};
use crate::domain::command::{Posting, PostingAnew, PostingError};
use crate::domain::event::{Consumer, Topic};
use crate::domain::ledger::Unbookable;
use crate::infra::event_log::Delivery;
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::Context;

/// The event is none that the shard has told.
const UNPROVEN: PostingError = PostingError::Unbookable(Unbookable::Unproven);

/// See the file's header.
#[derive(Clone)]
pub struct LedgerWriter(pub Shards);

impl Work for LedgerWriter {
    const CONSUMER: Consumer = Consumer::Ledger;

    async fn apply(&self, deliveries: &[Delivery], _: &Context) -> Vec<Applied> {
        join_all(deliveries.iter().map(|delivery| in_trace(trace_of(delivery), self.book(delivery)))).await
    }
}

impl LedgerWriter {
    async fn book(&self, delivery: &Delivery) -> Applied {
        let (event_id, data) = match read(delivery) {
            Ok(event) => event,
            Err(unreadable) => return unreadable,
        };
        let Some(topic) = Topic::parse(delivery.record.topic) else {
            return Applied::never("topic_unknown", delivery.record.topic);
        };
        let shard = self.0.of(data.payment_id.bucket());
        let posting = Posting { event_id, topic, data, trace: trace_of(delivery) };
        let mut booked = shard.write(posting.clone()).await;
        if matches!(booked, Ok(Err(UNPROVEN))) {
            // The rows that this process knows may be older than the event.
            booked = shard.write(PostingAnew(posting)).await;
        }
        match booked {
            Ok(Ok(_)) => Applied::Done,
            Ok(Err(error @ UNPROVEN)) => Applied::never("event_unproven", error.to_string()),
            Ok(Err(error)) => Applied::never("unbookable", error.to_string()),
            Err(WriteError::Refused) => Applied::never("refused", "the shard refuses the entry"),
            Err(_) => Applied::Later,
        }
    }
}
