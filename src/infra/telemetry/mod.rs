//! Logs and metrics of the process.

pub mod catalogue;
pub mod pools;

use std::io::IsTerminal;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::TextEncoder;
use prometheus::process_collector::ProcessCollector;
use tracing_subscriber::EnvFilter;

/// Why there are no metrics.
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

/// What the registry has, in Prometheus's text format.
///
/// # Errors
/// Text that says what could not be written.
pub fn text(registry: &prometheus::Registry) -> Result<String, TelemetryError> {
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(|error| TelemetryError(error.to_string()))
}

/// Has every OpenTelemetry instrument of the process, and the process itself, exported through one Prometheus registry.
/// Names are exported as they are: the [`catalogue`] has them whole.
pub fn metrics() -> Result<prometheus::Registry, TelemetryError> {
    let unable = |error: &dyn std::fmt::Display| TelemetryError(error.to_string());
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_units()
        .without_counter_suffixes()
        .without_target_info()
        .scope_info_enabled(false)
        .build()
        .map_err(|error| unable(&error))?;
    registry.register(Box::new(ProcessCollector::for_self())).map_err(|error| unable(&error))?;
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
    catalogue::BUILD_INFO.to_gauge().record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    Ok(registry)
}
