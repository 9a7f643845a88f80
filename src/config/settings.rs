//! Every section of the configuration, and what the domain needs of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::check::{ConfigError, not_allowed};
use super::clock::Clock;
use super::control::Control;
use super::dead_letters::DeadLetters;
use super::faults::Faults;
use super::http::Http;
use super::idempotency::Idempotency;
use super::kafka::Kafka;
use super::limits::Limits;
use super::node::Node;
use super::outbox::Outbox;
use super::payment::Payment;
use super::psp::Psp;
use super::redis::Redis;
use super::requests::Requests;
use super::resolver::Resolver;
use super::shard::Shard;
use super::storage::Storage;
use super::supervision::Supervision;
use super::telemetry::Telemetry;
use crate::domain::policy::Policy;
use crate::domain::psp::RetryPolicy;

/// Every setting. Durations end in `_ms` and are milliseconds; amounts are in the currency's minor unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    pub clock: Clock,
    pub storage: Storage,
    pub http: Http,
    pub shard: Shard,
    pub control: Control,
    pub payment: Payment,
    pub limits: Limits,
    pub idempotency: Idempotency,
    pub breaker: Breaker,
    pub psp: Psp,
    pub kafka: Kafka,
    pub redis: Redis,
    pub outbox: Outbox,
    pub requests: Requests,
    pub resolver: Resolver,
    pub dead_letters: DeadLetters,
    pub supervision: Supervision,
    pub telemetry: Telemetry,
    pub faults: Faults,
}

impl Config {
    /// The figures that the rules of the domain need.
    pub fn policy(&self) -> Policy {
        Policy {
            amount_max: self.payment.amount_max,
            refunds_max: self.payment.refunds_max,
            capture_window: Duration::from_millis(self.payment.capture_window_ms),
            resolve_after: Duration::from_millis(self.resolver.after_ms),
            send_within: Duration::from_millis(self.send_within_ms()),
            resolver_ladder: self.resolver.ladder_ms.map(Duration::from_millis),
            retry: RetryPolicy {
                tries_max: self.requests.tries_max,
                base: Duration::from_millis(self.requests.retry_base_ms),
                cap: Duration::from_millis(self.requests.retry_cap_ms),
            },
            request_grace: Duration::from_millis(self.requests.grace_ms),
            answers_kept: Duration::from_millis(self.idempotency.kept_ms),
            redrive_every: Duration::from_millis(self.dead_letters.redrive_every_ms),
            redrives_max: self.dead_letters.redrives_max,
        }
    }

    /// A request that is sent this late is known at the PSP, or never will be, when the resolver asks for the second
    /// time.
    fn send_within_ms(&self) -> u64 {
        let (after_ms, [first_wait_ms, ..]) = (self.resolver.after_ms, self.resolver.ladder_ms);
        let second_question_ms = after_ms.saturating_add(first_wait_ms);
        second_question_ms.saturating_sub(self.psp.timeout_ms).min(after_ms / 2)
    }

    pub fn psp_timeout(&self) -> Duration {
        Duration::from_millis(self.psp.timeout_ms)
    }

    /// Whether the process can be started with these settings: each section by itself, and all together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.node.check()?;
        self.clock.check()?;
        self.http.check()?;
        self.shard.check()?;
        self.control.check(&self.shard.databases)?;
        self.payment.check()?;
        self.idempotency.check()?;
        self.breaker.check()?;
        self.psp.check()?;
        self.kafka.check()?;
        self.redis.check()?;
        self.outbox.check()?;
        self.requests.check()?;
        self.resolver.check(&self.psp)?;
        self.dead_letters.check()?;
        self.supervision.check()?;
        self.faults.check()?;
        self.telemetry.check()?;
        if self.kafka.brokers.is_empty() && !self.shard.databases.is_empty() {
            // Otherwise each process that shares the shards would publish events to a log of its own.
            return not_allowed("kafka.brokers", "not given", "brokers, since shard.databases is given".to_owned());
        }
        Ok(())
    }
}
