//! What a shard's database alone knows of how the shard stands, and how many connections there are to it. Asked every
//! few seconds, so each question is one of an index or of a small table.

use entities::{account_balance, dead_letter};
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::ShardDatabase;
use super::error::DatabaseError;
use crate::domain::dead_letter::LetterStatus;
use crate::infra::telemetry::pools::Pools;

impl ShardDatabase {
    /// How many dead letters nobody has dealt with, by topic; a topic without any is not named.
    pub async fn open_letters(&self) -> Result<Vec<(String, u64)>, DatabaseError> {
        let found: Vec<(String, i64)> = dead_letter::Entity::find()
            .select_only()
            .column(dead_letter::Column::Topic)
            .expr(dead_letter::Column::Id.count())
            .filter(dead_letter::Column::Status.eq(LetterStatus::Open.name()))
            .group_by(dead_letter::Column::Topic)
            .into_tuple()
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(|(topic, count)| (topic, count.unsigned_abs())).collect())
    }

    /// By how much debits and credits differ, in minor units, summed over the currencies. In one statement, so at one
    /// instant.
    pub async fn imbalance(&self) -> Result<u64, DatabaseError> {
        use account_balance::Column::{Credits, Currency, Debits};
        // MariaDB sums up integers to a decimal.
        let sum = SimpleExpr::from(Func::sum(Expr::col(Debits).sub(Expr::col(Credits))));
        let found: Vec<(String, i64)> = account_balance::Entity::find()
            .select_only()
            .column(Currency)
            .expr(sum.cast_as("SIGNED"))
            .group_by(Currency)
            .into_tuple()
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().fold(0, |sum, (_, difference)| sum.saturating_add(difference.unsigned_abs())))
    }

    /// The engine, as OpenTelemetry names it.
    pub fn system(&self) -> &'static str {
        self.writer.system()
    }

    /// Adds its pools to those that the metrics show.
    pub fn show_in(&self, pools: &mut Pools) {
        for (name, pool) in [("writer", &self.writer), ("readers", &self.readers)] {
            let pool = pool.clone();
            pools.add(format!("shard_{}_{name}", self.id), move || pool.in_use());
        }
    }
}
