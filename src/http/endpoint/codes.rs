//! What several operations can be refused with.

use crate::http::problem::Code;

/// What a call meets that reads of shards.
pub const READ: &[Code] = &[Code::Internal, Code::Overloaded, Code::ShardUnavailable];
/// What a call meets that asks an actor.
pub const ASK: &[Code] = &[Code::Overloaded, Code::OutcomeUnknown, Code::Internal];
/// What a call meets that changes something on shards.
pub const WRITE: &[Code] = &[Code::ShardUnavailable, Code::StorageUnavailable];
