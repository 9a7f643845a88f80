//! What operators did: written to a shard in the transaction of what it did, moved to the control store, never changed.

use sea_orm::entity::prelude::*;

/// One action of an operator.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operator_action")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// UTC epoch milliseconds.
    pub at: i64,
    /// Who, as they named themselves; at most 64 characters.
    pub operator: String,
    /// Such as `dead_letter.redrive`; at most 40 characters.
    pub kind: String,
    /// To what; at most 64 characters.
    pub target: String,
    /// What came of it, or why; at most 1024 characters.
    pub detail: String,
    /// At most 64 characters.
    pub request_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
