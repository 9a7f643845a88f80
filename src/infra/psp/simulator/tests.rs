use std::path::PathBuf;
use std::sync::Arc;

use super::books::{BookedOutcome, Books};
use super::*;
use crate::domain::{Currency, Money, PaymentId, RefundId};
use crate::infra::faulty_disk::{DiskFault, FaultyDisk};
use crate::infra::psp::Action;

struct Bank {
    psp: Arc<Simulator>,
    home: tempfile::TempDir,
}

impl Bank {
    async fn open(config: SimulatorConfig) -> Self {
        let home = tempfile::tempdir().unwrap();
        let psp = start(&home.path().join("psp.db"), config).await;
        Self { psp, home }
    }

    async fn honest() -> Self {
        Self::open(SimulatorConfig::default()).await
    }

    async fn with_magic() -> Self {
        Self::open(SimulatorConfig { magic_amounts: true, timeout_ms: 1, ..Default::default() }).await
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("psp.db")
    }

    async fn books(&self) -> Books {
        Books::open_read_only(&self.file()).await.unwrap()
    }

    async fn perform(&self, operation: PspOperation) -> Result<PspAnswer, PspError> {
        self.psp.perform(&operation).await
    }

    /// Captured, refunded, voided.
    async fn position(&self, payment: i64) -> (i64, i64, bool) {
        let all = self.books().await.authorizations("", 1_000).await.unwrap();
        let id = PaymentId::from_stored(payment).to_string();
        let found = all.into_iter().find(|authorization| authorization.payment == id).unwrap();
        (found.captured, found.refunded, found.voided)
    }
}

async fn start(file: &Path, config: SimulatorConfig) -> Arc<Simulator> {
    let simulator = Simulator::start(file, config, Clock::system(), Chance::from_seed(7));
    Arc::new(simulator.unwrap())
}

fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::parse("KRW").unwrap())
}

fn operation(key: PspKey, payment: i64, minor: i64, action: Action) -> PspOperation {
    PspOperation {
        key,
        payment_id: PaymentId::from_stored(payment),
        merchant_id: "MERCHANT-1".into(),
        money: krw(minor),
        action,
    }
}

fn reference(payment: i64) -> String {
    format!("psp_{}", PspKey::authorize(PaymentId::from_stored(payment)))
}

fn authorize(payment: i64, minor: i64) -> PspOperation {
    operation(PspKey::authorize(PaymentId::from_stored(payment)), payment, minor, Action::Authorize)
}

fn capture(payment: i64, minor: i64) -> PspOperation {
    let action = Action::Capture { authorization: reference(payment) };
    operation(PspKey::capture(PaymentId::from_stored(payment), 1), payment, minor, action)
}

fn void(payment: i64, minor: i64) -> PspOperation {
    let action = Action::Void { authorization: reference(payment) };
    operation(PspKey::void(PaymentId::from_stored(payment)), payment, minor, action)
}

fn refund(payment: i64, refund: i64, minor: i64) -> PspOperation {
    let action = Action::Refund { authorization: reference(payment) };
    operation(PspKey::refund(RefundId::from_stored(refund)), payment, minor, action)
}

fn approved(operation: &PspOperation) -> Result<PspAnswer, PspError> {
    Ok(PspAnswer::Approved { reference: format!("psp_{}", operation.key), money: operation.money })
}

fn declined(reason: &str) -> Result<PspAnswer, PspError> {
    Ok(PspAnswer::Declined { reason: reason.into() })
}

#[tokio::test]
async fn simulator_reserves_captures_and_refunds_within_the_rules() {
    let bank = Bank::honest().await;
    for payment in 1..=3 {
        assert_eq!(bank.perform(authorize(payment, 100)).await, approved(&authorize(payment, 100)));
    }
    for (operation, reason) in [
        (capture(1, 60), None),
        (refund(1, 10, 40), None),
        (refund(1, 11, 21), Some("amount_exceeds_captured")),
        (refund(1, 12, 20), None),
        (refund(1, 13, 1), Some("amount_exceeds_captured")),
        (void(1, 100), Some("already_captured")),
        (void(2, 100), None),
        (capture(2, 100), Some("already_voided")),
        (refund(2, 14, 1), Some("already_voided")),
        (capture(3, 101), Some("amount_exceeds_authorized")),
        (refund(3, 15, i64::MAX), Some("amount_exceeds_captured")),
        (capture(4, 100), Some("authorization_not_found")),
        (PspOperation { merchant_id: "MERCHANT-2".into(), ..void(3, 100) }, Some("authorization_not_found")),
        (authorize(5, 0), Some("amount_invalid")),
    ] {
        let expected = reason.map_or_else(|| approved(&operation), declined);
        assert_eq!(bank.perform(operation.clone()).await, expected, "{operation:?}");
    }
    let second = PspOperation { key: PspKey::capture(PaymentId::from_stored(9), 1), ..capture(1, 40) };
    assert_eq!(bank.perform(second).await, declined("already_captured"), "a partial capture releases the rest");
    assert_eq!(bank.position(1).await, (60, 60, false));
    assert_eq!(bank.position(2).await, (0, 0, true));
    assert_eq!(bank.position(3).await, (0, 0, false));
}

#[tokio::test]
async fn key_has_one_effect_under_concurrency_and_after_a_restart() {
    let bank = Bank::honest().await;
    bank.perform(authorize(1, 100)).await.unwrap();
    bank.perform(capture(1, 100)).await.unwrap();
    let asked = (0..64).map(|_| {
        let psp = bank.psp.clone();
        tokio::spawn(async move { psp.perform(&refund(1, 1, 30)).await })
    });
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap(), approved(&refund(1, 1, 30)));
    }
    let again = start(&bank.file(), SimulatorConfig::default()).await;
    assert_eq!(again.perform(&refund(1, 1, 30)).await, approved(&refund(1, 1, 30)));
    for other in [refund(1, 1, 31), PspOperation { action: Action::Authorize, ..refund(1, 1, 30) }] {
        assert_eq!(again.perform(&other).await, declined("idempotency_key_reused"));
    }
    assert_eq!(bank.position(1).await, (100, 30, false));
    let books = bank.books().await;
    let entry = books.operation(refund(1, 1, 30).key.0.as_str()).await.unwrap().unwrap();
    assert_eq!((entry.times_asked, entry.outcome, entry.asked), (65, BookedOutcome::Approved(30), krw(30)));
    assert_eq!(books.count("refund").await.unwrap(), (1, 65));
    assert_eq!(books.count("authorize").await.unwrap(), (1, 1));
}

#[tokio::test]
async fn magic_amounts_force_their_outcome() {
    use PspError::{NotSent, Unknown};

    let bank = Bank::with_magic().await;
    let lost = || Err(Unknown("timed out".into()));
    let short = Ok(PspAnswer::Approved { reference: reference(4006), money: krw(4005) });
    for (amount, answer, looked_up) in [
        (4001, approved(&authorize(4001, 4001)), Some(approved(&authorize(4001, 4001)))),
        (4002, declined("insufficient_funds"), Some(declined("insufficient_funds"))),
        (4003, lost(), Some(approved(&authorize(4003, 4003)))),
        (4004, lost(), None),
        (4005, Err(NotSent("connection refused".into())), None),
        (4006, short.clone(), Some(short)),
        (4007, Err(Unknown("the answer makes no sense".into())), Some(approved(&authorize(4007, 4007)))),
    ] {
        let operation = authorize(amount, amount);
        assert_eq!(bank.perform(operation.clone()).await, answer, "{amount}");
        assert_eq!(bank.psp.lookup(&operation.key).await.transpose(), looked_up, "{amount}");
    }
    for payment in 1..=3 {
        bank.perform(authorize(payment, 9_000)).await.unwrap();
    }
    for attempt in 0..5 {
        let patient = bank.perform(capture(1, 5001)).await;
        assert_eq!(patient.is_ok(), attempt >= 3, "{attempt}");
        assert!(matches!(bank.perform(capture(2, 5002)).await, Err(NotSent(_))));
        assert_eq!(bank.perform(capture(3, 5003)).await, declined("refused_by_issuer"));
    }
    assert_eq!(bank.position(1).await, (5001, 0, false));
    assert_eq!(bank.position(2).await, (0, 0, false));
    assert_eq!(bank.position(3).await, (0, 0, false));
}

#[tokio::test]
async fn cancelled_call_keeps_its_effect() {
    let bank = Bank::open(SimulatorConfig { timeout_permille: 1_000, ..Default::default() }).await;
    let (psp, operation) = (bank.psp.clone(), authorize(1, 100));
    let waiting = tokio::spawn(async move { psp.perform(&operation).await });
    let books = bank.books().await;
    while books.count("authorize").await.unwrap().0 == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert_eq!(bank.psp.lookup(&authorize(1, 100).key).await.transpose(), Some(approved(&authorize(1, 100))));
    assert_eq!(bank.position(1).await, (0, 0, false));
}

#[tokio::test]
async fn fault_rates_are_met_and_recorded_in_the_books() {
    let bank = Bank::open(SimulatorConfig {
        decline_permille: 200,
        failure_permille: 100,
        timeout_permille: 100,
        garbage_permille: 100,
        timeout_ms: 0,
        ..Default::default()
    })
    .await;
    let asked = (0..1_000).map(|payment| bank.perform(authorize(payment, 100)));
    let answers = futures_util::future::join_all(asked).await;
    let count = |wanted: fn(&Result<PspAnswer, PspError>) -> bool| answers.iter().filter(|a| wanted(a)).count();
    let not_sent = count(|answer| matches!(answer, Err(PspError::NotSent(_))));
    let unknown = count(|answer| matches!(answer, Err(PspError::Unknown(_))));
    let refused = count(|answer| matches!(answer, Ok(PspAnswer::Declined { .. })));
    assert!((70..130).contains(&not_sent) && (150..250).contains(&unknown) && (150..250).contains(&refused));
    let books = bank.books().await;
    assert_eq!(books.count("authorize").await.unwrap().0 as usize, 1_000 - not_sent);
    let mut pages = Vec::new();
    while let page = books.authorizations(pages.last().map_or("", String::as_str), 64).await.unwrap()
        && !page.is_empty()
    {
        pages.extend(page.into_iter().map(|authorization| authorization.reference));
    }
    assert_eq!(pages.len(), 1_000 - not_sent - refused);
}

#[tokio::test]
async fn fault_rates_above_a_thousand_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let config = SimulatorConfig { decline_permille: 1_001, ..Default::default() };
    let file = home.path().join("psp.db");
    let refused = Simulator::start(&file, config, Clock::system(), Chance::from_seed(1)).err();
    assert!(matches!(refused, Some(StartError::Config(RatesExceedWhole { sum: 1_001 }))));
}

#[tokio::test]
async fn full_disk_makes_outcomes_unknown_and_keeps_the_books_correct() {
    let home = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(home.path());
    let bank = Bank { psp: start(&home.path().join("psp.db"), SimulatorConfig::default()).await, home };
    let authorize = |payment| authorize(payment, 100);
    bank.perform(authorize(1)).await.unwrap();
    disk.fail(DiskFault::Full);
    for payment in 2..5 {
        assert!(matches!(bank.perform(authorize(payment)).await, Err(PspError::Unknown(_))));
    }
    disk.heal();
    assert_eq!(bank.psp.lookup(&authorize(2).key).await, Ok(None), "nothing was done");
    for payment in 2..5 {
        assert!(matches!(bank.perform(authorize(payment)).await, Ok(PspAnswer::Approved { .. })));
    }
    assert_eq!(bank.books().await.count("authorize").await.unwrap(), (4, 4));
}
