//! What a shard's database alone knows of how the shard stands, and how many connections there are to it. Asked every few
//! seconds, so each question is one of an index or of a small table.

use entities::{account_balance, dead_letter};
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect};

use super::ShardDatabase;
use super::error::DatabaseError;
use crate::domain::dead_letter::LetterStatus;
use crate::infra::telemetry::pools::{PoolUse, Pools};

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

    /// By how much debits and credits differ, in minor units, summed over the currencies. In one statement, so at one instant.
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
        match &self.writer {
            DatabaseConnection::SqlxMySqlPoolConnection(_) => "mariadb",
            DatabaseConnection::SqlxSqlitePoolConnection(_) => "sqlite",
            // Tests' shards are in memory.
            _ => "other_sql",
        }
    }

    /// Adds its pools to those that the metrics show.
    pub fn show_in(&self, pools: &mut Pools) {
        for (name, pool) in [("writer", &self.writer), ("readers", &self.readers.0)] {
            let pool = pool.clone();
            pools.add(format!("shard_{}_{name}", self.id), move || pool_use(&pool));
        }
    }
}

fn pool_use(pool: &DatabaseConnection) -> PoolUse {
    let of = |open: u32, idle: usize, max| {
        let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(open);
        PoolUse { idle, used: open - idle, max }
    };
    match pool {
        DatabaseConnection::SqlxMySqlPoolConnection(_) => {
            let pool = pool.get_mysql_connection_pool();
            of(pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
        DatabaseConnection::SqlxSqlitePoolConnection(_) => {
            let pool = pool.get_sqlite_connection_pool();
            of(pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
        // Tests' shards are in memory.
        _ => PoolUse::default(),
    }
}
