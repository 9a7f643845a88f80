//! Merchants' own names for payments: found by them, and given once where the merchant wants it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::node::{TestNode, eventually, new_key, order};

fn named(merchant: &str, amount: i64, reference: &str, is_unique: bool) -> Value {
    let mut body = order(merchant, amount);
    body["merchantReference"] = json!(reference);
    if is_unique {
        body["uniqueReference"] = json!(true);
    }
    body
}

async fn found(node: &TestNode, query: &str) -> Vec<String> {
    let page = node.get(&format!("/payments?{query}")).await.expect(200).json();
    let ids = page["data"].as_array().unwrap().iter().map(|payment| payment["paymentId"].as_str().unwrap().to_owned());
    ids.collect()
}

#[actix_web::test]
async fn payment_is_found_by_its_reference_and_shows_it_everywhere() {
    let node = TestNode::start().await;
    let paid = node.post("/payments", &named("MERCHANT-1", 100, "order-7", false)).await.expect(200).json();
    let id = paid["paymentId"].as_str().unwrap().to_owned();
    assert_eq!(paid["merchantReference"], "order-7");
    let second = node.post("/payments", &named("MERCHANT-1", 200, "order-7", false)).await.expect(200).json();
    let second = second["paymentId"].as_str().unwrap().to_owned();
    // Of another merchant in the same bucket, of another reference, and without one.
    node.post("/payments", &named("MERCHANT-1025", 100, "order-7", false)).await.expect(200);
    node.post("/payments", &named("MERCHANT-1", 100, "order-70", false)).await.expect(200);
    node.authorize(100).await;
    let query = "merchantId=MERCHANT-1&merchantReference=order-7";
    assert_eq!(found(&node, query).await, [second.clone(), id.clone()]);
    assert_eq!(found(&node, &format!("{query}&limit=1&startingAfter={second}")).await, std::slice::from_ref(&id));
    assert_eq!(found(&node, &format!("{query}&status=VOIDED")).await, Vec::<String>::new());
    assert_eq!(node.get(&format!("/payments/{id}")).await.expect(200).json()["merchantReference"], "order-7");
    let told = node.store.shards[0].lock().outbox.iter().any(|event| {
        let data: Value = serde_json::from_str(&event.payload).unwrap();
        data["paymentId"] == id.as_str() && data["merchantReference"] == "order-7"
    });
    assert!(told);
}

#[actix_web::test]
async fn reference_that_is_to_be_unique_is_given_once() {
    let node = TestNode::start().await;
    let first = node.post("/payments", &named("MERCHANT-1", 100, "order-7", true)).await.expect(200).json();
    let mut again = named("MERCHANT-1", 100, "order-7", true);
    let used = node.post("/payments", &again).await.expect_problem(409, "merchant_reference_used");
    assert_eq!(used.json()["paymentId"], first["paymentId"]);
    // Nothing was recorded under the key, and nobody was asked.
    assert_eq!(node.psp.count("authorize").await, (1, 1));
    again["merchantReference"] = json!("order-8");
    node.post("/payments", &again).await.expect(200);
    // One that was not given as a unique one holds it as well, and who does not mind gets it.
    node.post("/payments", &named("MERCHANT-1", 100, "order-9", false)).await.expect(200);
    let used = node.post("/payments", &named("MERCHANT-1", 100, "order-9", true)).await;
    used.expect_problem(409, "merchant_reference_used");
    node.post("/payments", &named("MERCHANT-1", 100, "order-7", false)).await.expect(200);
    // Another merchant's is its own.
    node.post("/payments", &named("MERCHANT-1025", 100, "order-7", true)).await.expect(200);
    node.audit().await;
}

#[actix_web::test]
async fn one_of_many_calls_at_once_gets_a_unique_reference() {
    let node = TestNode::start().await;
    for round in 0..5 {
        let bodies: Vec<_> = (0..16).map(|n| named("MERCHANT-1", 100 + n, &format!("order-{round}"), true)).collect();
        let answers = join_all(bodies.iter().map(|body| node.post("/payments", body))).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(done.len(), 1);
        for answer in refused {
            let used = answer.expect_problem(409, "merchant_reference_used").json();
            assert_eq!(used["paymentId"], done[0].json()["paymentId"]);
        }
    }
    node.audit().await;
}

#[actix_web::test]
async fn reference_of_a_declined_or_abandoned_payment_is_free_again() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    node.post("/payments", &named("MERCHANT-1", 4_002, "order-7", true)).await.expect(402);
    // Nothing reaches the PSP.
    node.post("/payments", &named("MERCHANT-1", 4_005, "order-7", true)).await.expect(503);
    let paid = node.post("/payments", &named("MERCHANT-1", 100, "order-7", true)).await.expect(200).json();
    node.post("/payments", &named("MERCHANT-1", 100, "order-7", true)).await.expect(409);
    assert_eq!(
        found(&node, "merchantId=MERCHANT-1&merchantReference=order-7&status=AUTHORIZED").await,
        [paid["paymentId"].as_str().unwrap()]
    );
    node.audit().await;
}

#[actix_web::test]
async fn both_paths_of_an_authorization_are_one_operation() {
    let node = TestNode::start().await;
    let body = named("MERCHANT-1", 100, "order-7", true);
    let first = node.post("/payments", &body).await.expect(200);
    for path in ["/payments/authorize", "/payments", "/api/payments"] {
        let again = node.post(path, &body).await.expect(200);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text), "{path}");
    }
    let mut other = body.clone();
    other["merchantReference"] = json!("order-8");
    node.post("/payments/authorize", &other).await.expect_problem(422, "idempotency_key_reused");
    let payment = node.authorize(1_000).await;
    let change = json!({"merchantId": payment.merchant, "idempotencyKey": new_key()});
    for (new, old) in [("capture", "capture"), ("refunds", "refund")] {
        let (new, old) = (format!("/payments/{}/{new}", payment.id), format!("/payments/{old}/{}", payment.id));
        let (first, again) = (node.post(&new, &change).await.expect(200), node.post(&old, &change).await);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text), "{new}");
    }
    let other = node.authorize(1_000).await;
    let (new, old) = (format!("/payments/{}/void", other.id), format!("/payments/void/{}", other.id));
    let (first, again) = (node.post(&new, &change).await.expect(200), node.post(&old, &change).await);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
    eventually("all is captured and refunded", async || {
        let shown = node.look_up(&payment).await;
        (shown["status"] == "REFUNDED").then_some(())
    })
    .await;
    node.audit().await;
}

#[actix_web::test]
async fn call_that_is_repeated_while_it_runs_takes_no_quota() {
    let slow = [("LIMITS__AUTHORIZE_PER_MINUTE", "2"), ("PSP__SIMULATOR__LATENCY_MS", "3000")];
    let node = TestNode::start_with(&slow).await;
    let body = order("MERCHANT-1", 100);
    let repeats = async {
        eventually("the first call runs", async || {
            let again = node.post("/payments", &body).await;
            (again.status == 409).then_some(())
        })
        .await;
        for _ in 0..10 {
            let again = node.post("/payments", &body).await;
            again.expect_problem(409, "idempotency_in_progress");
        }
    };
    let (first, ()) = tokio::join!(node.post("/payments", &body), repeats);
    first.expect(200);
    node.post("/payments", &order("MERCHANT-1", 100)).await.expect(200);
    node.post("/payments", &order("MERCHANT-1", 100)).await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn repeated_call_takes_no_quota() {
    let node = TestNode::start_with(&[("LIMITS__AUTHORIZE_PER_MINUTE", "2")]).await;
    let body = order("MERCHANT-1", 100);
    node.post("/payments", &body).await.expect(200);
    for _ in 0..20 {
        let again = node.post("/payments", &body).await.expect(200);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert!(again.header("ratelimit").unwrap().starts_with("\"authorize\";r=1;"), "{again:?}");
    }
    node.authorize(100).await;
    node.post("/payments", &order("MERCHANT-1", 100)).await.expect_problem(429, "rate_limited");
    // What is recorded is told whatever is left.
    node.post("/payments", &body).await.expect(200);
}
