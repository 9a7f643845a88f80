//! The control store: a database for what belongs to no shard. It is never on a payment's way, so it may be away at any
//! time, from the start on: each call is bounded in time, and it is opened when it can be.

mod forced;
mod identity;
#[cfg(test)]
pub mod memory;
mod reader;
mod sql;
mod unset;

use std::path::PathBuf;

use async_trait::async_trait;
use sea_orm::DbErr;

pub use forced::{Given, StoredForce, believed};
pub use identity::system_of;
pub use reader::ControlReader;
pub use sql::SqlControl;
pub use unset::UnsetControl;

use crate::domain::Timestamp;
use crate::domain::identity::ControlMisfit;
use crate::infra::data_guard::GuardError;
use crate::infra::database::{DatabaseError, StoredAction};
use migrations::SchemaError;

/// Where the control store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlPlace {
    /// A SQLite file, which may not be there yet.
    File(PathBuf),
    /// The URL of a MariaDB database.
    Server(String),
}

/// Why the control store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    File(#[from] GuardError),
    #[error(transparent)]
    Misfit(#[from] ControlMisfit),
    /// A file of one host would hide from the others what is in shards that all of them see.
    #[error(
        "control.database is not set: operators' actions stay in their shards, a forced breaker holds on one node only"
    )]
    Unset,
    /// It has not been opened yet, or could not be.
    #[error("not open")]
    NotOpen,
    #[error("no answer in time")]
    Late,
}

impl ControlError {
    /// Whether waiting does not help: somebody has to change what the node is started with. A server that does not
    /// commit durably is no such reason: payments go on without it, and it can be told otherwise while it runs.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Misfit(_) => true,
            Self::Database(error) => matches!(
                error,
                DatabaseError::Server(_)
                    | DatabaseError::Schema(_)
                    | DatabaseError::Migration(SchemaError::Ahead { .. })
            ),
            Self::File(_) | Self::Unset | Self::NotOpen | Self::Late => false,
        }
    }
}

impl From<DbErr> for ControlError {
    fn from(error: DbErr) -> Self {
        DatabaseError::from(error).into()
    }
}

/// The control store as its users see it.
#[async_trait]
pub trait ControlStore: Send + Sync {
    /// Opens it unless it is open, and sees whether it answers.
    ///
    /// # Errors
    /// As long as it cannot be worked with.
    async fn check(&self) -> Result<(), ControlError>;

    /// Keeps actions of operators. One whose id is there stays as it is there.
    ///
    /// Returns the actions of these ids as they are kept, which is durable then.
    ///
    /// # Errors
    /// Then it is not known what was kept; to ask again is right.
    async fn keep_actions(&self, actions: &[StoredAction]) -> Result<Vec<StoredAction>, ControlError>;

    /// What operators did, newest first.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn actions(&self, limit: u64) -> Result<Vec<StoredAction>, ControlError>;

    /// The last order of operators to each breaker that has had one, each with who and why.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn forced_breakers(&self) -> Result<Vec<StoredForce>, ControlError>;

    /// Keeps an order to a breaker in place of the one before, unless that is newer. It is durable then.
    ///
    /// Returns the order that is kept: this one, its time above that of the one before, or the newer one.
    ///
    /// # Errors
    /// Then it is not known what is kept; to ask again is right.
    async fn force_breaker(
        &self,
        order: &StoredForce,
        given: Given,
        now: Timestamp,
    ) -> Result<StoredForce, ControlError>;
}

#[cfg(test)]
mod tests;
