//! The trail of what operators did. Each line is committed to a shard, with what was done if that changed a row there,
//! and is moved to the control store a moment later; whoever reads the trail sees it wherever it is.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Call, FlowError, Operations};
use crate::actors::trail_line::TrailLine;
use crate::domain::{ActionId, Timestamp};
use crate::infra::database::StoredAction;

/// How long an operator's call waits for its line in the trail.
const NOTE_WITHIN: Duration = Duration::from_secs(1);

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
        let (operator, target) = (call.by(operator), target.to_owned());
        let line = TrailLine { kind, target, detail, operator, trace: call.trace };
        let writing = tokio::spawn(line.write(self.shards.clone()));
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
