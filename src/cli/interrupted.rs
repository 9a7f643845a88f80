//! The end of a command before its time, by a signal: what it had made is deleted, and the exit code says the signal.

use std::process::exit;
use std::sync::mpsc::sync_channel;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::terminal::complain;
use crate::infra::backup::{Made, Undone};

/// What shells add to a signal's number.
const BY_SIGNAL: i32 = 128;

/// From here on SIGINT, SIGTERM and SIGHUP end the process, whatever it waits for: a thread of its own listens, since
/// copying, syncing and checking block. A signal that the process was started to ignore (`nohup`) stays ignored.
///
/// # Errors
/// If the thread cannot be had, or signals cannot be listened for.
pub fn undo_on_signal(made: Made) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (listens, listening) = sync_channel(1);
    let watch = move || {
        runtime.block_on(async {
            let ignored = ignored_signals();
            let heard = signals().into_iter().filter(|(_, kind)| ignored & bit(*kind) == 0);
            let streams =
                heard.map(|(name, kind)| Ok((name, kind, signal(kind)?))).collect::<std::io::Result<Vec<_>>>();
            let streams = match streams {
                Ok(streams) => streams,
                Err(error) => {
                    let _ = listens.send(Err(error));
                    return;
                }
            };
            // Whoever began it waits for this.
            let _ = listens.send(Ok(()));
            let told = streams.into_iter().map(|(name, kind, mut stream)| {
                Box::pin(async move {
                    stream.recv().await;
                    (name, kind)
                })
            });
            let told: Vec<_> = told.collect();
            if told.is_empty() {
                return;
            }
            let ((name, kind), ..) = futures_util::future::select_all(told).await;
            end(name, kind, &made);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
    listening.recv().map_err(std::io::Error::other)?
}

/// Each with the name that an operator knows it by.
fn signals() -> [(&'static str, SignalKind); 3] {
    [("SIGHUP", SignalKind::hangup()), ("SIGINT", SignalKind::interrupt()), ("SIGTERM", SignalKind::terminate())]
}

fn end(name: &str, kind: SignalKind, made: &Made) -> ! {
    match made.end() {
        Undone::Deleted => complain(format_args!("{name}: stopped; nothing that it had made is left")),
        Undone::Kept => complain(format_args!("{name}: stopped; what it has made is whole, and stays")),
        Undone::Left(path) => {
            complain(format_args!("{name}: stopped; {} is left, unfinished, and could not be deleted", path.display()));
        }
    }
    exit(BY_SIGNAL + kind.as_raw_value())
}

fn bit(kind: SignalKind) -> u64 {
    1 << (kind.as_raw_value() - 1)
}

/// The mask of signals that this process ignores, by proc_pid_status(5); of none where that is not told.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
