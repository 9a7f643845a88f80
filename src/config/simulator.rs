//! How reliable the simulated PSP is.

use serde::{Deserialize, Serialize};

/// Delays and fault rates of the simulator. Rates are per mille of the operations; by default every operation succeeds
/// at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Time that every answer takes, in milliseconds. Default 0.
    pub latency_ms: u64,
    /// Up to so much more, by chance, in milliseconds. Default 0.
    pub latency_jitter_ms: u64,
    /// Authorizations that are declined (`card_declined`). Default 0.
    pub decline_permille: u32,
    /// Operations whose connection is refused: nothing is done. Default 0.
    pub failure_permille: u32,
    /// Operations that are done but whose answer is lost. Default 0.
    pub timeout_permille: u32,
    /// Operations that are done but whose answer makes no sense. Default 0.
    pub garbage_permille: u32,
    /// How long a lost answer lets the caller wait, in milliseconds. Default 10 000.
    pub timeout_ms: u64,
    /// Whether the amounts of `docs/failures.md` force their outcome. Default false.
    pub magic_amounts: bool,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            latency_jitter_ms: 0,
            decline_permille: 0,
            failure_permille: 0,
            timeout_permille: 0,
            garbage_permille: 0,
            timeout_ms: 10_000,
            magic_amounts: false,
        }
    }
}

/// The rates sum to more than 1000 per mille.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "decline_permille, failure_permille, timeout_permille and garbage_permille are {sum} together, 1000 is the most"
)]
pub struct RatesExceedWhole {
    pub sum: u64,
}

impl SimulatorConfig {
    /// Whether the rates make sense together.
    pub fn check(&self) -> Result<(), RatesExceedWhole> {
        let rates = [self.decline_permille, self.failure_permille, self.timeout_permille, self.garbage_permille];
        let sum = rates.into_iter().map(u64::from).sum();
        if sum > 1_000 { Err(RatesExceedWhole { sum }) } else { Ok(()) }
    }
}
