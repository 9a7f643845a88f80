//! `[psp]`: the payment service provider.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, address, range};
use super::simulator::SimulatorConfig;

/// The payment service provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Psp {
    /// The PSP's base URL, `http://` or `https://`. Empty: the simulator, in this process.
    pub url: String,
    /// A file of certificates (PEM): the authority that signs the PSP's, beside those that everyone trusts. Empty:
    /// none.
    pub ca_file: PathBuf,
    /// How long Rialto waits for an answer.
    pub timeout_ms: u64,
    pub simulator: SimulatorConfig,
}

impl Default for Psp {
    fn default() -> Self {
        Self { url: String::new(), ca_file: PathBuf::new(), timeout_ms: 5_000, simulator: SimulatorConfig::default() }
    }
}

impl Psp {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("psp.timeout_ms", self.timeout_ms, 10, 10_000)?;
        address("psp.url", &self.url, &["http://", "https://"])?;
        Ok(())
    }
}
