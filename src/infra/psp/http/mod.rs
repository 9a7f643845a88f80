//! A PSP over HTTP, with TLS by rustls. [`wire`] is the protocol; the simulator can be served over it too (`rialto
//! psp-simulator`), and [`HttpBooks`] reads its books.
//!
//! How answers are interpreted, the safe way: `NotSent` only where nothing can have been done, else `Unknown`, which a
//! lookup settles.
//!
//! | what happens | `perform` | `lookup` |
//! | --- | --- | --- |
//! | 200, a decision | that | that |
//! | no connection | `NotSent` | `NotSent` |
//! | 503 `{"done": false}` | `NotSent` | `NotSent` |
//! | 404 `{"found": false}` | `Unknown` | nothing is known under the key |
//! | 400, 422 | `Unknown`: it may be a proxy that says so, and a lookup is cheap | `Unknown` |
//! | any other answer, none in time, one that breaks off or makes no sense | `Unknown` | `Unknown` |
//! | the connection ends before the answer | once more at once, see [`HttpPsp`] | same |
//!
//! The caller compares the money approved with the money asked for, as the port says.

mod books;
mod connection;
pub mod wire;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub use self::books::{BooksError, HttpBooks};
use self::connection::{Connection, Exchanged};
pub use self::connection::{ExchangeError, OpenError, Settings};
use self::wire::{Asked, Decision, NotDone, NotFound};
use super::{Psp, PspAnswer, PspError, PspOperation};
use crate::domain::psp::PspKey;

/// Longer answers are invalid, and are not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The PSP. A request that lost its connection before the answer is sent again, once and within the same time: a server
/// may close an idle connection just when the next request is sent on it, which is normal. It is safe because the PSP
/// performs an operation once for its key. The second answer is believed only if it is a decision: "nothing was sent"
/// or "nothing was done" would be true of the second try, not of the first.
#[derive(Debug, Clone)]
pub struct HttpPsp {
    connection: Connection,
    timeout: Duration,
}

impl HttpPsp {
    /// Connects with the first call, not here.
    pub fn new(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self { connection: Connection::open(settings)?, timeout: settings.timeout })
    }

    async fn call(
        &self,
        method: Method,
        key: &PspKey,
        body: Option<&Asked<&str>>,
    ) -> Result<Option<PspAnswer>, PspError> {
        let twice = async {
            match self.once(method.clone(), key, body).await {
                Err(ExchangeError::Outage(_)) => understood(self.once(method, key, body).await).map_err(|error| {
                    let (PspError::NotSent(why) | PspError::Unknown(why)) = error;
                    PspError::Unknown(format!("{why} (asked twice)"))
                }),
                exchanged => understood(exchanged),
            }
        };
        let late = || PspError::Unknown(ExchangeError::Timeout.to_string());
        timeout(self.timeout, twice).await.unwrap_or_else(|_| Err(late()))
    }

    async fn once(&self, method: Method, key: &PspKey, body: Option<&Asked<&str>>) -> Result<Exchanged, ExchangeError> {
        let url = self.connection.url(&["v1", "operations", &key.0]);
        self.connection.exchange(method, url, body, ANSWER_BYTES_MAX).await
    }
}

/// None if the PSP knows nothing under the key.
fn understood(exchanged: Result<Exchanged, ExchangeError>) -> Result<Option<PspAnswer>, PspError> {
    let Exchanged { status, body } = match exchanged {
        Ok(exchanged) => exchanged,
        Err(error @ ExchangeError::Connect(_)) => return Err(PspError::NotSent(error.to_string())),
        Err(error) => return Err(PspError::Unknown(error.to_string())),
    };
    match status {
        StatusCode::OK => match read::<Decision>(&body) {
            Some(decision) => Ok(Some(decision.into())),
            None => Err(PspError::Unknown("the answer makes no sense".to_owned())),
        },
        StatusCode::SERVICE_UNAVAILABLE if read::<NotDone>(&body).is_some_and(|answer| !answer.done) => {
            Err(PspError::NotSent("the PSP took nothing on".to_owned()))
        }
        StatusCode::NOT_FOUND if read::<NotFound>(&body).is_some_and(|answer| !answer.found) => Ok(None),
        _ => Err(PspError::Unknown(format!("the PSP answered {status}"))),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

#[async_trait]
impl Psp for HttpPsp {
    async fn perform(&self, operation: &PspOperation) -> Result<PspAnswer, PspError> {
        let answer = self.call(Method::PUT, &operation.key, Some(&Asked::from(operation))).await?;
        answer.ok_or_else(|| PspError::Unknown("the PSP answered that it found nothing".to_owned()))
    }

    async fn lookup(&self, key: &PspKey) -> Result<Option<PspAnswer>, PspError> {
        self.call(Method::GET, key, None).await
    }
}

#[cfg(test)]
mod tests;
