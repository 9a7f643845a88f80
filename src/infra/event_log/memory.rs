//! A log in memory, for the simulation: partitions, groups and offsets outlive the processes that reach it, and a fault
//! plan decides the outcome of every call. Like Kafka, it keeps a record twice that is appended twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::partitioner::partition_of;
use super::{Appended, Consumer, Delivery, EventLog, EventLogError, Nudge, Record};
use crate::domain::event::topics;
use crate::infra::testing::{FaultDecision, FaultPlan, dead};

/// What the log holds.
#[derive(Debug, Default)]
pub struct Held {
    pub records: BTreeMap<(String, u32), Vec<Record>>,
    /// Key and id of every record, in the order in which they were appended, over all topics.
    pub appended: Vec<(String, String)>,
    pub committed: BTreeMap<(String, String, u32), i64>,
    /// Topics that take no record, as if each were too large for them.
    pub refusing: BTreeSet<String>,
}

/// The log as one process reaches it.
#[derive(Clone)]
pub struct MemoryLog {
    pub held: Arc<Mutex<Held>>,
    pub fate: Arc<dyn FaultPlan>,
}

fn unavailable() -> EventLogError {
    EventLogError::Unavailable("fate".to_owned())
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        let decision = self.fate.of("append").await;
        if decision == FaultDecision::FailBefore {
            return Err(unavailable());
        }
        let mut appended = Appended::default();
        {
            let mut held = self.held.lock();
            let mut refused_keys = BTreeSet::new();
            for (place, record) in records.into_iter().enumerate() {
                if refused_keys.contains(&record.key) {
                    appended.held_back.insert(place);
                    continue;
                }
                if held.refusing.contains(record.topic) {
                    appended.refused.insert(place, "too large".to_owned());
                    refused_keys.insert(record.key);
                    continue;
                }
                let partitions = topics().find(|(topic, _)| *topic == record.topic).map_or(1, |(_, count)| count);
                let place = (record.topic.to_owned(), partition_of(&record.key, partitions));
                held.appended.push((record.key.clone(), record.id.clone()));
                held.records.entry(place).or_default().push(record);
            }
        }
        match decision {
            FaultDecision::Well => Ok(appended),
            FaultDecision::DieAfter => dead().await,
            _ => Err(unavailable()),
        }
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        let key = (group.to_owned(), topic.to_owned(), partition);
        let position = self.held.lock().committed.get(&key).copied().unwrap_or(0);
        Ok(Box::new(MemoryConsumer { log: self.clone(), key, position }))
    }

    fn on_append(&self, _: &str, _: u32, _: Nudge) -> Result<(), EventLogError> {
        // Workers poll; the timing of nudges is not simulated.
        Ok(())
    }
}

struct MemoryConsumer {
    log: MemoryLog,
    key: (String, String, u32),
    position: i64,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        match self.log.fate.of("fetch").await {
            FaultDecision::Well => {}
            FaultDecision::FailBefore | FaultDecision::Full(_) | FaultDecision::CutOff(_) => return Err(unavailable()),
            // The partition was reassigned and came back.
            FaultDecision::FailAfter => {
                self.position = self.log.held.lock().committed.get(&self.key).copied().unwrap_or(0);
                return Err(EventLogError::Reassigned);
            }
            FaultDecision::DieAfter => return dead().await,
        }
        let (_, topic, partition) = &self.key;
        let held = self.log.held.lock();
        let Some(records) = held.records.get(&(topic.clone(), *partition)) else { return Ok(Vec::new()) };
        let found = records.iter().zip(0_i64..).skip(self.position as usize).take(max);
        let found: Vec<Delivery> =
            found.map(|(record, offset)| Delivery { partition: *partition, offset, record: record.clone() }).collect();
        self.position += found.len() as i64;
        Ok(found)
    }

    async fn commit(&self, next_offset: i64) -> Result<(), EventLogError> {
        let decision = self.log.fate.of("commit").await;
        if decision == FaultDecision::FailBefore {
            return Err(unavailable());
        }
        self.log.held.lock().committed.insert(self.key.clone(), next_offset);
        match decision {
            FaultDecision::Well => Ok(()),
            FaultDecision::DieAfter => dead().await,
            _ => Err(unavailable()),
        }
    }

    async fn seek(&mut self, offset: i64) -> Result<(), EventLogError> {
        self.position = offset;
        self.commit(offset).await
    }
}
