//! One typed configuration: defaults (the embedded ones), then a TOML file, then the environment
//! (`RIALTO__SHARD__MAX_BATCH` is `shard.max_batch`). Rialto refuses to start with one that is wrong, and names the key,
//! the value and what is allowed.

mod simulator;

pub use simulator::{RatesExceedWhole, SimulatorConfig};

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::domain::policy::Policy;
use crate::domain::psp::RetryPolicy;

/// Every setting. Durations end in `_ms` and are milliseconds; amounts are in the currency's minor unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    pub http: Http,
    pub shard: Shard,
    pub payment: Payment,
    pub limits: Limits,
    pub idempotency: Idempotency,
    pub breaker: Breaker,
    pub psp: Psp,
    pub outbox: Outbox,
    pub requests: Requests,
    pub resolver: Resolver,
    pub supervision: Supervision,
    pub faults: Faults,
}

/// This process among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Tells apart the ids that hosts make: 0 to 63, another one on each host.
    pub id: u8,
    /// How long a stop waits for what is under way before it gives up on it.
    pub drain_ms: u64,
}

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
}

/// The shards and their writers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shard {
    /// How many shards there are. Fixed once there are data.
    pub count: NonZeroU32,
    /// Commands that one transaction commits together at most; 1 is one transaction a command.
    pub max_batch: usize,
    /// Commands that wait for a shard at most; beyond it callers get 503.
    pub mailbox_capacity: usize,
    /// How long a caller waits for a shard's answer.
    pub ask_deadline_ms: u64,
}

/// What the rules of payments are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    pub amount_max: i64,
    /// How long an authorization can be captured.
    pub capture_window_ms: u64,
}

/// Requests a minute, for each merchant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub authorize_per_minute: NonZeroU32,
    pub capture_per_minute: NonZeroU32,
    pub refund_per_minute: NonZeroU32,
}

/// Stored answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// How long the database keeps answers.
    pub kept_ms: u64,
    /// What the cache in memory may take; it keeps answers for ten minutes at most.
    pub cache_max_bytes: u64,
}

/// Breakers, each with these figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    pub window_ms: u64,
    pub minimum_calls: u32,
    pub failure_rate_percent: u32,
    pub slow_rate_percent: u32,
    pub slow_call_ms: u64,
    pub open_ms: u64,
    pub trial_calls: u32,
}

/// The payment service provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Psp {
    /// How long Rialto waits for an answer.
    pub timeout_ms: u64,
    pub simulator: SimulatorConfig,
}

/// The outbox and its publisher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbox {
    /// How often the outbox is looked at even if nobody said that something is there.
    pub poll_ms: u64,
    pub batch_max: u64,
    /// How long events gather before they are published together.
    pub linger_ms: u64,
    /// How long published events stay.
    pub kept_ms: u64,
}

/// Captures, voids and refunds at the PSP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// Tries in all before a request fails.
    pub tries_max: u32,
    pub retry_base_ms: u64,
    pub retry_cap_ms: u64,
    /// How long a request waits for its event before the retrier takes it.
    pub grace_ms: u64,
    /// How often the retriers look for what is due.
    pub poll_ms: u64,
    /// Requests and events that are worked on at once, for each partition and retrier.
    pub batch_max: usize,
}

/// The resolver of unknown outcomes and expired authorizations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resolver {
    /// How long an authorization may be under way before the resolver looks at it; above `psp.timeout_ms`.
    pub after_ms: u64,
    /// Its waits between questions to the PSP; the last one goes on.
    pub ladder_ms: [u64; 5],
    pub poll_ms: u64,
}

/// Supervision of actors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supervision {
    /// Restarts within the window beyond which a supervisor gives up and its parent decides.
    pub restarts_max: u32,
    pub within_ms: u64,
    /// An actor with work and no progress for so long is replaced; above every deadline of what it does.
    pub hang_after_ms: u64,
}

/// Faults on purpose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Opens `/admin/faults`. For tests and game days.
    pub enabled: bool,
}

const MINUTE_MS: u64 = 60 * 1_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A `NonZeroU32` that is known to be one.
const fn count(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}

impl Default for Node {
    fn default() -> Self {
        Self { id: 0, drain_ms: 10_000 }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            workers: 0,
            connections_max: 10_000,
            body_max_bytes: 64 * 1024,
            keep_alive_ms: 75_000,
            header_timeout_ms: 5_000,
        }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self { count: count(2), max_batch: 400, mailbox_capacity: 4_096, ask_deadline_ms: 5_000 }
    }
}

impl Default for Payment {
    fn default() -> Self {
        let policy = Policy::default();
        Self { amount_max: policy.amount_max, capture_window_ms: 7 * DAY_MS }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            authorize_per_minute: count(48_000),
            capture_per_minute: count(48_000),
            refund_per_minute: count(30_000),
        }
    }
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { kept_ms: 7 * DAY_MS, cache_max_bytes: 32 * 1024 * 1024 }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window_ms: 10_000,
            minimum_calls: 5,
            failure_rate_percent: 50,
            slow_rate_percent: 50,
            slow_call_ms: 2_000,
            open_ms: 30_000,
            trial_calls: 3,
        }
    }
}

impl Default for Psp {
    fn default() -> Self {
        Self { timeout_ms: 5_000, simulator: SimulatorConfig::default() }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self { poll_ms: 50, batch_max: 512, linger_ms: 5, kept_ms: HOUR_MS }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            tries_max: 10,
            retry_base_ms: 500,
            retry_cap_ms: MINUTE_MS,
            grace_ms: 10_000,
            poll_ms: 500,
            batch_max: 128,
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self { after_ms: 15_000, ladder_ms: [5_000, 30_000, 5 * MINUTE_MS, HOUR_MS, DAY_MS], poll_ms: 500 }
    }
}

impl Default for Supervision {
    fn default() -> Self {
        Self { restarts_max: 5, within_ms: 30_000, hang_after_ms: 30_000 }
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value of the wrong kind, or a key that does not exist; the text names key and source.
    #[error("configuration: {0}")]
    Unreadable(Box<figment::Error>),
    #[error("configuration: no file {0}")]
    NoFile(PathBuf),
    #[error("configuration: {key} is {value}; allowed: {allowed}")]
    NotAllowed { key: &'static str, value: String, allowed: String },
}

impl Config {
    /// The configuration of `file` and the environment over the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            if !path.is_file() {
                return Err(ConfigError::NoFile(path.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let config: Self = figment
            .merge(Env::prefixed("RIALTO__").split("__"))
            .extract()
            .map_err(|error| ConfigError::Unreadable(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let nodes = u64::from(crate::domain::id::NODES) - 1;
        range("node.id", u64::from(self.node.id), 0, nodes)?;
        range("http.connections_max", self.http.connections_max as u64, 1, 1_000_000)?;
        range("http.body_max_bytes", self.http.body_max_bytes as u64, 1_024, 1024 * 1024)?;
        range("http.workers", self.http.workers as u64, 0, 1_024)?;
        range("shard.count", u64::from(self.shard.count.get()), 1, 1_024)?;
        range("shard.max_batch", self.shard.max_batch as u64, 1, 1_000)?;
        range("shard.mailbox_capacity", self.shard.mailbox_capacity as u64, 1, 1_000_000)?;
        range("shard.ask_deadline_ms", self.shard.ask_deadline_ms, 10, MINUTE_MS)?;
        range("payment.capture_window_ms", self.payment.capture_window_ms, 1, 366 * DAY_MS)?;
        if self.payment.amount_max < 1 {
            return not_allowed("payment.amount_max", self.payment.amount_max, "1 and above".to_owned());
        }
        range("idempotency.kept_ms", self.idempotency.kept_ms, MINUTE_MS, 366 * DAY_MS)?;
        range("breaker.window_ms", self.breaker.window_ms, 1_000, HOUR_MS)?;
        range("breaker.minimum_calls", u64::from(self.breaker.minimum_calls), 1, 1_000_000)?;
        range("breaker.failure_rate_percent", u64::from(self.breaker.failure_rate_percent), 1, 100)?;
        range("breaker.slow_rate_percent", u64::from(self.breaker.slow_rate_percent), 1, 100)?;
        range("breaker.open_ms", self.breaker.open_ms, 1, HOUR_MS)?;
        range("breaker.trial_calls", u64::from(self.breaker.trial_calls), 1, 1_000)?;
        range("psp.timeout_ms", self.psp.timeout_ms, 10, 10_000)?;
        range("outbox.poll_ms", self.outbox.poll_ms, 1, MINUTE_MS)?;
        range("outbox.linger_ms", self.outbox.linger_ms, 0, 1_000)?;
        range("outbox.batch_max", self.outbox.batch_max, 1, 10_000)?;
        range("requests.tries_max", u64::from(self.requests.tries_max), 1, 1_000)?;
        range("requests.retry_base_ms", self.requests.retry_base_ms, 1, HOUR_MS)?;
        range("requests.retry_cap_ms", self.requests.retry_cap_ms, self.requests.retry_base_ms, DAY_MS)?;
        range("requests.batch_max", self.requests.batch_max as u64, 1, 10_000)?;
        range("requests.poll_ms", self.requests.poll_ms, 1, MINUTE_MS)?;
        range("resolver.after_ms", self.resolver.after_ms, self.psp.timeout_ms + 1, DAY_MS)?;
        range("resolver.poll_ms", self.resolver.poll_ms, 1, MINUTE_MS)?;
        range("supervision.restarts_max", u64::from(self.supervision.restarts_max), 1, 1_000)?;
        range("supervision.within_ms", self.supervision.within_ms, 1_000, DAY_MS)?;
        range("supervision.hang_after_ms", self.supervision.hang_after_ms, 100, HOUR_MS)
    }

    /// The figures that the rules of the domain need.
    pub fn policy(&self) -> Policy {
        Policy {
            amount_max: self.payment.amount_max,
            capture_window: Duration::from_millis(self.payment.capture_window_ms),
            resolve_after: Duration::from_millis(self.resolver.after_ms),
            resolver_ladder: self.resolver.ladder_ms.map(Duration::from_millis),
            retry: RetryPolicy {
                tries_max: self.requests.tries_max,
                base: Duration::from_millis(self.requests.retry_base_ms),
                cap: Duration::from_millis(self.requests.retry_cap_ms),
            },
            request_grace: Duration::from_millis(self.requests.grace_ms),
            answers_kept: Duration::from_millis(self.idempotency.kept_ms),
        }
    }

    pub fn psp_timeout(&self) -> Duration {
        Duration::from_millis(self.psp.timeout_ms)
    }
}

fn range(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { not_allowed(key, value, format!("{least} to {most}")) }
}

fn not_allowed(key: &'static str, value: impl ToString, allowed: String) -> Result<(), ConfigError> {
    Err(ConfigError::NotAllowed { key, value: value.to_string(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rialto.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path))
    }

    #[test]
    fn the_defaults_are_allowed_and_are_the_domains() {
        let config = Config::load(None).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(format!("{:?}", config.policy()), format!("{:?}", Policy::default()));
    }

    #[test]
    fn the_shipped_file_says_the_defaults_and_all_of_them() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rialto.toml");
        assert_eq!(Config::load(Some(&path)).unwrap(), Config::default());
        let said: figment::value::Dict = Figment::from(Toml::file_exact(&path)).extract().unwrap();
        let known: figment::value::Dict = Figment::from(Serialized::defaults(Config::default())).extract().unwrap();
        let keys = |dict: &figment::value::Dict| {
            let sections = dict.iter().flat_map(|(section, values)| {
                let values = values.as_dict().unwrap().keys();
                values.map(move |key| format!("{section}.{key}")).collect::<Vec<_>>()
            });
            sections.collect::<Vec<_>>()
        };
        assert_eq!(keys(&said), keys(&known));
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let config = from_toml("[shard]\nmax_batch = 7\n").unwrap();
        assert_eq!(config.shard.max_batch, 7);
        assert_eq!(config.http, Http::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, names) in [
            ("[shard]\nmax_batch = 0\n", vec!["shard.max_batch", "0", "1 to 1000"]),
            ("[shard]\nmax_bach = 5\n", vec!["max_bach"]),
            ("[shard]\nmax_batch = \"many\"\n", vec!["shard.max_batch", "many"]),
            ("[shard]\ncount = 0\n", vec!["shard.count"]),
            ("[node]\nid = 64\n", vec!["node.id", "64", "0 to 63"]),
            ("[resolver]\nafter_ms = 100\n", vec!["resolver.after_ms", "100"]),
            ("nonsense", vec!["configuration"]),
        ] {
            let said = from_toml(text).unwrap_err().to_string();
            for name in names {
                assert!(said.contains(name), "{text:?}: {said}");
            }
        }
        assert!(Config::load(Some(Path::new("/no/such/file"))).unwrap_err().to_string().contains("/no/such/file"));
    }
}
