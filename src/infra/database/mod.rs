//! A shard's database: its tables read and written for the actors above. The SQL is here and nowhere else.

pub mod audit;
mod balances;
mod batch;
mod commit;
mod connection;
mod error;
pub(in crate::infra) mod file;
mod health;
pub mod identity;
mod ill_treat;
pub(in crate::infra) mod mariadb;
#[cfg(test)]
pub mod memory;
mod open;
mod psp_requests;
mod readable;
mod row;
mod script;
mod statements;
mod table;
mod tables;
mod unreadable;
mod witness;
mod write;

use std::sync::Arc;

use entities::payment;
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, QuerySelect};

pub use balances::ENTRIES_SINCE_MAX;
pub(in crate::infra) use commit::in_time;
pub(in crate::infra) use connection::{PacketMax, Pool, Transaction, lost};
pub use error::DatabaseError;
pub use health::Health;
pub use ill_treat::{IllTreated, Kill};
pub use row::Damaged;
pub use tables::{
    ActionBacklog, DuePlace, EntryFilter, LetterFilter, ListFilter, OutboxBacklog, OutboxRow, RefundFilter,
    StoredAction,
};

use self::statements::Statements;
use self::unreadable::Unreadable;
use crate::domain::ShardId;
use crate::domain::timeline::Timeline;
use crate::infra::data_guard::{DataGuard, Lost};
use crate::infra::telemetry::pools::Pools;

/// One shard's database. Writing is the shard writer's alone; anyone may read.
#[derive(Debug, Clone)]
pub struct ShardDatabase {
    pub id: ShardId,
    /// Whether it takes writes.
    pub health: Health,
    writer: Pool,
    readers: Pool,
    statements: Arc<Statements>,
    /// Of the file; of nothing where the data are on a server.
    guard: DataGuard,
    unreadable: Arc<Unreadable>,
    /// What a statement may be long, as MariaDB said when it was last connected to.
    packet_max: PacketMax,
    /// In the simulation, what stands for all of the above.
    #[cfg(test)]
    memory: Option<memory::Memory>,
}

/// Has a call answered by the shard in memory, where a test has put one.
macro_rules! or_in_memory {
    ($shard:ident.$call:ident($($argument:expr),*)) => {
        #[cfg(test)]
        if let Some(memory) = &$shard.memory {
            return memory.$call($($argument),*).await;
        }
    };
}
use or_in_memory;

/// What a payment's row has beside its timeline and the merchant's texts, at most and with room to spare.
const REST_OF_ROW: usize = 3 * 1024;

impl ShardDatabase {
    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        payment::Entity::find()
            .select_only()
            .expr(Expr::value(1))
            .limit(1)
            .into_tuple::<i32>()
            .one(&self.readers)
            .await?;
        Ok(())
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

    /// Whether its file is still under its path; looks there.
    ///
    /// # Errors
    /// [`Lost`] as long as it is not.
    pub fn check_file(&self) -> Result<(), Lost> {
        self.guard.check()
    }

    /// Whether it was found to be lost and still is. Costs nothing otherwise.
    pub fn is_lost(&self) -> bool {
        self.guard.is_lost()
    }

    /// How many bytes a payment's own texts may have in all, as JSON: with them and all that is added later, its row
    /// and its answer fit into what the server takes.
    pub fn texts_max(&self) -> usize {
        // Written in hexadecimal, as what has a backslash is, everything is twice as long.
        (self.packet_max.get() / 2).saturating_sub(Timeline::ROW_BYTES_MAX + REST_OF_ROW)
    }
}

#[cfg(test)]
mod tests;
