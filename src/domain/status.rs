//! Where a payment stands, and every move that it can make.

use serde::{Deserialize, Serialize};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    Authorizing,
    Authorized,
    Declined,
    /// The authorization never reached the PSP: nothing was done, and nobody declined.
    Failed,
    Unknown,
    CaptureRequested,
    Captured,
    CaptureFailed,
    Voided,
    Expired,
    RefundRequested,
    PartiallyRefunded,
    Refunded,
}

impl PaymentStatus {
    /// Every status, in the order of a payment's life.
    pub const ALL: [Self; 13] = [
        Self::Authorizing,
        Self::Authorized,
        Self::Declined,
        Self::Failed,
        Self::Unknown,
        Self::CaptureRequested,
        Self::Captured,
        Self::CaptureFailed,
        Self::Voided,
        Self::Expired,
        Self::RefundRequested,
        Self::PartiallyRefunded,
        Self::Refunded,
    ];

    /// The name outside: in answers, rows, events and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorizing => "AUTHORIZING",
            Self::Authorized => "AUTHORIZED",
            Self::Declined => "DECLINED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
            Self::CaptureRequested => "CAPTURE_REQUESTED",
            Self::Captured => "CAPTURED",
            Self::CaptureFailed => "CAPTURE_FAILED",
            Self::Voided => "VOIDED",
            Self::Expired => "EXPIRED",
            Self::RefundRequested => "REFUND_REQUESTED",
            Self::PartiallyRefunded => "PARTIALLY_REFUNDED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// Whether another payment may have the merchant reference of one that ended like this: nothing came of it.
    pub fn frees_reference(self) -> bool {
        matches!(self, Self::Declined | Self::Failed)
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a payment may move from this status to `next`. Nothing else decides that.
    pub fn may_become(self, next: Self) -> bool {
        use PaymentStatus::*;
        matches!(
            (self, next),
            (Authorizing, Authorized | Declined | Failed | Unknown)
                | (Unknown, Authorized | Declined | Failed)
                | (Authorized, CaptureRequested | Voided | Expired)
                | (CaptureRequested, Captured | CaptureFailed)
                | (CaptureFailed, Voided | CaptureRequested)
                | (Captured | PartiallyRefunded, RefundRequested)
                | (RefundRequested, PartiallyRefunded | Refunded | Captured)
        )
    }

    /// Whether something of a payment may be given back in this status, at once or after the capture under way.
    pub fn may_be_refunded(self) -> bool {
        use PaymentStatus::{CaptureRequested, Captured, PartiallyRefunded, RefundRequested};
        matches!(self, CaptureRequested | Captured | PartiallyRefunded | RefundRequested)
    }

    /// Whether a payment of this status may ever have one that `is_wanted`, now or by whatever moves there are.
    pub fn may_reach(self, is_wanted: impl Fn(Self) -> bool) -> bool {
        let mut reached = vec![self];
        let mut next = 0;
        while let Some(from) = reached.get(next).copied() {
            if is_wanted(from) {
                return true;
            }
            let further = Self::ALL.into_iter().filter(|to| from.may_become(*to) && !reached.contains(to));
            reached.extend(further.collect::<Vec<_>>());
            next += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of statuses: `x` where the move is allowed. Rows are from, columns are to, in the order of `ALL`.
    const MOVES: [&str; 13] = [
        ".xxxx........", // AUTHORIZING
        ".....x..xx...", // AUTHORIZED
        ".............", // DECLINED
        ".............", // FAILED
        ".xxx.........", // UNKNOWN
        "......xx.....", // CAPTURE_REQUESTED
        "..........x..", // CAPTURED
        ".....x..x....", // CAPTURE_FAILED
        ".............", // VOIDED
        ".............", // EXPIRED
        "......x....xx", // REFUND_REQUESTED
        "..........x..", // PARTIALLY_REFUNDED
        ".............", // REFUNDED
    ];

    #[test]
    fn every_pair_of_statuses() {
        for (row, from) in PaymentStatus::ALL.into_iter().enumerate() {
            for (column, to) in PaymentStatus::ALL.into_iter().enumerate() {
                let allowed = MOVES[row].as_bytes()[column] == b'x';
                assert_eq!(from.may_become(to), allowed, "{} -> {}", from.name(), to.name());
            }
        }
    }

    #[test]
    fn names_are_the_serialized_form() {
        for status in PaymentStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
            assert_eq!(PaymentStatus::parse(status.name()), Some(status));
        }
        assert_eq!(PaymentStatus::parse("authorized"), None);
    }

    #[test]
    fn what_a_status_may_reach() {
        use PaymentStatus::*;
        for (from, to, may) in [
            (Authorizing, Refunded, true),
            (CaptureRequested, Voided, true),
            (Captured, Authorized, false),
            (Voided, Captured, false),
            (Refunded, Refunded, true),
        ] {
            assert_eq!(from.may_reach(|status| status == to), may, "{from:?} {to:?}");
        }
    }
}
