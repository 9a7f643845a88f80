//! What every command has. A command is a value: it can be decided, dropped and decided again.

use super::trace::TraceContext;
use super::unit_of_work::{ReadSet, UnitOfWork};

/// One change that a shard can be asked for: which rows it reads, and what is decided on them.
pub trait Command: Send + 'static {
    /// What the decision tells whoever asked.
    type Answer: Send + 'static;

    /// A short name, for logs and dead letters.
    const KIND: &'static str;

    /// What the command is about, the same each time it comes again.
    fn key(&self) -> u128;

    fn trace(&self) -> Option<TraceContext>;

    /// Whether the decision may rest on rows as this process has written them last, instead of reading them. Only for
    /// commands that either write all that they rest on, so that versions guard it, or find it ended for good. Rows
    /// that must fit each other are read: of two, another process may have changed one that is known and one that is
    /// not.
    const TRUSTS_RECENT: bool = false;

    /// Adds the rows that the decision rests on.
    fn reads(&self, read_set: &mut ReadSet);

    /// Writes the whole change into the unit of work, or leaves it as it is and says why.
    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Self::Answer;
}

/// How a stored id becomes a command's key.
pub(super) fn key_of(stored: i64) -> u128 {
    u128::from(stored.unsigned_abs())
}
