//! Operators' actions on their way out of a shard. What an operator does is written here in the transaction of what it
//! does; the rows wait until the control store has them, and are deleted.

use entities::operator_action::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::Timestamp;
use crate::domain::dead_letter::Action;
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::row::{Damaged, cut};
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::database::{ShardDatabase, or_in_memory};

/// What an operator did, as it is kept.
pub type StoredAction = Model;

impl Table for Entity {
    type Row = StoredAction;
    const NAME: &'static str = "operator_action";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<StoredAction, Damaged> {
        Ok(row)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.insert(unit.actions.iter().map(row)).await
    }
}

fn row(action: &Action) -> ActiveModel {
    stored(action).into_active_model()
}

/// An action as it is kept.
pub fn stored(action: &Action) -> StoredAction {
    Model {
        id: action.id.get(),
        at: action.at.0,
        operator: cut(&action.operator, 64),
        kind: action.kind.to_owned(),
        target: cut(&action.target, 64),
        detail: cut(&action.detail, 1024),
        request_id: cut(&action.request_id, 64),
    }
}

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
        or_in_memory!(self.waiting_actions(after, limit));
        let query = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(limit);
        Ok(query.all(&self.readers).await?)
    }

    /// Actions that wait, the newest first.
    pub async fn newest_actions(&self, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        or_in_memory!(self.newest_actions(limit));
        let query = Entity::find().order_by_desc(Column::Id).limit(limit);
        Ok(query.all(&self.readers).await?)
    }

    /// How many wait, and since when: a table that is all but empty is counted.
    pub async fn action_backlog(&self) -> Result<ActionBacklog, DatabaseError> {
        or_in_memory!(self.action_backlog());
        let counted = Entity::find().select_only().expr(Column::Id.count()).expr(Column::At.min());
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
        let these = Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied()));
        self.write_apart(async |tx| Ok(these.exec(tx).await?.rows_affected)).await.map(drop)
    }
}
