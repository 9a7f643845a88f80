//! What a tree of actors needs from outside: time, chance and threads.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::meter::Meters;
use super::{Chance, Clock, DeadLetters, Faults, Placement};

/// Time, chance and placement for one tree, with its dead letters and faults. Clones share everything.
///
/// Nothing in the runtime reads a clock, draws a number or starts a thread except through here: with
/// [`Environment::simulated`] a whole tree runs on one thread in virtual time and repeats itself for the same seed.
///
/// A test of an hour that takes no time, on tokio's paused clock (tokio's feature `test-util`):
///
/// ```
/// use rialto_runtime::*;
/// use std::time::Duration;
///
/// struct Clock;
///
/// impl Actor for Clock {
///     type Message = Never;
///
///     async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
///         Ok(())
///     }
///
///     async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
///         // Dies now and then, by a chance that the seed decides.
///         if ctx.chance().permille(500) { Err("out of order".into()) } else { Ok(Wake::Idle) }
///     }
/// }
///
/// fn an_hour(seed: u64) -> Vec<(String, u64)> {
///     let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
///     tokio::task::LocalSet::new().block_on(&runtime, async {
///         let environment = Environment::simulated(seed, 1_700_000_000_000);
///         let mut root = Supervisor::new("root", Strategy::OneForOne, Intensity::default(), &environment);
///         let clock = root.actor(Options::new("clock").tick(Duration::from_secs(60)), || Clock);
///         let running = root.start().await;
///         let mut history = Vec::new();
///         while environment.clock.now_ms() < 1_700_003_600_000 {
///             tokio::time::sleep(Duration::from_secs(60)).await;
///             history.push((format!("{:?}", clock.snapshot().state), clock.snapshot().restarts));
///         }
///         running.stop(Duration::from_secs(1)).await;
///         history
///     })
/// }
///
/// assert_eq!(an_hour(7), an_hour(7));
/// assert_ne!(an_hour(7), an_hour(8));
/// ```
#[derive(Clone)]
pub struct Environment {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// Threads.
    pub placement: Placement,
    /// Messages that were in hand when their actor died.
    pub dead_letters: DeadLetters,
    /// Faults on purpose; off until enabled.
    pub faults: Faults,
    pub(super) meters: Arc<Meters>,
}

impl Environment {
    /// The machine's clock, the operating system's entropy, one thread for each slot.
    pub fn service() -> Self {
        Self::new(Clock::system(), Chance::from_entropy(), Placement::arbiters())
    }

    /// The same with so many threads for all slots.
    pub fn service_on(threads: NonZeroUsize) -> Self {
        Self::new(Clock::system(), Chance::from_entropy(), Placement::threads(threads))
    }

    /// Virtual time from `start_ms` (UTC epoch milliseconds), chance from `seed`, one thread. Call it inside the
    /// (paused) runtime.
    pub fn simulated(seed: u64, start_ms: i64) -> Self {
        Self::new(Clock::simulated(start_ms), Chance::from_seed(seed), Placement::current_thread())
    }

    /// Any combination, with empty dead letters and disabled faults.
    pub fn new(clock: Clock, chance: Chance, placement: Placement) -> Self {
        Self {
            clock,
            chance,
            placement,
            dead_letters: DeadLetters::default(),
            faults: Faults::default(),
            meters: Arc::default(),
        }
    }
}
