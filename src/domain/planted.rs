//! Bugs that tests plant, one at a time and on their own thread, to see that the simulation finds them. This module is
//! compiled into tests only.

use std::cell::Cell;

/// One mistake that a payment system can be built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A worker commits its offset before the effects of the records below it.
    OffsetBeforeEffect,
    /// An event is marked as published before the log has it.
    PublishedBeforeAck,
    /// A key is looked up and not claimed in the transaction of the intent.
    NonAtomicClaim,
    /// The ledger does not look whether it has booked an event.
    MissingDedupe,
    /// A shard's events are published in another order than they happened.
    PublishOutOfOrder,
    /// A caller is answered before the outcome is committed.
    AnswerBeforeCommit,
    /// A retry reaches the PSP under a new key.
    FreshPspKey,
    /// What the resolver finds unknown to the PSP at its first asking is taken for never sent.
    UnknownIsDeclined,
    /// Whether a COMMIT that failed has happened is looked up through the connection on which it failed.
    LookThroughFailedConnection,
    /// An open breaker refuses a call before the database is asked whether its key has an answer.
    BreakerBeforeKey,
}

impl Bug {
    pub const ALL: [Self; 10] = [
        Self::OffsetBeforeEffect,
        Self::PublishedBeforeAck,
        Self::NonAtomicClaim,
        Self::MissingDedupe,
        Self::PublishOutOfOrder,
        Self::AnswerBeforeCommit,
        Self::FreshPspKey,
        Self::UnknownIsDeclined,
        Self::LookThroughFailedConnection,
        Self::BreakerBeforeKey,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug on this thread, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
