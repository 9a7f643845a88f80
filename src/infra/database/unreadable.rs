//! Rows that cannot be read. Each is passed over, counted, told of and left alone for a while, so that it costs nobody
//! else anything: whoever mends it finds that it is read again within that while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use parking_lot::Mutex;
use sea_orm::sea_query::Iden;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select};

use super::error::DatabaseError;
use super::rows::Damaged;
use crate::domain::ShardId;
use crate::infra::telemetry::catalogue;

/// How long a row is left alone, and told of no second time.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How many rows of a table are left alone at once: they are named in the query.
const LEFT_ALONE_MAX: usize = 1_000;
/// How often a query is asked again because what it found could not be read.
pub(super) const ROUNDS_MAX: usize = 8;

/// The tables whose rows are read one by one.
const TABLES: [&str; 10] = [
    "payment",
    "refund",
    "idempotency_key",
    "settlement_request",
    "refund_request",
    "ledger_entry",
    "account_balance",
    "dead_letter",
    "outbox_event",
    "timeline_page",
];

/// What is known of a shard's unreadable rows.
#[derive(Debug)]
pub struct Unreadable {
    shard: ShardId,
    /// When each was met last, by table and id.
    known: Mutex<HashMap<(&'static str, String), Instant>>,
    met: Counter<u64>,
}

impl Unreadable {
    pub fn new(shard: ShardId) -> Self {
        let series = TABLES.map(|table| labels(shard, table));
        let met = catalogue::UNREADABLE_ROWS.to_counter_from_zero(series.iter().map(<[_; 2]>::as_slice));
        Self { shard, known: Mutex::default(), met }
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
        if is_new && known.len() < TABLES.len() * LEFT_ALONE_MAX {
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

/// The name of an entity's table, as it is known for good.
pub(super) fn table<E: EntityTrait>() -> &'static str {
    let entity = E::default();
    let name = entity.table_name();
    TABLES.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// The rows that a query finds, each read by itself; `key` names them.
pub async fn each<E: EntityTrait, T>(
    db: &impl ConnectionTrait,
    query: Select<E>,
    key: E::Column,
    read: impl Fn(E::Model) -> Result<T, Damaged>,
) -> Result<Vec<Result<T, Damaged>>, DatabaseError> {
    let found = db.query_all(query.build(db.get_database_backend())).await?;
    let model = |row: &QueryResult| decoded::<E::Model>(row, table::<E>(), &key);
    Ok(found.iter().map(|row| model(row).and_then(&read)).collect())
}

/// A row as a model; values of another type than their column's are damage like any other.
pub fn decoded<M: FromQueryResult>(row: &QueryResult, table: &'static str, key: &impl Iden) -> Result<M, Damaged> {
    M::from_query_result(row, "").map_err(|_| {
        let key = key.to_string();
        let number = row.try_get::<i64>("", &key).map(|number| number.to_string());
        let id = number.or_else(|_| row.try_get::<String>("", &key)).unwrap_or_else(|_| "?".to_owned());
        Damaged { table, id, column: "value" }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_left_alone_from_its_first_meeting_on() {
        let unreadable = Unreadable::new(ShardId(1));
        assert_eq!(unreadable.left_alone("payment"), [0; 0]);
        let damaged = |id: &str| Damaged { table: "payment", id: id.to_owned(), column: "status" };
        unreadable.note(&damaged("7"));
        unreadable.note(&damaged("?"));
        assert_eq!(unreadable.left_alone("payment"), [7]);
        assert_eq!(unreadable.left_alone("refund"), [0; 0]);
        assert!(!unreadable.leave_alone("payment", "7".to_owned()));
    }
}
