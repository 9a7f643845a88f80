//! What an actor can be sent.

/// A message: owned data, plus what the runtime wants to know about it when something goes wrong.
pub trait Message: Send + 'static {
    /// A short, constant name of the variant, for dead letters and logs (`"create_payment"`).
    fn kind(&self) -> &'static str;

    /// The identity of the work, the same at every redelivery. Deaths are counted by it (see [`super::DeadLetter`]);
    /// a message without a key is never quarantined.
    fn key(&self) -> Option<u128> {
        None
    }

    /// The W3C trace id of the request that caused the message.
    fn trace_id(&self) -> Option<u128> {
        None
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
