//! A control store in memory, for the simulation: what it keeps outlives the processes that reach it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{ControlError, ControlStore, Given, StoredForce, forced};
use crate::domain::Timestamp;
use crate::infra::database::StoredAction;
use crate::infra::testing::{FaultDecision, FaultPlan, dead};

/// What operators did, by id.
pub type KeptActions = Arc<Mutex<BTreeMap<i64, StoredAction>>>;

/// The last order to each breaker, by its name.
pub type KeptForces = Arc<Mutex<BTreeMap<String, StoredForce>>>;

/// The control store as one process reaches it.
pub struct MemoryControl {
    pub actions: KeptActions,
    pub forces: KeptForces,
    pub fate: Arc<dyn FaultPlan>,
}

impl MemoryControl {
    /// Does something there, or something else happens.
    async fn fated<T>(&self, act: impl FnOnce(&mut BTreeMap<i64, StoredAction>) -> T) -> Result<T, ControlError> {
        match self.fate.of("control").await {
            FaultDecision::Well => Ok(act(&mut self.actions.lock())),
            FaultDecision::FailAfter => {
                act(&mut self.actions.lock());
                Err(ControlError::Late)
            }
            FaultDecision::DieAfter => {
                act(&mut self.actions.lock());
                dead().await
            }
            _ => Err(ControlError::NotOpen),
        }
    }
}

#[async_trait]
impl ControlStore for MemoryControl {
    async fn check(&self) -> Result<(), ControlError> {
        self.fated(|_| ()).await
    }

    async fn keep_actions(&self, actions: &[StoredAction]) -> Result<Vec<StoredAction>, ControlError> {
        let keep = |kept: &mut BTreeMap<i64, StoredAction>| {
            actions.iter().map(|action| kept.entry(action.id).or_insert_with(|| action.clone()).clone()).collect()
        };
        self.fated(keep).await
    }

    async fn actions(&self, limit: u64) -> Result<Vec<StoredAction>, ControlError> {
        self.fated(|kept| kept.values().rev().take(limit as usize).cloned().collect()).await
    }

    async fn forced_breakers(&self) -> Result<Vec<StoredForce>, ControlError> {
        self.fated(|_| self.forces.lock().values().cloned().collect()).await
    }

    async fn force_breaker(
        &self,
        order: &StoredForce,
        given: Given,
        now: Timestamp,
    ) -> Result<StoredForce, ControlError> {
        let keep = |_: &mut _| {
            let mut forces = self.forces.lock();
            let kept = forced::newest(order, forces.get(&order.name), given, now);
            forces.insert(order.name.clone(), kept.clone());
            kept
        };
        self.fated(keep).await
    }
}
