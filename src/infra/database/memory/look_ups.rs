//! What look-ups, lists and operators read of a shard in memory.

use super::{Memory, Tables};
use crate::domain::dead_letter::StoredDeadLetter;
use crate::domain::ledger::LedgerEntry;
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::timeline::{Timeline, TimelinePage};
use crate::domain::{EntryId, EventId, LetterId, PaymentId, RefundId};
use crate::infra::database::{Damaged, DatabaseError, LetterFilter, ListFilter};

impl Memory {
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        let is_listed = |payment: &Payment| {
            payment.merchant_id == filter.merchant_id
                && filter.status.is_none_or(|status| payment.status == status)
                && filter.above.is_none_or(|above| payment.id > above)
                && filter.below.is_none_or(|below| payment.id < below)
        };
        let mut found: Vec<_> = self.reading().await?.payments.into_values().filter(is_listed).collect();
        if !filter.ascending {
            found.reverse();
        }
        Ok(page(found, filter.limit))
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

/// The first of the rows, each as one that can be read.
fn page<T>(rows: impl IntoIterator<Item = T>, limit: u64) -> Vec<Result<T, Damaged>> {
    rows.into_iter().take(limit as usize).map(Ok).collect()
}
