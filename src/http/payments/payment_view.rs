//! Payments, and what belongs to them, as the API shows them. A change here changes answers and the document, and
//! nothing that is stored.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure_view::FailureView;
use crate::domain::capture::CaptureStatus;
use crate::domain::ledger::LedgerEntry;
use crate::domain::outcome::{Amounts, CaptureSnapshot, PaymentSnapshot};
use crate::domain::payment::{Metadata, PaymentStatus};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::{CaptureId, Currency, EntryId, EventId, PaymentId, RefundId, Timestamp};
use crate::flows::{PaymentDetails, PaymentEvent};
use crate::http::endpoint::{Answer, Content};

/// The amounts of a payment, in the currency's minor unit.
#[derive(Serialize, ToSchema)]
#[schema(as = Amounts)]
struct AmountsView {
    authorized: i64,
    captured: i64,
    capturable: i64,
    refunded: i64,
    refundable: i64,
}

/// A capture: the amount, in the currency's minor unit, is pending while it is `REQUESTED`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Capture)]
struct CaptureView {
    #[schema(value_type = String, example = "cap_01H455VB4PEX5")]
    capture_id: CaptureId,
    amount: i64,
    status: CaptureStatus,
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
}

impl From<CaptureSnapshot> for CaptureView {
    fn from(capture: CaptureSnapshot) -> Self {
        let CaptureSnapshot { capture_id, amount, status } = capture;
        Self { capture_id, amount, status, requested_at: capture_id.time() }
    }
}

/// A payment as the API shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
pub struct PaymentView<'a> {
    #[schema(value_type = String, example = "pay_01H455VB4PEX5")]
    payment_id: PaymentId,
    #[schema(example = "MERCHANT-1")]
    merchant_id: &'a str,
    status: PaymentStatus,
    #[schema(value_type = String, example = "KRW")]
    currency: Currency,
    amounts: AmountsView,
    /// What the merchant asked to authorize.
    amount: i64,
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Until when it can be captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    capture_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    /// The capture that was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    capture: Option<CaptureView>,
    /// The merchant's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    #[schema(inline, required = false)]
    metadata: &'a Metadata,
    /// Why it was declined, failed, is held, or its capture failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView<'a>>,
    /// One sentence for people.
    message: &'a str,
}

impl<'a> From<&'a PaymentSnapshot> for PaymentView<'a> {
    fn from(payment: &'a PaymentSnapshot) -> Self {
        let Amounts { authorized, captured, capturable, refunded, refundable } = payment.amounts;
        Self {
            payment_id: payment.payment_id,
            merchant_id: &payment.merchant_id,
            status: payment.status,
            currency: payment.currency,
            amounts: AmountsView { authorized, captured, capturable, refunded, refundable },
            amount: payment.amount,
            requested_at: payment.requested_at,
            updated_at: payment.updated_at,
            capture_before: payment.capture_before,
            psp_reference: payment.psp_reference.as_deref(),
            capture: payment.capture.map(CaptureView::from),
            merchant_reference: payment.merchant_reference.as_deref(),
            description: payment.description.as_deref(),
            metadata: &payment.metadata,
            failure: payment.failure.as_ref().map(FailureView::from),
            message: &payment.message,
        }
    }
}

/// One refund; the amount is in the currency's minor unit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView<'a> {
    #[schema(value_type = String)]
    refund_id: RefundId,
    #[schema(value_type = RefundStatus)]
    status: &'static str,
    amount: i64,
    #[schema(value_type = String)]
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView<'a>>,
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> From<&'a Refund> for RefundView<'a> {
    fn from(refund: &'a Refund) -> Self {
        Self {
            refund_id: refund.id,
            status: refund.status.name(),
            amount: refund.money.minor,
            currency: refund.money.currency,
            reason: refund.reason.as_deref(),
            psp_reference: refund.psp_reference.as_deref(),
            failure: refund.failure.as_ref().map(FailureView::from),
            requested_at: refund.requested_at,
            updated_at: refund.updated_at,
        }
    }
}

/// One ledger entry: a transfer of `amount` (minor unit) from the credited to the debited account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntryView {
    #[schema(value_type = String)]
    entry_id: EntryId,
    #[schema(value_type = String)]
    event_id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refund_id: Option<RefundId>,
    debit_account: &'static str,
    credit_account: &'static str,
    amount: i64,
    #[schema(value_type = String)]
    currency: Currency,
    #[schema(value_type = String, format = DateTime)]
    booked_at: Timestamp,
}

impl From<&LedgerEntry> for LedgerEntryView {
    fn from(entry: &LedgerEntry) -> Self {
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

/// One event that was published of a payment, or is about to be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventView<'a> {
    #[schema(value_type = String)]
    event_id: EventId,
    #[serde(rename = "type")]
    kind: &'a str,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// 32 hexadecimal digits.
    trace_id: &'a str,
}

impl<'a> From<&'a PaymentEvent> for EventView<'a> {
    fn from(event: &'a PaymentEvent) -> Self {
        let PaymentEvent { event_id, topic, occurred_at, trace_id } = event;
        Self { event_id: *event_id, kind: topic, occurred_at: *occurred_at, trace_id }
    }
}

/// A payment with what was asked for beside it.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentDetails)]
struct PaymentDetailsView<'a> {
    #[serde(flatten)]
    payment: PaymentView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundView<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Vec<LedgerEntryView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<EventView<'a>>>,
    /// True if one of the lists has more than is shown: ask for that list alone, with `startingAfter`. Left out when
    /// not.
    #[serde(rename = "hasMore", skip_serializing_if = "std::ops::Not::not")]
    has_more: bool,
    /// Refunds and ledger entries that belong here and cannot be read. Left out when there are none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    unreadable: &'a [String],
}

impl Answer for PaymentDetails {
    fn respond(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(PaymentDetailsView {
            payment: PaymentView::from(&self.payment),
            refunds: self.refunds.as_deref().map(views),
            ledger: self.ledger.as_deref().map(views),
            events: self.events.as_deref().map(views),
            has_more: self.has_more,
            unreadable: &self.unreadable,
        })
    }

    fn content() -> Option<Content> {
        Some(Content::json::<PaymentDetailsView<'_>>())
    }
}

pub fn views<'a, T, V: From<&'a T>>(values: &'a [T]) -> Vec<V> {
    values.iter().map(V::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What callers have read since the first version.
    #[test]
    fn payment_is_shown_with_the_members_of_the_contract() {
        let whole = PaymentSnapshot {
            payment_id: PaymentId::from_stored(7_153_246_951_833_600_001),
            merchant_id: "MERCHANT-1".into(),
            status: PaymentStatus::RefundRequested,
            currency: Currency::parse("KRW").unwrap(),
            amounts: Amounts { authorized: 2_000, captured: 1_500, capturable: 0, refunded: 100, refundable: 900 },
            amount: 2_000,
            requested_at: Timestamp(1_795_426_200_000),
            updated_at: Timestamp(1_795_426_200_037),
            capture_before: Some(Timestamp(1_796_031_000_037)),
            psp_reference: Some("psp_1".into()),
            capture: None,
            merchant_reference: None,
            description: Some("Tea".into()),
            metadata: [("order".to_owned(), "A-1".to_owned())].into_iter().collect(),
            failure: None,
            message: "The refund is requested.".into(),
        };
        let (head, times, all, end) = (
            concat!(
                r#"{"paymentId":"pay_66HBG6G1B0001","merchantId":"MERCHANT-1","status":"REFUND_REQUESTED","#,
                r#""currency":"KRW","amounts":{"authorized":2000,"captured":1500,"capturable":0,"refunded":100,"#,
                r#""refundable":900},"amount":2000,"#
            ),
            r#""requestedAt":"2026-11-23T09:30:00.000Z","updatedAt":"2026-11-23T09:30:00.037Z","#,
            concat!(
                r#""captureBefore":"2026-11-30T09:30:00.037Z","pspReference":"psp_1","description":"Tea","#,
                r#""metadata":{"order":"A-1"},"#
            ),
            r#""message":"The refund is requested."}"#,
        );
        let shown = |payment: &PaymentSnapshot| serde_json::to_string(&PaymentView::from(payment)).unwrap();
        assert_eq!(shown(&whole), [head, times, all, end].concat());
        let capture_id = CaptureId::from_stored(7_153_246_951_833_600_002);
        let named = PaymentSnapshot {
            capture: Some(CaptureSnapshot { capture_id, amount: 1_500, status: CaptureStatus::Captured }),
            merchant_reference: Some("order-7".into()),
            ..whole.clone()
        };
        let more = concat!(
            r#""capture":{"captureId":"cap_66HBG6G1B0002","amount":1500,"status":"CAPTURED","#,
            r#""requestedAt":"2079-01-17T04:49:34.218Z"},"merchantReference":"order-7","#
        );
        assert_eq!(
            shown(&named),
            [head, times, &all.replacen(r#""description""#, &format!("{more}\"description\""), 1), end].concat()
        );
        let bare = PaymentSnapshot {
            capture_before: None,
            psp_reference: None,
            description: None,
            metadata: Metadata::new(),
            ..whole
        };
        assert_eq!(shown(&bare), [head, times, end].concat());
    }
}
