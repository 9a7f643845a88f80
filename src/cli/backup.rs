//! `rialto backup`: copies what a node keeps in its data directory, as it was at one instant, while the node runs or
//! not. It asks the files and not the node, so that it also works where the node does not.

use std::path::PathBuf;
use std::process::ExitCode;

use super::interrupted::undo_on_signal;
use super::process::refuse;
use super::terminal::say;
use crate::config::{Config, ConfigError};
use crate::domain::Timestamp;
use crate::infra::backup::{BackupError, Made, Manifest, Order, Part, take};
use crate::node::{DataDirError, check_whole, data_files, left_out, servers};
use crate::runtime::Clock;

/// Back up the data directory: all files at one instant, and a manifest by which `rialto restore` knows them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the backup shall be: a directory that does not exist or is empty, and is not in the data directory.
    #[arg(long)]
    to: PathBuf,
    /// Where the embedded databases are.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// The node's TOML file of settings; the environment goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Who makes the backup, for its manifest.
    #[arg(long, env = "USER", default_value = "unnamed")]
    operator: String,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(
        "nothing of this configuration is in a data directory: back up its servers, see \
         docs/operations.md#back-up-a-shard-on-mariadb"
    )]
    OnServers,
    /// The configuration is not the node's, or was forgotten; or a file is left of another time.
    #[error(
        "{path} is there, and this configuration works without it ({setting}), so that the backup would not have it: \
         give the node's configuration (--config, RIALTO__...), or move the file away if no node works with it"
    )]
    LeftOut { path: PathBuf, setting: String },
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("signals: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// The command. Exit code 1 when there is no backup; nothing of it is left then.
pub fn main(args: Args) -> ExitCode {
    let to = args.to.clone();
    let manifest = match run(args) {
        Ok(manifest) => manifest,
        Err(error) => return refuse(&error),
    };
    let Manifest { taken_at, system, outside, files, pause_us, .. } = &manifest;
    say(format_args!(
        "{}: system {system} as it was at {taken_at}, {} files, {} bytes; writers waited {pause_us} us",
        to.display(),
        files.len(),
        manifest.bytes()
    ));
    if !outside.is_empty() {
        say(format_args!("not in it, since they are on servers: {}", outside.join(", ")));
    }
    ExitCode::SUCCESS
}

fn run(args: Args) -> Result<Manifest, Failure> {
    let config = Config::load(args.config.as_deref())?;
    let files = data_files(&config, &args.data_dir);
    check_whole(&args.data_dir)?;
    if let Some(part) = left_out(&files, &args.data_dir)?.first() {
        return Err(Failure::LeftOut { path: args.data_dir.join(part.file_name()), setting: setting(&config, *part) });
    }
    if files.is_empty() {
        return Err(Failure::OnServers);
    }
    let order = Order {
        files,
        data_dir: args.data_dir,
        shard_count: config.shard.count.get(),
        to: args.to,
        keep_free: config.storage.free_min_bytes,
        node: config.node.id,
        operator: args.operator,
        outside: servers(&config),
    };
    let (clock, made) = (Clock::system(), Made::default());
    undo_on_signal(made.clone()).map_err(Failure::Signals)?;
    Ok(take(&order, &made, || Timestamp(clock.now_ms()))?)
}

/// Because of which setting the configuration works without this part.
fn setting(config: &Config, part: Part) -> String {
    match part {
        Part::Shard(_) if config.shard.databases.is_empty() => format!("shard.count is {}", config.shard.count),
        part => format!("{} is set", part.server_setting()),
    }
}
