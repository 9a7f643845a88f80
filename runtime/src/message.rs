//! What an actor can be sent.

/// A message: owned data, plus what the runtime wants to know about it when something goes wrong.
pub trait Message: Send + 'static {
    /// A short, constant name of the variant, for dead letters and logs (`"create_payment"`).
    fn kind(&self) -> &'static str;

    /// Among messages of its kind the identity of the work, the same at every redelivery. Deaths are counted by kind
    /// and key (see [`super::DeadLetter`]); a message without a key is never quarantined.
    fn key(&self) -> Option<u128> {
        None
    }

    /// The W3C trace id of the request that caused the message.
    fn trace_id(&self) -> Option<u128> {
        None
    }
}

/// Which messages are one and the same: what is held against an `attempt` must not keep out the `bury` of its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) kind: &'static str,
    pub(super) key: u128,
}

impl Identity {
    pub(super) fn of(message: &impl Message) -> Option<Self> {
        message.key().map(|key| Self { kind: message.kind(), key })
    }
}

/// The message type of actors that only wake: it has no values, so nothing can be sent.
#[derive(Debug, Clone, Copy)]
pub enum Never {}

impl Message for Never {
    fn kind(&self) -> &'static str {
        match *self {}
    }
}
