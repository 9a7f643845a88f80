//! Action mover: brings operators' actions from a shard, where each was committed with what it did, to the control
//! store. A step of a job: see `job`.   Sends: nothing.
//! Durable: the actions, first in the shard and then in the control store.   In memory: nothing.
//! A panic costs nothing: an action is deleted from the shard only once the control store has it as it is there, and
//! one that was brought twice is there once. Limit: [`MOVED_MAX`] actions at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::job::{Step, StepDone, StepFailure};
use crate::domain::ActionId;
use crate::infra::control::ControlStore;
use crate::infra::database::ShardDatabase;
use crate::runtime::{Context, Failure};

/// Actions that are moved at once: one short statement.
const MOVED_MAX: u64 = 100;

/// See the file's header.
pub struct ActionMover {
    database: ShardDatabase,
    control: Arc<dyn ControlStore>,
}

impl ActionMover {
    /// Moves the actions of the shard of `database`.
    pub fn new(database: ShardDatabase, control: Arc<dyn ControlStore>) -> Self {
        Self { database, control }
    }

    async fn move_some(&self) -> Result<StepDone, Failure> {
        let waiting = self.database.waiting_actions(i64::MIN, MOVED_MAX).await.map_err(Failure::new)?;
        if waiting.is_empty() {
            return Ok(StepDone { count: 0, again: false });
        }
        let kept = self
            .control
            .keep_actions(&waiting)
            .await
            .map_err(|error| Failure::new(format!("control store: {error}")))?;
        let kept: BTreeMap<i64, _> = kept.into_iter().map(|action| (action.id, action)).collect();
        let (moved, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|action| kept.get(&action.id) == Some(action));
        let ids: Vec<i64> = moved.iter().map(|action| action.id).collect();
        self.database.delete_actions(&ids).await.map_err(Failure::new)?;
        if let Some(other) = others.first() {
            let id = ActionId::from_stored(other.id);
            return Err(Failure::new(format!("{id} is another action in the control store, and stays in the shard")));
        }
        let count = ids.len() as u64;
        Ok(StepDone { count, again: count == MOVED_MAX })
    }
}

impl Step for ActionMover {
    async fn step(&mut self, _: &Context) -> Result<StepDone, StepFailure> {
        Ok(self.move_some().await?)
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::domain::command::Command;
    use crate::domain::commands::RecordOperatorAction;
    use crate::domain::dead_letter::Operator;
    use crate::domain::policy::Policy;
    use crate::domain::testing::TRACE;
    use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
    use crate::domain::{Bucket, IdGenerator, ShardId, Timestamp};
    use crate::infra::control::{ControlPlace, SqlControl, memory::MemoryControl};
    use crate::infra::database::StoredAction;
    use crate::infra::testing::{FaultDecision, FaultPlan};
    use crate::runtime::Clock;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    /// A shard in which so many actions wait.
    async fn shard_of(actions: usize) -> (tempfile::TempDir, ShardDatabase) {
        let dir = tempfile::tempdir().unwrap();
        let database = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let unit = UnitOfWork::new(NOW, &policy, &mut ids);
        let note = |unit: &mut UnitOfWork<'_>| {
            for number in 0..actions {
                let operator = Operator { name: "kim".to_owned(), request_id: "req_1".to_owned() };
                let (target, detail) = (format!("actor {number}"), "panic".to_owned());
                let bucket = Bucket::wrapping(1);
                RecordOperatorAction { bucket, kind: "fault.inject", target, detail, operator, trace: TRACE }
                    .decide(unit);
            }
        };
        database.batch(&ReadSet::default(), unit, note).await.unwrap();
        (dir, database)
    }

    async fn sqlite_store(dir: &tempfile::TempDir) -> Arc<dyn ControlStore> {
        let place = ControlPlace::File(dir.path().join("control.db"));
        let system = crate::domain::identity::SystemId::new(0, 1);
        let store = SqlControl::new(place, system, Clock::system());
        store.check().await.unwrap();
        Arc::new(store)
    }

    async fn waiting(database: &ShardDatabase) -> Vec<StoredAction> {
        database.waiting_actions(i64::MIN, 1_000).await.unwrap()
    }

    #[tokio::test]
    async fn actions_are_moved_a_bounded_number_at_once() {
        let (dir, database) = shard_of(MOVED_MAX as usize + 1).await;
        let (store, before) = (sqlite_store(&dir).await, waiting(&database).await);
        let mover = ActionMover::new(database.clone(), store.clone());
        for (count, again, left) in [(MOVED_MAX, true, 1), (1, false, 0), (0, false, 0)] {
            assert_eq!(mover.move_some().await.unwrap(), StepDone { count, again });
            assert_eq!(waiting(&database).await.len(), left);
        }
        let mut kept = store.actions(1_000).await.unwrap();
        kept.reverse();
        assert_eq!(kept, before);
    }

    /// As a step leaves it that died after the control store had them.
    #[tokio::test]
    async fn a_death_between_the_two_stores_leaves_each_action_once() {
        let (dir, database) = shard_of(3).await;
        let (store, before) = (sqlite_store(&dir).await, waiting(&database).await);
        store.keep_actions(&before[..2]).await.unwrap();
        let done = ActionMover::new(database.clone(), store.clone()).move_some().await.unwrap();
        assert_eq!((done.count, waiting(&database).await.len()), (3, 0));
        assert_eq!(store.actions(10).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn an_action_whose_id_has_another_stays_in_the_shard() {
        let (dir, database) = shard_of(2).await;
        let (store, before) = (sqlite_store(&dir).await, waiting(&database).await);
        let other = StoredAction { detail: "something else".to_owned(), ..before[0].clone() };
        store.keep_actions(std::slice::from_ref(&other)).await.unwrap();
        let failure = ActionMover::new(database.clone(), store.clone()).move_some().await.unwrap_err().to_string();
        assert!(failure.contains(&ActionId::from_stored(other.id).to_string()), "{failure}");
        assert_eq!(waiting(&database).await, before[..1]);
        assert_eq!(store.actions(10).await.unwrap(), [before[1].clone(), other]);
    }

    /// Fails as often as there are decisions left.
    #[derive(Debug)]
    struct Then(Mutex<Vec<FaultDecision>>);

    #[async_trait::async_trait]
    impl FaultPlan for Then {
        async fn of(&self, _: &'static str) -> FaultDecision {
            self.0.lock().pop().unwrap_or(FaultDecision::Well)
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_while_the_control_store_is_away() {
        let (_dir, database) = shard_of(2).await;
        let before = waiting(&database).await;
        let fate = Arc::new(Then(Mutex::new(vec![FaultDecision::FailAfter, FaultDecision::FailBefore])));
        let actions = Arc::default();
        let store = Arc::new(MemoryControl { actions: Arc::clone(&actions), forces: Arc::default(), fate });
        let mover = ActionMover::new(database.clone(), store);
        for kept in [0, 2] {
            let failure = mover.move_some().await.unwrap_err().to_string();
            assert!(failure.contains("control store"), "{failure}");
            assert_eq!((waiting(&database).await, actions.lock().len()), (before.clone(), kept));
        }
        assert_eq!(mover.move_some().await.unwrap().count, 2);
        assert_eq!((waiting(&database).await.len(), actions.lock().len()), (0, 2));
    }
}
