//! Messages that could not be handled, with what is needed to find the cause and to try again.

use sea_orm::entity::prelude::*;

/// One dead letter. Indexed by (`status`, `id`), and by `due_at`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub struct Model {
    /// That of the event or the request that it is about; of a foreign record, a hash of its place.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The dead-letter topic, such as `payment.dlq`; at most 40 characters.
    pub topic: String,
    /// Where the message came from, with its partition and offset; null when it came from no topic.
    pub source_topic: Option<String>,
    pub source_partition: Option<i32>,
    pub source_offset: Option<i64>,
    /// The message's key in its topic; at most 64 characters.
    pub event_key: Option<String>,
    /// The message as it was received.
    pub payload: String,
    /// At most 64 characters.
    pub error_type: String,
    /// At most 1024 characters.
    pub error_message: String,
    /// How often it was tried again before it was given up.
    pub retry_count: i32,
    pub first_failed_at: i64,
    pub last_failed_at: i64,
    /// W3C trace id, 32 hex digits.
    pub trace_id: Option<String>,
    /// `open`, `redriven` or `discarded`.
    pub status: String,
    /// What it is about: `event`, `request` or `foreign`.
    pub matter: String,
    /// When the event happened.
    pub occurred_at: Option<i64>,
    pub traceparent: Option<String>,
    /// How often it was redriven.
    pub redrives: i32,
    pub due_at: Option<i64>,
    /// Why it was discarded; at most 255 characters.
    pub note: Option<String>,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
