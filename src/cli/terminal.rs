//! What commands write to standard output and error. Nothing here panics: an output that is full, closed or read by
//! nobody any more is told by the exit code where the output is what the command is for, and costs a line elsewhere.
//!
//! SIGPIPE stays ignored, as Rust's runtime leaves it: a node must not die of a log that nobody reads.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::infra::telemetry::lossy::count_lost;

/// The exit code of a command whose output could not be written: `EX_IOERR` of sysexits.h.
pub const OUTPUT_LOST: u8 = 74;
/// How long a complaint may take: a process that ends because of it must end.
const COMPLAINT_WITHIN: Duration = Duration::from_secs(1);

/// Why some of the command's output is missing; set by the first that is.
static MISSING: OnceLock<String> = OnceLock::new();

/// Writes a line of what the command is for.
pub fn say(line: impl Display) {
    put(format_args!("{line}\n"));
}

/// As [`say`], of text with line ends of its own.
pub fn put(text: impl Display) {
    let mut output = std::io::stdout().lock();
    if let Err(error) = write!(output, "{text}").and_then(|()| output.flush()) {
        MISSING.get_or_init(|| error.to_string());
    }
}

/// Writes a line that nobody need read, and waits for nothing.
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

/// Says on standard error why the command ends, if that can be written within a moment.
pub fn complain(why: impl Display) {
    let line = format!("rialto: {why}\n");
    let (done, written) = sync_channel(1);
    let complaint = move || {
        // There is nowhere left to tell that this failed.
        let _ = std::io::stderr().write_all(line.as_bytes());
        let _ = done.try_send(());
    };
    if std::thread::Builder::new().name("complaint".to_owned()).spawn(complaint).is_ok() {
        // Late or not, the command ends.
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
