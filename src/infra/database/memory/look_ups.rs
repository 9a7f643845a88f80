//! What look-ups, lists and operators read of a shard in memory.

use std::collections::BTreeMap;

use super::{Memory, Tables};
use crate::domain::dead_letter::StoredDeadLetter;
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::timeline::{Timeline, TimelinePage};
use crate::domain::{EntryId, EventId, LetterId, PaymentId, RefundId};
use crate::infra::database::{Damaged, DatabaseError, EntryFilter, LetterFilter, ListFilter, RefundFilter};

impl Memory {
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        let is_listed = |payment: &Payment| {
            payment.merchant_id == filter.merchant_id
                && (filter.statuses.is_empty() || filter.statuses.contains(&payment.status))
                && (filter.merchant_reference.is_none() || payment.merchant_reference == filter.merchant_reference)
                && filter.above.is_none_or(|above| payment.id > above)
                && filter.below.is_none_or(|below| payment.id < below)
        };
        let mut found: Vec<_> = self.reading().await?.payments.into_values().filter(is_listed).collect();
        if !filter.ascending {
            found.reverse();
        }
        Ok(page(found, filter.limit))
    }

    pub async fn refund(&self, id: RefundId) -> Result<Option<Refund>, DatabaseError> {
        Ok(self.reading().await?.refunds.get(&id).cloned())
    }

    pub async fn refunds(&self, filter: &RefundFilter) -> Result<Vec<Result<Refund, Damaged>>, DatabaseError> {
        let is_listed = |refund: &Refund| {
            refund.merchant_id == filter.merchant_id
                && (filter.statuses.is_empty() || filter.statuses.contains(&refund.status))
                && filter.above.is_none_or(|above| refund.id > above)
                && filter.below.is_none_or(|below| refund.id < below)
        };
        let found = self.reading().await?.refunds.into_values().filter(is_listed);
        Ok(page(ordered(found, filter.ascending), filter.limit))
    }

    pub async fn payment_of_waiting(&self, id: RefundId) -> Result<Option<PaymentId>, DatabaseError> {
        let payments = self.reading().await?.payments;
        let waits = |payment: &&Payment| payment.refunds_waiting.iter().any(|refund| refund.id == id);
        Ok(payments.values().find(waits).map(|payment| payment.id))
    }

    pub async fn waiting_refunds(&self, filter: &RefundFilter) -> Result<Vec<(RefundId, PaymentId)>, DatabaseError> {
        let payments = self.reading().await?.payments;
        let of_merchant = payments.values().filter(|payment| payment.merchant_id == filter.merchant_id);
        let waiting =
            of_merchant.flat_map(|payment| payment.refunds_waiting.iter().map(|refund| (refund.id, payment.id)));
        let between = waiting.filter(|(id, _)| {
            filter.above.is_none_or(|above| *id > above) && filter.below.is_none_or(|below| *id < below)
        });
        let mut found: Vec<_> = between.collect();
        found.sort_unstable();
        Ok(ordered(found, filter.ascending).into_iter().take(filter.limit as usize).collect())
    }

    pub async fn entries(&self, filter: &EntryFilter) -> Result<Vec<Result<LedgerEntry, Damaged>>, DatabaseError> {
        let is_listed = |entry: &LedgerEntry| {
            entry.merchant_id == filter.merchant_id
                && filter.above.is_none_or(|above| entry.id > above)
                && filter.below.is_none_or(|below| entry.id < below)
        };
        let mut found: Vec<_> = self.reading().await?.entries.into_iter().filter(is_listed).collect();
        found.sort_by_key(|entry| entry.id);
        Ok(page(ordered(found, filter.ascending), filter.limit))
    }

    pub async fn has_entry(&self, id: EntryId, merchant_id: &str) -> Result<bool, DatabaseError> {
        let entries = self.reading().await?.entries;
        Ok(entries.iter().any(|entry| entry.id == id && entry.merchant_id == merchant_id))
    }

    pub async fn balances(&self, merchant_id: &str) -> Result<Vec<(BalanceKey, Balance)>, DatabaseError> {
        let balances = self.reading().await?.balances;
        Ok(balances.into_iter().filter(|(key, _)| key.merchant_id == merchant_id).collect())
    }

    pub async fn balances_before(
        &self,
        merchant_id: &str,
        place: EntryId,
    ) -> Result<Option<Vec<(BalanceKey, Balance)>>, DatabaseError> {
        let entries = self.reading().await?.entries;
        let mut balances: BTreeMap<BalanceKey, Balance> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.merchant_id == merchant_id && entry.id < place) {
            let (debited, credited) = entry.balances();
            balances.entry(debited).or_default().debit(entry.money.minor).unwrap();
            balances.entry(credited).or_default().credit(entry.money.minor).unwrap();
        }
        Ok(Some(balances.into_iter().collect()))
    }

    pub async fn refunds_of(
        &self,
        id: PaymentId,
        after: Option<RefundId>,
        limit: u64,
    ) -> Result<Vec<Result<Refund, Damaged>>, DatabaseError> {
        let refunds = self.reading().await?.refunds.into_values();
        let its = refunds.filter(|refund| refund.payment_id == id && after.is_none_or(|after| refund.id > after));
        Ok(page(its, limit))
    }

    pub async fn ledger_of(
        &self,
        id: PaymentId,
        after: Option<EntryId>,
        limit: u64,
    ) -> Result<Vec<Result<LedgerEntry, Damaged>>, DatabaseError> {
        let entries = self.reading().await?.entries.into_iter();
        let its = entries.filter(|entry| entry.payment_id == id && after.is_none_or(|after| entry.id > after));
        let mut its: Vec<_> = its.collect();
        its.sort_by_key(|entry| entry.id);
        Ok(page(its, limit))
    }

    pub async fn entries_of(&self, events: &[EventId]) -> Result<Vec<LedgerEntry>, DatabaseError> {
        let entries = self.reading().await?.entries.into_iter();
        Ok(entries.filter(|entry| events.contains(&entry.event_id)).collect())
    }

    pub async fn timeline_pages(
        &self,
        id: PaymentId,
        from: u32,
        before: u32,
        limit: u64,
    ) -> Result<Vec<TimelinePage>, DatabaseError> {
        let Tables { timeline_pages, .. } = self.reading().await?;
        let pages = timeline_pages.range((id, 0)..(id, before)).map(|(_, page)| page.clone());
        let its = pages.filter(|page| page.first.saturating_add(Timeline::PAGE_ENTRIES_MAX) > from);
        Ok(its.take(limit as usize).collect())
    }

    pub async fn dead_letters(
        &self,
        filter: &LetterFilter,
        limit: u64,
    ) -> Result<Vec<StoredDeadLetter>, DatabaseError> {
        let is_meant = |kept: &StoredDeadLetter| {
            let letter = &kept.letter;
            filter.topic.is_none_or(|topic| letter.topic == topic)
                && filter.status.is_none_or(|status| kept.status == status)
                && filter.error_type.as_ref().is_none_or(|error| letter.error_type == *error)
                && filter.source_topic.as_ref().is_none_or(|topic| letter.source.topic == *topic)
                && filter.below.is_none_or(|below| letter.id < below)
        };
        let letters = self.reading().await?.letters.into_values().rev();
        Ok(letters.filter(is_meant).take(limit as usize).collect())
    }

    pub async fn dead_letter(&self, id: LetterId) -> Result<Option<StoredDeadLetter>, DatabaseError> {
        Ok(self.reading().await?.letters.get(&id).cloned())
    }
}

/// Rows that are in the order of their ids, or the other way round.
fn ordered<T>(rows: impl IntoIterator<Item = T>, ascending: bool) -> Vec<T> {
    let mut rows: Vec<T> = rows.into_iter().collect();
    if !ascending {
        rows.reverse();
    }
    rows
}

/// The first of the rows, each as one that can be read.
fn page<T>(rows: impl IntoIterator<Item = T>, limit: u64) -> Vec<Result<T, Damaged>> {
    rows.into_iter().take(limit as usize).map(Ok).collect()
}
