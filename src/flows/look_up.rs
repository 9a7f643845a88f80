//! Look up one payment, its timeline, or a merchant's payments. Reads what is committed; changes nothing.

use super::listing::{Bounds, Page, Window};
use super::{App, FlowError};
use crate::actors::row_reader;
use crate::domain::event::Consumer;
use crate::domain::id::{Id, Kind};
use crate::domain::ledger::LedgerEntry;
use crate::domain::outcome::PaymentSnapshot;
use crate::domain::payment::{Payment, PaymentStatus, WaitingRefund};
use crate::domain::refund::Refund;
use crate::domain::timeline::{Timeline, TimelineEntry, TimelineKind};
use crate::domain::{Bucket, EntryId, EventId, PaymentId, RefundId, Timestamp};
use crate::infra::database::{Damaged, ListFilter, ShardDatabase};

/// What is shown beside the payment: of each list so many, or as many as one page has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expand {
    pub refunds: bool,
    pub ledger: bool,
    pub events: bool,
    /// 1 to 100; 100 if it is not given.
    pub limit: Option<u32>,
    /// Where the one list that is asked for goes on.
    pub after: Option<ExpandCursor>,
}

/// The last one of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandCursor {
    Refund(RefundId),
    Entry(EntryId),
    Event(EventId),
}

/// How much one page has unless it is said.
pub const PAGE_DEFAULT: u32 = 100;
/// How many pages of a timeline are read at once.
const TIMELINE_PAGES: u64 = 16;

/// A payment with what was asked for beside it.
#[derive(Debug)]
pub struct PaymentDetails {
    pub payment: PaymentSnapshot,
    pub refunds: Option<Vec<Refund>>,
    pub ledger: Option<Vec<LedgerEntry>>,
    pub events: Option<Vec<PaymentEvent>>,
    /// Whether one of the lists has more than is shown.
    pub has_more: bool,
    /// Refunds and ledger entries that belong here and cannot be read.
    pub unreadable: Vec<String>,
}

/// A part of what happened to a payment, oldest first.
#[derive(Debug)]
pub struct TimelinePart {
    pub payment_id: PaymentId,
    pub entries: Vec<TimelineEntry>,
    /// Whether there are later entries.
    pub has_more: bool,
    /// Where those go on; none when there are none.
    pub next: Option<String>,
}

/// One event that was published of a payment, or is about to be.
#[derive(Debug)]
pub struct PaymentEvent {
    pub event_id: EventId,
    pub topic: String,
    pub occurred_at: Timestamp,
    /// 32 hexadecimal digits.
    pub trace_id: String,
}

/// Which of a merchant's payments to list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub merchant_id: String,
    /// Any of these; all statuses, if none is named.
    pub statuses: Vec<PaymentStatus>,
    pub merchant_reference: Option<String>,
    pub window: Window<PaymentId>,
}

impl App {
    pub(super) async fn payment(&self, id: PaymentId) -> Result<Payment, FlowError> {
        let reader = &self.readers[self.shards.index_of(id.bucket())];
        row_reader::find(reader, id).await?.ok_or(FlowError::PaymentNotFound)
    }

    pub async fn look_up(&self, id: PaymentId, expand: Expand) -> Result<PaymentDetails, FlowError> {
        let payment = self.payment(id).await?;
        let database = &self.shards.of(id.bucket()).database;
        let most = expand.limit.unwrap_or(PAGE_DEFAULT) as usize;
        let mut shown = PaymentDetails {
            payment: PaymentSnapshot::from(&payment),
            refunds: None,
            ledger: None,
            events: None,
            has_more: false,
            unreadable: Vec::new(),
        };
        if expand.refunds {
            let after =
                expand.after.and_then(|after| if let ExpandCursor::Refund(id) = after { Some(id) } else { None });
            let mut found = database.refunds_of(id, after, most as u64 + 1).await?;
            let waiting = waiting_refunds(&payment, after, &found);
            found.extend(waiting.into_iter().map(Ok));
            shown.cut(&mut found, most);
            shown.refunds = Some(shown.readable(found, RefundId::from_stored));
        }
        if expand.ledger {
            let after =
                expand.after.and_then(|after| if let ExpandCursor::Entry(id) = after { Some(id) } else { None });
            let mut found = database.ledger_of(id, after, most as u64 + 1).await?;
            shown.cut(&mut found, most);
            shown.ledger = Some(shown.readable(found, EntryId::from_stored));
        }
        if expand.events {
            let after =
                expand.after.and_then(|after| if let ExpandCursor::Event(id) = after { Some(id) } else { None });
            let mut found = events_of(database, &payment, after, most + 1).await?;
            shown.cut(&mut found, most);
            shown.events = Some(found);
        }
        Ok(shown)
    }

    /// Decisions, PSP calls, retries, events and ledger entries of a payment, in the order in which they were written:
    /// up to `limit` of them from behind the place `after`. A ledger entry stands behind the event that it books, and
    /// does not count.
    pub async fn timeline(&self, id: PaymentId, after: Option<u32>, limit: u32) -> Result<TimelinePart, FlowError> {
        let payment = self.payment(id).await?;
        let database = &self.shards.of(id.bucket()).database;
        let from = after.map_or(0, |after| after.saturating_add(1));
        let mut told = Vec::new();
        let moved = payment.timeline.moved();
        if from < moved {
            let end = moved.min(from.saturating_add(limit).saturating_add(1));
            for page in database.timeline_pages(id, from, end, u64::MAX >> 1).await? {
                told.extend((page.first..).zip(page.entries.entries()));
            }
        }
        told.extend((moved..).zip(payment.timeline.entries()));
        told.retain(|(place, _)| *place >= from);
        let has_more = told.len() > limit as usize;
        told.truncate(limit as usize);
        let next = told.last().filter(|_| has_more).map(|(place, _)| place.to_string());
        let booked = |told: &&TimelineEntry| Consumer::Ledger.topics().iter().any(|topic| topic.name() == told.detail);
        let events: Vec<EventId> =
            told.iter().map(|(_, told)| told).filter(booked).filter_map(|told| told.event_id).collect();
        let booked = database.entries_of(&events).await?;
        let mut entries = Vec::with_capacity(told.len() + booked.len());
        for (_, told) in told {
            // An entry belongs to the trace of the event that it books.
            let its = booked.iter().filter(|entry| told.event_id == Some(entry.event_id));
            let its: Vec<TimelineEntry> = its.map(|entry| booking(entry, &told.trace_id)).collect();
            entries.push(told);
            entries.extend(its);
        }
        Ok(TimelinePart { payment_id: id, entries, has_more, next })
    }

    pub async fn list(&self, query: ListQuery) -> Result<Page<PaymentSnapshot, PaymentId>, FlowError> {
        let bucket = Bucket::of_merchant(&query.merchant_id);
        let Bounds { above, below, ascending, limit } = query.window.bounds();
        let ListQuery { merchant_id, statuses, merchant_reference, window } = query;
        let filter = ListFilter { merchant_id, statuses, merchant_reference, above, below, ascending, limit };
        let found = self.shards.of(bucket).database.list(&filter).await?;
        let shown = found.into_iter().map(|payment| payment.map(|payment| PaymentSnapshot::from(&payment)));
        Ok(window.page(shown.collect()))
    }
}

/// Refunds that wait for their capture: above all that have begun. One that the capture has let begin since the payment
/// was read is among the others.
fn waiting_refunds(payment: &Payment, after: Option<RefundId>, begun: &[Result<Refund, Damaged>]) -> Vec<Refund> {
    let has_begun = |asked: &WaitingRefund| begun.iter().flatten().any(|refund| refund.id == asked.id);
    let waiting = payment.refunds_waiting.iter().filter(|asked| after.is_none_or(|after| asked.id > after));
    waiting.filter(|asked| !has_begun(asked)).map(|asked| asked.clone().begun(payment)).collect()
}

/// Events of a payment above `after`, up to `limit`, in their order.
async fn events_of(
    database: &ShardDatabase,
    payment: &Payment,
    after: Option<EventId>,
    limit: usize,
) -> Result<Vec<PaymentEvent>, FlowError> {
    let (mut found, mut from, moved) = (Vec::new(), 0, payment.timeline.moved());
    let is_wanted = |event: &PaymentEvent| after.is_none_or(|after| event.event_id > after);
    while from < moved && found.len() < limit {
        let pages = database.timeline_pages(payment.id, from, moved, TIMELINE_PAGES).await?;
        let Some(last) = pages.last() else { break };
        // Beyond the last one's entries, however few they are.
        from = last.first.saturating_add(Timeline::PAGE_ENTRIES_MAX);
        found.extend(pages.iter().flat_map(|page| page.entries.entries()).filter_map(event).filter(is_wanted));
    }
    if found.len() < limit {
        found.extend(payment.timeline.entries().into_iter().filter_map(event).filter(is_wanted));
    }
    found.truncate(limit);
    Ok(found)
}

/// A ledger entry as the timeline tells it.
fn booking(entry: &LedgerEntry, trace_id: &str) -> TimelineEntry {
    TimelineEntry {
        at: entry.created_at,
        what: TimelineKind::LedgerEntry,
        detail: format!("debit {} credit {} {}", entry.debit.name(), entry.credit.name(), entry.money),
        event_id: Some(entry.event_id),
        trace_id: trace_id.to_owned(),
    }
}

impl PaymentDetails {
    /// Leaves what is more than one page.
    fn cut<T>(&mut self, found: &mut Vec<T>, most: usize) {
        self.has_more |= found.len() > most;
        found.truncate(most);
    }

    /// What can be read; the rest is named.
    fn readable<K: Kind, T>(&mut self, found: Vec<Result<T, Damaged>>, id: impl Fn(i64) -> Id<K>) -> Vec<T> {
        let mut readable = Vec::with_capacity(found.len());
        for row in found {
            match row {
                Ok(row) => readable.push(row),
                Err(damaged) => self.unreadable.extend(damaged.id.parse().map(|stored| id(stored).to_string())),
            }
        }
        readable
    }
}

fn event(entry: TimelineEntry) -> Option<PaymentEvent> {
    let TimelineEntry { at, detail, event_id, trace_id, .. } = entry;
    Some(PaymentEvent { event_id: event_id?, topic: detail, occurred_at: at, trace_id })
}
