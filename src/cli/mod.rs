//! One command, one file.

mod admin;
pub mod audit;
pub mod backup;
pub mod breaker;
pub mod config;
pub mod dlq;
pub mod drill;
pub mod faults;
mod interrupted;
pub mod load;
mod process;
pub mod psp_simulator;
pub mod replay;
pub mod restore;
pub mod serve;
mod table;
pub mod terminal;
pub mod torture;
