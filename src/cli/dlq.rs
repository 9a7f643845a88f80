//! `rialto dlq`: dead letters of a running node: list, show, redrive, discard.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::admin::{Admin, AdminArgs, AdminError, asked, segment};
use super::table::{table, text};
use super::terminal::{put, say};

/// Dead letters: what could not be applied. What changes something is a dry run unless `--yes` is given.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 when it is done, also when there are no letters or it was a dry run; 1 when the node \
                        cannot be asked or says no, also of one letter; 2 when the command is not understood; 74 when \
                        the output cannot be written."
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
    /// Show letters, newest events first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// open, redriven or discarded.
        #[arg(long)]
        status: Option<String>,
        /// 1 to 100.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Begin below this letter.
        #[arg(long)]
        starting_after: Option<String>,
    },
    /// Show one letter with its payload.
    Show { id: String },
    /// Try again what letters are about.
    Redrive {
        #[command(flatten)]
        selection: Selection,
        /// Do it. Without this it is only said what would be done.
        #[arg(long)]
        yes: bool,
    },
    /// Put letters away.
    Discard {
        #[command(flatten)]
        selection: Selection,
        /// Why, for those who ask later.
        #[arg(long)]
        reason: String,
        /// Do it. Without this it is only said what would be done.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Default, clap::Args)]
struct Filter {
    /// payment.dlq, settlement.dlq or refund.dlq.
    #[arg(long)]
    topic: Option<String>,
    /// Such as unbookable.
    #[arg(long)]
    error_type: Option<String>,
    /// Such as payment.captured.
    #[arg(long)]
    source_topic: Option<String>,
}

/// Ids, a filter, or all that are open.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Letters by their ids.
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// All that are open.
    #[arg(long)]
    all: bool,
}

impl Filter {
    fn members(&self) -> Vec<(&'static str, String)> {
        let given = [("topic", &self.topic), ("errorType", &self.error_type), ("sourceTopic", &self.source_topic)];
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

impl Selection {
    /// The members of the call's body; the node refuses anything but exactly one of the three.
    fn body(&self, dry_run: bool) -> Value {
        let mut body = json!({ "dryRun": dry_run });
        if !self.ids.is_empty() {
            body["ids"] = json!(self.ids);
        }
        let filter: serde_json::Map<_, _> =
            self.filter.members().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        if !filter.is_empty() {
            body["filter"] = filter.into();
        }
        if self.all {
            body["all"] = true.into();
        }
        body
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
    } else {
        put(shown(&args.command, &answer));
    }
    let rows = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.iter().any(|row| is_no(&row["outcome"])) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the node says no of one letter: what was asked for was not done, and is not done already.
fn is_no(outcome: &Value) -> bool {
    outcome.as_str().is_some_and(|name| matches!(name, "failed" | "not_found" | "not_an_event" | "told_as_failed"))
}

async fn run(args: &Args) -> Result<Value, AdminError> {
    let admin = Admin::new(args.admin.clone())?;
    match &args.command {
        Command::List { filter, status, limit, starting_after } => {
            let mut query = filter.members();
            query.extend(status.clone().map(|status| ("status", status)));
            query.extend(starting_after.clone().map(|id| ("startingAfter", id)));
            query.push(("limit", limit.to_string()));
            admin.get("/dead-letters", &query).await
        }
        Command::Show { id } => admin.get(&format!("/dead-letters/{}", segment(id)), &[]).await,
        Command::Redrive { selection, yes } => admin.post("/dead-letters/redrive", &selection.body(!yes)).await,
        Command::Discard { selection, reason, yes } => {
            let mut body = selection.body(!yes);
            body["reason"] = reason.clone().into();
            admin.post("/dead-letters/discard", &body).await
        }
    }
}

/// The answer for people: a header, and a line a letter.
fn shown(command: &Command, answer: &Value) -> String {
    let rows = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut shown = match command {
        Command::List { .. } => {
            table(&["id", "status", "topic", "errorType", "retryCount", "lastFailedAt", "eventKey"], rows)
        }
        Command::Show { .. } => {
            let members = answer.as_object().into_iter().flatten();
            members.map(|(name, value)| format!("{name:<16} {}\n", text(value))).collect()
        }
        Command::Redrive { .. } | Command::Discard { .. } => table(&["id", "outcome"], rows),
    };
    if answer["dryRun"] == true {
        shown.push_str("nothing was done: this was a dry run; add --yes to do it\n");
    }
    if answer["hasMore"] == true {
        shown.push_str("there are more\n");
    }
    shown
}
