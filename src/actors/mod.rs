//! The actors: one concern, one file. They make no decisions about money; they bring commands to the code in `domain`.

pub mod action_mover;
pub mod admission;
mod answer_text;
pub mod breaker;
mod burial;
pub mod control_keeper;
pub mod event_handler;
pub mod event_worker;
pub mod guarded_psp;
pub mod held_back;
pub mod idempotency_cache;
pub mod job;
pub mod lease_guard;
#[cfg(test)]
mod lease_guard_test;
pub mod leases;
pub mod ledger_writer;
pub mod observer;
pub mod outage;
pub mod outbox_publisher;
pub mod pruner;
pub mod psp_work;
pub mod psp_worker;
pub mod rate_limiter;
pub mod redriver;
pub mod resolver;
pub mod retrier;
pub mod row_reader;
pub mod shard_writer;
pub mod shards;
#[cfg(test)]
mod testing;
pub mod trail_line;
