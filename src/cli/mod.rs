//! One command, one file.

pub mod audit;
pub mod load;
mod process;
pub mod psp_simulator;
pub mod serve;
