//! What the settings may be, each by itself and all together.

use std::path::PathBuf;

use super::settings::{Config, DAY_MS, Faults, HOUR_MS, MINUTE_MS};

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

/// Whether the configuration can be started with.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    let nodes = u64::from(crate::domain::id::NODES) - 1;
    range("node.id", u64::from(config.node.id), 0, nodes)?;
    range("node.actor_threads", config.node.actor_threads as u64, 0, 1_024)?;
    range("clock.step_max_ms", config.clock.step_max_ms, 100, DAY_MS)?;
    range("clock.settle_ms", config.clock.settle_ms, 0, 366 * DAY_MS)?;
    range("http.connections_max", config.http.connections_max as u64, 1, 1_000_000)?;
    range("http.body_max_bytes", config.http.body_max_bytes as u64, 1_024, 1024 * 1024)?;
    range("http.workers", config.http.workers as u64, 0, 1_024)?;
    range("shard.count", u64::from(config.shard.count.get()), 1, 1_024)?;
    range("shard.max_batch", config.shard.max_batch as u64, 1, 1_000)?;
    range("shard.mailbox_capacity", config.shard.mailbox_capacity as u64, 1, 1_000_000)?;
    range("shard.shed_above", config.shard.shed_above, 1, 1_000_000)?;
    range("shard.shed_after_ms", config.shard.shed_after_ms, 1, MINUTE_MS)?;
    range("shard.shed_target_ms", config.shard.shed_target_ms, 1, MINUTE_MS)?;
    range("shard.ask_deadline_ms", config.shard.ask_deadline_ms, 10, MINUTE_MS)?;
    range("payment.capture_window_ms", config.payment.capture_window_ms, 1, 366 * DAY_MS)?;
    range("payment.refunds_max", u64::from(config.payment.refunds_max), 1, 100_000)?;
    if config.payment.amount_max < 1 {
        return not_allowed("payment.amount_max", config.payment.amount_max, "1 and above".to_owned());
    }
    range("idempotency.kept_ms", config.idempotency.kept_ms, MINUTE_MS, 366 * DAY_MS)?;
    range("breaker.window_ms", config.breaker.window_ms, 1_000, HOUR_MS)?;
    range("breaker.minimum_calls", u64::from(config.breaker.minimum_calls), 1, 1_000_000)?;
    range("breaker.failure_rate_percent", u64::from(config.breaker.failure_rate_percent), 1, 100)?;
    range("breaker.slow_rate_percent", u64::from(config.breaker.slow_rate_percent), 1, 100)?;
    range("breaker.open_ms", config.breaker.open_ms, 1, HOUR_MS)?;
    range("breaker.trial_calls", u64::from(config.breaker.trial_calls), 1, 1_000)?;
    range("psp.timeout_ms", config.psp.timeout_ms, 10, 10_000)?;
    range("kafka.linger_ms", config.kafka.linger_ms, 0, 1_000)?;
    range("redis.timeout_ms", config.redis.timeout_ms, 1, 1_000)?;
    range("redis.connections", u64::from(config.redis.connections), 1, 1_000)?;
    range("outbox.poll_ms", config.outbox.poll_ms, 1, MINUTE_MS)?;
    range("outbox.linger_ms", config.outbox.linger_ms, 0, 1_000)?;
    range("outbox.batch_max", config.outbox.batch_max, 1, 10_000)?;
    range("requests.tries_max", u64::from(config.requests.tries_max), 1, 1_000)?;
    range("requests.retry_base_ms", config.requests.retry_base_ms, 1, HOUR_MS)?;
    range("requests.retry_cap_ms", config.requests.retry_cap_ms, config.requests.retry_base_ms, DAY_MS)?;
    range("requests.batch_max", config.requests.batch_max as u64, 1, 10_000)?;
    range("requests.poll_ms", config.requests.poll_ms, 1, MINUTE_MS)?;
    range("resolver.after_ms", config.resolver.after_ms, config.psp.timeout_ms + 1, DAY_MS)?;
    range("resolver.poll_ms", config.resolver.poll_ms, 1, MINUTE_MS)?;
    range("dead_letters.redrive_every_ms", config.dead_letters.redrive_every_ms, 1, 366 * DAY_MS)?;
    range("dead_letters.poll_ms", config.dead_letters.poll_ms, 1, HOUR_MS)?;
    range("dead_letters.batch_max", config.dead_letters.batch_max, 1, 10_000)?;
    range("supervision.restarts_max", u64::from(config.supervision.restarts_max), 1, 1_000)?;
    range("supervision.within_ms", config.supervision.within_ms, 1_000, DAY_MS)?;
    range("supervision.hang_after_ms", config.supervision.hang_after_ms, 100, HOUR_MS)?;
    range("telemetry.observe_every_ms", config.telemetry.observe_every_ms, 100, HOUR_MS)?;
    range("telemetry.ledger_every_ms", config.telemetry.ledger_every_ms, 100, DAY_MS)?;
    let ratio = config.telemetry.trace_sample_ratio;
    if !(0.0..=1.0).contains(&ratio) {
        return not_allowed("telemetry.trace_sample_ratio", ratio, "0 to 1".to_owned());
    }
    let Faults { event_log_stop, event_log_start, .. } = &config.faults;
    if event_log_stop.is_empty() != event_log_start.is_empty() {
        let allowed = "set together with faults.event_log_start, or empty like it".to_owned();
        return not_allowed("faults.event_log_stop", format!("{event_log_stop:?}"), allowed);
    }
    addresses(config)
}

fn addresses(config: &Config) -> Result<(), ConfigError> {
    let (databases, count) = (&config.shard.databases, config.shard.count.get() as usize);
    if !databases.is_empty() && databases.len() != count {
        let allowed = format!("none, or as many as shard.count, which is {count}");
        return not_allowed("shard.databases", format!("a list of {}", databases.len()), allowed);
    }
    // The addresses are not shown: they hold passwords.
    let schemes = |key, address: &str, schemes: &[&str]| {
        if address.is_empty() || schemes.iter().any(|scheme| address.starts_with(scheme)) {
            return Ok(());
        }
        not_allowed(key, "another address", format!("what begins with {}", schemes.join(" or ")))
    };
    for database in databases {
        if database.is_empty() {
            return not_allowed("shard.databases", "an empty address", "what begins with mysql://".to_owned());
        }
        schemes("shard.databases", database, &["mysql://"])?;
    }
    schemes("psp.url", &config.psp.url, &["http://", "https://"])?;
    schemes("telemetry.otlp_endpoint", &config.telemetry.otlp_endpoint, &["http://", "https://"])?;
    schemes("redis.url", &config.redis.url, &["redis://", "rediss://"])?;
    if config.kafka.brokers.is_empty() && !databases.is_empty() {
        // Processes that share the shards would each tell the events to a log of their own.
        return not_allowed("kafka.brokers", "not given", "brokers, since shard.databases is given".to_owned());
    }
    Ok(())
}

fn range(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { not_allowed(key, value, format!("{least} to {most}")) }
}

fn not_allowed(key: &'static str, value: impl ToString, allowed: String) -> Result<(), ConfigError> {
    Err(ConfigError::NotAllowed { key, value: value.to_string(), allowed })
}
