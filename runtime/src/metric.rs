//! One metric: its name, form, labels and meaning in one value, from which instruments and documents are made.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use opentelemetry::{KeyValue, global};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// Only grows, from 0 when the process starts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric of the process. The name is the one that Prometheus sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The exported name.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
    /// As UCUM writes it (<https://ucum.org>): `s`, `By`; empty for plain numbers.
    pub unit: &'static str,
    /// The labels that its series have; some series may have none of an actor's `shard`.
    pub labels: &'static [&'static str],
    /// One sentence for people.
    pub about: &'static str,
}

/// Upper bounds for durations in seconds, from half a millisecond to ten seconds.
pub const MILLISECONDS_UP: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From 10 us to 10 s: cached answers are at one end, calls to a slow PSP at the other.
pub const MICROSECONDS_UP: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds for counts that double.
pub const POWERS_OF_TWO: &[f64] = &[1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.];

impl Metric {
    /// A counter of plain numbers.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], about: &'static str) -> Self {
        Self { name, form: Form::Counter, unit: "", labels, about }
    }

    /// A gauge of plain numbers.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], about: &'static str) -> Self {
        Self { name, form: Form::Gauge, unit: "", labels, about }
    }

    /// A histogram of plain numbers with these upper bounds.
    pub const fn histogram(
        name: &'static str,
        bounds: &'static [f64],
        labels: &'static [&'static str],
        about: &'static str,
    ) -> Self {
        Self { name, form: Form::Histogram(bounds), unit: "", labels, about }
    }

    /// The same metric in another unit.
    pub const fn of(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The instrument that counts. It does nothing until the process exports its metrics, like all of these.
    pub fn to_counter(&self) -> Counter<u64> {
        meter().u64_counter(self.name).with_description(self.about).with_unit(self.unit).build()
    }

    /// As [`to_counter`](Self::to_counter), but these series exist from the start: a series that appears with value 1
    /// has not grown, and no alert would see it.
    pub fn to_counter_from_zero<'a>(&self, series: impl IntoIterator<Item = &'a [KeyValue]>) -> Counter<u64> {
        let counter = self.to_counter();
        series.into_iter().for_each(|labels| counter.add(0, labels));
        counter
    }

    /// The instrument that shows a number.
    pub fn to_gauge(&self) -> Gauge<u64> {
        meter().u64_gauge(self.name).with_description(self.about).with_unit(self.unit).build()
    }

    /// The instrument that shows a part of a whole.
    pub fn to_ratio_gauge(&self) -> RatioGauge {
        RatioGauge(meter().f64_gauge(self.name).with_description(self.about).with_unit(self.unit).build())
    }

    /// The instrument that sorts numbers.
    pub fn to_histogram(&self) -> Histogram<u64> {
        let meter = meter();
        let builder = meter.u64_histogram(self.name).with_description(self.about).with_unit(self.unit);
        builder.with_boundaries(self.bounds().to_vec()).build()
    }

    /// The instrument that sorts durations.
    pub fn to_duration_histogram(&self) -> DurationHistogram {
        self.to_duration_histogram_of(&meter())
    }

    pub(super) fn to_duration_histogram_of(&self, meter: &Meter) -> DurationHistogram {
        let builder = meter.f64_histogram(self.name).with_description(self.about).with_unit(self.unit);
        DurationHistogram(builder.with_boundaries(self.bounds().to_vec()).build())
    }

    fn bounds(&self) -> &'static [f64] {
        match self.form {
            Form::Histogram(bounds) => bounds,
            Form::Counter | Form::Gauge => &[],
        }
    }
}

/// Where instruments come from: the provider that the process has set, or none.
pub fn meter() -> Meter {
    global::meter("rialto")
}

/// A histogram of durations in seconds.
#[derive(Clone)]
pub struct DurationHistogram(Histogram<f64>);

impl DurationHistogram {
    /// Counts one duration in the series of these labels.
    pub fn record(&self, duration: Duration, labels: &[KeyValue]) {
        self.0.record(duration.as_secs_f64(), labels);
    }
}

/// A gauge from 0 to 1.
#[derive(Clone)]
pub struct RatioGauge(Gauge<f64>);

impl RatioGauge {
    /// Shows how many of `whole` are `part`; 0 of none.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of counts far below 2^52")]
    pub fn record(&self, part: u64, whole: u64, labels: &[KeyValue]) {
        self.0.record(part as f64 / whole.max(1) as f64, labels);
    }
}
