//! `rialto replay`: delivers past events to a consumer group once more, and shows that nothing is applied twice.
//!
//! The group is set back while no process works in it; then this process works as the group until it is where it was.
//! The events that were applied are known by their ids, before and after; at the end the books are audited.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::admin::operator;
use super::audit::sources::Sources;
use super::audit::{self, AuditError};
use super::process::refuse;
use super::terminal::say;
use crate::config::{Config, ConfigError, Roles};
use crate::domain::event::{Consumer, Topic};
use crate::domain::{EventId, Timestamp};
use crate::flows::Call;
use crate::http::UNNAMED;
use crate::infra::database::DatabaseError;
use crate::infra::event_log::{EventLogError, EventReader};
use crate::infra::telemetry;
use crate::node::{Accept, Node, RewindError, Start, StartError, rewind};

/// Records read at once.
const PAGE: usize = 500;
/// The group must advance within this time.
const STALL_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Deliver events of a topic again to the group that works on it. A dry run unless `--yes` is given.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A topic that somebody works on, such as payment.captured.
    #[arg(long)]
    topic: String,
    /// From this offset on, in every partition.
    #[arg(long, group = "from")]
    from_offset: Option<i64>,
    /// From the first event that happened then or later, RFC 3339, such as 2026-11-24T09:30:00Z.
    #[arg(long, group = "from")]
    from_time: Option<String>,
    /// One partition only.
    #[arg(long)]
    partition: Option<u32>,
    /// Where the embedded databases are.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// The node's TOML file of settings; the environment goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Who acts, for the trail of operators' actions.
    #[arg(long, env = "USER", default_value = UNNAMED, value_parser = operator)]
    operator: String,
    /// Do it. Without this it is only said what would be done.
    #[arg(long)]
    yes: bool,
}

/// Why there was no replay, or no complete one.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("{0} is no topic with a consumer; these are {1}")]
    Topic(String, String),
    #[error("give --from-offset or --from-time, such as 2026-11-24T09:30:00Z")]
    From,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("event log: {0}")]
    Log(#[from] EventLogError),
    #[error("shard: {0}")]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Rewind(#[from] RewindError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the group does not advance: {0} records still wait")]
    Stalled(i64),
}

/// What of one partition is delivered again: from `from` to just below `to`.
#[derive(Debug, Clone, Copy)]
struct Range {
    partition: u32,
    from: i64,
    to: i64,
}

/// The command. Exit code 1 when it could not be done or the audit finds something broken.
pub fn main(args: Args) -> ExitCode {
    let _logging = telemetry::logs::log();
    actix_web::rt::System::new().block_on(async {
        match run(&args).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => refuse(&error),
        }
    })
}

/// Whether nothing is broken at the end.
async fn run(args: &Args) -> Result<bool, ReplayError> {
    let config = Config::load(args.config.as_deref())?;
    let (consumer, topic) = consumer_of(&args.topic)?;
    let sources = Sources::open(&config, &args.data_dir).await?;
    let ranges = plan(args, &*sources.log, consumer, topic).await?;
    for Range { partition, from, to } in &ranges {
        say(format_args!("{}/{partition}: offsets {from} to {} again to {}", topic.name(), to - 1, consumer.name()));
    }
    if ranges.is_empty() {
        say(format_args!("nothing to replay: {} has committed nothing from there on", consumer.name()));
        return Ok(true);
    }
    // Once the group is set back, some process must be able to advance it again.
    let start = start(args, &config, consumer);
    start.check(&config)?;
    if !args.yes {
        say(format_args!("nothing was done: this was a dry run; add --yes to do it"));
        return Ok(true);
    }
    let before = count(&sources, consumer, topic, &ranges).await?;
    let places: Vec<_> = ranges.iter().map(|range| (range.partition, range.from)).collect();
    rewind(&config, &args.data_dir, consumer, topic, &places).await?;
    catch_up(args, &config, &start, &sources, (consumer, topic), &ranges).await?;
    let after = count(&sources, consumer, topic, &ranges).await?;
    say(format_args!(
        "{} records delivered again: {} of them had been applied before, {} were applied now",
        after.records,
        before.applied,
        after.applied - before.applied
    ));
    let report = audit::run(audit::Args::of(args.data_dir.clone(), args.config.clone())).await?;
    say(&report);
    Ok(report.is_clean())
}

fn consumer_of(name: &str) -> Result<(Consumer, Topic), ReplayError> {
    let of = |consumer: Consumer| consumer.topics().iter().map(move |topic| (consumer, *topic));
    let mut known = Consumer::ALL.into_iter().flat_map(of);
    known.clone().find(|(_, topic)| topic.name() == name).ok_or_else(|| {
        let names: Vec<_> = known.by_ref().map(|(_, topic)| topic.name()).collect();
        ReplayError::Topic(name.to_owned(), names.join(", "))
    })
}

async fn plan(args: &Args, log: &dyn EventReader, consumer: Consumer, topic: Topic) -> Result<Vec<Range>, ReplayError> {
    let time = args.from_time.as_deref().map(|text| Timestamp::parse(text).ok_or(ReplayError::From)).transpose()?;
    let mut ranges = Vec::new();
    for progress in log.progress(consumer.name(), topic.name()).await? {
        let (partition, to) = (progress.partition, progress.committed);
        if args.partition.is_some_and(|wanted| wanted != partition) {
            continue;
        }
        let from = match (args.from_offset, time) {
            (Some(offset), None) => offset.max(0),
            (None, Some(time)) => first_since(log, topic, partition, time, to).await?,
            _ => return Err(ReplayError::From),
        };
        if from < to {
            ranges.push(Range { partition, from, to });
        }
    }
    Ok(ranges)
}

/// The first offset below `end` whose event happened at `time` or later, or `end`. Events lie nearly in the order of
/// their times.
async fn first_since(
    log: &dyn EventReader,
    topic: Topic,
    partition: u32,
    time: Timestamp,
    end: i64,
) -> Result<i64, ReplayError> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = log.read(topic.name(), partition, middle, 1).await?;
        match found.first() {
            Some(delivery) if delivery.offset < high && delivery.record.time_ms < time.0 => low = delivery.offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// What is known of the events in some ranges.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    records: u64,
    /// Events that the consumer has recorded as applied.
    applied: u64,
}

async fn count(sources: &Sources, consumer: Consumer, topic: Topic, ranges: &[Range]) -> Result<Count, ReplayError> {
    let mut count = Count::default();
    for Range { partition, from, to } in ranges {
        let mut next = *from;
        loop {
            let page = sources.log.read(topic.name(), *partition, next, PAGE).await?;
            let within: Vec<_> = page.into_iter().filter(|delivery| delivery.offset < *to).collect();
            let Some(last) = within.last() else { break };
            next = last.offset + 1;
            count.records += within.len() as u64;
            let ids: Vec<EventId> = within.iter().filter_map(|delivery| delivery.record.id.parse().ok()).collect();
            for database in &sources.databases {
                count.applied += database.count_processed(consumer, &ids).await?;
            }
        }
    }
    Ok(count)
}

/// The node that works as the group.
fn start(args: &Args, config: &Config, consumer: Consumer) -> Start {
    let is_embedded = config.kafka.brokers.is_empty();
    // The role of a consumer has the consumer's name.
    let role = consumer.name().parse().unwrap_or_else(|_| Roles::all());
    Start {
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        data_dir: args.data_dir.clone(),
        insecure: false,
        roles: if is_embedded { Roles::all() } else { role },
        accept: Accept::default(),
    }
}

/// Runs the consumer here until the group is where it was.
async fn catch_up(
    args: &Args,
    config: &Config,
    start: &Start,
    sources: &Sources,
    (consumer, topic): (Consumer, Topic),
    ranges: &[Range],
) -> Result<(), ReplayError> {
    let node = Node::start(start, config).await?;
    let app = node.app();
    let call = Call { request_id: app.new_request_id(), trace: app.open_trace(None) };
    let detail = ranges.iter().map(|range| format!("{}: {}..{} ", range.partition, range.from, range.to)).collect();
    app.operations().note("consumer.replay", topic.name(), detail, &args.operator, &call).await;
    let mut left = i64::MAX;
    let mut moved = Instant::now();
    let caught_up = loop {
        let progress = sources.log.progress(consumer.name(), topic.name()).await?;
        let before = |range: &Range| {
            let now = progress.iter().find(|now| now.partition == range.partition);
            now.map_or(0, |now| range.to.saturating_sub(now.committed).max(0))
        };
        let now_left: i64 = ranges.iter().map(before).sum();
        if now_left < left {
            (left, moved) = (now_left, Instant::now());
        }
        if left == 0 {
            break Ok(());
        }
        if moved.elapsed() > STALL_MAX {
            break Err(ReplayError::Stalled(left));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    node.stop().await;
    caught_up
}
