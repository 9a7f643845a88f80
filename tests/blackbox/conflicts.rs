//! Calls that exclude each other: exactly one of them wins, whatever their order.

use serde_json::json;

use crate::node::TestNode;

#[tokio::test]
async fn of_two_refunds_that_do_not_fit_together_one_succeeds() {
    let node = TestNode::start().await;
    for _ in 0..10 {
        let payment = node.captured(100).await;
        let wish = json!({"amount": 60});
        let (a, b) = tokio::join!(node.refund(&payment, wish.clone()), node.refund(&payment, wish));
        let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
        won.expect(200);
        let lost = lost.expect_problem(422, "refund_exceeds_captured").json();
        assert_eq!(lost["refundable"], 40);
        let found = node.eventually(&payment, "PARTIALLY_REFUNDED").await;
        assert_eq!(found["amounts"]["refunded"], 60);
    }
    node.audit().await;
}

#[tokio::test]
async fn of_capture_and_void_one_succeeds() {
    let node = TestNode::start().await;
    for _ in 0..10 {
        let payment = node.authorize(100).await;
        let (capture, void) = tokio::join!(node.capture(&payment, json!({})), node.void(&payment, json!({})));
        let captured = capture.status == 200;
        let lost = if captured { void } else { capture };
        lost.expect_problem(409, "payment_state_conflict");
        node.eventually(&payment, if captured { "CAPTURED" } else { "VOIDED" }).await;
    }
    node.audit().await;
}
