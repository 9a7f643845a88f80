//! Redis behind bb8: a few connections that all users of Redis share, each call bounded in time.

pub mod eviction;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::{self, ManageConnection, RunError, State};
use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::{self, FromRedisValue, Pipeline, RedisError, ToRedisArgs};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::cache::CacheError;
use super::telemetry::pools::{PoolUse, Pools};

/// How to reach Redis. Not `Debug`: the URL may hold a password.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host:port/db`.
    pub url: String,
    /// Begins every key. With braces, as in `{rialto}:`, all keys share one slot of a Redis Cluster.
    pub key_prefix: String,
    /// What one call may take in all, the wait for a connection included.
    pub timeout: Duration,
    /// Connections at most, at least 1. Callers batch, so a handful is plenty.
    pub connections: u32,
}

impl RedisSettings {
    /// `url` with a prefix, a timeout (25 ms: many times a healthy answer over a local network, too short for a payer
    /// to notice) and connections (8) that suit most.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), key_prefix: "rialto:".into(), timeout: Duration::from_millis(25), connections: 8 }
    }
}

/// The connections to one Redis. Clones share them.
#[derive(Clone)]
pub struct RedisPool {
    pool: bb8::Pool<Manager>,
    /// Why the last connection could not be made, for the error of callers that waited for one.
    refusal: Refusal,
    key_prefix: Arc<str>,
    timeout: Duration,
    connections_max: u32,
}

impl RedisPool {
    /// Connects when first asked, so that the process can start while Redis is down. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the URL cannot be understood.
    pub fn connect(settings: RedisSettings) -> Result<Self, CacheError> {
        let redis = RedisConnectionManager::new(settings.url).map_err(|error| CacheError(error.to_string()))?;
        let refusal = Refusal::default();
        let connections_max = settings.connections.max(1);
        let pool = bb8::Pool::builder()
            .max_size(connections_max)
            .connection_timeout(settings.timeout.max(Duration::from_millis(1)))
            // A ping before each call would double its round trips; calls notice a broken connection themselves.
            .test_on_check_out(false)
            // The next caller tries again; a loop in the background would only delay the recovery.
            .retry_connection(false)
            .build_unchecked(Manager { redis, refusal: refusal.clone() });
        let (key_prefix, timeout) = (settings.key_prefix.into(), settings.timeout);
        Ok(Self { pool, refusal, key_prefix, timeout, connections_max })
    }

    /// Adds itself to the pools that the metrics show.
    pub fn show_in(&self, pools: &mut Pools) {
        let (pool, max) = (self.pool.clone(), self.connections_max);
        pools.add("redis".to_owned(), move || {
            let State { connections, idle_connections, .. } = pool.state();
            PoolUse { idle: idle_connections, used: connections.saturating_sub(idle_connections), max }
        });
    }

    /// The key of an object of this kind.
    pub fn key(&self, kind: &str, name: &[u8]) -> Vec<u8> {
        [self.key_prefix.as_bytes(), kind.as_bytes(), b":", name].concat()
    }

    /// Sends these commands together and takes their answers, in one round trip. A connection that had been closed
    /// meanwhile is replaced and the commands sent again, so they may execute twice.
    ///
    /// # Errors
    /// When there is no answer in time, or it is an error, or not a `T`.
    pub async fn call<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, CacheError> {
        match timeout(self.timeout, self.call_until_connected(commands)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late()),
        }
    }

    /// As [`RedisPool::call`], for one Lua script. The text goes along each time: at about a kilobyte a batch that is
    /// cheaper than the extra round trips of a server that has forgotten it.
    pub async fn eval<T: FromRedisValue>(
        &self,
        script: &str,
        keys: &[Vec<u8>],
        args: impl ToRedisArgs,
    ) -> Result<T, CacheError> {
        let mut command = redis::pipe();
        command.cmd("EVAL").arg(script).arg(keys.len()).arg(keys).arg(args);
        let (answer,) = self.call(&command).await?;
        Ok(answer)
    }

    async fn call_until_connected<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, CacheError> {
        loop {
            let mut wire = self.pool.get().await.map_err(|error| match error {
                RunError::User(error) => CacheError(error.to_string()),
                RunError::TimedOut => self.late(),
            })?;
            // Until there is a complete answer, and for good if the caller no longer waits for it.
            wire.is_spent = true;
            match commands.query_async(&mut wire.connection).await {
                Ok(answer) => {
                    wire.is_spent = false;
                    return Ok(answer);
                }
                // It was closed while it was idle, as all are after a restart: another one will work.
                Err(error) if error.is_connection_dropped() => {}
                Err(error) => return Err(CacheError(error.to_string())),
            }
        }
    }

    fn late(&self) -> CacheError {
        match &*self.refusal.lock() {
            Some(refusal) => CacheError(format!("no connection: {refusal}")),
            None => CacheError(format!("no answer within {:?}", self.timeout)),
        }
    }
}

type Refusal = Arc<Mutex<Option<String>>>;

/// A connection, and whether it must not be used again because an answer may still be on its way.
struct Wire {
    connection: MultiplexedConnection,
    is_spent: bool,
}

/// bb8-redis's manager with one addition: it can call a connection broken.
struct Manager {
    redis: RedisConnectionManager,
    refusal: Refusal,
}

impl ManageConnection for Manager {
    type Connection = Wire;
    type Error = RedisError;

    async fn connect(&self) -> Result<Wire, RedisError> {
        let connected = self.redis.connect().await;
        *self.refusal.lock() = connected.as_ref().err().map(ToString::to_string);
        Ok(Wire { connection: connected?, is_spent: false })
    }

    async fn is_valid(&self, wire: &mut Wire) -> Result<(), RedisError> {
        self.redis.is_valid(&mut wire.connection).await
    }

    fn has_broken(&self, wire: &mut Wire) -> bool {
        wire.is_spent
    }
}
