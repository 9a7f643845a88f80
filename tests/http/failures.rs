//! Why something failed: the same in every answer, and as the document says.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::node::{Payment, TestNode, order};
use crate::domain::event::Topic;
use crate::domain::failure::{FailureCode, PSP_CODES};
use crate::infra::psp::simulator::{MAGIC_AMOUNTS, MagicOf};

const MAGIC: (&str, &str) = ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true");
/// Ten tries within a minute.
const SOON: (&str, &str) = ("REQUESTS__RETRY_CAP_MS", "5000");

const ABOUT: &str = "# Failures

Why a payment, a capture or a refund failed. It is `failure {code, pspCode, message, retry}` in the answer of the call
(in a 402 beside the payment), in `GET /payments/{id}`, lists, refunds (`expand=refunds`) and `payment.failed` events.
Written from `src/domain/failure.rs` and `src/infra/psp/simulator/faults.rs`: `UPDATE=1 cargo test --lib
failures_document` writes it anew.

- `code` is what to program against. Codes are added, and never change their meaning: treat one that you do not know
  by its `retry`.
- `pspCode` is what the payment provider said, as it said it, 64 characters at most. It is left out where it said
  nothing.
- `retry` is `never` (the same fails again), `later` (the same may succeed later, under another idempotency key) or
  `other_method` (another card or account may do).
- `requested` and `approved`, each `{amount, currency}`, are the two amounts of an `amount_mismatch`. The payment is
  held as `UNKNOWN` until a person has settled it with the provider: see
  [PspAmountMismatch](operations.md#pspamountmismatch).
- `message` is for people.

A payment is `DECLINED` when the provider refused it, and `FAILED` when it never reached the provider. The latter is no
decline, in no rate either: the payment is over, and its `payment.failed` says `status` `FAILED` and `not_sent`. Its
idempotency key is free if the call was answered 503. If it was answered 202, that answer is what the key goes on to
give: look the payment up, and try again under another key. The version before wrote `DECLINED` with the reason
`not_sent`; such payments and events are read as `FAILED`.
";

const AMOUNTS: &str = "
## Amounts that force an outcome

With `psp.simulator.magic_amounts = true` these amounts, in any currency's minor unit, force an outcome at the
simulator, like a provider's test cards. They may be tried in this order, and again: the breaker stays closed. It opens
when 5 calls in a row fail, as in an outage, or half of at least 20 in ten seconds; a capture or refund that is tried
again and fails again counts once.

| amount | of | the simulator | what is seen |
| --- | --- | --- | --- |
";

fn document() -> String {
    let mut text = ABOUT.to_owned();
    text.push_str("\n## Codes\n\n| code | retry | meaning | the provider's codes |\n| --- | --- | --- | --- |\n");
    for code in FailureCode::ALL {
        let known = PSP_CODES.iter().find(|(known, _)| *known == code).map_or(&[][..], |(_, codes)| codes);
        let known: Vec<String> = known.iter().map(|code| format!("`{code}`")).collect();
        let known = if code == FailureCode::PspRefused { "every other one".to_owned() } else { known.join(", ") };
        let (name, retry, meaning) = (code.name(), code.retry().name(), code.meaning());
        writeln!(text, "| `{name}` | `{retry}` | {meaning} | {known} |").unwrap();
    }
    text.push_str(AMOUNTS);
    for magic in MAGIC_AMOUNTS {
        writeln!(text, "| {} | {} | {} | {} |", magic.amount, magic.of.name(), magic.outcome, magic.seen).unwrap();
    }
    text
}

#[test]
fn failures_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failures.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document(), "docs/failures.md is old: UPDATE=1 cargo test --lib failures_document");
}

/// Code, what the PSP said, and retry.
fn told(failure: &Value) -> [&str; 3] {
    ["code", "pspCode", "retry"].map(|member| failure[member].as_str().unwrap_or_default())
}

/// What was told of a payment's failures.
fn events_of(node: &TestNode, id: &str) -> Vec<Value> {
    let tables = node.store.shards.iter().map(|tables| tables.lock());
    let events = tables.flat_map(|tables| {
        let failed = tables.outbox.iter().filter(|row| row.topic == Topic::Failed.name());
        failed.map(|row| serde_json::from_str::<Value>(&row.payload).unwrap()).collect::<Vec<_>>()
    });
    events.filter(|event| event["paymentId"] == id).collect()
}

#[actix_web::test]
async fn decline_is_told_with_the_same_failure_everywhere() {
    let node = TestNode::start_with(&[MAGIC]).await;
    let body = order("MERCHANT-1", 4_002);
    let answer = node.post("/payments/authorize", &body).await.expect_problem(402, "payment_declined");
    let again = node.post("/payments/authorize", &body).await.expect(402);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &answer.text));
    // What the database has kept is told to the letter, too.
    node.restart().await;
    assert_eq!(node.post("/payments/authorize", &body).await.expect(402).text, answer.text);
    let answer = answer.json();
    let failure = &answer["failure"];
    assert_eq!(told(failure), ["insufficient_funds", "insufficient_funds", "later"]);
    assert_eq!(failure["message"], "The payer's account lacks the money.");
    assert_eq!(&answer["payment"]["failure"], failure);
    let id = answer["payment"]["paymentId"].as_str().unwrap();
    let shown = node.get(&format!("/payments/{id}")).await.expect(200).json();
    let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!((&shown["failure"], &listed["data"][0]["failure"]), (failure, failure));
    let events = events_of(&node, id);
    assert_eq!((events.len(), &events[0]["failure"], &events[0]["status"]), (1, failure, &json!("DECLINED")));
    assert_eq!(events[0]["reason"], "insufficient_funds");
    node.audit().await;
}

#[actix_web::test]
async fn payment_that_never_reached_the_psp_has_failed_and_its_look_ups_read_as_such() {
    let node = TestNode::start_with(&[MAGIC]).await;
    let body = order("MERCHANT-1", 4_004);
    let id = node.post("/payments/authorize", &body).await.expect(202).json()["paymentId"].clone();
    let payment = Payment { id: id.as_str().unwrap().to_owned(), merchant: "MERCHANT-1".to_owned() };
    let failed = node.eventually(&payment, "FAILED").await;
    assert_eq!(told(&failed["failure"]), ["not_sent", "", "later"]);
    assert!(failed["message"].as_str().unwrap().contains("never reached"));
    let timeline = node.get(&format!("/payments/{}/timeline", payment.id)).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    let calls = entries.iter().filter(|entry| entry["what"] == "psp_call").map(|entry| {
        let mut words = entry["detail"].as_str().unwrap().split(' ');
        [words.next().unwrap(), words.next().unwrap()]
    });
    assert_eq!(calls.collect::<Vec<_>>(), [["authorize", "unknown"], ["lookup", "absent"], ["lookup", "absent"]]);
    let events = events_of(&node, &payment.id);
    assert_eq!((events.len(), &events[0]["failure"], &events[0]["status"]), (1, &failed["failure"], &json!("FAILED")));
    for (status, count) in [("FAILED", 1), ("DECLINED", 0)] {
        let listed = node.get(&format!("/payments?merchantId=MERCHANT-1&status={status}")).await.expect(200).json();
        assert_eq!(listed["data"].as_array().unwrap().len(), count, "{status}");
    }
    node.audit().await;
}

#[actix_web::test]
async fn amounts_that_differ_are_told_both_and_that_a_person_must_act() {
    let node = TestNode::start_with(&[MAGIC]).await;
    let held = node.post("/payments/authorize", &order("MERCHANT-1", 4_006)).await.expect(202).json();
    let failure = &held["failure"];
    assert_eq!((&held["status"], told(failure)), (&json!("UNKNOWN"), ["amount_mismatch", "", "never"]));
    assert_eq!(failure["requested"], json!({"amount": 4_006, "currency": "KRW"}));
    assert_eq!(failure["approved"], json!({"amount": 4_005, "currency": "KRW"}));
    for word in ["4006 KRW", "4005 KRW", "a person"] {
        assert!(failure["message"].as_str().unwrap().contains(word), "{failure:#}");
    }
    assert_eq!(held["message"], failure["message"]);
    let id = held["paymentId"].as_str().unwrap();
    assert_eq!(node.get(&format!("/payments/{id}")).await.expect(200).json()["failure"], *failure);
}

#[actix_web::test]
async fn captures_and_refunds_that_fail_say_why() {
    let node = TestNode::start_with(&[MAGIC, SOON]).await;
    for (amount, expected) in
        [(5_002, ["psp_unavailable", "", "later"]), (5_003, ["card_declined", "refused_by_issuer", "other_method"])]
    {
        let payment = node.authorize(amount).await;
        node.capture(&payment, json!({})).await.expect(200);
        let failed = node.eventually(&payment, "CAPTURE_FAILED").await;
        assert_eq!(told(&failed["failure"]), expected);
        let events = events_of(&node, &payment.id);
        assert_eq!((events.len(), &events[0]["failure"]), (1, &failed["failure"]));
        // Voided, it is not a payment that failed.
        node.void(&payment, json!({})).await.expect(200);
        assert_eq!(node.look_up(&payment).await["failure"], Value::Null);

        let payment = node.captured(10_000).await;
        node.refund(&payment, json!({"amount": amount})).await.expect(200);
        node.eventually(&payment, "CAPTURED").await;
        let shown = node.get(&format!("/payments/{}?expand=refunds", payment.id)).await.expect(200).json();
        assert_eq!((told(&shown["refunds"][0]["failure"]), &shown["failure"]), (expected, &Value::Null));
        let events = events_of(&node, &payment.id);
        assert_eq!((events.len(), &events[0]["failure"]), (1, &shown["refunds"][0]["failure"]));
    }
    node.audit().await;
}

/// What one who tries the table of magic amounts out does with each.
async fn try_out(node: &TestNode, amount: i64, of: MagicOf) {
    if of == MagicOf::Authorize {
        let status = node.post("/payments/authorize", &order("MERCHANT-1", amount)).await.status;
        let expected = match amount {
            4_002 => &[402][..],
            4_003 | 4_004 | 4_006 | 4_007 => &[202],
            4_005 => &[503],
            // Where nobody waits for three seconds, it is an answer that did not come.
            4_008 => &[200, 202],
            _ => panic!("{amount} is new: say what it is answered"),
        };
        assert!(expected.contains(&status), "{amount}: {status}");
        return;
    }
    let captured = node.authorize(amount).await;
    node.capture(&captured, json!({})).await.expect(200);
    let status = if amount == 5_001 { "CAPTURED" } else { "CAPTURE_FAILED" };
    node.eventually(&captured, status).await;
    let refunded = node.captured(10_000).await;
    node.refund(&refunded, json!({"amount": amount})).await.expect(200);
    let status = if amount == 5_001 { "PARTIALLY_REFUNDED" } else { "CAPTURED" };
    node.eventually(&refunded, status).await;
}

async fn tried_in_order_twice_leave_the_breaker_closed(settings: &[(&str, &str)]) {
    let node = TestNode::start_with(settings).await;
    for magic in MAGIC_AMOUNTS.iter().chain(&MAGIC_AMOUNTS) {
        try_out(&node, magic.amount, magic.of).await;
    }
    let breakers = node.get("/admin/breakers").await.expect(200).json();
    for breaker in breakers["data"].as_array().unwrap() {
        assert_eq!((&breaker["state"], &breaker["transitions"]), (&json!("closed"), &json!([])), "{breakers:#}");
    }
}

#[actix_web::test]
async fn magic_amounts_leave_the_breaker_closed() {
    tried_in_order_twice_leave_the_breaker_closed(&[MAGIC, SOON]).await;
}

/// So that all of them fall into one window of the breaker.
#[actix_web::test]
async fn magic_amounts_that_take_no_time_leave_the_breaker_closed() {
    let settings = [
        MAGIC,
        ("PSP__TIMEOUT_MS", "10"),
        ("REQUESTS__RETRY_BASE_MS", "1"),
        ("REQUESTS__RETRY_CAP_MS", "2"),
        ("REQUESTS__POLL_MS", "10"),
        ("BREAKER__WINDOW_MS", "600000"),
    ];
    tried_in_order_twice_leave_the_breaker_closed(&settings).await;
}
