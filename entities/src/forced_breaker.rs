//! Breakers that operators hold in a state: one row for each, deleted when it is given back to itself.

use sea_orm::entity::prelude::*;

/// One breaker that is held.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "forced_breaker")]
pub struct Model {
    /// Of the breaker; at most 32 characters.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// `open` or `closed`.
    pub state: String,
    /// Who, as they named themselves; at most 64 characters.
    pub operator: String,
    /// The address that the order came from; at most 64 characters.
    pub source: String,
    /// Why; 1 to 200 characters.
    pub reason: String,
    /// UTC epoch milliseconds.
    pub forced_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
