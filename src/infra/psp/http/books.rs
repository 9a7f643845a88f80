//! The simulator's books, read over HTTP as [`Books`](crate::infra::psp::simulator::books::Books) reads them from their
//! file.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::connection::{Connection, ExchangeError, OpenError, Settings};
use super::wire::NotFound;
use crate::infra::psp::simulator::books::{Authorization, OperationEntry};

/// Holds the longest page of the longest rows.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why the books cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("the server answered {0}")]
    Status(u16),
    #[error("the answer is invalid: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// The books behind a server.
#[derive(Debug, Clone)]
pub struct HttpBooks {
    connection: Connection,
    timeout: Duration,
}

impl HttpBooks {
    /// Connects with the first question, not here. The timeout is for each question.
    pub fn new(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self { connection: Connection::open(settings)?, timeout: settings.timeout })
    }

    /// Up to `max` (at most [`PAGE_MAX`](super::wire::PAGE_MAX)) authorizations whose reference is above `after` (at
    /// first, the empty text), by reference.
    pub async fn authorizations(&self, after: &str, max: u32) -> Result<Vec<Authorization>, BooksError> {
        self.page("authorizations", after, max).await
    }

    /// Up to `max` (at most [`PAGE_MAX`](super::wire::PAGE_MAX)) operations whose key is above `after` (at first, the
    /// empty text), by key.
    pub async fn operations(&self, after: &str, max: u32) -> Result<Vec<OperationEntry>, BooksError> {
        self.page("operations", after, max).await
    }

    /// The operation under a key; there is never more than one.
    pub async fn operation(&self, key: &str) -> Result<Option<OperationEntry>, BooksError> {
        let (status, body) = self.get(self.connection.url(&["v1", "books", "operations", key])).await?;
        match status {
            StatusCode::OK => Ok(Some(serde_json::from_slice(&body)?)),
            StatusCode::NOT_FOUND if !serde_json::from_slice::<NotFound>(&body)?.found => Ok(None),
            _ => Err(BooksError::Status(status.as_u16())),
        }
    }

    async fn page<T: DeserializeOwned>(&self, of: &str, after: &str, max: u32) -> Result<Vec<T>, BooksError> {
        let mut url = self.connection.url(&["v1", "books", of]);
        url.query_pairs_mut().append_pair("after", after).append_pair("limit", &max.to_string());
        match self.get(url).await? {
            (StatusCode::OK, body) => Ok(serde_json::from_slice(&body)?),
            (status, _) => Err(BooksError::Status(status.as_u16())),
        }
    }

    async fn get(&self, url: Url) -> Result<(StatusCode, Vec<u8>), ExchangeError> {
        let asked = async {
            match self.connection.exchange(Method::GET, url.clone(), None::<&()>, PAGE_BYTES_MAX).await {
                // A connection that was idle may have been closed meanwhile; reading twice does no harm.
                Err(ExchangeError::Outage(_)) => {
                    self.connection.exchange(Method::GET, url, None::<&()>, PAGE_BYTES_MAX).await
                }
                exchanged => exchanged,
            }
        };
        let exchanged = timeout(self.timeout, asked).await.map_err(|_| ExchangeError::Timeout)??;
        Ok((exchanged.status, exchanged.body))
    }
}
