//! What operators see and do: the supervision tree, faults on purpose, breakers and dead letters.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::FlowError;
use crate::actors::breaker::{Breaker, BreakerMessage, BreakerView, Forced};
use crate::actors::shards::Shards;
use crate::domain::{LetterId, Timestamp};
use crate::infra::database::StoredDeadLetter;
use crate::runtime::{DeadLetter, Faults, Handle, Running, TreeNode};

/// The running node, for those who operate it.
pub struct Operations {
    running: Arc<Running>,
    breakers: Vec<(&'static str, Handle<Breaker>)>,
    shards: Shards,
}

/// There is no breaker of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such breaker")]
pub struct UnknownBreaker;

/// A dead letter as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    #[schema(value_type = String)]
    pub id: LetterId,
    pub topic: String,
    pub source_topic: Option<String>,
    pub source_partition: Option<i32>,
    pub source_offset: Option<i64>,
    pub event_key: Option<String>,
    pub payload: String,
    pub error_type: String,
    pub error_message: String,
    pub retry_count: i32,
    #[schema(value_type = String, format = DateTime)]
    pub first_failed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_failed_at: Timestamp,
    pub trace_id: Option<String>,
    pub status: String,
}

impl Operations {
    pub fn new(running: Arc<Running>, breakers: Vec<(&'static str, Handle<Breaker>)>, shards: Shards) -> Self {
        Self { running, breakers, shards }
    }

    pub fn tree(&self) -> TreeNode {
        self.running.snapshot()
    }

    pub fn faults(&self) -> Faults {
        self.running.faults()
    }

    /// What killed actors lately.
    pub fn actor_dead_letters(&self) -> Vec<DeadLetter> {
        self.running.dead_letters().recent()
    }

    pub async fn breakers(&self) -> Result<Vec<BreakerView>, FlowError> {
        let mut views = Vec::with_capacity(self.breakers.len());
        for (_, breaker) in &self.breakers {
            views.push(breaker.ask(|reply| BreakerMessage::View { reply }).await?);
        }
        Ok(views)
    }

    /// Forces a breaker open or closed, or with `None` gives it back to itself.
    pub async fn force_breaker(
        &self,
        name: &str,
        state: Option<Forced>,
    ) -> Result<Result<BreakerView, UnknownBreaker>, FlowError> {
        let Some((_, breaker)) = self.breakers.iter().find(|(known, _)| *known == name) else {
            return Ok(Err(UnknownBreaker));
        };
        tracing::warn!(breaker = name, forced = ?state, "breaker set by an operator");
        Ok(Ok(breaker.ask(|reply| BreakerMessage::Force { state, reply }).await?))
    }

    /// Dead letters of all shards, newest first.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetterView>, FlowError> {
        let mut letters = Vec::new();
        for shard in self.shards.all() {
            letters.extend(shard.database.dead_letters(u64::from(limit)).await?.into_iter().map(DeadLetterView::from));
        }
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.id));
        letters.truncate(limit as usize);
        Ok(letters)
    }
}

impl From<StoredDeadLetter> for DeadLetterView {
    fn from(row: StoredDeadLetter) -> Self {
        Self {
            id: LetterId::from_stored(row.id),
            topic: row.topic,
            source_topic: row.source_topic,
            source_partition: row.source_partition,
            source_offset: row.source_offset,
            event_key: row.event_key,
            payload: row.payload,
            error_type: row.error_type,
            error_message: row.error_message,
            retry_count: row.retry_count,
            first_failed_at: Timestamp(row.first_failed_at),
            last_failed_at: Timestamp(row.last_failed_at),
            trace_id: row.trace_id,
            status: row.status,
        }
    }
}
