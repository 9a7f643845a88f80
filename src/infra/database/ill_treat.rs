//! What `rialto torture` does to a MariaDB server on purpose. Nothing that serves comes here.

use std::str::FromStr;

use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor};

/// How hard connections are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    Query,
    Connection,
}

/// A server, as an administrator who may do everything reaches it.
#[derive(Debug)]
pub struct IllTreated(MySqlConnectOptions);

impl IllTreated {
    /// # Errors
    /// For what is no URL.
    pub fn new(url: &str) -> Result<Self, sqlx::Error> {
        Ok(Self(MySqlConnectOptions::from_str(url)?.disable_statement_logging()))
    }

    /// Kills what every connection of `user` is doing, or the connections. Returns how many there were.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn kill_all(&self, user: &str, kill: Kill) -> Result<u64, sqlx::Error> {
        let mut connection = self.0.connect().await?;
        let found = sqlx::query_scalar("SELECT id FROM information_schema.processlist WHERE user = ?").bind(user);
        let ids: Vec<i64> = found.fetch_all(&mut connection).await?;
        let what = if kill == Kill::Query { "QUERY" } else { "CONNECTION" };
        let mut killed = 0;
        for id in ids {
            // It may be gone by now.
            let done = connection.execute(format!("KILL {what} {id}").as_str()).await;
            killed += u64::from(done.is_ok());
        }
        connection.close().await?;
        Ok(killed)
    }

    /// `read_only` for everybody but administrators, or no more.
    ///
    /// # Errors
    /// As [`Self::kill_all`].
    pub async fn set_read_only(&self, is_read_only: bool) -> Result<(), sqlx::Error> {
        let mut connection = self.0.connect().await?;
        let set = format!("SET GLOBAL read_only = {}", u8::from(is_read_only));
        connection.execute(set.as_str()).await?;
        connection.close().await
    }
}
