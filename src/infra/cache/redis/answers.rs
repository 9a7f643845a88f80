//! Answers on Redis, shared by all hosts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bb8_redis::redis;

use crate::domain::key::KeyHash;
use crate::infra::cache::{ANSWER_TTL, AnswerCache, CacheError};
use crate::infra::redis::RedisPool;

/// An [`AnswerCache`] on Redis. The text is stored as it is, under `a:` and the scope's 16 bytes: of a short
/// text, the key's length is a good part.
pub struct RedisAnswers {
    pool: RedisPool,
    ttl: Duration,
}

impl RedisAnswers {
    /// Keeps each answer for [`ANSWER_TTL`].
    pub fn new(pool: RedisPool) -> Self {
        Self { pool, ttl: ANSWER_TTL }
    }

    fn key(&self, key_hash: &KeyHash) -> Vec<u8> {
        self.pool.key("a", &key_hash.0)
    }
}

#[async_trait]
impl AnswerCache for RedisAnswers {
    async fn get_many(&self, key_hashes: &[KeyHash]) -> Result<Vec<Option<Arc<str>>>, CacheError> {
        if key_hashes.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::pipe();
        command.cmd("MGET");
        key_hashes.iter().for_each(|key_hash| {
            command.arg(self.key(key_hash));
        });
        let (answers,): (Vec<Option<String>>,) = self.pool.call(&command).await?;
        Ok(answers.into_iter().map(|answer| answer.map(Arc::from)).collect())
    }

    async fn put_many(&self, answers: Vec<(KeyHash, Arc<str>)>) -> Result<(), CacheError> {
        if answers.is_empty() {
            return Ok(());
        }
        let ttl_ms = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        let mut commands = redis::pipe();
        for (key_hash, answer) in &answers {
            commands.cmd("SET").arg(self.key(key_hash)).arg(&**answer).arg("PX").arg(ttl_ms).ignore();
        }
        self.pool.call(&commands).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::redis::testing::{RedisServer, eventually};

    fn key_hash(n: u64) -> KeyHash {
        KeyHash(u128::from(n).to_be_bytes())
    }

    #[tokio::test]
    async fn answers_are_returned_in_order_and_lost_after_a_flush() {
        let server = RedisServer::start().await;
        let cache = RedisAnswers::new(server.pool());
        cache.put_many(vec![(key_hash(1), "one".into()), (key_hash(2), "zwei: ü\r\n".into())]).await.unwrap();
        cache.put_many(vec![(key_hash(1), "uno".into())]).await.unwrap();
        cache.put_many(Vec::new()).await.unwrap();
        let found = cache.get_many(&[key_hash(2), key_hash(3), key_hash(1)]).await.unwrap();
        assert_eq!(found, [Some("zwei: ü\r\n".into()), None, Some("uno".into())]);
        assert!(cache.get_many(&[]).await.unwrap().is_empty());
        server.ask::<()>(&["FLUSHALL"]).await.unwrap();
        assert_eq!(cache.get_many(&[key_hash(1)]).await.unwrap(), [None]);
        cache.put_many(vec![(key_hash(1), "again".into())]).await.unwrap();
        assert_eq!(cache.get_many(&[key_hash(1)]).await.unwrap(), [Some("again".into())]);
    }

    #[tokio::test]
    async fn answers_expire() {
        let server = RedisServer::start().await;
        let cache = RedisAnswers::new(server.pool());
        cache.put_many(vec![(key_hash(1), "one".into())]).await.unwrap();
        let keys: Vec<Vec<u8>> = server.ask(&["KEYS", "*"]).await.unwrap();
        assert_eq!(keys, [[b"test:a:".as_slice(), &key_hash(1).0].concat()]);
        let (ttl_ms,): (u64,) = cache.pool.call(redis::pipe().cmd("PTTL").arg(&keys[0])).await.unwrap();
        assert!((ANSWER_TTL.as_millis() - 20_000..=ANSWER_TTL.as_millis()).contains(&u128::from(ttl_ms)), "{ttl_ms}");
        let short = RedisAnswers { ttl: Duration::from_millis(5), ..cache };
        short.put_many(vec![(key_hash(1), "one".into())]).await.unwrap();
        eventually(async || short.get_many(&[key_hash(1)]).await.unwrap()[0].is_none().then_some(())).await;
    }
}
