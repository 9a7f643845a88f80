//! How an event that cannot be applied is stored as a dead letter.

use super::event_handler::{Why, trace_of};
use super::shards::Shards;
use crate::domain::commands::StoreDeadLetter;
use crate::domain::dead_letter::{DeadLetter, DeadLetterKind, Source, StoredDeadLetter};
use crate::domain::event::Consumer;
use crate::domain::{Bucket, EventId, IdGenerator, LetterId, PaymentId, Timestamp};
use crate::infra::event_log::Delivery;
use crate::infra::telemetry::logs::of_trace;
use crate::runtime::Context;

/// An event that was given up.
pub struct Failed<'a> {
    pub delivery: &'a Delivery,
    pub why: Why,
    /// Retries that failed.
    pub tries: u32,
    pub first_failed_at: Timestamp,
}

/// Bytes of a payload that are kept. Rialto's own are far shorter; a foreign record may be as long as the log allows,
/// and longer than the database does.
const PAYLOAD_MAX: usize = 16 * 1024;

/// The beginning of a payload, and the length of the whole.
fn cut(payload: &str) -> String {
    let end = payload.floor_char_boundary(PAYLOAD_MAX);
    format!("{}... ({} bytes)", &payload[..end], payload.len())
}

/// Stores the event as a dead letter. Returns whether it is durable there.
pub async fn bury(
    consumer: Consumer,
    failed: Failed<'_>,
    shards: &Shards,
    ids: &mut IdGenerator,
    ctx: &Context,
) -> bool {
    let Failed { delivery, why, tries, first_failed_at } = failed;
    let record = &delivery.record;
    let now = Timestamp(ctx.clock().now_ms());
    // A record whose key is no payment's belongs to no shard; any will do.
    let anywhere = |_| ids.next(now, Bucket::wrapping(u64::from(delivery.partition)));
    let about: PaymentId = record.key.parse().unwrap_or_else(anywhere);
    let trace = trace_of(delivery);
    // Rialto's events have an id of its form, which leads to the shard of their payment, and no payload of such length.
    let is_short = record.payload.len() <= PAYLOAD_MAX;
    let is_ours = |id: &EventId| is_short && record.key == about.to_string() && id.bucket() == about.bucket();
    let (id, matter) = match record.id.parse().ok().filter(is_ours) {
        Some(id) => (LetterId::of(id), DeadLetterKind::Event { occurred_at: Timestamp(record.time_ms), trace }),
        None => (LetterId::of_record(record.topic, delivery.partition, delivery.offset), DeadLetterKind::Foreign),
    };
    let letter = DeadLetter {
        id,
        topic: consumer.dead_letters(),
        source: Source {
            topic: record.topic.to_owned(),
            partition: Some(delivery.partition),
            offset: Some(delivery.offset),
            key: record.key.clone(),
        },
        payload: if is_short { record.payload.clone() } else { cut(&record.payload) },
        error_type: why.error_type.to_owned(),
        error_message: why.error_message.clone(),
        retry_count: tries,
        first_failed_at,
        last_failed_at: now,
        trace_id: Some(trace.trace_id_hex()),
    };
    let burial = StoreDeadLetter { letter: StoredDeadLetter::new(letter, matter), about, trace };
    let is_stored = shards.of(id.bucket()).write(burial).await.is_ok();
    if is_stored {
        of_trace(trace, || {
            tracing::error!(
                consumer = consumer.name(),
                event.id = record.id,
                event.topic = record.topic,
                error.kind = why.error_type,
                error = why.error_message,
                "event put into the dead letters"
            );
        });
    }
    is_stored
}
