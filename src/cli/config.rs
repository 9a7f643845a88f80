//! `rialto config`: which settings are in force, and where each value comes from. Secrets are hidden.

use std::path::PathBuf;
use std::process::ExitCode;

use super::process::refuse;
use super::terminal::{complain, put, say};
use crate::config::{Config, InForce, Roles};

/// Show the settings in force, as `serve` with the same file and environment would have them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A TOML file of settings; the environment (RIALTO__SHARD__MAX_BATCH and the like) goes over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print JSON: an array of key, value and source.
    #[arg(long)]
    json: bool,
    /// Leave out what is as it is by default.
    #[arg(long)]
    changed: bool,
    /// The roles that `serve` would be given; looked at and not shown.
    #[arg(long, env = "RIALTO_ROLES", default_value = "all")]
    roles: Roles,
}

/// The command. Exit code 1 when a node could not be started with these settings.
pub fn main(args: Args) -> ExitCode {
    let mut settings = match Config::explained(args.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let Args { json, changed, roles: _, .. } = args;
    settings.retain(|setting| !changed || !setting.is_default());
    if changed && settings.is_empty() {
        complain("nothing differs from the defaults");
    }
    if json {
        match serde_json::to_string_pretty(&settings) {
            Ok(json) => say(json),
            Err(error) => return refuse(&error),
        }
    } else {
        put(shown(&settings));
    }
    ExitCode::SUCCESS
}

/// A TOML file that would say the same (but for what is hidden), with each value's source behind it.
fn shown(settings: &[InForce]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings {
        let (of, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if of != section {
            text.push_str(&format!("{}[{of}]\n", if section.is_empty() { "" } else { "\n" }));
            section = of;
        }
        let assignment = format!("{name} = {}", setting.value);
        text.push_str(&format!("{assignment:<48} # {}\n", setting.source));
    }
    text
}
