//! Operators' actions on their way out of a shard. What an operator does is written there in the transaction of what it
//! does; the rows wait until the control store has them, and are deleted.

use entities::operator_action;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::commit::in_time;
use super::error::DatabaseError;
use super::letters::StoredAction;
use super::{ShardDatabase, or_in_memory};
use crate::domain::Timestamp;

/// How many actions wait in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionBacklog {
    pub waiting: u64,
    /// When the oldest of them was done.
    pub oldest: Option<Timestamp>,
}

impl ShardDatabase {
    /// Actions that wait, of ids above `after`, the oldest first.
    pub async fn waiting_actions(&self, after: i64, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        use operator_action::Column::Id;
        or_in_memory!(self.waiting_actions(after, limit));
        let query = operator_action::Entity::find().filter(Id.gt(after)).order_by_asc(Id).limit(limit);
        Ok(query.all(&self.readers).await?)
    }

    /// Actions that wait, the newest first.
    pub async fn newest_actions(&self, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        or_in_memory!(self.newest_actions(limit));
        let query = operator_action::Entity::find().order_by_desc(operator_action::Column::Id).limit(limit);
        Ok(query.all(&self.readers).await?)
    }

    /// How many wait, and since when: a table that is all but empty is counted.
    pub async fn action_backlog(&self) -> Result<ActionBacklog, DatabaseError> {
        use operator_action::Column::{At, Id};
        or_in_memory!(self.action_backlog());
        let counted = operator_action::Entity::find().select_only().expr(Id.count()).expr(At.min());
        let found: Option<(i64, Option<i64>)> = counted.into_tuple().one(&self.readers).await?;
        let (waiting, oldest) = found.unwrap_or_default();
        Ok(ActionBacklog { waiting: u64::try_from(waiting).unwrap_or_default(), oldest: oldest.map(Timestamp) })
    }

    /// Deletes actions that are kept elsewhere.
    pub async fn delete_actions(&self, ids: &[i64]) -> Result<(), DatabaseError> {
        or_in_memory!(self.delete_actions(ids));
        if ids.is_empty() {
            return Ok(());
        }
        let deleted = async {
            let these = operator_action::Column::Id.is_in(ids.iter().copied());
            let tx = self.writer.begin().await?;
            in_time(operator_action::Entity::delete_many().filter(these).exec(&tx)).await??;
            tx.commit().await?;
            self.health.committed(true);
            Ok(())
        };
        self.noted(deleted.await)
    }
}
