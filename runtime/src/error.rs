//! Why a message was not taken, an ask has no answer, or a child was not added or removed; and an actor's own wish to
//! be restarted.

use std::fmt;
use std::time::Duration;

/// Why an ask has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The mailbox is full; the message was not taken.
    #[error("overloaded, retry after {retry_after:?}")]
    Overloaded {
        /// How long the waiting messages will take: depth times the recent handling time of one message, 10 ms to 30 s.
        retry_after: Duration,
    },
    /// The actor died, or dropped the reply, with the message in hand: whether it took effect is unknown.
    #[error("interrupted while in hand, the outcome is unknown")]
    Interrupted,
    /// No answer in time. A message that still waits is not started any more; one in hand runs on, outcome unknown.
    #[error("the deadline has passed, the outcome is unknown")]
    DeadlineExceeded,
    /// A message of this key has killed the actor twice; it was not started.
    #[error("quarantined: a message with this key has killed the actor twice")]
    Quarantined,
    /// The actor has been stopped for good; the message was not started.
    #[error("the actor has stopped")]
    Stopped,
}

/// Why a message was not taken. A message that was taken can still be lost with its actor, and the sender is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// The mailbox is full.
    #[error("overloaded, retry after {retry_after:?}")]
    Overloaded {
        /// As in [`AskError::Overloaded`].
        retry_after: Duration,
    },
    /// A message of this key has killed the actor twice.
    #[error("quarantined: a message with this key has killed the actor twice")]
    Quarantined,
    /// The actor has been stopped for good.
    #[error("the actor has stopped")]
    Stopped,
}

impl From<TellError> for AskError {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Overloaded { retry_after } => AskError::Overloaded { retry_after },
            TellError::Quarantined => AskError::Quarantined,
            TellError::Stopped => AskError::Stopped,
        }
    }
}

/// Why a child was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// Another child has this name; it may be ending.
    #[error("there is an actor or supervisor {0} already")]
    NameTaken(String),
    /// The supervisor has stopped for good.
    #[error("the supervisor has stopped")]
    Stopped,
}

/// Why there was nothing to remove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// The supervisor has no child of this name.
    #[error("the supervisor has no child {0}")]
    NoSuchChild(String),
    /// The supervisor has stopped for good, and its children with it.
    #[error("the supervisor has stopped")]
    Stopped,
}

/// An actor's verdict on itself: "I cannot continue, build a fresh one". A message that is merely refused is answered
/// instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure that anything can be turned into, errors above all: `.map_err(Failure::new)?`.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<&str> for Failure {
    fn from(cause: &str) -> Self {
        Self(cause.to_owned())
    }
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self(cause)
    }
}
