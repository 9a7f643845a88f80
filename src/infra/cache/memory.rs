//! Answers kept in this process, bounded in bytes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;

use super::{ANSWER_TTL, AnswerCache, CacheError};
use crate::domain::key::KeyHash;

/// What an entry takes besides its text: scope, pointers, and the cache's own nodes.
const ENTRY_BYTES: usize = 256;

/// An [`AnswerCache`] in memory. When it is full, what is rarely asked for goes first.
pub struct MemoryAnswers(Cache<KeyHash, Arc<str>>);

impl MemoryAnswers {
    /// Keeps at most about `size_max_bytes`, each answer for [`ANSWER_TTL`].
    pub fn new(size_max_bytes: u64) -> Self {
        Self::with_ttl(size_max_bytes, ANSWER_TTL)
    }

    fn with_ttl(size_max_bytes: u64, ttl: Duration) -> Self {
        let weigh = |_: &KeyHash, answer: &Arc<str>| {
            u32::try_from(answer.len().saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(size_max_bytes).weigher(weigh).time_to_live(ttl).build())
    }
}

#[async_trait]
impl AnswerCache for MemoryAnswers {
    async fn get_many(&self, key_hashes: &[KeyHash]) -> Result<Vec<Option<Arc<str>>>, CacheError> {
        Ok(key_hashes.iter().map(|key_hash| self.0.get(key_hash)).collect())
    }

    async fn put_many(&self, answers: Vec<(KeyHash, Arc<str>)>) -> Result<(), CacheError> {
        answers.into_iter().for_each(|(key_hash, answer)| self.0.insert(key_hash, answer));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_hash(n: u64) -> KeyHash {
        KeyHash(u128::from(n).to_be_bytes())
    }

    #[tokio::test]
    async fn answers_are_returned_in_the_order_of_the_keys() {
        let cache = MemoryAnswers::new(100 * 1024);
        cache.put_many(vec![(key_hash(1), "one".into()), (key_hash(2), "two".into())]).await.unwrap();
        cache.put_many(vec![(key_hash(1), "uno".into())]).await.unwrap();
        let found = cache.get_many(&[key_hash(2), key_hash(3), key_hash(1)]).await.unwrap();
        assert_eq!(found, [Some("two".into()), None, Some("uno".into())]);
        assert!(cache.get_many(&[]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn answers_expire() {
        let cache = MemoryAnswers::with_ttl(100 * 1024, Duration::from_millis(5));
        cache.put_many(vec![(key_hash(1), "one".into())]).await.unwrap();
        while cache.get_many(&[key_hash(1)]).await.unwrap()[0].is_some() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn cache_size_is_bounded_in_bytes() {
        let cache = MemoryAnswers::new(100 * 1024);
        let answer: Arc<str> = "x".repeat(1024).into();
        for n in 0..1_000 {
            cache.put_many(vec![(key_hash(n), answer.clone())]).await.unwrap();
        }
        cache.0.run_pending_tasks();
        assert!(cache.0.weighted_size() <= 100 * 1024);
        assert!((1..100).contains(&cache.0.entry_count()));
    }
}
