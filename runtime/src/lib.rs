//! Supervised, measured and bounded actors on [actix](https://docs.rs/actix). The crate knows nothing of payments.
//!
//! What it guarantees (order, loss, duplication, time, restart, quarantine) is in [`guarantees`]; `examples/supervised.rs`
//! shows it at work.
//!
//! To walk the code: [`Message`] and [`Reply`] are what is sent, [`Actor`] handles it, [`Handle`] reaches it through the
//! mailbox, [`Supervisor`] keeps it alive in an [`Environment`], and [`Running`] shows the tree. What stays private:
//! `mailbox` (where messages wait, and batches are made), `cell` (one incarnation, on actix), `child`, `node` and
//! `supervise` (the supervisor's side), `events` (what those tell each other), `restart`, `quarantine` and `heartbeat`.

mod actor;
mod cell;
mod chance;
mod child;
mod child_state;
mod children;
mod clock;
mod dead_letters;
mod environment;
mod error;
mod events;
mod executor;
mod faults;
mod guard;
mod handle;
mod heartbeat;
mod mailbox;
mod message;
mod meter;
mod metric;
mod node;
mod nudger;
mod options;
mod placement;
mod quarantine;
mod reply;
mod restart;
mod stop;
mod supervise;
mod supervisor;
mod tree;

pub use actor::{Actor, Context, Wake};
pub use chance::Chance;
pub use children::Children;
pub use clock::Clock;
pub use dead_letters::{DeadLetter, DeadLetters};
pub use environment::Environment;
pub use error::{AddError, AskError, Failure, RemoveError, TellError};
pub use executor::{Executor, LocalExecutor};
pub use faults::{Fault, FaultError, Faults};
pub use guard::{ClockLimits, Doubt};
pub use handle::Handle;
pub use message::{Message, Never};
pub use meter::{ACTOR_METRICS, ActorSnapshot, Backlog, State};
pub use metric::{DurationHistogram, Form, MICROSECONDS_UP, MILLISECONDS_UP, Metric, POWERS_OF_TWO, RatioGauge, meter};
pub use node::Escalation;
pub use nudger::Nudger;
pub use options::Options;
pub use placement::Placement;
pub use reply::{Answer, Reply};
pub use restart::{Intensity, Strategy};
pub use supervisor::{Running, Supervisor};
pub use tree::TreeNode;

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[cfg(test)]
mod tests;
