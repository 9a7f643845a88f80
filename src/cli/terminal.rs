//! What commands write to standard output and error. Nothing here panics. If the output is full, closed or no longer
//! read, the exit code says so where the output is the command's purpose; elsewhere a line is lost.
//!
//! SIGPIPE stays ignored, as Rust's runtime leaves it: a node must not die because its log is not read.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::domain::text::is_printable;
use crate::infra::telemetry::lossy::count_lost;

/// The exit code of a command whose output could not be written: `EX_IOERR` of sysexits.h.
pub const OUTPUT_LOST: u8 = 74;
/// How long writing an error may take: a process that ends because of the error must end.
const COMPLAINT_WITHIN: Duration = Duration::from_secs(1);

/// Why some of the command's output is missing: the first reason.
static MISSING: OnceLock<String> = OnceLock::new();

/// Writes a line of the command's main output.
pub fn say(line: impl Display) {
    put(format_args!("{line}\n"));
}

/// As [`say`], of text with line ends of its own.
pub fn put(text: impl Display) {
    let text = harmless(text.to_string());
    let mut output = std::io::stdout().lock();
    if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        MISSING.get_or_init(|| error.to_string());
    }
}

/// A text without what a terminal obeys: others have written some of what is printed. Line ends and tabs stay. What is
/// replaced is written as in JSON, so that JSON stays what it is.
fn harmless(text: String) -> String {
    let shows = |character: char| matches!(character, '\n' | '\t') || is_printable(character);
    if text.chars().all(shows) {
        return text;
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if shows(character) {
            harmless.push(character);
        } else {
            harmless.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    harmless
}

/// Writes a line that may be lost, without waiting.
pub fn greet(line: String) {
    let greeting = move || {
        let mut output = std::io::stdout().lock();
        if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
            count_lost();
        }
    };
    if std::thread::Builder::new().name("greeting".to_owned()).spawn(greeting).is_err() {
        count_lost();
    }
}

/// Writes to standard error why the command ends, if that is possible within a moment.
pub fn complain(why: impl Display) {
    let line = harmless(format!("rialto: {why}\n"));
    let (done, written) = sync_channel(1);
    let complaint = move || {
        // There is no other place to report this failure.
        let _ = std::io::stderr().write_all(line.as_bytes());
        let _ = done.try_send(());
    };
    if std::thread::Builder::new().name("complaint".to_owned()).spawn(complaint).is_ok() {
        // Whether it was written or not, the command ends.
        let _ = written.recv_timeout(COMPLAINT_WITHIN);
    }
}

/// The exit code of a command that has ended with `code`: another one if its output is missing.
pub fn ended(code: ExitCode) -> ExitCode {
    match MISSING.get() {
        None => code,
        Some(why) => {
            complain(format_args!("standard output cannot be written: {why}"));
            ExitCode::from(OUTPUT_LOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_printed_as_text_and_json_stays_json() {
        let stored = "zoë\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\r";
        assert_eq!(harmless(format!("a\tb\n{stored}\n")), "a\tb\nzoë\\u001b[2J\\u009b31m\\u007f\\u202e\\u000d\n");
        let json = serde_json::json!({"reason": stored});
        let printed = harmless(format!("{json:#}"));
        assert!(printed.chars().all(|character| character == '\n' || is_printable(character)), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json);
    }
}
