//! One connection, from its first byte to its last: a request is read, answered and its answer taken before the next
//! one is looked at, so that a client that sends and does not read is not served.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::{BodySize, MessageBody};
use actix_http::{ConnectionType, Request, Response, ServiceConfig};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::web::Data;
use futures_util::FutureExt;
use tokio::net::TcpStream;

use super::gate::{Gate, Place};
use super::refusal::{full, problem_of, response};
use super::unread::Unread;
use super::wire::{NoRequest, Wire, WriteError};
use crate::flows::App;
use crate::http::health;
use crate::http::refused::{Reason, RefusalCounter};

/// How long a client on a spare place may take for its request.
const SPARE_HEAD: Duration = Duration::from_secs(1);
/// How long a client may take to read an answer after which the connection is closed.
const CLOSE: Duration = Duration::from_secs(2);

/// How long a client may take. That for bodies is in [`BodyLimits`](crate::http::body::BodyLimits).
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From an answer to the next request.
    pub keep_alive: Duration,
    /// For all of a request's head, from its first byte; on a new connection, from its beginning.
    pub head: Duration,
    /// For each 64 KiB of an answer.
    pub write: Duration,
}

/// What the connections of one thread share.
pub struct Thread<S, F> {
    pub application: S,
    pub app: Data<App>,
    pub gate: Arc<Gate>,
    pub unread: Unread,
    pub codec: ServiceConfig,
    pub deadlines: Deadlines,
    pub refusals: RefusalCounter,
    /// Makes a future that resolves when the server is told to stop.
    pub stopping: F,
}

/// What becomes of a connection after an answer.
enum Next {
    Request,
    /// It ends once the client has read its answer.
    Close,
    /// It ends at once: nobody waits for anything.
    End,
    BreakOff,
}

/// Serves a connection until one side has closed it.
///
/// # Errors
/// None: what goes wrong on a connection is nobody else's business.
pub async fn serve_connection<S, B, F, Stopping>(thread: Rc<Thread<S, F>>, stream: TcpStream) -> Result<(), ()>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
    F: Fn() -> Stopping,
    Stopping: Future<Output = ()>,
{
    // None if the client is gone already.
    let Ok(peer) = stream.peer_addr() else { return Ok(()) };
    let Some(place) = thread.gate.enter(peer.ip()) else {
        thread.refusals.count(Reason::NoPlace);
        return Ok(());
    };
    // Answers are written whole. Without it each would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let wire = Wire::new(stream, thread.codec.clone());
    let mut stopping = std::pin::pin!((thread.stopping)());
    let Deadlines { keep_alive, mut head, .. } = thread.deadlines;
    if place.is_spare() {
        head = head.min(SPARE_HEAD);
    }
    let mut idle = head;
    loop {
        // A request that is here already is served, even while the server stops.
        let request = tokio::select! {
            biased;
            request = wire.request(idle, head) => request,
            () = &mut stopping => Err(NoRequest::Closed),
        };
        let answered = match request {
            Ok(mut request) => {
                request.head_mut().peer_addr = Some(peer);
                answer(&thread, &wire, &place, request, || (&mut stopping).now_or_never().is_some()).await
            }
            Err(error) => refuse(&thread, &wire, error).await,
        };
        match answered {
            // Others of the thread have their turn before this one's next request, which may be here already.
            Next::Request => {
                idle = keep_alive;
                tokio::task::yield_now().await;
            }
            Next::Close => {
                wire.close(CLOSE).await;
                return Ok(());
            }
            Next::End => return Ok(()),
            Next::BreakOff => {
                wire.break_off();
                return Ok(());
            }
        }
    }
}

/// Has a request answered, and sends the answer.
async fn answer<S, B, F>(
    thread: &Thread<S, F>,
    wire: &Wire,
    place: &Place,
    request: Request,
    is_stopping: impl FnOnce() -> bool,
) -> Next
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    if place.is_spare() && !health::is_of_operators(request.path()) {
        thread.refusals.count(Reason::NoPlace);
        let response = response(&full(), &thread.app.new_request_id(), Some(request.path()));
        return send(thread, wire, response.into(), true).await;
    }
    match thread.application.call(request).await {
        Ok(response) => {
            let closes = !wire.settle() || place.is_spare() || is_stopping();
            send(thread, wire, response.into(), closes).await
        }
        Err(error) => {
            let closes = !wire.settle() || place.is_spare();
            send(thread, wire, error.error_response().into(), closes).await
        }
    }
}

/// Answers a request that could not be read, after which nothing on the connection can be.
async fn refuse<S, F>(thread: &Thread<S, F>, wire: &Wire, error: NoRequest) -> Next {
    let Some((problem, reason)) = problem_of(error) else { return Next::End };
    thread.refusals.count(reason);
    wire.begin_anew(thread.codec.clone());
    let response = response(&problem, &thread.app.new_request_id(), wire.path().as_deref());
    send(thread, wire, response.into(), true).await
}

async fn send<S, F, B: MessageBody>(
    thread: &Thread<S, F>,
    wire: &Wire,
    mut response: Response<B>,
    closes: bool,
) -> Next {
    let bytes = if let BodySize::Sized(bytes) = response.body().size() { bytes } else { 0 };
    let Some(_held) = thread.unread.hold(bytes) else {
        thread.refusals.count(Reason::SlowReader);
        return Next::BreakOff;
    };
    if closes {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    match wire.answer(response, thread.deadlines.write).await {
        Ok(true) => Next::Request,
        Ok(false) => Next::Close,
        Err(WriteError::Slow) => {
            thread.refusals.count(Reason::SlowReader);
            Next::BreakOff
        }
        Err(WriteError::Broken) => Next::BreakOff,
    }
}
