//! Operators' actions wait in the shard until somebody has them elsewhere.

use super::*;
use crate::domain::Bucket;
use crate::domain::commands::RecordOperatorAction;
use crate::domain::dead_letter::Operator;
use crate::infra::database::ActionBacklog;

async fn actions_wait_until_they_are_deleted(mut fixture: Fixture) {
    assert_eq!(fixture.db.action_backlog().await.unwrap(), ActionBacklog::default());
    let note = |unit: &mut UnitOfWork<'_>| {
        for target in ["one", "two", "three"] {
            let operator = Operator { name: "kim".to_owned(), request_id: "req_1".to_owned() };
            let (target, detail) = (target.to_owned(), "일".repeat(2_000));
            let bucket = Bucket::wrapping(1);
            RecordOperatorAction { bucket, kind: "fault.inject", target, detail, operator, trace: TRACE }.decide(unit);
        }
    };
    fixture.run(ReadSet::default(), note).await.unwrap();
    let waiting = fixture.db.waiting_actions(i64::MIN, 10).await.unwrap();
    let targets: Vec<_> = waiting.iter().map(|action| action.target.as_str()).collect();
    assert_eq!((targets, waiting[0].detail.chars().count()), (vec!["one", "two", "three"], 1_024));
    assert_eq!(fixture.db.waiting_actions(waiting[0].id, 1).await.unwrap(), waiting[1..2]);
    let newest = [waiting[2].clone(), waiting[1].clone()];
    assert_eq!(fixture.db.newest_actions(2).await.unwrap(), newest);
    assert_eq!(fixture.db.action_backlog().await.unwrap(), ActionBacklog { waiting: 3, oldest: Some(NOW) });
    fixture.db.delete_actions(&[]).await.unwrap();
    fixture.db.delete_actions(&[waiting[0].id, waiting[2].id]).await.unwrap();
    assert_eq!(fixture.db.waiting_actions(i64::MIN, 10).await.unwrap(), waiting[1..2]);
    fixture.drop().await;
}

#[tokio::test]
async fn actions_wait_in_a_file_until_they_are_deleted() {
    actions_wait_until_they_are_deleted(Fixture::on_sqlite().await).await;
}

#[tokio::test]
async fn actions_wait_on_mariadb_until_they_are_deleted() {
    if let Some(fixture) = Fixture::on_mariadb().await {
        actions_wait_until_they_are_deleted(fixture).await;
    }
}
