//! Which refunds wait for a capture, out of the rows of their payments.

use sea_orm_migration::prelude::{DbErr, SchemaManagerConnection};
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};

/// Payments that are read at once.
const PAGE: i64 = 1_000;
/// What stands before a refund's id in a payment's row. The quotes of a merchant's own texts have backslashes before
/// them, so that none of them reads like it.
const BEFORE_ID: &str = "\"id\":\"ref_";
/// The digits of an id (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID_LENGTH: usize = 13;

/// Gives each refund that waits its row. What stood in the table is made anew, so that this can be done again.
pub(crate) async fn find(db: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    db.execute_unprepared("DELETE FROM waiting_refund").await?;
    let mut after = i64::MIN;
    loop {
        let payments = "SELECT id, merchant_id, refunds_waiting FROM payment \
             WHERE id > ? AND refunds_waiting IS NOT NULL ORDER BY id LIMIT ?";
        let page = Statement::from_sql_and_values(backend, payments, [after.into(), PAGE.into()]);
        let payments = db.query_all(page).await?;
        for payment in &payments {
            let id: i64 = payment.try_get("", "id")?;
            let merchant_id: String = payment.try_get("", "merchant_id")?;
            let waiting: String = payment.try_get("", "refunds_waiting")?;
            for refund in refund_ids(&waiting) {
                let row = "INSERT INTO waiting_refund (id, payment_id, merchant_id) VALUES (?, ?, ?)";
                let values = [refund.into(), id.into(), merchant_id.as_str().into()];
                db.execute(Statement::from_sql_and_values(backend, row, values)).await?;
            }
            after = id;
        }
        if payments.len() < PAGE as usize {
            return Ok(());
        }
    }
}

fn refund_ids(waiting: &str) -> impl Iterator<Item = i64> {
    waiting.split(BEFORE_ID).skip(1).filter_map(|rest| {
        rest.as_bytes().get(..ID_LENGTH)?.iter().try_fold(0_i64, |id, digit| {
            let digit = DIGITS.iter().position(|known| known == digit)?;
            id.checked_mul(32)?.checked_add(digit as i64)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_and_texts_that_look_like_them_are_not() {
        let waiting = r#"[{"id":"ref_0000000000010","amount":1,"reason":"\"id\":\"ref_0000000000020"},
            {"id":"ref_7ZZZZZZZZZZZZ","amount":2,"reason":null}]"#;
        assert_eq!(refund_ids(waiting).collect::<Vec<_>>(), [32, i64::MAX]);
        assert_eq!(refund_ids("[]").count(), 0);
    }
}
