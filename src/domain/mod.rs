//! The rules of payments as pure functions: no clock, no chance, no I/O. Everything that may change a
//! payment is here: see [`commands`].

pub mod capture;
pub mod command;
pub mod commands;
pub mod currency;
pub mod dead_letter;
pub mod event;
pub mod failure;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod key;
pub mod ledger;
pub mod money;
pub mod outcome;
pub mod payment;
pub mod policy;
pub mod psp;
pub mod reference;
pub mod refund;
pub mod request;
pub mod shard_map;
pub mod status;
pub mod text;
pub mod time;
pub mod timeline;
pub mod trace;
pub mod unit_of_work;

#[cfg(test)]
mod model_test;
#[cfg(test)]
pub mod planted;
#[cfg(test)]
pub mod testing;

pub use currency::Currency;
pub use id::{ActionId, CaptureId, EntryId, EventId, IdGenerator, LetterId, PaymentId, RefundId};
pub use money::Money;
pub use shard_map::{Bucket, ShardId, ShardMap};
pub use time::Timestamp;
pub use trace::TraceContext;
