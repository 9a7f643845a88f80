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
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::{CacheError, LimitStore, LimitedAction, Take, Taken};

/// Wishes between two clean-ups, each of which forgets the merchants whose buckets are full again: it bounds what
/// unknown merchants can cost, and is rare enough not to be felt.
const CLEAN_UP_EVERY: u64 = 65_536;

type Limiter = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, TokioClock, StateInformationMiddleware>;

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
    /// By action and rate, of which the configuration has few.
    limiters: RwLock<HashMap<(LimitedAction, NonZeroU32), Arc<Limiter>>>,
    taken: AtomicU64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { clock: TokioClock { origin: Instant::now() }, limiters: RwLock::default(), taken: AtomicU64::default() }
    }
}

impl MemoryLimits {
    fn limiter(&self, action: LimitedAction, per_minute: NonZeroU32) -> Arc<Limiter> {
        if let Some(limiter) = self.limiters.read().get(&(action, per_minute)) {
            return limiter.clone();
        }
        let store = DashMapStateStore::default();
        let limiter = || Arc::new(RateLimiter::new(Quota::per_minute(per_minute), store, self.clock));
        self.limiters.write().entry((action, per_minute)).or_insert_with(limiter).clone()
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
        for limiter in self.limiters.read().values() {
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
}

#[cfg(test)]
mod tests {
    use super::LimitedAction::{Authorize, Capture, Refund};
    use super::*;

    fn want(merchant: &str, action: LimitedAction, per_minute: u32) -> Take {
        Take { merchant: merchant.into(), action, per_minute: NonZeroU32::new(per_minute).unwrap() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills() {
        let limits = MemoryLimits::default();
        let secs = Duration::from_secs;
        // 3 a minute: one more every 20 s. (wait before the wish, allowed, remaining, reset)
        for (i, (wait, allowed, remaining, reset)) in [
            (0, true, 2, 20),
            (0, true, 1, 40),
            (0, true, 0, 60),
            (0, false, 0, 20),
            (5, false, 0, 15),
            (15, true, 0, 60),
            (40, true, 1, 40),
            (600, true, 2, 20),
        ]
        .into_iter()
        .enumerate()
        {
            tokio::time::advance(secs(wait)).await;
            let taken = limits.take_many(&[want("MERCHANT-1", Refund, 3)]).await.unwrap();
            assert_eq!(taken, [Taken { allowed, limit: 3, remaining, reset: secs(reset) }], "step {i}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn merchants_and_actions_do_not_share() {
        let limits = MemoryLimits::default();
        let wants = [
            want("MERCHANT-1", Authorize, 1),
            want("MERCHANT-1", Authorize, 1),
            want("MERCHANT-2", Authorize, 1),
            want("MERCHANT-1", Capture, 1),
            want("MERCHANT-1", Refund, 2),
            want("MERCHANT-1", Refund, 2),
        ];
        let taken = limits.take_many(&wants).await.unwrap();
        let allowed: Vec<_> = taken.iter().map(|taken| taken.allowed).collect();
        assert_eq!(allowed, [true, false, true, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_real_limits_hold_to_the_last() {
        let limits = MemoryLimits::default();
        for (action, per_minute) in [(Authorize, 48_000), (Capture, 48_000), (Refund, 30_000)] {
            let wants = vec![want("MERCHANT-1", action, per_minute); per_minute as usize + 1];
            let taken = limits.take_many(&wants).await.unwrap();
            assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), per_minute as usize);
            assert_eq!(taken[0].remaining, per_minute - 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn merchants_with_full_buckets_are_forgotten() {
        let limits = MemoryLimits::default();
        for n in 0..CLEAN_UP_EVERY - 1 {
            limits.take_many(&[want(&format!("MERCHANT-{n}"), Authorize, 60)]).await.unwrap();
        }
        let known = || limits.limiters.read().values().map(|limiter| limiter.len()).sum::<usize>();
        assert_eq!(known() as u64, CLEAN_UP_EVERY - 1);
        tokio::time::advance(Duration::from_secs(60)).await;
        limits.take_many(&[want("MERCHANT-1", Authorize, 60)]).await.unwrap();
        assert_eq!(known(), 1);
    }
}
