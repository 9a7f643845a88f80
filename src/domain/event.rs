//! What the rest of the world is told: events, written to the outbox in the transaction of the change they tell of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::failure::{Failure, FailureCode, Mismatch};
use super::id::{CaptureId, EventId, PaymentId, RefundId};
use super::money::Money;
use super::payment::{Payment, PaymentStatus};
use super::time::Timestamp;
use super::trace::TraceContext;

/// The topics of events. An event's type has its topic's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Authorized,
    CaptureRequested,
    Captured,
    RefundRequested,
    Refunded,
    Voided,
    Failed,
}

/// Partitions of a topic of events: one payment's events share one, in order.
pub const EVENT_PARTITIONS: u32 = 6;
/// Partitions of a topic of dead letters.
pub const DEAD_LETTER_PARTITIONS: u32 = 3;

impl Topic {
    pub const ALL: [Self; 7] = [
        Self::Authorized,
        Self::CaptureRequested,
        Self::Captured,
        Self::RefundRequested,
        Self::Refunded,
        Self::Voided,
        Self::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Authorized => "payment.authorized",
            Self::CaptureRequested => "payment.capture-requested",
            Self::Captured => "payment.captured",
            Self::RefundRequested => "payment.refund-requested",
            Self::Refunded => "payment.refunded",
            Self::Voided => "payment.voided",
            Self::Failed => "payment.failed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// Where what cannot be applied is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterTopic {
    Payment,
    Settlement,
    Refund,
}

impl DeadLetterTopic {
    pub const ALL: [Self; 3] = [Self::Payment, Self::Settlement, Self::Refund];

    pub fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment.dlq",
            Self::Settlement => "settlement.dlq",
            Self::Refund => "refund.dlq",
        }
    }
}

/// Every topic and its number of partitions.
pub fn topics() -> impl Iterator<Item = (&'static str, u32)> {
    let events = Topic::ALL.into_iter().map(|topic| (topic.name(), EVENT_PARTITIONS));
    events.chain(DeadLetterTopic::ALL.into_iter().map(|topic| (topic.name(), DEAD_LETTER_PARTITIONS)))
}

/// The topic of this name, if there is one.
pub fn known_topic(name: &str) -> Option<&'static str> {
    topics().map(|(known, _)| known).find(|known| *known == name)
}

/// Who works on events: each remembers which ones it has applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Consumer {
    Settlement,
    Refund,
    Ledger,
}

impl Consumer {
    pub const ALL: [Self; 3] = [Self::Settlement, Self::Refund, Self::Ledger];

    /// The consumer group's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settlement => "settlement",
            Self::Refund => "refund",
            Self::Ledger => "ledger",
        }
    }

    /// What it reads.
    pub fn topics(self) -> &'static [Topic] {
        match self {
            Self::Settlement => &[Topic::CaptureRequested, Topic::Voided],
            Self::Refund => &[Topic::RefundRequested],
            Self::Ledger => &[Topic::Captured, Topic::Refunded],
        }
    }

    /// Where it puts aside what it cannot apply.
    pub fn dead_letters(self) -> DeadLetterTopic {
        match self {
            Self::Settlement => DeadLetterTopic::Settlement,
            Self::Refund => DeadLetterTopic::Refund,
            Self::Ledger => DeadLetterTopic::Payment,
        }
    }
}

/// The data of an event. Amounts are in the currency's minor unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventData {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    /// The payment's status after the change.
    pub status: PaymentStatus,
    /// What the change was about: the amount authorized, captured, refunded or let go.
    pub amount: i64,
    pub currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// Which capture it tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_id: Option<CaptureId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, of a `payment.failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureData>,
}

/// A failure as events tell of it. What a later version adds to the codes is read, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureData {
    pub code: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psp_code: Option<String>,
    /// For people.
    pub message: String,
    pub retry: Cow<'static, str>,
    /// What was asked and what the PSP approved, where that differs; minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<MoneyData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<MoneyData>,
}

/// An amount with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyData {
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
}

impl From<Money> for MoneyData {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

impl From<&Failure> for FailureData {
    fn from(failure: &Failure) -> Self {
        let Failure { code, psp_code, mismatch } = failure;
        let told = |money: fn(&Mismatch) -> Money| mismatch.as_ref().map(|mismatch| money(mismatch).into());
        Self {
            code: code.name().into(),
            psp_code: psp_code.clone(),
            message: failure.message(),
            retry: code.retry().name().into(),
            requested: told(|mismatch| mismatch.requested),
            approved: told(|mismatch| mismatch.approved),
        }
    }
}

/// One event, as the outbox holds it: of a change (the topic is a [`Topic`]'s, the payload [`EventData`]) or of a dead
/// letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub payment_id: PaymentId,
    pub topic: &'static str,
    pub occurred_at: Timestamp,
    pub trace: TraceContext,
    /// JSON.
    pub payload: String,
}

impl EventData {
    /// What is told of `payment` as it stands, about `amount` of it.
    pub fn of(payment: &Payment, amount: i64, refund_id: Option<RefundId>) -> Self {
        use PaymentStatus::{CaptureFailed, CaptureRequested, Captured};
        let tells_of_capture =
            refund_id.is_none() && matches!(payment.status, CaptureRequested | Captured | CaptureFailed);
        Self {
            payment_id: payment.id,
            merchant_id: payment.merchant_id.clone(),
            status: payment.status,
            amount,
            currency: payment.currency,
            psp_reference: payment.psp_reference.clone(),
            refund_id,
            capture_id: payment.capture.filter(|_| tells_of_capture).map(|capture| capture.id),
            merchant_reference: payment.merchant_reference.clone(),
            reason: payment.failure.as_ref().map(|failure| failure.reason().to_owned()),
            failure: None,
        }
    }

    /// What is told of a failure of `payment`, or of its refund.
    pub fn of_failure(payment: &Payment, amount: i64, refund_id: Option<RefundId>, failure: &Failure) -> Self {
        let (reason, told) = (Some(failure.reason().to_owned()), Some(failure.into()));
        Self { reason, failure: told, ..Self::of(payment, amount, refund_id) }
    }

    /// Reads an event's payload. The version before told of an authorization that never reached the PSP as declined.
    ///
    /// # Errors
    /// If it is no JSON of such data.
    pub fn read(payload: &str) -> serde_json::Result<Self> {
        let mut data: Self = serde_json::from_str(payload)?;
        let was_not_sent = data.failure.is_none() && data.reason.as_deref() == Some(FailureCode::NotSent.name());
        if data.status == PaymentStatus::Declined && was_not_sent {
            data.status = PaymentStatus::Failed;
            data.failure = Some((&Failure::from(FailureCode::NotSent)).into());
        }
        Ok(data)
    }
}

/// A value of ours as JSON. Strings, integers and maps with text keys always have a JSON form.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    // invariant: see above; serde_json fails only for maps with other keys and for failing Serialize impls.
    serde_json::to_string(value).expect("plain data have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.name()), Some(topic));
        }
        assert_eq!(Topic::parse("payment.dlq"), None);
    }

    /// As the version before told of what never reached the PSP, and of what the PSP declined.
    #[test]
    fn not_sent_of_the_version_before_is_read_as_failed_and_a_decline_is_not() {
        let told = |reason: &str| {
            let payload = r#"{"paymentId":"pay_66HBG6G1B0001","merchantId":"MERCHANT-1","status":"DECLINED","#;
            let rest = format!(r#""amount":4004,"currency":"KRW","reason":"{reason}"}}"#);
            EventData::read(&format!("{payload}{rest}")).unwrap()
        };
        let (not_sent, declined) = (told("not_sent"), told("insufficient_funds"));
        assert_eq!(not_sent.status, PaymentStatus::Failed);
        assert_eq!(not_sent.failure, Some((&Failure::from(FailureCode::NotSent)).into()));
        assert_eq!((declined.status, declined.failure), (PaymentStatus::Declined, None));
    }

    #[test]
    fn failure_is_written_with_the_members_of_the_contract() {
        let won = |minor| Money::new(minor, Currency::parse("KRW").unwrap());
        let written = |failure: &Failure| json(&FailureData::from(failure));
        let refused = written(&Failure::refused("refused_by_issuer"));
        let expected = concat!(
            r#"{"code":"card_declined","pspCode":"refused_by_issuer","#,
            r#""message":"The issuer declined without a reason.","retry":"other_method"}"#
        );
        assert_eq!(refused, expected);
        let mismatch = written(&Failure::mismatch(won(4_006), won(4_005)));
        let amounts = r#""requested":{"amount":4006,"currency":"KRW"},"approved":{"amount":4005,"currency":"KRW"}}"#;
        assert!(mismatch.ends_with(amounts), "{mismatch}");
    }
}
