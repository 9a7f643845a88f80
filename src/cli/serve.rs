//! `rialto serve`: runs a node until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use super::process::{Starting, Stop, refuse, resolve};
use super::terminal::greet;
use crate::config::{Config, Roles};
use crate::infra::telemetry;
use crate::node::{Accept, Node, Start, open_files};

/// Serve payments. Without a configuration everything is embedded: nothing needs to be installed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen: an address or a name, and a port. Of a name's addresses it is the first one that can be had,
    /// those of IPv4 first. A loopback address runs open, for development.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the embedded databases are.
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// A TOML file of settings; the environment (RIALTO__SHARD__MAX_BATCH and the like) goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Listen beyond loopback though there are no keys: everybody who can reach the address can move money.
    #[arg(long)]
    insecure: bool,
    /// What this process does: all, or some of ingest, publisher, settlement, refund, ledger and resolver, with commas.
    #[arg(long, env = "RIALTO_ROLES", default_value = "all")]
    roles: Roles,
    /// Take on an empty database for a shard though others hold data: what was in it before is given up.
    #[arg(long)]
    new_shard: bool,
    /// Take on another event log than before, or an empty one: what is in the one of before is given up.
    #[arg(long)]
    new_event_log: bool,
    /// Take on another PSP than before, or empty books of the simulator: whatever the one of before holds is given up.
    #[arg(long)]
    new_psp: bool,
}

pub fn run(args: Args) -> ExitCode {
    let _logging = telemetry::logs::log();
    actix_web::rt::System::new().block_on(serve(args))
}

async fn serve(args: Args) -> ExitCode {
    let (starting, mut stop) = match Starting::begin().and_then(|starting| Ok((starting, Stop::listen()?))) {
        Ok(listening) => listening,
        Err(error) => return refuse(&error),
    };
    let insecure = args.insecure;
    let node = match start(args).await {
        Ok(node) => node,
        Err(error) => return refuse(&*error),
    };
    starting.over();
    if insecure {
        tracing::warn!(address = %node.address, "open to everybody who can reach it: no keys are asked for");
    } else {
        tracing::info!(address = %node.address, "open for development: no keys are asked for on loopback");
    }
    let url = format!("http://{}", node.address);
    greet(format!("rialto: serving on {url} (documents: {url}/docs)"));
    tokio::select! {
        signal = stop.told() => tracing::info!(signal, "stopping"),
        escalation = node.failed() => {
            tracing::error!(%escalation, "the supervision tree gave up");
            return refuse(&escalation);
        }
    }
    node.stop().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

async fn start(args: Args) -> Result<Node, Box<dyn std::error::Error>> {
    let config = Config::load(args.config.as_deref())?;
    open_files::raise();
    let listen = resolve(&args.listen).await?;
    let Args { data_dir, insecure, roles, .. } = args;
    let accept = Accept { new_shard: args.new_shard, new_event_log: args.new_event_log, new_psp: args.new_psp };
    Ok(Node::start(&Start { listen, data_dir, insecure, roles, accept }, &config).await?)
}
