//! The command line.

// Both panic where the output is full or closed; see rialto::cli::terminal.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use rialto::cli::{
    audit, backup, breaker, config, dlq, drill, faults, load, psp_simulator, replay, restore, serve, terminal, torture,
};

/// glibc's allocator gives the memory of short requests back and takes it anew; this one is faster with many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A payment runtime: authorize, capture, void and refund.
#[derive(Parser)]
#[command(name = "rialto", version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve payments; without a configuration, everything is embedded.
    Serve(serve::Args),
    /// Show the settings in force and where each comes from.
    Config(config::Args),
    /// Serve the simulated PSP over HTTP, for nodes with `psp.url`.
    PspSimulator(psp_simulator::Args),
    /// Check the books: shards, event log and PSP against each other.
    Audit(audit::Args),
    /// Copy the data directory as it is at one instant, also beside a running node.
    Backup(backup::Args),
    /// Make a data directory of a backup, and audit it.
    Restore(restore::Args),
    /// Look at dead letters of a running node, try them again, or put them away.
    Dlq(dlq::Args),
    /// Look at the breakers of a running node, and hold one open or closed on all nodes.
    Breaker(breaker::Args),
    /// Look at faults on purpose in a running node, set them, and take them back.
    Faults(faults::Args),
    /// Make the event log unreachable to a running node, and check its breaker step by step.
    #[command(name = "exercise")]
    Drill(drill::Args),
    /// Deliver events of before once more, and show that nothing doubles.
    Replay(replay::Args),
    /// Drive payments while processes die and servers stop, and check everything that was said.
    Torture(torture::Args),
    /// Drive load against a running node and say how fast it was.
    Load(load::LoadArgs),
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(CommandLine { command }) => command,
        Err(said) => return explained(&said),
    };
    terminal::ended(match command {
        Command::Serve(args) => serve::run(args),
        Command::Config(args) => config::main(args),
        Command::PspSimulator(args) => psp_simulator::run(args),
        Command::Audit(args) => audit::main(args),
        Command::Backup(args) => backup::main(args),
        Command::Restore(args) => restore::main(args),
        Command::Dlq(args) => dlq::main(args),
        Command::Breaker(args) => breaker::main(args),
        Command::Faults(args) => faults::main(args),
        Command::Drill(args) => drill::main(args),
        Command::Replay(args) => replay::main(args),
        Command::Torture(args) => torture::main(args),
        Command::Load(args) => load::main(args),
    })
}

/// What was asked for is help, or was not understood.
fn explained(said: &clap::Error) -> ExitCode {
    match said.print() {
        Ok(()) => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2)),
        Err(error) => {
            terminal::complain(error);
            ExitCode::from(terminal::OUTPUT_LOST)
        }
    }
}
