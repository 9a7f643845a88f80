//! What is measured of a shard's batches and of their changes.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use crate::domain::ShardId;
use crate::domain::event::{DeadLetterTopic, Topic};
use crate::domain::ledger::{LedgerEntry, accounts};
use crate::domain::payment::PaymentStatus;
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::telemetry::catalogue;
use crate::runtime::{DurationHistogram, Metric};

/// See the file's header. Only committed changes are counted.
pub(super) struct BatchMeter {
    shard: [KeyValue; 1],
    size: Histogram<u64>,
    duration: DurationHistogram,
    conflicts: Counter<u64>,
    halvings: Counter<u64>,
    changes: Tally<PaymentStatus, 1>,
    mismatches: Counter<u64>,
    entries: Tally<Topic, 2>,
    burials: Tally<DeadLetterTopic, 1>,
}

impl BatchMeter {
    pub(super) fn new(shard: ShardId) -> Self {
        let shard = KeyValue::new("shard", i64::from(shard.0));
        let kind = |kind| [shard.clone(), KeyValue::new("kind", kind)];
        let statuses = PaymentStatus::ALL.map(|status| (status, [KeyValue::new("status", status.name())]));
        let topics = DeadLetterTopic::ALL.map(|topic| (topic, [KeyValue::new("topic", topic.name())]));
        let entries = [(Topic::Captured, kind("capture")), (Topic::Refunded, kind("refund"))];
        let shard = [shard];
        Self {
            size: catalogue::SHARD_BATCH_SIZE.to_histogram(),
            duration: catalogue::SHARD_COMMIT.to_duration_histogram(),
            conflicts: catalogue::SHARD_CONFLICTS.to_counter_from_zero([shard.as_slice()]),
            halvings: catalogue::SHARD_HALVINGS.to_counter_from_zero([shard.as_slice()]),
            changes: Tally::new(&catalogue::PAYMENT_CHANGES, statuses),
            mismatches: catalogue::PAYMENT_MISMATCHES.to_counter_from_zero([[].as_slice()]),
            entries: Tally::new(&catalogue::LEDGER_ENTRIES, entries),
            burials: Tally::new(&catalogue::DEAD_LETTERS_BURIED, topics),
            shard,
        }
    }

    /// So many commands were committed together after so long, with these changes.
    pub(super) fn committed(&self, unit: &UnitOfWork<'_>, commands: usize, took: Duration) {
        self.size.record(commands as u64, &self.shard);
        self.duration.record(took, &self.shard);
        self.changes.add(|status| unit.entered.iter().filter(|entered| *entered == status).count());
        self.mismatches
            .add(unit.payments.written_rows().filter(|(_, payment)| payment.is_mismatched()).count() as u64, &[]);
        self.entries.add(|topic| unit.entries.iter().filter(|entry| books(entry, *topic)).count());
        self.burials.add(|topic| unit.events.iter().filter(|event| event.topic == topic.name()).count());
    }

    pub(super) fn met_conflict(&self) {
        self.conflicts.add(1, &self.shard);
    }

    pub(super) fn halved(&self) {
        self.halvings.add(1, &self.shard);
    }
}

/// Whether the entry is of the kind that events of this topic cause.
fn books(entry: &LedgerEntry, topic: Topic) -> bool {
    accounts(topic) == Some((entry.debit, entry.credit))
}

/// A counter with one series for each of a few things; the series exist from the start.
struct Tally<T, const LABELS: usize> {
    counter: Counter<u64>,
    series: Vec<(T, [KeyValue; LABELS])>,
}

impl<T, const LABELS: usize> Tally<T, LABELS> {
    fn new(metric: &Metric, series: impl IntoIterator<Item = (T, [KeyValue; LABELS])>) -> Self {
        let series: Vec<_> = series.into_iter().collect();
        let counter = metric.to_counter_from_zero(series.iter().map(|(_, labels)| labels.as_slice()));
        Self { counter, series }
    }

    /// Adds the number that `count` returns for each thing.
    fn add(&self, count: impl Fn(&T) -> usize) {
        for (thing, labels) in &self.series {
            match count(thing) {
                0 => {}
                found => self.counter.add(found as u64, labels),
            }
        }
    }
}
