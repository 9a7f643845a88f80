//! The trail of what operators did. Each line is committed to a shard, with what was done if that changed a row there,
//! and is moved to the control store a moment later; whoever reads the trail sees it wherever it is.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::dead_letters::named;
use super::{Call, FlowError, Operations};
use crate::actors::shards::Shards;
use crate::domain::commands::RecordOperatorAction;
use crate::domain::{ActionId, Bucket, Timestamp};
use crate::infra::database::StoredAction;

/// How long an operator's call waits for its line in the trail.
const NOTE_WITHIN: Duration = Duration::from_secs(1);
/// How often a line is tried on all shards, and how long after the last time.
const NOTE_TRIES: u32 = 12;
const NOTE_AGAIN: Duration = Duration::from_secs(5);

/// What an operator did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    #[schema(value_type = String)]
    pub id: ActionId,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub operator: String,
    pub action: String,
    pub target: String,
    pub detail: String,
    pub request_id: String,
}

impl Operations {
    /// Writes what an operator did into the trail, through the first shard that takes it. What was done stays done: the
    /// log has it in any case. Waits only for a moment, since operators act when shards do not answer: what takes
    /// longer is written behind the answer, and tried again.
    pub async fn note(&self, kind: &'static str, target: &str, detail: String, operator: &str, call: &Call) {
        // A field of the name `target` would be in a JSON line twice: the line's own is which module writes it.
        tracing::warn!(operator, action = kind, action.target = target, detail, "an operator acts");
        let (shards, operator, target, trace) =
            (self.shards.clone(), named(operator, call), target.to_owned(), call.trace);
        let action = move |bucket| {
            let (target, detail, operator) = (target.clone(), detail.clone(), operator.clone());
            RecordOperatorAction { bucket, kind, target, detail, operator, trace }
        };
        let writing = tokio::spawn(write_somewhere(shards, action));
        let _ = tokio::time::timeout(NOTE_WITHIN, writing).await;
    }

    /// What operators did, newest first.
    ///
    /// # Errors
    /// When the control store or a shard cannot be read: part of a trail would look like the whole.
    pub async fn actions(&self, limit: usize) -> Result<Vec<ActionView>, FlowError> {
        let mut actions = Vec::new();
        // The shards first: what is moved meanwhile is seen twice, and is one as it is the same, instead of not at all.
        for shard in self.shards.all() {
            actions.extend(shard.database.newest_actions(limit as u64).await?);
        }
        for moved in self.control.actions(limit as u64).await? {
            if !actions.contains(&moved) {
                actions.push(moved);
            }
        }
        actions.sort_by_key(|action| std::cmp::Reverse(action.id));
        Ok(actions.into_iter().take(limit).map(ActionView::from).collect())
    }
}

/// Has the first shard that takes it write an action, which has an id of one of the shard's buckets.
async fn write_somewhere(shards: Shards, action: impl Fn(Bucket) -> RecordOperatorAction) {
    for _ in 0..NOTE_TRIES {
        for shard in shards.all() {
            if shard.write(action(shards.bucket_of(shard))).await.is_ok() {
                return;
            }
        }
        tokio::time::sleep(NOTE_AGAIN).await;
    }
    tracing::error!("an operator's action is in the log only");
}

impl From<StoredAction> for ActionView {
    fn from(row: StoredAction) -> Self {
        Self {
            id: ActionId::from_stored(row.id),
            at: Timestamp(row.at),
            operator: row.operator,
            action: row.kind,
            target: row.target,
            detail: row.detail,
            request_id: row.request_id,
        }
    }
}
