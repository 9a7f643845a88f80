//! Units in which defaults and bounds are written.

use std::num::NonZeroU32;

pub const MINUTE_MS: u64 = 60 * 1_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// A `NonZeroU32` that is known to be one.
pub const fn count(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}
