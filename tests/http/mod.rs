//! The whole HTTP surface in process: the server's own routes, middleware and limits, the real flows and actors, and in
//! memory the shards, the event log and the PSP's books. Time is virtual, so that nobody waits; each test has a node of
//! its own. It is compiled as a module of the library, whose adapters in memory only tests see. What only a process
//! can show is in `tests/blackbox`.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

pub mod document;
mod event_log;
pub mod node;
mod psp;

mod answers;
mod bad_input;
mod captures;
mod conflicts;
mod contract;
mod failures;
mod faults;
mod idempotency;
mod limits;
mod listing;
mod operators;
mod payments;
mod psp_faults;
mod references;
mod surface;
