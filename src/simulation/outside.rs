//! The PSP, the caches and what else is outside, in memory; the PSP's books outlive the processes that ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::domain::key::KeyHash;
use crate::domain::psp::PspKey;
use crate::infra::cache::{AnswerCache, CacheError, LimitStore, Take, Taken};
use crate::infra::psp::{Psp, PspAnswer, PspError, PspOperation};
use crate::infra::testing::{FaultDecision, FaultPlan, dead};
use crate::runtime::Chance;

/// What the PSP has decided, by key.
pub type Decided = BTreeMap<String, (PspOperation, PspAnswer)>;

pub type Books = Arc<Mutex<Decided>>;

/// The PSP as one process reaches it. Amounts that end in 7 are declined, first captures of amounts that end in 3 too.
pub struct MemoryPsp {
    pub books: Books,
    pub fate: Arc<dyn FaultPlan>,
    pub chance: Chance,
}

/// How long a request may be on its way: longer than anybody waits for it, and less than the resolver waits before its
/// second question, after which a key that the PSP does not know counts as never sent.
const WAY_MAX: Duration = Duration::from_millis(2_000);

fn decide(books: &Books, operation: PspOperation) -> PspAnswer {
    let mut books = books.lock();
    let decided = match operation.money.minor % 10 {
        7 => PspAnswer::Declined { reason: "card_declined".to_owned() },
        3 if operation.key == PspKey::capture(operation.payment_id, 1) => {
            PspAnswer::Declined { reason: "not_now".to_owned() }
        }
        _ => PspAnswer::Approved { reference: format!("psp_{}", books.len()), money: operation.money },
    };
    books.entry(operation.key.0.clone()).or_insert((operation, decided)).1.clone()
}

#[async_trait]
impl Psp for MemoryPsp {
    async fn perform(&self, operation: &PspOperation) -> Result<PspAnswer, PspError> {
        let fated = self.fate.of("psp").await;
        if fated == FaultDecision::FailBefore {
            return Err(PspError::NotSent("fate".to_owned()));
        }
        // What is on its way arrives, also when nobody waits for it any more.
        let way = if self.chance.permille(30) { self.chance.jitter(WAY_MAX) } else { Duration::ZERO };
        let (books, operation) = (self.books.clone(), operation.clone());
        let arrival = tokio::task::spawn_local(async move {
            tokio::time::sleep(way).await;
            decide(&books, operation)
        });
        let answer = arrival.await.map_err(|error| PspError::Unknown(error.to_string()))?;
        match fated {
            FaultDecision::Well => Ok(answer),
            FaultDecision::DieAfter => dead().await,
            _ => Err(PspError::Unknown("fate".to_owned())),
        }
    }

    async fn lookup(&self, key: &PspKey) -> Result<Option<PspAnswer>, PspError> {
        match self.fate.of("lookup").await {
            FaultDecision::Well => Ok(self.books.lock().get(&key.0).map(|(_, answer)| answer.clone())),
            FaultDecision::DieAfter => dead().await,
            _ => Err(PspError::Unknown("fate".to_owned())),
        }
    }
}

/// A cache that forgets.
pub struct MemoryCache {
    pub answers: Arc<Mutex<BTreeMap<KeyHash, Arc<str>>>>,
    pub fate: Arc<dyn FaultPlan>,
}

#[async_trait]
impl AnswerCache for MemoryCache {
    async fn get_many(&self, key_hashes: &[KeyHash]) -> Result<Vec<Option<Arc<str>>>, CacheError> {
        match self.fate.of("cache").await {
            FaultDecision::Well => {
                let answers = self.answers.lock();
                Ok(key_hashes.iter().map(|key_hash| answers.get(key_hash).cloned()).collect())
            }
            FaultDecision::FailAfter => {
                self.answers.lock().clear();
                Ok(vec![None; key_hashes.len()])
            }
            _ => Err(CacheError("fate".to_owned())),
        }
    }

    async fn put_many(&self, answers: Vec<(KeyHash, Arc<str>)>) -> Result<(), CacheError> {
        if self.fate.of("cache").await == FaultDecision::Well {
            self.answers.lock().extend(answers);
        }
        Ok(())
    }
}

/// Limits nobody.
pub struct NoLimits;

#[async_trait]
impl LimitStore for NoLimits {
    async fn take_many(&self, wants: &[Take]) -> Result<Vec<Taken>, CacheError> {
        let taken = |want: &Take| {
            let limit = want.per_minute.get();
            Taken { allowed: true, limit, remaining: limit, reset: Duration::ZERO }
        };
        Ok(wants.iter().map(taken).collect())
    }

    async fn give_back_many(&self, _: &[Take]) -> Result<(), CacheError> {
        Ok(())
    }
}
