//! A Redis for one test: a real `redis-server` on a free port, ended with the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bb8_redis::redis::{self, Client, FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::{RedisPool, RedisSettings};

/// Longer than anything that is to happen on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct RedisServer {
    port: u16,
    directory: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { port, directory: TempDir::new().unwrap(), process: None };
        server.restart().await;
        server
    }

    /// Starts it again on its port, empty.
    pub async fn restart(&mut self) {
        self.kill();
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        self.process = Some(process);
        eventually(async || self.ask::<String>(&["PING"]).await.ok()).await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Asks the server directly, without a pool.
    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = Client::open(self.url())?.get_multiplexed_async_connection().await?;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A pool whose timeout suits a busy machine.
    pub fn pool(&self) -> RedisPool {
        self.impatient_pool(Duration::from_secs(5))
    }

    pub fn impatient_pool(&self, timeout: Duration) -> RedisPool {
        let settings = RedisSettings { key_prefix: "test:".into(), timeout, ..RedisSettings::new(self.url()) };
        RedisPool::connect(settings).unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks again and again until there is something.
pub async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "still nothing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
