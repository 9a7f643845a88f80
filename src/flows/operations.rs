//! What operators see and do: the supervision tree, faults on purpose and breakers.

use std::sync::Arc;

use super::FlowError;
use super::drill_record::{DrillView, Drills};
use super::jobs::JobView;
use crate::actors::breaker::{Breaker, BreakerError, BreakerMessage, BreakerView, Forced, peek};
use crate::actors::job::JobBoard;
use crate::actors::shards::Shards;
use crate::infra::control::ControlStore;
use crate::infra::event_log::fault_switch::FaultSwitch;
use crate::runtime::{DeadLetter, Faults, Handle, Running, TreeNode};

/// The running node, for those who operate it.
pub struct Operations {
    running: Arc<Running>,
    breakers: Vec<(&'static str, Handle<Breaker>)>,
    jobs: JobBoard,
    pub(super) shards: Shards,
    pub(super) control: Arc<dyn ControlStore>,
    /// What an exercise cuts.
    pub(super) fault_switch: FaultSwitch,
    pub(super) drills: Drills,
}

/// There is no breaker of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such breaker")]
pub struct UnknownBreaker;

impl Operations {
    pub fn new(
        running: Arc<Running>,
        breakers: Vec<(&'static str, Handle<Breaker>)>,
        jobs: JobBoard,
        shards: Shards,
        control: Arc<dyn ControlStore>,
        fault_switch: FaultSwitch,
    ) -> Self {
        Self { running, breakers, jobs, shards, control, fault_switch, drills: Drills::default() }
    }

    /// The exercise under way, or the last one of this process.
    pub fn last_exercise(&self) -> Option<DrillView> {
        self.drills.last()
    }

    /// Whether the breaker of this name would let a call through now; none if there is no such breaker or no answer.
    pub(super) async fn peek_breaker(&self, name: &str) -> Option<bool> {
        let (_, breaker) = self.breakers.iter().find(|(known, _)| *known == name)?;
        match peek(breaker).await {
            Ok(()) => Some(true),
            Err(BreakerError::Refused { .. }) => Some(false),
            Err(BreakerError::Ask(_)) => None,
        }
    }

    /// The background jobs of this process, by name and shard.
    pub fn jobs(&self) -> Vec<JobView> {
        self.jobs.all().into_iter().map(JobView::from).collect()
    }

    pub fn tree(&self) -> TreeNode {
        self.running.snapshot()
    }

    pub fn faults(&self) -> Faults {
        self.running.faults()
    }

    /// What killed actors lately.
    pub fn actor_dead_letters(&self) -> Vec<DeadLetter> {
        self.running.dead_letters().recent()
    }

    pub async fn breakers(&self) -> Result<Vec<BreakerView>, FlowError> {
        let mut views = Vec::with_capacity(self.breakers.len());
        for (_, breaker) in &self.breakers {
            views.push(breaker.ask(|reply| BreakerMessage::View { reply }).await?);
        }
        Ok(views)
    }

    /// Forces a breaker open or closed, or with `None` gives it back to itself.
    pub async fn force_breaker(
        &self,
        name: &str,
        state: Option<Forced>,
    ) -> Result<Result<BreakerView, UnknownBreaker>, FlowError> {
        let Some((_, breaker)) = self.breakers.iter().find(|(known, _)| *known == name) else {
            return Ok(Err(UnknownBreaker));
        };
        Ok(Ok(breaker.ask(|reply| BreakerMessage::Force { state, reply }).await?))
    }
}
