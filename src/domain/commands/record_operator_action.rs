//! Write into the trail what an operator did that changed no row.

use crate::domain::command::Command;
use crate::domain::dead_letter::Operator;
use crate::domain::shard_map::Bucket;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Record one action of an operator.
#[derive(Debug, Clone)]
pub struct RecordOperatorAction {
    pub kind: &'static str,
    pub target: String,
    pub detail: String,
    pub operator: Operator,
    pub trace: TraceContext,
}

impl Command for RecordOperatorAction {
    type Answer = ();
    const KIND: &'static str = "record_operator_action";

    fn key(&self) -> u128 {
        self.trace.trace_id
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, _: &mut ReadSet) {}

    fn decide(&self, unit: &mut UnitOfWork<'_>) {
        // Any shard keeps it, and nobody looks for it by its id.
        unit.record_action(&self.operator, self.kind, Bucket::wrapping(0), &self.target, &self.detail);
    }
}
