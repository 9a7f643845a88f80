//! The bytes of one connection: heads and bodies as they are read, answers as they are written. The parser and the
//! encoder are actix's. Only one request is in it at a time; what comes after it stays in the system's buffers, beyond
//! the few bytes that were read with it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::body::{BodySize, MessageBody};
use actix_http::error::{ParseError, PayloadError};
use actix_http::h1::{Codec, Message, MessageType};
use actix_http::{Payload, Request, RequestHead, Response, ServiceConfig};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::{Decoder, Encoder};
use tokio_util::io::poll_read_buf;

/// Bytes of a head: RFC 9110 (section 5.4) asks for no number, and nobody's cookies are for us.
const HEAD_MAX: usize = 32 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 8 * 1024;
/// Bytes of an answer that are written under one deadline, and kept for that in one piece.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes of a body nobody wants that are read so that its sender gets the answer.
const LINGER_BYTES: usize = 1024 * 1024;

/// See the module.
pub struct Wire(Rc<RefCell<Inner>>);

struct Inner {
    stream: TcpStream,
    read: BytesMut,
    codec: Codec,
    /// The line with which the last request began, to say of one that cannot be read what it was for.
    line: Vec<u8>,
    body: Body,
    /// What is still to be written before the client sends its body (RFC 9110, 10.1.1).
    go_ahead: &'static [u8],
    /// How many requests have been read.
    requests: u64,
}

/// How far the body of the request under way was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Open,
    /// Nothing of it is left, or there was none.
    Read,
    /// It has no end that could be found.
    Broken,
}

/// What came instead of a request.
pub enum NoRequest {
    /// The client closed, or sent nothing in time.
    Closed,
    /// The head was begun and not finished in time.
    Late,
    Unreadable(ParseError),
}

/// Why an answer did not get to the client.
pub enum WriteError {
    /// It did not take it in time.
    Slow,
    /// The connection broke, or the answer could not be made.
    Broken,
}

impl Wire {
    pub fn new(stream: TcpStream, config: ServiceConfig) -> Self {
        let (read, codec, body) = (BytesMut::new(), Codec::new(config), Body::Read);
        Self(Rc::new(RefCell::new(Inner { stream, read, codec, line: Vec::new(), body, go_ahead: b"", requests: 0 })))
    }

    /// The next request, with a payload that reads its body when it is asked for it: waits `idle` for the first byte
    /// and `head` for the rest.
    pub async fn request(&self, idle: Duration, head: Duration) -> Result<Request, NoRequest> {
        let is_empty = self.0.borrow().read.is_empty();
        if is_empty {
            let came = timeout(idle, poll_fn(|cx| self.0.borrow_mut().poll_first(cx))).await;
            if !matches!(came, Ok(Ok(count)) if count > 0) {
                return Err(NoRequest::Closed);
            }
        }
        let read = timeout(head, poll_fn(|cx| self.0.borrow_mut().poll_request(cx))).await;
        let mut request = match read {
            Ok(request) => request?,
            Err(_) => return Err(NoRequest::Late),
        };
        let inner = self.0.borrow();
        if inner.body == Body::Open {
            let incoming = Incoming { connection: self.0.clone(), request: inner.requests };
            *request.payload() = Payload::Stream { payload: Box::pin(incoming) };
        }
        Ok(request)
    }

    /// The path of the last request, as far as its first line shows one.
    pub fn path(&self) -> Option<String> {
        let inner = self.0.borrow();
        let mut words = inner.line.split(|byte| *byte == b' ');
        // What does not begin with a method is no line of HTTP.
        let is_method = words.next()?.iter().all(u8::is_ascii_graphic);
        let target = words.next().filter(|_| is_method)?;
        let path = target.split(|byte| matches!(byte, b'?' | b'#')).next()?;
        let is_path = path.starts_with(b"/") && path.iter().all(u8::is_ascii_graphic);
        is_path.then(|| String::from_utf8_lossy(path).into_owned())
    }

    /// Ends the reading of a request that has its answer. Whether another one may follow: its body was read, or what is
    /// left of it is here already.
    pub fn settle(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        // Whoever still holds the payload gets no more of it.
        inner.requests += 1;
        inner.go_ahead = b"";
        while inner.body == Body::Open {
            match inner.next_piece() {
                Some(Ok(_)) => {}
                _ => break,
            }
        }
        inner.body == Body::Read && !inner.codec.upgrade()
    }

    /// Forgets the request of before: what is answered next answers no request that could be read.
    pub fn begin_anew(&self, config: ServiceConfig) {
        self.0.borrow_mut().codec = Codec::new(config);
    }

    /// Writes an answer; `true` if the connection goes on after it.
    pub async fn answer<B: MessageBody>(&self, response: Response<B>, within: Duration) -> Result<bool, WriteError> {
        let (head, body) = response.into_parts();
        let size = body.size();
        let length = if let BodySize::Sized(length) = size { usize::try_from(length).unwrap_or(0) } else { 0 };
        let mut out = BytesMut::with_capacity(512 + length.min(WRITE_BYTES));
        self.encode(Message::Item((head, size)), &mut out)?;
        let goes_on = self.0.borrow().codec.keep_alive();
        if size != BodySize::None && size != BodySize::Sized(0) {
            let mut body = std::pin::pin!(body);
            while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
                let mut piece = piece.map_err(|_| WriteError::Broken)?;
                while !piece.is_empty() {
                    let part = piece.split_to(piece.len().min(WRITE_BYTES));
                    self.encode(Message::Chunk(Some(part)), &mut out)?;
                    if out.len() >= WRITE_BYTES {
                        self.write(&mut out, within).await?;
                    }
                }
            }
            self.encode(Message::Chunk(None), &mut out)?;
        }
        self.write(&mut out, within).await?;
        Ok(goes_on)
    }

    fn encode(&self, message: Message<(Response<()>, BodySize)>, out: &mut BytesMut) -> Result<(), WriteError> {
        self.0.borrow_mut().codec.encode(message, out).map_err(|_| WriteError::Broken)
    }

    async fn write(&self, out: &mut BytesMut, within: Duration) -> Result<(), WriteError> {
        let mut written = 0;
        let all = poll_fn(|cx| {
            let mut inner = self.0.borrow_mut();
            while written < out.len() {
                match ready!(Pin::new(&mut inner.stream).poll_write(cx, &out[written..])) {
                    Ok(0) | Err(_) => return Poll::Ready(Err(WriteError::Broken)),
                    Ok(count) => written += count,
                }
            }
            Poll::Ready(Ok(()))
        });
        timeout(within, all).await.unwrap_or(Err(WriteError::Slow))?;
        out.clear();
        Ok(())
    }

    /// Says that nothing follows, and leaves the client time to read the answer: while bytes of its come to a socket
    /// that is closed, the system takes back what it has not read yet (RFC 9112, 9.6).
    pub async fn close(self, within: Duration) {
        let shut = poll_fn(|cx| Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx));
        if shut.await.is_err() {
            return;
        }
        let rest = poll_fn(|cx| {
            let mut inner = self.0.borrow_mut();
            let mut left = LINGER_BYTES;
            loop {
                inner.read.clear();
                match ready!(inner.poll_fill(cx)) {
                    Ok(count) if count > 0 && count < left => left -= count,
                    _ => return Poll::Ready(()),
                }
            }
        });
        // Whether it came to an end does not matter.
        let _ = timeout(within, rest).await;
    }

    /// Breaks the connection off: what the system still holds of an answer is thrown away.
    pub fn break_off(self) {
        // Only the system's memory depends on it.
        let _ = rustix::net::sockopt::set_socket_linger(&self.0.borrow().stream, Some(Duration::ZERO));
    }
}

impl Inner {
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<Request, NoRequest>> {
        loop {
            if !self.read.is_empty() {
                self.keep_line();
                match self.codec.decode(&mut self.read) {
                    Ok(Some(Message::Item(request))) => return Poll::Ready(self.begin(request)),
                    Ok(None) if self.read.len() < HEAD_MAX => {}
                    Ok(_) => return Poll::Ready(Err(NoRequest::Unreadable(ParseError::TooLarge))),
                    Err(error) => return Poll::Ready(Err(NoRequest::Unreadable(error))),
                }
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(NoRequest::Closed)),
                Ok(_) => {}
            }
        }
    }

    /// Waits for the first bytes of a request, as how many there are. A connection on which nothing happens holds no
    /// buffer.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read = BytesMut::new();
        ready!(self.stream.poll_read_ready(cx))?;
        self.poll_fill(cx)
    }

    fn begin(&mut self, request: Request) -> Result<Request, NoRequest> {
        // With `Upgrade` the parser takes all that follows for the body, though nothing here switches protocols.
        let headers = &request.head().headers;
        let has_length = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        if self.codec.upgrade() && has_length {
            return Err(NoRequest::Unreadable(ParseError::Header));
        }
        self.requests += 1;
        let has_body = !matches!(self.codec.message_type(), MessageType::None);
        self.body = if has_body { Body::Open } else { Body::Read };
        let waits = has_body && RequestHead::expect(request.head());
        self.go_ahead = if waits { b"HTTP/1.1 100 Continue\r\n\r\n" } else { b"" };
        Ok(request)
    }

    fn keep_line(&mut self) {
        self.line.clear();
        // Empty lines before a request are no part of it (RFC 9112, 2.2).
        let begins = self.read.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
        let line = self.read[begins..].split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        self.line.extend_from_slice(&line[..line.len().min(READ_BYTES)]);
    }

    /// The next piece of the body that is here; none if more has to come, or all of it was read.
    fn next_piece(&mut self) -> Option<Result<Bytes, PayloadError>> {
        match self.codec.decode(&mut self.read) {
            Ok(Some(Message::Chunk(Some(piece)))) => return Some(Ok(piece)),
            Ok(Some(Message::Chunk(None))) => self.body = Body::Read,
            Ok(None) => {}
            Ok(Some(Message::Item(_))) | Err(_) => {
                self.body = Body::Broken;
                return Some(Err(PayloadError::EncodingCorrupted));
            }
        }
        None
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        loop {
            match self.body {
                Body::Open => {}
                Body::Read => return Poll::Ready(None),
                Body::Broken => return Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
            }
            if let Some(piece) = self.next_piece() {
                return Poll::Ready(Some(piece));
            }
            if self.body != Body::Open {
                continue;
            }
            while !self.go_ahead.is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, self.go_ahead)) {
                    Ok(count) => self.go_ahead = &self.go_ahead[count..],
                    // The read that follows says so.
                    Err(_) => self.go_ahead = b"",
                }
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) | Err(_) => self.body = Body::Broken,
                Ok(_) => {}
            }
        }
    }

    /// Reads what is there; 0 at the connection's end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read)
    }
}

/// A body that is read from the connection when somebody asks for it.
struct Incoming {
    connection: Rc<RefCell<Inner>>,
    /// Whose body it is, by [`Inner::requests`].
    request: u64,
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.connection.borrow_mut();
        if inner.requests != self.request {
            return Poll::Ready(Some(Err(PayloadError::Incomplete(None))));
        }
        inner.poll_body(cx)
    }
}
