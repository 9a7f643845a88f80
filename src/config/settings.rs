//! Every setting and its default.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::simulator::SimulatorConfig;
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

/// This process among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Tells apart the ids that hosts make: 0 to 63, another one on each host.
    pub id: u8,
    /// How long a stop waits for what is under way before it gives up on it.
    pub drain_ms: u64,
    /// Threads that actors share; 0 takes half the number of cores, one at least.
    pub actor_threads: usize,
}

/// When the wall clock is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// By how much it may be set at once. Beyond it time goes on as before, and no authorization expires, until the
    /// clock is back or has stayed where it was set for `settle_ms`.
    pub step_max_ms: u64,
    /// How long a clock that was set must stay there before it is believed; 0 believes it at once.
    pub settle_ms: u64,
}

/// The disk of the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// With less than this to write to, readiness says so, where something of this process is in the data directory; 0
    /// says nothing.
    pub free_min_bytes: u64,
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
    /// MariaDB databases, `mysql://user:password@host:port/database`: one for each shard, in the order of the shards,
    /// which must never change and is the same in every process. Empty: a SQLite file for each in the data directory.
    pub databases: Vec<String>,
    /// Commands that one transaction commits together at most; 1 is one transaction a command.
    pub max_batch: usize,
    /// Commands that wait for a shard at most; beyond it callers get 503.
    pub mailbox_capacity: usize,
    /// Calls that may be under way for a shard, not counting those at the PSP, however long they take.
    pub shed_above: u64,
    /// How long more than those may take. Beyond it the shard is overloaded: until that is over, calls for it get 503
    /// at once unless what is under way takes less than `shed_target_ms`, or twice that for changes of payments.
    pub shed_after_ms: u64,
    /// How long what is under way for an overloaded shard may take, or for any while the threads that read requests are
    /// late.
    pub shed_target_ms: u64,
    /// How long a caller waits for a shard's answer.
    pub ask_deadline_ms: u64,
}

/// What the rules of payments are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    pub amount_max: i64,
    /// How many refunds a payment may have.
    pub refunds_max: u32,
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
    /// How many processes take requests: while Redis is away, each allows its share of the limits.
    pub hosts: NonZeroU32,
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
    /// The PSP's base URL, `http://` or `https://`. Empty: the simulator, in this process.
    pub url: String,
    /// A file of certificates (PEM): the authority that signs the PSP's, beside those that everyone trusts. Empty:
    /// none.
    pub ca_file: PathBuf,
    /// How long Rialto waits for an answer.
    pub timeout_ms: u64,
    pub simulator: SimulatorConfig,
}

/// Apache Kafka as the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// `host:port`, with commas between several. Empty: an event log in a file of the data directory.
    pub brokers: String,
    /// Put before the names of topics and groups, so that several systems can share a cluster.
    pub topic_prefix: String,
    /// Replicas of the topics that Rialto creates; -1 leaves it to the broker.
    pub replication_factor: i32,
    /// How long a record waits for others to share its request.
    pub linger_ms: u64,
}

/// Redis for answers, limits and leases, none of which it must keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://[user:password@]host:port/db`. Empty: memory of this process.
    pub url: String,
    /// Begins every key. With braces, as in `{rialto}:`, all keys share one slot of a Redis Cluster.
    pub key_prefix: String,
    /// What one call may take before Rialto does without.
    pub timeout_ms: u64,
    /// Connections at most.
    pub connections: u32,
}

/// The outbox and its publisher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbox {
    /// How often the outbox is looked at even if nobody said that something is there.
    pub poll_ms: u64,
    pub batch_max: u64,
    /// How long after one publishing the next may begin: events gather meanwhile. The first one after a while does not
    /// wait.
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
    /// How long an authorization may be under way before the resolver looks at it; above `psp.timeout_ms`. It is sent
    /// in the first half of this time, or not at all, and so early that the PSP's time is over before the resolver asks
    /// twice.
    pub after_ms: u64,
    /// Its waits between questions to the PSP; the last one goes on. What the PSP does not know at the second question
    /// was never sent.
    pub ladder_ms: [u64; 5],
    pub poll_ms: u64,
}

/// Dead letters that are redriven by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetters {
    /// How long an event that could not be applied waits until it is delivered to its consumer again.
    pub redrive_every_ms: u64,
    /// How often that happens to one letter; 0 leaves it to operators.
    pub redrives_max: u32,
    /// How often it is looked at what is due.
    pub poll_ms: u64,
    /// Letters that are redriven at one look, for each shard and consumer.
    pub batch_max: u64,
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
    /// Opens `/admin/faults` and the breaker's exercise. For tests and game days.
    pub enabled: bool,
    /// A shell command by which the exercise really stops the event log's server, or the way to it. Empty: appends fail
    /// in the process instead.
    pub event_log_stop: String,
    /// The shell command that starts it again.
    pub event_log_start: String,
}

pub const MINUTE_MS: u64 = 60 * 1_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// A `NonZeroU32` that is known to be one.
const fn count(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}

impl Default for Node {
    fn default() -> Self {
        Self { id: 0, drain_ms: 10_000, actor_threads: 0 }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { step_max_ms: 5_000, settle_ms: 15 * MINUTE_MS }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { free_min_bytes: 512 * 1024 * 1024 }
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
        Self {
            count: count(2),
            databases: Vec::new(),
            max_batch: 400,
            mailbox_capacity: 4_096,
            shed_above: 256,
            shed_after_ms: 100,
            shed_target_ms: 15,
            ask_deadline_ms: 5_000,
        }
    }
}

impl Default for Payment {
    fn default() -> Self {
        let policy = Policy::default();
        Self { amount_max: policy.amount_max, refunds_max: policy.refunds_max, capture_window_ms: 7 * DAY_MS }
    }
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
        Self { url: String::new(), ca_file: PathBuf::new(), timeout_ms: 5_000, simulator: SimulatorConfig::default() }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self { brokers: String::new(), topic_prefix: String::new(), replication_factor: -1, linger_ms: 2 }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self { url: String::new(), key_prefix: "rialto:".to_owned(), timeout_ms: 25, connections: 8 }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self { poll_ms: 50, batch_max: 512, linger_ms: 20, kept_ms: HOUR_MS }
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

impl Default for DeadLetters {
    fn default() -> Self {
        Self { redrive_every_ms: HOUR_MS, redrives_max: 24, poll_ms: 1_000, batch_max: 100 }
    }
}

impl Default for Supervision {
    fn default() -> Self {
        Self { restarts_max: 5, within_ms: 30_000, hang_after_ms: 30_000 }
    }
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

    /// What is sent this late is known at the PSP, or never will be, when the resolver asks for the second time.
    fn send_within_ms(&self) -> u64 {
        let (after_ms, [first_wait_ms, ..]) = (self.resolver.after_ms, self.resolver.ladder_ms);
        let second_question_ms = after_ms.saturating_add(first_wait_ms);
        second_question_ms.saturating_sub(self.psp.timeout_ms).min(after_ms / 2)
    }

    pub fn psp_timeout(&self) -> Duration {
        Duration::from_millis(self.psp.timeout_ms)
    }
}
