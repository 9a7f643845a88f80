//! Write into the trail what an operator did that changed no row.

use crate::domain::command::Command;
use crate::domain::dead_letter::Operator;
use crate::domain::shard_map::Bucket;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Record one action of an operator.
#[derive(Debug, Clone)]
pub struct RecordOperatorAction {
    /// One of the shard's own: no other shard makes an action with its id.
    pub bucket: Bucket,
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
        unit.record_action(&self.operator, self.kind, self.bucket, &self.target, &self.detail);
    }
}
