//! The switch that cuts the event log off for an exercise and restores it: by stopping the real server, where the
//! configuration says how, else by failing every append here.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::{Appended, Consumer, EventLog, EventLogError, Nudge, Record};

/// See the module. The log is reachable until it is cut off.
#[derive(Debug, Clone, Default)]
pub struct FaultSwitch {
    is_cut: Arc<AtomicBool>,
    /// Shell commands that stop and start the server.
    commands: Option<(String, String)>,
}

/// How the log was made unreachable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outage {
    /// By a command that stops the real server or the connection to it.
    Real { command: String },
    /// By failing appends in this process.
    Injected,
}

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("{command}: {error}")]
    NotRun { command: String, error: std::io::Error },
    #[error("{command}: {status}: {said}")]
    Failed { command: String, status: std::process::ExitStatus, said: String },
}

impl FaultSwitch {
    /// With shell commands that stop and start the server; both empty for none.
    pub fn new(stop: &str, start: &str) -> Self {
        let commands = (!stop.is_empty()).then(|| (stop.to_owned(), start.to_owned()));
        Self { is_cut: Arc::default(), commands }
    }

    /// # Errors
    /// [`LinkError`] when the server could not be stopped.
    pub async fn cut(&self) -> Result<Outage, LinkError> {
        match &self.commands {
            Some((stop, _)) => shell(stop).await.map(|()| Outage::Real { command: stop.clone() }),
            None => {
                self.is_cut.store(true, Ordering::Relaxed);
                Ok(Outage::Injected)
            }
        }
    }

    /// # Errors
    /// [`LinkError`] when the server could not be started.
    pub async fn mend(&self) -> Result<(), LinkError> {
        self.is_cut.store(false, Ordering::Relaxed);
        match &self.commands {
            Some((_, start)) => shell(start).await,
            None => Ok(()),
        }
    }
}

async fn shell(command: &str) -> Result<(), LinkError> {
    let mut shell = tokio::process::Command::new("sh");
    let run = shell.args(["-c", command]).stdin(Stdio::null()).output().await;
    let output = run.map_err(|error| LinkError::NotRun { command: command.to_owned(), error })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LinkError::Failed { command: command.to_owned(), status: output.status, said })
}

/// A log behind a fault switch.
pub struct Linked {
    pub log: Arc<dyn EventLog>,
    pub fault_switch: FaultSwitch,
}

#[async_trait]
impl EventLog for Linked {
    fn system(&self) -> &'static str {
        self.log.system()
    }

    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        if self.fault_switch.is_cut.load(Ordering::Relaxed) {
            return Err(EventLogError::Unavailable("the link is cut on purpose".to_owned()));
        }
        self.log.append(records).await
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        self.log.consumer(group, topic, partition).await
    }

    fn on_append(&self, topic: &str, partition: u32, nudge: Nudge) -> Result<(), EventLogError> {
        self.log.on_append(topic, partition, nudge)
    }
}
