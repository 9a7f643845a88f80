//! The trail of what operators did. Each line is committed to a shard, with what was done if that changed a row there,
//! and is moved to the control store a moment later; whoever reads the trail sees it wherever it is.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::dead_letters::named;
use super::{Call, FlowError, Operations};
use crate::domain::commands::RecordOperatorAction;
use crate::domain::{ActionId, Timestamp};
use crate::infra::database::StoredAction;

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
    /// log has it in any case.
    pub async fn note(&self, kind: &'static str, target: &str, detail: String, operator: &str, call: &Call) {
        tracing::warn!(operator, action = kind, target, detail, "an operator acts");
        for shard in self.shards.all() {
            let (bucket, operator) = (self.shards.bucket_of(shard), named(operator, call));
            let (target, detail) = (target.to_owned(), detail.clone());
            let noting = RecordOperatorAction { bucket, kind, target, detail, operator, trace: call.trace };
            if shard.write(noting).await.is_ok() {
                return;
            }
        }
        tracing::error!(action = kind, target, "an operator's action is in the log only");
    }

    /// What operators did, newest first.
    ///
    /// # Errors
    /// When the control store or a shard cannot be read: part of a trail would look like the whole.
    pub async fn actions(&self, limit: usize) -> Result<Vec<ActionView>, FlowError> {
        let mut actions = BTreeMap::new();
        // The shards first: what is moved meanwhile is seen twice, and is one by its id, instead of not at all.
        for shard in self.shards.all() {
            let waiting = shard.database.newest_actions(limit as u64).await?;
            actions.extend(waiting.into_iter().map(|action| (action.id, action)));
        }
        let moved = self.control.actions(limit as u64).await?;
        actions.extend(moved.into_iter().map(|action| (action.id, action)));
        Ok(actions.into_values().rev().take(limit).map(ActionView::from).collect())
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
