//! What a Redis does when its memory is full. One that evicts nothing refuses writes: then answers are not cached and
//! each host has limits of its own, as if Redis were down.

use std::time::Duration;

use bb8_redis::redis;

use super::RedisPool;
use crate::infra::cache::CacheError;

/// How long to wait before a Redis that does not answer is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How a Redis is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// 0: no limit.
    pub max_bytes: u64,
    /// `maxmemory-policy`.
    pub policy: String,
}

impl Memory {
    /// Asks with `INFO`, which is allowed where `CONFIG` is not.
    ///
    /// # Errors
    /// When there is no answer with these settings.
    pub async fn of(pool: &RedisPool) -> Result<Self, CacheError> {
        let (info,): (String,) = pool.call(redis::pipe().cmd("INFO").arg("memory")).await?;
        let line = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.map(str::trim).ok_or_else(|| CacheError(format!("INFO memory says no {name}")))
        };
        let max_bytes = line("maxmemory")?.parse().map_err(|_| CacheError("maxmemory is no number".to_owned()))?;
        Ok(Self { max_bytes, policy: line("maxmemory_policy")?.to_owned() })
    }

    /// Whether it refuses writes once it is full.
    pub fn refuses_when_full(&self) -> bool {
        self.max_bytes > 0 && self.policy == "noeviction"
    }
}

/// Warns of a Redis that refuses writes when it is full, as soon as it answers.
pub async fn warn_of_noeviction(pool: RedisPool) {
    loop {
        match Memory::of(&pool).await {
            Ok(memory) if memory.refuses_when_full() => {
                let max_bytes = memory.max_bytes;
                tracing::warn!(
                    redis.maxmemory = max_bytes,
                    "Redis has maxmemory-policy noeviction: once it is full, answers are not cached and limits are \
                     local; set allkeys-lru"
                );
                return;
            }
            Ok(_) => return,
            Err(_) => tokio::time::sleep(ASK_AGAIN_AFTER).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::redis::testing::RedisServer;

    #[tokio::test]
    async fn bounded_redis_without_eviction_is_detected() {
        let server = RedisServer::start().await;
        let set = async |name: &str, value: &str| server.ask::<()>(&["CONFIG", "SET", name, value]).await.unwrap();
        let pool = server.pool();
        assert!(!Memory::of(&pool).await.unwrap().refuses_when_full(), "unbounded");
        set("maxmemory", "64mb").await;
        let memory = Memory::of(&pool).await.unwrap();
        assert_eq!(memory, Memory { max_bytes: 64 << 20, policy: "noeviction".to_owned() });
        assert!(memory.refuses_when_full());
        set("maxmemory-policy", "allkeys-lru").await;
        assert!(!Memory::of(&pool).await.unwrap().refuses_when_full());
    }
}
