//! Every metric of Rialto, once: its name as Prometheus sees it, its form, labels and meaning. Those of the actors are
//! the runtime's own. `docs/metrics.md` is written from here.

use crate::runtime::{ACTOR_METRICS, MILLISECONDS_UP, Metric, POWERS_OF_TWO};

/// Metrics that belong together.
pub struct Section {
    pub title: &'static str,
    pub metrics: &'static [Metric],
}

/// Names the metrics, and lists them.
macro_rules! catalogue {
    ($($title:literal { $($name:ident = $metric:expr;)* })*) => {
        $($(pub const $name: Metric = $metric;)*)*
        const OWN: &[Section] = &[$(Section { title: $title, metrics: &[$($name),*] }),*];
    };
}

catalogue! {
    "HTTP" {
        HTTP_REQUEST = Metric::histogram(
            "http_server_request_duration_seconds",
            MILLISECONDS_UP,
            &["http_request_method", "http_route", "http_response_status_code"],
            "Duration of HTTP requests, by the route's pattern",
        ).of("s");
        HTTP_CONNECTIONS = Metric::gauge("rialto_http_connections", &[], "Connections of clients that are open");
        HTTP_REFUSED = Metric::counter(
            "rialto_http_refused_total", &["reason"],
            "Requests refused before any handler saw them: malformed, late (a head that was not complete in time), \
             too_large, version, connect, host, origin; connections without a place (no_place), and those broken off \
             because the client did not read its answer (slow_reader)",
        );
    }
    "Payments" {
        PAYMENT_CHANGES = Metric::counter(
            "rialto_payment_changes_total", &["status"],
            "Payments that entered the status, counted when it is committed",
        );
        PAYMENT_MISMATCHES = Metric::counter(
            "rialto_payment_mismatches_total", &[],
            "Times that the PSP was found to have approved another amount or currency than was asked: when the \
             payment is held, and again each time that the resolver asks about it",
        );
    }
    "Shards" {
        SHARD_BATCH_SIZE = Metric::histogram(
            "rialto_shard_batch_size", POWERS_OF_TWO, &["shard"], "Commands committed together",
        );
        SHARD_COMMIT = Metric::histogram(
            "rialto_shard_commit_seconds", MILLISECONDS_UP, &["shard"], "From reading a batch's rows to its commit",
        ).of("s");
        SHARD_CONFLICTS = Metric::counter(
            "rialto_shard_conflicts_total", &["shard"],
            "Batches tried again because another writer had changed their rows",
        );
        SHARD_HALVINGS = Metric::counter(
            "rialto_shard_halvings_total", &["shard"], "Batches cut in two because the database refused them whole",
        );
        SHARD_SHED = Metric::counter(
            "rialto_shard_shed_total", &["shard"], "New work refused because the shard is overloaded",
        );
        SHARD_UP = Metric::gauge(
            "rialto_shard_up", &["shard"],
            "1 when the shard's database answered the last look, took the last write and is not damaged, else 0",
        );
    }
    "Jobs" {
        JOB_STEPS = Metric::counter(
            "rialto_job_steps_total", &["name", "shard", "outcome"],
            "Steps of background jobs that this process took: done, or failed and put off",
        );
        JOB_STEP = Metric::histogram(
            "rialto_job_step_seconds", MILLISECONDS_UP, &["name", "shard"], "How long a step of a background job took",
        ).of("s");
    }
    "Rows" {
        UNREADABLE_ROWS = Metric::counter(
            "rialto_unreadable_rows_total", &["shard", "table"],
            "Rows that cannot be read: skipped, so that other work goes on, and tried again after a \
             minute",
        );
    }
    "Outbox" {
        OUTBOX_PENDING = Metric::gauge(
            "rialto_outbox_pending", &["shard"], "Events that wait to be published; absent while the shard is down",
        );
        OUTBOX_OLDEST_AGE = Metric::gauge(
            "rialto_outbox_oldest_age_seconds", &["shard"],
            "How long the oldest of them has waited, 0 when there is none; absent while the shard is down",
        ).of("s");
        OUTBOX_PUBLISHED = Metric::counter("rialto_outbox_published_total", &["shard"], "Events published");
        OUTBOX_FAILURES = Metric::counter(
            "rialto_outbox_failures_total", &["shard"],
            "Batches of events that could not be published and are tried again",
        );
        OUTBOX_REFUSED = Metric::gauge(
            "rialto_outbox_refused", &["shard", "topic"],
            "Events that the event log refuses for a reason of their own or their topic's, each of another payment, \
             whose later events wait behind it; absent when there is none",
        );
    }
    "Event log" {
        EVENT_LOG_PRODUCE = Metric::histogram(
            "rialto_event_log_produce_seconds", MILLISECONDS_UP, &[], "Duration of appends that became durable",
        ).of("s");
        EVENT_LOG_PRODUCE_ERRORS = Metric::counter(
            "rialto_event_log_produce_errors_total", &[], "Appends that failed, or whose outcome is not known",
        );
        EVENT_LOG_LAG = Metric::gauge(
            "rialto_event_log_lag", &["group", "topic", "partition"],
            "Records that wait for a consumer group in a partition that this process works on",
        );
    }
    "PSP" {
        PSP_CALL = Metric::histogram(
            "rialto_psp_call_seconds", MILLISECONDS_UP, &["operation", "outcome"],
            "Calls that the PSP was sent: operation authorize, capture, void, refund or lookup; outcome approved, \
             declined, absent (the PSP has no such operation), failed (not sent), timeout or unknown",
        ).of("s");
        PSP_REQUESTS = Metric::counter(
            "rialto_psp_requests_total", &["task", "outcome"],
            "Attempts at work owed to the PSP: task capture, void or refund; outcome done, retried or failed",
        );
        PSP_REQUEST_ATTEMPTS = Metric::histogram(
            "rialto_psp_request_attempts", POWERS_OF_TWO, &["task"], "Attempts that a request had taken when it ended",
        );
    }
    "Breakers" {
        BREAKER_STATE = Metric::gauge(
            "rialto_breaker_state", &["breaker"], "0 closed, 1 half-open, 2 open, 3 forced open, 4 forced closed",
        );
        BREAKER_FORCED = Metric::gauge(
            "rialto_breaker_forced_seconds", &["breaker"],
            "For how long an operator has held the breaker in a state; 0 if nobody does",
        ).of("s");
        BREAKER_CALLS = Metric::counter(
            "rialto_breaker_calls_total", &["breaker", "outcome"], "Calls that have ended: outcome success or failure",
        );
        BREAKER_REFUSED = Metric::counter("rialto_breaker_refused_total", &["breaker"], "Calls refused");
        BREAKER_FAILURE_RATIO = Metric::gauge(
            "rialto_breaker_failure_ratio", &["breaker"], "Failures among the calls of the current window, 0 to 1",
        );
        BREAKER_SLOW_RATIO = Metric::gauge(
            "rialto_breaker_slow_ratio", &["breaker"], "Slow calls among those of the current window, 0 to 1",
        );
    }
    "Rate limiter" {
        RATE_LIMITER_ALLOWED = Metric::counter(
            "rialto_rate_limiter_allowed_total", &["action"],
            "Calls within the limit",
        );
        RATE_LIMITER_REFUSED = Metric::counter(
            "rialto_rate_limiter_refused_total", &["action"],
            "Calls over the limit",
        );
        RATE_LIMITER_LOCAL = Metric::counter(
            "rialto_rate_limiter_local_total", &["action"], "Calls decided by this host alone while its store is out",
        );
        RATE_LIMITER_DEGRADED = Metric::gauge(
            "rialto_rate_limiter_degraded", &[],
            "1 while the store of limits is out",
        );
    }
    "Idempotency" {
        IDEMPOTENCY_HITS = Metric::counter(
            "rialto_idempotency_hits_total", &["layer"],
            "Repeated calls that got their first answer, by the layer that had it: cache or shard",
        );
        IDEMPOTENCY_CONFLICTS = Metric::counter(
            "rialto_idempotency_conflicts_total", &["reason"],
            "Calls refused for their key: in_progress (the first call is under way) or mismatch (it was another \
             request)",
        );
        IDEMPOTENCY_CACHE_HITS = Metric::counter(
            "rialto_idempotency_cache_hits_total", &[],
            "Lookups that found an answer",
        );
        IDEMPOTENCY_CACHE_MISSES = Metric::counter(
            "rialto_idempotency_cache_misses_total", &[],
            "Lookups that found none",
        );
        IDEMPOTENCY_CACHE_ERRORS = Metric::counter(
            "rialto_idempotency_cache_errors_total", &[], "Lookups and answers that did without the cache",
        );
        IDEMPOTENCY_CACHE_DEGRADED = Metric::gauge(
            "rialto_idempotency_cache_degraded", &[], "1 while the cache of answers is out",
        );
    }
    "Connections" {
        POOL_CONNECTIONS = Metric::gauge(
            "rialto_pool_connections", &["pool", "state"],
            "Connections that are open: pool shard_1_writer, shard_1_readers and so on, \
             control_writer, control_readers, and redis; state idle or used",
        );
        POOL_CONNECTIONS_MAX = Metric::gauge("rialto_pool_connections_max", &["pool"], "Connections that may be open");
    }
    "Dead letters" {
        DEAD_LETTERS_OPEN = Metric::gauge(
            "rialto_dead_letters_open", &["topic"], "Open dead letters, on the shards that are up",
        );
        DEAD_LETTERS_BURIED = Metric::counter("rialto_dead_letters_buried_total", &["topic"], "Dead letters stored");
    }
    "Ledger" {
        LEDGER_ENTRIES = Metric::counter(
            "rialto_ledger_entries_total", &["shard", "kind"], "Entries booked: kind capture or refund",
        );
        LEDGER_IMBALANCE = Metric::gauge(
            "rialto_ledger_imbalance", &["shard"],
            "Difference of debits and credits in minor units, summed over currencies: anything but 0 is an alarm; \
             absent while the shard is down",
        );
    }
    "Control store" {
        CONTROL_STORE_UP = Metric::gauge(
            "rialto_control_store_up", &[], "1 when the control store answered the last look, else 0",
        );
        ACTIONS_WAITING = Metric::gauge(
            "rialto_operator_actions_waiting", &["shard"],
            "Operators' actions that wait in the shard to be moved to the control store; absent while the shard is \
             down",
        );
        ACTIONS_OLDEST_AGE = Metric::gauge(
            "rialto_operator_actions_oldest_age_seconds", &["shard"],
            "How long the oldest of them has waited, 0 when there is none; absent while the shard is down",
        ).of("s");
    }
    "Leases" {
        LEASE_HELD = Metric::gauge("rialto_lease_held", &["lease"], "1 while this process holds the lease");
        LEASE_LOSSES = Metric::counter("rialto_lease_losses_total", &["lease"], "Leases held and lost to another");
        LEASES_DEGRADED = Metric::gauge("rialto_leases_degraded", &[], "1 while the store of leases is out");
    }
    "Clock" {
        CLOCK_DOUBTED = Metric::gauge(
            "rialto_clock_doubted", &[],
            "1 while the wall clock was set and is not believed: time goes on as before, and no authorization expires",
        );
    }
    "Log" {
        LOG_LINES_LOST = Metric::counter(
            "rialto_log_lines_lost_total", &[],
            "Log lines lost because standard error, or the greeting's standard output, was full, closed or too slow",
        );
    }
    "Storage" {
        STORAGE_FREE = Metric::gauge(
            "rialto_storage_free_bytes", &["path"],
            "Bytes that the process may still write to the disk of its data directory",
        ).of("By");
        STORAGE_SIZE = Metric::gauge(
            "rialto_storage_size_bytes", &["path"], "Size of the disk of its data directory",
        ).of("By");
    }
    "Build" {
        BUILD_INFO = Metric::gauge("rialto_build_info", &["version"], "1, for the version that runs");
    }
}

/// Those of the process, which the client library makes.
const PROCESS: Section = Section {
    title: "Process",
    metrics: &[
        Metric::counter("process_cpu_seconds_total", &[], "Processor time used").of("s"),
        Metric::gauge("process_resident_memory_bytes", &[], "Memory in use").of("By"),
        Metric::gauge("process_virtual_memory_bytes", &[], "Address space in use").of("By"),
        Metric::gauge("process_open_fds", &[], "File descriptors in use"),
        Metric::gauge("process_max_fds", &[], "File descriptors that may be in use"),
        Metric::gauge("process_threads", &[], "Threads"),
        Metric::gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970 UTC").of("s"),
    ],
};

const ACTORS: Section = Section { title: "Actors", metrics: &ACTOR_METRICS };

/// Every metric there is.
pub fn sections() -> impl Iterator<Item = &'static Section> {
    std::iter::once(&ACTORS).chain(OWN).chain(std::iter::once(&PROCESS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::runtime::Form;

    fn document() -> String {
        let mut text = "# Metrics\n\n\
            What `/metrics` shows of every process, in Prometheus's text format. Written from \
            `src/infra/telemetry/catalogue.rs` and\n\
            `runtime/src/meter.rs`: `UPDATE=1 cargo test --lib metrics_document` writes it anew. No label names a \
            merchant or a payment.\n"
            .to_owned();
        for Section { title, metrics } in sections() {
            text += &format!("\n## {title}\n\n| metric | form | labels | meaning |\n| --- | --- | --- | --- |\n");
            for Metric { name, form, labels, about, .. } in *metrics {
                let form = match form {
                    Form::Counter => "counter".to_owned(),
                    Form::Gauge => "gauge".to_owned(),
                    Form::Histogram(bounds) => format!("histogram, {} to {}", bounds[0], bounds[bounds.len() - 1]),
                };
                let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
                text += &format!("| `{name}` | {form} | {} | {about} |\n", labels.join(", "));
            }
        }
        text
    }

    #[test]
    fn metrics_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, document()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == document(), "docs/metrics.md is old: UPDATE=1 cargo test --lib metrics_document");
    }

    #[test]
    fn metric_names_follow_prometheus_and_include_the_unit() {
        let mut names = BTreeSet::new();
        for Metric { name, form, unit, .. } in sections().flat_map(|section| section.metrics) {
            assert!(names.insert(name), "{name} twice");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            assert_eq!(*form == Form::Counter, name.ends_with("_total"), "{name}");
            let bare = name.trim_end_matches("_total");
            let suffix = [("_seconds", "s"), ("_bytes", "By")].into_iter().find(|(suffix, _)| bare.ends_with(suffix));
            assert_eq!(*unit, suffix.map_or("", |(_, unit)| unit), "{name}");
        }
    }
}
