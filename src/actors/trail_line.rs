//! A line of the trail of what operators did that changes no row: any shard can take it.

use std::time::Duration;

use super::shards::Shards;
use crate::domain::TraceContext;
use crate::domain::commands::RecordOperatorAction;
use crate::domain::dead_letter::Operator;

/// How often a line is tried on all shards, and how long after the last time.
const TRIES: u32 = 12;
const AGAIN: Duration = Duration::from_secs(5);

/// See the module.
pub struct TrailLine {
    /// What was done; at most 40 characters.
    pub kind: &'static str,
    pub target: String,
    pub detail: String,
    pub operator: Operator,
    pub trace: TraceContext,
}

impl TrailLine {
    /// Has the first shard that takes it write it, with an id of one of the shard's buckets. Takes a minute at most.
    pub async fn write(self, shards: Shards) {
        let Self { kind, target, detail, operator, trace } = self;
        for _ in 0..TRIES {
            for shard in shards.all() {
                let (target, detail, operator) = (target.clone(), detail.clone(), operator.clone());
                let bucket = shards.bucket_of(shard);
                let action = RecordOperatorAction { bucket, kind, target, detail, operator, trace };
                if shard.write(action).await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        tracing::error!("an operator's action is in the log only");
    }
}
