//! Every invariant can be broken, and only what is broken is named.

use super::fixture::{Fixture, capture, shard_of};
use crate::cli::audit::sources::Sources;
use crate::cli::audit::{EXAMPLES, Invariant, Report, audit};
use crate::config::Config;
use crate::runtime::Clock;

/// SQL that lets ledger entries be changed.
const UNLOCK: &str = "DROP TRIGGER ledger_entry_no_update; DROP TRIGGER ledger_entry_no_delete;";
/// SQL that lets the log hold an id twice.
pub const UNLOCK_LOG: &str =
    "ALTER TABLE record RENAME TO old; CREATE TABLE record AS SELECT * FROM old; DROP TABLE old;";

async fn assert_broken(fixture: &Fixture, names: &[&str]) {
    let report = fixture.audit(false).await.unwrap();
    assert_eq!(report.broken_names().into_iter().collect::<Vec<_>>(), names, "{report}");
    for invariant in Invariant::ALL.iter().filter(|invariant| names.contains(&invariant.name())) {
        assert!(!report.examples(*invariant).is_empty(), "{}", invariant.name());
    }
}

/// Breaks a system at rest with SQL on one file after the other, and expects these invariants to be named.
async fn check(damage: &[(&str, &str)], names: &[&str]) {
    let fixture = Fixture::at_rest().await;
    for (place, sql) in damage {
        let file = if place.starts_with("MERCHANT") { shard_of(place) } else { (*place).to_owned() };
        fixture.damage(&file, sql).await;
    }
    assert_broken(&fixture, names).await;
}

macro_rules! breaks {
    ($($test:ident: [$($damage:expr),+] => [$($name:literal),+];)*) => {$(
        #[tokio::test]
        async fn $test() {
            check(&[$($damage),+], &[$($name),+]).await;
        }
    )*};
}

breaks! {
    // A balance that is off is off its entries too, because entries cannot be unbalanced.
    balance_that_is_off: [
        ("MERCHANT-4", "UPDATE account_balance SET debits = debits + 1 WHERE merchant_id = 'MERCHANT-4' AND debits > 0")
    ] => ["ledger.balanced", "ledger.balances"];
    balances_that_are_balanced_and_wrong: [
        ("MERCHANT-4", "UPDATE account_balance SET debits = debits + 1, credits = credits + 1 WHERE merchant_id = \
            'MERCHANT-4'")
    ] => ["ledger.balances"];
    balances_that_are_gone: [
        ("MERCHANT-4", "DELETE FROM account_balance WHERE merchant_id = 'MERCHANT-4'")
    ] => ["ledger.balances"];
    entry_that_is_gone: [
        ("MERCHANT-4", UNLOCK),
        ("MERCHANT-4", "DELETE FROM ledger_entry WHERE merchant_id = 'MERCHANT-4'"),
        ("MERCHANT-4", "DELETE FROM account_balance WHERE merchant_id = 'MERCHANT-4'")
    ] => ["ledger.payments"];
    entry_of_another_amount: [
        ("MERCHANT-4", UNLOCK),
        ("MERCHANT-4", "UPDATE ledger_entry SET amount = 99 WHERE merchant_id = 'MERCHANT-4'"),
        ("MERCHANT-4", "UPDATE account_balance SET debits = min(debits, 99), credits = min(credits, 99) WHERE \
            merchant_id = 'MERCHANT-4'")
    ] => ["ledger.payments"];
    entry_the_wrong_way_round: [
        ("MERCHANT-4", UNLOCK),
        ("MERCHANT-4", "UPDATE ledger_entry SET debit_account = credit_account, credit_account = debit_account WHERE \
            merchant_id = 'MERCHANT-4'"),
        ("MERCHANT-4", "UPDATE account_balance SET debits = credits, credits = debits WHERE merchant_id = 'MERCHANT-4'")
    ] => ["ledger.payments"];
    entry_that_is_there_twice: [
        ("MERCHANT-4", "INSERT INTO ledger_entry SELECT id + 1, event_id + 1, payment_id, refund_id, merchant_id, \
            debit_account, credit_account, amount, currency, created_at FROM ledger_entry WHERE merchant_id = \
            'MERCHANT-4'"),
        ("MERCHANT-4", "UPDATE account_balance SET debits = debits * 2, credits = credits * 2 WHERE merchant_id = \
            'MERCHANT-4'")
    ] => ["ledger.payments"];
    entry_of_no_payment: [
        ("MERCHANT-4", "INSERT INTO ledger_entry VALUES (1, 1, 1, NULL, 'MERCHANT-4', 'merchant_receivable', \
            'customer_funds', 5, 'KRW', 1)"),
        ("MERCHANT-4", "UPDATE account_balance SET debits = debits + 5 WHERE merchant_id = 'MERCHANT-4' AND debits > \
            0"),
        ("MERCHANT-4", "UPDATE account_balance SET credits = credits + 5 WHERE merchant_id = 'MERCHANT-4' AND credits \
            > 0")
    ] => ["ledger.payments"];

    payment_that_cannot_be_read: [
        ("MERCHANT-4", "UPDATE payment SET status = 'NONSENSE' WHERE merchant_id = 'MERCHANT-4'")
    ] => ["rows.readable"];
    request_and_event_that_cannot_be_read: [
        ("MERCHANT-2", "UPDATE settlement_request SET traceparent = 'x', due_at = 'now' WHERE kind = 'void'"),
        ("MERCHANT-2", "UPDATE outbox_event SET published_at = 'now' WHERE topic = 'payment.nonsense'")
    ] => ["payment.requests", "rows.readable"];
    balance_that_cannot_be_read: [
        ("MERCHANT-4", "UPDATE account_balance SET account = 'none' WHERE merchant_id = 'MERCHANT-4' AND debits > 0")
    ] => ["rows.readable"];

    authorization_for_another: [
        ("psp", "UPDATE authorization SET merchant = 'MERCHANT-9' WHERE merchant = 'MERCHANT-3'")
    ] => ["psp.authorized"];
    authorization_of_another_amount: [
        ("psp", "UPDATE authorization SET amount = 101 WHERE merchant = 'MERCHANT-3'")
    ] => ["psp.authorized"];
    authorization_that_was_never_asked_for: [
        ("psp", "DELETE FROM operation WHERE key IN (SELECT 'auth_' || payment FROM authorization WHERE merchant = \
            'MERCHANT-3')")
    ] => ["psp.authorized"];
    authorization_of_a_declined_payment: [
        ("MERCHANT-3", "UPDATE payment SET status = 'DECLINED', reason = 'not_sent', authorized = 0, due_at = NULL \
            WHERE merchant_id = 'MERCHANT-3'"),
        ("MERCHANT-3", "DELETE FROM outbox_event WHERE payment_id = (SELECT id FROM payment WHERE merchant_id = \
            'MERCHANT-3')"),
        ("events", "DELETE FROM record WHERE payload LIKE '%MERCHANT-3\"%'")
    ] => ["psp.authorized"];
    decline_that_nobody_declined: [
        ("psp", "DELETE FROM operation WHERE reason = 'insufficient_funds'")
    ] => ["psp.authorized"];
    capture_that_the_psp_does_not_know: [
        ("psp", "UPDATE authorization SET captured = 0 WHERE merchant = 'MERCHANT-4'")
    ] => ["psp.moved"];
    refund_that_the_psp_does_not_know: [
        ("psp", "UPDATE authorization SET refunded = 29 WHERE merchant = 'MERCHANT-1'")
    ] => ["psp.moved"];
    refund_operation_of_another_amount: [
        ("psp", "UPDATE operation SET approved = approved - 1 WHERE kind = 'refund' AND approved = 30"),
        ("psp", "UPDATE authorization SET refunded = 29 WHERE merchant = 'MERCHANT-1'")
    ] => ["psp.moved"];
    release_that_the_psp_does_not_know: [
        ("psp", "UPDATE authorization SET voided = 0 WHERE merchant = 'MERCHANT-2'")
    ] => ["psp.moved"];
    capture_that_failed_and_was_done: [
        ("psp", "UPDATE authorization SET captured = 5002 WHERE merchant = 'MERCHANT-7'")
    ] => ["psp.moved"];
    authorization_of_no_payment: [
        ("psp", "INSERT INTO authorization VALUES ('psp_auth_pay_0000000000001', 'pay_0000000000001', 'MERCHANT-1', \
            'KRW', 1, 0, 0, 0)")
    ] => ["psp.known"];
    operation_of_no_payment: [
        ("psp", "INSERT INTO operation VALUES ('cap_pay_7000000000001', 'capture', NULL, 'x', 'KRW', 1, NULL, 'no', \
            1, 1)")
    ] => ["psp.known"];
    authorization_of_no_name: [
        ("psp", "INSERT INTO authorization VALUES ('other', 'pay_0000000000001', 'MERCHANT-1', 'KRW', 1, 0, 0, 0)")
    ] => ["psp.known"];
    operation_that_is_there_twice: [
        ("psp", "ALTER TABLE operation RENAME TO old; CREATE TABLE operation AS SELECT * FROM old; DROP TABLE old;"),
        ("psp", "INSERT INTO operation SELECT * FROM operation WHERE kind = 'void'")
    ] => ["psp.keys"];

    event_that_is_lost: [
        ("MERCHANT-4", "DELETE FROM outbox_event WHERE topic = 'payment.authorized'"),
        ("events", "DELETE FROM record WHERE kind = 'payment.authorized' AND payload LIKE '%MERCHANT-4\"%'")
    ] => ["events.complete"];
    event_that_is_told_again_under_another_id: [
        ("events", "INSERT INTO record SELECT position + 1000, 'evt_7000000000001', key, kind, source, time_ms, \
            subject, traceparent, payload FROM record WHERE kind = 'payment.voided'"),
        ("events", "UPDATE slot SET next_offset = next_offset + 2000 WHERE topic = 'payment.voided'"),
        ("events", "UPDATE consumer_offset SET next_offset = next_offset + 2000 WHERE slot IN (SELECT id FROM slot \
            WHERE topic = 'payment.voided')")
    ] => ["events.complete"];
    event_that_waits_and_should_not_be: [
        ("MERCHANT-4", "INSERT INTO outbox_event SELECT seq + 1000, event_id + 1, payment_id, topic, payload, \
            traceparent, occurred_at, NULL FROM outbox_event WHERE topic = 'payment.captured' AND payload LIKE \
            '%MERCHANT-4\"%'")
    ] => ["events.complete"];
    event_that_was_not_published: [
        ("events", "DELETE FROM record WHERE kind = 'payment.authorized' AND payload LIKE '%MERCHANT-4\"%'")
    ] => ["events.published"];
    event_of_no_payment: [
        ("events", "INSERT INTO record SELECT position + 1000, 'evt_7000000000001', 'pay_0000000000001', kind, \
            source, time_ms, subject, traceparent, payload FROM record WHERE kind = 'payment.voided'")
    ] => ["events.known"];
    event_of_nothing: [
        ("events", "INSERT INTO record SELECT position + 1000, 'evt_7000000000001', 'nobody', kind, source, time_ms, \
            subject, traceparent, payload FROM record WHERE kind = 'payment.voided'")
    ] => ["events.known"];
    event_that_is_there_twice: [
        ("events", UNLOCK_LOG),
        ("events", "INSERT INTO record SELECT position + 1000, id, key, kind, source, time_ms, subject, traceparent, \
            payload FROM record WHERE kind = 'payment.voided'")
    ] => ["events.unique"];
    events_in_the_wrong_order: [
        ("events", UNLOCK_LOG),
        ("events", "UPDATE record SET position = position + 1000 WHERE position = (SELECT min(position) FROM record \
            WHERE kind = 'payment.refunded' AND payload LIKE '%MERCHANT-6\"%')")
    ] => ["events.ordered"];
    outbox_in_the_wrong_order: [
        ("MERCHANT-4", "UPDATE outbox_event SET seq = seq + 1000 WHERE topic = 'payment.authorized' AND payload LIKE \
            '%MERCHANT-4\"%'")
    ] => ["events.ordered"];

    status_that_does_not_fit: [
        ("MERCHANT-1", "UPDATE payment SET status = 'REFUNDED' WHERE merchant_id = 'MERCHANT-1'")
    ] => ["payment.amounts"];
    payment_that_is_never_looked_at: [
        ("MERCHANT-3", "UPDATE payment SET due_at = NULL WHERE merchant_id = 'MERCHANT-3'")
    ] => ["payment.amounts"];
    refund_of_another_merchant: [
        ("MERCHANT-1", "UPDATE refund SET merchant_id = 'MERCHANT-9' WHERE merchant_id = 'MERCHANT-1'")
    ] => ["payment.refunds"];
    refunds_that_do_not_add_up: [
        ("MERCHANT-1", "PRAGMA ignore_check_constraints = ON; UPDATE payment SET refunded = 31 WHERE merchant_id = \
            'MERCHANT-1'")
    ] => ["payment.refunds"];
    refund_of_no_payment: [
        ("MERCHANT-1", "INSERT INTO refund VALUES (1, 1, 'MERCHANT-1', 'KRW', 1, 'REFUNDED', NULL, NULL, NULL, 1, 1, \
            1, NULL)")
    ] => ["payment.refunds"];
    void_without_a_request: [
        ("MERCHANT-2", "DELETE FROM settlement_request WHERE kind = 'void'")
    ] => ["payment.requests"];
    capture_with_an_open_request: [
        ("MERCHANT-4", "UPDATE settlement_request SET status = 'failed' WHERE payment_id = (SELECT id FROM payment \
            WHERE merchant_id = 'MERCHANT-4')")
    ] => ["payment.requests"];
    refund_without_a_request: [
        ("MERCHANT-1", "DELETE FROM refund_request WHERE amount = 30")
    ] => ["payment.requests"];
    payment_on_the_wrong_shard: [
        ("MERCHANT-3", "UPDATE payment SET merchant_id = 'MERCHANT-9' WHERE merchant_id = 'MERCHANT-3'"),
        ("psp", "UPDATE authorization SET merchant = 'MERCHANT-9' WHERE merchant = 'MERCHANT-3'")
    ] => ["payment.shard"];
    two_payments_under_one_key: [
        ("MERCHANT-1", "UPDATE payment SET claim = (SELECT claim FROM payment WHERE merchant_id = 'MERCHANT-1') WHERE \
            merchant_id = 'MERCHANT-3'")
    ] => ["keys.payments"];
    key_of_no_payment: [
        ("MERCHANT-1", "UPDATE idempotency_key SET payment_id = 1 WHERE operation = 'refund' AND merchant_id = \
            'MERCHANT-1'")
    ] => ["keys.payments"];
    answer_that_is_gone: [
        ("MERCHANT-1", "UPDATE idempotency_key SET outcome = NULL WHERE operation = 'authorize' AND merchant_id = \
            'MERCHANT-1'")
    ] => ["keys.answers"];
    key_that_never_ended: [
        ("MERCHANT-1", "UPDATE idempotency_key SET outcome = NULL, finished_at = NULL WHERE operation = 'authorize' \
            AND merchant_id = 'MERCHANT-1'")
    ] => ["keys.answers"];
    payment_that_nobody_ends: [
        ("MERCHANT-3", "UPDATE payment SET due_at = requested_at - 61000 WHERE merchant_id = 'MERCHANT-3'")
    ] => ["stuck.payments"];
    group_that_does_not_come_on: [
        ("events", "UPDATE record SET time_ms = time_ms - 61000 WHERE kind = 'payment.voided'"),
        ("events", "UPDATE consumer_offset SET next_offset = 0 WHERE slot IN (SELECT id FROM slot WHERE topic = \
            'payment.voided')")
    ] => ["stuck.consumers"];
}

#[tokio::test]
async fn authorization_under_way_without_a_claim() {
    let mut fixture = Fixture::open().await;
    fixture.intend("MERCHANT-1", 100).await;
    fixture.damage("shard-1", "DELETE FROM idempotency_key").await;
    assert_broken(&fixture, &["keys.payments"]).await;
}

#[tokio::test]
async fn request_that_nobody_works_on() {
    let mut fixture = Fixture::open().await;
    let id = fixture.authorize("MERCHANT-1", 100).await;
    fixture.change("MERCHANT-1", id, capture(80)).await;
    fixture.damage("shard-1", "UPDATE settlement_request SET due_at = created_at - 61000").await;
    assert_broken(&fixture, &["stuck.requests"]).await;
}

#[tokio::test]
async fn event_that_nobody_publishes() {
    let mut fixture = Fixture::open().await;
    fixture.authorize("MERCHANT-1", 100).await;
    fixture.damage("shard-1", "UPDATE outbox_event SET occurred_at = occurred_at - 61000").await;
    assert_broken(&fixture, &["stuck.outbox"]).await;
    // As of a moment before, it had not waited for long: so a backup is judged.
    let sources = Sources::open(&Config::default(), fixture.dir.path()).await.unwrap();
    let then = Clock::simulated(Clock::system().now_ms() - 61_000);
    let report = audit(&sources, Report::new(false, EXAMPLES), &then).await.unwrap();
    assert!(report.is_clean(), "{report}");
}
