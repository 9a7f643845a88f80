//! What is common to the commands that run until they are told to stop.

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::terminal::complain;
use crate::infra::waits;

/// How often a start looks whether it waits for something.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// SIGTERM and SIGINT. Listened for before anything starts, so that none is missed. SIGHUP, which would end the
/// process, is ignored: settings are read at the start only.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Stop {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves with the signal's name.
    pub async fn told(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP is ignored: settings are read at the start, a restart brings new ones");
                }
            }
        }
    }
}

/// A start that is under way. A signal ends the process at once, whatever the start waits for: everything that it does
/// may be cut off, as by a crash. A thread of its own listens, since a start blocks now and then.
pub struct Starting {
    over: oneshot::Sender<()>,
    watch: JoinHandle<()>,
}

impl Starting {
    /// From here on signals are heard, and long waits told.
    ///
    /// # Errors
    /// If the thread cannot be had, or signals cannot be listened for.
    pub fn begin() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (over, is_over) = oneshot::channel();
        let (listens, listening) = sync_channel(1);
        let watch = move || {
            runtime.block_on(async {
                let stop = Stop::listen();
                let is_listening =
                    stop.as_ref().map(drop).map_err(|error| std::io::Error::new(error.kind(), "signals"));
                // Whoever began it waits for this.
                let _ = listens.send(is_listening);
                if let Ok(stop) = stop {
                    watch(stop, is_over).await;
                }
            });
        };
        let watch = std::thread::Builder::new().name("start".to_owned()).spawn(watch)?;
        listening.recv().map_err(std::io::Error::other)??;
        Ok(Self { over, watch })
    }

    /// What was started is there: from here on signals are whoever's that listens.
    pub fn over(self) {
        // A thread that is gone has nothing left to do.
        let _ = self.over.send(());
        let _ = self.watch.join();
    }
}

async fn watch(mut stop: Stop, mut is_over: oneshot::Receiver<()>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            signal = stop.told() => {
                let waits = waits::all().map(|waits| format!("; it waited for {waits}")).unwrap_or_default();
                complain(format_args!("{signal} during the start: stopped{waits}"));
                std::process::exit(0);
            }
            _ = &mut is_over => return,
            _ = look.tick() => waits::tell(),
        }
    }
}

/// Why `--listen` names no address.
#[derive(Debug, thiserror::Error)]
#[error(
    "--listen {listen}: {error}; allowed: an address or a name, and a port, such as 127.0.0.1:8080 or localhost:8080"
)]
pub struct ListenError {
    listen: String,
    error: std::io::Error,
}

/// The addresses of an `address:port` or `name:port`, those of IPv4 first: that is what most clients try first for a
/// name that has both.
///
/// # Errors
/// [`ListenError`] if it is neither, or the name has no address.
pub async fn resolve(listen: &str) -> Result<Vec<SocketAddr>, ListenError> {
    let failed = |error| ListenError { listen: listen.to_owned(), error };
    let _wait = waits::wait_for(format_args!("the addresses of {listen}"));
    let mut found: Vec<_> = tokio::net::lookup_host(listen).await.map_err(failed)?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    if found.is_empty() { Err(failed(std::io::Error::other("the name has no address"))) } else { Ok(found) }
}

/// Says why the process ends before its time.
pub fn refuse(why: &dyn Display) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_resolved_and_ipv4_comes_first() {
        for listen in ["127.0.0.1:80", "localhost:80"] {
            assert_eq!(resolve(listen).await.unwrap()[0], "127.0.0.1:80".parse().unwrap(), "{listen}");
        }
        assert_eq!(resolve("[::1]:80").await.unwrap(), ["[::1]:80".parse().unwrap()]);
        for listen in ["localhost", "80", "no.such.name.invalid:80", "localhost:http", ""] {
            let said = resolve(listen).await.unwrap_err().to_string();
            assert!(said.contains(&format!("--listen {listen}: ")) && said.contains("localhost:8080"), "{said}");
        }
    }
}
