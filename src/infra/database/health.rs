//! Whether a shard takes writes and can be read: what its batches and its observer have found, for readiness and
//! metrics.

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
    /// Why the observer could not read it; none once it could.
    unread: Option<&'static str>,
    /// Whether SQLite has found its file damaged. The table that a probe writes may be whole, so only a start on a file
    /// that is mended ends it.
    is_damaged: bool,
    /// When the database has last done what it was asked.
    answered_at: Instant,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Known { outage: None, unread: None, is_damaged: false, answered_at: Instant::now() })))
    }
}

impl Health {
    /// Why the shard takes no writes; none if the last one was made. It may recover.
    pub fn outage(&self) -> Option<&'static str> {
        self.0.lock().outage
    }

    /// Whether a restart alone ends it.
    pub fn is_damaged(&self) -> bool {
        self.0.lock().is_damaged
    }

    /// What is wrong with the shard, for people; none if nothing is.
    pub fn trouble(&self) -> Option<String> {
        let known = self.0.lock();
        if known.is_damaged {
            return Some("is damaged: put a backup in its place and start anew".to_owned());
        }
        let writes = known.outage.map(|outage| format!("takes no writes: {outage}"));
        writes.or_else(|| known.unread.map(|why| format!("cannot be read: {why}")))
    }

    /// What the observer has found, which reads every table.
    pub fn observed(&self, error: Option<&DatabaseError>) {
        let mut known = self.0.lock();
        // Whether it answers is asked more often than the observer comes.
        let passes = |error: &&DatabaseError| matches!(error, DatabaseError::Unavailable(_) | DatabaseError::Conflict);
        let unread = error.filter(|error| !passes(error));
        known.unread = unread.map(|error| error.outage().unwrap_or("a question is refused"));
        known.is_damaged |= error.is_some_and(DatabaseError::is_damage);
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
            let mut known = self.0.lock();
            known.outage = Some(outage);
            known.is_damaged |= error.is_damage();
        }
    }
}
