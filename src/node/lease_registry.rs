//! Who has to hold a lease before it works, and who never has to ask.

use std::sync::Arc;

use tokio::time::Instant;

use crate::actors::lease_guard::{Lease, LeaseGuard};
use crate::domain::ShardId;

/// The leases of one process, given out one by one while its tree is written down.
pub struct LeaseRegistry {
    is_alone: bool,
    now: Instant,
    leases: Vec<Lease>,
}

impl LeaseRegistry {
    /// With `is_alone` every guard lets its holder work for ever; else each stands for a lease that must be renewed.
    pub fn new(is_alone: bool, now: Instant) -> Self {
        Self { is_alone, now, leases: Vec::new() }
    }

    /// The guard of one kind of work on one shard.
    pub fn of(&mut self, work: &str, shard: ShardId) -> LeaseGuard {
        if self.is_alone {
            return LeaseGuard::always();
        }
        let lease = Lease::new(format!("{work}:shard-{shard}"), self.now);
        let lease_guard = lease.lease_guard();
        self.leases.push(lease);
        lease_guard
    }

    /// What has to be renewed.
    pub fn into_leases(self) -> Arc<[Lease]> {
        self.leases.into()
    }
}
