//! What merchants look up: references, refunds, entries and balances.

use std::collections::BTreeMap;

use super::*;
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::reference::MerchantReference;
use crate::domain::refund::RefundStatus;
use crate::domain::{EntryId, RefundId};

const OF_ALL: EntryFilter =
    EntryFilter { merchant_id: String::new(), above: None, below: None, ascending: true, limit: 100 };

/// The oldest refunds of the merchant, up to `limit`.
fn all_refunds(limit: u64) -> RefundFilter {
    let merchant_id = "MERCHANT-1".to_owned();
    RefundFilter { merchant_id, statuses: Vec::new(), above: None, below: None, ascending: true, limit }
}

impl Fixture {
    /// Takes on a payment that is to have the reference for itself, and has the PSP say this.
    async fn authorize_as(&mut self, id: i64, reference: &str, verdict: Option<Verdict>) -> Result<(), ReferenceUsed> {
        let merchant_reference = Some(MerchantReference { text: reference.to_owned(), is_unique: true });
        let order = crate::domain::commands::Authorize { merchant_reference, ..order(id, 100) };
        let mut read_set = ReadSet::default();
        order.reads(&mut read_set);
        match self.run(read_set, |unit| order.decide(unit)).await.unwrap() {
            KeyOutcome::Fresh(taken) => taken?,
            other => panic!("{other:?}"),
        }
        if let Some(verdict) = verdict {
            let conclusion = concluded(&order, verdict);
            let mut read_set = ReadSet::default();
            conclusion.reads(&mut read_set);
            self.run(read_set, |unit| conclusion.decide(unit)).await.unwrap().unwrap();
        }
        Ok(())
    }

    async fn with_reference(&self, merchant_id: &str, reference: &str, statuses: &[PaymentStatus]) -> Vec<i64> {
        let filter = ListFilter {
            merchant_id: merchant_id.to_owned(),
            statuses: statuses.to_vec(),
            merchant_reference: Some(reference.to_owned()),
            above: None,
            below: None,
            ascending: true,
            limit: 10,
        };
        readable(self.db.list(&filter).await.unwrap()).iter().map(|payment| payment.id.get()).collect()
    }

    async fn entries(&self, filter: EntryFilter) -> Vec<LedgerEntry> {
        let filter = EntryFilter { merchant_id: "MERCHANT-1".to_owned(), ..filter };
        readable(self.db.entries(&filter).await.unwrap())
    }

    /// What a merchant's refunds are, those that have begun and those that wait.
    async fn refund_ids(&self, filter: RefundFilter) -> (Vec<RefundId>, Vec<RefundId>) {
        let begun = readable(self.db.refunds(&filter).await.unwrap()).iter().map(|refund| refund.id).collect();
        let waiting = self.db.waiting_refunds(&filter).await.unwrap().iter().map(|(id, _)| *id).collect();
        (begun, waiting)
    }

    async fn captured_and_refunded(&mut self, id: i64, refunds: usize) -> PaymentId {
        let id = self.authorize(id).await;
        self.change(id, Change::Capture { amount: None }).await;
        for _ in 0..refunds {
            self.change(id, Change::Refund { amount: Some(10), reason: None }).await;
        }
        id
    }

    async fn work_all(&mut self, refunds: bool) {
        for request in self.db.requests_due(Timestamp(i64::MAX), refunds, 100).await.unwrap() {
            self.work(request).await;
        }
    }
}

async fn a_reference_is_had_by_one_payment_until_that_is_declined(mut fixture: Fixture) {
    fixture.authorize_as(1, "order-7", None).await.unwrap();
    let used = |id| Err(ReferenceUsed { payment_id: PaymentId::from_stored(id) });
    assert_eq!(fixture.authorize_as(2, "order-7", None).await, used(1));
    // Every character counts, as do those that a collation might take for equal.
    for (id, other) in (3..).zip(["ORDER-7", "order-70", "order-_", "order-%"]) {
        fixture.authorize_as(id, other, Some(approved(100))).await.unwrap();
    }
    let declined = concluded(&order(1, 100), Verdict::Declined { reason: "card_declined".to_owned() });
    let mut read_set = ReadSet::default();
    declined.reads(&mut read_set);
    fixture.run(read_set, |unit| declined.decide(unit)).await.unwrap().unwrap();
    fixture.authorize_as(10, "order-7", Some(approved(100))).await.unwrap();
    assert_eq!(fixture.authorize_as(11, "order-7", None).await, used(10));
    let authorized = &[PaymentStatus::Authorized, PaymentStatus::Captured];
    assert_eq!(fixture.with_reference("MERCHANT-1", "order-7", &[]).await, [1, 10]);
    assert_eq!(fixture.with_reference("MERCHANT-1", "order-7", authorized).await, [10]);
    assert_eq!(fixture.with_reference("MERCHANT-1", "Order-7", &[]).await, [0; 0]);
    assert_eq!(fixture.with_reference("MERCHANT-2", "order-7", &[]).await, [0; 0]);
    fixture.drop().await;
}

async fn a_reference_given_by_two_hosts_at_once_is_given_once(mut fixture: Fixture) {
    let [first, second] = [1, 2].map(|id| {
        let merchant_reference = Some(MerchantReference { text: "order-7".to_owned(), is_unique: true });
        crate::domain::commands::Authorize { merchant_reference, ..order(id, 100) }
    });
    let mut read_set = ReadSet::default();
    first.reads(&mut read_set);
    fixture.run(read_set, |unit| first.decide(unit)).await.unwrap();
    // Decided on what was there before the first one's commit.
    let late = fixture.run(ReadSet::default(), |unit| second.decide(unit)).await;
    assert!(matches!(late, Err(DatabaseError::Conflict)), "{late:?}");
    assert_eq!(fixture.with_reference("MERCHANT-1", "order-7", &[]).await, [1]);
    fixture.drop().await;
}

async fn refunds_are_listed_while_they_wait_and_when_they_have_begun(mut fixture: Fixture) {
    let all = all_refunds(100);
    let id = fixture.captured_and_refunded(1, 3).await;
    let (begun, waiting) = fixture.refund_ids(all.clone()).await;
    assert_eq!((begun.len(), waiting.len()), (0, 3));
    assert_eq!(fixture.db.payment_of_waiting(waiting[1]).await.unwrap(), Some(id));
    fixture.work_all(false).await;
    assert_eq!(fixture.refund_ids(all.clone()).await, (waiting.clone(), Vec::new()));
    assert_eq!(fixture.db.payment_of_waiting(waiting[1]).await.unwrap(), None);
    fixture.work_all(true).await;
    let (first, last) = (waiting[0], waiting[2]);
    let between = RefundFilter { above: Some(first), below: Some(last), ..all.clone() };
    assert_eq!(fixture.refund_ids(between).await.0, waiting[1..2]);
    let newest = RefundFilter { ascending: false, limit: 2, ..all.clone() };
    assert_eq!(fixture.refund_ids(newest).await.0, [last, waiting[1]]);
    let done = RefundFilter { statuses: vec![RefundStatus::Refunded, RefundStatus::Failed], ..all.clone() };
    assert_eq!(fixture.refund_ids(done).await.0, waiting);
    let failed = RefundFilter { statuses: vec![RefundStatus::Failed], ..all.clone() };
    assert_eq!(fixture.refund_ids(failed).await.0, []);
    let others = RefundFilter { merchant_id: "MERCHANT-2".to_owned(), ..all };
    assert_eq!(fixture.refund_ids(others).await.0, []);
    fixture.drop().await;
}

/// As a node of the version before leaves them: it knows neither the table nor the columns.
async fn what_an_older_node_wrote_hides_nothing_and_is_not_taken_for_ours(mut fixture: Fixture) {
    let id = fixture.captured_and_refunded(1, 3).await;
    let captured = fixture.db.payment(id).await.unwrap().unwrap();
    assert_eq!(captured.capture.map(|capture| capture.amount), Some(100));
    let all = all_refunds(2);
    let (_, stale) = fixture.refund_ids(all_refunds(100)).await;
    fixture.work_all(false).await;
    for refund in &stale {
        let row = format!("INSERT INTO waiting_refund VALUES ({}, {}, 'MERCHANT-1')", refund.get(), id.get());
        fixture.db.writer.execute_unprepared(&row).await.unwrap();
    }
    let waits = fixture.captured_and_refunded(2, 2).await;
    let (_, waiting) = fixture.refund_ids(all).await;
    assert_eq!(waiting.len(), 2);
    assert!(waiting.iter().all(|refund| !stale.contains(refund)));
    assert_eq!(fixture.db.payment_of_waiting(waiting[0]).await.unwrap(), Some(waits));
    // It has another capture made.
    let anew = format!("UPDATE payment SET version = version + 1, capture_pending = 10 WHERE id = {}", waits.get());
    fixture.db.writer.execute_unprepared(&anew).await.unwrap();
    assert_eq!(fixture.db.payment(waits).await.unwrap().unwrap().capture, None);
    fixture.drop().await;
}

/// The balances after these entries, computed here.
fn sums(entries: &[LedgerEntry]) -> BTreeMap<BalanceKey, (i64, i64)> {
    let mut sums = BTreeMap::<_, (i64, i64)>::new();
    for entry in entries {
        let (debited, credited) = entry.balances();
        sums.entry(debited).or_default().0 += entry.money.minor;
        sums.entry(credited).or_default().1 += entry.money.minor;
    }
    sums
}

fn totals(balances: Vec<(BalanceKey, Balance)>) -> BTreeMap<BalanceKey, (i64, i64)> {
    balances.into_iter().map(|(key, balance)| (key, (balance.debits, balance.credits))).collect()
}

async fn balances_before_an_entry_are_the_sums_of_those_before(mut fixture: Fixture) {
    for id in 1..=3 {
        fixture.captured_and_refunded(id, 2).await;
    }
    fixture.work_all(false).await;
    fixture.work_all(true).await;
    fixture.book_events().await;
    let entries = fixture.entries(OF_ALL).await;
    assert_eq!(entries.len(), 9);
    assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    for (at, entry) in entries.iter().enumerate() {
        let before = fixture.db.balances_before("MERCHANT-1", entry.id).await.unwrap().unwrap();
        assert_eq!(totals(before), sums(&entries[..at]), "before entry {at}");
    }
    let now = fixture.db.balances("MERCHANT-1").await.unwrap();
    assert_eq!(totals(now), sums(&entries));
    let later = fixture.db.balances_before("MERCHANT-1", EntryId::from_stored(i64::MAX)).await.unwrap();
    assert_eq!(totals(later.unwrap()), sums(&entries));
    let others = fixture.db.balances_before("MERCHANT-2", EntryId::from_stored(0)).await.unwrap();
    assert_eq!(others, Some(Vec::new()));
    let between = EntryFilter { above: Some(entries[2].id), below: Some(entries[6].id), ..OF_ALL };
    assert_eq!(fixture.entries(between).await, entries[3..6]);
    let newest = fixture.entries(EntryFilter { ascending: false, limit: 2, ..OF_ALL }).await;
    assert_eq!(newest, [entries[8].clone(), entries[7].clone()]);
    assert!(fixture.db.has_entry(entries[0].id, "MERCHANT-1").await.unwrap());
    assert!(!fixture.db.has_entry(entries[0].id, "MERCHANT-2").await.unwrap());
    fixture.drop().await;
}

async fn balances_before_too_many_entries_are_not_summed_up(fixture: Fixture) {
    let numbers = match fixture.server {
        Some(_) => format!("SELECT seq AS n FROM seq_1_to_{}", ENTRIES_SINCE_MAX + 1),
        None => format!(
            "WITH RECURSIVE numbers(n) AS \
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n <= {ENTRIES_SINCE_MAX}) \
             SELECT n FROM numbers"
        ),
    };
    let book = format!(
        "INSERT INTO ledger_entry (id, event_id, payment_id, merchant_id, debit_account, credit_account, amount, \
            currency, created_at) \
         SELECT n, n, 1, 'MERCHANT-1', 'customer_funds', 'merchant_receivable', 2, 'KRW', 0 FROM ({numbers}) AS all_of"
    );
    fixture.db.writer.execute_unprepared(&book).await.unwrap();
    let before = async |id| fixture.db.balances_before("MERCHANT-1", EntryId::from_stored(id)).await.unwrap();
    assert_eq!(before(1).await, None);
    assert!(before(2).await.is_some());
    fixture.drop().await;
}

on_each! {
    a_reference_is_had_by_one_payment_until_that_is_declined
    a_reference_given_by_two_hosts_at_once_is_given_once
    refunds_are_listed_while_they_wait_and_when_they_have_begun
    what_an_older_node_wrote_hides_nothing_and_is_not_taken_for_ours
    balances_before_an_entry_are_the_sums_of_those_before
    balances_before_too_many_entries_are_not_summed_up
}
