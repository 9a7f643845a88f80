//! What operators did.

use entities::operator_action::{ActiveModel, Column, Entity, Model};
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

use crate::domain::dead_letter::Action;
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
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

fn row(done: &Action) -> ActiveModel {
    stored(done).into_active_model()
}

/// What an operator did, as it is kept.
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

impl ShardDatabase {
    /// What operators did, newest first.
    pub async fn actions(&self, limit: u64) -> Result<Vec<StoredAction>, DatabaseError> {
        or_in_memory!(self.actions(limit));
        let newest = Entity::find().order_by_desc(Column::Id).limit(limit);
        Ok(self.readable(each(&self.readers, newest).await?))
    }
}
