//! What is common to the commands that run until they are told to stop.

use std::fmt::Display;
use std::process::ExitCode;

use super::terminal::complain;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT. Listened for before anything starts, so that none is missed.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Resolves with the signal's name.
    pub async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Says why the process ends before its time.
pub fn refuse(why: &dyn Display) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
}
