//! What a batch comes to when its COMMIT fails, on the store in memory, whose fates are told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::command::Command;
use crate::domain::planted::{Bug, plant};
use crate::domain::policy::Policy;
use crate::domain::testing::order;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{IdGenerator, PaymentId, ShardId, Timestamp};
use crate::infra::database::memory::Memory;
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::testing::{FaultDecision, FaultPlan};

/// What becomes of the COMMITs, one after the other; those after them go well.
#[derive(Debug)]
struct Told(Mutex<Vec<FaultDecision>>);

#[async_trait::async_trait]
impl FaultPlan for Told {
    async fn of(&self, call: &'static str) -> FaultDecision {
        if call == "batch" { self.0.lock().pop().unwrap_or(FaultDecision::Well) } else { FaultDecision::Well }
    }
}

fn shard(commits: Vec<FaultDecision>) -> ShardDatabase {
    let fate = Told(Mutex::new(commits.into_iter().rev().collect()));
    ShardDatabase::in_memory(ShardId(1), Memory::new(Arc::default(), Arc::new(fate)))
}

async fn authorize(shard: &ShardDatabase, id: i64) -> Result<(), DatabaseError> {
    let (order, policy, mut ids) = (order(id, 100), Policy::default(), IdGenerator::new(0));
    let mut read_set = ReadSet::default();
    order.reads(&mut read_set);
    let unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    shard.batch(&read_set, unit, |unit| drop(order.decide(unit))).await.map(drop)
}

async fn is_stored(shard: &ShardDatabase, id: i64) -> bool {
    shard.payment(PaymentId::from_stored(id)).await.unwrap().is_some()
}

const A_WHILE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_nothing_is_acknowledged_and_it_heals() {
    let shard = shard(vec![FaultDecision::Well, FaultDecision::Full(A_WHILE)]);
    authorize(&shard, 1).await.unwrap();
    for id in 2..5 {
        let refused = authorize(&shard, id).await;
        assert!(matches!(refused, Err(DatabaseError::Storage(_))), "{refused:?}");
        assert!(!is_stored(&shard, id).await);
    }
    tokio::time::sleep(A_WHILE).await;
    for id in 2..5 {
        authorize(&shard, id).await.unwrap();
        assert!(is_stored(&shard, id).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_found() {
    let shard = shard(vec![FaultDecision::FailAfter]);
    authorize(&shard, 1).await.unwrap();
    assert!(is_stored(&shard, 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_did_not_arrive_is_decided_again() {
    let shard = shard(vec![FaultDecision::FailBefore]);
    assert!(matches!(authorize(&shard, 1).await, Err(DatabaseError::NotCommitted(_))));
    authorize(&shard, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_nobody_can_ask_after_is_in_doubt() {
    let shard = shard(vec![FaultDecision::CutOff(A_WHILE)]);
    let doubt = authorize(&shard, 1).await;
    assert!(matches!(doubt, Err(DatabaseError::InDoubt(_))), "{doubt:?}");
    tokio::time::sleep(A_WHILE).await;
    assert!(is_stored(&shard, 1).await);
}

/// What SQLite's connection showed of itself: the store in memory must be able to be as wrong.
#[tokio::test(start_paused = true)]
async fn the_planted_connection_shows_what_it_never_committed() {
    plant(Some(Bug::LookThroughFailedConnection));
    let shard = shard(vec![FaultDecision::Full(A_WHILE)]);
    for id in 1..3 {
        authorize(&shard, id).await.unwrap();
        assert!(!is_stored(&shard, id).await);
    }
    plant(None);
}
