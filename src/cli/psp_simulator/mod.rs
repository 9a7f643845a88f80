//! `rialto psp-simulator`: the simulated PSP as a process of its own.

mod server;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use super::process::{ListenError, Starting, Stop, refuse, resolve};
use super::terminal::greet;
use crate::config::{Config, ConfigError};
use crate::infra::psp::simulator::books::Books;
use crate::infra::psp::simulator::{Simulator, StartError};
use crate::infra::sqlite::OpenError;
use crate::infra::telemetry::{self, TelemetryError};
use crate::node::{DataDirError, lock_data_dir, psp_books_path};
use crate::runtime::{Chance, Clock};

/// Serve the simulated PSP over HTTP. Its settings are those of `psp.simulator`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen: an address or a name, and a port, as for `serve`.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: String,
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

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("{0} is not a loopback address: give --insecure if that is meant")]
    Open(SocketAddr),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Simulator(#[from] StartError),
    #[error(transparent)]
    Books(#[from] OpenError),
    #[error("cannot listen on {listen}: {error}")]
    Bind { listen: String, error: std::io::Error },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

pub fn run(args: Args) -> ExitCode {
    let _logging = telemetry::logs::log();
    match actix_web::rt::System::new().block_on(serve(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

async fn serve(args: Args) -> Result<(), ServeError> {
    let config = Config::load(args.config.as_deref())?;
    let (starting, mut stop) = (Starting::begin()?, Stop::listen()?);
    let listen = resolve(&args.listen).await?;
    let open = listen.iter().find(|address| !address.ip().is_loopback());
    if let Some(open) = open.filter(|_| !args.insecure) {
        return Err(ServeError::Open(*open));
    }
    let _lock = lock_data_dir(&args.data_dir)?;
    let path = psp_books_path(&args.data_dir);
    let settings = config.psp.simulator.clone();
    let simulator = Simulator::start(&path, settings, Clock::system(), Chance::from_entropy())?;
    let books = Books::open_read_only(&path).await?;

    let bind_error = |error| ServeError::Bind { listen: args.listen.clone(), error };
    let listener = TcpListener::bind(listen.as_slice()).map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;
    let server = server::serve(listener, simulator, books, telemetry::metrics()?)?;
    let handle = server.handle();
    starting.over();
    greet(format!("rialto: psp simulator on http://{address}"));
    let stopping = async {
        stop.told().await;
        handle.stop(true).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = stopping => Ok(()),
    }
}
