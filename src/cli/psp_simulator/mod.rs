//! `rialto psp-simulator`: the simulated PSP as a process of its own.

mod server;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::infra::psp::simulator::books::Books;
use crate::infra::psp::simulator::{Simulator, StartError};
use crate::infra::sqlite;
use crate::infra::telemetry;
use crate::node::{lock_data_dir, psp_books_path};
use crate::runtime::{Chance, Clock};

/// Serve the simulated PSP over HTTP. Its settings are those of `psp.simulator`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where its books are: a directory of its own.
    #[arg(long, default_value = "./data/psp")]
    data_dir: PathBuf,
    /// A TOML file of settings; the environment (RIALTO__PSP__SIMULATOR__LATENCY_MS and the like) goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Listen beyond loopback: everybody who can reach the address can write in its books.
    #[arg(long)]
    insecure: bool,
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Simulator(#[from] StartError),
    #[error(transparent)]
    Books(#[from] sqlite::OpenError),
}

pub fn run(args: Args) -> ExitCode {
    telemetry::log();
    actix_web::rt::System::new().block_on(serve(args))
}

async fn serve(args: Args) -> ExitCode {
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    if !args.listen.ip().is_loopback() && !args.insecure {
        return refuse(&format!("{} is not a loopback address: give --insecure if that is meant", args.listen));
    }
    // Listened for before anything starts, so that no signal is missed.
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return refuse(&"signals cannot be handled");
    };
    let _lock = match lock_data_dir(&args.data_dir) {
        Ok(lock) => lock,
        Err(error) => return refuse(&error),
    };
    let (simulator, books) = match open(&args.data_dir, &config).await {
        Ok(opened) => opened,
        Err(error) => return refuse(&error),
    };
    let listener = match TcpListener::bind(args.listen) {
        Ok(listener) => listener,
        Err(error) => return refuse(&format!("cannot listen on {}: {error}", args.listen)),
    };
    let address = listener.local_addr().unwrap_or(args.listen);
    let server = match server::serve(listener, simulator, books) {
        Ok(server) => server,
        Err(error) => return refuse(&error),
    };
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    println!("rialto: psp simulator on http://{address}");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.stop(true).await;
    match serving.await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => refuse(&error),
        Err(error) => refuse(&error),
    }
}

async fn open(data_dir: &Path, config: &Config) -> Result<(Simulator, Books), OpenError> {
    let path = psp_books_path(data_dir);
    let settings = config.psp.simulator.clone();
    let simulator = Simulator::start(&path, settings, Clock::system(), Chance::from_entropy()).await?;
    Ok((simulator, Books::open_read_only(&path).await?))
}

fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("rialto: {why}");
    ExitCode::FAILURE
}
