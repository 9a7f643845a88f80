//! References that a merchant wants on one payment only: what keeps two hosts from giving one twice.

use sea_orm::entity::prelude::*;

/// One reference, and the payment that was given it last. It may have been declined since, or be gone.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "unique_reference")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub merchant_id: String,
    /// At most 64 of printable ASCII without spaces.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reference: String,
    pub payment_id: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
