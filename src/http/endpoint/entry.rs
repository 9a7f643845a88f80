//! An endpoint among others: what the routes and the document need to know of it.

use actix_web::http::StatusCode;
use actix_web::web;
use actix_web::{Route, guard};

use super::answer::{Answer, Content};
use super::declaration::{Endpoint, Method, Place, notes_operators, serve};
use super::path::{PathParameter, PathParameters};
use super::query::{Query, QueryParameter};
use crate::http::body::{Body, Members};
use crate::http::problem::Code;

/// A declared endpoint.
pub struct Entry {
    pub method: Method,
    place: Place,
    also: Option<Place>,
    route: fn() -> Route,
    describe: fn() -> Described,
}

/// What the document says of an endpoint.
pub struct Described {
    pub about: &'static str,
    pub path: &'static [PathParameter],
    pub query: &'static [QueryParameter],
    /// The body's name and members; none if it takes none.
    pub body: Option<Members>,
    pub takes_key: bool,
    pub answers: &'static [(StatusCode, &'static str)],
    pub content: Option<Content>,
    /// In the order of [`Code::ALL`].
    pub codes: Vec<Code>,
}

impl Entry {
    pub const fn of<E: Endpoint>() -> Self {
        let place = Place { operation: E::OPERATION, path: E::PATH };
        Self { method: E::METHOD, place, also: E::ALSO, route: route::<E>, describe: describe::<E> }
    }

    /// The paths that it has, each with its id: one, or two.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        [self.place].into_iter().chain(self.also)
    }

    /// Its own id in the document.
    pub fn operation(&self) -> &'static str {
        self.place.operation
    }

    /// Whether it is a merchant's: a node that takes no payments does not have it, and it is under `/api` too.
    pub fn is_for_merchants(&self) -> bool {
        ["/payments", "/refunds", "/merchants"].iter().any(|start| self.place.path.starts_with(start))
    }

    /// Whether it is for operators.
    pub fn is_for_operators(&self) -> bool {
        self.place.path.starts_with("/admin")
    }

    /// Its methods as `Allow` names them.
    pub fn methods(&self) -> &'static str {
        match self.method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    pub fn route(&self) -> Route {
        (self.route)()
    }

    pub fn describe(&self) -> Described {
        (self.describe)()
    }
}

fn route<E: Endpoint>() -> Route {
    let route = match E::METHOD {
        Method::Get => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        Method::Post => web::post(),
        Method::Put => web::put(),
        Method::Delete => web::delete(),
    };
    route.to(serve::<E>)
}

fn describe<E: Endpoint>() -> Described {
    let (path, query) = (E::Path::PARAMETERS, E::Query::PARAMETERS);
    let mut found: Vec<Code> = E::CODES.concat();
    found.extend(path.iter().map(|parameter| parameter.code));
    found.extend(E::Path::CODES);
    found.push(Code::UnknownParameter);
    found.extend((!query.is_empty()).then_some(Code::CardNumberNotAllowed));
    found.extend(query.iter().filter_map(|parameter| parameter.code));
    found.extend(E::Body::codes());
    found.extend((E::METHOD != Method::Get).then_some(Code::UnsupportedMediaType));
    if notes_operators::<E>() {
        found.extend([Code::OperatorInvalid, Code::CardNumberNotAllowed]);
    }
    found.extend(E::TAKES_WORK.then_some(Code::Overloaded));
    Described {
        about: E::ABOUT,
        path,
        query,
        body: E::Body::members(),
        takes_key: E::Body::TAKES_KEY,
        answers: E::ANSWERS,
        content: E::Answer::content(),
        codes: Code::ALL.iter().copied().filter(|code| found.contains(code)).collect(),
    }
}
