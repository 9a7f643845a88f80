//! What the clients asked and were told, by payment.

use std::collections::BTreeMap;

use super::model::Entry;

/// One authorization and all that was asked of its payment.
#[derive(Debug)]
pub struct Story {
    pub merchant: String,
    /// The idempotency key of the authorization, which is in the payment's description too.
    pub key: String,
    pub amount: i64,
    /// The result of the authorization.
    pub authorized: Authorized,
    /// Whether the capture was asked for with the authorization.
    pub is_automatic: bool,
    pub calls: Vec<Entry>,
    /// Answers that no state of the cluster can give, such as 404 for a payment that was acknowledged.
    pub absurd: Vec<String>,
}

/// What the caller of an authorization knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorized {
    /// 200.
    Yes { payment_id: String },
    /// 202: to be resolved.
    Pending { payment_id: String },
    /// 402.
    Declined { payment_id: String },
    /// No answer, or only refusals to look at it.
    Unknown,
}

impl Authorized {
    pub fn payment_id(&self) -> Option<&str> {
        match self {
            Self::Yes { payment_id } | Self::Pending { payment_id } | Self::Declined { payment_id } => Some(payment_id),
            Self::Unknown => None,
        }
    }
}

/// How many calls there were of each kind of answer.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&parts.join(", "))
    }
}
