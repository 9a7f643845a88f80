//! Where the refunds are that wait for a capture: they stand in their payment's row, under `refunds_waiting`.

use sea_orm::entity::prelude::*;

/// One refund that waits; removed when it begins or fails. Indexed by (`merchant_id`, `id`) for listing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "waiting_refund")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub payment_id: i64,
    pub merchant_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
