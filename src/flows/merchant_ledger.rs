//! A merchant's balances and ledger entries, now or at an earlier time. Reads what is committed; changes nothing.

use super::listing::{Bounds, Page, Window};
use super::{App, FlowError};
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::{Bucket, EntryId, Timestamp};
use crate::infra::database::EntryFilter;

/// Which of a merchant's ledger entries to list.
#[derive(Debug, Clone)]
pub struct EntriesQuery {
    pub merchant_id: String,
    pub window: Window<EntryId>,
}

impl App {
    /// The merchant's balances by account and currency: now, or with all that was booked up to `at`. Those of now are
    /// running totals; those of before are these without what was booked since, which is bounded.
    pub async fn balances(
        &self,
        merchant_id: &str,
        at: Option<Timestamp>,
    ) -> Result<Vec<(BalanceKey, Balance)>, FlowError> {
        let database = &self.shards.of(Bucket::of_merchant(merchant_id)).database;
        let Some(at) = at else { return Ok(database.balances(merchant_id).await?) };
        let place = EntryId::at_least(Timestamp(at.0.saturating_add(1)));
        database.balances_before(merchant_id, place).await?.ok_or(FlowError::BalanceTooOld)
    }

    pub async fn entries(&self, query: EntriesQuery) -> Result<Page<LedgerEntry, EntryId>, FlowError> {
        let database = &self.shards.of(Bucket::of_merchant(&query.merchant_id)).database;
        let Bounds { above, below, ascending, limit } = query.window.bounds();
        let EntriesQuery { merchant_id, window } = query;
        let found = database.entries(&EntryFilter { merchant_id, above, below, ascending, limit }).await?;
        Ok(window.page(found))
    }

    /// Whether a cursor is one of the merchant's ledger entries.
    pub async fn has_entry(&self, id: EntryId, merchant_id: &str) -> Result<bool, FlowError> {
        Ok(self.shards.of(id.bucket()).database.has_entry(id, merchant_id).await?)
    }
}
