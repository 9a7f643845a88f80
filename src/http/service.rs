//! What answers requests: the routes, what handlers share, and what goes around them.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, guard};

use super::body::BodyLimits;
use super::endpoint::Entry;
use super::endpoints::endpoints;
use super::event_loop_delay::EventLoopDelay;
use super::openapi::{self, ApiDocument};
use super::problem::{Code, Problem};
use super::request::{HttpMeter, around, refuse};
use super::scrape::Metrics;
use super::served::ServedNames;
use crate::flows::App;
use crate::runtime::LocalExecutor;

/// What answers requests, however they come: the server's threads share it.
#[derive(Clone)]
pub struct Service {
    app: Data<App>,
    metrics: Data<Metrics>,
    meter: Data<HttpMeter>,
    document: Data<ApiDocument>,
    body_limits: Data<BodyLimits>,
    served: Data<ServedNames>,
}

impl Service {
    pub fn new(app: App, registry: prometheus::Registry, body: BodyLimits, served: ServedNames) -> Self {
        Self {
            app: Data::new(app),
            metrics: Data::new(Metrics::new(registry)),
            meter: Data::new(HttpMeter::new()),
            document: Data::new(ApiDocument::new(|| openapi::document(endpoints()))),
            body_limits: Data::new(body),
            served: Data::new(served),
        }
    }

    /// What its requests are for.
    pub fn app(&self) -> Data<App> {
        self.app.clone()
    }

    /// The part of one thread, which runs an actix system.
    pub fn application(
        self,
    ) -> actix_web::App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody>,
            Error = actix_web::Error,
            InitError = (),
        >,
    > {
        let takes_payments = self.app.takes_payments();
        actix_web::App::new()
            .app_data(Data::new(LocalExecutor::at(self.app.executor.clone())))
            .app_data(Data::new(EventLoopDelay::of_this_thread()))
            .app_data(self.app)
            .app_data(self.metrics)
            .app_data(self.meter)
            .app_data(self.document)
            .app_data(self.body_limits)
            .app_data(self.served)
            .wrap(from_fn(around))
            .configure(|config| routes(config, takes_payments))
            .default_service(web::to(not_found))
    }
}

/// What a node answers that takes payments, or one that does other work.
fn routes(config: &mut ServiceConfig, takes_payments: bool) {
    for prefix in ["", "/api"] {
        let is_served = |entry: &&Entry| if entry.is_for_merchants() { takes_payments } else { prefix.is_empty() };
        for (path, entries) in by_path(endpoints().filter(is_served)) {
            config.service(resource(&format!("{prefix}{path}"), &entries));
        }
    }
    let page = web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(openapi::page_file);
    config.service(refusing("/docs/{file:.*}", "GET, HEAD".into()).route(page));
}

/// Every path with the endpoints that it has, in the order in which the paths are declared.
fn by_path(entries: impl Iterator<Item = &'static Entry>) -> Vec<(&'static str, Vec<&'static Entry>)> {
    let mut paths: Vec<(&'static str, Vec<&'static Entry>)> = Vec::new();
    for entry in entries {
        for place in entry.places() {
            match paths.iter_mut().find(|(path, _)| *path == place.path) {
                Some((_, its)) => its.push(entry),
                None => paths.push((place.path, vec![entry])),
            }
        }
    }
    paths
}

/// A path with the endpoints that it has.
fn resource(path: &str, entries: &[&'static Entry]) -> Resource {
    let methods: Vec<_> = entries.iter().map(|entry| entry.methods()).collect();
    let resource = refusing(path, methods.join(", ").into());
    entries.iter().fold(resource, |resource, entry| resource.route(entry.route()))
}

/// A path, and what it answers to methods that it does not have.
fn refusing(path: &str, methods: Arc<str>) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| {
        let problem = Problem::from(Code::MethodNotAllowed).allow(methods.clone());
        async move { refuse(&request, &problem) }
    }))
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    refuse(&request, &Code::NotFound.into())
}
