//! `[control]`: the control store, which keeps what belongs to no shard.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, address, not_allowed};

/// The control store, which keeps what belongs to no shard: what operators did. Payments go on without it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// A MariaDB database of its own, `mysql://user:password@host:port/database`, the same in every process. Empty: the
    /// file `control.db` in the data directory; with shards on servers, operators' actions then stay in the shards.
    pub database: String,
}

impl Control {
    /// Whether these settings can be started with, beside those of the shards.
    pub(super) fn check(&self, shards: &[String]) -> Result<(), ConfigError> {
        address("control.database", &self.database, &["mysql://"])?;
        if shards.contains(&self.database) {
            return not_allowed("control.database", "that of a shard", "a database of its own".to_owned());
        }
        Ok(())
    }
}
