//! Idempotency cache: layer 1 of idempotency, which answers repeated requests without the database.
//! Receives: lookups and answers to keep.   Sends: nothing; a batch is one read and one write of the cache at most.
//! Durable: nothing; the database is layer 2 and decides.   In memory: nothing of its own.
//! A panic costs the batch in hand: its lookups find nothing. Nothing here fails a payment: see [`find`] and [`keep`].
//! Limit: mailbox and batch as in [`options`]; a cache that fails or takes over 250 ms is left alone for 1 s.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Counter;

use super::answer_text;
pub use super::answer_text::CachedAnswer;
use super::outage::{Outage, Outages};
use crate::domain::key::KeyHash;
use crate::infra::cache::AnswerCache;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, Failure, Handle, Message, Metric, Options, Reply};

/// Looks for the answer of an earlier request. `None` if there is none or the cache fails: ask the database.
pub async fn find(cache: &Handle<IdempotencyCache>, key_hash: KeyHash) -> Option<CachedAnswer> {
    let text = cache.ask(|reply| CacheMessage::Get { key_hash, reply }).await.ok()??;
    answer_text::read(&text)
        .inspect_err(|error| tracing::warn!(idempotency.key_hash = ?key_hash, %error, "cached answer unreadable"))
        .ok()
}

/// Keeps an answer that is durable already, if the cache can.
pub fn keep(cache: &Handle<IdempotencyCache>, key_hash: KeyHash, answer: &CachedAnswer) {
    match answer_text::write(answer) {
        // With a full mailbox a later replay reads the database instead.
        Ok(text) => drop(cache.tell(CacheMessage::Put { key_hash, text: text.into() })),
        Err(error) => tracing::warn!(idempotency.key_hash = ?key_hash, %error, "answer cannot be written as text"),
    }
}

/// The messages of the cache, sent by [`find`] and [`keep`]. Answers travel as text: the many threads of the callers
/// read and write JSON, so that the one thread of the actor need not.
pub enum CacheMessage {
    Get { key_hash: KeyHash, reply: Reply<Option<Arc<str>>> },
    Put { key_hash: KeyHash, text: Arc<str> },
}

impl Message for CacheMessage {
    fn kind(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
        }
    }
}

/// See the file's header.
pub struct IdempotencyCache {
    cache: Arc<dyn AnswerCache>,
    reads: Outage,
    writes: Outage,
    meter: CacheMeter,
}

/// How the cache runs: one batch is one call over the network, so batches are large. A lookup that takes longer than
/// the database would is given up.
pub fn options() -> Options {
    Options::new("idempotency_cache").capacity(8_192).max_batch(512).ask_deadline(Duration::from_millis(500))
}

impl IdempotencyCache {
    pub fn new(cache: Arc<dyn AnswerCache>, outages: Outages) -> Self {
        let outage = |call| Outage::new("answers", call, catalogue::IDEMPOTENCY_CACHE_DEGRADED, outages.clone());
        let (reads, writes) = (outage("get"), outage("put"));
        Self { cache, reads, writes, meter: CacheMeter::default() }
    }

    async fn get(&mut self, key_hashes: Vec<KeyHash>, replies: Vec<Reply<Option<Arc<str>>>>, ctx: &Context) {
        let Some(found) = self.reads.ask(ctx.clock(), self.cache.get_many(&key_hashes)).await else {
            self.meter.errors.add(key_hashes.len() as u64, &[]);
            replies.into_iter().for_each(|reply| reply.send(None));
            return;
        };
        let hits = found.iter().flatten().count();
        self.meter.hits.add(hits as u64, &[]);
        self.meter.misses.add(found.len().saturating_sub(hits) as u64, &[]);
        replies.into_iter().zip(found).for_each(|(reply, text)| reply.send(text));
    }

    async fn put(&mut self, answers: Vec<(KeyHash, Arc<str>)>, ctx: &Context) {
        let count = answers.len() as u64;
        if self.writes.ask(ctx.clock(), self.cache.put_many(answers)).await.is_none() {
            self.meter.errors.add(count, &[]);
        }
    }
}

impl Actor for IdempotencyCache {
    type Message = CacheMessage;

    /// Lookups first, because callers wait for them. A lookup that came after an answer in the same batch may miss it.
    async fn handle(&mut self, batch: Vec<CacheMessage>, ctx: &Context) -> Result<(), Failure> {
        let (mut key_hashes, mut replies, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for message in batch {
            match message {
                CacheMessage::Get { key_hash, reply } => {
                    key_hashes.push(key_hash);
                    replies.push(reply);
                }
                CacheMessage::Put { key_hash, text } => answers.push((key_hash, text)),
            }
        }
        if !key_hashes.is_empty() {
            self.get(key_hashes, replies, ctx).await;
        }
        if !answers.is_empty() {
            self.put(answers, ctx).await;
        }
        Ok(())
    }
}

/// What is measured of the cache.
struct CacheMeter {
    hits: Counter<u64>,
    misses: Counter<u64>,
    errors: Counter<u64>,
}

impl Default for CacheMeter {
    fn default() -> Self {
        let counter = |metric: Metric| metric.to_counter_from_zero([[].as_slice()]);
        Self {
            hits: counter(catalogue::IDEMPOTENCY_CACHE_HITS),
            misses: counter(catalogue::IDEMPOTENCY_CACHE_MISSES),
            errors: counter(catalogue::IDEMPOTENCY_CACHE_ERRORS),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_util::future::join_all;
    use parking_lot::Mutex;

    use super::*;
    use crate::actors::testing::story;
    use crate::domain::Timestamp;
    use crate::domain::key::Fingerprint;
    use crate::domain::outcome::{PaymentOutcome, StoredResponse};
    use crate::domain::payment::Refusal;
    use crate::infra::cache::CacheError;
    use crate::infra::cache::memory::MemoryAnswers;

    fn key_hash(n: u128) -> KeyHash {
        KeyHash(n.to_be_bytes())
    }

    fn answer(request_id: &str) -> CachedAnswer {
        let fingerprint = Fingerprint::of([("request", request_id)]);
        let outcome = PaymentOutcome::Refused { refusal: Refusal::PaymentNotFound };
        let recorded = StoredResponse { outcome, request_id: request_id.to_owned(), kept_until: Some(Timestamp(7)) };
        CachedAnswer { fingerprint, recorded }
    }

    /// Counts calls; fails while it is set to be out.
    struct Cache {
        answers: MemoryAnswers,
        is_out: bool,
        calls: Mutex<Vec<String>>,
    }

    impl Cache {
        fn new(is_out: bool) -> Arc<Self> {
            Arc::new(Self { answers: MemoryAnswers::new(1 << 20), is_out, calls: Mutex::default() })
        }

        fn called(&self, call: String) -> Result<(), CacheError> {
            self.calls.lock().push(call);
            if self.is_out { Err(CacheError("gone".to_owned())) } else { Ok(()) }
        }
    }

    #[async_trait]
    impl AnswerCache for Cache {
        async fn get_many(&self, key_hashes: &[KeyHash]) -> Result<Vec<Option<Arc<str>>>, CacheError> {
            self.called(format!("get {}", key_hashes.len()))?;
            self.answers.get_many(key_hashes).await
        }

        async fn put_many(&self, answers: Vec<(KeyHash, Arc<str>)>) -> Result<(), CacheError> {
            self.called(format!("put {}", answers.len()))?;
            self.answers.put_many(answers).await
        }
    }

    async fn cached<F: Future>(cache: &Arc<Cache>, tell: impl FnOnce(Handle<IdempotencyCache>) -> F) -> F::Output {
        let cache = cache.clone();
        story(options(), move || IdempotencyCache::new(cache.clone(), Outages::default()), |handle, _| tell(handle))
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn kept_answer_is_found() {
        cached(&Cache::new(false), async |cache: Handle<IdempotencyCache>| {
            keep(&cache, key_hash(1), &answer("r-1"));
            // The first lookup may share the answer's batch and miss it; the next one cannot.
            find(&cache, key_hash(1)).await;
            assert_eq!(find(&cache, key_hash(1)).await, Some(answer("r-1")));
            assert_eq!(find(&cache, key_hash(2)).await, None);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn batch_makes_one_read_and_one_write() {
        let store = Cache::new(false);
        cached(&store, async |cache: Handle<IdempotencyCache>| {
            keep(&cache, key_hash(1), &answer("r-1"));
            keep(&cache, key_hash(2), &answer("r-2"));
            join_all((1..=3).map(|n| find(&cache, key_hash(n)))).await;
            let found = join_all((1..=3).map(|n| find(&cache, key_hash(n)))).await;
            assert_eq!(found, [Some(answer("r-1")), Some(answer("r-2")), None]);
            assert_eq!(*store.calls.lock(), ["get 3", "put 2", "get 3"]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn failed_cache_answers_none_at_once() {
        let store = Cache::new(true);
        cached(&store, async |cache: Handle<IdempotencyCache>| {
            let begun = tokio::time::Instant::now();
            keep(&cache, key_hash(1), &answer("r-1"));
            for _ in 0..5 {
                assert_eq!(find(&cache, key_hash(1)).await, None);
            }
            assert_eq!(begun.elapsed(), Duration::ZERO);
            assert_eq!(*store.calls.lock(), ["get 1", "put 1"], "each once in a while");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn unreadable_answer_counts_as_not_found() {
        let store = Cache::new(false);
        store.answers.put_many(vec![(key_hash(1), "{}".into())]).await.unwrap();
        cached(&store, async |cache: Handle<IdempotencyCache>| {
            assert_eq!(find(&cache, key_hash(1)).await, None);
        })
        .await;
    }
}
