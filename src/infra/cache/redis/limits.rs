//! Limits counted by Redis, for all hosts together. Numbers and meaning are those of `MemoryLimits`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use crate::infra::cache::{CacheError, LimitStore, LimitedAction, Take, Taken};
use crate::infra::redis::RedisPool;

const TAKE: &str = include_str!("take.lua");
const GIVE_BACK: &str = include_str!("give_back.lua");
const MINUTE: Duration = Duration::from_secs(60);

/// A [`LimitStore`] on Redis: one script call for a whole batch, at Redis's own time.
pub struct RedisLimits(RedisPool);

impl RedisLimits {
    pub fn new(pool: RedisPool) -> Self {
        Self(pool)
    }

    /// Buckets of different rates are different buckets: a limit that is changed starts full.
    fn key(&self, want: &Take) -> Vec<u8> {
        let action = match want.action {
            LimitedAction::Authorize => "authorize",
            LimitedAction::Capture => "capture",
            LimitedAction::Refund => "refund",
        };
        self.0.key("limit", format!("{action}:{}:{}", want.per_minute, want.merchant).as_bytes())
    }
}

/// One bucket's part in a batch.
struct Bucket {
    limit: u32,
    wanted: u32,
    /// Tokens that are left for the takes not yet answered.
    left: u32,
    one_more_in: Duration,
}

impl Bucket {
    fn take(&mut self) -> Taken {
        let limit = self.limit;
        let Some(remaining) = self.left.checked_sub(1) else {
            return Taken { allowed: false, limit, remaining: 0, reset: self.one_more_in };
        };
        self.left = remaining;
        let reset = (MINUTE / limit).saturating_mul(limit.saturating_sub(remaining));
        Taken { allowed: true, limit, remaining, reset }
    }
}

#[async_trait]
impl LimitStore for RedisLimits {
    async fn take_many(&self, wants: &[Take]) -> Result<Vec<Taken>, CacheError> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let mut places = HashMap::new();
        let mut keys = Vec::new();
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut bucket_of = Vec::with_capacity(wants.len());
        for want in wants {
            let place = *places.entry((&*want.merchant, want.action, want.per_minute)).or_insert_with(|| {
                keys.push(self.key(want));
                buckets.push(Bucket { limit: want.per_minute.get(), wanted: 0, left: 0, one_more_in: Duration::ZERO });
                buckets.len() - 1
            });
            buckets[place].wanted = buckets[place].wanted.saturating_add(1);
            bucket_of.push(place);
        }
        let args: Vec<u32> = buckets.iter().flat_map(|bucket| [bucket.limit, bucket.wanted]).collect();
        let answers: Vec<u64> = self.0.eval(TAKE, &keys, args).await?;
        if answers.len() != 2 * buckets.len() {
            return Err(CacheError(format!("{} numbers for {} buckets", answers.len(), buckets.len())));
        }
        for (bucket, answer) in buckets.iter_mut().zip(answers.chunks_exact(2)) {
            bucket.left = u32::try_from(answer[0]).unwrap_or(bucket.limit);
            bucket.one_more_in = Duration::from_micros(answer[1]);
        }
        Ok(bucket_of.into_iter().map(|place| buckets[place].take()).collect())
    }

    async fn give_back_many(&self, given: &[Take]) -> Result<(), CacheError> {
        if given.is_empty() {
            return Ok(());
        }
        let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        for one in given {
            let count = counts.entry(self.key(one)).or_default();
            *count = count.saturating_add(1);
        }
        let (keys, args): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
        let _: Vec<u64> = self.0.eval(GIVE_BACK, &keys, args).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::infra::cache::limit_cases::{self, want};
    use crate::infra::redis::testing::RedisServer;

    /// The time that may pass between two calls unintentionally.
    const SLACK: Duration = Duration::from_secs(4);

    async fn server() -> (Arc<RedisServer>, RedisLimits) {
        let server = RedisServer::start().await;
        let limits = RedisLimits::new(server.pool());
        (Arc::new(server), limits)
    }

    /// Moves every bucket into the past, as if this time had passed.
    async fn pass(server: &RedisServer, time: Duration) {
        let age = "for _, key in ipairs(redis.call('KEYS', '*')) do
            local lacks, since = string.match(redis.call('GET', key), '^(%d+) (%d+)$')
            local left = redis.call('PTTL', key) - ARGV[1] / 1000
            if left <= 0 then redis.call('DEL', key) else
                redis.call('SET', key, string.format('%s %.0f', lacks, since - ARGV[1]), 'PX', math.ceil(left))
            end
        end";
        server.ask::<()>(&["EVAL", age, "0", &time.as_micros().to_string()]).await.unwrap();
    }

    #[tokio::test]
    async fn a_bucket_empties_and_fills() {
        let (server, limits) = server().await;
        limit_cases::a_bucket_empties_and_fills(&limits, async |time| pass(&server, time).await, SLACK).await;
    }

    #[tokio::test]
    async fn returned_token_can_be_taken_again() {
        limit_cases::returned_token_can_be_taken_again(&server().await.1).await;
    }

    #[tokio::test]
    async fn merchants_and_actions_have_separate_buckets() {
        limit_cases::merchants_and_actions_have_separate_buckets(&server().await.1).await;
    }

    #[tokio::test]
    async fn default_limits_are_exact() {
        limit_cases::default_limits_are_exact(&server().await.1).await;
    }

    #[tokio::test]
    async fn bucket_refills_one_token_every_fraction_of_the_minute() {
        let (server, limits) = server().await;
        // Neither divides a minute into whole microseconds.
        for per_minute in [7, 48_001] {
            let wants = vec![want("MERCHANT-1", LimitedAction::Authorize, per_minute); per_minute as usize + 1];
            let taken = limits.take_many(&wants).await.unwrap();
            assert!(taken[per_minute as usize - 1].allowed);
            let one = Duration::from_micros(60_000_000_u64.div_ceil(u64::from(per_minute)));
            assert_eq!(taken.last().unwrap().reset, one);
            let minute = Duration::from_secs(60);
            pass(&server, minute - SLACK).await;
            let allowed = limits.take_many(&wants).await.unwrap().iter().filter(|taken| taken.allowed).count() as f64;
            let least = f64::from(per_minute) * (minute - SLACK).as_secs_f64() / minute.as_secs_f64();
            assert!((least.floor()..=f64::from(per_minute)).contains(&allowed), "{allowed} of {per_minute}");
        }
    }

    #[tokio::test]
    async fn a_bucket_is_forgotten_when_it_is_full() {
        let (server, limits) = server().await;
        limits.take_many(&vec![want("MERCHANT-1", LimitedAction::Refund, 3); 2]).await.unwrap();
        let ttl_ms: u64 = server.ask(&["PTTL", "test:limit:refund:3:MERCHANT-1"]).await.unwrap();
        assert!((40_000 - SLACK.as_millis() as u64..=40_000).contains(&ttl_ms), "{ttl_ms}");
    }

    #[tokio::test]
    async fn limiter_continues_after_redis_lost_its_scripts_or_data() {
        let (server, limits) = server().await;
        let wants = vec![want("MERCHANT-1", LimitedAction::Refund, 1); 2];
        let allowed = async || {
            let taken = limits.take_many(&wants).await.unwrap();
            taken.iter().map(|taken| taken.allowed).collect::<Vec<_>>()
        };
        assert_eq!(allowed().await, [true, false]);
        server.ask::<()>(&["SCRIPT", "FLUSH"]).await.unwrap();
        assert_eq!(allowed().await, [false, false]);
        server.ask::<()>(&["FLUSHALL"]).await.unwrap();
        assert_eq!(allowed().await, [true, false]);
        server.ask::<()>(&["SET", "test:limit:refund:1:MERCHANT-1", "rubbish"]).await.unwrap();
        assert_eq!(allowed().await, [true, false]);
    }

    #[tokio::test]
    async fn empty_batch_makes_no_call() {
        assert_eq!(RedisLimits::new(RedisServer::start().await.pool()).take_many(&[]).await.unwrap(), []);
    }
}
