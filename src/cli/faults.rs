//! `rialto faults`: faults on purpose in a running node: list, set, clear.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::admin::{Admin, AdminArgs, AdminError, asked};
use super::table::table;
use super::terminal::{put, say};

/// Faults on purpose, for game days. The node needs `faults.enabled`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 when it is done, 1 when the node cannot be asked or says no, 2 when the command is \
                        not understood, 74 when the output cannot be written."
)]
pub struct Args {
    #[command(flatten)]
    admin: AdminArgs,
    /// Print the node's JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the faults that wait for actors.
    List,
    /// Have actors fail in their next turns.
    Set {
        /// The actor's name, as `GET /admin/actors` shows it.
        actor: String,
        /// panic, hang, drop, or delay=MS.
        #[arg(value_parser = parse_fault)]
        fault: Value,
        /// Only the actor of this shard.
        #[arg(long)]
        shard: Option<u32>,
        /// How many turns.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
    },
    /// Take back all faults that still wait.
    Clear,
}

/// A fault as the node's JSON has it.
fn parse_fault(text: &str) -> Result<Value, String> {
    let wrong = || "allowed: panic, hang, drop, or delay=MS with whole milliseconds".to_owned();
    match text.split_once('=') {
        None if matches!(text, "panic" | "hang" | "drop") => Ok(text.into()),
        Some(("delay", ms)) => ms.parse::<u64>().map(|ms| json!({ "delay": ms })).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// The command; its exit codes are those of [`Args`].
pub fn main(args: Args) -> ExitCode {
    let answer = match asked(run(&args)) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if args.json {
        say(format_args!("{answer:#}"));
        return ExitCode::SUCCESS;
    }
    match &args.command {
        Command::List => {
            let rows = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
            put(table(&["actor", "shard", "fault", "times"], rows));
        }
        Command::Set { .. } => say(format_args!("{} actors have it", answer["actors"])),
        Command::Clear => say("no fault waits any more"),
    }
    ExitCode::SUCCESS
}

async fn run(args: &Args) -> Result<Value, AdminError> {
    let admin = Admin::new(args.admin.clone())?;
    match &args.command {
        Command::List => admin.get("/faults", &[]).await,
        Command::Set { actor, fault, shard, times } => {
            let mut order = json!({"actor": actor, "fault": fault, "times": times});
            if let Some(shard) = shard {
                order["shard"] = (*shard).into();
            }
            admin.post("/faults", &order).await
        }
        Command::Clear => admin.delete("/faults").await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_parsed_as_the_node_reads_them() {
        for (text, fault) in [("panic", json!("panic")), ("delay=250", json!({"delay": 250}))] {
            assert_eq!(parse_fault(text), Ok(fault));
        }
        for text in ["", "Panic", "delay", "delay=", "delay=-1", "delay=1.5", "hang=1"] {
            assert!(parse_fault(text).unwrap_err().contains("delay=MS"), "{text}");
        }
    }
}
