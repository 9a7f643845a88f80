//! `rialto exercise`: has a running node go through the breaker's exercise, and prints each step as it ends.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{Admin, AdminArgs, AdminError, asked};
use super::terminal::say;

const PATH: &str = "/breakers/event_log/exercise";
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Nine steps: closed, baseline, event log unreachable, failures, open, refused at once, wait, half-open, closed again.
/// The node needs `faults.enabled`, and with `faults.event_log_stop` really stops its event log's server.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    admin: AdminArgs,
    /// Whose payments are made for it, of one minor unit each; they are voided at the end.
    #[arg(long, default_value = "EXERCISE-1")]
    merchant: String,
    /// Print the node's JSON at the end instead of the steps.
    #[arg(long)]
    json: bool,
}

/// The command. Exit code 1 when a step fails, or the node cannot be asked or says no.
pub fn main(args: Args) -> ExitCode {
    match asked(run(args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(code) => code,
    }
}

/// Whether every step passed.
async fn run(args: Args) -> Result<bool, AdminError> {
    let admin = Admin::new(args.admin)?;
    admin.post(PATH, &json!({ "merchantId": args.merchant })).await?;
    let mut printed = 0;
    loop {
        let exercise = admin.get(PATH, &[]).await?;
        let steps = exercise["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let has_ended = |step: &&Value| step["status"] == "passed" || step["status"] == "failed";
        for step in steps.iter().skip(printed).take_while(has_ended) {
            printed += 1;
            if !args.json {
                let text = |member: &str| step[member].as_str().unwrap_or_default().to_owned();
                let (status, name, detail) = (text("status"), text("name"), text("detail"));
                say(format_args!("{}. {name}: {status} in {} ms: {detail}", step["number"], step["tookMs"]));
            }
        }
        if exercise["status"] != "running" {
            if args.json {
                say(format_args!("{exercise:#}"));
            } else {
                say(format_args!("exercise: {}", exercise["status"].as_str().unwrap_or_default()));
            }
            return Ok(exercise["status"] == "passed");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
