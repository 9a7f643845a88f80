//! Why an audit came to nothing.

use std::path::PathBuf;

use super::books::BooksError;
use super::recheck::LookError;
use crate::config::ConfigError;
use crate::domain::ShardId;
use crate::infra::control::ControlError;
use crate::infra::database::DatabaseError;
use crate::infra::event_log::EventLogError;
use crate::infra::sqlite;
use crate::node::{DataDirError, MisfitError, OpenError};

/// Why there is no report. Nothing is known then of what holds.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("no {0}: is this the data directory, and the configuration, of the node?")]
    NoFile(PathBuf),
    #[error(
        "{0} has a write-ahead log, which cannot be read in a directory that cannot be written to: copy the directory, \
         with all that is in it, to where it can"
    )]
    LogUnreadable(PathBuf),
    #[error("shard {shard}: {error}")]
    Shard { shard: ShardId, error: DatabaseError },
    #[error("control store: {0}")]
    Control(#[from] ControlError),
    #[error("event log: {0}")]
    EventLogFile(sqlite::OpenError),
    #[error("event log: {0}")]
    EventLog(#[from] EventLogError),
    #[error("psp books: {0}")]
    BooksFile(sqlite::OpenError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Misfit(#[from] MisfitError),
    #[error("psp books: {0}")]
    Books(#[from] BooksError),
    #[error(transparent)]
    Look(#[from] LookError),
}
