//! Commit nothing.

use crate::domain::command::Command;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Whoever asks wants to know that the shard's writer answers.
#[derive(Debug, Clone, Copy)]
pub struct Ping;

impl Command for Ping {
    type Answer = ();
    const KIND: &'static str = "ping";

    fn key(&self) -> u128 {
        0
    }

    fn trace(&self) -> Option<TraceContext> {
        None
    }

    fn reads(&self, _: &mut ReadSet) {}

    fn decide(&self, _: &mut UnitOfWork<'_>) {}
}
