//! Supervised, measured and bounded actors on [actix](https://docs.rs/actix). The crate knows nothing of payments.
//!
//! What it guarantees (order, loss, duplication, time, restart, quarantine) is in [`guarantees`]; the README has a
//! complete example, and `examples/supervised.rs` shows a death, a restart and a quarantine.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Message`], [`Reply`] | what is sent, and how it is answered |
//! | [`Actor`], [`Context`] | the code that handles messages, and what it knows of its place |
//! | [`Options`] | the name, the bounds and the slot of one actor |
//! | [`Handle`], [`Nudger`] | how an actor is reached, across all its lives |
//! | [`Supervisor`], [`Strategy`], [`Intensity`] | the tree as it is written down |
//! | [`Children`] | adds children and removes them while the tree runs |
//! | [`Running`], [`TreeNode`] | the tree at work, and as data |
//! | [`Environment`], [`Clock`], [`Chance`], [`Placement`] | time, chance and threads, of a service or simulated |
//! | [`Faults`], [`DeadLetters`] | faults on purpose, and what died in an actor's hand |
//! | [`Metric`], [`meter()`] | metrics of the process, the runtime's among them |
//!
//! For readers of the code. `mailbox` holds the messages that wait and makes batches of them. `cell` is one
//! incarnation, on actix. The supervisor's side is `node` (what is written down), `supervise` (one life of a
//! supervisor), `stop` (how children end), `child_state` (a child as that life sees it) and `child` (an actor without
//! its types). `events` is what both sides tell each other. `restart`, `quarantine` and `heartbeat` are the rules.

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
pub use faults::{ArmedFault, Fault, FaultError, Faults};
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
