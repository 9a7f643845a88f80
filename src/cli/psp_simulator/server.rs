//! The HTTP server of the simulated PSP. Its protocol is in [`crate::infra::psp::http::wire`].

use std::fmt::Display;
use std::io::{Error, ErrorKind};
use std::net::TcpListener;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, Json, Path, Query};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::stream::once;
use serde::Serialize;

use crate::domain::psp::PspKey;
use crate::http::ServedNames;
use crate::infra::psp::http::wire::{Asked, BooksQuery, Decision, NotDone, NotFound, PAGE_MAX};
use crate::infra::psp::simulator::books::Books;
use crate::infra::psp::simulator::{Reply, Simulator};
use crate::infra::psp::{Psp, PspError};
use crate::infra::telemetry;

/// The simulated PSP needs few resources, and shares the machine.
const WORKERS: usize = 1;

/// Serves on a bound listener. Signals are the caller's.
pub fn serve(
    listener: TcpListener,
    simulator: Simulator,
    books: Books,
    registry: prometheus::Registry,
) -> std::io::Result<Server> {
    let is_local = listener.local_addr()?.ip().is_loopback();
    let (simulator, books, registry) = (Data::new(simulator), Data::new(books), Data::new(registry));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(simulator.clone())
            .app_data(books.clone())
            .app_data(registry.clone())
            .wrap(from_fn(move |request, next| no_page_of_elsewhere(is_local, request, next)))
            .route("/healthz", web::get().to(healthz))
            .route("/metrics", web::get().to(metrics))
            .route("/v1/operations/{key}", web::put().to(perform))
            .route("/v1/operations/{key}", web::get().to(look_up))
            .route("/v1/books/authorizations", web::get().to(authorizations))
            .route("/v1/books/operations", web::get().to(operations))
            .route("/v1/books/operations/{key}", web::get().to(operation))
    });
    Ok(server.workers(WORKERS).disable_signals().listen(listener)?.run())
}

/// On loopback, a browser of its user is kept from writing in the books for a page of somebody else, as it is from a
/// node. Beyond, the simulator has names that it does not know.
async fn no_page_of_elsewhere(
    is_local: bool,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if is_local && ServedNames::default().check(request.head()).is_err() {
        return Ok(request.into_response(HttpResponse::MisdirectedRequest().finish()).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "up" }))
}

async fn metrics(registry: Data<prometheus::Registry>) -> HttpResponse {
    match telemetry::text(&registry) {
        Ok(text) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

async fn perform(simulator: Data<Simulator>, key: Path<String>, asked: Json<Asked<String>>) -> HttpResponse {
    let Some(operation) = asked.into_inner().under(PspKey(key.into_inner())) else {
        return HttpResponse::BadRequest().finish();
    };
    match simulator.reply(&operation).await {
        Ok(Reply::Answer(answer)) => HttpResponse::Ok().json(Decision::from(answer)),
        Ok(Reply::Refused) => HttpResponse::ServiceUnavailable().json(NotDone { done: false }),
        Ok(Reply::Lost) => {
            HttpResponse::Ok().streaming(once(async { Err::<Bytes, _>(Error::from(ErrorKind::BrokenPipe)) }))
        }
        Ok(Reply::Garbage) => HttpResponse::Ok().body("<html>"),
        Err(error) => failed(&error),
    }
}

async fn look_up(simulator: Data<Simulator>, key: Path<String>) -> HttpResponse {
    match simulator.lookup(&PspKey(key.into_inner())).await {
        Ok(Some(answer)) => HttpResponse::Ok().json(Decision::from(answer)),
        Ok(None) => HttpResponse::NotFound().json(NotFound { found: false }),
        Err(PspError::NotSent(_)) => HttpResponse::ServiceUnavailable().json(NotDone { done: false }),
        Err(error) => failed(&error),
    }
}

/// The books cannot be written or read, so it is unknown what was done.
fn failed(error: &dyn Display) -> HttpResponse {
    tracing::error!(%error, "the books cannot be used");
    HttpResponse::InternalServerError().finish()
}

async fn authorizations(books: Data<Books>, query: Query<BooksQuery>) -> HttpResponse {
    if query.limit > PAGE_MAX {
        return HttpResponse::BadRequest().finish();
    }
    rows(books.authorizations(&query.after, query.limit).await)
}

async fn operations(books: Data<Books>, query: Query<BooksQuery>) -> HttpResponse {
    if query.limit > PAGE_MAX {
        return HttpResponse::BadRequest().finish();
    }
    rows(books.operations(&query.after, query.limit).await)
}

async fn operation(books: Data<Books>, key: Path<String>) -> HttpResponse {
    match books.operation(&key).await {
        Ok(None) => HttpResponse::NotFound().json(NotFound { found: false }),
        found => rows(found),
    }
}

fn rows<T: Serialize, E: Display>(found: Result<T, E>) -> HttpResponse {
    match found {
        Ok(rows) => HttpResponse::Ok().json(rows),
        Err(error) => failed(&error),
    }
}
