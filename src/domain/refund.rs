//! One refund of a payment.

use super::failure::Failure;
use super::id::{EventId, PaymentId, RefundId};
use super::money::Money;
use super::payment::{Payment, WaitingRefund};
use super::time::Timestamp;

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    Requested,
    Refunded,
    Failed,
}

impl RefundStatus {
    pub const ALL: [Self; 3] = [Self::Requested, Self::Refunded, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Refunded => "REFUNDED",
            Self::Failed => "FAILED",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// A refund ends once.
    pub fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Requested, Self::Refunded | Self::Failed))
    }
}

/// One refund, as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub money: Money,
    pub status: RefundStatus,
    /// Why the merchant refunds, in the merchant's words.
    pub reason: Option<String>,
    pub psp_reference: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The event that told that it is done: the ledger books no other. None before that, and where it was told before
    /// that was kept.
    pub refunded_event: Option<EventId>,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl WaitingRefund {
    /// The refund of `payment` that it becomes.
    pub fn begun(self, payment: &Payment) -> Refund {
        Refund {
            id: self.id,
            payment_id: payment.id,
            merchant_id: payment.merchant_id.clone(),
            money: payment.money(self.amount),
            status: RefundStatus::Requested,
            reason: self.reason,
            psp_reference: None,
            failure: None,
            refunded_event: None,
            requested_at: self.requested_at,
            updated_at: self.requested_at,
            version: 0,
        }
    }
}

/// The refund has ended before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refund has ended before")]
pub struct RefundEnded;

impl Refund {
    pub fn done(&mut self, psp_reference: String, now: Timestamp) -> Result<(), RefundEnded> {
        self.become_status(RefundStatus::Refunded, now)?;
        self.psp_reference = Some(psp_reference);
        Ok(())
    }

    pub fn failed(&mut self, failure: Failure, now: Timestamp) -> Result<(), RefundEnded> {
        self.become_status(RefundStatus::Failed, now)?;
        self.failure = Some(failure);
        Ok(())
    }

    fn become_status(&mut self, next: RefundStatus, now: Timestamp) -> Result<(), RefundEnded> {
        if !self.status.may_become(next) {
            return Err(RefundEnded);
        }
        self.status = next;
        self.updated_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_statuses() {
        for from in RefundStatus::ALL {
            for to in RefundStatus::ALL {
                let allowed = from == RefundStatus::Requested && to != RefundStatus::Requested;
                assert_eq!(from.may_become(to), allowed, "{} -> {}", from.name(), to.name());
            }
        }
    }
}
