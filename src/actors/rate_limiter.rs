//! Rate limiter: holds each merchant to its rate of authorizations, captures and refunds.
//! Receives: wishes to do one more, and those that were not needed.   Sends: nothing; all wishes that wait go to the
//! limit store in one call, all that come back in another. Durable: nothing.   In memory: while the store is out, the
//! buckets of this host alone, in `local`, of its share. A panic costs the batch in hand (answered `Interrupted`); the
//! buckets live in the stores and are kept. Limit: mailbox and batch as in [`options`]; a store that fails or takes
//! over 250 ms is left alone for 1 s.

use std::num::NonZeroU32;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::outage::{Outage, Outages};
use crate::domain::key::PaymentOperation;
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::{LimitStore, LimitedAction, Take, Taken};
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, AskError, Context, Failure, Handle, Message, Metric, Options, Reply};

/// Takes one token of an action.
pub async fn take(limiter: &Handle<RateLimiter>, merchant: &str, action: LimitedAction) -> Result<Taken, AskError> {
    let merchant = merchant.into();
    limiter.ask(|reply| LimiterMessage::Take { merchant, action, reply }).await
}

/// Returns a token that was taken and not needed, if the limiter can: else the merchant has one less for a while.
pub fn give_back(limiter: &Handle<RateLimiter>, merchant: &str, action: LimitedAction) {
    let _ = limiter.tell(LimiterMessage::GiveBack { merchant: merchant.into(), action });
}

/// What the limiter can be sent, by [`take`] and [`give_back`].
pub enum LimiterMessage {
    Take { merchant: Arc<str>, action: LimitedAction, reply: Reply<Taken> },
    GiveBack { merchant: Arc<str>, action: LimitedAction },
}

impl Message for LimiterMessage {
    fn kind(&self) -> &'static str {
        match self {
            Self::Take { .. } => "take",
            Self::GiveBack { .. } => "give_back",
        }
    }
}

/// The limit that an operation counts against. A void has none of its own: like a capture it ends an authorization, at
/// most once, and shares its limit.
pub fn limited(operation: PaymentOperation) -> LimitedAction {
    match operation {
        PaymentOperation::Authorize => LimitedAction::Authorize,
        PaymentOperation::Capture | PaymentOperation::Void => LimitedAction::Capture,
        PaymentOperation::Refund => LimitedAction::Refund,
    }
}

/// How many of each action a merchant may do in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    pub authorize_per_minute: NonZeroU32,
    /// Captures and voids together.
    pub capture_per_minute: NonZeroU32,
    pub refund_per_minute: NonZeroU32,
}

impl RateLimits {
    fn per_minute(&self, action: LimitedAction) -> NonZeroU32 {
        match action {
            LimitedAction::Authorize => self.authorize_per_minute,
            LimitedAction::Capture => self.capture_per_minute,
            LimitedAction::Refund => self.refund_per_minute,
        }
    }
}

/// See the file's header.
pub struct RateLimiter {
    store: Arc<dyn LimitStore>,
    local: Arc<MemoryLimits>,
    limits: RateLimits,
    hosts: NonZeroU32,
    outage: Outage,
    meter: LimitMeter,
}

/// How the rate limiter runs: one batch is one call over the network, so large ones are good.
pub fn options() -> Options {
    Options::new("rate_limiter").capacity(8_192).max_batch(512)
}

impl RateLimiter {
    /// Takes from `store`, and from `local` while the store is out. Both outlive the actor. `hosts` is how many hosts
    /// take requests: without the store, each allows its share of a limit, and at least 1 a minute.
    pub fn new(
        store: Arc<dyn LimitStore>,
        local: Arc<MemoryLimits>,
        limits: RateLimits,
        hosts: NonZeroU32,
        outages: Outages,
    ) -> Self {
        let outage = Outage::new("limits", "take", catalogue::RATE_LIMITER_DEGRADED, outages);
        Self { store, local, limits, hosts, outage, meter: LimitMeter::default() }
    }

    /// Takes the token from this host's share of the limit.
    fn share(&self, want: &Take) -> Take {
        let per_minute = NonZeroU32::new(want.per_minute.get() / self.hosts).unwrap_or(NonZeroU32::MIN);
        Take { per_minute, ..want.clone() }
    }
}

impl Actor for RateLimiter {
    type Message = LimiterMessage;

    async fn handle(&mut self, batch: Vec<LimiterMessage>, ctx: &Context) -> Result<(), Failure> {
        let (mut wants, mut replies, mut given) =
            (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()), Vec::new());
        for message in batch {
            match message {
                LimiterMessage::Take { merchant, action, reply } => {
                    wants.push(Take { merchant, action, per_minute: self.limits.per_minute(action) });
                    replies.push(reply);
                }
                LimiterMessage::GiveBack { merchant, action } => {
                    given.push(Take { merchant, action, per_minute: self.limits.per_minute(action) });
                }
            }
        }
        if !given.is_empty() && self.outage.ask(ctx.clock(), self.store.give_back_many(&given)).await.is_none() {
            let shares: Vec<Take> = given.iter().map(|want| self.share(want)).collect();
            self.local.give_back_many(&shares).await.map_err(Failure::new)?;
        }
        if wants.is_empty() {
            return Ok(());
        }
        let taken = match self.outage.ask(ctx.clock(), self.store.take_many(&wants)).await {
            Some(taken) => taken,
            None => {
                wants.iter().for_each(|want| self.meter.degraded(want.action));
                let shares: Vec<Take> = wants.iter().map(|want| self.share(want)).collect();
                // Memory does not fail; if it did, a fresh actor would be the right response.
                self.local.take_many(&shares).await.map_err(Failure::new)?
            }
        };
        for ((want, taken), reply) in wants.iter().zip(taken).zip(replies) {
            self.meter.taken(want.action, taken.allowed);
            reply.send(taken);
        }
        Ok(())
    }
}

/// What is measured of the limits, each count by action.
struct LimitMeter {
    allowed: Counter<u64>,
    refused: Counter<u64>,
    degraded: Counter<u64>,
}

impl Default for LimitMeter {
    fn default() -> Self {
        use LimitedAction::{Authorize, Capture, Refund};
        let series = [Authorize, Capture, Refund].map(|action| [label(action)]);
        let counter = |metric: Metric| metric.to_counter_from_zero(series.iter().map(<[_; 1]>::as_slice));
        Self {
            allowed: counter(catalogue::RATE_LIMITER_ALLOWED),
            refused: counter(catalogue::RATE_LIMITER_REFUSED),
            degraded: counter(catalogue::RATE_LIMITER_LOCAL),
        }
    }
}

impl LimitMeter {
    fn taken(&self, action: LimitedAction, is_allowed: bool) {
        let counter = if is_allowed { &self.allowed } else { &self.refused };
        counter.add(1, &[label(action)]);
    }

    fn degraded(&self, action: LimitedAction) {
        self.degraded.add(1, &[label(action)]);
    }
}

fn label(action: LimitedAction) -> KeyValue {
    let name = match action {
        LimitedAction::Authorize => "authorize",
        LimitedAction::Capture => "capture",
        LimitedAction::Refund => "refund",
    };
    KeyValue::new("action", name)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use futures_util::future::join_all;
    use parking_lot::Mutex;

    use super::*;
    use crate::actors::testing::story;
    use crate::infra::cache::CacheError;

    /// A store that counts its calls, and can be set to fail.
    #[derive(Default)]
    struct Store {
        limits: MemoryLimits,
        batches: Mutex<Vec<usize>>,
        is_out: AtomicBool,
    }

    #[async_trait]
    impl LimitStore for Store {
        async fn take_many(&self, wants: &[Take]) -> Result<Vec<Taken>, CacheError> {
            self.batches.lock().push(wants.len());
            if self.is_out.load(Ordering::Relaxed) {
                return Err(CacheError("gone".to_owned()));
            }
            self.limits.take_many(wants).await
        }

        async fn give_back_many(&self, given: &[Take]) -> Result<(), CacheError> {
            if self.is_out.load(Ordering::Relaxed) {
                return Err(CacheError("gone".to_owned()));
            }
            self.limits.give_back_many(given).await
        }
    }

    fn limits(refunds_per_minute: u32) -> RateLimits {
        let [payments, refunds] = [48_000, refunds_per_minute].map(|figure| NonZeroU32::new(figure).unwrap());
        RateLimits { authorize_per_minute: payments, capture_per_minute: payments, refund_per_minute: refunds }
    }

    async fn limiter<F: Future>(tell: impl FnOnce(Handle<RateLimiter>, Arc<Store>) -> F) -> F::Output {
        limiter_among(1, tell).await
    }

    async fn limiter_among<F: Future>(
        hosts: u32,
        tell: impl FnOnce(Handle<RateLimiter>, Arc<Store>) -> F,
    ) -> F::Output {
        let hosts = NonZeroU32::new(hosts).unwrap();
        let store = Arc::<Store>::default();
        let (given, local) = (store.clone(), Arc::<MemoryLimits>::default());
        let factory = move || RateLimiter::new(given.clone(), local.clone(), limits(3), hosts, Outages::default());
        story(options(), factory, |handle, _| tell(handle, store)).await
    }

    async fn take(limiter: &Handle<RateLimiter>, merchant: &str, operation: PaymentOperation) -> Taken {
        super::take(limiter, merchant, limited(operation)).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn returned_token_can_be_taken_again_with_and_without_the_store() {
        limiter(async |limiter: Handle<RateLimiter>, store: Arc<Store>| {
            for is_out in [false, true] {
                store.is_out.store(is_out, Ordering::Relaxed);
                let taken = join_all((0..4).map(|_| take(&limiter, "MERCHANT-1", PaymentOperation::Refund))).await;
                assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), 3, "out: {is_out}");
                give_back(&limiter, "MERCHANT-1", LimitedAction::Refund);
                let taken = [(); 2].map(|()| take(&limiter, "MERCHANT-1", PaymentOperation::Refund));
                let allowed: Vec<_> = join_all(taken).await.iter().map(|taken| taken.allowed).collect();
                assert_eq!(allowed, [true, false], "out: {is_out}");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_calls_reach_the_store_in_one_call() {
        limiter(async |limiter: Handle<RateLimiter>, store: Arc<Store>| {
            let takes = join_all((0..5).map(|_| take(&limiter, "MERCHANT-1", PaymentOperation::Refund))).await;
            let allowed: Vec<_> = takes.iter().map(|taken| taken.allowed).collect();
            assert_eq!(allowed, [true, true, true, false, false]);
            assert_eq!((takes[0].limit, takes[0].remaining), (3, 2));
            assert!(take(&limiter, "MERCHANT-2", PaymentOperation::Refund).await.allowed);
            assert_eq!(*store.batches.lock(), [5, 1]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn actions_have_their_own_limits_and_voids_share_that_of_captures() {
        limiter(async |limiter: Handle<RateLimiter>, _| {
            for (operation, limit, remaining) in [
                (PaymentOperation::Authorize, 48_000, 47_999),
                (PaymentOperation::Capture, 48_000, 47_999),
                (PaymentOperation::Void, 48_000, 47_998),
                (PaymentOperation::Refund, 3, 2),
            ] {
                let taken = take(&limiter, "MERCHANT-1", operation).await;
                assert_eq!((taken.limit, taken.remaining), (limit, remaining), "{operation:?}");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_counts_locally_while_the_store_is_out() {
        limiter(async |limiter: Handle<RateLimiter>, store: Arc<Store>| {
            store.is_out.store(true, Ordering::Relaxed);
            for allowed in [true, true, true, false] {
                assert_eq!(take(&limiter, "MERCHANT-1", PaymentOperation::Refund).await.allowed, allowed);
            }
            assert_eq!(store.batches.lock().len(), 1);
            store.is_out.store(false, Ordering::Relaxed);
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(take(&limiter, "MERCHANT-1", PaymentOperation::Refund).await.allowed);
            assert_eq!(store.batches.lock().len(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_allows_only_its_hosts_share_while_the_store_is_out() {
        // (hosts, refunds that each allows of 3 a minute)
        for (hosts, share) in [(1, 3), (2, 1), (3, 1), (4, 1)] {
            limiter_among(hosts, async |limiter: Handle<RateLimiter>, store: Arc<Store>| {
                let taken = take(&limiter, "MERCHANT-1", PaymentOperation::Refund).await;
                assert_eq!((taken.limit, taken.remaining), (3, 2), "the store's limit is that of all hosts");
                store.is_out.store(true, Ordering::Relaxed);
                let taken = join_all((0..4).map(|_| take(&limiter, "MERCHANT-1", PaymentOperation::Refund))).await;
                assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), share, "{hosts} hosts");
                assert_eq!(taken[0].limit, share as u32);
            })
            .await;
        }
    }
}
