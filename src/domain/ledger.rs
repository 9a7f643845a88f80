//! Double entry. One entry is one transfer, from a credited account to a debited one, so an unbalanced entry cannot be
//! written; entries are never changed.

use super::currency::Currency;
use super::event::{EventData, Topic};
use super::id::{EntryId, EventId, PaymentId, RefundId};
use super::money::{AmountOverflow, Money, add};
use super::time::Timestamp;

/// The accounts that every merchant has, in every currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// What is owed to the merchant.
    MerchantReceivable,
    /// What customers have paid in.
    CustomerFunds,
}

impl Account {
    pub const ALL: [Self; 2] = [Self::MerchantReceivable, Self::CustomerFunds];

    pub fn name(self) -> &'static str {
        match self {
            Self::MerchantReceivable => "merchant_receivable",
            Self::CustomerFunds => "customer_funds",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.name() == name)
    }
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    pub id: EntryId,
    /// The event that it books; unique, so that no event is booked twice.
    pub event_id: EventId,
    pub payment_id: PaymentId,
    pub refund_id: Option<RefundId>,
    pub merchant_id: String,
    pub debit: Account,
    pub credit: Account,
    /// Above zero.
    pub money: Money,
    pub created_at: Timestamp,
}

/// The debited and the credited account of what an event tells: a capture debits `merchant_receivable` and credits
/// `customer_funds`, a refund the reverse. Other events move no money.
pub fn accounts(topic: Topic) -> Option<(Account, Account)> {
    match topic {
        Topic::Captured => Some((Account::MerchantReceivable, Account::CustomerFunds)),
        Topic::Refunded => Some((Account::CustomerFunds, Account::MerchantReceivable)),
        _ => None,
    }
}

/// An event that no entry can book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbookable {
    #[error("the event moves no money")]
    NoPosting,
    #[error("the event's amount is not above zero")]
    AmountInvalid,
    /// Neither the payment nor the refund says that this event told of it.
    #[error("neither payment nor refund bears the event out")]
    Unproven,
}

/// The entry that books an event.
pub fn entry(
    id: EntryId,
    event_id: EventId,
    topic: Topic,
    data: &EventData,
    now: Timestamp,
) -> Result<LedgerEntry, Unbookable> {
    let (debit, credit) = accounts(topic).ok_or(Unbookable::NoPosting)?;
    if data.amount <= 0 {
        return Err(Unbookable::AmountInvalid);
    }
    Ok(LedgerEntry {
        id,
        event_id,
        payment_id: data.payment_id,
        refund_id: data.refund_id,
        merchant_id: data.merchant_id.clone(),
        debit,
        credit,
        money: Money::new(data.amount, data.currency),
        created_at: now,
    })
}

/// Names one balance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BalanceKey {
    pub merchant_id: String,
    pub account: Account,
    pub currency: Currency,
}

/// The sums of an account's entries; they only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    pub debits: i64,
    pub credits: i64,
    pub version: i64,
}

impl Balance {
    pub fn debit(&mut self, minor: i64) -> Result<(), AmountOverflow> {
        self.debits = add(self.debits, minor)?;
        Ok(())
    }

    pub fn credit(&mut self, minor: i64) -> Result<(), AmountOverflow> {
        self.credits = add(self.credits, minor)?;
        Ok(())
    }
}

impl LedgerEntry {
    /// The balance that the entry debits, and the one that it credits.
    pub fn balances(&self) -> (BalanceKey, BalanceKey) {
        let key =
            |account| BalanceKey { merchant_id: self.merchant_id.clone(), account, currency: self.money.currency };
        (key(self.debit), key(self.credit))
    }
}
