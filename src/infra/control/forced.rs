//! The rows of what operators have ordered breakers to do: the last order of each, also one that gives it back.

use std::time::Duration;

use entities::forced_breaker::{Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

use crate::domain::Timestamp;

/// An order to a breaker, as it is kept.
pub type StoredForce = entities::forced_breaker::Model;

/// By how much hosts' clocks may differ: what a process takes for a correction of its own clock
/// (`runtime::ClockLimits`).
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(5);

/// When an order was given that is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Now: it is the newest, whatever the clock of another host said when the one before was given.
    Now,
    /// At the time that it says, while the store was away. Newer ones may have been given since.
    Earlier,
}

/// A time that somebody's clock has said; now, if it is so far ahead that the clock was wrong.
pub fn believed(at: Timestamp, now: Timestamp) -> Timestamp {
    if at > now.after(CLOCKS_DIFFER_MAX) { now } else { at }
}

/// The row that is to be kept of an order, where `kept` is: the order, unless the row is newer.
pub(super) fn newest(order: &StoredForce, kept: Option<&StoredForce>, given: Given, now: Timestamp) -> StoredForce {
    let mut order = StoredForce { forced_at: believed(Timestamp(order.forced_at), now).0, ..order.clone() };
    let Some(kept) = kept else { return order };
    let kept_at = believed(Timestamp(kept.forced_at), now);
    match given {
        Given::Now => order.forced_at = order.forced_at.max(kept_at.0.saturating_add(1)),
        // Two of one millisecond: the same one wins wherever they meet.
        Given::Earlier if (kept_at.0, rank(kept)) >= (order.forced_at, rank(&order)) => return kept.clone(),
        Given::Earlier => {}
    }
    order
}

fn rank(row: &StoredForce) -> [&str; 4] {
    [&row.source, &row.operator, &row.state, &row.reason]
}

pub(super) async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredForce>, DbErr> {
    Entity::find().order_by_asc(Column::Name).all(db).await
}

/// Keeps an order unless a newer one is there. Returns the one that is kept.
pub(super) async fn keep(
    db: &impl ConnectionTrait,
    order: &StoredForce,
    given: Given,
    now: Timestamp,
) -> Result<StoredForce, DbErr> {
    use Column::{ForcedAt, Name, Operator, Reason, Source, State};
    let first = newest(order, None, given, now);
    let mut leave = OnConflict::column(Name);
    leave.do_nothing_on([Name]);
    // Either way the row is there then, and locked: whoever comes at the same time waits.
    match Entity::insert(first.clone().into_active_model()).on_conflict(leave).exec_without_returning(db).await {
        Ok(_) | Err(DbErr::RecordNotInserted) => {}
        Err(error) => return Err(error),
    }
    let kept = Entity::find_by_id(order.name.clone()).lock_exclusive().one(db).await?;
    let row = newest(order, kept.as_ref().filter(|kept| **kept != first), given, now);
    if kept.as_ref() != Some(&row) {
        let mut replace = OnConflict::column(Name);
        replace.update_columns([State, Operator, Source, Reason, ForcedAt]);
        Entity::insert(row.clone().into_active_model()).on_conflict(replace).exec_without_returning(db).await?;
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn row(operator: &str, behind_ms: i64) -> StoredForce {
        StoredForce {
            name: "psp".to_owned(),
            state: "open".to_owned(),
            operator: operator.to_owned(),
            source: "::1".to_owned(),
            reason: "a test".to_owned(),
            forced_at: NOW.0 - behind_ms,
        }
    }

    #[test]
    fn an_order_of_before_wins_only_where_it_is_newer() {
        let tolerated = CLOCKS_DIFFER_MAX.as_millis() as i64;
        for (order, kept, wins) in [
            (row("a", 10), row("b", 11), true),
            (row("a", 11), row("b", 10), false),
            (row("a", 10), row("b", 10), false),
            (row("b", 10), row("a", 10), true),
            // Clocks that differ, and one that is wrong: what it says is from now, and newer than all before.
            (row("a", 0), row("b", -tolerated), false),
            (row("a", 1), row("b", -1_000_000), false),
            (row("a", -1_000_000), row("b", -1), false),
            (row("a", -1_000_000), row("b", 1), true),
        ] {
            let won = newest(&order, Some(&kept), Given::Earlier, NOW);
            assert_eq!(won.operator == order.operator, wins, "{order:?} {kept:?}");
        }
    }

    #[test]
    fn an_order_of_now_wins_and_is_newer_than_the_one_before() {
        for (behind_ms, at) in [(1, NOW.0), (0, NOW.0 + 1), (-1_000, NOW.0 + 1_001), (-1_000_000, NOW.0 + 1)] {
            let won = newest(&row("a", 0), Some(&row("b", behind_ms)), Given::Now, NOW);
            assert_eq!((won.operator.as_str(), won.forced_at), ("a", at), "{behind_ms}");
        }
        assert_eq!(newest(&row("a", -1_000_000), None, Given::Earlier, NOW).forced_at, NOW.0, "no time to come");
    }
}
