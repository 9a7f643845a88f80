//! Rows that cannot be read stop nobody else.

use super::*;
use crate::domain::failure::{Failure, FailureCode};
use crate::infra::database::audit::damage;

impl Fixture {
    async fn spoil(&self, sql: &str) {
        damage(&self._dir.path().join("shard.db"), sql).await;
    }
}

#[tokio::test]
async fn damaged_rows_take_no_ones_place_among_what_is_due() {
    let mut fixture = Fixture::on_sqlite().await;
    for id in 1..=8 {
        fixture.authorize(id).await;
    }
    // The first ones to come, for all reasons that there are.
    let spoilt = [
        "status = 'NONSENSE', due_at = 1",
        "metadata = '{', due_at = 2",
        "attempts = -1, due_at = 3",
        "requested_at = 'yesterday', due_at = 4",
    ];
    for (id, spoilt) in (1..).zip(spoilt) {
        fixture.spoil(&format!("UPDATE payment SET {spoilt} WHERE id = {id}")).await;
    }
    let end = Timestamp(i64::MAX);
    let due: Vec<_> =
        fixture.db.payments_due(end, None, 3).await.unwrap().iter().map(|payment| payment.id.get()).collect();
    assert_eq!(due, [5, 6, 7]);
    assert!(matches!(fixture.db.payment(PaymentId::from_stored(4)).await, Err(DatabaseError::Damaged(_))));
    let filter = ListFilter {
        merchant_id: "MERCHANT-1".into(),
        statuses: Vec::new(),
        merchant_reference: None,
        above: None,
        below: None,
        ascending: true,
        limit: 10,
    };
    let listed = fixture.db.list(&filter).await.unwrap();
    assert_eq!(
        listed.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, false, false, false, true, true, true, true]
    );
    let (few, all) = (PaymentId::from_stored(2), PaymentId::from_stored(5));
    assert_eq!(fixture.db.readable_payments(&[few, all]).await.unwrap().len(), 1);
    assert!(fixture.db.has_payment(few).await.unwrap());
    // A damaged row costs the command that needs it, and is damage whatever its kind.
    let change = Change::Void;
    for id in 1..=4 {
        let mut read_set = ReadSet::default();
        read_set.payments.insert(PaymentId::from_stored(id));
        let refused = fixture.run(read_set, |_| change.clone()).await;
        assert!(matches!(refused, Err(DatabaseError::Damaged(_))), "{id}: {refused:?}");
    }
}

/// What the version before wrote of an authorization that never reached the PSP, beside what the PSP declined.
#[tokio::test]
async fn row_of_the_version_before_that_was_not_sent_is_read_and_listed_as_failed() {
    let mut fixture = Fixture::on_sqlite().await;
    for id in 1..=3 {
        fixture.authorize(id).await;
    }
    for (id, reason) in [(1, "'not_sent'"), (2, "'insufficient_funds'"), (3, "NULL")] {
        let row = format!("status = 'DECLINED', authorized = 0, due_at = NULL, reason = {reason}");
        fixture.spoil(&format!("UPDATE payment SET {row} WHERE id = {id}")).await;
    }
    let failed = fixture.db.payment(PaymentId::from_stored(1)).await.unwrap().unwrap();
    assert_eq!((failed.status, failed.failure), (PaymentStatus::Failed, Some(FailureCode::NotSent.into())));
    let declined = fixture.db.payment(PaymentId::from_stored(2)).await.unwrap().unwrap();
    assert_eq!(declined.failure, Some(Failure::refused("insufficient_funds")));
    let listed = async |status| {
        let filter = ListFilter {
            merchant_id: "MERCHANT-1".into(),
            statuses: vec![status],
            merchant_reference: None,
            above: None,
            below: None,
            ascending: true,
            limit: 10,
        };
        let found = fixture.db.list(&filter).await.unwrap().into_iter().map(Result::unwrap);
        found.map(|payment| (payment.id.get(), payment.status)).collect::<Vec<_>>()
    };
    assert_eq!(listed(PaymentStatus::Failed).await, [(1, PaymentStatus::Failed)]);
    assert_eq!(listed(PaymentStatus::Declined).await, [2, 3].map(|id| (id, PaymentStatus::Declined)));
}

#[tokio::test]
async fn a_withdrawn_currency_is_read_and_its_payment_goes_on() {
    let mut fixture = Fixture::on_sqlite().await;
    let id = fixture.authorize(1).await;
    fixture.spoil("UPDATE payment SET currency = 'HRK'").await;
    assert_eq!(fixture.db.payment(id).await.unwrap().unwrap().currency.code(), "HRK");
    fixture.change(id, Change::Capture { amount: None }).await;
    let due = fixture.db.requests_due(Timestamp(i64::MAX), false, 10).await.unwrap();
    assert_eq!(due[0].money.currency.code(), "HRK");
}

#[tokio::test]
async fn requests_letters_and_events_that_are_damaged_stop_no_others() {
    let mut fixture = Fixture::on_sqlite().await;
    for id in 1..=3 {
        let id = fixture.authorize(id).await;
        fixture.change(id, Change::Capture { amount: None }).await;
    }
    let end = Timestamp(i64::MAX);
    let due = fixture.db.requests_due(end, false, 10).await.unwrap();
    fixture
        .spoil(&format!("UPDATE settlement_request SET traceparent = 'x', due_at = 1 WHERE id = {}", due[0].id.get()))
        .await;
    assert_eq!(fixture.db.requests_due(end, false, 1).await.unwrap().len(), 1);
    assert_eq!(fixture.db.requests(&[due[0].id, due[1].id], false).await.unwrap(), [due[1].clone()]);
    let waiting = fixture.db.unpublished(100).await.unwrap();
    fixture.spoil("UPDATE outbox_event SET topic = 'payment.nonsense' WHERE seq <= 2").await;
    let seqs = |rows: &[OutboxRow]| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(&fixture.db.unpublished(2).await.unwrap()), seqs(&waiting[2..4]));
}

#[tokio::test]
async fn answer_of_a_later_version_is_damage_and_nothing_is_executed_under_its_key() {
    let mut fixture = Fixture::on_sqlite().await;
    let id = fixture.authorize(1).await;
    let order = order(1, 100);
    let keys = [order.keyed_request.key_hash];
    let answered = fixture.db.idempotency_records(&keys).await.unwrap().remove(0).recorded.unwrap();
    for (spoilt, is_read) in [("json_remove(outcome, '$.v')", true), ("json_set(outcome, '$.v', 2)", false)] {
        fixture.spoil(&format!("UPDATE idempotency_key SET outcome = {spoilt}")).await;
        let found = fixture.db.idempotency_records(&keys).await;
        let again = fixture.try_authorize(1).await;
        if is_read {
            assert_eq!(found.unwrap().remove(0).recorded, Some(answered.clone()));
            assert!(matches!(again, Ok(KeyOutcome::Replay(_))), "{again:?}");
        } else {
            assert!(matches!(found, Err(DatabaseError::Damaged(_))), "{found:?}");
            assert!(matches!(again, Err(DatabaseError::Damaged(_))), "{again:?}");
        }
    }
    assert_eq!(fixture.db.payment(id).await.unwrap().unwrap().version, 2, "nothing was written");
}
