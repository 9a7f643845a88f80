//! Mark events as published.

use crate::domain::command::{Command, key_of};
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Mark the events at these places in the outbox: the event log has them.
#[derive(Debug, Clone)]
pub struct MarkPublished {
    pub seqs: Vec<i64>,
}

impl Command for MarkPublished {
    type Answer = ();
    const KIND: &'static str = "mark_published";

    fn key(&self) -> u128 {
        key_of(self.seqs.first().copied().unwrap_or_default())
    }

    fn trace(&self) -> Option<TraceContext> {
        None
    }

    fn reads(&self, _: &mut ReadSet) {}

    fn decide(&self, unit: &mut UnitOfWork<'_>) {
        unit.published.extend_from_slice(&self.seqs);
    }
}
