//! Log lines that come again and again while something is out: the first one is written, the others are counted and
//! told once a minute, and once when none has come for a while.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often the count of lines is told.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// When none has come for so long, that is told, and the next one is written again: longer than anything that is out is
/// left alone before it is tried again.
const OVER_AFTER: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Log lines are the process's. The thread that tells of them lives as long as there are some.
static REPEATS: Mutex<Repeats> = Mutex::new(Repeats { kinds: BTreeMap::new(), has_teller: false });

/// Whether a line of this kind is to be written now. If not it is counted, and told later with its text.
pub fn is_first(kind: &str, line: impl Display) -> bool {
    let mut repeats = REPEATS.lock();
    let is_first = repeats.note(kind, &line, Instant::now());
    if !repeats.has_teller {
        let teller = std::thread::Builder::new().name("log-repeats".to_owned()).spawn(tell_until_over);
        repeats.has_teller = teller.is_ok();
    }
    is_first
}

fn tell_until_over() {
    loop {
        std::thread::sleep(LOOK_EVERY);
        let mut repeats = REPEATS.lock();
        let told = repeats.due(Instant::now());
        repeats.has_teller = !repeats.kinds.is_empty();
        let is_over = !repeats.has_teller;
        // The log may be slow, and who logs must not wait for it.
        drop(repeats);
        for Told { kind, lines, seconds, last, is_over } in told {
            if is_over {
                // Whether it is over is not known: perhaps nobody has tried.
                let silent = OVER_AFTER.as_secs();
                tracing::info!(log.kind = kind, log.lines = lines, log.seconds = seconds, "none for {silent} s");
            } else {
                tracing::warn!(
                    log.kind = kind,
                    log.lines = lines,
                    log.seconds = seconds,
                    log.last = last,
                    "it goes on"
                );
            }
        }
        if is_over {
            return;
        }
    }
}

struct Repeats {
    kinds: BTreeMap<String, Kind>,
    has_teller: bool,
}

struct Kind {
    begun: Instant,
    told_at: Instant,
    seen_at: Instant,
    /// Lines in all.
    lines: u64,
    /// Of the lines that were not written, the last one.
    last: Option<String>,
}

/// What is told of a kind.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: String,
    lines: u64,
    seconds: u64,
    last: String,
    is_over: bool,
}

impl Repeats {
    fn note(&mut self, kind: &str, line: &impl Display, now: Instant) -> bool {
        match self.kinds.get_mut(kind) {
            Some(known) => {
                known.lines += 1;
                known.seen_at = now;
                known.last = Some(line.to_string());
                false
            }
            None => {
                let known = Kind { begun: now, told_at: now, seen_at: now, lines: 1, last: None };
                self.kinds.insert(kind.to_owned(), known);
                true
            }
        }
    }

    /// What is to be told now. A line that came alone is not told again.
    fn due(&mut self, now: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        self.kinds.retain(|kind, known| {
            let is_over = now.saturating_duration_since(known.seen_at) >= OVER_AFTER;
            let is_due = is_over || now.saturating_duration_since(known.told_at) >= TELL_EVERY;
            if is_due && let Some(last) = &known.last {
                let seconds = now.saturating_duration_since(known.begun).as_secs();
                told.push(Told { kind: kind.clone(), lines: known.lines, seconds, last: last.clone(), is_over });
                known.told_at = now;
            }
            !is_over
        });
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_is_written_and_the_others_are_told_each_minute_and_at_the_end() {
        let mut repeats = Repeats { kinds: BTreeMap::new(), has_teller: true };
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let told = |lines, seconds, is_over| {
            let (kind, last) = ("kafka".to_owned(), "refused".to_owned());
            vec![Told { kind, lines, seconds, last, is_over }]
        };
        assert!(repeats.note("kafka", &"refused", at(0)));
        assert!(repeats.note("another", &"once", at(0)));
        for second in 1..=70 {
            assert!(!repeats.note("kafka", &"refused", at(second)));
            let expected = if second == 60 { told(61, 60, false) } else { Vec::new() };
            assert_eq!(repeats.due(at(second)), expected, "{second}");
        }
        assert_eq!(repeats.due(at(84)), []);
        assert_eq!(repeats.due(at(85)), told(71, 85, true));
        assert!(repeats.kinds.is_empty());
        assert!(repeats.note("kafka", &"refused", at(90)), "a new outage is told at once");
    }
}
