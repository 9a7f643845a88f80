//! Every entity fits its table: what is written is read back equal, at the limits of its types.

use entities::*;
use migrations::ControlMigrator;
use sea_orm_migration::sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, DatabaseConnection, EntityTrait,
    IntoActiveModel, ModelTrait, QueryFilter,
};

use crate::databases::{on_each, on_each_of};

pub fn text(length: usize) -> String {
    "한".repeat(length)
}

pub fn payment() -> payment::Model {
    payment::Model {
        id: i64::MAX,
        merchant_id: "MERCHANT-123".to_owned(),
        status: "PARTIALLY_REFUNDED".to_owned(),
        currency: "KRW".to_owned(),
        amount: i64::MAX,
        authorized: 1_000,
        capture_pending: 100,
        captured: 900,
        refund_pending: 200,
        refunded: 700,
        capture_mode: "automatic".to_owned(),
        description: Some(text(500)),
        metadata: Some(format!(r#"{{"note":"{}"}}"#, text(60_000))),
        psp_reference: Some("p".repeat(64)),
        reason: Some("r".repeat(64)),
        requested_at: 1_763_856_000_123,
        updated_at: i64::MAX,
        capture_before: Some(1_764_460_800_123),
        due_at: Some(1_763_856_005_123),
        attempts: i32::MAX,
        claim: vec![7; 16],
        timeline: "{\"at\":1763856000123}\n".repeat(10_000),
        captured_event: Some(i64::MAX),
        refunds: i32::MAX,
        version: 3,
        refunds_waiting: Some(r#"[{"amount":1}]"#.to_owned()),
        merchant_reference: Some("r".repeat(64)),
        capture_id: Some(i64::MAX),
        capture_amount: Some(1_000),
        capture_version: Some(1),
    }
}

fn action() -> operator_action::Model {
    operator_action::Model {
        id: i64::MAX,
        at: 1,
        operator: text(64),
        kind: "dead_letter.redrive".to_owned(),
        target: "dlq_0000000000001".to_owned(),
        detail: text(1_024),
        request_id: "r".repeat(64),
    }
}

pub fn ledger_entry() -> ledger_entry::Model {
    ledger_entry::Model {
        id: 1,
        event_id: 2,
        payment_id: 3,
        refund_id: Some(4),
        merchant_id: "MERCHANT-123".to_owned(),
        debit_account: "merchant_receivable".to_owned(),
        credit_account: "customer_funds".to_owned(),
        amount: i64::MAX,
        currency: "KRW".to_owned(),
        created_at: 1_763_856_000_123,
    }
}

pub fn outbox_event() -> outbox_event::Model {
    outbox_event::Model {
        seq: 7,
        event_id: i64::MAX,
        payment_id: 3,
        topic: "payment.capture-requested".to_owned(),
        payload: text(30_000),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        occurred_at: 1_763_856_000_123,
        published_at: None,
    }
}

/// Writes the rows and reads the table back.
async fn round_trip<E>(db: &DatabaseConnection, rows: Vec<E::Model>)
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E> + IntoActiveModel<E::ActiveModel> + Clone + PartialEq + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    E::insert_many(rows.iter().cloned().map(IntoActiveModel::into_active_model)).exec(db).await.unwrap();
    assert_eq!(E::find().all(db).await.unwrap(), rows);
}

#[tokio::test]
async fn payments_and_refunds() {
    on_each(async |db| {
        let full = payment();
        let bare = payment::Model {
            id: 1,
            description: None,
            metadata: None,
            refunds_waiting: None,
            merchant_reference: None,
            capture_id: None,
            capture_amount: None,
            capture_version: None,
            psp_reference: None,
            reason: None,
            capture_before: None,
            due_at: None,
            timeline: String::new(),
            captured_event: None,
            ..full.clone()
        };
        round_trip::<payment::Entity>(db, vec![bare, full.clone()]).await;
        // On MariaDB's default collation these two merchants would be one.
        let other = payment::Entity::find().filter(payment::Column::MerchantId.eq("merchant-123"));
        assert!(other.all(db).await.unwrap().is_empty());

        let full = refund::Model {
            id: i64::MAX,
            payment_id: full.id,
            merchant_id: full.merchant_id,
            currency: full.currency,
            amount: 1,
            status: "REFUND_REQUESTED".to_owned(),
            reason: Some(text(255)),
            psp_reference: Some("p".repeat(64)),
            failure: Some("f".repeat(64)),
            refunded_event: Some(i64::MAX),
            requested_at: 1,
            updated_at: 2,
            version: 3,
        };
        let bare = refund::Model {
            id: 1,
            reason: None,
            psp_reference: None,
            failure: None,
            refunded_event: None,
            ..full.clone()
        };
        round_trip::<refund::Entity>(db, vec![bare, full]).await;
        let page = timeline_page::Model { payment_id: i64::MAX, first: i32::MAX, entries: text(20_000) };
        let other = timeline_page::Model { first: 0, ..page.clone() };
        round_trip::<timeline_page::Entity>(db, vec![other, page]).await;
    })
    .await;
}

#[tokio::test]
async fn requests() {
    on_each(async |db| {
        let capture = settlement_request::Model {
            id: 1,
            payment_id: 2,
            kind: "capture".to_owned(),
            amount: 1_000,
            currency: "KWD".to_owned(),
            status: "pending".to_owned(),
            attempts: 3,
            unsure: true,
            due_at: Some(4),
            last_error: Some(text(255)),
            traceparent: outbox_event().traceparent,
            created_at: 5,
            updated_at: 6,
            version: 7,
        };
        let void = settlement_request::Model {
            id: 2,
            kind: "void".to_owned(),
            unsure: false,
            due_at: None,
            last_error: None,
            ..capture.clone()
        };
        round_trip::<settlement_request::Entity>(db, vec![capture.clone(), void]).await;

        let refund = refund_request::Model {
            id: 1,
            refund_id: 2,
            payment_id: 3,
            amount: 1_000,
            currency: "KWD".to_owned(),
            status: "done".to_owned(),
            attempts: 1,
            unsure: true,
            due_at: Some(4),
            last_error: Some(text(255)),
            traceparent: capture.traceparent,
            created_at: 5,
            updated_at: 6,
            version: 7,
        };
        let other = refund_request::Model {
            id: 2,
            refund_id: 3,
            unsure: false,
            due_at: None,
            last_error: None,
            ..refund.clone()
        };
        round_trip::<refund_request::Entity>(db, vec![refund, other]).await;
    })
    .await;
}

#[tokio::test]
async fn ledger() {
    on_each(async |db| {
        let refund = ledger_entry();
        let capture = ledger_entry::Model { id: 2, event_id: 3, refund_id: None, ..refund.clone() };
        round_trip::<ledger_entry::Entity>(db, vec![refund, capture]).await;

        let balance = account_balance::Model {
            merchant_id: "MERCHANT-123".to_owned(),
            account: "merchant_receivable".to_owned(),
            currency: "KRW".to_owned(),
            debits: i64::MAX,
            credits: 0,
            version: 1,
        };
        let other = account_balance::Model { merchant_id: "merchant-123".to_owned(), ..balance.clone() };
        round_trip::<account_balance::Entity>(db, vec![balance, other]).await;
    })
    .await;
}

#[tokio::test]
async fn events() {
    on_each(async |db| {
        let waiting = outbox_event();
        let published = outbox_event::Model { seq: 8, event_id: 1, published_at: Some(9), ..waiting.clone() };
        round_trip::<outbox_event::Entity>(db, vec![waiting.clone(), published]).await;
        let mut unnumbered = outbox_event::Model { event_id: 2, ..waiting }.into_active_model();
        unnumbered.seq = NotSet;
        assert_eq!(unnumbered.insert(db).await.unwrap().seq, 9);

        let processed =
            processed_event::Model { consumer: "ledger_writer".to_owned(), event_id: i64::MAX, processed_at: 1 };
        let other = processed_event::Model { consumer: "settlement".to_owned(), ..processed.clone() };
        round_trip::<processed_event::Entity>(db, vec![processed, other]).await;

        let full = dead_letter::Model {
            id: 1,
            topic: "payment.dlq".to_owned(),
            source_topic: Some("payment.captured".to_owned()),
            source_partition: Some(5),
            source_offset: Some(i64::MAX),
            event_key: Some("pay_0000000000001".to_owned()),
            payload: text(30_000),
            error_type: "malformed".to_owned(),
            error_message: text(1_024),
            retry_count: 10,
            first_failed_at: 1,
            last_failed_at: 2,
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
            status: "discarded".to_owned(),
            matter: "event".to_owned(),
            occurred_at: Some(1),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            redrives: 24,
            due_at: Some(3),
            note: Some(text(255)),
            version: 2,
        };
        let bare = dead_letter::Model {
            id: 2,
            source_topic: None,
            source_partition: None,
            source_offset: None,
            event_key: None,
            trace_id: None,
            matter: "foreign".to_owned(),
            occurred_at: None,
            traceparent: None,
            due_at: None,
            note: None,
            ..full.clone()
        };
        round_trip::<dead_letter::Entity>(db, vec![full, bare]).await;

        round_trip::<operator_action::Entity>(db, vec![action()]).await;
    })
    .await;
}

#[tokio::test]
async fn idempotency_keys() {
    on_each(async |db| {
        let running = idempotency_key::Model {
            scope: vec![0; 16],
            merchant_id: "MERCHANT-123".to_owned(),
            operation: "authorize".to_owned(),
            idempotency_key: "k".repeat(255),
            payment_id: 1,
            fingerprint: vec![0xff; 32],
            outcome: None,
            created_at: 2,
            finished_at: None,
            expires_at: 3,
            version: 1,
        };
        let finished = idempotency_key::Model {
            scope: (0xf0..=0xff).collect(),
            outcome: Some(text(30_000)),
            finished_at: Some(4),
            ..running.clone()
        };
        round_trip::<idempotency_key::Entity>(db, vec![running, finished.clone()]).await;
        let found = idempotency_key::Entity::find_by_id(finished.scope.clone()).one(db).await.unwrap();
        assert_eq!(found, Some(finished));
    })
    .await;
}

#[tokio::test]
async fn a_shards_identity() {
    on_each(async |db| {
        let identity = shard_identity::Model {
            id: 1,
            system_id: "0123456789abcdef".repeat(2),
            shard: i32::MAX,
            shard_count: i32::MAX,
            map_version: 1,
            event_log: Some(text(512)),
            psp: None,
            created_at: i64::MAX,
        };
        round_trip::<shard_identity::Entity>(db, vec![identity]).await;
    })
    .await;
}

#[tokio::test]
async fn a_control_store() {
    on_each_of::<ControlMigrator>(async |db| {
        let identity = control_identity::Model { id: 1, system_id: "0123456789abcdef".repeat(2), created_at: i64::MAX };
        round_trip::<control_identity::Entity>(db, vec![identity]).await;
        round_trip::<operator_action::Entity>(db, vec![action()]).await;
    })
    .await;
}
