//! What operators have ordered breakers to do: one row for each, of the last order. One that gave the breaker back is
//! kept too, so that an older one that comes later is known to be older.

use sea_orm::entity::prelude::*;

/// The last order to one breaker.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "forced_breaker")]
pub struct Model {
    /// Of the breaker; at most 32 characters.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// `open` or `closed`; `none` of a breaker that was given back to itself, which versions that deleted such a row
    /// take for no order.
    pub state: String,
    /// Who, as they named themselves; at most 64 characters.
    pub operator: String,
    /// The address that the order came from; at most 64 characters.
    pub source: String,
    /// Why; at most 200 characters, and at least one unless the breaker was given back.
    pub reason: String,
    /// When the order was given, in UTC epoch milliseconds: above that of the order before.
    pub forced_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
