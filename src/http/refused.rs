//! The count of what is refused before any handler has seen it.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::infra::telemetry::catalogue;

/// Why a request, or a connection, was refused; as the metric's label has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Malformed,
    /// Its head was not complete in time.
    Late,
    TooLarge,
    Version,
    Connect,
    Host,
    Origin,
    /// There is no place for the connection.
    NoPlace,
    /// The client does not read its answer.
    SlowReader,
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Late,
        Self::TooLarge,
        Self::Version,
        Self::Connect,
        Self::Host,
        Self::Origin,
        Self::NoPlace,
        Self::SlowReader,
    ];

    fn label(self) -> KeyValue {
        let reason = match self {
            Self::Malformed => "malformed",
            Self::Late => "late",
            Self::TooLarge => "too_large",
            Self::Version => "version",
            Self::Connect => "connect",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::NoPlace => "no_place",
            Self::SlowReader => "slow_reader",
        };
        KeyValue::new("reason", reason)
    }
}

/// Counts refusals by their reason.
pub struct RefusalCounter(Counter<u64>);

impl RefusalCounter {
    pub fn new() -> Self {
        let series = Reason::ALL.map(|reason| [reason.label()]);
        Self(catalogue::HTTP_REFUSED.to_counter_from_zero(series.iter().map(|labels| &labels[..])))
    }

    pub fn count(&self, reason: Reason) {
        self.0.add(1, &[reason.label()]);
    }
}
