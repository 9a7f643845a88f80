//! Spans of distributed traces, exported by OTLP. Where a piece of work stands in its trace is a value
//! ([`TraceContext`]) that goes along with it, through mailboxes, tables and the event log alike; a span is begun from
//! that value and gives the one to hand on. Without an exporter, and in traces that are not sampled, beginning one
//! costs a comparison.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};

use super::TelemetryError;
use crate::config::Telemetry;
use crate::domain::TraceContext;

/// How long the collector may take to answer; the exporter's own thread waits, nobody else.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a stop waits until the remaining spans are sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Spans that wait for the exporter at most, a few MiB; while the collector is away, further ones are dropped.
const QUEUE_MAX: usize = 8_192;
/// How often incomplete batches of spans are sent.
const EXPORT_EVERY: Duration = Duration::from_secs(1);

/// Set once a process exports its spans.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The export of this process's spans.
pub struct Export(SdkTracerProvider);

impl Export {
    /// Starts the export, if the settings name a collector. Nobody waits for a collector that is down.
    ///
    /// # Errors
    /// When the endpoint is no valid URL.
    pub fn begin(settings: &Telemetry, node_id: u8) -> Result<Option<Self>, TelemetryError> {
        if settings.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new()?)
            .with_endpoint(&settings.otlp_endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| TelemetryError(format!("telemetry.otlp_endpoint: {error}")))?;
        let batches =
            BatchConfigBuilder::default().with_max_queue_size(QUEUE_MAX).with_scheduled_delay(EXPORT_EVERY).build();
        let resource = [
            KeyValue::new("service.name", "rialto"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", format!("node-{node_id}")),
        ];
        let ratio = Sampler::TraceIdRatioBased(settings.trace_sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().with_attributes(resource).build())
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .build();
        // If it is set already, this is a second node in the process, and its spans go where the first one's go.
        let _ = TRACER.set(provider.tracer("rialto"));
        Ok(Some(Self(provider)))
    }

    /// Sends the remaining spans, within a few seconds.
    pub async fn end(self) {
        let flushed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

/// The client of the collector, for the exporter's thread. That has no tokio runtime, so the client blocks.
#[derive(Debug)]
struct Collector {
    client: reqwest::blocking::Client,
    is_away: AtomicBool,
}

impl Collector {
    /// The client brings a runtime of its own, which must not be made inside another.
    fn new() -> Result<Self, TelemetryError> {
        let build = || reqwest::blocking::Client::builder().timeout(EXPORT_TIMEOUT).build();
        let built = std::thread::spawn(build).join().map_err(|_| TelemetryError("the client panicked".to_owned()))?;
        let client = built.map_err(|error| TelemetryError(error.to_string()))?;
        Ok(Self { client, is_away: AtomicBool::new(false) })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The address may hold a password.
        let answered = self.client.execute(request.try_into()?).and_then(reqwest::blocking::Response::error_for_status);
        let response = answered.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        Ok(Response::builder().status(status).body(response.bytes()?)?)
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request);
        let was_away = self.is_away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_away => tracing::warn!(%error, "spans cannot be exported and are dropped for now"),
            Ok(_) if was_away => tracing::info!("spans are exported again"),
            _ => {}
        }
        sent
    }
}

/// A piece of work in a trace. Ends when it is dropped.
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Span {
    /// No piece of work in any trace.
    pub fn none() -> Self {
        Self(None)
    }

    /// Begins what a caller outside has asked for, in the caller's trace or in a new one, which is sampled or not.
    pub fn serve(parent: Option<TraceContext>) -> Self {
        Self::build(SpanKind::Server, "HTTP".into(), parent, Vec::new(), true)
    }

    /// Begins a piece of sampled work; nothing in a trace that is not sampled.
    pub fn begin<N: Into<Cow<'static, str>>>(parent: TraceContext, kind: SpanKind, name: impl FnOnce() -> N) -> Self {
        if !is_recorded(parent) {
            return Self(None);
        }
        let is_remote = kind == SpanKind::Consumer;
        Self::build(kind, name().into(), Some(parent), Vec::new(), is_remote)
    }

    /// Begins work for several at once: in the trace of the first that is sampled, linked to all that are.
    pub fn begin_for<N: Into<Cow<'static, str>>>(
        causes: impl Iterator<Item = TraceContext>,
        kind: SpanKind,
        name: impl FnOnce() -> N,
    ) -> Self {
        if TRACER.get().is_none() {
            return Self(None);
        }
        let causes: Vec<_> = causes.filter(|cause| cause.sampled).collect();
        let Some(first) = causes.first().copied() else { return Self(None) };
        Self::build(kind, name().into(), Some(first), causes, false)
    }

    fn build(
        kind: SpanKind,
        name: Cow<'static, str>,
        parent: Option<TraceContext>,
        links: Vec<TraceContext>,
        is_remote: bool,
    ) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let links = links.into_iter().map(|link| opentelemetry::trace::Link::with_context(otel(link, false))).collect();
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(otel(parent, is_remote)),
            None => Context::new(),
        };
        let builder = tracer.span_builder(name).with_kind(kind).with_links(links);
        Self(Some(Box::new(tracer.build_with_context(builder, &context))))
    }

    /// The place in the trace that work within this span has; none if the span is not there.
    pub fn context(&self) -> Option<TraceContext> {
        let context = self.0.as_ref()?.span_context();
        Some(TraceContext {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        })
    }

    /// Whether attributes of the work are kept.
    pub fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|span| span.is_recording())
    }

    /// Sets an attribute of the work, named by OpenTelemetry's semantic conventions or beginning with `rialto.`. Never
    /// a secret: a span leaves the process.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.0 {
            span.update_name(name);
        }
    }

    /// The work has failed, for one of few reasons.
    pub fn fail(&mut self, error_type: &'static str) {
        self.set("error.type", error_type);
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(error_type));
        }
    }
}

/// Whether a span of this trace would be exported.
pub fn is_recorded(trace: TraceContext) -> bool {
    trace.sampled && TRACER.get().is_some()
}

fn otel(trace: TraceContext, is_remote: bool) -> SpanContext {
    let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace_id, span_id) = (trace.trace_id.to_be_bytes(), trace.span_id.to_be_bytes());
    SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(span_id),
        flags,
        is_remote,
        TraceState::default(),
    )
}
