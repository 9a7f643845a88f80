//! Lines that may be lost, but neither fail nor delay their writer: a thread of its own writes them. If its queue is
//! full or the output takes nothing, the line is lost and counted.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::catalogue;
use crate::runtime::meter;

/// The most lines that wait for a slow output: some seconds of a busy node's.
const LINES_MAX: usize = 8_192;
/// How long the end of a process waits for its last lines.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

static LOST: AtomicU64 = AtomicU64::new(0);

/// A line could not be written.
pub fn count_lost() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// Has the metrics show how many lines of this process were lost.
pub(super) fn export() {
    let metric = catalogue::LOG_LINES_LOST;
    let meter = meter();
    let counter = meter.u64_observable_counter(metric.name).with_description(metric.about).with_unit(metric.unit);
    counter.with_callback(|counter| counter.observe(LOST.load(Ordering::Relaxed), &[])).build();
}

enum Message {
    Line(Vec<u8>),
    /// All lines before it are written or lost.
    Flush(SyncSender<()>),
}

/// The queue of an output. Each write is one line; it returns at once and never fails.
#[derive(Clone)]
pub struct Lossy(SyncSender<Message>);

impl Lossy {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn to(output: impl Write + Send + 'static) -> std::io::Result<Self> {
        Self::with_room(output, LINES_MAX)
    }

    fn with_room(output: impl Write + Send + 'static, lines_max: usize) -> std::io::Result<Self> {
        let (sender, lines) = sync_channel(lines_max);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, output))?;
        Ok(Self(sender))
    }

    /// Waits until all earlier lines are written, for a moment at most.
    pub fn flush_for_a_moment(&self) {
        let deadline = Instant::now() + LAST_LINES_WITHIN;
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = self.0.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
        // A thread that does not answer is blocked, and its lines are lost with the process.
        let _: Result<(), RecvTimeoutError> = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl Write for Lossy {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            count_lost();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes until nobody is left who could send a line.
fn write_all(lines: &Receiver<Message>, mut output: impl Write) {
    // A part of a failed line may have been written.
    let mut is_torn = false;
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => {
                let mended = if is_torn { output.write_all(b"\n") } else { Ok(()) };
                let written = mended.and_then(|()| output.write_all(&line)).and_then(|()| output.flush());
                is_torn = written.is_err();
                if is_torn {
                    count_lost();
                }
            }
            // Its caller may have stopped waiting.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Takes so many bytes, then none until it is given more room; a lock that somebody holds blocks it.
    #[derive(Clone, Default)]
    struct Disk {
        written: Arc<Mutex<Vec<u8>>>,
        room: Arc<AtomicU64>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut written = self.written.lock();
            let room = usize::try_from(self.room.load(Ordering::Relaxed)).unwrap().saturating_sub(written.len());
            if room == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            let taken = &bytes[..room.min(bytes.len())];
            written.extend(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn text(disk: &Disk) -> String {
        String::from_utf8(disk.written.lock().clone()).unwrap()
    }

    #[test]
    fn failed_line_is_lost_and_later_lines_are_whole() {
        let disk = Disk::default();
        disk.room.store(7, Ordering::Relaxed);
        let mut log = Lossy::to(disk.clone()).unwrap();
        log.write_all(b"one\n").unwrap();
        log.write_all(b"torn apart\n").unwrap();
        log.write_all(b"lost\n").unwrap();
        log.flush_for_a_moment();
        disk.room.store(1_000, Ordering::Relaxed);
        log.write_all(b"two\n").unwrap();
        log.flush_for_a_moment();
        assert_eq!(text(&disk), "one\ntor\ntwo\n");
        assert!(LOST.load(Ordering::Relaxed) >= 2);
    }

    #[test]
    fn blocked_output_delays_no_writer_and_its_queue_is_bounded() {
        let disk = Disk::default();
        disk.room.store(1_000_000, Ordering::Relaxed);
        let mut log = Lossy::with_room(disk.clone(), 16).unwrap();
        let blocked = disk.written.lock();
        let begun = Instant::now();
        for _ in 0..1_000 {
            log.write_all(b"line\n").unwrap();
        }
        log.flush_for_a_moment();
        assert!(begun.elapsed() < LAST_LINES_WITHIN * 10);
        drop(blocked);
        log.flush_for_a_moment();
        assert!((16..=18).contains(&text(&disk).lines().count()), "{}", text(&disk));
    }
}
