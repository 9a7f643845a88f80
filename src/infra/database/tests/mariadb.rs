//! What only MariaDB has: plans, a network, other hosts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::mysql::MySqlRow;
use sea_orm::sqlx::{Row, raw_sql};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Over the text protocol: the server prepares no ANALYZE and no EXPLAIN.
async fn rows(server: &str, sql: &str) -> Vec<MySqlRow> {
    let db = sea_orm::Database::connect(server).await.unwrap();
    let rows = raw_sql(sql).fetch_all(db.get_mysql_connection_pool()).await.unwrap();
    db.close().await.unwrap();
    rows
}

fn text(row: &MySqlRow, column: &str) -> Option<String> {
    row.try_get_unchecked(column).unwrap()
}

impl Fixture {
    fn url(&self) -> String {
        let (server, name) = self.server.as_ref().unwrap();
        format!("{server}/{name}")
    }

    /// The same database as another process sees it.
    async fn opened_at(&self, url: &str) -> ShardDatabase {
        ShardDatabase::open_mariadb(ShardId(1), url, false).await.unwrap()
    }
}

#[tokio::test]
async fn a_statement_over_tcp_takes_no_forty_milliseconds() {
    let Some(fixture) = Fixture::on_mariadb().await else { return };
    fixture.db.ping().await.unwrap();
    let begun = Instant::now();
    for _ in 0..100 {
        fixture.db.ping().await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?} for 100 round trips", begun.elapsed());
    fixture.drop().await;
}

/// How many migrations wait for a lock on the server.
async fn waiting_migrations(server: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM information_schema.innodb_trx \
         WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%seaql_migrations%'";
    rows(server, sql).await[0].get(0)
}

#[tokio::test]
async fn a_lock_that_is_held_for_too_long_puts_opening_off() {
    let Some(fixture) = Fixture::on_mariadb().await else { return };
    let url = fixture.url();
    let last = "FROM seaql_migrations WHERE version LIKE '%_000006_%'";
    let version: String = rows(&url, &format!("SELECT version {last}")).await[0].get(0);
    rows(&url, &format!("DELETE {last}")).await;
    let other = sea_orm::Database::connect(&url).await.unwrap();
    let mut lock = other.get_mysql_connection_pool().begin().await.unwrap();
    let insert = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{version}', 0)");
    raw_sql(&insert).execute(&mut *lock).await.unwrap();
    let opening = ShardDatabase::open_mariadb(ShardId(1), &url, true);
    let holding = async {
        eventually(async || waiting_migrations(&url).await > 0).await;
        eventually(async || waiting_migrations(&url).await == 0).await;
        lock.commit().await.unwrap();
    };
    let (opened, ()) = tokio::join!(opening, holding);
    opened.unwrap().ping().await.unwrap();
    fixture.drop().await;
}

/// The server looks at its transactions anew only when nobody has asked for a tenth of a second.
async fn eventually(condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Passes bytes on between clients and a server, and breaks the connection of the first COMMIT: before the server has
/// it, or after the server has answered it.
async fn commit_breaker(server: String, after_the_answer: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let is_armed = Arc::new(AtomicBool::new(true));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass_on(client, upstream, is_armed.clone(), after_the_answer));
        }
    });
    address
}

async fn pass_on(mut client: TcpStream, mut upstream: TcpStream, is_armed: Arc<AtomicBool>, after_the_answer: bool) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let is_broken = asked[..read].ends_with(b"COMMIT") && is_armed.swap(false, Ordering::Relaxed);
                if is_broken && !after_the_answer {
                    return;
                }
                upstream.write_all(&asked[..read]).await.unwrap();
                if is_broken {
                    assert!(upstream.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = upstream.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_read_back() {
    for is_committed in [true, false] {
        let Some(mut fixture) = Fixture::on_mariadb().await else { return };
        let (server, name) = fixture.server.clone().unwrap();
        let address = server.rsplit('@').next().unwrap().to_owned();
        // Nothing of the opening commits: the schema is there, and only looked at.
        let breaker = commit_breaker(address, is_committed).await;
        let own = fixture.db.clone();
        fixture.db = fixture.opened_at(&format!("mysql://rialto:rialto@{breaker}/{name}")).await;
        let result = fixture.run(ReadSet::default(), |unit| order(1, 100).decide(unit)).await;
        let stored = own.payment(order(1, 100).payment_id).await.unwrap();
        if is_committed {
            assert_eq!(result.unwrap(), KeyOutcome::Fresh(Ok(())));
            assert!(stored.is_some());
        } else {
            assert!(matches!(result, Err(DatabaseError::NotCommitted(_))), "{result:?}");
            assert_eq!(stored, None);
        }
        fixture.db = own;
        fixture.drop().await;
    }
}

#[tokio::test]
async fn a_host_that_hangs_in_a_transaction_frees_its_rows_in_time() {
    let Some(mut fixture) = Fixture::on_mariadb().await else { return };
    let id = fixture.authorize(1).await;
    let hung = fixture.db.writer.begin().await.unwrap();
    let mut read_set = ReadSet::default();
    read_set.payments.insert(id);
    let mut ids = IdGenerator::new(1);
    let policy = Policy::default();
    let mut unit = UnitOfWork::new(NOW, &policy, &mut ids);
    tables::load(&hung, &read_set, &mut unit).await.unwrap();
    let begun = Instant::now();
    let change = ChangePayment {
        payment_id: id,
        merchant_id: "MERCHANT-1".into(),
        change: Change::Capture { amount: None },
        keyed_request: None,
        request_id: "r".into(),
        trace: TRACE,
    };
    loop {
        let mut read_set = ReadSet::default();
        change.reads(&mut read_set);
        match fixture.run(read_set, |unit| drop(change.decide(unit))).await {
            Ok(_) => break,
            Err(DatabaseError::Conflict) => assert!(begun.elapsed() < Duration::from_secs(20)),
            Err(error) => panic!("{error}"),
        }
    }
    drop(hung);
    fixture.drop().await;
}

/// Two processes that change the same payments and balances at the same time.
#[tokio::test]
async fn two_writers_lose_nothing_of_each_others() {
    let Some(mut fixture) = Fixture::on_mariadb().await else { return };
    let mut payments = Vec::new();
    for id in 1..=5 {
        payments.push(fixture.authorize(id).await);
    }
    let other = fixture.opened_at(&fixture.url()).await;
    let adds = |db: ShardDatabase, node: u8| {
        let payments = payments.clone();
        tokio::spawn(async move {
            let policy = Policy::default();
            let mut ids = IdGenerator::new(node);
            let mut done = 0;
            while done < 100 {
                let mut read_set = ReadSet::default();
                read_set.payments.extend(&payments);
                let unit = UnitOfWork::new(NOW, &policy, &mut ids);
                let add = |unit: &mut UnitOfWork<'_>| {
                    for id in &payments {
                        let mut payment = unit.payments.get(id).unwrap().clone();
                        payment.attempts += 1;
                        unit.payments.put(*id, payment);
                    }
                };
                match db.batch(&read_set, unit, add).await {
                    Ok(_) => done += 1,
                    Err(DatabaseError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    };
    let (first, second) = tokio::join!(adds(fixture.db.clone(), 1), adds(other, 2));
    first.unwrap();
    second.unwrap();
    for id in payments {
        assert_eq!(fixture.db.payment(id).await.unwrap().unwrap().attempts, 200);
    }
    fixture.drop().await;
}

/// Enough rows of everything that an index is worth its while.
async fn fill(fixture: &mut Fixture) {
    for first in (1..2_000).step_by(100) {
        let orders: Vec<_> = (first..first + 100).map(|id| order(id, 100)).collect();
        fixture.run(ReadSet::default(), |unit| orders.iter().for_each(|order| drop(order.decide(unit)))).await.unwrap();
        let mut read_set = ReadSet::default();
        let conclusions: Vec<_> = (first..first + 100).map(|id| conclusion(id, approved(100))).collect();
        conclusions.iter().for_each(|conclusion| conclusion.reads(&mut read_set));
        fixture.run(read_set, |unit| conclusions.iter().for_each(|done| drop(done.decide(unit)))).await.unwrap();
    }
    let seqs: Vec<i64> = fixture.db.unpublished(1_900).await.unwrap().iter().map(|row| row.seq).collect();
    fixture.run(ReadSet::default(), |unit| unit.published = seqs).await.unwrap();
    for id in 1..=300 {
        fixture.change(PaymentId::from_stored(id), Change::Capture { amount: None }).await;
    }
    let later = Timestamp(NOW.0 + 60_000);
    for request in fixture.db.requests_due(later, false, 300).await.unwrap() {
        fixture.work(request).await;
    }
    for id in 1..=300 {
        fixture.change(PaymentId::from_stored(id), Change::Refund { amount: Some(1), reason: None }).await;
    }
    fixture.book_events().await;
    rows(
        &fixture.url(),
        "ANALYZE TABLE payment, refund, settlement_request, refund_request, ledger_entry, account_balance, \
        outbox_event, processed_event, dead_letter, idempotency_key",
    )
    .await;
}

/// Has the shard run each of its statements.
async fn run_each_statement(fixture: &mut Fixture) {
    let later = Timestamp(NOW.0 + 60_000);
    let id = fixture.authorize(9_001).await;
    fixture.change(id, Change::Capture { amount: Some(80) }).await;
    let due = fixture.db.requests_due(later, false, 10).await.unwrap();
    fixture.db.requests(&[due[0].id], false).await.unwrap();
    fixture.work(due[0].clone()).await;
    let due = fixture.db.requests_due(later, true, 10).await.unwrap();
    fixture.db.requests(&[due[0].id], true).await.unwrap();
    fixture.work(due[0].clone()).await;
    fixture.book_events().await;
    let seqs: Vec<i64> = fixture.db.unpublished(3).await.unwrap().iter().map(|row| row.seq).collect();
    fixture.run(ReadSet::default(), |unit| unit.published = seqs).await.unwrap();
    fixture.db.payments(&[id]).await.unwrap();
    fixture.db.refunds_of(id, None, 10).await.unwrap();
    fixture.db.ledger_of(id, None, 10).await.unwrap();
    fixture.db.payments_due(NOW, None, 10).await.unwrap();
    fixture.db.outbox_backlog().await.unwrap();
    fixture.db.dead_letters(&LetterFilter::default(), 10).await.unwrap();
    fixture.db.prune(NOW, NOW, 10).await.unwrap();
    let filter = ListFilter {
        merchant_id: "MERCHANT-1".into(),
        statuses: Vec::new(),
        merchant_reference: None,
        above: Some(PaymentId::from_stored(1)),
        below: None,
        ascending: false,
        limit: 20,
    };
    fixture.db.list(&filter).await.unwrap();
}

/// Every statement that a shard runs, as the server saw it, is explained by the server itself: each finds its rows by
/// an index.
#[tokio::test]
async fn no_statement_scans_a_table() {
    let Some(mut fixture) = Fixture::on_mariadb().await else { return };
    let (server, name) = fixture.server.clone().unwrap();
    fill(&mut fixture).await;
    admin(&server, "SET GLOBAL log_output = 'TABLE'").await;
    admin(&server, "SET GLOBAL general_log = 1").await;
    // The log has the values of what is prepared from here on.
    fixture.db = fixture.opened_at(&fixture.url()).await;
    run_each_statement(&mut fixture).await;
    admin(&server, "SET GLOBAL general_log = 0").await;

    let logged = rows(
        &server,
        &format!(
            "SELECT DISTINCT CONVERT(run.argument USING utf8mb4) AS sql_text \
             FROM mysql.general_log connect JOIN mysql.general_log run \
             ON run.thread_id = connect.thread_id AND run.event_time >= connect.event_time \
             WHERE connect.command_type = 'Connect' AND connect.argument LIKE '%{name}%' \
             AND run.command_type = 'Execute'"
        ),
    )
    .await;
    let statements: Vec<String> = logged.iter().filter_map(|row| text(row, "sql_text")).collect();
    let mut explained = 0;
    // An INSERT has no plan, and the schema is looked at once, when a process starts.
    for statement in statements.iter().filter(|text| !text.starts_with("INSERT") && !text.contains("seaql_migrations"))
    {
        for plan in rows(&fixture.url(), &format!("EXPLAIN {statement}")).await {
            let (kind, table, extra) = (text(&plan, "type"), text(&plan, "table"), text(&plan, "Extra"));
            assert_ne!(kind.as_deref(), Some("ALL"), "{table:?} is scanned ({extra:?}) by {statement}");
            explained += 1;
        }
    }
    assert!(explained > 20, "{explained} plans of {statements:#?}");
    fixture.drop().await;
}
