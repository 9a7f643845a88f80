//! Logs and metrics of the process.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tracing_subscriber::EnvFilter;

/// Why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct TelemetryError(String);

/// Logs to standard error: for people on a terminal, as JSON lines elsewhere. `RUST_LOG` filters; the default is `info`.
/// A process that logs already keeps its ways.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_set = if std::io::stderr().is_terminal() {
        builder.try_init().is_ok()
    } else {
        builder.json().flatten_event(true).try_init().is_ok()
    };
    tracing::debug!(log.is_set = is_set, "logging");
}

/// Bucket boundaries for counts that double.
pub const POWERS_OF_TWO: [f64; 11] = [1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.];

/// A histogram of durations in seconds, from half a millisecond to ten seconds.
#[derive(Clone)]
pub struct DurationHistogram(Histogram<f64>);

impl DurationHistogram {
    pub fn new(name: &'static str, description: &'static str) -> Self {
        let boundaries = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10.];
        let meter = opentelemetry::global::meter("rialto");
        let builder = meter.f64_histogram(name);
        Self(builder.with_unit("s").with_description(description).with_boundaries(boundaries).build())
    }

    pub fn record(&self, duration: Duration, labels: &[KeyValue]) {
        self.0.record(duration.as_secs_f64(), labels);
    }
}

/// Has every OpenTelemetry instrument of the process exported through one Prometheus registry.
pub fn metrics() -> Result<prometheus::Registry, TelemetryError> {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_target_info()
        .build()
        .map_err(|error| TelemetryError(error.to_string()))?;
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
    Ok(registry)
}
