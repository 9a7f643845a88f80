//! What `/metrics` says, read as Prometheus would.

use std::collections::{BTreeMap, BTreeSet};

use rialto::infra::telemetry::catalogue::sections;
use rialto::runtime::{Form, Metric};

use crate::node::TestNode;

/// One line: a series and its value.
#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// One answer of `/metrics`.
#[derive(Debug)]
pub struct Scrape {
    pub text: String,
    pub samples: Vec<Sample>,
    /// What each family is said to be.
    forms: BTreeMap<String, String>,
}

impl Scrape {
    pub async fn of(node: &TestNode) -> Self {
        Self::read(node.get("/metrics").await.expect(200).text)
    }

    pub fn read(text: String) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(sample).collect();
        let forms = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let forms = forms.map(|(name, form)| (name.to_owned(), form.to_owned())).collect();
        Self { text, samples, forms }
    }

    /// The series of a metric with these labels, among others.
    pub fn series(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        };
        self.samples.iter().filter(fits).collect()
    }

    /// The sum of those series; None if there are none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.series(name, labels);
        (!found.is_empty()).then(|| found.iter().map(|sample| sample.value).sum())
    }

    /// Everything in which this and the catalogue differ, but for the metrics in `absent`, which must not be there.
    pub fn differences(&self, absent: &[&str]) -> Vec<String> {
        let catalogue: Vec<&Metric> = sections().flat_map(|section| section.metrics).collect();
        let mut differences = Vec::new();
        let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for sample in &self.samples {
            let Some(metric) = catalogue.iter().find(|metric| is_of(sample, metric)) else {
                differences.push(format!("{} is not in the catalogue", sample.name));
                continue;
            };
            let bound = matches!(metric.form, Form::Histogram(_)).then_some("le");
            let found = sample.labels.keys().map(String::as_str).filter(|label| Some(*label) != bound);
            labels.entry(metric.name).or_default().extend(found);
        }
        for metric in catalogue {
            match labels.get(metric.name) {
                Some(_) if absent.contains(&metric.name) => differences.push(format!("{} is there", metric.name)),
                None if absent.contains(&metric.name) => {}
                None => differences.push(format!("{} is not there", metric.name)),
                Some(found) if *found != metric.labels.iter().copied().collect() => {
                    differences.push(format!("{} has the labels {found:?}, not {:?}", metric.name, metric.labels));
                }
                Some(_) => {}
            }
            let form = match metric.form {
                Form::Counter => "counter",
                Form::Gauge => "gauge",
                Form::Histogram(_) => "histogram",
            };
            if self.forms.get(metric.name).is_some_and(|said| said != form) {
                differences.push(format!("{} is not a {form}", metric.name));
            }
        }
        differences
    }
}

fn is_of(sample: &Sample, metric: &Metric) -> bool {
    match metric.form {
        Form::Counter | Form::Gauge => sample.name == metric.name,
        Form::Histogram(_) => {
            sample.name.strip_prefix(metric.name).is_some_and(|suffix| ["_bucket", "_sum", "_count"].contains(&suffix))
        }
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end: {line}"));
    // No value of ours has a comma or a quote in it.
    let labels = labels.split_terminator(',').map(|label| {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("no label: {line}"));
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    Sample { name: name.to_owned(), labels: labels.collect(), value }
}
