//! The rows of one authorization, as Rialto has them after it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use entities::{idempotency_key, outbox_event, payment};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::IntoActiveModel;
use sha2::{Digest, Sha256};

pub struct Rows {
    pub payment: payment::ActiveModel,
    pub event: outbox_event::ActiveModel,
    pub answer: idempotency_key::ActiveModel,
    pub answer_body: String,
}

/// A number that very likely no row has yet: each run starts at another number and counts on.
fn new_number() -> i64 {
    static BEGIN: LazyLock<i64> = LazyLock::new(|| i64::from(rand::random::<u32>()) << 30);
    static GIVEN: AtomicI64 = AtomicI64::new(0);
    *BEGIN + GIVEN.fetch_add(1, Ordering::Relaxed)
}

pub fn new_key() -> String {
    format!("ceiling-{}", new_number())
}

/// The four timeline entries of an authorization.
fn timeline(id: i64, at: &str, trace: &str, money: &str) -> String {
    [
        format!(r#"{{"at":"{at}","what":"requested","detail":"authorize {money}","traceId":"{trace}"}}"#),
        format!(r#"{{"at":"{at}","what":"psp_call","detail":"authorize approved in 1 ms","traceId":"{trace}"}}"#),
        format!(r#"{{"at":"{at}","what":"decision","detail":"AUTHORIZED","traceId":"{trace}"}}"#),
        format!(
            concat!(
                r#"{{"at":"{at}","what":"event","detail":"payment.authorized","#,
                r#""eventId":"evt_{id:013}","traceId":"{trace}"}}"#,
            ),
            at = at,
            id = id,
            trace = trace,
        ),
    ]
    .join("\n")
}

/// The event of the authorization, as if it had been published.
fn event(
    id: i64,
    now: i64,
    trace: &str,
    (merchant, amount, currency): (&str, i64, &str),
    psp_reference: &str,
) -> outbox_event::ActiveModel {
    outbox_event::ActiveModel {
        seq: NotSet,
        event_id: Set(id),
        payment_id: Set(id),
        topic: Set("payment.authorized".to_owned()),
        payload: Set(format!(
            concat!(
                r#"{{"paymentId":"pay_{id:013}","merchantId":"{merchant}","status":"AUTHORIZED","#,
                r#""amount":{amount},"currency":"{currency}","pspReference":"{psp_reference}"}}"#,
            ),
            id = id,
            merchant = merchant,
            amount = amount,
            currency = currency,
            psp_reference = psp_reference,
        )),
        traceparent: Set(format!("00-{trace}-{id:016x}-01")),
        occurred_at: Set(now),
        published_at: Set(Some(now)),
    }
}

impl Rows {
    pub fn of(merchant: &str, amount: i64, currency: &str, key: &str) -> Self {
        let (id, now) = (new_number(), 1_800_000_000_000);
        let (at, trace) = ("2027-01-15T08:00:00.000Z", format!("{id:032x}"));
        let scope = Sha256::digest(format!("{merchant}/authorize/{key}"))[..16].to_vec();
        let fingerprint = Sha256::digest(format!("{merchant}/{amount}/{currency}")).to_vec();
        let psp_reference = format!("psp_auth_pay_{id:013}");
        let answer_body = format!(
            concat!(
                r#"{{"paymentId":"pay_{id:013}","merchantId":"{merchant}","status":"AUTHORIZED","#,
                r#""currency":"{currency}","amounts":{{"authorized":{amount},"captured":0,"#,
                r#""capturable":{amount},"refunded":0,"refundable":0}},"amount":{amount},"#,
                r#""requestedAt":"{at}","updatedAt":"{at}","captureBefore":"{at}","#,
                r#""pspReference":"{psp_reference}","message":"The payment is authorized."}}"#,
            ),
            id = id,
            merchant = merchant,
            currency = currency,
            amount = amount,
            at = at,
            psp_reference = psp_reference,
        );
        let payment = payment::Model {
            refunds_waiting: None,
            merchant_reference: None,
            capture_id: None,
            capture_amount: None,
            capture_version: None,
            captured_event: None,
            refunds: 0,
            id,
            merchant_id: merchant.to_owned(),
            status: "AUTHORIZED".to_owned(),
            currency: currency.to_owned(),
            amount,
            authorized: amount,
            capture_pending: 0,
            captured: 0,
            refund_pending: 0,
            refunded: 0,
            capture_mode: "manual".to_owned(),
            description: None,
            metadata: None,
            psp_reference: Some(psp_reference.clone()),
            reason: None,
            requested_at: now,
            updated_at: now,
            capture_before: Some(now + 604_800_000),
            due_at: Some(now + 604_800_000),
            attempts: 0,
            claim: scope.clone(),
            timeline: timeline(id, at, &trace, &format!("{amount} {currency}")),
            version: 2,
        };
        let event = event(id, now, &trace, (merchant, amount, currency), &psp_reference);
        let answer = idempotency_key::Model {
            scope,
            merchant_id: merchant.to_owned(),
            operation: "authorize".to_owned(),
            idempotency_key: key.to_owned(),
            payment_id: id,
            fingerprint,
            outcome: Some(format!(
                r#"{{"outcome":{{"done":{{"payment":{answer_body},"refund_id":null}}}},"request_id":"req_{id:016x}"}}"#
            )),
            created_at: now,
            finished_at: Some(now),
            expires_at: now + 604_800_000,
            version: 2,
        };
        Self { payment: payment.into_active_model(), event, answer: answer.into_active_model(), answer_body }
    }
}
