//! Where no control store is set that all processes share: what would be there stays where it is.

use async_trait::async_trait;

use super::{ControlError, ControlStore, Given, StoredForce};
use crate::domain::Timestamp;
use crate::infra::database::StoredAction;

/// See the module.
pub struct UnsetControl;

#[async_trait]
impl ControlStore for UnsetControl {
    async fn check(&self) -> Result<(), ControlError> {
        Err(ControlError::Unset)
    }

    async fn keep_actions(&self, _actions: &[StoredAction]) -> Result<Vec<StoredAction>, ControlError> {
        Err(ControlError::Unset)
    }

    /// None was ever moved.
    async fn actions(&self, _limit: u64) -> Result<Vec<StoredAction>, ControlError> {
        Ok(Vec::new())
    }

    async fn forced_breakers(&self) -> Result<Vec<StoredForce>, ControlError> {
        Err(ControlError::Unset)
    }

    async fn force_breaker(
        &self,
        _order: &StoredForce,
        _given: Given,
        _now: Timestamp,
    ) -> Result<StoredForce, ControlError> {
        Err(ControlError::Unset)
    }
}
