//! Events that the event log refuses for a reason of their own or their topic's. They are held back, so that others
//! need not wait behind them.
//!
//! A refused event holds back only the later ones of its payment, which would arrive out of order. It is tried again
//! after a pause, with a few others of its topic; the pause grows as long as all of them are refused. When one is
//! taken, the topic has recovered, and all its events that were held back come again. Nothing of this is durable: a
//! process that has lost it tries all events and learns it anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::event::topics;
use crate::infra::telemetry::catalogue;
use crate::runtime::meter;

/// The pause after the first refusal; it doubles up to [`PAUSE_MAX`].
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How many refused events of a topic are tried again at a time.
const TRIED_MAX: usize = 32;
/// At most so many refused events are remembered; then the outbox is read no further.
const HELD_MAX: usize = 200_000;
/// How often the outbox is read from its start while events are held back: a transaction that took long may have left
/// events there.
const READ_ALL_EVERY: Duration = Duration::from_secs(30);

/// What one publisher holds back.
#[derive(Default)]
pub(super) struct HeldBack {
    /// The refused events, by their place in the outbox.
    events: BTreeMap<i64, Refused>,
    /// The place of the refused event of each payment that has one.
    payments: HashMap<i64, i64>,
    topics: BTreeMap<Arc<str>, Topic>,
    /// Up to here every event in the outbox is published or held back.
    read_to: i64,
    read_all_at: Option<Instant>,
}

struct Refused {
    payment: i64,
    topic: Arc<str>,
}

/// A topic that refuses events.
struct Topic {
    why: String,
    events: u64,
    try_at: Instant,
    pause: Duration,
    /// The last place that was tried.
    tried_to: i64,
}

impl HeldBack {
    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(super) fn holds(&self, payment: i64) -> bool {
        self.payments.contains_key(&payment)
    }

    /// The place in the outbox behind which to read.
    pub(super) fn read_after(&mut self, now: Instant) -> i64 {
        if self.events.is_empty() {
            return 0;
        }
        if now >= *self.read_all_at.get_or_insert(now + READ_ALL_EVERY) {
            self.read_all(now);
        }
        self.read_to
    }

    /// Every event up to this place is published or held back. Returns whether to read on.
    pub(super) fn has_read(&mut self, to: i64) -> bool {
        let has_room = self.events.len() < HELD_MAX;
        if has_room {
            self.read_to = to;
        }
        has_room
    }

    fn read_all(&mut self, now: Instant) {
        (self.read_to, self.read_all_at) = (0, Some(now + READ_ALL_EVERY));
    }

    /// The log has refused an event. Returns whether it is the first of its topic.
    pub(super) fn refuse(&mut self, seq: i64, payment: i64, topic: &str, why: &str, now: Instant) -> bool {
        if self.events.len() >= HELD_MAX {
            return false;
        }
        let name = match self.topics.get_key_value(topic) {
            Some((name, _)) => name.clone(),
            None => Arc::from(topic),
        };
        let mut is_first = false;
        let known = self.topics.entry(name.clone()).or_insert_with(|| {
            is_first = true;
            Topic { why: String::new(), events: 0, try_at: now + PAUSE_MIN, pause: PAUSE_MIN, tried_to: 0 }
        });
        why.clone_into(&mut known.why);
        if self.events.insert(seq, Refused { payment, topic: name }).is_none() {
            known.events += 1;
        }
        self.payments.insert(payment, seq);
        is_first
    }

    /// The refused events that are due for another try, all of one topic. They are no longer held back.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Trial> {
        let (name, topic) = self.topics.iter_mut().find(|(_, topic)| now >= topic.try_at)?;
        let name = name.clone();
        let of_topic = |(seq, refused): (&i64, &Refused)| (refused.topic == name).then_some(*seq);
        let mut seqs: Vec<i64> = self.events.range(topic.tried_to + 1..).filter_map(of_topic).take(TRIED_MAX).collect();
        topic.tried_to = seqs.last().copied().unwrap_or_default();
        if seqs.len() < TRIED_MAX {
            let room = TRIED_MAX - seqs.len();
            let from_start: Vec<i64> = self.events.iter().filter_map(of_topic).take(room).collect();
            seqs.extend(from_start);
            seqs.sort_unstable();
            seqs.dedup();
        }
        for seq in &seqs {
            if let Some(refused) = self.events.remove(seq) {
                self.payments.remove(&refused.payment);
                topic.events = topic.events.saturating_sub(1);
            }
        }
        Some(Trial { topic: name, seqs })
    }

    /// Takes in the result of a trial: whether the log took any of its events, or gave no answer.
    pub(super) fn tried(&mut self, topic: &str, is_mended: bool, now: Instant) {
        if is_mended {
            self.topics.remove(topic);
            self.events.retain(|_, refused| &*refused.topic != topic);
            self.payments.retain(|_, seq| self.events.contains_key(seq));
            self.read_all(now);
        } else if let Some(topic) = self.topics.get_mut(topic) {
            topic.pause = topic.pause.saturating_mul(2).min(PAUSE_MAX);
            topic.try_at = now + topic.pause;
        }
    }

    /// Each topic that refuses events, how many, and why.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (Arc<str>, Refusal)> {
        let refusal = |(name, topic): (&Arc<str>, &Topic)| {
            (topic.events > 0).then(|| (name.clone(), Refusal { events: topic.events, why: topic.why.clone() }))
        };
        self.topics.iter().filter_map(refusal)
    }
}

/// Refused events that are tried again.
pub(super) struct Trial {
    pub(super) topic: Arc<str>,
    pub(super) seqs: Vec<i64>,
}

/// What a topic refuses of one shard's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub events: u64,
    /// The last reason.
    pub why: String,
}

/// The refused events that this process's publishers know, by shard and topic. Clones share them.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<RefusalsByTopic>>);

/// By shard, and by topic of those that refuse something.
type RefusalsByTopic = BTreeMap<u32, BTreeMap<Arc<str>, Refusal>>;

impl Refusals {
    /// Shown by the metrics for as long as somebody holds them.
    pub fn exported() -> Self {
        let refusals = Self::default();
        let seen = Arc::downgrade(&refusals.0);
        let metric = catalogue::OUTBOX_REFUSED;
        let meter = meter();
        let gauge = meter.u64_observable_gauge(metric.name).with_description(metric.about).with_unit(metric.unit);
        let observed = gauge.with_callback(move |gauge| {
            let Some(seen) = seen.upgrade() else { return };
            for (shard, refusing) in seen.lock().iter() {
                for (topic, _) in topics() {
                    let labels = [KeyValue::new("shard", i64::from(*shard)), KeyValue::new("topic", topic)];
                    gauge.observe(refusing.get(topic).map_or(0, |refusal| refusal.events), &labels);
                }
            }
        });
        observed.build();
        refusals
    }

    pub fn all(&self) -> Vec<(u32, Arc<str>, Refusal)> {
        let seen = self.0.lock();
        let all = seen.iter().flat_map(|(shard, refusing)| refusing.iter().map(move |refusal| (*shard, refusal)));
        all.map(|(shard, (topic, refusal))| (shard, topic.clone(), refusal.clone())).collect()
    }

    pub(super) fn show(&self, shard: u32, held_back: &HeldBack) {
        self.0.lock().insert(shard, held_back.refusals().collect());
    }
}
