//! The HTTP layer: parses, validates, calls the flows and writes answers. It knows no SQL and no Redis.

mod admin;
mod body;
mod dead_letters;
mod drill;
mod event_loop_delay;
mod explain;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod openapi;
mod payments;
mod problem;
mod query;
mod request;

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpServer, Resource, Route};

use crate::flows::App;
use crate::runtime::LocalExecutor;
use event_loop_delay::EventLoopDelay;
pub use payments::BodyLimits;
use problem::{Code, Problem};
use request::{HttpMeter, around, refuse, without_query};

/// How the server is run.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that serve requests.
    pub workers: usize,
    /// Connections per worker.
    pub connections_max: usize,
    pub body: BodyLimits,
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a stop waits for requests under way.
    pub shutdown_timeout: Duration,
}

/// Serves on a bound listener. Signals are the caller's.
pub fn serve(
    listener: TcpListener,
    app: App,
    registry: prometheus::Registry,
    settings: HttpSettings,
) -> std::io::Result<Server> {
    let takes_payments = app.takes_payments();
    let app = Data::new(app);
    let registry = Data::new(registry);
    let meter = Data::new(HttpMeter::new());
    let body_limits = Data::new(settings.body);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .app_data(registry.clone())
            .app_data(meter.clone())
            .app_data(body_limits.clone())
            .app_data(Data::new(EventLoopDelay::of_this_thread()))
            .app_data(Data::new(LocalExecutor::at(app.executor.clone())))
            .wrap(from_fn(around))
            .configure(|config| routes(config, takes_payments))
            .default_service(web::to(not_found))
    })
    .workers(settings.workers)
    .max_connections(settings.connections_max)
    .keep_alive(settings.keep_alive)
    .client_request_timeout(settings.header_timeout)
    .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
    .disable_signals();
    Ok(server.listen(listener)?.run())
}

/// A path, its methods as `Allow` names them, and who answers them.
struct Endpoint {
    path: &'static str,
    methods: &'static str,
    routes: Vec<Route>,
}

/// Every path, once: the server goes by it, and the document is held to it.
fn endpoints() -> Vec<Endpoint> {
    const READ: &str = "GET, HEAD";
    [
        ("/payments/authorize", "POST", vec![web::post().to(payments::authorize)]),
        ("/payments/capture/{paymentId}", "POST", vec![web::post().to(payments::capture)]),
        ("/payments/void/{paymentId}", "POST", vec![web::post().to(payments::void)]),
        ("/payments/refund/{paymentId}", "POST", vec![web::post().to(payments::refund)]),
        ("/payments/{paymentId}/timeline", READ, vec![read().to(payments::timeline)]),
        ("/payments/{paymentId}", READ, vec![read().to(payments::look_up)]),
        ("/payments", READ, vec![read().to(payments::list)]),
        ("/healthz", READ, vec![read().to(health::healthz)]),
        ("/readyz", READ, vec![read().to(health::readyz)]),
        ("/metrics", READ, vec![read().to(health::metrics)]),
        ("/admin/actors", READ, vec![read().to(admin::actors)]),
        ("/admin/actors/dead-letters", READ, vec![read().to(admin::actor_dead_letters)]),
        ("/admin/jobs", READ, vec![read().to(admin::jobs)]),
        ("/admin/breakers", READ, vec![read().to(admin::breakers)]),
        (
            "/admin/breakers/event_log/exercise",
            "GET, HEAD, POST",
            vec![read().to(drill::last), web::post().to(drill::begin)],
        ),
        ("/admin/breakers/{name}", "PUT", vec![web::put().to(admin::force_breaker)]),
        ("/admin/dead-letters", READ, vec![read().to(dead_letters::list)]),
        ("/admin/dead-letters/redrive", "POST", vec![web::post().to(dead_letters::redrive)]),
        ("/admin/dead-letters/discard", "POST", vec![web::post().to(dead_letters::discard)]),
        ("/admin/dead-letters/{letterId}", READ, vec![read().to(dead_letters::show)]),
        ("/admin/actions", READ, vec![read().to(dead_letters::actions)]),
        (
            "/admin/faults",
            "POST, DELETE",
            vec![web::post().to(admin::inject_fault), web::delete().to(admin::clear_faults)],
        ),
        ("/admin/faults/clock", "PUT", vec![web::put().to(admin::jump_clock)]),
        ("/problems/{code}", READ, vec![read().to(explain::explain)]),
        ("/openapi.json", READ, vec![read().to(openapi::document)]),
        ("/docs", READ, vec![read().to(openapi::docs)]),
    ]
    .map(|(path, methods, routes)| Endpoint { path, methods, routes })
    .into()
}

/// What a node answers that takes payments, or one that does other work.
fn routes(config: &mut ServiceConfig, takes_payments: bool) {
    for prefix in ["", "/api"] {
        for Endpoint { path, methods, routes } in endpoints() {
            let is_payments = path.starts_with("/payments");
            if if is_payments { takes_payments } else { prefix.is_empty() } {
                let resource = routes.into_iter().fold(on(&format!("{prefix}{path}"), methods), Resource::route);
                if takes_no_query(path) {
                    config.service(resource.wrap(from_fn(without_query)));
                } else {
                    config.service(resource);
                }
            }
        }
    }
    config.service(on("/docs/{file:.*}", "GET, HEAD").route(read().to(openapi::docs_file)));
}

/// Operators' calls that have no parameters: a misspelled path of one that has must not look like an answer to it.
fn takes_no_query(path: &str) -> bool {
    let takes_some = ["/admin/dead-letters", "/admin/actions"].contains(&path);
    ["/readyz", "/healthz"].contains(&path) || path.starts_with("/admin/") && !takes_some
}

fn read() -> Route {
    web::route().guard(actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head()))
}

/// A path, and what it answers to methods that it does not have.
fn on(path: &str, methods: &'static str) -> Resource {
    let refuse_method = move |request: HttpRequest| async move {
        refuse(&request, &Problem::from(Code::MethodNotAllowed).allow(methods))
    };
    web::resource(path).default_service(web::to(refuse_method))
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    refuse(&request, &Code::NotFound.into())
}
