//! Stories that must come true wherever a node is: in process, in a process of its own, and on real servers.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::Answer;

/// Gives a type the stories, over its verbs, `post` and `audit`.
macro_rules! stories {
    ($node:ty) => {
        impl $node {
            /// One payment from its authorization to the refund of all, with its ledger entries and its timeline.
            pub async fn payment_is_authorized_captured_and_refunded(&self) {
                let payment = self.authorize(50_000).await;
                let captured = self.capture(&payment, json!({})).await.expect(200).json();
                assert_eq!(captured["status"], "CAPTURE_REQUESTED");
                let captured = self.eventually(&payment, "CAPTURED").await;
                assert_eq!(captured["amounts"]["captured"], 50_000);
                let refunded = self.refund(&payment, json!({"reason": "torn"})).await.expect(200).json();
                assert_eq!(refunded["status"], "REFUND_REQUESTED");
                assert!(refunded["refundId"].as_str().unwrap().starts_with("ref_"));
                let refunded = self.eventually(&payment, "REFUNDED").await;
                assert_eq!(refunded["amounts"]["refunded"], 50_000);
                assert_eq!(refunded["amounts"]["refundable"], 0);
                assert_booked_both_ways(&self.ledger(&payment, 2).await);
                let timeline = self.get(&format!("/payments/{}/timeline", payment.id)).await.expect(200).json();
                assert_tells_the_whole_life(&timeline);
                self.audit().await;
            }

            /// Two refunds at once that do not fit together.
            pub async fn one_of_two_refunds_succeeds(&self) {
                for _ in 0..10 {
                    let payment = self.captured(100).await;
                    let wish = json!({"amount": 60});
                    let (a, b) = tokio::join!(self.refund(&payment, wish.clone()), self.refund(&payment, wish));
                    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
                    won.expect(200);
                    let lost = lost.expect_problem(422, "refund_exceeds_captured").json();
                    assert_eq!(lost["refundable"], 40);
                    let found = self.eventually(&payment, "PARTIALLY_REFUNDED").await;
                    assert_eq!(found["amounts"]["refunded"], 60);
                }
                self.audit().await;
            }

            /// A capture and a void at once.
            pub async fn capture_or_void_succeeds(&self) {
                for _ in 0..10 {
                    let payment = self.authorize(100).await;
                    let (capture, void) =
                        tokio::join!(self.capture(&payment, json!({})), self.void(&payment, json!({})));
                    let captured = capture.status == 200;
                    let lost = if captured { void } else { capture };
                    lost.expect_problem(409, "payment_state_conflict");
                    self.eventually(&payment, if captured { "CAPTURED" } else { "VOIDED" }).await;
                }
                self.audit().await;
            }

            /// Sixty-four identical calls at once, and as many later. Whoever calls this checks what the PSP was asked.
            pub async fn identical_calls_are_one_payment(&self) {
                let body = order("MERCHANT-7", 1_000);
                let sixty_four = || (0..64).map(|_| self.post("/payments/authorize", &body));
                let at_once = futures_util::future::join_all(sixty_four()).await;
                let later = futures_util::future::join_all(sixty_four()).await;
                assert_one_payment(&at_once, &later);
            }
        }
    };
}

/// Holds the entries of a payment of 50 000 that was captured and refunded to what they must be.
pub fn assert_booked_both_ways(entries: &[Value]) {
    // Captures and refunds are topics of their own: which of the two is booked first is not promised.
    let booked: BTreeSet<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["debitAccount"].as_str().unwrap(),
                entry["creditAccount"].as_str().unwrap(),
                entry["amount"].as_i64(),
            )
        })
        .collect();
    let amount = Some(50_000);
    let both = [("merchant_receivable", "customer_funds", amount), ("customer_funds", "merchant_receivable", amount)];
    assert_eq!((entries.len(), booked), (2, both.into()));
}

/// Holds the timeline of that payment to all that it must tell.
pub fn assert_tells_the_whole_life(timeline: &Value) {
    let entries = timeline["entries"].as_array().unwrap();
    for (what, detail) in [
        ("requested", "authorize 50000 KRW"),
        ("psp_call", "authorize approved"),
        ("event", "payment.authorized"),
        ("event", "payment.capture-requested"),
        ("psp_call", "capture approved"),
        ("event", "payment.captured"),
        ("ledger_entry", "debit merchant_receivable credit customer_funds 50000 KRW"),
        ("event", "payment.refund-requested"),
        ("psp_call", "refund approved"),
        ("event", "payment.refunded"),
        ("ledger_entry", "debit customer_funds credit merchant_receivable 50000 KRW"),
    ] {
        let told =
            entries.iter().any(|entry| entry["what"] == what && entry["detail"].as_str().unwrap().starts_with(detail));
        assert!(told, "{what} {detail}: {timeline:#}");
    }
}

/// Holds the answers of identical calls to one execution and one answer.
pub fn assert_one_payment(at_once: &[Answer], later: &[Answer]) {
    let (mut fresh, mut texts) = (0, HashSet::new());
    for answer in at_once {
        match answer.status {
            200 => {
                texts.insert(answer.text.clone());
                fresh += usize::from(answer.header("idempotent-replayed").is_none());
            }
            409 => {
                assert_eq!(answer.code(), "idempotency_in_progress");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!((fresh, texts.len()), (1, 1), "one execution, one answer");
    for answer in later {
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, Some("true")));
        assert!(texts.contains(&answer.text));
    }
}
