//! What a payment service provider (PSP) can be asked, how its answers are read, and when to ask again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{PaymentId, RefundId};
use super::money::Money;

/// The idempotency key of one operation at the PSP. It is derived from what the operation is for, so that asking again,
/// by whomever and whenever, is the same operation to the PSP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PspKey(pub String);

impl PspKey {
    pub fn authorize(payment_id: PaymentId) -> Self {
        Self(format!("auth_{payment_id}"))
    }

    /// The payment's capture of this number, from 1. One key for all would have the PSP repeat its first decline.
    pub fn capture(payment_id: PaymentId, number: u32) -> Self {
        match number {
            0 | 1 => Self(format!("cap_{payment_id}")),
            _ => Self(format!("cap_{payment_id}_{number}")),
        }
    }

    pub fn void(payment_id: PaymentId) -> Self {
        Self(format!("void_{payment_id}"))
    }

    pub fn refund(refund_id: RefundId) -> Self {
        Self(format!("refund_{refund_id}"))
    }
}

impl fmt::Display for PspKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known after the PSP was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did what was asked, for this amount.
    Approved { reference: String, money: Money },
    /// It refused, for good.
    Declined { reason: String },
    /// Nothing reached it: asking later is safe.
    NotSent { why: String },
    /// It may or may not have done it: no answer in time, or one that makes no sense.
    Unknown { why: String },
    /// It says that it never heard of the key: nothing was done.
    Absent,
}

impl Verdict {
    /// Whether the PSP has decided, so that asking again gives the same.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Approved { .. } | Self::Declined { .. })
    }

    /// A word for timelines, logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approved { .. } => "approved",
            Self::Declined { .. } => "declined",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown { .. } => "unknown",
            Self::Absent => "absent",
        }
    }

    /// Why it is not an approval; empty for approvals.
    pub fn why(&self) -> &str {
        match self {
            Self::Declined { reason } => reason,
            Self::NotSent { why } | Self::Unknown { why } => why,
            Self::Approved { .. } | Self::Absent => "",
        }
    }
}

/// When an operation that failed for now is tried again: exponential backoff with full jitter
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), and an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first one included.
    pub tries_max: u32,
    pub base: Duration,
    pub cap: Duration,
}

impl RetryPolicy {
    /// How long to wait after `tries` tries that failed. `chance` is any random number.
    pub fn delay(&self, tries: u32, chance: u64) -> Duration {
        let cap_ms = u64::try_from(self.cap.as_millis()).unwrap_or(u64::MAX);
        let base_ms = u64::try_from(self.base.as_millis()).unwrap_or(u64::MAX);
        let doubled = 1u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
        let ceiling_ms = base_ms.saturating_mul(doubled).min(cap_ms).max(1);
        // From half the ceiling to the whole of it: spread out, and never at once.
        Duration::from_millis(ceiling_ms / 2 + chance % (ceiling_ms / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_are_spread_between_half_the_ceiling_and_the_whole(tries in 1u32..80, chance: u64) {
            let policy = RetryPolicy { tries_max: 10, base: Duration::from_millis(200), cap: Duration::from_secs(60) };
            let doubled = 1u32.checked_shl(tries - 1).unwrap_or(u32::MAX);
            let ceiling = Duration::from_millis(200).saturating_mul(doubled).min(policy.cap);
            let delay = policy.delay(tries, chance);
            prop_assert!(delay >= ceiling / 2 && delay <= ceiling, "{delay:?} of {ceiling:?}");
        }
    }
}
