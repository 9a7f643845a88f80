//! A stored answer as the cache keeps it: only the facts, in a JSON array without names, from which the same answer is
//! restored exactly. The cache holds ten minutes of answers at full load in memory, so each byte counts.
//!
//! Nodes of two versions share the cache while an upgrade goes on. This form is version 1 and has no number. A later
//! version has another number of members or other names; it is refused here, and then the database answers.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::domain::Currency;
use crate::domain::capture::CaptureStatus;
use crate::domain::failure::Failure;
use crate::domain::key::Fingerprint;
use crate::domain::outcome::{Amounts, CaptureSnapshot, PaymentOutcome, PaymentSnapshot, StoredResponse, sentence};
use crate::domain::payment::{Metadata, PaymentStatus};
use crate::domain::{CaptureId, PaymentId, RefundId, Timestamp};
use crate::infra::stored::{StoredFailure, StoredRefusal};

/// The answer to a request, and the fingerprint that tells whether it is the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    pub fingerprint: Fingerprint,
    pub recorded: StoredResponse,
}

/// Why a text does not hold an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("no fingerprint")]
    Fingerprint,
    #[error("no time")]
    Time,
}

/// Fingerprint and request id, the expiry of the key, and the content of the answer.
#[derive(Serialize, Deserialize)]
struct Text<'a>(Cow<'a, str>, Cow<'a, str>, Option<i64>, Said<'a>);

#[derive(Serialize, Deserialize)]
enum Said<'a> {
    #[serde(rename = "d")]
    Done(Facts<'a>),
    #[serde(rename = "f")]
    Refunded(Facts<'a>, i64),
    #[serde(rename = "x")]
    Declined(Facts<'a>, Cow<'a, str>),
    #[serde(rename = "n")]
    NotSent(Facts<'a>),
    #[serde(rename = "p")]
    Pending(Facts<'a>),
    #[serde(rename = "r")]
    Refused(StoredRefusal),
}

/// A payment: id, merchant, status, currency, amount, the amounts authorized, captured, capturable, refunded and
/// refundable, when it was requested, how long after that it was updated and can be captured, and what not all have.
#[derive(Serialize, Deserialize)]
struct Facts<'a>(i64, Cow<'a, str>, PaymentStatus, Currency, i64, [i64; 5], i64, i64, Option<i64>, Rest<'a>);

#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    psp_reference: Option<Cow<'a, str>>,
    /// Id, amount and status.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    capture: Option<(i64, i64, CaptureStatus)>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    merchant_reference: Option<Cow<'a, str>>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Cow<'a, Metadata>>,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    failure: Option<StoredFailure<'a>>,
    /// Only if it differs from what the status implies.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
}

pub(super) fn write(answer: &CachedAnswer) -> Result<String, TextError> {
    let CachedAnswer { fingerprint, recorded: StoredResponse { outcome, request_id, kept_until } } = answer;
    let said = match outcome {
        PaymentOutcome::Done { payment, refund_id: None } => Said::Done(facts(payment)?),
        PaymentOutcome::Done { payment, refund_id: Some(id) } => Said::Refunded(facts(payment)?, id.get()),
        PaymentOutcome::Declined { payment, reason } => Said::Declined(facts(payment)?, reason.into()),
        PaymentOutcome::NotSent { payment } => Said::NotSent(facts(payment)?),
        PaymentOutcome::Pending { payment } => Said::Pending(facts(payment)?),
        PaymentOutcome::Refused { refusal } => Said::Refused(refusal.into()),
    };
    let fingerprint = BASE64_URL_SAFE_NO_PAD.encode(fingerprint.0);
    Ok(serde_json::to_string(&Text(fingerprint.into(), request_id.into(), kept_until.map(|time| time.0), said))?)
}

pub(super) fn read(text: &str) -> Result<CachedAnswer, TextError> {
    let Text(fingerprint, request_id, kept_until, said) = serde_json::from_str(text)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&*fingerprint).map_err(|_| TextError::Fingerprint)?;
    let fingerprint = Fingerprint(bytes.try_into().map_err(|_| TextError::Fingerprint)?);
    let outcome = match said {
        Said::Done(facts) => PaymentOutcome::Done { payment: payment(facts)?, refund_id: None },
        Said::Refunded(facts, id) => {
            PaymentOutcome::Done { payment: payment(facts)?, refund_id: Some(RefundId::from_stored(id)) }
        }
        Said::Declined(facts, reason) => {
            PaymentOutcome::Declined { payment: payment(facts)?, reason: reason.into_owned() }
        }
        Said::NotSent(facts) => PaymentOutcome::NotSent { payment: payment(facts)? },
        Said::Pending(facts) => PaymentOutcome::Pending { payment: payment(facts)? },
        Said::Refused(refusal) => PaymentOutcome::Refused { refusal: refusal.into() },
    };
    let (request_id, kept_until) = (request_id.into_owned(), kept_until.map(Timestamp));
    Ok(CachedAnswer { fingerprint, recorded: StoredResponse { outcome, request_id, kept_until } })
}

fn facts(payment: &PaymentSnapshot) -> Result<Facts<'_>, TextError> {
    // Every field is named, so that a new one cannot be forgotten here.
    let PaymentSnapshot {
        payment_id,
        merchant_id,
        status,
        currency,
        amounts: Amounts { authorized, captured, capturable, refunded, refundable },
        amount,
        requested_at,
        updated_at,
        capture_before,
        psp_reference,
        capture,
        merchant_reference,
        description,
        metadata,
        failure,
        message,
    } = payment;
    let since = |time: &Timestamp| time.0.checked_sub(requested_at.0).ok_or(TextError::Time);
    Ok(Facts(
        payment_id.get(),
        merchant_id.into(),
        *status,
        *currency,
        *amount,
        [*authorized, *captured, *capturable, *refunded, *refundable],
        requested_at.0,
        since(updated_at)?,
        capture_before.as_ref().map(since).transpose()?,
        Rest {
            psp_reference: psp_reference.as_deref().map(Cow::Borrowed),
            capture: capture.map(|capture| (capture.capture_id.get(), capture.amount, capture.status)),
            merchant_reference: merchant_reference.as_deref().map(Cow::Borrowed),
            description: description.as_deref().map(Cow::Borrowed),
            metadata: (!metadata.is_empty()).then_some(Cow::Borrowed(metadata)),
            failure: failure.as_ref().map(StoredFailure::from),
            message: (message != sentence(*status)).then_some(message.into()),
        },
    ))
}

fn payment(facts: Facts<'_>) -> Result<PaymentSnapshot, TextError> {
    let Facts(id, merchant, status, currency, amount, amounts, requested_at, updated, capture, rest) = facts;
    let [authorized, captured, capturable, refunded, refundable] = amounts;
    let at = |after: i64| requested_at.checked_add(after).map(Timestamp).ok_or(TextError::Time);
    Ok(PaymentSnapshot {
        payment_id: PaymentId::from_stored(id),
        merchant_id: merchant.into_owned(),
        status,
        currency,
        amounts: Amounts { authorized, captured, capturable, refunded, refundable },
        amount,
        requested_at: Timestamp(requested_at),
        updated_at: at(updated)?,
        capture_before: capture.map(at).transpose()?,
        psp_reference: rest.psp_reference.map(Cow::into_owned),
        capture: rest.capture.map(|(id, amount, status)| CaptureSnapshot {
            capture_id: CaptureId::from_stored(id),
            amount,
            status,
        }),
        merchant_reference: rest.merchant_reference.map(Cow::into_owned),
        description: rest.description.map(Cow::into_owned),
        metadata: rest.metadata.map(Cow::into_owned).unwrap_or_default(),
        failure: rest.failure.map(Failure::from),
        message: rest.message.map_or_else(|| sentence(status).to_owned(), Cow::into_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::KeyHash;
    use crate::domain::payment::Refusal;
    use crate::infra::cache::AnswerCache as _;
    use crate::infra::cache::redis::RedisAnswers;
    use crate::infra::redis::testing::RedisServer;

    /// As a caller of one of many merchants gets it for an authorization without metadata.
    fn authorized(number: i64) -> CachedAnswer {
        let payment = PaymentSnapshot {
            payment_id: PaymentId::from_stored(7_153_246_951_833_600_000 + number),
            merchant_id: format!("MERCHANT-{}", 1_000 + number % 9_000),
            status: PaymentStatus::Authorized,
            currency: Currency::parse("KRW").unwrap(),
            amounts: Amounts { authorized: 129_000, captured: 0, capturable: 129_000, refunded: 0, refundable: 0 },
            amount: 129_000,
            requested_at: Timestamp(1_795_426_200_000 + number),
            updated_at: Timestamp(1_795_426_200_037 + number),
            capture_before: Some(Timestamp(1_796_031_000_037 + number)),
            psp_reference: Some(format!("psp_{number:013}")),
            capture: None,
            merchant_reference: None,
            description: None,
            metadata: Metadata::default(),
            failure: None,
            message: "The payment is authorized.".to_owned(),
        };
        let fingerprint = Fingerprint::of([("request", number.to_string().as_str())]);
        let outcome = PaymentOutcome::Done { payment, refund_id: None };
        let (request_id, kept_until) = (format!("req_{number:016x}"), Some(Timestamp(1_796_031_000_037 + number)));
        CachedAnswer { fingerprint, recorded: StoredResponse { outcome, request_id, kept_until } }
    }

    fn payment_of(number: i64, change: impl FnOnce(&mut PaymentSnapshot)) -> PaymentSnapshot {
        let PaymentOutcome::Done { mut payment, .. } = authorized(number).recorded.outcome else {
            unreachable!("as made above")
        };
        change(&mut payment);
        payment
    }

    #[test]
    fn cached_text_restores_every_answer_exactly() {
        let whole = |payment: &mut PaymentSnapshot| {
            payment.description = Some("Tea \"for\" two: 차".to_owned());
            payment.metadata = [("order".to_owned(), "A-1".to_owned())].into_iter().collect();
            payment.capture_before = None;
            payment.psp_reference = None;
            payment.updated_at = Timestamp(payment.requested_at.0 - 5);
        };
        let declined = payment_of(3, |payment| {
            payment.status = PaymentStatus::Declined;
            payment.failure = Some(Failure::refused("insufficient_funds"));
            payment.message = "The payment was declined: insufficient_funds.".to_owned();
        });
        let outcomes = [
            authorized(1).recorded.outcome,
            PaymentOutcome::Done { payment: payment_of(2, whole), refund_id: Some(RefundId::from_stored(77)) },
            PaymentOutcome::Declined { payment: declined.clone(), reason: "insufficient_funds".to_owned() },
            PaymentOutcome::NotSent { payment: declined },
            PaymentOutcome::Pending { payment: payment_of(4, |payment| payment.status = PaymentStatus::Unknown) },
            PaymentOutcome::Refused { refusal: Refusal::PaymentNotFound },
            PaymentOutcome::Refused { refusal: Refusal::CaptureExceedsAuthorized { capturable: 5 } },
        ];
        for outcome in outcomes {
            let recorded = StoredResponse { outcome, request_id: "r-1".to_owned(), kept_until: Some(Timestamp(7)) };
            let answer = CachedAnswer { recorded, ..authorized(9) };
            let text = write(&answer).unwrap();
            assert_eq!(read(&text).unwrap(), answer, "{text}");
        }
    }

    /// As nodes of the version before read and write it.
    #[test]
    fn answer_is_written_as_before() {
        let text = write(&authorized(1)).unwrap();
        let expected = concat!(
            r#"["FINGERPRINT","req_0000000000000001",1796031000038,{"d":[7153246951833600001,"MERCHANT-1001","#,
            r#""AUTHORIZED","KRW",129000,[129000,0,129000,0,0],1795426200001,37,604800037,{"p":"psp_0000000000001"}]}]"#
        );
        let fingerprint = text.split('"').nth(1).unwrap().to_owned();
        assert_eq!(text, expected.replace("FINGERPRINT", &fingerprint));
        let refused = StoredResponse {
            outcome: PaymentOutcome::Refused { refusal: Refusal::StateConflict { status: PaymentStatus::Voided } },
            request_id: "req_1".to_owned(),
            kept_until: None,
        };
        let text = write(&CachedAnswer { recorded: refused, ..authorized(1) }).unwrap();
        let expected = r#"["FINGERPRINT","req_1",null,{"r":{"state_conflict":{"status":"VOIDED"}}}]"#;
        assert_eq!(text, expected.replace("FINGERPRINT", &fingerprint));
    }

    #[test]
    fn text_with_more_or_other_members_is_refused() {
        let text = write(&authorized(1)).unwrap();
        for later in [
            text.replacen(']', ",7]", 1),
            format!("{},2]", &text[..text.len() - 1]),
            text.replace("{\"d\":", "{\"z\":"),
        ] {
            assert!(read(&later).is_err(), "{later}");
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        let text = write(&authorized(1)).unwrap();
        let fingerprint = text.split('"').nth(1).unwrap();
        for wrong in ["", &fingerprint[2..], "?", &format!("{fingerprint}AAAA")] {
            assert!(read(&text.replace(fingerprint, wrong)).is_err(), "{wrong}");
        }
        for wrong in ["{}", "[]", &text[..text.len() - 1]] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// Ten minutes of 1 050 answers a second.
    const ANSWERS: u64 = 630_000;
    /// `--maxmemory 256mb`.
    const ROOM_BYTES: u64 = 256 * 1024 * 1024;

    #[tokio::test]
    async fn ten_minutes_of_answers_at_full_load_fit_into_redis() {
        const KEPT: u64 = 40_000;
        let server = RedisServer::start().await;
        let settings = crate::infra::redis::RedisSettings {
            timeout: std::time::Duration::from_secs(20),
            ..crate::infra::redis::RedisSettings::new(server.url())
        };
        let cache = RedisAnswers::new(crate::infra::redis::RedisPool::connect(settings).unwrap());
        let used = async || {
            let info: String = server.ask(&["INFO", "memory"]).await.unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().to_owned();
            line.trim().parse::<u64>().unwrap()
        };
        // Connections and scripts are there before.
        cache.put_many(vec![(KeyHash([9; 16]), "x".into())]).await.unwrap();
        let before = used().await;
        for thousand in 0..KEPT / 1_000 {
            let answers = (thousand * 1_000..(thousand + 1) * 1_000).map(|number| {
                let scope =
                    KeyHash(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
                (scope, write(&authorized(number.cast_signed())).unwrap().into())
            });
            cache.put_many(answers.collect()).await.unwrap();
        }
        let each = (used().await - before).div_ceil(KEPT);
        assert!(each * ANSWERS <= ROOM_BYTES, "{each} bytes each");
    }
}
