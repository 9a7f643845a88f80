//! One command, one file.

pub mod audit;
pub mod load;
pub mod psp_simulator;
pub mod serve;
