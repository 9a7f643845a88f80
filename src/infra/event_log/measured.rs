//! A log whose appends are measured.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use opentelemetry::metrics::Counter;

use super::{Appended, Consumer, EventLog, EventLogError, Nudge, Record};
use crate::infra::telemetry::catalogue;
use crate::runtime::DurationHistogram;

/// See the module.
pub struct Measured {
    log: Arc<dyn EventLog>,
    produced: DurationHistogram,
    errors: Counter<u64>,
}

impl Measured {
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            produced: catalogue::EVENT_LOG_PRODUCE.to_duration_histogram(),
            errors: catalogue::EVENT_LOG_PRODUCE_ERRORS.to_counter_from_zero([[].as_slice()]),
        }
    }
}

#[async_trait]
impl EventLog for Measured {
    fn system(&self) -> &'static str {
        self.log.system()
    }

    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        let begun = Instant::now();
        let appended = self.log.append(records).await;
        match &appended {
            Ok(_) => self.produced.record(begun.elapsed(), &[]),
            Err(_) => self.errors.add(1, &[]),
        }
        appended
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        self.log.consumer(group, topic, partition).await
    }

    fn on_append(&self, topic: &str, partition: u32, nudge: Nudge) -> Result<(), EventLogError> {
        self.log.on_append(topic, partition, nudge)
    }
}
