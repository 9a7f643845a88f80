//! What Rialto is measured against, on the same tables of the same MariaDB servers:
//!
//! - `reference ceiling DATABASES SECONDS` writes a payment, an event and a stored answer for each authorization, 400
//!   in one transaction of three multi-row statements, on each database at once, with no HTTP: what the databases can
//!   take.
//! - `reference fill DATABASES ROWS` writes the same until each database has so many more payments.
//! - `reference plain DATABASES ADDRESS` serves `POST /payments/authorize` the plain way: a handler that writes the
//!   same three rows in one transaction a request, with no actors, no PSP, and no batching.
//!
//! DATABASES is what `shard.databases` is: a JSON list of URLs. The schema is Rialto's, and is made if it is missing.

mod rows;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use actix_web::{App, HttpResponse, HttpServer, ResponseError, web};
use futures_util::future::try_join_all;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, EntityTrait, TransactionTrait};
use serde::Deserialize;

use entities::{idempotency_key, outbox_event, payment};
use rows::Rows;

const BATCH: usize = 400;
/// Connections to each database that the plain handlers share.
const CONNECTIONS: u32 = 32;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ceiling", databases, seconds] => ceiling(open(databases, 1).await?, seconds.parse()?).await,
        ["fill", databases, rows] => fill(open(databases, 1).await?, rows.parse()?).await,
        ["plain", databases, address] => plain(open(databases, CONNECTIONS).await?, address).await,
        _ => Err("usage: reference ceiling DATABASES SECONDS | reference fill DATABASES ROWS | reference plain \
            DATABASES ADDRESS"
            .into()),
    }
}

async fn open(databases: &str, connections: u32) -> Result<Vec<DatabaseConnection>, Box<dyn std::error::Error>> {
    let urls: Vec<String> = serde_json::from_str(databases)?;
    let mut opened = Vec::new();
    for url in urls {
        let mut options = ConnectOptions::new(url);
        options.max_connections(connections).sqlx_logging(false).test_before_acquire(false);
        let database = Database::connect(options).await?;
        migrations::migrate::<migrations::ShardMigrator>(&database).await?;
        opened.push(database);
    }
    Ok(opened)
}

async fn ceiling(databases: Vec<DatabaseConnection>, seconds: u64) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let ends = begun + Duration::from_secs(seconds);
    let written = try_join_all(databases.iter().map(async |database| {
        let mut written = 0_usize;
        while Instant::now() < ends {
            write(database, batch()).await?;
            written += BATCH;
        }
        Ok::<_, DbErr>(written)
    }));
    let rows = written.await?.into_iter().sum::<usize>();
    println!("{:.0}", rows as f64 / begun.elapsed().as_secs_f64());
    Ok(())
}

async fn fill(databases: Vec<DatabaseConnection>, rows: usize) -> Result<(), Box<dyn std::error::Error>> {
    let filled = try_join_all(databases.iter().map(async |database| {
        for _ in 0..rows.div_ceil(BATCH) {
            write(database, batch()).await?;
        }
        Ok::<_, DbErr>(())
    }));
    filled.await.map(drop).map_err(Into::into)
}

/// Authorizations spread over merchants as the load generator spreads them.
fn batch() -> Vec<Rows> {
    let merchant = || format!("MERCHANT-{}", rand::random_range(1..=1000));
    (0..BATCH).map(|_| Rows::of(&merchant(), 50_000, "KRW", &rows::new_key())).collect()
}

/// One transaction for all.
async fn write(database: &DatabaseConnection, all: Vec<Rows>) -> Result<(), DbErr> {
    let (mut payments, mut events, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for Rows { payment, event, answer, .. } in all {
        payments.push(payment);
        events.push(event);
        answers.push(answer);
    }
    let tx = database.begin().await?;
    idempotency_key::Entity::insert_many(answers).exec_without_returning(&tx).await?;
    payment::Entity::insert_many(payments).exec_without_returning(&tx).await?;
    outbox_event::Entity::insert_many(events).exec_without_returning(&tx).await?;
    tx.commit().await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    merchant_id: String,
    amount: i64,
    currency: String,
    idempotency_key: String,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(#[from] DbErr);

impl ResponseError for Failed {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

async fn plain(databases: Vec<DatabaseConnection>, address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (databases, turns) = (Data::new(databases), Data::new(AtomicU64::new(0)));
    let server = HttpServer::new(move || {
        let app = App::new().app_data(databases.clone()).app_data(turns.clone());
        app.route("/payments/authorize", web::post().to(authorize))
    })
    .bind(address)?;
    println!("reference: serving on http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}

async fn authorize(
    order: Json<Order>,
    databases: Data<Vec<DatabaseConnection>>,
    turns: Data<AtomicU64>,
) -> Result<HttpResponse, Failed> {
    let turn = turns.fetch_add(1, Ordering::Relaxed) as usize;
    let rows = Rows::of(&order.merchant_id, order.amount, &order.currency, &order.idempotency_key);
    let answer = rows.answer_body.clone();
    write(&databases[turn % databases.len()], vec![rows]).await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}
