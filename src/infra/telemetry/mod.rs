//! Logs, metrics and traces of the process.

pub mod catalogue;
pub mod logs;
pub mod lossy;
pub mod pools;
pub mod repeats;
pub mod traces;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::TextEncoder;
use prometheus::process_collector::ProcessCollector;

/// Why there are no metrics or traces.
#[derive(Debug, thiserror::Error)]
#[error("telemetry: {0}")]
pub struct TelemetryError(String);

impl TelemetryError {
    /// There is no thread left to write them, as when the process ends.
    pub fn gone() -> Self {
        Self("the process ends".to_owned())
    }
}

/// The registry's metrics in Prometheus's text format.
///
/// # Errors
/// What could not be written, as text.
pub fn text(registry: &prometheus::Registry) -> Result<String, TelemetryError> {
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(|error| TelemetryError(error.to_string()))
}

/// Exports every OpenTelemetry instrument of the process, and the process's own metrics, through one Prometheus
/// registry. Names are exported unchanged: the [`catalogue`] has them complete.
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
    lossy::export();
    catalogue::BUILD_INFO.to_gauge().record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    Ok(registry)
}
