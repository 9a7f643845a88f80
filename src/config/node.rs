//! `[node]`: this process among others.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use crate::domain::id::NODES;

/// This process among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Tells apart the ids that hosts make: 0 to 63, another one on each host.
    pub id: u8,
    /// How long a stop waits for calls in flight before it gives them up.
    pub drain_ms: u64,
    /// Threads that actors share; 0 takes half the number of cores, one at least.
    pub actor_threads: usize,
}

impl Default for Node {
    fn default() -> Self {
        Self { id: 0, drain_ms: 10_000, actor_threads: 0 }
    }
}

impl Node {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("node.id", u64::from(self.id), 0, u64::from(NODES) - 1)?;
        range("node.actor_threads", self.actor_threads as u64, 0, 1_024)?;
        Ok(())
    }
}
