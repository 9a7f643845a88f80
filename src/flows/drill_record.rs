//! What a drill of the breaker has come to so far, for those who watch it.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Timestamp;

/// The steps, in order.
pub(super) const STEPS: [&str; 9] = [
    "closed",
    "baseline",
    "event log unreachable",
    "failures",
    "open",
    "refused at once",
    "wait",
    "half-open",
    "closed again",
];

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    Waiting,
    Running,
    Passed,
    Failed,
}

/// One step and what was seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// From 1.
    pub number: usize,
    pub name: &'static str,
    pub status: StepStatus,
    /// What was done and seen, or why it failed.
    pub detail: String,
    pub took_ms: u64,
}

/// An exercise, under way or ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrillView {
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// `running`, `passed` or `failed`.
    pub status: StepStatus,
    /// `real`: the server was stopped by the configured command; `injected`: appends failed in this process.
    pub outage: Option<&'static str>,
    pub steps: Vec<Step>,
}

/// The last exercise of this process.
#[derive(Debug, Clone, Default)]
pub struct Drills(Arc<Mutex<Option<DrillView>>>);

/// Why no exercise was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrillError {
    #[error("faults are disabled")]
    FaultsDisabled,
    #[error("an exercise is under way")]
    UnderWay,
}

impl Drills {
    pub fn last(&self) -> Option<DrillView> {
        self.0.lock().clone()
    }

    pub(super) fn begin(&self, now: Timestamp) -> Result<(), DrillError> {
        let mut last = self.0.lock();
        if last.as_ref().is_some_and(|view| view.status == StepStatus::Running) {
            return Err(DrillError::UnderWay);
        }
        let waiting = |(place, name): (usize, &&'static str)| {
            let (status, detail) = (StepStatus::Waiting, String::new());
            Step { number: place + 1, name, status, detail, took_ms: 0 }
        };
        let steps = STEPS.iter().enumerate().map(waiting).collect();
        *last = Some(DrillView { started_at: now, status: StepStatus::Running, outage: None, steps });
        Ok(())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut DrillView)) {
        if let Some(view) = self.0.lock().as_mut() {
            change(view);
        }
    }
}
