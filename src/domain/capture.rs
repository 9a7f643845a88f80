//! One capture of a payment.

use serde::{Deserialize, Serialize};

use super::id::CaptureId;

/// Where a capture stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureStatus {
    /// The PSP has not confirmed it yet.
    Requested,
    Captured,
    Failed,
}

impl CaptureStatus {
    pub const ALL: [Self; 3] = [Self::Requested, Self::Captured, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Captured => "CAPTURED",
            Self::Failed => "FAILED",
        }
    }
}

/// The capture that was asked for last. When that was, its id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    pub id: CaptureId,
    /// Minor units.
    pub amount: i64,
}
