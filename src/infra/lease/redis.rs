//! Leases on Redis, all of a process in one script call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Grant, LeaseAnswer, LeaseStore};
use crate::infra::cache::CacheError;
use crate::infra::redis::RedisPool;

const HOLD: &str = include_str!("hold.lua");
const RELEASE: &str = include_str!("release.lua");
/// How long the store remembers an unused lease. Tokens follow the clock, so nothing depends on it.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A [`LeaseStore`] on Redis.
pub struct RedisLeases(RedisPool);

impl RedisLeases {
    pub fn new(pool: RedisPool) -> Self {
        Self(pool)
    }

    fn keys(&self, names: &[Arc<str>]) -> Vec<Vec<u8>> {
        names.iter().map(|name| self.0.key("lease", name.as_bytes())).collect()
    }
}

#[async_trait]
impl LeaseStore for RedisLeases {
    async fn hold_many(&self, holder: &str, ttl: Duration, names: &[Arc<str>]) -> Result<Vec<LeaseAnswer>, CacheError> {
        let args = [holder.to_owned(), ttl.as_millis().to_string(), KEPT.as_millis().to_string()];
        let answers: Vec<(Option<i64>, String)> = self.0.eval(HOLD, &self.keys(names), &args).await?;
        if answers.len() != names.len() {
            return Err(CacheError(format!("{} answers for {} leases", answers.len(), names.len())));
        }
        let answer = |(token, holder): (Option<i64>, String)| match token {
            Some(token) => LeaseAnswer::Granted(Grant { token }),
            None => LeaseAnswer::HeldBy(holder.into()),
        };
        Ok(answers.into_iter().map(answer).collect())
    }

    async fn release_many(&self, holder: &str, names: &[Arc<str>]) -> Result<(), CacheError> {
        self.0.eval(RELEASE, &self.keys(names), holder).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::infra::redis::testing::{RedisServer, eventually};

    /// So long that it does not end within a test.
    const LONG: Duration = Duration::from_secs(600);

    async fn leases() -> (RedisServer, RedisLeases) {
        let server = RedisServer::start().await;
        let leases = RedisLeases::new(server.pool());
        (server, leases)
    }

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn is_granted(answer: &LeaseAnswer) -> bool {
        matches!(answer, LeaseAnswer::Granted(_))
    }

    async fn hold(leases: &RedisLeases, holder: &str, ttl: Duration) -> Option<i64> {
        match leases.hold_many(holder, ttl, &names(&["a"])).await.unwrap()[0] {
            LeaseAnswer::Granted(grant) => Some(grant.token),
            LeaseAnswer::HeldBy(_) => None,
        }
    }

    async fn now_ms(server: &RedisServer) -> i64 {
        let (secs, micros): (i64, i64) = server.ask(&["TIME"]).await.unwrap();
        secs * 1_000 + micros / 1_000
    }

    #[tokio::test]
    async fn each_lease_has_one_holder() {
        let (_server, leases) = leases().await;
        let first = leases.hold_many("host 1", LONG, &names(&["a", "b"])).await.unwrap();
        assert!(first.iter().all(is_granted));
        let second = leases.hold_many("host 2", LONG, &names(&["b", "c", "a"])).await.unwrap();
        assert_eq!(second.iter().map(is_granted).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(leases.hold_many("host 1", LONG, &names(&["a", "b"])).await.unwrap(), first, "renewed");
        assert!(leases.hold_many("host 1", LONG, &[]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn another_holder_takes_over_when_the_lease_expires() {
        let (_server, leases) = leases().await;
        let ttl = Duration::from_millis(300);
        let begun = Instant::now();
        let first = hold(&leases, "host 1", ttl).await.unwrap();
        let second = eventually(async || hold(&leases, "host 2", LONG).await).await;
        assert!(begun.elapsed() >= ttl - Duration::from_millis(2), "{:?}", begun.elapsed());
        assert!(second > first);
        assert_eq!(hold(&leases, "host 1", ttl).await, None);
    }

    #[tokio::test]
    async fn released_lease_is_free_at_once_and_only_its_holder_releases_it() {
        let (_server, leases) = leases().await;
        let first = hold(&leases, "host 1", LONG).await.unwrap();
        leases.release_many("host 2", &names(&["a", "unknown"])).await.unwrap();
        assert_eq!(hold(&leases, "host 2", LONG).await, None);
        leases.release_many("host 1", &names(&["a"])).await.unwrap();
        assert!(hold(&leases, "host 2", LONG).await.unwrap() > first);
    }

    #[tokio::test]
    async fn tokens_grow_at_every_change_of_holder_and_over_a_flush() {
        let (server, leases) = leases().await;
        let mut last = 0;
        for round in 0..50 {
            let holder = format!("host {}", round % 2);
            let token = hold(&leases, &holder, LONG).await.unwrap();
            assert!(token > last, "round {round}: {token} after {last}");
            assert_eq!(hold(&leases, &holder, LONG).await, Some(token));
            last = token;
            if round % 3 == 0 {
                // Two changes in one millisecond put the token ahead of the time, which must catch up first.
                eventually(async || (now_ms(&server).await > token).then_some(())).await;
                server.ask::<()>(&["FLUSHALL"]).await.unwrap();
            } else {
                leases.release_many(&holder, &names(&["a"])).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_token_is_never_below_the_time() {
        let (server, leases) = leases().await;
        let now_ms = now_ms(&server).await;
        assert!(hold(&leases, "host 1", LONG).await.unwrap() >= now_ms);
    }

    #[tokio::test]
    async fn a_token_ahead_of_the_time_still_grows() {
        let (server, leases) = leases().await;
        server.ask::<()>(&["SET", "test:lease:a", "9000000000000 0 host 1"]).await.unwrap();
        assert_eq!(hold(&leases, "host 2", LONG).await, Some(9_000_000_000_001));
    }
}
