//! Rows that cannot be read. Each is passed over, counted, told of and left alone for a while, so that it costs nobody
//! else anything: whoever mends it finds that it is read again within that while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use parking_lot::Mutex;

use super::row::Damaged;
use crate::domain::ShardId;
use crate::infra::telemetry::catalogue;

/// How long a row is left alone, and told of no second time.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How many rows of a table are left alone at once: they are named in the query.
const LEFT_ALONE_MAX: usize = 1_000;
/// What is known of a shard's unreadable rows.
#[derive(Debug)]
pub struct Unreadable {
    shard: ShardId,
    /// How many rows are known at most.
    known_max: usize,
    /// When each was met last, by table and id.
    known: Mutex<HashMap<(&'static str, String), Instant>>,
    met: Counter<u64>,
}

impl Unreadable {
    /// Of the rows of these tables.
    pub fn new(shard: ShardId, tables: &[&'static str]) -> Self {
        let series: Vec<_> = tables.iter().map(|table| labels(shard, table)).collect();
        let met = catalogue::UNREADABLE_ROWS.to_counter_from_zero(series.iter().map(<[_; 2]>::as_slice));
        Self { shard, known_max: tables.len() * LEFT_ALONE_MAX, known: Mutex::default(), met }
    }

    /// Counts the row and leaves it alone from here on.
    pub fn note(&self, damaged: &Damaged) {
        self.met.add(1, &labels(self.shard, damaged.table));
        if self.leave_alone(damaged.table, damaged.id.clone()) {
            tracing::error!(shard.id = self.shard.0, error = %damaged, "row passed over: it cannot be read");
        }
    }

    /// Leaves a row alone. Returns whether it was not before.
    pub(super) fn leave_alone(&self, table: &'static str, id: String) -> bool {
        let now = Instant::now();
        let mut known = self.known.lock();
        known.retain(|_, since| now.duration_since(*since) < LEFT_ALONE);
        let is_new = !known.contains_key(&(table, id.clone()));
        // The time of the first meeting counts: a row is looked at again after the while, whoever has met it meanwhile.
        if is_new && known.len() < self.known_max {
            known.insert((table, id), now);
        }
        is_new
    }

    /// The rows of a table that are left alone now.
    pub(super) fn left_alone(&self, table: &str) -> Vec<i64> {
        let known = self.known.lock();
        if known.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let fresh = known.iter().filter(|((of, _), since)| *of == table && now.duration_since(**since) < LEFT_ALONE);
        fresh.filter_map(|((_, id), _)| id.parse().ok()).take(LEFT_ALONE_MAX).collect()
    }
}

fn labels(shard: ShardId, table: &'static str) -> [KeyValue; 2] {
    [KeyValue::new("shard", i64::from(shard.0)), KeyValue::new("table", table)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_row_is_left_alone_from_its_first_meeting_on() {
        let unreadable = Unreadable::new(ShardId(1), &["payment", "refund"]);
        assert_eq!(unreadable.left_alone("payment"), [0; 0]);
        let damaged = |id: &str| Damaged { table: "payment", id: id.to_owned(), column: "status" };
        unreadable.note(&damaged("7"));
        unreadable.note(&damaged("?"));
        assert_eq!(unreadable.left_alone("payment"), [7]);
        assert_eq!(unreadable.left_alone("refund"), [0; 0]);
        assert!(!unreadable.leave_alone("payment", "7".to_owned()));
    }
}
