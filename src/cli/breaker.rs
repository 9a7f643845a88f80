//! `rialto breaker`: the breakers of a running node: list, force, clear.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::admin::{Admin, AdminArgs, AdminError, asked, segment};
use super::table::table;
use super::terminal::{put, say};

/// Breakers: who is protected from whom, and holding one open or closed. A breaker that is forced is forced on every
/// node that shares the control store, within two seconds and over restarts, until it is cleared.
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
    /// Show the breakers, and who holds which in its state, and why.
    List,
    /// Hold a breaker open (nothing passes) or closed (everything does).
    Force {
        /// psp, psp_lookup or event_log.
        name: String,
        state: State,
        /// Why, for those who see it: 1 to 200 characters.
        #[arg(long)]
        reason: String,
    },
    /// Give a breaker back to itself.
    Clear {
        /// psp, psp_lookup or event_log.
        name: String,
        /// Why, for the trail.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Open,
    Closed,
}

/// The command; its exit codes are those of [`Args`].
pub fn main(args: Args) -> ExitCode {
    let answer = match asked(run(&args)) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if args.json {
        say(format_args!("{answer:#}"));
    } else {
        put(shown(&args.command, &answer));
    }
    ExitCode::SUCCESS
}

async fn run(args: &Args) -> Result<Value, AdminError> {
    let admin = Admin::new(args.admin.clone())?;
    let path = |name: &str| format!("/breakers/{}", segment(name));
    match &args.command {
        Command::List => admin.get("/breakers", &[]).await,
        Command::Force { name, state, reason } => {
            let state = match state {
                State::Open => "open",
                State::Closed => "closed",
            };
            admin.put(&path(name), &json!({"state": state, "reason": reason})).await
        }
        Command::Clear { name, reason } => {
            let mut body = json!({"state": null});
            if let Some(reason) = reason {
                body["reason"] = reason.clone().into();
            }
            admin.put(&path(name), &body).await
        }
    }
}

/// The breakers of an answer, or the one that it is about.
fn shown(command: &Command, answer: &Value) -> String {
    let columns = ["name", "state", "calls", "failures", "forced.operator", "forced.source", "forced.since"];
    let columns = [&columns[..], &["forced.scope", "forced.reason"]].concat();
    match answer["data"].as_array() {
        Some(breakers) => table(&columns, breakers),
        None => {
            let mut text = table(&columns, std::slice::from_ref(answer));
            if answer["forced"]["scope"] == "node" {
                text.push_str(
                    "it holds on this node only: no control store is shared, or it is away and gets the order later, \
                     unless a newer one was given meanwhile\n",
                );
            } else if matches!(command, Command::Clear { .. }) && !answer["forced"].is_null() {
                text.push_str(
                    "only what this node was ordered is taken back, since the control store is away: what all nodes \
                     hold holds again\n",
                );
            }
            text
        }
    }
}
