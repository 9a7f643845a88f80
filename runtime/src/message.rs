//! What an actor can be sent.

/// A message: owned data, plus what the runtime wants to know about it when something goes wrong.
///
/// A message that is asked carries the [`Reply`](super::Reply) to answer with. An actor with several kinds of messages
/// has an enum:
///
/// ```
/// use rialto_runtime::*;
///
/// enum Till {
///     Deposit { account: u128, amount_minor: i64 },
///     Balance { account: u128, reply: Reply<i64> },
/// }
///
/// impl Message for Till {
///     fn kind(&self) -> &'static str {
///         match self {
///             Till::Deposit { .. } => "deposit",
///             Till::Balance { .. } => "balance",
///         }
///     }
///
///     // Without a key a message that kills its actor is never quarantined.
///     fn key(&self) -> Option<u128> {
///         match self {
///             Till::Deposit { account, .. } | Till::Balance { account, .. } => Some(*account),
///         }
///     }
/// }
///
/// let deposit = Till::Deposit { account: 7, amount_minor: 500 };
/// assert_eq!((deposit.kind(), deposit.key(), deposit.trace_id()), ("deposit", Some(7), None));
/// # let _ = |reply| Till::Balance { account: 7, reply };
/// # if let Till::Deposit { amount_minor, .. } = deposit { assert_eq!(amount_minor, 500); }
/// ```
pub trait Message: Send + 'static {
    /// A short, constant name of the variant, for dead letters and logs (`"create_payment"`).
    fn kind(&self) -> &'static str;

    /// The identity of the work among messages of its kind, the same at every redelivery. Deaths are counted by kind
    /// and key (see [`super::DeadLetter`]); a message without a key is never quarantined.
    fn key(&self) -> Option<u128> {
        None
    }

    /// The W3C trace id of the request that caused the message.
    fn trace_id(&self) -> Option<u128> {
        None
    }
}

/// Identifies a message by kind and key: deaths of an `attempt` must not quarantine the `bury` of its failure.
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
