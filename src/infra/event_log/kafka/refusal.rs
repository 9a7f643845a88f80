//! Records that a broker refuses for a reason of their own or their topic's, and the order in which other records pass
//! them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::message::Placed;
use crate::infra::event_log::Appended;

/// How long a topic's records go one by one after one was refused.
const SUSPECT_FOR: Duration = Duration::from_secs(60);

/// Whether the error is about the record or its topic, and says nothing about the broker.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::*;
    let is_about_record = matches!(
        error.rdkafka_error_code(),
        Some(
            MessageSizeTooLarge
                | MessageBatchTooLarge
                | InvalidMessageSize
                | InvalidRecord
                | InvalidTimestamp
                | PolicyViolation
        )
    );
    is_about_record || is_about_topic(error)
}

/// Whether the error is about the record's topic.
pub(super) fn is_about_topic(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::*;
    matches!(
        error.rdkafka_error_code(),
        Some(TopicAuthorizationFailed | UnknownTopic | UnknownTopicOrPartition | UnknownPartition | InvalidTopic)
    )
}

/// Topics that refused a record of late.
#[derive(Default)]
pub(super) struct Suspects(Mutex<BTreeMap<String, Instant>>);

impl Suspects {
    pub(super) fn add(&self, wire_topic: String) {
        self.0.lock().insert(wire_topic, Instant::now());
    }

    /// The places of the records of such topics, and of all that come after one of them with the same key.
    pub(super) fn places(&self, records: &[Placed]) -> BTreeSet<usize> {
        let mut suspects = self.0.lock();
        suspects.retain(|_, since| since.elapsed() < SUSPECT_FOR);
        if suspects.is_empty() {
            return BTreeSet::new();
        }
        let mut keys = HashSet::new();
        let is_behind = |(place, placed): (usize, &Placed)| {
            let is_suspect = suspects.contains_key(&placed.wire_topic) || keys.contains(placed.record.key.as_str());
            is_suspect.then(|| {
                keys.insert(placed.record.key.clone());
                place
            })
        };
        records.iter().enumerate().filter_map(is_behind).collect()
    }
}

/// Divides records into waves: a wave has at most one record of each partition and of each key, so that each is a
/// request of its own, and records behind a refused one of their key are not tried.
pub(super) struct Waves<'a> {
    records: &'a [Placed],
    waiting: BTreeSet<usize>,
    refused_keys: HashSet<&'a str>,
    appended: Appended,
}

impl<'a> Waves<'a> {
    pub(super) fn new(records: &'a [Placed], waiting: BTreeSet<usize>) -> Self {
        Self { records, waiting, refused_keys: HashSet::new(), appended: Appended::default() }
    }

    /// The places of the next wave's records; none when all have been tried.
    pub(super) fn next(&mut self) -> Option<Vec<usize>> {
        let (mut keys, mut partitions, mut wave) = (HashSet::new(), HashSet::new(), Vec::new());
        for place in std::mem::take(&mut self.waiting) {
            let Placed { wire_topic, partition, record } = &self.records[place];
            if self.refused_keys.contains(record.key.as_str()) {
                self.appended.held_back.insert(place);
                continue;
            }
            let (is_first_of_key, partition) = (keys.insert(&record.key), (wire_topic, partition));
            if is_first_of_key && partitions.insert(partition) {
                wave.push(place);
            } else {
                self.waiting.insert(place);
            }
        }
        (!wave.is_empty()).then_some(wave)
    }

    pub(super) fn refuse(&mut self, place: usize, error: &KafkaError) {
        self.refused_keys.insert(&self.records[place].record.key);
        let code = error.rdkafka_error_code().map(|code| code.to_string());
        self.appended.refused.insert(place, code.unwrap_or_else(|| error.to_string()));
    }

    pub(super) fn appended(self) -> Appended {
        self.appended
    }
}
