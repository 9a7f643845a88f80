//! What must hold of the ledger: balanced, summed up right, and equal to captures minus refunds.

use std::collections::BTreeMap;

use super::events::EventFacts;
use super::report::Invariant::{LedgerBalanced, LedgerBalances, LedgerPayments};
use super::report::{Finding, of};
use crate::domain::event::Topic;
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry, accounts};
use crate::domain::refund::RefundStatus;
use crate::domain::{Currency, ShardId};
use crate::infra::database::audit::Dossier;

/// The sums of one shard's entries: two numbers for each merchant, account and currency.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<BalanceKey, (i128, i128)>);

impl Sums {
    pub fn add(&mut self, entry: &LedgerEntry) {
        let (debit, credit) = entry.balances();
        self.0.entry(debit).or_default().0 += i128::from(entry.money.minor);
        self.0.entry(credit).or_default().1 += i128::from(entry.money.minor);
    }

    /// Holds the sums against the shard's balances.
    pub fn judge(mut self, shard: ShardId, balances: &[(BalanceKey, Balance)]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut totals: BTreeMap<Currency, (i128, i128)> = BTreeMap::new();
        for (key, balance) in balances {
            let (debits, credits) = (i128::from(balance.debits), i128::from(balance.credits));
            let total = totals.entry(key.currency).or_default();
            *total = (total.0 + debits, total.1 + credits);
            let sums = self.0.remove(key).unwrap_or_default();
            if sums != (debits, credits) {
                findings.push(differing(shard, key, (debits, credits), sums));
            }
        }
        findings.extend(self.0.iter().map(|(key, sums)| differing(shard, key, (0, 0), *sums)));
        for (currency, (debits, credits)) in totals {
            if debits != credits {
                let text = format!("shard {shard}: {debits} {currency} debited, {credits} {currency} credited");
                findings.push(Finding::broken(LedgerBalanced, text));
            }
        }
        findings
    }
}

fn differing(shard: ShardId, key: &BalanceKey, balance: (i128, i128), sums: (i128, i128)) -> Finding {
    let text = format!(
        "shard {shard}: {} {} {}: balance is {} debited and {} credited, entries are {} and {}",
        key.merchant_id,
        key.account.name(),
        key.currency,
        balance.0,
        balance.1,
        sums.0,
        sums.1
    );
    Finding::broken(LedgerBalances, text)
}

/// Holds a payment's entries against what it captured and refunded. An entry may be missing as long as its event is not
/// behind the ledger group's committed offset.
pub fn judge(dossier: &Dossier, events: &EventFacts) -> Vec<Finding> {
    let payment = &dossier.payment;
    let mut findings = Vec::new();
    let (mut captures, mut refunds, mut missing) = (0, 0, 0u64);
    for entry in &dossier.entries {
        let topic = if entry.refund_id.is_some() { Topic::Refunded } else { Topic::Captured };
        let expected = match entry.refund_id {
            None => payment.captured,
            Some(refund_id) => {
                let done = dossier.refunds.iter().find(|refund| refund.id == refund_id);
                done.filter(|refund| refund.status == RefundStatus::Refunded).map_or(0, |refund| refund.money.minor)
            }
        };
        let is_again = dossier.entries.iter().filter(|other| other.refund_id == entry.refund_id).count() > 1;
        let told = match entry.refund_id {
            None => payment.captured_event,
            Some(refund_id) => {
                dossier.refunds.iter().find(|refund| refund.id == refund_id).and_then(|refund| refund.refunded_event)
            }
        };
        let is_right = !is_again
            && told.is_none_or(|told| told == entry.event_id)
            && entry.money == payment.money(expected)
            && entry.merchant_id == payment.merchant_id
            && accounts(topic) == Some((entry.debit, entry.credit));
        if !is_right {
            let text = format!(
                "{} by {} of {} from {} to {}{}: the payment captured {} and refunded {}",
                entry.id,
                entry.event_id,
                entry.money,
                entry.credit.name(),
                entry.debit.name(),
                if is_again { ", booked more than once" } else { "" },
                payment.captured,
                payment.refunded
            );
            findings.push(Finding::broken(LedgerPayments, of(payment.id, text)));
        }
        *if topic == Topic::Captured { &mut captures } else { &mut refunds } += 1;
    }
    if payment.captured > 0 && captures == 0 {
        missing += 1;
    }
    for refund in dossier.refunds.iter().filter(|refund| refund.status == RefundStatus::Refunded) {
        if !dossier.entries.iter().any(|entry| entry.refund_id == Some(refund.id)) {
            missing += 1;
        }
    }
    if missing > 0 {
        let is_overdue = captures < events.captures_behind || refunds < events.refunds_behind;
        let text = of(payment.id, format!("{missing} captures or refunds without an entry"));
        findings.push(Finding { invariant: LedgerPayments, is_in_flight: !is_overdue, text });
    }
    findings
}
