//! Whether a shard takes writes: what its batches have found, for readiness and metrics.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::error::DatabaseError;

/// See the module. Clones share it.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    /// Why writes fail; none after one that was made.
    outage: Option<&'static str>,
    /// When the database has last done what it was asked.
    answered_at: Instant,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Known { outage: None, answered_at: Instant::now() })))
    }
}

impl Health {
    /// Why the shard takes no writes; none if the last one was made.
    pub fn outage(&self) -> Option<&'static str> {
        self.0.lock().outage
    }

    /// How long ago the database has last committed something.
    pub fn silent_for(&self) -> Duration {
        self.0.lock().answered_at.elapsed()
    }

    /// A transaction was committed. Only one that has written ends an outage: a full disk commits what is empty.
    pub(super) fn committed(&self, has_written: bool) {
        let mut known = self.0.lock();
        known.answered_at = Instant::now();
        if has_written {
            known.outage = None;
        }
    }

    pub(super) fn failed(&self, error: &DatabaseError) {
        if let Some(outage) = error.outage() {
            self.0.lock().outage = Some(outage);
        }
    }
}
