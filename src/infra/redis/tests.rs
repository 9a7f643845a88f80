use std::time::Instant;

use futures_util::future::join_all;

use super::testing::{RedisServer, eventually};
use super::*;

/// Long enough for a healthy Redis on a busy machine, and well below [`SOON`].
const PATIENCE: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_millis(600);

async fn echo(pool: &RedisPool, text: &str) -> Result<String, CacheError> {
    let (answer,) = pool.call(redis::pipe().cmd("ECHO").arg(text)).await?;
    Ok(answer)
}

#[tokio::test]
async fn unavailable_redis_costs_the_timeout_and_recovers_by_itself() {
    let mut server = RedisServer::start().await;
    server.kill();
    let pool = server.impatient_pool(PATIENCE);
    let begun = Instant::now();
    let CacheError(error) = echo(&pool, "x").await.unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(error.contains("refused"), "{error}");
    server.restart().await;
    eventually(async || echo(&pool, "x").await.ok()).await;
}

#[tokio::test]
async fn redis_restart_fails_no_call() {
    let mut server = RedisServer::start().await;
    let pool = server.pool();
    let texts: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    join_all(texts.iter().map(|text| echo(&pool, text))).await;
    assert!(pool.pool.state().connections > 1);
    server.restart().await;
    // All connections are dead; a call throws them away until it has a new one.
    assert_eq!(echo(&pool, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn slow_redis_costs_the_timeout_and_mixes_no_answers() {
    let server = RedisServer::start().await;
    let pool = server.impatient_pool(PATIENCE);
    eventually(async || echo(&pool, "warm").await.ok()).await;
    server.pause();
    let texts: Vec<String> = (0..32).map(|n| format!("slow-{n}")).collect();
    let begun = Instant::now();
    for answer in join_all(texts.iter().map(|text| echo(&pool, text))).await {
        assert!(answer.is_err());
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(
        pool.pool.state().statistics.connections_closed_broken > 0,
        "a connection with an answer in flight is kept"
    );
    server.resume();
    eventually(async || echo(&pool, "healed").await.ok()).await;
    for n in 0..200 {
        let text = format!("after-{n}");
        if let Ok(answer) = echo(&pool, &text).await {
            assert_eq!(answer, text);
        }
    }
}

#[tokio::test]
async fn abandoned_call_closes_its_connection() {
    let server = RedisServer::start().await;
    let pool = server.pool();
    echo(&pool, "warm").await.unwrap();
    server.pause();
    assert!(timeout(Duration::from_millis(20), echo(&pool, "given up")).await.is_err());
    server.resume();
    assert_eq!(echo(&pool, "next").await.unwrap(), "next");
    assert_eq!(pool.pool.state().statistics.connections_closed_broken, 1);
}

#[tokio::test]
async fn wrong_password_is_reported() {
    let server = RedisServer::start().await;
    server.ask::<()>(&["CONFIG", "SET", "requirepass", "secret"]).await.unwrap();
    let settings = RedisSettings { timeout: Duration::from_secs(1), ..RedisSettings::new(server.url()) };
    let open = |url: String| RedisPool::connect(RedisSettings { url, ..settings.clone() }).unwrap();
    let with = |password: &str| open(server.url().replace("://", &format!("://:{password}@")));
    let CacheError(error) = echo(&with("wrong"), "x").await.unwrap_err();
    assert!(error.to_lowercase().contains("password"), "{error}");
    assert_eq!(echo(&with("secret"), "x").await.unwrap(), "x");
}

#[test]
fn malformed_url_is_refused() {
    assert!(RedisPool::connect(RedisSettings::new("not an url")).is_err());
}
