//! What an actor is.

use std::future::Future;
use std::sync::Arc;

use super::heartbeat::Heartbeat;
use super::{Chance, Clock, Failure, Message, Nudger};

/// A component with its own state that handles one batch at a time, in its own actix context, and may die at any line.
///
/// Every method runs on the actor's slot: a blocking call blocks all who share it. Nothing outlives a death but the
/// mailbox: the next incarnation comes fresh from the factory.
///
/// ```
/// use rialto_runtime::*;
/// use std::time::Duration;
///
/// /// Adds up what it is told, and says the sum.
/// struct Adder {
///     sum: i64,
/// }
///
/// enum Job {
///     Add(i64),
///     Sum(Reply<i64>),
/// }
///
/// impl Message for Job {
///     fn kind(&self) -> &'static str {
///         "job"
///     }
/// }
///
/// impl Actor for Adder {
///     type Message = Job;
///
///     async fn handle(&mut self, batch: Vec<Job>, ctx: &Context) -> Result<(), Failure> {
///         for job in batch {
///             match job {
///                 Job::Add(number) => self.sum = self.sum.checked_add(number).ok_or("the sum overflows")?,
///                 Job::Sum(reply) => reply.send(self.sum),
///             }
///         }
///         assert_eq!(ctx.name(), "adder");
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut root = Supervisor::new("root", Strategy::OneForOne, Intensity::default(), &Environment::service());
/// let adder = root.actor(Options::new("adder"), || Adder { sum: 0 });
/// let running = root.start().await;
///
/// adder.tell(Job::Add(2))?;
/// adder.tell(Job::Add(3))?;
/// assert_eq!(adder.ask(Job::Sum).await?, 5);
///
/// // A failure ends this life. The next one begins with a fresh sum, behind the same handle.
/// adder.tell(Job::Add(i64::MAX))?;
/// assert_eq!(adder.ask(Job::Sum).await?, 0);
/// assert_eq!(adder.snapshot().restarts, 1);
/// # running.stop(Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
pub trait Actor: Sized + 'static {
    /// What it can be sent; [`super::Never`] for an actor that only wakes.
    type Message: Message;

    /// Called once before the first batch. The next child of the supervisor starts when this has succeeded.
    ///
    /// # Errors
    ///
    /// An error, a panic, or no end within `Options::hang_after` is a death: a fresh actor starts after the backoff.
    fn started(&mut self, _ctx: &Context) -> impl Future<Output = Result<(), Failure>> {
        async { Ok(()) }
    }

    /// Handles what waited: 1 to `Options::max_batch` messages in order of arrival.
    ///
    /// # Errors
    ///
    /// `Err` asks for a fresh actor: messages of the batch that are not answered yet are answered `Interrupted`. A
    /// message that is merely refused is answered instead.
    ///
    /// # Panics
    ///
    /// A panic ends this life only. Deaths by panic are counted for the messages in hand, and lead to quarantine.
    fn handle(&mut self, batch: Vec<Self::Message>, ctx: &Context) -> impl Future<Output = Result<(), Failure>>;

    /// Called after a nudge and on every `Options::tick`. Between two wakes the mailbox has its turn.
    ///
    /// # Errors
    ///
    /// `Err` asks for a fresh actor. The wake is not repeated.
    fn wake(&mut self, _ctx: &Context) -> impl Future<Output = Result<Wake, Failure>> {
        async { Ok(Wake::Idle) }
    }

    /// Called once when the actor is stopped in order; not after a death.
    fn stopping(&mut self, _ctx: &Context) -> impl Future<Output = ()> {
        async {}
    }
}

/// What a wake found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// More work is waiting: wake me again after the mailbox had its turn.
    Again,
    /// Nothing more to do until the next nudge or tick.
    Idle,
}

/// What an actor knows about itself and its surroundings.
pub struct Context {
    pub(super) name: &'static str,
    pub(super) shard: Option<u32>,
    pub(super) clock: Clock,
    pub(super) chance: Chance,
    pub(super) nudger: Nudger,
    pub(super) heartbeat: Arc<Heartbeat>,
}

impl Context {
    /// `Options::new`'s name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `Options::shard`.
    pub fn shard(&self) -> Option<u32> {
        self.shard
    }

    /// The only clock that an actor may read.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The only source of chance that an actor may use.
    pub fn chance(&self) -> &Chance {
        &self.chance
    }

    /// Asks for a wake after this turn.
    pub fn nudge_self(&self) {
        self.nudger.nudge();
    }

    /// A handle by which other code can wake this actor later.
    pub fn nudger(&self) -> Nudger {
        self.nudger.clone()
    }

    /// Tells the heartbeat that a long turn makes progress.
    pub fn progress(&self) {
        self.heartbeat.beat();
    }
}
