//! Running totals of the ledger, written in the transaction that writes the entries.

use sea_orm::entity::prelude::*;

/// What one merchant's account was debited and credited in one currency. Both only grow; their sums over all accounts
/// of a currency are equal at every commit.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_balance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub merchant_id: String,
    /// At most 32 characters.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    pub debits: i64,
    pub credits: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
