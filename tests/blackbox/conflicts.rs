//! Calls that exclude each other: exactly one of them wins, whatever their order.

use crate::node::TestNode;

#[tokio::test]
async fn of_two_refunds_that_do_not_fit_together_one_succeeds() {
    TestNode::start().await.one_of_two_refunds_succeeds().await;
}

#[tokio::test]
async fn of_capture_and_void_one_succeeds() {
    TestNode::start().await.capture_or_void_succeeds().await;
}
