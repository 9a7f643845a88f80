//! Running totals of the ledger.

use entities::account_balance::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use crate::domain::Currency;
use crate::domain::ledger::{Account, Balance, BalanceKey};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::infra::database::ShardDatabase;
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::Damaged;
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};
use crate::infra::sqlite::even_chunks;

const CHANGE: Update<Column> = Update { name: "change", columns: &[Column::Debits, Column::Credits, Column::Version] };

impl Table for Entity {
    type Row = (BalanceKey, Balance);
    const NAME: &'static str = "account_balance";
    const KEY: Column = Column::MerchantId;

    fn read(row: Model) -> Result<(BalanceKey, Balance), Damaged> {
        let unreadable = |column| Damaged { table: Self::NAME, id: row.merchant_id.clone(), column };
        let key = BalanceKey {
            merchant_id: row.merchant_id.clone(),
            account: Account::parse(&row.account).ok_or_else(|| unreadable("account"))?,
            currency: Currency::stored(&row.currency).map_err(|_| unreadable("currency"))?,
        };
        Ok((key, Balance { debits: row.debits, credits: row.credits, version: row.version }))
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let keys: Vec<_> = read_set.balances.iter().collect();
        for chunk in even_chunks(&keys) {
            let wanted = chunk.iter().fold(Condition::any(), |any, key| {
                let parts: SimpleExpr = Column::MerchantId
                    .eq(key.merchant_id.as_str())
                    .and(Column::Account.eq(key.account.name()))
                    .and(Column::Currency.eq(key.currency.code()));
                any.add(parts)
            });
            for row in each(tx, Entity::find().filter(wanted).lock_exclusive()).await? {
                let (key, balance) = row?;
                unit.balances.load(key, balance);
            }
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let rows = unit.balances.written_rows().map(|(key, balance)| (balance.version, row(key, balance)));
        batch.save(rows, &CHANGE).await
    }
}

fn row(key: &BalanceKey, balance: &Balance) -> ActiveModel {
    Model {
        merchant_id: key.merchant_id.clone(),
        account: key.account.name().to_owned(),
        currency: key.currency.code().to_owned(),
        debits: balance.debits,
        credits: balance.credits,
        version: balance.version + 1,
    }
    .into_active_model()
}

impl ShardDatabase {
    /// By how much debits and credits differ, in minor units, summed over the currencies. In one statement, so at one
    /// instant.
    pub async fn imbalance(&self) -> Result<u64, DatabaseError> {
        // MariaDB sums up integers to a decimal.
        let sum = SimpleExpr::from(Func::sum(Expr::col(Column::Debits).sub(Expr::col(Column::Credits))));
        let found: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::Currency)
            .expr(sum.cast_as("SIGNED"))
            .group_by(Column::Currency)
            .into_tuple()
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().fold(0, |sum, (_, difference)| sum.saturating_add(difference.unsigned_abs())))
    }
}
