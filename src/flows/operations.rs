//! What operators see and do: the supervision tree, faults on purpose and breakers.

use std::sync::Arc;
use std::time::Duration;

use super::drill_record::{DrillView, Drills};
use super::jobs::JobView;
use super::{Call, FlowError};
use crate::actors::breaker::{Breaker, BreakerError, BreakerMessage, BreakerView, ForceOrder, PendingOrder, peek};
use crate::actors::control_keeper::ForcedBreakers;
use crate::actors::job::JobBoard;
use crate::actors::shards::Shards;
use crate::infra::control::{ControlError, ControlStore, Given};
use crate::infra::event_log::fault_switch::FaultSwitch;
use crate::runtime::{DeadLetter, Faults, Handle, Running, TreeNode};

/// The running node, for those who operate it.
pub struct Operations {
    running: Arc<Running>,
    breakers: ForcedBreakers,
    jobs: JobBoard,
    pub(super) shards: Shards,
    pub(super) control: Arc<dyn ControlStore>,
    /// What an exercise cuts.
    pub(super) fault_switch: FaultSwitch,
    pub(super) drills: Drills,
}

/// How long the control store may take to keep an order before the order holds without it.
const KEEP_WITHIN: Duration = Duration::from_secs(2);

/// There is no breaker of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such breaker")]
pub struct UnknownBreaker;

impl Operations {
    pub fn new(
        running: Arc<Running>,
        breakers: ForcedBreakers,
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
        let (_, breaker) = self.breaker(name)?;
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
        let mut views = Vec::with_capacity(self.breakers.breakers.len());
        for (_, breaker) in &self.breakers.breakers {
            views.push(breaker.ask(|reply| BreakerMessage::View { reply }).await?);
        }
        Ok(views)
    }

    /// The breakers' names, sorted.
    pub fn breaker_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.breakers.breakers.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    /// Forces a breaker open or closed, or gives it back to itself: for all nodes, once the control store has it. Where
    /// none is shared it holds on this node alone, and says so. So does one that is away; it gets the order when it is
    /// back, unless that has a newer one then. What this node alone was ordered can be taken back meanwhile: the order
    /// for all nodes holds again.
    ///
    /// # Errors
    /// When a breaker is to be given back that is held on all nodes, and the control store is away: then nothing
    /// changes, because the other nodes would not know.
    pub async fn force_breaker(
        &self,
        name: &str,
        order: ForceOrder,
        call: &Call,
    ) -> Result<Result<BreakerView, UnknownBreaker>, FlowError> {
        let Some((name, breaker)) = self.breaker(name) else { return Ok(Err(UnknownBreaker)) };
        let (forces, now) = (&self.breakers.forces, order.at);
        let order = forces.dated(name, order);
        let row = order.stored(name);
        let keep = self.control.force_breaker(&row, Given::Now, now);
        match tokio::time::timeout(KEEP_WITHIN, keep).await.unwrap_or(Err(ControlError::Late)) {
            Ok(kept) => forces.kept(name, ForceOrder::from_stored(kept)),
            Err(error) if order.state.is_some() => {
                if !matches!(error, ControlError::Unset) {
                    tracing::warn!(breaker.name = name, %error, "a forced breaker holds on this node only for now");
                }
                let operator = call.by(&order.operator);
                forces.order_for_now(name, PendingOrder { order, operator, trace: call.trace, taken_back: None });
            }
            Err(error) => {
                let is_taken_back = forces.take_back(name, order);
                if !is_taken_back && !matches!(error, ControlError::Unset) {
                    return Err(error.into());
                }
            }
        }
        // It obeys before it answers.
        Ok(Ok(breaker.ask(|reply| BreakerMessage::View { reply }).await?))
    }

    fn breaker(&self, name: &str) -> Option<(&'static str, &Handle<Breaker>)> {
        let known = self.breakers.breakers.iter().find(|(known, _)| *known == name);
        known.map(|(name, breaker)| (*name, breaker))
    }
}
