//! `[limits]`: requests a minute, for each merchant.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::units::count;

/// Requests a minute, for each merchant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub authorize_per_minute: NonZeroU32,
    pub capture_per_minute: NonZeroU32,
    pub refund_per_minute: NonZeroU32,
    /// How many processes take requests: while Redis is away, each allows its share of the limits.
    pub hosts: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            authorize_per_minute: count(48_000),
            capture_per_minute: count(48_000),
            refund_per_minute: count(30_000),
            hosts: count(1),
        }
    }
}
