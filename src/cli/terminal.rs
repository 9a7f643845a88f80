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
    let mut output = std::io::stdout().lock();
    if let Err(error) = write!(output, "{text}").and_then(|()| output.flush()) {
        MISSING.get_or_init(|| error.to_string());
    }
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
    let line = format!("rialto: {why}\n");
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
