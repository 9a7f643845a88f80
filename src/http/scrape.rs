//! The text of the metrics. It takes milliseconds to write, so it is written on a thread of its own, once for all who
//! wait for it: however many ask, requests that move money are served beside it.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::web::{self, Bytes};
use tokio::sync::Mutex;

use crate::infra::telemetry::{self, TelemetryError};

/// The metrics of the process.
pub struct Metrics {
    registry: prometheus::Registry,
    /// Texts that were begun.
    begun: AtomicU64,
    /// The text that was written last, and its number. Locked while the next one is written.
    last: Mutex<(u64, Bytes)>,
}

impl Metrics {
    pub fn new(registry: prometheus::Registry) -> Self {
        Self { registry, begun: AtomicU64::new(0), last: Mutex::default() }
    }

    /// All of them, none older than the call.
    ///
    /// # Errors
    /// Why they cannot be written.
    pub async fn text(&self) -> Result<Bytes, TelemetryError> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        // Others have waited, too, and one of them has had it written meanwhile.
        if last.0 > begun {
            return Ok(last.1.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let registry = self.registry.clone();
        let text = web::block(move || telemetry::text(&registry)).await;
        let text = text.map_err(|_| TelemetryError::gone())??;
        *last = (number, text.into());
        Ok(last.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use prometheus::IntCounter;
    use prometheus::core::{Collector, Desc};
    use prometheus::proto::MetricFamily;

    use super::*;

    /// Counts how often it is read.
    struct Reads(IntCounter);

    impl Collector for Reads {
        fn desc(&self) -> Vec<&Desc> {
            self.0.desc()
        }

        fn collect(&self) -> Vec<MetricFamily> {
            self.0.inc();
            self.0.collect()
        }
    }

    #[tokio::test]
    async fn who_waits_gets_one_text_that_is_no_older_than_the_question() {
        let registry = prometheus::Registry::new();
        let reads = IntCounter::new("reads", "Reads").unwrap();
        registry.register(Box::new(Reads(reads.clone()))).unwrap();
        let metrics = Metrics::new(registry);
        let texts = join_all((0..100).map(|_| metrics.text())).await;
        // The first one's was begun before the others were asked for, as far as it knows.
        assert!(reads.get() <= 2, "{}", reads.get());
        assert!(texts.iter().all(|text| text.as_ref().unwrap().starts_with(b"# HELP reads")));
        let before = reads.get();
        let text = metrics.text().await.unwrap();
        assert_eq!(reads.get(), before + 1, "a later question is answered anew");
        assert!(String::from_utf8_lossy(&text).ends_with(&format!("reads {}\n", before + 1)));
    }
}
