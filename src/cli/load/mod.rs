//! `rialto load`: sends load to a running system over HTTP and measures how it answers.
//!
//! It shares a small machine with the server: by default it has one thread with its own runtime, takes no lock in a
//! request, and parses no more of answers than the scenario needs.

mod args;
mod client;
mod duplicates;
mod pace;
mod sender;
mod summary;
mod tally;

#[cfg(test)]
mod fake_server;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use client::{Client, Target};
use pace::{Interrupted, Pace, Share};
use sender::{GROUP, LoadProgress, Plan, Sender};
use tally::Tally;

use super::process::Stop;
use super::terminal::{complain, say};

pub use args::{LoadArgs, Scenario};
pub use client::TargetError;
pub use duplicates::DuplicateCounts;
pub use summary::{FlowSummary, Percentiles, StepSummary, Summary};

/// Time for the threads to be ready before the first thing is due.
const HEAD_START: Duration = Duration::from_millis(20);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Why a run could not be made. A run that was made but met errors is a [`Summary`] that is not clean.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server cannot be reached.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The result cannot be written where `--json` says.
    #[error("cannot write {0}: {1}")]
    Json(PathBuf, std::io::Error),
    /// A sending thread could not be started, or broke; the result would be wrong.
    #[error("a sending thread failed: {0}")]
    Thread(String),
}

/// The command: runs, and says by its exit code how it went.
pub fn main(args: LoadArgs) -> ExitCode {
    let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let run = made.map_err(|error| LoadError::Thread(error.to_string())).and_then(|runtime| {
        runtime.block_on(async {
            let mut stop = Stop::listen().map_err(|error| LoadError::Thread(error.to_string()))?;
            run(args, stop.told()).await
        })
    });
    match run {
        Ok(summary) => summary.exit_code(),
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

/// Makes one run, prints its table to stdout and writes `--json`. The caller exits with [`Summary::exit_code`]. The
/// signal that `interrupt` resolves with ends the run before its time. Needs a tokio runtime with I/O and time, of any
/// kind: requests are sent from threads of its own.
///
/// # Errors
/// [`LoadError`] when nobody listens at the URL, the JSON file cannot be written, or a sending thread breaks.
pub async fn run(args: LoadArgs, interrupt: impl Future<Output = &'static str>) -> Result<Summary, LoadError> {
    let target = Target::find(&args.url).await?;
    // Opened before the run, so that a path that cannot be written does not cost the measurement.
    let json = args.json.as_ref().map(|path| (path, File::create(path)));
    let json = match json {
        Some((path, Err(error))) => return Err(LoadError::Json(path.clone(), error)),
        Some((path, Ok(file))) => Some((path, file)),
        None => None,
    };
    let summary = measure(&args, target, interrupt).await?;
    say(&summary);
    if let Some((path, file)) = json {
        serde_json::to_writer_pretty(file, &summary).map_err(|error| LoadError::Json(path.clone(), error.into()))?;
    }
    Ok(summary)
}

async fn measure(
    args: &LoadArgs,
    target: Target,
    interrupt: impl Future<Output = &'static str>,
) -> Result<Summary, LoadError> {
    let run_id = format!("load-{:016x}", rand::random::<u64>());
    let begins = Instant::now() + HEAD_START;
    let ends = begins + args.duration;
    let progress = Arc::new(LoadProgress::default());

    let (end_early, told) = watch::channel(None);
    let mut threads = Vec::new();
    for thread in 0..args.threads {
        let (connections_max, pace) = share(args, thread);
        if connections_max == 0 {
            continue; // fewer connections than threads
        }
        let plan = Plan {
            scenario: args.scenario,
            think: args.think,
            settle_timeout: args.settle_timeout,
            seed: args.seed.wrapping_add(u64::from(thread)),
            key_prefix: format!("{run_id}-{thread}"),
        };
        let (target, timeout, progress) = (target.clone(), args.timeout, Arc::clone(&progress));
        threads.push(spawn_sending(thread, pace, begins, ends, told.clone(), move || {
            Sender::new(
                plan,
                Client::new(target, connections_max as usize, timeout),
                progress,
                Tally::new(begins, ends),
            )
        })?);
    }

    let ticking = show(&progress, begins, args.duration);
    let counting = async {
        let mut tally = Tally::new(begins, ends);
        for thread in threads {
            tally.merge(&thread.await.map_err(|_| LoadError::Thread("it panicked".to_owned()))?);
        }
        Ok::<_, LoadError>(tally)
    };
    tokio::pin!(ticking, counting, interrupt);
    let mut interrupted = None;
    let tally = loop {
        tokio::select! {
            counted = &mut counting => break counted?,
            never = &mut ticking => match never {},
            signal = &mut interrupt, if interrupted.is_none() => {
                let now = Instant::now();
                interrupted = Some((signal, now.saturating_duration_since(begins)));
                end_early.send_replace(Some(now));
            }
        }
    };
    Ok(Summary::new(args, run_id, &tally, interrupted))
}

/// How many connections a thread may open, and how it starts things.
fn share(args: &LoadArgs, thread: u32) -> (u32, Pace) {
    let part = |whole: u32| whole / args.threads + u32::from(thread < whole % args.threads);
    match (args.connections, args.rate) {
        (Some(connections), _) => {
            let connections = part(connections);
            // A worker on duplicates keeps a whole group in flight.
            let in_flight = if args.scenario == Scenario::Duplicates { GROUP as u32 } else { 1 };
            (connections, Pace::Closed { workers: connections.div_ceil(in_flight) })
        }
        (None, rate) => {
            let rate_per_s = rate.unwrap_or(1);
            let share = Share { rate_per_s, thread, threads: args.threads };
            (part(args.max_connections).max(1), Pace::Open(share))
        }
    }
}

fn spawn_sending(
    thread: u32,
    pace: Pace,
    begins: Instant,
    ends: Instant,
    mut told: Interrupted,
    make_sender: impl FnOnce() -> Sender + Send + 'static,
) -> Result<oneshot::Receiver<Tally>, LoadError> {
    let broken = |error: std::io::Error| LoadError::Thread(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let (done, counted) = oneshot::channel();
    let work = move || {
        let tally = LocalSet::new().block_on(&runtime, async {
            let sender = Rc::new(make_sender());
            if pace::run(&sender, pace, begins, ends, &mut told).await {
                tokio::select! {
                    () = sender.drain() => {}
                    at = pace::interrupted(&mut told) => sender.end_early(at),
                }
            }
            sender.tally()
        });
        // When the run was given up, nobody waits any more.
        let _ = done.send(tally);
    };
    std::thread::Builder::new().name(format!("load-{thread}")).spawn(work).map_err(broken)?;
    Ok(counted)
}

/// Draws the progress bar for ever; nothing is drawn when stderr is no terminal.
async fn show(progress: &LoadProgress, begins: Instant, duration: Duration) -> std::convert::Infallible {
    let bar = ProgressBar::with_draw_target(Some(duration.as_millis() as u64), ProgressDrawTarget::stderr())
        .with_finish(ProgressFinish::AndClear);
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    loop {
        every.tick().await;
        let elapsed = begins.elapsed();
        let succeeded = progress.succeeded.load(Ordering::Relaxed);
        let unexpected = progress.unexpected.load(Ordering::Relaxed);
        let rate_per_s = succeeded as f64 / elapsed.as_secs_f64().max(0.001);
        let finishing = if elapsed > duration { ", finishing what is under way" } else { "" };
        bar.set_position(elapsed.min(duration).as_millis() as u64);
        bar.set_message(format!("{succeeded} ok ({rate_per_s:.0}/s), {unexpected} unexpected{finishing}"));
    }
}

#[cfg(test)]
mod tests {
    use super::fake_server::{Behaviour, start};
    use super::*;

    async fn run(args: LoadArgs) -> Result<Summary, LoadError> {
        super::run(args, std::future::pending()).await
    }

    fn args(url: &str, scenario: Scenario) -> LoadArgs {
        LoadArgs {
            url: url.to_owned(),
            scenario,
            connections: None,
            rate: None,
            duration: Duration::from_millis(300),
            json: None,
            think: Duration::from_millis(20),
            timeout: Duration::from_secs(10),
            settle_timeout: Duration::from_secs(10),
            max_connections: 64,
            threads: 1,
            seed: 1,
        }
    }

    async fn closed(behaviour: Behaviour, scenario: Scenario, connections: u32) -> (Summary, Arc<fake_server::Seen>) {
        let (address, seen) = start(behaviour);
        let args = LoadArgs { connections: Some(connections), ..args(&format!("http://{address}"), scenario) };
        (run(args).await.unwrap(), seen)
    }

    #[tokio::test]
    async fn closed_loop_counts_the_requests_that_the_server_saw() {
        let (summary, seen) = closed(Behaviour::default(), Scenario::Authorize, 4).await;
        let served = seen.authorizations.load(Ordering::Relaxed);
        assert!(summary.clean && served > 0, "{summary}");
        assert_eq!((summary.succeeded, summary.overall.requests), (served, served));
        assert_eq!(summary.exit_code(), std::process::ExitCode::SUCCESS);
        let merchants = seen.merchants.lock().unwrap().iter().collect::<std::collections::HashSet<_>>().len();
        assert!(merchants > 1, "merchants are spread");
    }

    #[tokio::test]
    async fn threads_divide_the_connections_and_their_keys_differ() {
        let (address, seen) = start(Behaviour::default());
        let base = args(&format!("http://{address}"), Scenario::HotMerchant);
        let summary = run(LoadArgs { connections: Some(3), threads: 2, ..base }).await.unwrap();
        assert!(summary.clean, "{summary}");
        assert_eq!(summary.succeeded, seen.keys.lock().unwrap().len() as u64);
        assert!(seen.merchants.lock().unwrap().iter().all(|merchant| merchant == "MERCHANT-1"));
    }

    #[tokio::test]
    async fn refusals_are_counted_by_code_and_the_run_is_not_clean() {
        let behaviour = Behaviour { refuse_every: Some(5), ..Behaviour::default() };
        let (summary, seen) = closed(behaviour, Scenario::Authorize, 4).await;
        let served = seen.authorizations.load(Ordering::Relaxed);
        assert_eq!(summary.overall.unexpected["503 overloaded"], served / 5);
        assert_eq!(summary.succeeded, served - served / 5);
        assert!(!summary.clean);
        assert_eq!(summary.exit_code(), std::process::ExitCode::FAILURE);
        assert!(summary.to_string().contains("503 overloaded"), "{summary}");
    }

    #[tokio::test]
    async fn full_flow_waits_for_captured_and_for_the_last_refund() {
        let settle = Duration::from_millis(60);
        let (summary, seen) = closed(Behaviour { settle, ..Behaviour::default() }, Scenario::FullFlow, 4).await;
        let flows = summary.flows.as_ref().unwrap();
        assert!(summary.clean && flows.started > 0, "{summary}");
        assert_eq!((flows.started, flows.finished), (flows.finished, seen.authorizations.load(Ordering::Relaxed)));
        assert_eq!(flows.capture_to_captured_ms.count, flows.finished.div_ceil(8));
        assert!(flows.capture_to_captured_ms.p50 >= 60.0, "never shorter than the truth: {summary}");
        assert!(flows.refund_drain_ms.unwrap() >= 50.0, "{summary}");
        assert!(flows.ledger_drain_ms >= flows.refund_drain_ms, "{summary}");
        let requests = |name: &str| summary.steps.iter().find(|step| step.name == name).unwrap().requests;
        assert_eq!(requests("capture"), flows.finished);
        assert_eq!(requests("refund"), flows.finished);
        assert_eq!(summary.overall.requests, 3 * flows.finished, "polls are not among them");
    }

    #[tokio::test]
    async fn a_capture_that_never_settles_is_not_clean() {
        let (address, _) = start(Behaviour { settle: Duration::from_secs(3600), ..Behaviour::default() });
        let base = args(&format!("http://{address}"), Scenario::FullFlow);
        let settle_timeout = Duration::from_millis(50);
        let summary = run(LoadArgs { connections: Some(2), settle_timeout, ..base }).await.unwrap();
        assert!(!summary.clean);
        assert_eq!(summary.flows.as_ref().unwrap().finished, 0);
        assert_eq!(summary.steps[1].unexpected["not CAPTURED in time"], summary.flows.as_ref().unwrap().started);
    }

    #[tokio::test]
    async fn open_loop_starts_on_time_and_a_stall_shows_in_latencies() {
        let stall = Duration::from_millis(500);
        let (address, seen) = start(Behaviour { stall: Some((20, stall)), ..Behaviour::default() });
        let base = args(&format!("http://{address}"), Scenario::Authorize);
        let duration = Duration::from_secs(1);
        let summary = run(LoadArgs { rate: Some(200), duration, max_connections: 8, ..base }).await.unwrap();
        assert!(summary.clean, "{summary}");
        assert_eq!(summary.overall.requests, 200, "the schedule does not wait for answers");
        assert_eq!(seen.authorizations.load(Ordering::Relaxed), 200);
        // 100 requests were due during the stall, and their latencies fall evenly from 500 ms to 0: 60 took 200 ms or
        // more. Only 8 were in flight; measured from when it was sent, no other would have been slow.
        assert!(summary.overall.latency_ms.p90 >= 300.0, "{summary}");
        assert!(summary.overall.latency_ms.max >= 450.0, "{summary}");
    }

    #[tokio::test]
    async fn an_interrupted_run_says_what_it_has_measured() {
        let (address, _) = start(Behaviour::default());
        let base = args(&format!("http://{address}"), Scenario::Authorize);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        for (connections, rate) in [(Some(2), None), (None, Some(100))] {
            let duration = Duration::from_secs(600);
            let run = LoadArgs { connections, rate, duration, json: Some(path.clone()), ..base.clone() };
            let interrupt = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "SIGTERM"
            };
            let summary = super::run(run, interrupt).await.unwrap();
            assert!(summary.succeeded > 0 && summary.duration_ms < 5_000, "{summary}");
            assert!(summary.overall.rate_per_s > 1.0, "of the time that it took: {summary}");
            assert!(summary.to_string().contains("interrupted by SIGTERM"), "{summary}");
            assert_eq!(summary.exit_code(), std::process::ExitCode::from(143));
            let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(written["interruptedBy"], "SIGTERM");
            assert_eq!(written["succeeded"], summary.succeeded);
        }
    }

    #[tokio::test]
    async fn duplicates_are_executed_once_and_replayed() {
        let behaviour = Behaviour { authorize: Duration::from_millis(5), ..Behaviour::default() };
        let (summary, _) = closed(behaviour, Scenario::Duplicates, 16).await;
        let counts = summary.duplicates.as_ref().unwrap();
        assert!(summary.clean && counts.groups > 0, "{summary}");
        assert_eq!((counts.fresh, counts.groups_broken), (counts.groups, 0));
        assert_eq!(counts.fresh + counts.replayed + counts.in_progress, 2 * GROUP as u64 * counts.groups);
        assert!(counts.replayed >= GROUP as u64 * counts.groups, "the second time all are replays");
    }

    #[tokio::test]
    async fn server_that_executes_twice_is_detected() {
        let (summary, _) =
            closed(Behaviour { forget_keys: true, ..Behaviour::default() }, Scenario::Duplicates, 8).await;
        let counts = summary.duplicates.as_ref().unwrap();
        assert_eq!(counts.groups_broken, counts.groups);
        assert!(!summary.clean);
    }

    #[tokio::test]
    async fn json_file_equals_the_summary() {
        let (address, _) = start(Behaviour::default());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        let base = args(&format!("http://{address}"), Scenario::Authorize);
        let summary = run(LoadArgs { connections: Some(1), json: Some(path.clone()), ..base.clone() }).await.unwrap();
        let written: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(written["scenario"], "authorize");
        assert_eq!(written["succeeded"], summary.succeeded);
        assert_eq!(written["overall"]["latencyMs"]["count"], summary.succeeded);
        let nowhere = directory.path().join("missing/run.json");
        let refused = run(LoadArgs { connections: Some(1), json: Some(nowhere), ..base }).await;
        assert!(matches!(refused, Err(LoadError::Json(..))));
    }
}
