//! `rialto restore`: checks a backup, makes a data directory of it, and audits that.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::audit::{self, AuditError};
use super::interrupted::undo_on_signal;
use super::process::refuse;
use super::terminal::say;
use crate::config::{Config, ConfigError};
use crate::domain::Timestamp;
use crate::infra::backup::{Made, Manifest, RestoreError, Verified, older, restore, verify};
use crate::node::data_files;
use crate::runtime::Clock;

/// Restore a backup into a new data directory, and audit it. The one of before stays as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup: a directory that `rialto backup` has made.
    #[arg(long)]
    from: PathBuf,
    /// The data directory to make: one that does not exist or is empty, and is not in the backup.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// The node's TOML file of settings; the environment goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Only check the backup, by what it says itself: no configuration is needed, and nothing is written.
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
    let backup = verify(&from, Timestamp(Clock::system().now_ms()))?;
    let older = older(&backup).await?;
    let Manifest { taken_at, system, version, outside, .. } = &backup.manifest;
    say(format_args!("{}: system {system} as it was at {taken_at}, by version {version}", from.display()));
    if check {
        say(format_args!("every file is there and whole; nothing was written"));
        // The backup is no worse for it.
        if let Err(error) = fits(&backup, path.as_deref(), &data_dir) {
            say(format_args!("with this configuration it is not restored: {error}"));
        }
        return Ok(true);
    }
    fits(&backup, path.as_deref(), &data_dir)?;
    let made = Made::default();
    undo_on_signal(made.clone())?;
    restore(&backup, &data_dir, &made)?;
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

/// Whether a node with this configuration can work with what is restored.
fn fits(backup: &Verified, config: Option<&Path>, data_dir: &Path) -> Result<(), Failure> {
    Ok(backup.fits(&data_files(&Config::load(config)?, data_dir))?)
}
