//! What a consumer group does with events, whether they come from the log's partitions or from a redrive.

use crate::domain::event::{Consumer, EventData};
use crate::domain::{EventId, TraceContext};
use crate::infra::event_log::Delivery;
use crate::runtime::Context;

/// The result for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventOutcome {
    /// Its effect is durable, from now or from an earlier delivery.
    Done,
    /// It cannot be applied now, because something else is down.
    Later,
    /// It cannot be applied at all.
    Never(Why),
}

/// Why an event cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// A word, at most 64 characters.
    pub error_type: &'static str,
    pub error_message: String,
}

impl EventOutcome {
    pub fn never(error_type: &'static str, error_message: impl Into<String>) -> Self {
        Self::Never(Why { error_type, error_message: error_message.into() })
    }
}

/// What a consumer group does with events.
pub trait EventHandler: 'static {
    /// Its consumer group.
    fn consumer(&self) -> Consumer;

    /// Applies events concurrently; one result for each, in order.
    fn apply(&self, deliveries: &[Delivery], ctx: &Context) -> impl Future<Output = Vec<EventOutcome>>;
}

/// Reads a record's event.
pub fn read(delivery: &Delivery) -> Result<(EventId, EventData), EventOutcome> {
    let invalid = |_| EventOutcome::never("event_id_invalid", "the record's id is not an event's");
    let id = delivery.record.id.parse().map_err(invalid)?;
    let unreadable = |error: serde_json::Error| EventOutcome::never("payload_unreadable", error.to_string());
    let data = EventData::read(&delivery.record.payload).map_err(unreadable)?;
    Ok((id, data))
}

/// The trace in which an event was made; a record without one gets the reserved id 1, which no trace has.
pub fn trace_of(delivery: &Delivery) -> TraceContext {
    let carried = delivery.record.traceparent.as_deref().and_then(|text| text.parse().ok());
    carried.unwrap_or(TraceContext { trace_id: 1, span_id: 1, sampled: false })
}
