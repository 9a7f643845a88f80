//! One operation of the API, declared once: its path, what it takes and answers, what can go wrong and who handles it
//! stand together. The routes, the OpenAPI document and the tests' table are made from the declarations.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::Answer;
use super::path::PathParameters;
use super::query::Query;
use crate::flows::{App, Call};
use crate::http::body::{self, Body, Given};
use crate::http::event_loop_delay::EventLoopDelay;
use crate::http::operator::operator;
use crate::http::problem::{Code, Problem};
use crate::http::request::{call, refuse};

/// What an operation does to its resource, by the method's name. `GET` is answered to `HEAD` too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// An operation's id and path, as the document has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub operation: &'static str,
    pub path: &'static str,
}

/// One operation of the API.
pub trait Endpoint: Sized + 'static {
    /// The document's `operationId`.
    const OPERATION: &'static str;
    const METHOD: Method;
    /// With its parameters in braces.
    const PATH: &'static str;
    /// The same operation under another path, which has an id of its own in the document.
    const ALSO: Option<Place> = None;
    /// What it does, for the document; up to the first stop, in short.
    const ABOUT: &'static str;
    /// The statuses of its answers, and what each says.
    const ANSWERS: &'static [(StatusCode, &'static str)];
    /// What it can be refused with, beside what its path, its query and its body can have wrong.
    const CODES: &'static [&'static [Code]];
    /// Whether it takes on work, which a thread that is late with much in flight refuses.
    const TAKES_WORK: bool = false;

    type Path: PathParameters;
    type Query: Query;
    type Body: Body;
    type Answer: Answer;

    /// Refuses a call before its body is read.
    ///
    /// # Errors
    /// Whatever the whole operation is refused for.
    fn check(_app: &App) -> Result<(), Problem> {
        Ok(())
    }

    fn handle(request: Request<'_, Self>) -> impl Future<Output = Result<Self::Answer, Problem>>;
}

/// A request that was read, and is sound as far as can be said without asking anybody.
pub struct Request<'a, E: Endpoint> {
    pub http: &'a HttpRequest,
    pub app: &'a App,
    pub path: E::Path,
    pub query: E::Query,
    pub body: E::Body,
    /// Who asks, for the trail of operators' actions; nobody, where nothing is done for an operator.
    pub operator: String,
}

impl<E: Endpoint> Request<'_, E> {
    /// The call that the request makes.
    pub fn call(&self) -> Call {
        call(self.http)
    }

    /// The address that the request came from.
    pub fn source(&self) -> String {
        self.http.peer_addr().map_or_else(|| "unknown".to_owned(), |address| address.ip().to_string())
    }
}

/// Reads a request, has it handled and answers it.
pub async fn serve<E: Endpoint>(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    match handled::<E>(&request, payload, &app).await {
        Ok(answer) => answer.respond(&request),
        Err(problem) => refuse(&request, &problem),
    }
}

async fn handled<E: Endpoint>(http: &HttpRequest, payload: Payload, app: &App) -> Result<E::Answer, Problem> {
    let query = E::Query::of(http.query_string())?;
    E::check(app)?;
    let header_key = if E::Body::TAKES_KEY { body::header_key(http)? } else { None };
    let bytes = if !E::Body::IS_NONE {
        Some(body::fetch(http, payload).await?)
    } else {
        if E::METHOD != Method::Get {
            body::check_absent(http)?;
        }
        None
    };
    // Not before the body is read: the connection could not be used again.
    if E::TAKES_WORK {
        check_thread(http, app)?;
    }
    let path = E::Path::read(http)?;
    let given = Given { header_key: header_key.as_deref(), amount_max: app.amount_max() };
    let body = E::Body::read(bytes.as_deref().unwrap_or_default(), &given)?;
    let operator = if notes_operators::<E>() { operator(http)? } else { String::new() };
    E::handle(Request { http, app, path, query, body, operator }).await
}

/// Whether the operation does something for an operator, whose name is then in the trail.
pub(super) fn notes_operators<E: Endpoint>() -> bool {
    E::PATH.starts_with("/admin") && E::METHOD != Method::Get
}

/// Refuses work while this thread is late with much in flight.
fn check_thread(http: &HttpRequest, app: &App) -> Result<(), Problem> {
    let admits = |delay: &Data<EventLoopDelay>| app.admission.thread_lets_in(delay.is_late());
    if http.app_data::<Data<EventLoopDelay>>().is_none_or(admits) {
        Ok(())
    } else {
        Err(Problem::from(Code::Overloaded).retry_after(std::time::Duration::from_secs(1)))
    }
}
