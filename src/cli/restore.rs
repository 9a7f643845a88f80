//! `rialto restore`: checks a backup, makes a data directory of it, and audits that.

use std::path::PathBuf;
use std::process::ExitCode;

use super::audit::{self, AuditError};
use super::process::refuse;
use super::terminal::say;
use crate::config::{Config, ConfigError};
use crate::domain::Timestamp;
use crate::infra::backup::{Manifest, RestoreError, older, restore, verify};
use crate::node::data_files;
use crate::runtime::Clock;

/// Restore a backup into a new data directory, and audit it. The one of before stays as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup: a directory that `rialto backup` has made.
    #[arg(long)]
    from: PathBuf,
    /// The data directory to make: one that does not exist or is empty.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// The node's TOML file of settings; the environment goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Only check the backup: nothing is written.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("{0} was restored and cannot be audited: {1}")]
    Audit(PathBuf, AuditError),
    #[error("{0}")]
    Runtime(#[from] std::io::Error),
}

/// The command. Exit code 1 when nothing was restored, or the audit finds something broken.
pub fn main(args: Args) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::from);
    match done.and_then(|runtime| runtime.block_on(run(args))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&error),
    }
}

/// Whether nothing is broken in what was restored.
async fn run(args: Args) -> Result<bool, Failure> {
    let Args { from, data_dir, config: path, check } = args;
    let config = Config::load(path.as_deref())?;
    let files = data_files(&config, &data_dir);
    let backup = verify(&from, &files, Timestamp(Clock::system().now_ms()))?;
    let older = older(&from, &files).await?;
    let Manifest { taken_at, system, version, outside, .. } = &backup.manifest;
    say(format_args!("{}: system {system} as it was at {taken_at}, by version {version}", from.display()));
    if check {
        say(format_args!("every file is there and whole; nothing was written"));
        return Ok(true);
    }
    restore(&backup, &data_dir)?;
    say(format_args!("restored into {}", data_dir.display()));
    if !outside.is_empty() {
        say(format_args!(
            "not in the backup, and newer than it: {}; see docs/operations.md#restore-a-backup",
            outside.join(", ")
        ));
    }
    if !older.is_empty() {
        let older = older.join(", ");
        say(format_args!(
            "not audited: {older} are of a version before; start the node, which changes them, and audit"
        ));
        return Ok(true);
    }
    // Nobody has worked on it since.
    let clock = Clock::simulated(taken_at.0);
    let audited = audit::run_at(audit::Args::of(data_dir.clone(), path), &clock).await;
    let report = audited.map_err(|error| Failure::Audit(data_dir, error))?;
    say(&report);
    Ok(report.is_clean())
}
