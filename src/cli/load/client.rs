//! The client side of the API, as cheap as it can be: keep-alive HTTP/1.1 connections without Nagle's delay, each
//! with one request in flight, shared by all tasks of one thread.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;

const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long a failed connect holds its caller, so that a closed loop does not spin while the server is away.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Why a URL cannot be sent to.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not of the form `http://host[:port][/path]`.
    #[error("the URL {0} is not of the form http://host[:port][/path]")]
    NotHttp(String),
    /// The host's name has no address.
    #[error("cannot resolve {0}: {1}")]
    Unresolved(String, std::io::Error),
    /// Nothing listens there.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(String, std::io::Error),
}

/// Where requests go: the address, found once, and the parts of a request that never change.
#[derive(Debug, Clone)]
pub struct Target {
    address: SocketAddr,
    host: HeaderValue,
    prefix: String,
    authorize: Uri,
}

impl Target {
    /// Resolves `url` and connects once, so that a wrong address is one error and not a million failed requests.
    ///
    /// # Errors
    /// [`TargetError`] when the URL is not plain http, its host is unknown, or nobody listens.
    pub async fn find(url: &str) -> Result<Self, TargetError> {
        let not_http = || TargetError::NotHttp(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| not_http())?;
        if uri.scheme_str() != Some("http") || uri.query().is_some() {
            return Err(not_http());
        }
        let authority = uri.authority().ok_or_else(not_http)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| not_http())?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let authorize = Uri::try_from(format!("{prefix}/payments/authorize")).map_err(|_| not_http())?;

        let name = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let addresses = lookup_host(&name).await.map_err(|error| TargetError::Unresolved(name.clone(), error))?;
        let mut last_error = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(_) => return Ok(Self { address, host, prefix, authorize }),
                Err(error) => last_error = error,
            }
        }
        Err(TargetError::Unreachable(name, last_error))
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection could be opened.
    Connect,
    /// The connection broke before the whole answer was there.
    Transport,
    /// The answer did not come in time.
    Timeout,
    /// The payment's id cannot stand in a URL.
    Address,
}

impl Failure {
    /// The word for it in results.
    pub fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::Timeout => "timeout",
            Self::Address => "bad payment id",
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Whether the server says that it had answered this key before.
    pub replayed: bool,
    /// The body; empty for a 200 whose body nobody wanted.
    pub body: Bytes,
}

/// What is done with the body of a 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Kept in [`Answer::body`].
    Kept,
    /// Read and dropped.
    Dropped,
}

/// Sends requests of one thread's tasks over a bounded set of connections.
#[derive(Debug)]
pub struct Client {
    target: Target,
    timeout: Duration,
    permits: Semaphore,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// A client with no connection yet that opens at most `connections_max`. It must live on a
    /// [`tokio::task::LocalSet`].
    pub fn new(target: Target, connections_max: usize, timeout: Duration) -> Self {
        Self { target, timeout, permits: Semaphore::new(connections_max), idle: RefCell::default() }
    }

    /// `POST /payments/authorize`.
    pub async fn authorize(&self, body: Bytes, keep: Body) -> Result<Answer, Failure> {
        self.send(Method::POST, self.target.authorize.clone(), body, keep).await
    }

    /// `POST /payments/{action}/{paymentId}`, where `action` is `capture` or `refund`.
    pub async fn act(&self, action: &str, payment_id: &str, body: Bytes) -> Result<Answer, Failure> {
        let uri = self.uri(format_args!("/payments/{action}/{payment_id}"))?;
        self.send(Method::POST, uri, body, Body::Dropped).await
    }

    /// `GET /payments/{paymentId}{query}`, where the query is empty or begins with its question mark.
    pub async fn look_up(&self, payment_id: &str, query: &str) -> Result<Answer, Failure> {
        let uri = self.uri(format_args!("/payments/{payment_id}{query}"))?;
        self.send(Method::GET, uri, Bytes::new(), Body::Kept).await
    }

    fn uri(&self, path: std::fmt::Arguments<'_>) -> Result<Uri, Failure> {
        Uri::try_from(format!("{}{path}", self.target.prefix)).map_err(|_| Failure::Address)
    }

    async fn send(&self, method: Method, uri: Uri, body: Bytes, keep: Body) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.target.host.clone());
        headers.insert(CONTENT_TYPE, APPLICATION_JSON);
        tokio::time::timeout(self.timeout, self.exchange(request, keep)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>, keep: Body) -> Result<Answer, Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Failure::Transport)?;
        loop {
            let idle = self.idle.borrow_mut().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            if connection.ready().await.is_err() {
                continue; // closed by the server while it was idle
            }
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let answer = read(response, keep).await?;
                    self.idle.borrow_mut().push(connection);
                    return Ok(answer);
                }
                // A request comes back only if nothing of it was sent, so sending it again cannot double it.
                Err(mut refused) => request = refused.take_message().ok_or(Failure::Transport)?,
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let opened = async {
            let stream = TcpStream::connect(self.target.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            handshake(TokioIo::new(stream)).await.ok()
        };
        let Some((sender, driver)) = opened.await else {
            tokio::time::sleep(CONNECT_PAUSE).await;
            return Err(Failure::Connect);
        };
        // However the driver ends, the request in flight, or `ready` of the next one, receives the error.
        tokio::task::spawn_local(async move {
            let _ = driver.await;
        });
        Ok(sender)
    }
}

async fn read(response: Response<Incoming>, keep: Body) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let replayed = response.headers().get(IDEMPOTENT_REPLAYED).is_some_and(|value| value == "true");
    let mut body = response.into_body();
    if status == 200 && keep == Body::Dropped {
        while let Some(frame) = body.frame().await {
            frame.map_err(|_| Failure::Transport)?;
        }
        return Ok(Answer { status, replayed, body: Bytes::new() });
    }
    let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| Failure::Transport)?;
    Ok(Answer { status, replayed, body: collected.to_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unusable_urls_are_refused() {
        for bad in
            ["https://127.0.0.1:1", "127.0.0.1:1", "/payments", "http://", "http://127.0.0.1:1/?a=b", "not a url"]
        {
            assert!(matches!(Target::find(bad).await, Err(TargetError::NotHttp(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn closed_port_is_one_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(Target::find(&format!("http://{free}")).await, Err(TargetError::Unreachable(..))));
    }

    #[tokio::test]
    async fn url_path_is_kept_as_prefix() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::find(&format!("http://{}/api/", listener.local_addr().unwrap())).await.unwrap();
        assert_eq!(target.authorize.path(), "/api/payments/authorize");
    }
}
