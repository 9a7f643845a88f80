//! The event log in memory, with word to those who wait for its records: the simulation's workers poll.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::infra::event_log::{Appended, Consumer, EventLog, EventLogError, Nudge, Record};

/// See the module.
pub struct NudgingLog {
    log: Arc<dyn EventLog>,
    /// By topic; those of other partitions are woken for nothing.
    waiting: Mutex<Vec<(String, Nudge)>>,
}

impl NudgingLog {
    pub fn over(log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Self { log, waiting: Mutex::default() })
    }
}

#[async_trait]
impl EventLog for NudgingLog {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        let topics: Vec<_> = records.iter().map(|record| record.topic).collect();
        let appended = self.log.append(records).await?;
        let waiting = self.waiting.lock();
        waiting.iter().filter(|(topic, _)| topics.contains(&topic.as_str())).for_each(|(_, nudge)| nudge());
        Ok(appended)
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        self.log.consumer(group, topic, partition).await
    }

    fn on_append(&self, topic: &str, _: u32, nudge: Nudge) -> Result<(), EventLogError> {
        self.waiting.lock().push((topic.to_owned(), nudge));
        Ok(())
    }
}
