//! An OpenTelemetry collector of a test's own: it takes spans by OTLP over HTTP and shows them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

/// A span as it was received.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    /// Empty for a root.
    pub parent_id: String,
    pub name: String,
    pub kind: SpanKind,
    pub attributes: BTreeMap<String, String>,
    /// The spans that it is linked to, by their ids.
    pub links: Vec<String>,
    pub is_failed: bool,
    /// Nanoseconds since 1970 UTC.
    pub times: (u64, u64),
    /// `service.name` and `service.instance.id`.
    pub service: (String, String),
}

/// See the module. Runs as long as the test.
pub struct Collector {
    /// Where spans are sent.
    pub endpoint: String,
    received: Received,
}

type Received = Arc<Mutex<Vec<Span>>>;

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let received = Received::default();
        let shared = Data::from(received.clone());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new().app_data(shared.clone()).route("/v1/traces", web::post().to(receive))
                });
                server.workers(1).disable_signals().listen(listener).unwrap().run().await.unwrap();
            });
        });
        Self { endpoint, received }
    }

    /// The spans of a trace that have come so far.
    pub fn of(&self, trace_id: &str) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }
}

async fn receive(received: Data<Mutex<Vec<Span>>>, body: Bytes) -> HttpResponse {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return HttpResponse::BadRequest().finish() };
    for resource in request.resource_spans {
        let of_process = attributes(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        let told = |name: &str| of_process.get(name).cloned().unwrap_or_default();
        let service = (told("service.name"), told("service.instance.id"));
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            received.lock().unwrap().push(Span {
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                kind: span.kind(),
                attributes: attributes(span.attributes),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                is_failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                times: (span.start_time_unix_nano, span.end_time_unix_nano),
                service: service.clone(),
                name: span.name,
            });
        }
    }
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

fn attributes(found: Vec<KeyValue>) -> BTreeMap<String, String> {
    found.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("no attribute of ours: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
