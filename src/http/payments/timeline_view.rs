//! A payment's timeline as the API shows it. A change here changes answers and the document, and nothing that is
//! stored.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::timeline::{TimelineEntry, TimelineKind};
use crate::domain::{EventId, PaymentId, Timestamp};
use crate::flows::TimelinePart;
use crate::http::endpoint::{Answer, Content};

/// One line of a payment's timeline.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineEntry)]
struct TimelineEntryView<'a> {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = TimelineKind)]
    what: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// The trace in which it happened: 32 hexadecimal digits.
    trace_id: &'a str,
}

impl<'a> From<&'a TimelineEntry> for TimelineEntryView<'a> {
    fn from(entry: &'a TimelineEntry) -> Self {
        let TimelineEntry { at, what, detail, event_id, trace_id } = entry;
        Self { at: *at, what: what.name(), detail, event_id: *event_id, trace_id }
    }
}

/// A part of what happened to a payment, oldest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineAnswer)]
struct TimelineView<'a> {
    #[schema(value_type = String)]
    payment_id: PaymentId,
    entries: Vec<TimelineEntryView<'a>>,
    /// Whether there are later entries.
    has_more: bool,
    /// What to give as `startingAfter` for those. Left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

impl Answer for TimelinePart {
    fn respond(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(TimelineView {
            payment_id: self.payment_id,
            entries: self.entries.iter().map(TimelineEntryView::from).collect(),
            has_more: self.has_more,
            next: self.next.as_deref(),
        })
    }

    fn content() -> Option<Content> {
        Some(Content::json::<TimelineView<'_>>())
    }
}
