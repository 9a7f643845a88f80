//! Passes librdkafka's messages to tracing. Every client of the process says the same of a broker that cannot be
//! reached, again and again: that is one line, and a count.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::infra::telemetry::repeats::is_first;

/// What is said of brokers that cannot be reached.
const OUT_OF_REACH: &str = "librdkafka: brokers cannot be reached";

/// The context of a client that has no callbacks of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientLog;

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for ClientLog {}

pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    if matches!(level, Debug) {
        tracing::debug!(target: "librdkafka", facility, "{message}");
        return;
    }
    // Its opinion of settings that were chosen on purpose comes at each start, and is not new.
    if matches!(level, Warning) && facility == "CONFWARN" {
        tracing::debug!(target: "librdkafka", facility, "{message}");
        return;
    }
    if !is_first(&kind(facility), message) {
        return;
    }
    match level {
        Emerg | Alert | Critical | Error => tracing::error!(target: "librdkafka", facility, "{message}"),
        Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        Notice | Info | Debug => tracing::info!(target: "librdkafka", facility, "{message}"),
    }
}

/// An error that librdkafka goes on from by itself, such as a broker that is down.
pub(super) fn report(error: &KafkaError, reason: &str) {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, RequestTimedOut, Resolve};
    let code = error.rdkafka_error_code();
    let is_of_reach =
        matches!(code, Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | RequestTimedOut | Resolve));
    let kind = match code {
        Some(code) if !is_of_reach => format!("librdkafka: {code:?}"),
        _ => OUT_OF_REACH.to_owned(),
    };
    if is_first(&kind, reason) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

/// What a facility's lines are about. A client's name stands in front of some.
fn kind(facility: &str) -> String {
    match facility {
        "FAIL" | "ERROR" | "REQTMOUT" | "TIMEOUT" | "BROKERDOWN" | "CONNECT" | "RECONNECT" | "COORD" | "METADATA" => {
            OUT_OF_REACH.to_owned()
        }
        other => format!("librdkafka: {other}"),
    }
}
