//! The answer that is kept under an idempotency key, as its row holds it.
//!
//! A text says its version as `v`. Those without are from before there was one; they are version 1 as well, and are
//! read for as long as such rows live: an idempotency key's time. A member may be added to version 1 if both who know
//! it and who do not read the text rightly; everything else is a later version. That is refused, never guessed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::failure::StoredFailure;
use super::refusal::StoredRefusal;
use crate::domain::capture::CaptureStatus;
use crate::domain::failure::Failure;
use crate::domain::outcome::{Amounts, CaptureSnapshot, PaymentOutcome, PaymentSnapshot, StoredResponse};
use crate::domain::payment::{Metadata, PaymentStatus};
use crate::domain::{CaptureId, Currency, PaymentId, RefundId, Timestamp};

/// The version that is written.
const VERSION: u32 = 1;

/// Why a text is no answer.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableResponse {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("version {0} is not known")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct ResponseV1<'a> {
    #[serde(default = "first_version")]
    v: u32,
    outcome: OutcomeV1<'a>,
    request_id: Cow<'a, str>,
}

fn first_version() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeV1<'a> {
    Done { payment: PaymentV1<'a>, refund_id: Option<RefundId> },
    Declined { payment: PaymentV1<'a>, reason: Cow<'a, str> },
    NotSent { payment: PaymentV1<'a> },
    Pending { payment: PaymentV1<'a> },
    Refused { refusal: StoredRefusal },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentV1<'a> {
    payment_id: PaymentId,
    merchant_id: Cow<'a, str>,
    status: PaymentStatus,
    currency: Currency,
    amounts: AmountsV1,
    amount: i64,
    requested_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<CaptureV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_reference: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Cow<'a, Metadata>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<StoredFailure<'a>>,
    message: Cow<'a, str>,
}

/// Id, amount and status of a capture.
#[derive(Serialize, Deserialize)]
struct CaptureV1(CaptureId, i64, CaptureStatus);

#[derive(Serialize, Deserialize)]
struct AmountsV1 {
    authorized: i64,
    captured: i64,
    capturable: i64,
    refunded: i64,
    refundable: i64,
}

/// The text of an answer.
pub fn write(response: &StoredResponse) -> String {
    // How long it is kept is a column of its own.
    let StoredResponse { outcome, request_id, kept_until: _ } = response;
    let outcome = match outcome {
        PaymentOutcome::Done { payment, refund_id } => {
            OutcomeV1::Done { payment: payment.into(), refund_id: *refund_id }
        }
        PaymentOutcome::Declined { payment, reason } => {
            OutcomeV1::Declined { payment: payment.into(), reason: reason.into() }
        }
        PaymentOutcome::NotSent { payment } => OutcomeV1::NotSent { payment: payment.into() },
        PaymentOutcome::Pending { payment } => OutcomeV1::Pending { payment: payment.into() },
        PaymentOutcome::Refused { refusal } => OutcomeV1::Refused { refusal: refusal.into() },
    };
    let stored = ResponseV1 { v: VERSION, outcome, request_id: request_id.into() };
    // invariant: texts, integers and a map with text keys always have a JSON form.
    serde_json::to_string(&stored).expect("plain data have a JSON form")
}

/// The answer that a text is.
///
/// # Errors
/// [`UnreadableResponse`] for what no version has written that this one knows.
pub fn read(text: &str) -> Result<StoredResponse, UnreadableResponse> {
    let ResponseV1 { v, outcome, request_id } = serde_json::from_str(text)?;
    if v != VERSION {
        return Err(UnreadableResponse::Version(v));
    }
    let outcome = match outcome {
        OutcomeV1::Done { payment, refund_id } => PaymentOutcome::Done { payment: payment.into(), refund_id },
        OutcomeV1::Declined { payment, reason } => {
            PaymentOutcome::Declined { payment: payment.into(), reason: reason.into_owned() }
        }
        OutcomeV1::NotSent { payment } => PaymentOutcome::NotSent { payment: payment.into() },
        OutcomeV1::Pending { payment } => PaymentOutcome::Pending { payment: payment.into() },
        OutcomeV1::Refused { refusal } => PaymentOutcome::Refused { refusal: refusal.into() },
    };
    Ok(StoredResponse { outcome, request_id: request_id.into_owned(), kept_until: None })
}

impl<'a> From<&'a PaymentSnapshot> for PaymentV1<'a> {
    fn from(payment: &'a PaymentSnapshot) -> Self {
        let Amounts { authorized, captured, capturable, refunded, refundable } = payment.amounts;
        Self {
            payment_id: payment.payment_id,
            merchant_id: (&payment.merchant_id).into(),
            status: payment.status,
            currency: payment.currency,
            amounts: AmountsV1 { authorized, captured, capturable, refunded, refundable },
            amount: payment.amount,
            requested_at: payment.requested_at,
            updated_at: payment.updated_at,
            capture_before: payment.capture_before,
            psp_reference: payment.psp_reference.as_deref().map(Cow::Borrowed),
            capture: payment.capture.map(|capture| CaptureV1(capture.capture_id, capture.amount, capture.status)),
            merchant_reference: payment.merchant_reference.as_deref().map(Cow::Borrowed),
            description: payment.description.as_deref().map(Cow::Borrowed),
            metadata: (!payment.metadata.is_empty()).then_some(Cow::Borrowed(&payment.metadata)),
            failure: payment.failure.as_ref().map(StoredFailure::from),
            message: (&payment.message).into(),
        }
    }
}

impl From<PaymentV1<'_>> for PaymentSnapshot {
    fn from(stored: PaymentV1<'_>) -> Self {
        let AmountsV1 { authorized, captured, capturable, refunded, refundable } = stored.amounts;
        Self {
            payment_id: stored.payment_id,
            merchant_id: stored.merchant_id.into_owned(),
            status: stored.status,
            currency: stored.currency,
            amounts: Amounts { authorized, captured, capturable, refunded, refundable },
            amount: stored.amount,
            requested_at: stored.requested_at,
            updated_at: stored.updated_at,
            capture_before: stored.capture_before,
            psp_reference: stored.psp_reference.map(Cow::into_owned),
            capture: stored.capture.map(|CaptureV1(capture_id, amount, status)| CaptureSnapshot {
                capture_id,
                amount,
                status,
            }),
            merchant_reference: stored.merchant_reference.map(Cow::into_owned),
            description: stored.description.map(Cow::into_owned),
            metadata: stored.metadata.map(Cow::into_owned).unwrap_or_default(),
            failure: stored.failure.map(Failure::from),
            message: stored.message.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payment::Refusal;

    /// A payment without what not all have, in an outcome of this name.
    macro_rules! bare {
        ($outcome:literal, $rest:literal) => {
            concat!(
                r#"{"outcome":{""#,
                $outcome,
                r#"":{"payment":{"paymentId":"pay_66HBG6G1B0001","merchantId":"MERCHANT-1","#,
                r#""status":"REFUND_REQUESTED","currency":"KRW","amounts":{"authorized":2000,"captured":1500,"#,
                r#""capturable":0,"refunded":100,"refundable":900},"amount":2000,"#,
                r#""requestedAt":"2026-11-23T09:30:00.000Z","updatedAt":"2026-11-23T09:30:00.037Z","#,
                r#""message":"The refund is requested."}"#,
                $rest,
                r#"}},"request_id":"req_1"}"#
            )
        };
    }

    /// As the version before versions wrote them: rows hold such texts for as long as keys are kept.
    const WITHOUT_VERSION: [&str; 11] = [
        concat!(
            r#"{"outcome":{"done":{"payment":{"paymentId":"pay_66HBG6G1B0001","merchantId":"MERCHANT-1","#,
            r#""status":"REFUND_REQUESTED","currency":"KRW","amounts":{"authorized":2000,"captured":1500,"#,
            r#""capturable":0,"refunded":100,"refundable":900},"amount":2000,"#,
            r#""requestedAt":"2026-11-23T09:30:00.000Z","updatedAt":"2026-11-23T09:30:00.037Z","#,
            r#""captureBefore":"2026-11-30T09:30:00.037Z","pspReference":"psp_1","#,
            r#""description":"Tea \"for\" two: 차","metadata":{"order":"A-1"},"message":"The refund is requested."},"#,
            r#""refund_id":"ref_000000000002D"}},"request_id":"req_1"}"#
        ),
        bare!("done", r#","refund_id":null"#),
        bare!("declined", r#","reason":"insufficient_funds""#),
        bare!("not_sent", ""),
        bare!("pending", ""),
        r#"{"outcome":{"refused":{"refusal":"payment_not_found"}},"request_id":"req_1"}"#,
        r#"{"outcome":{"refused":{"refusal":{"state_conflict":{"status":"VOIDED"}}}},"request_id":"req_1"}"#,
        r#"{"outcome":{"refused":{"refusal":{"capture_exceeds_authorized":{"capturable":5}}}},"request_id":"req_1"}"#,
        r#"{"outcome":{"refused":{"refusal":{"refund_exceeds_captured":{"refundable":6}}}},"request_id":"req_1"}"#,
        r#"{"outcome":{"refused":{"refusal":{"refund_limit_reached":{"limit":7}}}},"request_id":"req_1"}"#,
        r#"{"outcome":{"refused":{"refusal":"amount_overflow"}},"request_id":"req_1"}"#,
    ];

    /// The same answers.
    fn responses() -> Vec<StoredResponse> {
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
            description: Some("Tea \"for\" two: 차".into()),
            metadata: [("order".to_owned(), "A-1".to_owned())].into_iter().collect(),
            failure: None,
            message: "The refund is requested.".into(),
        };
        let bare = || PaymentSnapshot {
            capture_before: None,
            psp_reference: None,
            description: None,
            metadata: Metadata::new(),
            ..whole.clone()
        };
        let told = [
            PaymentOutcome::Done { payment: whole.clone(), refund_id: Some(RefundId::from_stored(77)) },
            PaymentOutcome::Done { payment: bare(), refund_id: None },
            PaymentOutcome::Declined { payment: bare(), reason: "insufficient_funds".into() },
            PaymentOutcome::NotSent { payment: bare() },
            PaymentOutcome::Pending { payment: bare() },
        ];
        let refused = [
            Refusal::PaymentNotFound,
            Refusal::StateConflict { status: PaymentStatus::Voided },
            Refusal::CaptureExceedsAuthorized { capturable: 5 },
            Refusal::RefundExceedsCaptured { refundable: 6 },
            Refusal::RefundLimitReached { limit: 7 },
            Refusal::AmountOverflow,
        ];
        let refused = refused.map(|refusal| PaymentOutcome::Refused { refusal });
        let respond = |outcome| StoredResponse { outcome, request_id: "req_1".into(), kept_until: None };
        told.into_iter().chain(refused).map(respond).collect()
    }

    /// What the version before does not know is a member more.
    #[test]
    fn failure_is_kept_with_the_answer() {
        let [_, _, declined, ..] = &responses()[..] else { panic!("a decline is among them") };
        let mut declined = declined.clone();
        let PaymentOutcome::Declined { payment, .. } = &mut declined.outcome else { panic!("{declined:?}") };
        payment.failure = Some(Failure::refused("insufficient_funds"));
        let written = write(&declined);
        let member = r#""failure":{"code":"insufficient_funds","pspCode":"insufficient_funds"},"message""#;
        assert!(written.contains(member), "{written}");
        assert_eq!(read(&written).unwrap(), declined);
    }

    #[test]
    fn capture_and_reference_come_back_as_they_were_written() {
        let [mut response, ..] = <[_; 11]>::try_from(responses()).unwrap();
        let PaymentOutcome::Done { payment, .. } = &mut response.outcome else { panic!("{response:?}") };
        let capture_id = CaptureId::from_stored(78);
        payment.capture = Some(CaptureSnapshot { capture_id, amount: 1_500, status: CaptureStatus::Captured });
        payment.merchant_reference = Some("order-7".to_owned());
        assert_eq!(read(&write(&response)).unwrap(), response);
    }

    fn with_version(text: &str, version: u32) -> String {
        text.replacen('{', &format!("{{\"v\":{version},"), 1)
    }

    #[test]
    fn answer_without_version_is_read() {
        for (text, response) in WITHOUT_VERSION.iter().zip(responses()) {
            assert_eq!(read(text).unwrap(), response, "{text}");
        }
    }

    #[test]
    fn answer_is_written_as_before_with_its_version() {
        for (text, response) in WITHOUT_VERSION.iter().zip(responses()) {
            let written = write(&response);
            assert_eq!(written, with_version(text, 1));
            assert_eq!(read(&written).unwrap(), response);
        }
    }

    #[test]
    fn how_long_an_answer_is_kept_is_not_in_its_text() {
        for response in responses() {
            let kept = StoredResponse { kept_until: Some(Timestamp(7)), ..response.clone() };
            assert_eq!(write(&kept), write(&response));
        }
    }

    #[test]
    fn answer_of_a_later_version_is_refused() {
        for text in WITHOUT_VERSION {
            for version in [0, 2, 7] {
                let refused = read(&with_version(text, version));
                assert!(matches!(refused, Err(UnreadableResponse::Version(of)) if of == version), "{refused:?}");
            }
        }
        let changed = r#"{"v":2,"outcome":{"settled":{}},"request_id":"req_1"}"#;
        assert!(matches!(read(changed), Err(UnreadableResponse::Json(_))));
    }
}
