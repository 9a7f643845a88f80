//! The protocol between [`HttpPsp`](super::HttpPsp) and a PSP. All bodies are JSON; amounts are integers in the
//! currency's minor unit.
//!
//! | request | answer |
//! | --- | --- |
//! | `PUT /v1/operations/{key}` with an [`Asked`] | 200 and a [`Decision`]; the same key does the same operation once |
//! | `GET /v1/operations/{key}` | 200 and a [`Decision`]; 404 and [`NotFound`] if no such operation reached the PSP |
//! | `GET /v1/books/operations?after=KEY&limit=N` | 200 and an array of the books' operations, by key |
//! | `GET /v1/books/operations/{key}` | 200 and one of them; 404 and [`NotFound`] |
//! | `GET /v1/books/authorizations?after=REFERENCE&limit=N` | 200 and an array of authorizations, by reference |
//! | `GET /healthz` | 200 |
//!
//! 503 with [`NotDone`] promises that nothing was done. 400 and 422 mean an invalid request. After any other answer, or
//! none, it is unknown what was done.

use serde::{Deserialize, Serialize};

use crate::domain::psp::PspKey;
use crate::domain::{Currency, Money, PaymentId};
use crate::infra::psp::{Action, PspAnswer, PspOperation};

/// The most rows of the books that one answer holds; a request for more is refused, so that a page that is not full is
/// always the last one.
pub const PAGE_MAX: u32 = 10_000;

/// An operation as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked<T> {
    pub action: ActionName,
    /// The authorization that it refers to; none for `authorize`.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub authorization: Option<T>,
    pub payment_id: PaymentId,
    pub merchant_id: T,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionName {
    Authorize,
    Capture,
    Void,
    Refund,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum Decision {
    Approved {
        reference: String,
        /// Minor units.
        amount: i64,
        currency: Currency,
    },
    Declined {
        reason: String,
    },
}

impl Asked<String> {
    /// The operation under this key; none if the action and the authorization do not fit.
    pub fn under(self, key: PspKey) -> Option<PspOperation> {
        let action = match (self.action, self.authorization) {
            (ActionName::Authorize, None) => Action::Authorize,
            (ActionName::Capture, Some(authorization)) => Action::Capture { authorization },
            (ActionName::Void, Some(authorization)) => Action::Void { authorization },
            (ActionName::Refund, Some(authorization)) => Action::Refund { authorization },
            _ => return None,
        };
        let money = Money::new(self.amount, self.currency);
        Some(PspOperation { key, payment_id: self.payment_id, merchant_id: self.merchant_id, money, action })
    }
}

impl<'a> From<&'a PspOperation> for Asked<&'a str> {
    fn from(operation: &'a PspOperation) -> Self {
        Self {
            action: match operation.action {
                Action::Authorize => ActionName::Authorize,
                Action::Capture { .. } => ActionName::Capture,
                Action::Void { .. } => ActionName::Void,
                Action::Refund { .. } => ActionName::Refund,
            },
            authorization: operation.action.authorization(),
            payment_id: operation.payment_id,
            merchant_id: &operation.merchant_id,
            amount: operation.money.minor,
            currency: operation.money.currency,
        }
    }
}

/// Which part of the books.
#[derive(Debug, Serialize, Deserialize)]
pub struct BooksQuery {
    /// The key or reference behind which the list begins.
    #[serde(default)]
    pub after: String,
    pub limit: u32,
}

impl From<PspAnswer> for Decision {
    fn from(answer: PspAnswer) -> Self {
        match answer {
            PspAnswer::Approved { reference, money } => {
                Self::Approved { reference, amount: money.minor, currency: money.currency }
            }
            PspAnswer::Declined { reason } => Self::Declined { reason },
        }
    }
}

impl From<Decision> for PspAnswer {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Approved { reference, amount, currency } => {
                Self::Approved { reference, money: Money::new(amount, currency) }
            }
            Decision::Declined { reason } => Self::Declined { reason },
        }
    }
}

/// `{"done": false}`: nothing was done. A proxy's 503 has no such body, and promises nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NotDone {
    pub done: bool,
}

/// `{"found": false}`: the PSP has no such operation. A 404 of a wrong address has no such body, and must not count as
/// one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NotFound {
    pub found: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_round_trip_over_the_wire() {
        let authorization = "psp_auth_1".to_owned();
        for action in [
            Action::Authorize,
            Action::Capture { authorization: authorization.clone() },
            Action::Void { authorization: authorization.clone() },
            Action::Refund { authorization },
        ] {
            let operation = PspOperation {
                key: PspKey("k".into()),
                payment_id: PaymentId::from_stored(1),
                merchant_id: "MERCHANT-1".into(),
                money: Money::new(100, Currency::parse("KRW").unwrap()),
                action,
            };
            let text = serde_json::to_string(&Asked::from(&operation)).unwrap();
            let asked: Asked<String> = serde_json::from_str(&text).unwrap();
            assert_eq!(asked.under(operation.key.clone()), Some(operation));
        }
        let text =
            r#"{"action":"capture","paymentId":"pay_0000000000001","merchantId":"M","amount":1,"currency":"KRW"}"#;
        let asked: Asked<String> = serde_json::from_str(text).unwrap();
        assert_eq!(asked.under(PspKey("k".into())), None);
    }
}
