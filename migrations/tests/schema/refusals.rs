//! What the tables refuse, whatever the code above them believes.

use entities::*;
use sea_orm_migration::sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, ModelTrait, PaginatorTrait,
    QueryFilter, SqlErr, sea_query::Expr,
};

use crate::databases::on_each;
use crate::round_trip::{ledger_entry, outbox_event, payment};

async fn insert<M, A>(db: &DatabaseConnection, model: M) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<A>,
    M::Entity: EntityTrait<Model = M>,
    A: ActiveModelTrait<Entity = M::Entity>,
{
    M::Entity::insert(model.into_active_model()).exec_without_returning(db).await.map(drop)
}

fn assert_check(refusal: Result<(), DbErr>, what: &str) {
    // SQLite: "CHECK constraint failed"; MariaDB: "CONSTRAINT `..` failed" (error 4025).
    let text = refusal.expect_err(what).to_string();
    assert!(text.contains("CHECK constraint failed") || text.contains("CONSTRAINT"), "{what}: {text}");
}

fn assert_unique(refusal: Result<(), DbErr>, what: &str) {
    let refusal = refusal.expect_err(what);
    assert!(matches!(refusal.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))), "{what}: {refusal}");
}

#[tokio::test]
async fn payment_amounts_that_cannot_be() {
    on_each(async |db| {
        type Change = fn(&mut payment::Model);
        let impossible: [(&str, Change); 9] = [
            ("amount below zero", |row| row.amount = -1),
            ("authorized below zero", |row| row.authorized = -1),
            ("capture pending below zero", |row| row.capture_pending = -1),
            ("captured below zero", |row| row.captured = -1),
            ("refund pending below zero", |row| row.refund_pending = -1),
            ("refunded below zero", |row| row.refunded = -1),
            ("captured over authorized", |row| (row.captured, row.capture_pending) = (1_001, 0)),
            ("captured and pending over authorized", |row| row.capture_pending = 101),
            ("refunded and pending over captured", |row| row.refund_pending = 201),
        ];
        for (what, change) in impossible {
            let mut row = payment();
            change(&mut row);
            assert_check(insert(db, row).await, what);
        }
        insert(db, payment()).await.unwrap();
        let update =
            payment::Entity::update_many().col_expr(payment::Column::Refunded, Expr::value(701)).exec(db).await;
        assert_check(update.map(drop), "an update over captured");
        assert_eq!(payment::Entity::find().one(db).await.unwrap(), Some(payment()));
    })
    .await;
}

#[tokio::test]
async fn ledger_entries_that_cannot_be() {
    on_each(async |db| {
        assert_check(insert(db, ledger_entry::Model { amount: 0, ..ledger_entry() }).await, "nothing transferred");
        let to_itself = ledger_entry::Model { credit_account: ledger_entry().debit_account, ..ledger_entry() };
        assert_check(insert(db, to_itself).await, "an account to itself");
        insert(db, ledger_entry()).await.unwrap();
        assert_unique(insert(db, ledger_entry::Model { id: 9, ..ledger_entry() }).await, "an event booked twice");
    })
    .await;
}

#[tokio::test]
async fn the_ledger_is_never_updated_or_deleted() {
    on_each(async |db| {
        insert(db, ledger_entry()).await.unwrap();
        let only = ledger_entry::Column::Id.eq(ledger_entry().id);
        let update = ledger_entry::Entity::update_many()
            .col_expr(ledger_entry::Column::Amount, Expr::value(1))
            .filter(only.clone())
            .exec(db)
            .await;
        let delete = ledger_entry::Entity::delete_many().filter(only).exec(db).await;
        for refusal in [update.map(drop), delete.map(drop)] {
            let text = refusal.unwrap_err().to_string();
            assert!(text.contains("a ledger entry is never updated or deleted"), "{text}");
        }
        assert_eq!(ledger_entry::Entity::find().one(db).await.unwrap(), Some(ledger_entry()));
    })
    .await;
}

#[tokio::test]
async fn an_event_in_the_outbox_twice() {
    on_each(async |db| {
        insert(db, outbox_event()).await.unwrap();
        assert_unique(insert(db, outbox_event::Model { seq: 8, ..outbox_event() }).await, "an event twice");
        assert_eq!(outbox_event::Entity::find().count(db).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn requests_made_twice() {
    on_each(async |db| {
        let capture = settlement_request::Model {
            id: 1,
            payment_id: 2,
            kind: "capture".to_owned(),
            amount: 1,
            currency: "KRW".to_owned(),
            status: "pending".to_owned(),
            attempts: 0,
            unsure: false,
            due_at: Some(0),
            last_error: None,
            traceparent: outbox_event().traceparent,
            created_at: 0,
            updated_at: 0,
            version: 0,
        };
        insert(db, capture.clone()).await.unwrap();
        assert_unique(insert(db, settlement_request::Model { id: 2, ..capture.clone() }).await, "two captures");

        let refund = refund_request::Model {
            id: 1,
            refund_id: 2,
            payment_id: 3,
            amount: 1,
            currency: "KRW".to_owned(),
            status: "pending".to_owned(),
            attempts: 0,
            unsure: false,
            due_at: Some(0),
            last_error: None,
            traceparent: capture.traceparent,
            created_at: 0,
            updated_at: 0,
            version: 0,
        };
        insert(db, refund.clone()).await.unwrap();
        assert_unique(insert(db, refund_request::Model { id: 2, ..refund }).await, "one refund asked for twice");
    })
    .await;
}

#[tokio::test]
async fn an_event_processed_twice_by_one_consumer() {
    on_each(async |db| {
        let processed = processed_event::Model { consumer: "ledger_writer".to_owned(), event_id: 1, processed_at: 2 };
        insert(db, processed.clone()).await.unwrap();
        assert_unique(insert(db, processed).await, "an event twice");
    })
    .await;
}
