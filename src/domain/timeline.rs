//! What happened to a payment, told in order. It is a column of the payment's row, so that it commits with the change that
//! it tells of and outlives the pruned outbox.

use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::time::Timestamp;
use super::trace::TraceContext;

/// What an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// The payment was taken on: its intent is durable, the PSP not asked yet.
    Requested,
    /// The PSP was asked; `detail` has the operation and its answer.
    PspCall,
    /// A rule decided; `detail` has the new status.
    Decision,
    /// The PSP is to be asked again; `detail` has the attempt and why.
    Retry,
    /// An event was put into the outbox; `detail` has its topic.
    Event,
    /// A ledger entry was booked; `detail` has its accounts and amount.
    LedgerEntry,
}

/// One line of a payment's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub what: Happening,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub event_id: Option<EventId>,
    /// The trace in which it happened: 32 hexadecimal digits.
    pub trace_id: String,
}

/// How an entry's event begins in its line.
const EVENT_MEMBER: &str = "\"eventId\":\"";

/// The entries as JSON Lines (<https://jsonlines.org>): appending one does not parse the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline(String);

impl Timeline {
    /// Beyond this many bytes only decisions and events are noted, so that endless retries cannot grow a row without end.
    pub const RETRIES_BYTES_MAX: usize = 16 * 1024;

    pub fn from_stored(lines: String) -> Self {
        Self(lines)
    }

    pub fn as_stored(&self) -> &str {
        &self.0
    }

    pub fn note(&mut self, at: Timestamp, what: Happening, detail: impl Into<String>, trace: &TraceContext) {
        self.push(&TimelineEntry { at, what, detail: detail.into(), event_id: None, trace_id: trace.trace_id_hex() });
    }

    pub fn note_event(&mut self, at: Timestamp, topic: &str, event_id: EventId, trace: &TraceContext) {
        let trace_id = trace.trace_id_hex();
        self.push(&TimelineEntry {
            at,
            what: Happening::Event,
            detail: topic.to_owned(),
            event_id: Some(event_id),
            trace_id,
        });
    }

    /// The event that was noted last.
    pub fn last_event(&self) -> Option<EventId> {
        // Quotes within a text are escaped, so this is the member and nothing else.
        let (_, behind) = self.0.rsplit_once(EVENT_MEMBER)?;
        behind.split('"').next()?.parse().ok()
    }

    fn push(&mut self, entry: &TimelineEntry) {
        let repeats = matches!(entry.what, Happening::Retry | Happening::PspCall);
        if repeats && self.0.len() > Self::RETRIES_BYTES_MAX {
            return;
        }
        // Writing plain strings and numbers as JSON into memory cannot fail; an entry that did would be left out.
        if let Ok(line) = serde_json::to_string(entry) {
            if !self.0.is_empty() {
                self.0.push('\n');
            }
            self.0.push_str(&line);
        }
    }

    /// The entries, oldest first. A line that cannot be read is passed over: the timeline informs, it decides nothing.
    pub fn entries(&self) -> Vec<TimelineEntry> {
        self.0.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: TraceContext = TraceContext { trace_id: 7, span_id: 1, sampled: false };

    #[test]
    fn entries_come_back_in_order() {
        let mut timeline = Timeline::default();
        timeline.note(Timestamp(1), Happening::Requested, "authorize\nwith a \"line break\"", &TRACE);
        timeline.note_event(Timestamp(2), "payment.authorized", EventId::from_stored(9), &TRACE);
        let entries = Timeline::from_stored(timeline.as_stored().to_owned()).entries();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].detail, "authorize\nwith a \"line break\"");
        assert_eq!(entries[1].event_id, Some(EventId::from_stored(9)));
        assert_eq!(entries[1].trace_id, "00000000000000000000000000000007");
        assert_eq!(timeline.last_event(), Some(EventId::from_stored(9)));
        timeline.note_event(Timestamp(3), "payment.captured", EventId::from_stored(12), &TRACE);
        timeline.note(Timestamp(4), Happening::PspCall, r#""eventId":"evt_0000000000001""#, &TRACE);
        assert_eq!(timeline.last_event(), Some(EventId::from_stored(12)));
        assert_eq!(Timeline::default().last_event(), None);
    }

    #[test]
    fn endless_retries_do_not_grow_it_but_decisions_stay() {
        let mut timeline = Timeline::default();
        for _ in 0..10_000 {
            timeline.note(Timestamp(1), Happening::Retry, "again", &TRACE);
        }
        assert!(timeline.as_stored().len() < Timeline::RETRIES_BYTES_MAX + 1_024);
        timeline.note(Timestamp(2), Happening::Decision, "CAPTURED", &TRACE);
        assert_eq!(timeline.entries().last().map(|entry| entry.what), Some(Happening::Decision));
    }
}
