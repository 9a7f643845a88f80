//! The connection to the PSP's server: one bounded exchange of a request and its answer.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, Url};
use serde::Serialize;

/// How a PSP is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `http://host:port` or `https://host`, and what comes before `/v1`.
    pub base_url: String,
    /// What one call may take in all, its repetition included. Half of it may go by until a connection is made.
    pub timeout: Duration,
    /// Connections that are kept open while nobody uses them. There may be more while they are used.
    pub idle_connections: usize,
    /// Certificates (PEM) of an authority to trust beside those that everyone does.
    pub authority: Option<Vec<u8>>,
}

/// Why the PSP cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("not a base URL (http://host:port or https://host)")]
    Url,
    #[error("{0}")]
    Client(String),
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No connection was made, so nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The time is over.
    #[error("no answer in time")]
    Timeout,
    /// The connection ended before the answer began.
    #[error("the connection ended before the answer: {0}")]
    Outage(String),
    /// An answer began but did not come whole.
    #[error("the answer broke off: {0}")]
    Broken(String),
    #[error("the answer is longer than {0} bytes")]
    Long(usize),
}

/// An answer, whole.
pub(super) struct Exchanged {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// How long an unused connection is kept. Servers that end idle ones after 5 s are common (Node.js, actix-web): if a
/// request meets that end, it is unknown whether it arrived.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    client: Client,
    base: Url,
}

impl Connection {
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let base = Url::parse(&settings.base_url).map_err(|_| OpenError::Url)?;
        if !["http", "https"].contains(&base.scheme()) || base.cannot_be_a_base() {
            return Err(OpenError::Url);
        }
        let unusable = |error: reqwest::Error| OpenError::Client(root_cause(&error));
        let authority =
            settings.authority.as_deref().map(Certificate::from_pem_bundle).transpose().map_err(unusable)?;
        let builder = Client::builder()
            .http1_only()
            .tcp_nodelay(true)
            // A redirect would send the operation to an address that was not configured; so would a proxy of the
            // environment.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(settings.idle_connections)
            .pool_idle_timeout(IDLE_MAX)
            // Ends before the whole timeout, so that "nothing was sent" is certain where it is returned.
            .connect_timeout(settings.timeout / 2);
        let certificates = authority.into_iter().flatten();
        let client = certificates.fold(builder, ClientBuilder::add_root_certificate).build().map_err(unusable)?;
        Ok(Self { client, base })
    }

    /// The address of a path below the base; segments are escaped.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Sends one request, once, and reads an answer of at most `max` bytes.
    pub async fn exchange(
        &self,
        method: Method,
        url: Url,
        body: Option<&(impl Serialize + Sync)>,
        max: usize,
    ) -> Result<Exchanged, ExchangeError> {
        let request = self.client.request(method, url);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let mut response = request.send().await.map_err(|error| {
            if error.is_connect() {
                ExchangeError::Connect(root_cause(&error))
            } else {
                ExchangeError::Outage(root_cause(&error))
            }
        })?;
        let mut body = Vec::new();
        let broken = |error: reqwest::Error| ExchangeError::Broken(root_cause(&error));
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len().saturating_add(chunk.len()) > max {
                return Err(ExchangeError::Long(max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Exchanged { status: response.status(), body })
    }
}

/// The innermost error: the outer ones name the layers, and the URL, which may hold a secret.
fn root_cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if std::ptr::addr_eq(inner, error) { "request failed".to_owned() } else { inner.to_string() }
}
