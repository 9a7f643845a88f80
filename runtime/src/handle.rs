//! How others reach an actor.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::mailbox::{Envelope, Mailbox};
use super::{Actor, ActorSnapshot, AskError, Backlog, Clock, Nudger, Reply, TellError};

/// The address of an actor and the owner of its mailbox: valid before the actor starts and across its restarts.
///
/// Dropping the future of an ask abandons it: a message that still waits is not started any more, one in hand runs on.
///
/// ```
/// use rialto_runtime::*;
/// use std::time::Duration;
///
/// struct Count(Reply<u64>);
///
/// impl Message for Count {
///     fn kind(&self) -> &'static str {
///         "count"
///     }
/// }
///
/// #[derive(Default)]
/// struct Counter(u64);
///
/// impl Actor for Counter {
///     type Message = Count;
///
///     async fn handle(&mut self, batch: Vec<Count>, _: &Context) -> Result<(), Failure> {
///         for Count(reply) in batch {
///             self.0 += 1;
///             reply.send(self.0);
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AskError> {
/// let environment = Environment::service();
/// let mut root = Supervisor::new("root", Strategy::OneForOne, Intensity::default(), &environment);
/// let counter = root.actor(Options::new("counter").capacity(64), Counter::default);
/// let running = root.start().await;
///
/// assert_eq!(counter.ask(Count).await?, 1);
/// assert_eq!(counter.ask_within(Duration::from_millis(500), Count).await?, 2);
///
/// running.stop(Duration::from_secs(1)).await;
/// assert_eq!(counter.ask(Count).await, Err(AskError::Stopped));
/// # Ok(())
/// # }
/// ```
pub struct Handle<A: Actor> {
    mailbox: Arc<Mailbox<A::Message>>,
    clock: Clock,
    ask_deadline: Duration,
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone(), clock: self.clock.clone(), ask_deadline: self.ask_deadline }
    }
}

impl<A: Actor> Handle<A> {
    pub(super) fn new(mailbox: Arc<Mailbox<A::Message>>, clock: Clock, ask_deadline: Duration) -> Self {
        Self { mailbox, clock, ask_deadline }
    }

    /// Sends the message that `make` builds around its reply, and waits for the answer for at most
    /// `Options::ask_deadline`: `teller.ask(|reply| Balance { account, reply }).await?`.
    ///
    /// # Errors
    ///
    /// [`AskError::Overloaded`], [`AskError::Quarantined`] and [`AskError::Stopped`] mean that the message was not
    /// started. After [`AskError::Interrupted`] and [`AskError::DeadlineExceeded`] it is unknown whether the work had
    /// its effect.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time is enabled: that is where the deadline runs.
    pub async fn ask<T: Send + 'static>(&self, make: impl FnOnce(Reply<T>) -> A::Message) -> Result<T, AskError> {
        self.ask_within(self.ask_deadline, make).await
    }

    /// As [`Handle::ask`], with a deadline of its own.
    ///
    /// # Errors
    ///
    /// As [`Handle::ask`].
    ///
    /// # Panics
    ///
    /// As [`Handle::ask`].
    pub async fn ask_within<T: Send + 'static>(
        &self,
        deadline: Duration,
        make: impl FnOnce(Reply<T>) -> A::Message,
    ) -> Result<T, AskError> {
        let (reply, answer) = Reply::pair();
        let queued_at = self.clock.instant();
        let deadline = queued_at + deadline;
        let asked = Some(answer.asked());
        self.mailbox.push(Envelope { message: make(reply), queued_at, deadline: Some(deadline), asked })?;
        timeout_at(deadline, answer).await.unwrap_or(Err(AskError::DeadlineExceeded))
    }

    /// Sends a message without waiting for an answer. A message that was taken is not yet handled: it can still die
    /// with its actor.
    ///
    /// # Errors
    ///
    /// The message was not taken: the mailbox is full ([`TellError::Overloaded`]), the key of the message is in
    /// quarantine ([`TellError::Quarantined`]), or the actor has stopped for good ([`TellError::Stopped`]).
    pub fn tell(&self, message: A::Message) -> Result<(), TellError> {
        let queued_at: Instant = self.clock.instant();
        self.mailbox.push(Envelope { message, queued_at, deadline: None, asked: None })
    }

    /// Asks the actor to wake. Nudges carry no data and coalesce: any number before the wake begins is one wake.
    pub fn nudge(&self) {
        self.mailbox.nudge();
    }

    /// The nudge alone, for code that need not know the type of the actor.
    pub fn nudger(&self) -> Nudger {
        Nudger::of(self.mailbox.clone())
    }

    /// What waits for the actor.
    pub fn backlog(&self) -> Backlog {
        self.mailbox.meter.backlog()
    }

    /// What is measured of the actor.
    pub fn snapshot(&self) -> ActorSnapshot {
        self.mailbox.meter.snapshot()
    }
}
