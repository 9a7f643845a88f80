//! `[storage]`: the disk of the data directory.

use serde::{Deserialize, Serialize};

/// The disk of the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// With less free space than this, readiness says so, if something of this process is in the data directory; 0
    /// turns this off.
    pub free_min_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { free_min_bytes: 512 * 1024 * 1024 }
    }
}
