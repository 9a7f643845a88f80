//! The HTTP/1.1 server: takes connections in and serves each on one of its threads, one request after the other. What a
//! connection may hold, and for how long, is bounded; docs/decisions/0017 says why the loop is our own.

mod connection;
mod gate;
mod refusal;
mod unread;
mod wire;

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{KeepAlive, ServiceConfigBuilder};
use actix_service::IntoServiceFactory;
use actix_web::dev::{AppConfig, Server, ServiceFactory, fn_factory, fn_service};

pub use self::connection::Deadlines;
use self::connection::{Thread, serve_connection};
use self::gate::Gate;
pub use self::gate::Places;
use self::unread::Unread;
use super::refused::RefusalCounter;
use super::service::Service;

/// How the server is run.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that serve requests.
    pub workers: usize,
    pub places: Places,
    pub deadlines: Deadlines,
    /// How long a stop waits for requests under way.
    pub shutdown_timeout: Duration,
}

/// Serves on a bound listener. Signals are the caller's.
///
/// # Errors
/// Those of the system.
pub fn serve(listener: TcpListener, service: Service, settings: HttpSettings) -> std::io::Result<Server> {
    // Its queue becomes as long as the system allows: what is beyond net.core.somaxconn is cut to it (listen(2)).
    rustix::net::listen(&listener, i32::MAX)?;
    let HttpSettings { workers, places, deadlines, shutdown_timeout } = settings;
    let (gate, unread) = (Arc::new(Gate::new(places)), Unread::default());
    let server = Server::build()
        .workers(workers)
        // The gate turns away those for which there is no place, so a thread is never held up by connections. This only
        // bounds how many can be accepted before the gate has seen them.
        .max_concurrent_connections(places.in_all().div_ceil(workers.max(1)) + ACCEPTED_AHEAD)
        .shutdown_timeout(shutdown_timeout.as_secs().max(1))
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("http", listener, move || {
        let (service, gate, unread, stopping) = (service.clone(), gate.clone(), unread.clone(), stopping.clone());
        fn_factory(move || {
            let (service, gate, unread, stopping) = (service.clone(), gate.clone(), unread.clone(), stopping.clone());
            async move {
                let app = service.app();
                let application = service.application().into_factory().new_service(AppConfig::default()).await?;
                // Whether a connection goes on is decided request by request; the time is ours to keep.
                let codec = ServiceConfigBuilder::new().keep_alive(KeepAlive::Os).build();
                let stopping = move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                };
                let refusals = RefusalCounter::new();
                let thread = Thread { application, app, gate, unread, codec, deadlines, refusals, stopping };
                let thread = Rc::new(thread);
                Ok::<_, ()>(fn_service(move |stream| serve_connection(thread.clone(), stream)))
            }
        })
    })?;
    Ok(server.run())
}

/// Connections that a thread may be handed while it has its share.
const ACCEPTED_AHEAD: usize = 1;
