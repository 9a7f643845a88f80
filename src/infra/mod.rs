//! Adapters to the outside, each behind a trait as narrow as its users need. Nothing here knows an actor.

pub mod backup;
pub mod cache;
pub mod control;
pub mod data_guard;
pub mod database;
pub mod event_log;
#[cfg(test)]
pub mod faulty_disk;
pub mod file_identity;
mod group_commit;
pub mod lease;
pub mod psp;
pub mod redis;
pub mod sqlite;
pub mod storage;
pub mod stored;
pub mod telemetry;
#[cfg(test)]
pub mod testing;
pub mod waits;
