//! A store that one can do without: asked, but not waited for long, and left alone for a while after it failed.

use std::future::Future;
use std::time::Duration;

use opentelemetry::metrics::Gauge;
use tokio::time::{Instant, timeout};

use crate::infra::cache::CacheError;
use crate::runtime::{Clock, Metric};

/// Longer than any healthy answer over a local network, shorter than what a payer notices.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);
/// How long a store that failed is left alone: one batch a second at most waits in vain.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether a store is out. The change is logged once and shown by a gauge.
pub(super) struct Outage {
    store: &'static str,
    degraded: Gauge<u64>,
    retry_at: Option<Instant>,
}

impl Outage {
    /// A store that is well until shown otherwise. The metric is a gauge: 0 well, 1 out.
    pub(super) fn new(store: &'static str, metric: Metric) -> Self {
        let degraded = metric.to_gauge();
        degraded.record(0, &[]);
        Self { store, degraded, retry_at: None }
    }

    /// The store's answer; `None` if it has none, or was not asked because it failed a moment ago.
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
                    self.degraded.record(0, &[]);
                    tracing::info!(store.name = self.store, "store is back");
                }
                Some(answer)
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    self.degraded.record(1, &[]);
                    tracing::warn!(store.name = self.store, %error, "store is out, going on without it");
                }
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
    async fn a_store_that_failed_is_left_alone_for_a_while() {
        let clock = Clock::simulated(0);
        let mut outage = Outage::new("redis", DEGRADED);
        assert_eq!(outage.ask(&clock, ready(Ok(1))).await, Some(1));
        assert_eq!(outage.ask(&clock, ready(Err::<u8, _>(CacheError("gone".into())))).await, None);
        assert_eq!(outage.ask(&clock, async { unreachable!("not asked") }).await, None::<u8>);
        tokio::time::advance(RETRY_AFTER).await;
        assert_eq!(outage.ask(&clock, ready(Ok(2))).await, Some(2));
        assert_eq!(outage.ask(&clock, ready(Ok(3))).await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_not_waited_for_long() {
        let clock = Clock::simulated(0);
        let mut outage = Outage::new("redis", DEGRADED);
        let begun = clock.instant();
        assert_eq!(outage.ask(&clock, pending::<Result<u8, _>>()).await, None);
        assert_eq!(clock.instant() - begun, ANSWER_WITHIN);
    }
}
