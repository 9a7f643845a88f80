//! One command, one file.

mod admin;
pub mod audit;
pub mod backup;
pub mod config;
pub mod dlq;
pub mod drill;
pub mod load;
mod process;
pub mod psp_simulator;
pub mod replay;
pub mod restore;
pub mod serve;
pub mod terminal;
pub mod torture;
