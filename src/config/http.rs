//! `[http]`: the HTTP server.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, not_allowed, range};
use super::units::MINUTE_MS;

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Threads that serve requests; 0 takes the number of cores.
    pub workers: usize,
    /// Names under which the node is served, beside localhost, its subdomains, and addresses: whole names, or `*.` and
    /// a name for all below it.
    pub names: Vec<String>,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one address, or of one /64 network of IPv6.
    pub connections_per_address_max: usize,
    /// Longer bodies are refused unread.
    pub body_max_bytes: usize,
    pub keep_alive_ms: u64,
    /// How long a client may take to send a request's head.
    pub header_timeout_ms: u64,
    /// How long a client may then take to send the body.
    pub body_timeout_ms: u64,
    /// How long a client may take to read each 64 KiB of an answer.
    pub write_timeout_ms: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            workers: 0,
            names: Vec::new(),
            connections_max: 10_000,
            connections_per_address_max: 4_000,
            body_max_bytes: 64 * 1024,
            keep_alive_ms: 75_000,
            header_timeout_ms: 5_000,
            body_timeout_ms: 10_000,
            write_timeout_ms: 10_000,
        }
    }
}

impl Http {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("http.connections_max", self.connections_max as u64, 1, 1_000_000)?;
        let per_address = self.connections_per_address_max as u64;
        range("http.connections_per_address_max", per_address, 1, 1_000_000)?;
        range("http.body_max_bytes", self.body_max_bytes as u64, 1_024, 1024 * 1024)?;
        range("http.keep_alive_ms", self.keep_alive_ms, 100, 60 * MINUTE_MS)?;
        range("http.header_timeout_ms", self.header_timeout_ms, 100, MINUTE_MS)?;
        range("http.body_timeout_ms", self.body_timeout_ms, 100, MINUTE_MS)?;
        range("http.write_timeout_ms", self.write_timeout_ms, 100, MINUTE_MS)?;
        range("http.workers", self.workers as u64, 0, 1_024)?;
        match self.names.iter().find(|name| !is_name(name)) {
            Some(name) => not_allowed("http.names", name, "host names, without a port, or *. and one".to_owned()),
            None => Ok(()),
        }
    }
}

/// Whether it is a host name (RFC 1123, 2.1), or `*.` and one.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
