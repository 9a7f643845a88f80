//! Which consumer has applied which event: written in the effect's transaction, so an effect happens once.

use sea_orm::entity::prelude::*;

/// One applied event of one consumer. Indexed by `processed_at`, for pruning.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "processed_event")]
pub struct Model {
    /// The consumer's name; at most 20 characters.
    #[sea_orm(primary_key, auto_increment = false)]
    pub consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: i64,
    pub processed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
