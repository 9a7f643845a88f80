//! Look up one payment, its timeline, or a merchant's payments. Reads what is committed; changes nothing.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, FlowError};
use crate::actors::payment_reader;
use crate::domain::ledger::LedgerEntry;
use crate::domain::outcome::PaymentSnapshot;
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::timeline::{Happening, TimelineEntry};
use crate::domain::{Bucket, Currency, EntryId, EventId, PaymentId, RefundId, Timestamp};
use crate::infra::database::ListFilter;

/// What is shown beside the payment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expand {
    pub refunds: bool,
    pub ledger: bool,
    pub events: bool,
}

/// A payment with what was asked for beside it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentDetails {
    #[serde(flatten)]
    pub payment: PaymentSnapshot,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunds: Option<Vec<RefundView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Vec<LedgerEntryView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventView>>,
}

/// One refund; the amount is in the currency's minor unit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView {
    #[schema(value_type = String)]
    pub refund_id: RefundId,
    pub status: RefundStatus,
    pub amount: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// One ledger entry: a transfer of `amount` (minor unit) from the credited to the debited account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntryView {
    #[schema(value_type = String)]
    pub entry_id: EntryId,
    #[schema(value_type = String)]
    pub event_id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refund_id: Option<RefundId>,
    pub debit_account: &'static str,
    pub credit_account: &'static str,
    pub amount: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    #[schema(value_type = String, format = DateTime)]
    pub booked_at: Timestamp,
}

/// One event that was published of a payment, or is about to be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    #[schema(value_type = String)]
    pub event_id: EventId,
    #[serde(rename = "type")]
    pub kind: String,
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// 32 hexadecimal digits.
    pub trace_id: String,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// The page of older payments after this one.
    StartingAfter(PaymentId),
    /// The page of newer payments before this one.
    EndingBefore(PaymentId),
}

/// Which of a merchant's payments to list. The bounds of time are exclusive.
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub merchant_id: String,
    pub status: Option<PaymentStatus>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// 1 to 100.
    pub limit: u32,
    pub cursor: Option<Cursor>,
}

/// One page of payments, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub data: Vec<PaymentSnapshot>,
    /// Whether there are more in the page's direction.
    pub has_more: bool,
}

impl App {
    async fn payment(&self, id: PaymentId) -> Result<Payment, FlowError> {
        let reader = &self.readers[self.shards.index_of(id.bucket())];
        payment_reader::find(reader, id).await?.ok_or(FlowError::PaymentNotFound)
    }

    pub async fn look_up(&self, id: PaymentId, expand: Expand) -> Result<PaymentDetails, FlowError> {
        let payment = self.payment(id).await?;
        let database = &self.shards.of(id.bucket()).database;
        let refunds = match expand.refunds {
            true => {
                let mut refunds = database.refunds_of(id).await?;
                // Those that the capture has let begin since the payment was read are among the refunds.
                let mut waiting = payment.refunds_waiting.clone();
                waiting.retain(|asked| refunds.iter().all(|refund| refund.id != asked.id));
                refunds.extend(waiting.into_iter().map(|asked| asked.begun(&payment)));
                Some(refunds.into_iter().map(RefundView::from).collect())
            }
            false => None,
        };
        let ledger = match expand.ledger {
            true => Some(database.ledger_of(id).await?.into_iter().map(LedgerEntryView::from).collect()),
            false => None,
        };
        let events = expand.events.then(|| payment.timeline.entries().into_iter().filter_map(event).collect());
        Ok(PaymentDetails { payment: PaymentSnapshot::from(&payment), refunds, ledger, events })
    }

    /// Every decision, PSP call, retry, event and ledger entry of a payment, oldest first.
    pub async fn timeline(&self, id: PaymentId) -> Result<Vec<TimelineEntry>, FlowError> {
        let mut entries = self.payment(id).await?.timeline.entries();
        for entry in self.shards.of(id.bucket()).database.ledger_of(id).await? {
            // An entry belongs to the trace of the event that it books.
            let told = entries.iter().find(|told| told.event_id == Some(entry.event_id));
            let trace_id = told.map(|told| told.trace_id.clone()).unwrap_or_default();
            entries.push(TimelineEntry {
                at: entry.created_at,
                what: Happening::LedgerEntry,
                detail: format!("debit {} credit {} {}", entry.debit.name(), entry.credit.name(), entry.money),
                event_id: Some(entry.event_id),
                trace_id,
            });
        }
        // Stable: what happened in one transaction keeps its order.
        entries.sort_by_key(|entry| entry.at);
        Ok(entries)
    }

    pub async fn list(&self, query: ListQuery) -> Result<Page, FlowError> {
        // Ids rise with time, so a bound of time is a bound of ids.
        let mut above = query.created_after.map(|time| before_first(Timestamp(time.0.saturating_add(1))));
        let mut below = query.created_before.map(PaymentId::at_least);
        let ascending = matches!(query.cursor, Some(Cursor::EndingBefore(_)));
        match query.cursor {
            Some(Cursor::StartingAfter(id)) => below = Some(below.map_or(id, |bound| bound.min(id))),
            Some(Cursor::EndingBefore(id)) => above = Some(above.map_or(id, |bound| bound.max(id))),
            None => {}
        }
        let bucket = Bucket::of_merchant(&query.merchant_id);
        let filter = ListFilter {
            merchant_id: query.merchant_id,
            status: query.status,
            above,
            below,
            ascending,
            limit: u64::from(query.limit) + 1,
        };
        let mut found = self.shards.of(bucket).database.list(&filter).await?;
        let has_more = found.len() > query.limit as usize;
        found.truncate(query.limit as usize);
        if ascending {
            found.reverse();
        }
        Ok(Page { data: found.iter().map(PaymentSnapshot::from).collect(), has_more })
    }
}

/// The largest id below all of that instant's and later ones.
fn before_first(time: Timestamp) -> PaymentId {
    PaymentId::from_stored(PaymentId::at_least(time).get().saturating_sub(1))
}

fn event(entry: TimelineEntry) -> Option<EventView> {
    Some(EventView { event_id: entry.event_id?, kind: entry.detail, occurred_at: entry.at, trace_id: entry.trace_id })
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id,
            status: refund.status,
            amount: refund.money.minor,
            currency: refund.money.currency,
            reason: refund.reason,
            psp_reference: refund.psp_reference,
            failure: refund.failure,
            requested_at: refund.requested_at,
            updated_at: refund.updated_at,
        }
    }
}

impl From<LedgerEntry> for LedgerEntryView {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            entry_id: entry.id,
            event_id: entry.event_id,
            refund_id: entry.refund_id,
            debit_account: entry.debit.name(),
            credit_account: entry.credit.name(),
            amount: entry.money.minor,
            currency: entry.money.currency,
            booked_at: entry.created_at,
        }
    }
}
