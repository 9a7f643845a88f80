//! What a shard's database is, and which event log and PSP belong to it. Written when the database is made.

use sea_orm::entity::prelude::*;

/// The only row of its table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shard_identity")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// 32 hexadecimal digits, the same in all databases of one system.
    pub system_id: String,
    /// From 1.
    pub shard: i32,
    /// How many shards the system has.
    pub shard_count: i32,
    /// How buckets are dealt to shards.
    pub map_version: i32,
    /// The event log that the system writes to; null until a process has opened it. At most 512 characters.
    pub event_log: Option<String>,
    /// The PSP that the system works with; null until a process has opened it. At most 512 characters.
    pub psp: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
