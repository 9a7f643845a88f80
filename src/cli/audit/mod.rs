//! `rialto audit`: reads shards, control store, event log and the PSP simulator's books, and names every broken
//! invariant. It may run beside a node, and changes nothing.
//!
//! How a system in motion can be judged: each shard is read as it stood at one instant. What the shards must know by
//! then (ends of the log, what the ledger group has behind it) is noted before that instant; what they say is done is
//! looked for after it. Between the PSP's books and a payment, and with everything that depends on the time, what looks
//! wrong is looked at again until it is right or stays as it is. What work under way explains is in flight, not broken.
//!
//! Shards and books are read in pages, side by side in the order of payment ids; see `events` for what stays in memory.

mod books;
mod error;
mod events;
mod keys;
mod ledger;
mod payment;
mod psp;
mod recheck;
mod report;
pub(super) mod sources;
mod trail;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use super::terminal::{complain, say};
use crate::config::Config;
use crate::domain::{PaymentId, ShardId};
use crate::infra::database::audit::{Dossier, Page, Snapshot};
use crate::infra::database::{Damaged, DatabaseError, ShardDatabase};
use crate::runtime::Clock;

pub use books::BooksError;
pub use error::AuditError;
use events::{Events, Marks, Outbox};
use ledger::Sums;
pub use recheck::LookError;
pub use report::{EXAMPLES, Finding, Invariant, Report};
use sources::Sources;

/// Payments, keys or events read at once.
const PAGE: u64 = 500;

/// Check that every invariant holds, also beside a running node.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the embedded databases are.
    #[arg(long, default_value = "./data")]
    pub data_dir: PathBuf,
    /// The node's TOML file of settings; the environment goes over it.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Count what is under way as broken: for a system that has come to rest.
    #[arg(long)]
    pub settled: bool,
    /// How many examples to name of what breaks an invariant, and of what is in flight.
    #[arg(long, default_value_t = EXAMPLES)]
    pub examples: usize,
}

impl Args {
    /// Of a node's data, while it may be working.
    pub fn of(data_dir: PathBuf, config: Option<PathBuf>) -> Self {
        Self { data_dir, config, json: false, settled: false, examples: EXAMPLES }
    }
}

/// The command: prints the report and says by its exit code what it is: 0 clean, 1 broken, 2 no report.
pub fn main(args: Args) -> ExitCode {
    let is_json = args.json;
    let audited = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => return refuse(&error),
    };
    match audited {
        Ok(report) if is_json => {
            say(format_args!("{:#}", report.to_json()));
            report.exit_code()
        }
        Ok(report) => {
            say(&report);
            report.exit_code()
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    complain(why);
    ExitCode::from(2)
}

/// Audits what a node with this configuration works on.
///
/// # Errors
/// [`AuditError`] when something cannot be read; whatever is broken is in the report.
pub async fn run(args: Args) -> Result<Report, AuditError> {
    run_at(args, &Clock::system()).await
}

/// As [`run`], by another clock: what nobody has worked on since a backup was made has not waited since then.
///
/// # Errors
/// As there.
pub async fn run_at(args: Args, clock: &Clock) -> Result<Report, AuditError> {
    let config = Config::load(args.config.as_deref())?;
    let sources = Sources::open(&config, &args.data_dir).await?;
    audit(&sources, Report::new(args.settled, args.examples), clock).await
}

async fn audit(sources: &Sources, mut report: Report, clock: &Clock) -> Result<Report, AuditError> {
    let log = &*sources.log;
    let marks = Marks::note(log).await?;
    let mut instants = Vec::new();
    for database in &sources.databases {
        instants.push(Instant::of(database).await?);
    }
    let mut outbox = Outbox::default();
    for instant in &instants {
        instant.read_outbox(&mut outbox, &mut report).await?;
    }
    let mut events = Events::read(log, &marks, outbox).await?;
    events.findings.drain(..).for_each(|finding| report.note(finding));
    let mut books = psp::Pages::new(&sources.books);

    let mut suspects = Vec::new();
    while let Some((shard, dossier)) = next(&mut instants, &mut report).await? {
        let id = dossier.payment.id;
        let facts = events.of(id);
        let mut findings = payment::judge(&dossier, shard, &sources.map);
        findings.extend(payment::in_flight(&dossier));
        findings.extend(ledger::judge(&dossier, &facts));
        findings.extend(Events::judge(&dossier, &facts));
        // What may be wrong only for a moment is looked at again.
        let mut momentary = psp::judge(&dossier, &books.of(&dossier).await?);
        momentary.extend(payment::judge_stuck(&dossier, recheck::stuck_before(clock)));
        if momentary.iter().any(|finding| !finding.is_in_flight) {
            suspects.push((sources.database(shard), id));
        }
        findings.extend(momentary.into_iter().filter(|finding| finding.is_in_flight));
        report.note_payment(findings);
    }
    events.finish();
    books.finish().await?;
    for instant in instants {
        instant.finish(&mut report).await?;
    }

    books.findings.into_iter().for_each(|finding| report.note(finding));
    let at = |id: PaymentId| (sources.database(sources.map.shard_of(id.bucket())), id);
    let told = events.unknown.into_iter().map(at).collect();
    let at_psp = books.unknown.into_iter().map(at).collect();
    let mut again = recheck::unknown(told, at_psp).await?;
    again.extend(recheck::payments(suspects, &sources.books, clock).await?);
    again.extend(recheck::outboxes(&sources.databases.iter().collect::<Vec<_>>(), clock).await?);
    again.extend(recheck::consumers(log, clock).await?);
    again.into_iter().for_each(|finding| report.note(finding));
    trail::judge(&sources.databases, &sources.trail, &mut report).await?;
    Ok(report)
}

/// A shard at its instant, and how far it has been read.
struct Instant {
    shard: ShardId,
    snapshot: Snapshot,
    waiting: VecDeque<Dossier>,
    /// Where the next page begins; none when there is none.
    next: Option<PaymentId>,
    sums: Sums,
}

impl Instant {
    async fn of(database: &ShardDatabase) -> Result<Self, AuditError> {
        let shard = database.id;
        let snapshot = database.snapshot().await.map_err(|error| AuditError::Shard { shard, error })?;
        let next = Some(PaymentId::from_stored(i64::MIN));
        Ok(Self { shard, snapshot, waiting: VecDeque::new(), next, sums: Sums::default() })
    }

    fn failed(&self) -> impl Fn(DatabaseError) -> AuditError + use<> {
        let shard = self.shard;
        move |error| AuditError::Shard { shard, error }
    }

    async fn read_outbox(&self, outbox: &mut Outbox, report: &mut Report) -> Result<(), AuditError> {
        let mut after = i64::MIN;
        loop {
            let rows = self.snapshot.outbox(after, PAGE).await.map_err(self.failed())?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = match last {
                Ok(row) => row.seq,
                // A place that is no number is beyond all numbers.
                Err(damaged) => damaged.id.parse().unwrap_or(i64::MAX),
            };
            for row in rows {
                match row {
                    Ok(row) => outbox.add(row),
                    Err(damaged) => report.note(unreadable(self.shard, &damaged)),
                }
            }
        }
    }

    /// Reads on if nothing waits, and notes what belongs to no payment.
    async fn fill(&mut self, report: &mut Report) -> Result<(), AuditError> {
        while let (true, Some(after)) = (self.waiting.is_empty(), self.next) {
            let page = self.snapshot.page(after, PAGE).await.map_err(self.failed())?;
            let Page { dossiers, orphans, orphan_entries, other_entries, unreadable: damaged, next } = page;
            let shard = self.shard;
            for (table, id, payment_id) in orphans {
                let invariant = if table == "refund" { Invariant::PaymentRefunds } else { Invariant::PaymentRequests };
                let text = format!("shard {shard}: {table} {id} is of {payment_id}, and no such payment");
                report.note(Finding::broken(invariant, text));
            }
            damaged.iter().for_each(|damaged| report.note(unreadable(shard, damaged)));
            for entry in &orphan_entries {
                let text = format!("shard {shard}: {} is of {}, and no such payment", entry.id, entry.payment_id);
                report.note(Finding::broken(Invariant::LedgerPayments, text));
            }
            let entries =
                dossiers.iter().flat_map(|dossier| &dossier.entries).chain(&orphan_entries).chain(&other_entries);
            entries.for_each(|entry| self.sums.add(entry));
            self.waiting = dossiers.into();
            self.next = next;
        }
        Ok(())
    }

    /// What is left when all payments are read: keys and balances.
    async fn finish(self, report: &mut Report) -> Result<(), AuditError> {
        let failed = self.failed();
        let mut after = Vec::new();
        loop {
            let found = self.snapshot.keys(&after, PAGE).await.map_err(&failed)?;
            let Some((last, _)) = found.last() else { break };
            after.clone_from(&last.scope);
            let findings = found.iter().flat_map(|(key, payment)| keys::judge(self.shard, key, payment.as_ref()));
            findings.for_each(|finding| report.note(finding));
        }
        let (mut balances, mut is_whole) = (Vec::new(), true);
        for balance in self.snapshot.balances().await.map_err(&failed)? {
            match balance {
                Ok(balance) => balances.push(balance),
                Err(damaged) => {
                    is_whole = false;
                    report.note(unreadable(self.shard, &damaged));
                }
            }
        }
        // Without all balances nothing can be said of their sums.
        if !is_whole {
            return Ok(());
        }
        self.sums.judge(self.shard, &balances).into_iter().for_each(|finding| report.note(finding));
        Ok(())
    }
}

/// A row that cannot be read: nothing can be said of it, nor of the payment that it is part of.
fn unreadable(shard: ShardId, damaged: &Damaged) -> Finding {
    Finding::broken(Invariant::RowsReadable, format!("shard {shard}: {damaged}"))
}

/// The payment with the lowest id of all shards that has not been looked at.
async fn next(instants: &mut [Instant], report: &mut Report) -> Result<Option<(ShardId, Dossier)>, AuditError> {
    for instant in instants.iter_mut() {
        instant.fill(report).await?;
    }
    let id = |instant: &&mut Instant| instant.waiting.front().map_or(i64::MAX, |first| first.payment.id.get());
    let lowest = instants.iter_mut().min_by_key(id);
    Ok(lowest.and_then(|instant| instant.waiting.pop_front().map(|dossier| (instant.shard, dossier))))
}

#[cfg(test)]
mod tests;
