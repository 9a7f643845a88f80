//! Pruner: deletes expired rows of a shard: published events, and idempotency records.
//! A step deletes a little, in the turn of one batch on the writer's connection, so that commands never wait for it
//! long. Durable: what is left. In memory: nothing. A panic loses nothing: old rows stay until the next step. Limit:
//! `rows_max` rows of each kind in a step. Deleting by age cannot be undone, so it waits for a clock that is believed.

use std::time::Duration;

use super::job::{Step, StepDone, StepFailure};
use crate::domain::Timestamp;
use crate::infra::database::ShardDatabase;
use crate::runtime::{Context, Failure};

/// See the file's header.
pub struct Pruner {
    database: ShardDatabase,
    /// How long published events are kept.
    events_kept: Duration,
    rows_max: u64,
}

impl Pruner {
    /// Prunes the shard of `database`.
    pub fn new(database: ShardDatabase, events_kept: Duration, rows_max: u64) -> Self {
        Self { database, events_kept, rows_max }
    }
}

impl Step for Pruner {
    async fn step(&mut self, ctx: &Context) -> Result<StepDone, StepFailure> {
        if ctx.clock().doubt().is_some() {
            return Ok(StepDone { count: 0, again: false });
        }
        let now = Timestamp(ctx.clock().now_ms());
        let pruned = self.database.prune(now.before(self.events_kept), now, self.rows_max).await;
        let count = pruned.map_err(Failure::new)?;
        Ok(StepDone { count, again: count >= self.rows_max })
    }
}
