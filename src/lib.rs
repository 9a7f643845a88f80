//! Rialto: a payment runtime. The layers, top to bottom: `cli`, `node`, `http`, `flows`, `actors`,
//! `infra` and `config`, then `domain` and `runtime`. Each imports only from those below it.

// Both panic where the output is full or closed: a command's output is cli::terminal's, all else goes to the log.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod actors;
pub mod cli;
pub mod config;
pub mod domain;
pub mod flows;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod infra;
pub mod node;
pub use rialto_runtime as runtime;
#[cfg(test)]
#[path = "../tests/http/mod.rs"]
mod http_tests;
#[cfg(test)]
mod simulation;
