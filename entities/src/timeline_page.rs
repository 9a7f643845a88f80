//! The older part of a payment's timeline, where the payment's row has no room for all of it.

use sea_orm::entity::prelude::*;

/// Some entries of one payment, one after the other. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timeline_page")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub payment_id: i64,
    /// The place of the page's first entry in the timeline, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub first: i32,
    /// JSON lines, as in `payment.timeline`.
    pub entries: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
