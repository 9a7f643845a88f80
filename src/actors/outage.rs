//! An optional store: it is asked with a short deadline, and left alone for a while after it failed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Gauge;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use crate::infra::cache::CacheError;
use crate::runtime::{Clock, Metric};

/// Longer than any healthy answer over a local network, shorter than what a payer notices.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);
/// How long a store that failed is left alone: at most one batch a second waits in vain.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The stores that are out for this process, by store and call, and why. Clones share it.
#[derive(Clone, Default)]
pub struct Outages(Arc<Mutex<BTreeMap<(&'static str, &'static str), String>>>);

impl Outages {
    /// Each store and call that is out, and the reason.
    pub fn all(&self) -> Vec<(&'static str, &'static str, String)> {
        let known = self.0.lock();
        known.iter().map(|((store, call), why)| (*store, *call, why.clone())).collect()
    }

    /// Why a store is out; none if it is well.
    pub(super) fn why(&self, store: &'static str) -> Option<String> {
        self.0.lock().iter().find(|((of, _), _)| *of == store).map(|(_, why)| why.clone())
    }

    /// Keeps the reason; returns whether any call of the store is out.
    pub(super) fn set(&self, store: &'static str, call: &'static str, why: Option<String>) -> bool {
        let mut known = self.0.lock();
        match why {
            Some(why) => drop(known.insert((store, call), why)),
            None => drop(known.remove(&(store, call))),
        }
        known.keys().any(|(of, _)| *of == store)
    }
}

/// Whether a store is out. The change is logged once and shown by a gauge.
///
/// One kind of call may fail alone: a full Redis answers reads and refuses writes. Each kind has an outage of its own,
/// or the successful reads would end the outage again and again.
pub(super) struct Outage {
    store: &'static str,
    call: &'static str,
    outages: Outages,
    degraded: Gauge<u64>,
    retry_at: Option<Instant>,
}

impl Outage {
    /// A call of a store that counts as healthy until it fails. The metric is a gauge of the store: 0 healthy, 1 out,
    /// whichever call it is.
    pub(super) fn new(store: &'static str, call: &'static str, metric: Metric, outages: Outages) -> Self {
        let mut outage = Self { store, call, outages, degraded: metric.to_gauge(), retry_at: None };
        outage.show(None);
        outage
    }

    fn show(&mut self, why: Option<String>) {
        let is_out = self.outages.set(self.store, self.call, why);
        self.degraded.record(is_out.into(), &[]);
    }

    /// The store's answer; `None` if it fails, or was not asked because it failed a moment ago.
    pub(super) async fn ask<T>(
        &mut self,
        clock: &Clock,
        call: impl Future<Output = Result<T, CacheError>>,
    ) -> Option<T> {
        if self.retry_at.is_some_and(|at| clock.instant() < at) {
            return None;
        }
        let answer = timeout(ANSWER_WITHIN, call).await.unwrap_or_else(|_| Err(CacheError("no answer in time".into())));
        match answer {
            Ok(answer) => {
                if self.retry_at.take().is_some() {
                    self.show(None);
                    tracing::info!(store.name = self.store, store.call = self.call, "store is back");
                }
                Some(answer)
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    let (name, call) = (self.store, self.call);
                    tracing::warn!(store.name = name, store.call = call, %error, "store is out, going on without it");
                }
                self.show(Some(error.0));
                self.retry_at = Some(clock.instant() + RETRY_AFTER);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const DEGRADED: Metric = Metric::gauge("test_degraded", &[], "1 while the store is out");

    #[tokio::test(start_paused = true)]
    async fn failed_store_is_not_asked_for_a_while() {
        let clock = Clock::simulated(0);
        let mut outage = Outage::new("redis", "get", DEGRADED, Outages::default());
        assert_eq!(outage.ask(&clock, ready(Ok(1))).await, Some(1));
        assert_eq!(outage.ask(&clock, ready(Err::<u8, _>(CacheError("gone".into())))).await, None);
        assert_eq!(outage.ask(&clock, async { unreachable!("not asked") }).await, None::<u8>);
        tokio::time::advance(RETRY_AFTER).await;
        assert_eq!(outage.ask(&clock, ready(Ok(2))).await, Some(2));
        assert_eq!(outage.ask(&clock, ready(Ok(3))).await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_store_is_given_up_after_the_deadline() {
        let clock = Clock::simulated(0);
        let mut outage = Outage::new("redis", "get", DEGRADED, Outages::default());
        let begun = clock.instant();
        assert_eq!(outage.ask(&clock, pending::<Result<u8, _>>()).await, None);
        assert_eq!(clock.instant() - begun, ANSWER_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn store_that_refuses_writes_is_out_until_a_write_succeeds() {
        let (clock, outages) = (Clock::simulated(0), Outages::default());
        let outage = |call| Outage::new("answers", call, DEGRADED, outages.clone());
        let (mut reads, mut writes) = (outage("get"), outage("put"));
        for _ in 0..3 {
            assert_eq!(writes.ask(&clock, ready(Err::<u8, _>(CacheError("OOM".into())))).await, None);
            assert_eq!(reads.ask(&clock, ready(Ok(1))).await, Some(1));
            assert_eq!(outages.all(), [("answers", "put", "OOM".to_owned())]);
            tokio::time::advance(RETRY_AFTER).await;
        }
        assert_eq!(writes.ask(&clock, ready(Ok(1))).await, Some(1));
        assert_eq!(outages.all(), []);
    }
}
