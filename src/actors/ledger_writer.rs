//! Ledger writer: books what was captured and refunded, as far as the shard's own rows bear it out.
//! Receives: `payment.captured` and `payment.refunded`.   Sends: postings to the shard writer.
//! Durable: entry, balances and the event's id in one transaction, so that an event is booked once.   In memory:
//! nothing. Stops with its event worker; a panic has the events delivered again and booked once. Limit:
//! `requests.batch_max` events of a partition at once.

use futures_util::future::join_all;

use super::event_handler::{EventHandler, EventOutcome, read, trace_of};
use super::shard_writer::WriteError;
use super::shards::Shards;
use crate::domain::commands::{PostLedgerEntry, PostLedgerEntryAnew, PostingError};
use crate::domain::event::{Consumer, Topic};
use crate::domain::ledger::Unbookable;
use crate::infra::event_log::Delivery;
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::Context;

/// Neither the payment nor the refund says that it led to this event.
const UNPROVEN: PostingError = PostingError::Unbookable(Unbookable::Unproven);

/// See the file's header.
#[derive(Clone)]
pub struct LedgerWriter(pub Shards);

impl EventHandler for LedgerWriter {
    fn consumer(&self) -> Consumer {
        Consumer::Ledger
    }

    async fn apply(&self, deliveries: &[Delivery], _: &Context) -> Vec<EventOutcome> {
        join_all(deliveries.iter().map(|delivery| in_trace(trace_of(delivery), self.book(delivery)))).await
    }
}

impl LedgerWriter {
    async fn book(&self, delivery: &Delivery) -> EventOutcome {
        let (event_id, data) = match read(delivery) {
            Ok(event) => event,
            Err(unreadable) => return unreadable,
        };
        let Some(topic) = Topic::parse(delivery.record.topic) else {
            return EventOutcome::never("topic_unknown", delivery.record.topic);
        };
        let shard = self.0.of(data.payment_id.bucket());
        let posting = PostLedgerEntry { event_id, topic, data, trace: trace_of(delivery) };
        let mut booked = shard.write(posting.clone()).await;
        if matches!(booked, Ok(Err(UNPROVEN))) {
            // The rows that this process remembers may be older than the event.
            booked = shard.write(PostLedgerEntryAnew(posting)).await;
        }
        match booked {
            Ok(Ok(_)) => EventOutcome::Done,
            Ok(Err(error @ UNPROVEN)) => EventOutcome::never("event_unproven", error.to_string()),
            Ok(Err(error)) => EventOutcome::never("unbookable", error.to_string()),
            Err(WriteError::Refused) => EventOutcome::never("refused", "the shard refuses the entry"),
            Err(_) => EventOutcome::Later,
        }
    }
}
