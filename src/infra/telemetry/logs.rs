//! Log lines: as text on a terminal, as JSON elsewhere, with the trace to which they belong.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::future::Future;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::lossy::Lossy;
use crate::domain::TraceContext;

tokio::task_local! {
    /// What is being worked on.
    static TRACE: TraceContext;
}

/// Held as long as the process logs; its last lines are written when it goes.
#[must_use]
pub struct Logging(Option<Lossy>);

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(output) = &self.0 {
            output.flush_for_a_moment();
        }
    }
}

/// Logs to standard error. If that is full, closed or blocked, lines are lost and nothing else happens. `RUST_LOG`
/// filters; the default is `info`, without the migrations' own lines, since each is told by who has it applied. A
/// process that has a logger already keeps it.
pub fn log() -> Logging {
    let Ok(output) = Lossy::to(std::io::stderr()) else { return Logging(None) };
    let (logged, writer) = (output.clone(), move || output.clone());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(writer);
    let is_set = if std::io::stderr().is_terminal() {
        builder.try_init().is_ok()
    } else {
        builder.json().flatten_event(true).map_event_format(Traced).try_init().is_ok()
    };
    tracing::debug!(log.is_set = is_set, "logging");
    if is_set {
        // The standard library's hook would wait for a standard error that is blocked.
        std::panic::set_hook(Box::new(log_panic));
    }
    Logging(Some(logged))
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let (thread, backtrace) = (std::thread::current(), Backtrace::capture());
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let location = info.location().map(ToString::to_string);
    tracing::error!(
        thread.name = thread.name(),
        code.location = location,
        backtrace,
        "panicked: {}",
        text.unwrap_or("?")
    );
}

/// Does work whose log lines name the trace.
pub async fn in_trace<F: Future>(trace: TraceContext, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// As [`in_trace`], for work without waits.
pub fn of_trace<T>(trace: TraceContext, work: impl FnOnce() -> T) -> T {
    TRACE.sync_scope(trace, work)
}

/// JSON lines that begin with `trace_id` and `span_id` where a trace is known.
struct Traced<F>(F);

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Ok(TraceContext { trace_id, span_id, .. }) = TRACE.try_with(|trace| *trace) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let members = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, r#"{{"trace_id":"{trace_id:032x}","span_id":"{span_id:016x}",{members}"#)
    }
}

#[cfg(test)]
pub mod testing {
    use std::sync::{Arc, LazyLock};

    use parking_lot::Mutex;
    use tracing::Dispatch;
    use tracing::subscriber::DefaultGuard;
    use tracing_subscriber::fmt::MakeWriter;

    use super::Traced;

    /// What this thread logs, as JSON lines, until the guard goes.
    pub fn captured() -> (Lines, DefaultGuard) {
        /// With one subscriber alone, tracing asks the thread that meets a line first, and remembers for all threads
        /// that nobody wants it.
        static OTHER: LazyLock<Dispatch> =
            LazyLock::new(|| Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish()));
        LazyLock::force(&OTHER);
        let lines = Lines::default();
        let builder = tracing_subscriber::fmt().with_writer(lines.clone()).json().flatten_event(true);
        let guard = tracing::subscriber::set_default(builder.map_event_format(Traced).finish());
        (lines, guard)
    }

    #[derive(Clone, Default)]
    pub struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::testing::captured;
    use super::*;

    #[tokio::test]
    async fn log_lines_name_only_the_trace_they_belong_to() {
        let (lines, _logging) = captured();
        let trace = TraceContext { trace_id: 0xabc, span_id: 0xdef, sampled: false };
        in_trace(trace, async { tracing::warn!(count = 1, "within \"it\"") }).await;
        of_trace(trace, || tracing::warn!("within"));
        tracing::warn!("outside");
        let text = lines.text();
        let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&read[0]["message"], &read[0]["count"]), (&"within \"it\"".into(), &1.into()));
        for line in &read[..2] {
            assert_eq!(line["trace_id"], "00000000000000000000000000000abc", "{line}");
            assert_eq!(line["span_id"], "0000000000000def", "{line}");
        }
        assert_eq!((&read[2]["message"], read[2].get("trace_id")), (&"outside".into(), None));
    }
}
