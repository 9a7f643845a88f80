//! `[http]`: the HTTP server.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::MINUTE_MS;

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Threads that serve requests; 0 takes the number of cores.
    pub workers: usize,
    /// Connections per worker beyond which new ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Longer bodies are refused unread.
    pub body_max_bytes: usize,
    pub keep_alive_ms: u64,
    /// How long a client may take to send a request's head.
    pub header_timeout_ms: u64,
    /// How long a client may then take to send the body.
    pub body_timeout_ms: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            workers: 0,
            connections_max: 10_000,
            body_max_bytes: 64 * 1024,
            keep_alive_ms: 75_000,
            header_timeout_ms: 5_000,
            body_timeout_ms: 10_000,
        }
    }
}

impl Http {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("http.connections_max", self.connections_max as u64, 1, 1_000_000)?;
        range("http.body_max_bytes", self.body_max_bytes as u64, 1_024, 1024 * 1024)?;
        range("http.body_timeout_ms", self.body_timeout_ms, 100, MINUTE_MS)?;
        range("http.workers", self.workers as u64, 0, 1_024)?;
        Ok(())
    }
}
