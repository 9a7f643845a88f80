//! A merchant's balances, now or at an earlier time.

use std::collections::BTreeMap;

use entities::account_balance;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement};

use super::error::DatabaseError;
use super::readable::each;
use super::row::Damaged;
use super::table::Table;
use super::{ShardDatabase, or_in_memory};
use crate::domain::ledger::{Account, Balance, BalanceKey};
use crate::domain::{Currency, EntryId};

/// How many entries may have been booked since the time that is asked about: so many are read by an index and summed
/// up, and no more.
pub const ENTRIES_SINCE_MAX: u32 = 50_000;

/// The totals of now, and with a minus sign what was booked since, in one statement and so at one instant. Both sides
/// of an entry are told; what they read is bounded by the last parameter of each.
const BALANCES_BEFORE: &str = "\
    SELECT account, currency, debits, credits, 0 AS entries FROM account_balance WHERE merchant_id = ? \
    UNION ALL SELECT debit_account, currency, -CAST(SUM(amount) AS SIGNED), 0, COUNT(*) FROM \
        (SELECT debit_account, currency, amount FROM ledger_entry WHERE merchant_id = ? AND id >= ? \
            ORDER BY id LIMIT ?) AS debited GROUP BY debit_account, currency \
    UNION ALL SELECT credit_account, currency, 0, -CAST(SUM(amount) AS SIGNED), COUNT(*) FROM \
        (SELECT credit_account, currency, amount FROM ledger_entry WHERE merchant_id = ? AND id >= ? \
            ORDER BY id LIMIT ?) AS credited GROUP BY credit_account, currency";

#[derive(FromQueryResult)]
struct Part {
    account: String,
    currency: String,
    debits: i64,
    credits: i64,
    entries: i64,
}

impl ShardDatabase {
    /// A merchant's balances by account and currency.
    pub async fn balances(&self, merchant_id: &str) -> Result<Vec<(BalanceKey, Balance)>, DatabaseError> {
        or_in_memory!(self.balances(merchant_id));
        let query = account_balance::Entity::find();
        let found = each(&self.readers, query.filter(account_balance::Column::MerchantId.eq(merchant_id))).await?;
        self.all_readable(found)
    }

    /// A merchant's balances as they were before the entry of this place and all later ones. None if more than
    /// [`ENTRIES_SINCE_MAX`] were booked since.
    pub async fn balances_before(
        &self,
        merchant_id: &str,
        place: EntryId,
    ) -> Result<Option<Vec<(BalanceKey, Balance)>>, DatabaseError> {
        or_in_memory!(self.balances_before(merchant_id, place));
        let (merchant, place) = (merchant_id.to_owned(), place.get());
        let most = i64::from(ENTRIES_SINCE_MAX) + 1;
        let since = || [merchant.clone().into(), place.into(), most.into()];
        let values = [merchant.clone().into()].into_iter().chain(since()).chain(since());
        let backend = self.readers.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, BALANCES_BEFORE, values);
        let parts = self.readers.query_all(statement).await?;
        let mut entries = 0_i64;
        let mut balances: BTreeMap<BalanceKey, Balance> = BTreeMap::new();
        for row in &parts {
            let part = Part::from_query_result(row, "")?;
            let unreadable =
                |column| Damaged { table: account_balance::Entity::NAME, id: merchant_id.to_owned(), column };
            let key = BalanceKey {
                merchant_id: merchant_id.to_owned(),
                account: Account::parse(&part.account).ok_or_else(|| unreadable("account"))?,
                currency: Currency::stored(&part.currency).map_err(|_| unreadable("currency"))?,
            };
            let balance = balances.entry(key).or_default();
            balance.debit(part.debits).map_err(|_| unreadable("debits"))?;
            balance.credit(part.credits).map_err(|_| unreadable("credits"))?;
            // Each entry is told twice, once for each side.
            entries = entries.saturating_add(part.entries);
        }
        let is_bounded = entries / 2 <= i64::from(ENTRIES_SINCE_MAX);
        balances.retain(|_, balance| (balance.debits, balance.credits) != (0, 0));
        Ok(is_bounded.then(|| balances.into_iter().collect()))
    }
}
