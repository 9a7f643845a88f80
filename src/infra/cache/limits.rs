//! Limits counted in this process, by GCRA (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>), the token
//! bucket that needs one number per key.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::{CacheError, LimitStore, LimitedAction, Take, Taken};

/// How many takes there are between two clean-ups, each of which forgets the merchants whose buckets are full again. It
/// bounds the memory that unknown merchants can use, and is rare enough to cost little.
const CLEAN_UP_EVERY: u64 = 65_536;

type Limiter = RateLimiter<Arc<str>, Buckets, TokioClock, StateInformationMiddleware>;

/// The buckets of a limiter, shared by its takes and returns: each is the time at which it is full.
#[derive(Debug, Clone, Default)]
struct Buckets(Arc<DashMapStateStore<Arc<str>>>);

impl StateStore for Buckets {
    type Key = Arc<str>;

    fn measure_and_replace<T, F, E>(&self, key: &Arc<str>, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl ShrinkableKeyedStateStore<Arc<str>> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        ShrinkableKeyedStateStore::retain_recent(&*self.0, drop_below);
    }

    fn shrink_to_fit(&self) {
        ShrinkableKeyedStateStore::shrink_to_fit(&*self.0);
    }

    fn len(&self) -> usize {
        ShrinkableKeyedStateStore::len(&*self.0)
    }

    fn is_empty(&self) -> bool {
        ShrinkableKeyedStateStore::is_empty(&*self.0)
    }
}

/// A limiter and its buckets.
type Limited = (Arc<Limiter>, Buckets);

/// Tokio's monotonic time, real or paused.
#[derive(Debug, Clone, Copy)]
struct TokioClock {
    origin: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

/// A [`LimitStore`] in memory.
pub struct MemoryLimits {
    clock: TokioClock,
    /// By action and rate; the configuration has few of these.
    limiters: RwLock<HashMap<(LimitedAction, NonZeroU32), Limited>>,
    taken: AtomicU64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { clock: TokioClock { origin: Instant::now() }, limiters: RwLock::default(), taken: AtomicU64::default() }
    }
}

impl MemoryLimits {
    fn limiter(&self, action: LimitedAction, per_minute: NonZeroU32) -> Arc<Limiter> {
        if let Some((limiter, _)) = self.limiters.read().get(&(action, per_minute)) {
            return limiter.clone();
        }
        let limiter = || {
            let buckets = Buckets::default();
            (Arc::new(RateLimiter::new(Quota::per_minute(per_minute), buckets.clone(), self.clock)), buckets)
        };
        self.limiters.write().entry((action, per_minute)).or_insert_with(limiter).0.clone()
    }

    /// A returned token makes its bucket full so much sooner.
    fn give_back(&self, given: &Take) {
        let limiters = self.limiters.read();
        let Some((_, buckets)) = limiters.get(&(given.action, given.per_minute)) else { return };
        if !buckets.0.contains_key(&given.merchant) {
            return;
        }
        let one: Nanos = Quota::per_minute(given.per_minute).replenish_interval().into();
        let sooner = |full_at: Option<Nanos>| match full_at {
            Some(full_at) => Ok(((), full_at.saturating_sub(one))),
            None => Err(()),
        };
        // A bucket from which nothing was taken is full already.
        let _ = buckets.measure_and_replace(&given.merchant, sooner);
    }

    fn take(&self, want: &Take) -> Taken {
        let limit = want.per_minute.get();
        match self.limiter(want.action, want.per_minute).check_key(&want.merchant) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = state.quota().replenish_interval().saturating_mul(limit.saturating_sub(remaining));
                Taken { allowed: true, limit, remaining, reset }
            }
            Err(until) => {
                let reset = until.wait_time_from(self.clock.now());
                Taken { allowed: false, limit, remaining: 0, reset }
            }
        }
    }

    fn clean_up(&self) {
        for (limiter, _) in self.limiters.read().values() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[async_trait]
impl LimitStore for MemoryLimits {
    async fn take_many(&self, wants: &[Take]) -> Result<Vec<Taken>, CacheError> {
        let taken = wants.iter().map(|want| self.take(want)).collect();
        let more = wants.len() as u64;
        let before = self.taken.fetch_add(more, Ordering::Relaxed);
        if before / CLEAN_UP_EVERY != before.wrapping_add(more) / CLEAN_UP_EVERY {
            self.clean_up();
        }
        Ok(taken)
    }

    async fn give_back_many(&self, given: &[Take]) -> Result<(), CacheError> {
        given.iter().for_each(|one| self.give_back(one));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::cache::limit_cases::{self, want};

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills() {
        let limits = MemoryLimits::default();
        limit_cases::a_bucket_empties_and_fills(&limits, tokio::time::advance, Duration::ZERO).await;
    }

    #[tokio::test(start_paused = true)]
    async fn returned_token_can_be_taken_again() {
        limit_cases::returned_token_can_be_taken_again(&MemoryLimits::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn merchants_and_actions_have_separate_buckets() {
        limit_cases::merchants_and_actions_have_separate_buckets(&MemoryLimits::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn default_limits_are_exact() {
        limit_cases::default_limits_are_exact(&MemoryLimits::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn merchants_with_full_buckets_are_forgotten() {
        let limits = MemoryLimits::default();
        for n in 0..CLEAN_UP_EVERY - 1 {
            limits.take_many(&[want(&format!("MERCHANT-{n}"), LimitedAction::Authorize, 60)]).await.unwrap();
        }
        let known = || limits.limiters.read().values().map(|(limiter, _)| limiter.len()).sum::<usize>();
        assert_eq!(known() as u64, CLEAN_UP_EVERY - 1);
        tokio::time::advance(Duration::from_secs(60)).await;
        limits.take_many(&[want("MERCHANT-1", LimitedAction::Authorize, 60)]).await.unwrap();
        assert_eq!(known(), 1);
    }
}
