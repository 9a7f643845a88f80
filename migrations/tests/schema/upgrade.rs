//! What migrations make of the rows that they find.

use migrations::{ShardMigrator, migrate};
use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};

use super::databases::on_each_empty;

#[tokio::test]
async fn refunds_that_wait_are_found_in_the_rows_of_their_payments() {
    on_each_empty(async |db| {
        let before = ShardMigrator::migrations().iter().position(|one| one.name().ends_with("_000012_surface"));
        ShardMigrator::up(db, Some(before.unwrap() as u32)).await.unwrap();
        for (id, waiting) in [
            (1, "NULL"),
            (2, r#"'[{"id":"ref_0000000000010","amount":1,"reason":"its id"},{"id":"ref_0000000000011","amount":2}]'"#),
            (3, r#"'[{"id":"ref_0000000000012","amount":1,"reason":null}]'"#),
        ] {
            let row = format!(
                "INSERT INTO payment (id, merchant_id, currency, amount, status, authorized, capture_pending, \
                    captured, refund_pending, refunded, capture_mode, requested_at, updated_at, attempts, claim, \
                    timeline, refunds, version, refunds_waiting) \
                 VALUES ({id}, 'MERCHANT-{id}', 'KRW', 100, 'CAPTURE_REQUESTED', 100, 100, 0, 0, 0, 'manual', 1, 1, 0, \
                    x'{}', '', 0, 1, {waiting})",
                "00".repeat(16)
            );
            db.execute_unprepared(&row).await.unwrap();
        }
        migrate::<ShardMigrator>(db).await.unwrap();
        let all = "SELECT id, payment_id, merchant_id FROM waiting_refund ORDER BY id";
        let rows = db.query_all(Statement::from_string(db.get_database_backend(), all)).await.unwrap();
        let found: Vec<(i64, i64, String)> = rows
            .iter()
            .map(|row| {
                let number = |column| row.try_get("", column).unwrap();
                (number("id"), number("payment_id"), row.try_get("", "merchant_id").unwrap())
            })
            .collect();
        let merchant = |number| format!("MERCHANT-{number}");
        assert_eq!(found, [(32, 2, merchant(2)), (33, 2, merchant(2)), (34, 3, merchant(3))]);
    })
    .await;
}
