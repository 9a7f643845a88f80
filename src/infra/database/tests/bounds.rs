//! Rows and statements that do not grow without end.

use super::*;
use crate::domain::payment::Refusal;
use crate::domain::timeline::{Timeline, TimelineEntry};

impl Fixture {
    /// Refunds one unit after the other, all at the PSP.
    async fn refund_many(&mut self, id: PaymentId, count: usize) {
        for _ in 0..count {
            self.change(id, Change::Refund { amount: Some(1), reason: Some("O'Hara\\".into()) }).await;
            let due = self.db.requests_due(Timestamp(i64::MAX), true, 10).await.unwrap();
            self.work(due[0].clone()).await;
        }
    }

    async fn captured(&mut self, minor: i64) -> PaymentId {
        let order = order(1, minor);
        let mut read_set = ReadSet::default();
        order.reads(&mut read_set);
        self.run(read_set, |unit| order.decide(unit)).await.unwrap();
        let conclusion = conclusion(1, approved(minor));
        let mut read_set = ReadSet::default();
        conclusion.reads(&mut read_set);
        self.run(read_set, |unit| conclusion.decide(unit)).await.unwrap().unwrap();
        self.change(order.payment_id, Change::Capture { amount: None }).await;
        let due = self.db.requests_due(Timestamp(i64::MAX), false, 10).await.unwrap();
        self.work(due[0].clone()).await;
        order.payment_id
    }

    /// All of the payment's timeline, page by page.
    async fn timeline(&self, id: PaymentId) -> Vec<TimelineEntry> {
        let payment = self.db.payment(id).await.unwrap().unwrap();
        let moved = payment.timeline.moved();
        let pages = self.db.timeline_pages(id, 0, moved, 10_000).await.unwrap();
        let mut told: Vec<_> = pages.iter().flat_map(|page| page.entries.entries()).collect();
        assert_eq!(told.len(), moved as usize);
        told.extend(payment.timeline.entries());
        told
    }
}

async fn a_payment_of_many_refunds_stays_small(mut fixture: Fixture) {
    let id = fixture.captured(10_000).await;
    fixture.refund_many(id, 250).await;
    let payment = fixture.db.payment(id).await.unwrap().unwrap();
    assert!(payment.timeline.as_stored().len() <= Timeline::ROW_BYTES_MAX);
    assert_eq!((payment.refunds, payment.refunded), (250, 250));
    let told = fixture.timeline(id).await;
    let events: Vec<_> = told.iter().filter_map(|entry| entry.event_id).collect();
    assert_eq!(events.len(), 2 + 1 + 2 * 250, "every event is there");
    assert!(events.windows(2).all(|pair| pair[0] < pair[1]), "and they rise");
    let mut from_the_middle = fixture.db.timeline_pages(id, 200, payment.timeline.moved(), 1).await.unwrap();
    let page = from_the_middle.pop().unwrap();
    assert!(page.first <= 200 && 200 < page.first + Timeline::PAGE_ENTRIES_MAX);
    fixture.book_events().await;
    let refunds = readable(fixture.db.refunds_of(id, None, 200).await.unwrap());
    let rest = readable(fixture.db.refunds_of(id, refunds.last().map(|refund| refund.id), 200).await.unwrap());
    assert_eq!((refunds.len(), rest.len()), (200, 50));
    fixture.drop().await;
}

#[tokio::test]
async fn a_payment_of_many_refunds_stays_small_on_sqlite() {
    a_payment_of_many_refunds_stays_small(Fixture::on_sqlite().await).await;
}

#[tokio::test]
async fn a_payment_of_many_refunds_stays_small_on_mariadb() {
    if let Some(fixture) = Fixture::on_mariadb().await {
        a_payment_of_many_refunds_stays_small(fixture).await;
    }
}

#[tokio::test]
async fn a_payment_has_so_many_refunds_and_no_more() {
    let mut fixture = Fixture::on_sqlite().await;
    fixture.policy.refunds_max = 3;
    let id = fixture.captured(100).await;
    fixture.refund_many(id, 3).await;
    let order = ChangePayment {
        payment_id: id,
        merchant_id: "MERCHANT-1".into(),
        change: Change::Refund { amount: Some(1), reason: None },
        keyed_request: None,
        request_id: "r".into(),
        trace: TRACE,
    };
    let mut read_set = ReadSet::default();
    order.reads(&mut read_set);
    let KeyOutcome::Fresh(refused) = fixture.run(read_set, |unit| order.decide(unit)).await.unwrap() else { panic!() };
    let limit = crate::domain::outcome::PaymentOutcome::Refused { refusal: Refusal::RefundLimitReached { limit: 3 } };
    assert_eq!(refused.outcome, limit);
}

#[tokio::test]
async fn the_server_says_what_it_takes() {
    let Some(fixture) = Fixture::on_mariadb().await else { return };
    assert!((1 << 16..1 << 31).contains(&fixture.db.packet_max.get()), "{}", fixture.db.packet_max.get());
    assert!(fixture.db.texts_max() > 1 << 14);
    fixture.drop().await;
}
