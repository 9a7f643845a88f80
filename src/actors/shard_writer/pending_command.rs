//! Commands on their way to a shard's writer, and why one may not be committed.

use std::time::Duration;

use crate::domain::TraceContext;
use crate::domain::command::Command;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::runtime::{AskError, Message, Reply};

/// Why a command was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The shard, or the row, has too many waiting commands; nothing was written.
    #[error("the shard is overloaded")]
    Overloaded { retry_after: Duration },
    /// The shard's database is down; nothing was written.
    #[error("the shard's database is unavailable")]
    Unavailable,
    /// The shard's storage cannot write: the disk is full or read-only, or a commit failed; nothing was written.
    #[error("the shard's storage cannot write")]
    Storage,
    /// The database refused this command alone; nothing was written.
    #[error("the shard's database refuses the command")]
    Refused,
    /// The writer died, the connection was lost, or the deadline passed with the command in hand: it may or may not be
    /// committed.
    #[error("the command was interrupted")]
    Interrupted,
}

impl WriteError {
    /// A word for traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Storage => "storage",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<AskError> for WriteError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AskError::Stopped => Self::Overloaded { retry_after: Duration::from_secs(1) },
            AskError::Quarantined => Self::Refused,
            AskError::Interrupted | AskError::DeadlineExceeded => Self::Interrupted,
        }
    }
}

/// One command on its way to be committed and answered, whatever its kind.
pub struct PendingCommand(pub(super) Box<dyn Pending>);

impl PendingCommand {
    /// `within` is the span that waits for it, if one is recorded.
    pub fn new<C: Command>(
        command: C,
        within: Option<TraceContext>,
        reply: Reply<Result<C::Answer, WriteError>>,
    ) -> Self {
        Self(Box::new(Waiting { command, within, reply, answer: None }))
    }
}

/// A pending command without the type of its command.
pub(super) trait Pending: Send {
    fn kind(&self) -> &'static str;
    fn key(&self) -> u128;
    fn trace(&self) -> Option<TraceContext>;
    fn within(&self) -> Option<TraceContext>;
    fn is_abandoned(&self) -> bool;
    fn trusts_recent(&self) -> bool;
    fn reads(&self, read_set: &mut ReadSet);
    fn decide(&mut self, unit: &mut UnitOfWork<'_>);
    fn answer(self: Box<Self>, committed: Result<(), WriteError>);
}

struct Waiting<C: Command> {
    command: C,
    within: Option<TraceContext>,
    reply: Reply<Result<C::Answer, WriteError>>,
    answer: Option<C::Answer>,
}

impl<C: Command> Pending for Waiting<C> {
    fn kind(&self) -> &'static str {
        C::KIND
    }

    fn key(&self) -> u128 {
        self.command.key()
    }

    fn trace(&self) -> Option<TraceContext> {
        self.command.trace()
    }

    fn within(&self) -> Option<TraceContext> {
        self.within
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn trusts_recent(&self) -> bool {
        C::TRUSTS_RECENT
    }

    fn reads(&self, read_set: &mut ReadSet) {
        self.command.reads(read_set);
    }

    fn decide(&mut self, unit: &mut UnitOfWork<'_>) {
        self.answer = Some(self.command.decide(unit));
    }

    fn answer(self: Box<Self>, committed: Result<(), WriteError>) {
        // A command cannot be committed without an answer, because a written command was decided. If it happened, the
        // caller would get an honest error.
        let Waiting { reply, answer, .. } = *self;
        reply.send(committed.and_then(|()| answer.ok_or(WriteError::Interrupted)));
    }
}

impl Message for PendingCommand {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn key(&self) -> Option<u128> {
        Some(self.0.key())
    }

    fn trace_id(&self) -> Option<u128> {
        self.0.trace().map(|trace| trace.trace_id)
    }
}
