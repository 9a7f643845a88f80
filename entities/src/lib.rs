//! SeaORM entities of the shards and of the control store: one table, one file. The `migrations` crate creates the
//! tables.
//!
//! Conventions of every table, and of every column that has no doc of its own:
//!
//! * ids are 63-bit and time-ordered, made by the application (`outbox_event.seq` alone is the database's);
//! * times (`*_at`, `capture_before`) are UTC epoch milliseconds;
//! * amounts are in the currency's minor unit (ISO 4217 exponent), `currency` is the ISO 4217 alphabetic code;
//! * `version` starts where the writer likes and grows by one per update: an update is conditional on the version read;
//! * `traceparent` is the W3C Trace Context header (version 00: 55 characters) of the request that caused the row;
//! * `due_at` is when a worker must look at the row next; null: never;
//! * text compares by its bytes (case matters), on MariaDB as on SQLite. A length is a limit in characters that MariaDB
//!   enforces and SQLite does not: whoever writes a text of foreign origin cuts it to the length first.

pub mod account_balance;
pub mod control_identity;
pub mod dead_letter;
pub mod forced_breaker;
pub mod idempotency_key;
pub mod ledger_entry;
pub mod merchant_reference;
pub mod operator_action;
pub mod outbox_event;
pub mod payment;
pub mod processed_event;
pub mod refund;
pub mod refund_request;
pub mod settlement_request;
pub mod shard_identity;
pub mod timeline_page;
pub mod unique_reference;
pub mod waiting_refund;
pub mod write_probe;
