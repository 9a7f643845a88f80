//! The life of payments, as a merchant sees it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::node::{TestNode, order};

#[tokio::test]
async fn what_grows_is_shown_in_pages_and_ends_at_its_limit() {
    let node = TestNode::start_with(&[("PAYMENT__REFUNDS_MAX", "60")]).await;
    let payment = node.captured(1_000).await;
    for number in 0..60 {
        node.refund(&payment, json!({"amount": 1, "idempotencyKey": format!("refund-{number}")})).await.expect(200);
    }
    let one_more = json!({"amount": 1, "idempotencyKey": "one more"});
    let refused = node.refund(&payment, one_more).await.expect_problem(422, "refund_limit_reached");
    assert_eq!(refused.json()["limit"], 60);
    node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    let path = format!("/payments/{}", payment.id);
    for (list, key, count) in [("refunds", "refundId", 60), ("ledger", "entryId", 61), ("events", "eventId", 123)] {
        if list == "ledger" {
            node.ledger(&payment, count).await;
        }
        let mut ids: Vec<String> = Vec::new();
        loop {
            let after = ids.last().map(|id| format!("&startingAfter={id}")).unwrap_or_default();
            let found = node.get(&format!("{path}?expand={list}&limit=25{after}")).await.expect(200).json();
            ids.extend(found[list].as_array().unwrap().iter().map(|shown| shown[key].as_str().unwrap().to_owned()));
            if found["hasMore"] != true {
                break;
            }
        }
        assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (count, count), "{list}");
        assert!(ids.is_sorted(), "{list}");
    }
    let (mut entries, mut next) = (Vec::new(), String::new());
    loop {
        let found = node.get(&format!("{path}/timeline?limit=40{next}")).await.expect(200).json();
        entries.extend(found["entries"].as_array().unwrap().clone());
        if found["hasMore"] != true {
            break;
        }
        next = format!("&startingAfter={}", found["next"].as_str().unwrap());
    }
    let of = |what: &str| entries.iter().filter(|entry| entry["what"] == what).count();
    assert_eq!((of("event"), of("ledger_entry"), of("requested")), (123, 61, 1));
    for (place, entry) in entries.iter().enumerate().filter(|(_, entry)| entry["what"] == "ledger_entry") {
        assert_eq!(entries[place - 1]["eventId"], entry["eventId"], "each behind its event");
    }
    node.audit().await;
}

#[tokio::test]
async fn a_payment_is_authorized_captured_and_refunded() {
    TestNode::start().await.payment_is_authorized_captured_and_refunded().await;
}

#[tokio::test]
async fn what_was_begun_is_finished_even_if_the_client_leaves() {
    // The resolver, which finishes what a crash leaves, comes too late to be the one.
    let settings = [("PSP__SIMULATOR__LATENCY_MS", "1000"), ("RESOLVER__AFTER_MS", "3600000")];
    let node = TestNode::start_with(&settings).await;
    let body = order("MERCHANT-LEFT", 100);
    let request = node.http.post(format!("{}/payments/authorize", node.url)).json(&body);
    let left = node.try_send(request.timeout(std::time::Duration::from_millis(300))).await;
    assert!(left.unwrap_err().is_timeout());
    crate::node::eventually("the payment is authorized", async || {
        let page = node.get("/payments?merchantId=MERCHANT-LEFT").await.expect(200).json();
        (page["data"][0]["status"] == "AUTHORIZED").then_some(())
    })
    .await;
}
