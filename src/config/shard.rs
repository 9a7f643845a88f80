//! `[shard]`: the shards and their writers.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, address, not_allowed, range};
use super::units::{MINUTE_MS, count};

/// The shards and their writers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shard {
    /// How many shards there are. Fixed once there are data.
    pub count: NonZeroU32,
    /// MariaDB databases, `mysql://user:password@host:port/database`: one for each shard, in the order of the shards,
    /// which must never change and is the same in every process. Empty: a SQLite file for each in the data directory.
    pub databases: Vec<String>,
    /// Commands that one transaction commits together at most; 1 is one transaction a command.
    pub max_batch: usize,
    /// Commands that wait for a shard at most; beyond it callers get 503.
    pub mailbox_capacity: usize,
    /// Calls that may be under way for a shard, not counting those at the PSP, however long they take.
    pub shed_above: u64,
    /// How long more than those may take. Beyond it the shard is overloaded: until that is over, calls for it get 503
    /// at once unless what is under way takes less than `shed_target_ms`, or twice that for changes of payments.
    pub shed_after_ms: u64,
    /// How long what is under way for an overloaded shard may take, or for any while the threads that read requests are
    /// late with more than `shed_above` calls under way.
    pub shed_target_ms: u64,
    /// How long a caller waits for a shard's answer.
    pub ask_deadline_ms: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            count: count(2),
            databases: Vec::new(),
            max_batch: 400,
            mailbox_capacity: 4_096,
            shed_above: 256,
            shed_after_ms: 100,
            shed_target_ms: 15,
            ask_deadline_ms: 5_000,
        }
    }
}

impl Shard {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("shard.count", u64::from(self.count.get()), 1, 1_024)?;
        range("shard.max_batch", self.max_batch as u64, 1, 1_000)?;
        range("shard.mailbox_capacity", self.mailbox_capacity as u64, 1, 1_000_000)?;
        range("shard.shed_above", self.shed_above, 1, 1_000_000)?;
        range("shard.shed_after_ms", self.shed_after_ms, 1, MINUTE_MS)?;
        range("shard.shed_target_ms", self.shed_target_ms, 1, MINUTE_MS)?;
        range("shard.ask_deadline_ms", self.ask_deadline_ms, 10, MINUTE_MS)?;
        let (databases, count) = (&self.databases, self.count.get() as usize);
        if !databases.is_empty() && databases.len() != count {
            let allowed = format!("none, or as many as shard.count, which is {count}");
            return not_allowed("shard.databases", format!("a list of {}", databases.len()), allowed);
        }
        for database in databases {
            if database.is_empty() {
                return not_allowed("shard.databases", "an empty address", "what begins with mysql://".to_owned());
            }
            address("shard.databases", database, &["mysql://"])?;
        }
        Ok(())
    }
}
