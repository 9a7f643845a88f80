//! What happened to a payment, told in the order of writing. It is a column of the payment's row, so that it commits
//! with the change that it tells of and outlives the pruned outbox. A row holds so much of it and no more: what is
//! older moves to pages of its own, in the same transaction.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::id::EventId;
use super::psp::Verdict;
use super::time::Timestamp;
use super::trace::TraceContext;

/// What an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineKind {
    /// The payment was taken on: its intent is durable, the PSP not asked yet.
    Requested,
    /// The PSP was asked; `detail` has the operation and its answer.
    PspCall,
    /// A rule decided; `detail` has the new status.
    Decision,
    /// The PSP is to be asked again; `detail` has the attempt and why.
    Retry,
    /// An event was put into the outbox; `detail` has its topic.
    Event,
    /// A ledger entry was booked; `detail` has its accounts and amount.
    LedgerEntry,
}

impl TimelineKind {
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::PspCall, Self::Decision, Self::Retry, Self::Event, Self::LedgerEntry];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::PspCall => "psp_call",
            Self::Decision => "decision",
            Self::Retry => "retry",
            Self::Event => "event",
            Self::LedgerEntry => "ledger_entry",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One entry of a payment's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub what: TimelineKind,
    pub detail: String,
    pub event_id: Option<EventId>,
    /// The trace in which it happened: 32 hexadecimal digits.
    pub trace_id: String,
}

/// The version of the lines that are written.
const VERSION: u32 = 1;

/// A line as it is stored, which no other form of an entry can change. Version 1 is written without its number: a line
/// is short, there are many, and those of before there was a number are the same. A line of a later version says so.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredLine<'a> {
    #[serde(default = "first_version", skip_serializing)]
    v: u32,
    at: Timestamp,
    what: Cow<'a, str>,
    detail: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    trace_id: Cow<'a, str>,
}

fn first_version() -> u32 {
    1
}

/// The entry that a line is; none for one that cannot be read.
fn entry(line: &str) -> Option<TimelineEntry> {
    let line: StoredLine<'_> = serde_json::from_str(line).ok().filter(|line: &StoredLine<'_>| line.v == VERSION)?;
    Some(TimelineEntry {
        at: line.at,
        what: TimelineKind::parse(&line.what)?,
        detail: line.detail.into_owned(),
        event_id: line.event_id,
        trace_id: line.trace_id.into_owned(),
    })
}

/// How an entry's event begins in its line.
const EVENT_MEMBER: &str = "\"eventId\":\"";

/// How a timeline begins of which entries have moved to pages: how many they are, and the last event among them.
const MOVED: &str = "{\"moved\":";

/// The line that says what has moved.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moved {
    moved: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

/// Entries that have moved out of a payment's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelinePage {
    /// The place of the first of them in the timeline, from 0.
    pub first: u32,
    pub entries: Timeline,
}

/// The entries as JSON Lines (<https://jsonlines.org>): appending one does not parse the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline(String);

impl Timeline {
    /// Beyond this many bytes only decisions and events are noted, so that endless retries cannot grow a row without
    /// end.
    pub const RETRIES_BYTES_MAX: usize = 16 * 1024;
    /// What a row may hold; beyond it the older entries move.
    pub const ROW_BYTES_MAX: usize = 16 * 1024;
    /// What stays in the row when others move, so that they do not move one by one.
    const KEPT_BYTES: usize = 8 * 1024;
    /// What a page may hold.
    const PAGE_BYTES_MAX: usize = 8 * 1024;
    pub const PAGE_ENTRIES_MAX: u32 = 64;
    /// Characters of a detail; what the PSP says may be long.
    const DETAIL_MAX: usize = 400;

    pub fn from_stored(lines: String) -> Self {
        Self(lines)
    }

    pub fn as_stored(&self) -> &str {
        &self.0
    }

    pub fn note(&mut self, at: Timestamp, what: TimelineKind, detail: impl Into<String>, trace: &TraceContext) {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(Self::DETAIL_MAX) {
            detail.truncate(end);
        }
        self.push(at, what, &detail, None, trace);
    }

    /// Notes a call to the PSP, what it said, and how long it took. What it has said for good comes once for each thing
    /// that it was asked; all else may come again and again, and is left out once the timeline is long.
    pub fn note_call(&mut self, at: Timestamp, call: &str, verdict: &Verdict, took_ms: u64, trace: &TraceContext) {
        if verdict.is_final() || !self.is_full_of_retries() {
            let detail = format!("{call} {} in {took_ms} ms {}", verdict.word(), verdict.why());
            self.note(at, TimelineKind::PspCall, detail.trim_end(), trace);
        }
    }

    pub fn note_event(&mut self, at: Timestamp, topic: &str, event_id: EventId, trace: &TraceContext) {
        self.push(at, TimelineKind::Event, topic, Some(event_id), trace);
    }

    /// The event that was noted last.
    pub fn last_event(&self) -> Option<EventId> {
        // Quotes within a text are escaped, so this is the member and nothing else.
        let (_, behind) = self.0.rsplit_once(EVENT_MEMBER)?;
        behind.split('"').next()?.parse().ok()
    }

    /// The event that was noted first under this topic, of what the row holds.
    pub fn first_event(&self, topic: &str) -> Option<EventId> {
        self.events().find(|entry| entry.detail == topic)?.event_id
    }

    /// Whether the row holds that this event was put into the outbox under this topic.
    pub fn has_event(&self, topic: &str, id: EventId) -> bool {
        self.events().any(|entry| entry.event_id == Some(id) && entry.detail == topic)
    }

    fn events(&self) -> impl Iterator<Item = TimelineEntry> {
        let lines = self.0.lines().filter(|line| line.contains(EVENT_MEMBER));
        lines.filter_map(entry)
    }

    /// How many entries have moved to pages.
    pub fn moved(&self) -> u32 {
        self.head().map_or(0, |(moved, _)| moved.moved)
    }

    /// What has moved, and the rest behind the line that says so.
    fn head(&self) -> Option<(Moved, &str)> {
        if !self.0.starts_with(MOVED) {
            return None;
        }
        let (line, rest) = self.0.split_once('\n').unwrap_or((&self.0, ""));
        Some((serde_json::from_str(line).ok()?, rest))
    }

    /// Whether it holds more than a row may.
    pub fn is_long(&self) -> bool {
        self.0.len() > Self::ROW_BYTES_MAX
    }

    /// Takes out the older entries of one that is long, as pages; the newer ones stay.
    pub fn take_pages(&mut self) -> Vec<TimelinePage> {
        if !self.is_long() {
            return Vec::new();
        }
        let (before, rest) = self.head().unwrap_or((Moved::default(), &self.0));
        let (mut kept, mut bytes) = (0, 0);
        for line in rest.lines().rev() {
            bytes += line.len() + 1;
            if bytes > Self::KEPT_BYTES {
                break;
            }
            kept += 1;
        }
        let lines: Vec<&str> = rest.lines().collect();
        let (old, new) = lines.split_at(lines.len() - kept);
        let mut pages: Vec<TimelinePage> = Vec::new();
        let mut next = before.moved;
        for line in old {
            let fits = |page: &TimelinePage| {
                next - page.first < Self::PAGE_ENTRIES_MAX && page.entries.0.len() + line.len() < Self::PAGE_BYTES_MAX
            };
            match pages.last_mut().filter(|page| fits(page)) {
                Some(page) => {
                    page.entries.0.push('\n');
                    page.entries.0.push_str(line);
                }
                None => pages.push(TimelinePage { first: next, entries: Self((*line).to_owned()) }),
            }
            next = next.saturating_add(1);
        }
        let event_id = pages.iter().rev().find_map(|page| page.entries.last_event()).or(before.event_id);
        // As in `push`: numbers and ids have a JSON form.
        let head = serde_json::to_string(&Moved { moved: next, event_id }).unwrap_or_default();
        let rest = std::iter::once(head.as_str()).chain(new.iter().copied()).collect::<Vec<_>>().join("\n");
        self.0 = rest;
        pages
    }

    fn is_full_of_retries(&self) -> bool {
        self.0.len() > Self::RETRIES_BYTES_MAX || self.0.starts_with(MOVED)
    }

    fn push(
        &mut self,
        at: Timestamp,
        what: TimelineKind,
        detail: &str,
        event_id: Option<EventId>,
        trace: &TraceContext,
    ) {
        if what == TimelineKind::Retry && self.is_full_of_retries() {
            return;
        }
        let (what, detail, trace_id) = (what.name().into(), detail.into(), trace.trace_id_hex().into());
        let line = StoredLine { v: VERSION, at, what, detail, event_id, trace_id };
        // Writing plain strings and numbers as JSON into memory cannot fail; a line that did would be left out.
        if let Ok(line) = serde_json::to_string(&line) {
            if !self.0.is_empty() {
                self.0.push('\n');
            }
            self.0.push_str(&line);
        }
    }

    /// The entries, oldest first. A line that cannot be read is passed over: the timeline informs, it decides nothing.
    pub fn entries(&self) -> Vec<TimelineEntry> {
        self.0.lines().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::approved;

    const TRACE: TraceContext = TraceContext { trace_id: 7, span_id: 1, sampled: false };

    #[test]
    fn entries_are_read_in_the_order_of_writing() {
        let mut timeline = Timeline::default();
        timeline.note(Timestamp(1), TimelineKind::Requested, "authorize\nwith a \"line break\"", &TRACE);
        timeline.note_event(Timestamp(2), "payment.authorized", EventId::from_stored(9), &TRACE);
        let entries = Timeline::from_stored(timeline.as_stored().to_owned()).entries();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].detail, "authorize\nwith a \"line break\"");
        assert_eq!(entries[1].event_id, Some(EventId::from_stored(9)));
        assert_eq!(entries[1].trace_id, "00000000000000000000000000000007");
        assert_eq!(timeline.last_event(), Some(EventId::from_stored(9)));
        timeline.note_event(Timestamp(3), "payment.captured", EventId::from_stored(12), &TRACE);
        timeline.note(Timestamp(4), TimelineKind::PspCall, r#""eventId":"evt_0000000000001""#, &TRACE);
        assert_eq!(timeline.last_event(), Some(EventId::from_stored(12)));
        assert_eq!(Timeline::default().last_event(), None);
    }

    /// As the version before versions wrote them, one of each kind.
    const STORED: [&str; 6] = [
        r#"{"at":"2026-11-23T09:30:00.037Z","what":"requested","detail":"a \"detail\"\n차","traceId":"TRACE"}"#,
        r#"{"at":"2026-11-23T09:30:00.037Z","what":"psp_call","detail":"a \"detail\"\n차","traceId":"TRACE"}"#,
        r#"{"at":"2026-11-23T09:30:00.037Z","what":"decision","detail":"a \"detail\"\n차","traceId":"TRACE"}"#,
        r#"{"at":"2026-11-23T09:30:00.037Z","what":"retry","detail":"a \"detail\"\n차","traceId":"TRACE"}"#,
        concat!(
            r#"{"at":"2026-11-23T09:30:00.037Z","what":"event","detail":"a \"detail\"\n차","#,
            r#""eventId":"evt_0000000000009","traceId":"TRACE"}"#
        ),
        r#"{"at":"2026-11-23T09:30:00.037Z","what":"ledger_entry","detail":"a \"detail\"\n차","traceId":"TRACE"}"#,
    ];

    /// Each of them, and what it says.
    fn stored() -> impl Iterator<Item = (String, TimelineEntry)> {
        TimelineKind::ALL.into_iter().zip(STORED).map(|(what, line)| {
            let trace_id = TRACE.trace_id_hex();
            let event_id = (what == TimelineKind::Event).then(|| EventId::from_stored(9));
            let (at, detail) = (Timestamp(1_795_426_200_037), "a \"detail\"\n차".to_owned());
            (line.replace("TRACE", &trace_id), TimelineEntry { at, what, detail, event_id, trace_id })
        })
    }

    #[test]
    fn line_without_version_is_read() {
        for (line, entry) in stored() {
            assert_eq!(Timeline::from_stored(line).entries(), [entry]);
        }
    }

    #[test]
    fn line_is_written_as_before() {
        for (line, entry) in stored() {
            let mut timeline = Timeline::default();
            match entry.event_id {
                Some(id) => timeline.note_event(entry.at, &entry.detail, id, &TRACE),
                None => timeline.note(entry.at, entry.what, entry.detail, &TRACE),
            }
            assert_eq!(timeline.as_stored(), line);
        }
    }

    #[test]
    fn line_of_a_later_version_is_passed_over() {
        let known = stored().next().unwrap();
        let later = stored().map(|(line, _)| line.replacen('{', "{\"v\":2,", 1));
        let unknown = known.0.replace("requested", "settled");
        let lines: Vec<String> = later.chain([unknown, known.0]).collect();
        assert_eq!(Timeline::from_stored(lines.join("\n")).entries(), [known.1]);
        let numbered = stored().map(|(line, _)| line.replacen('{', "{\"v\":1,", 1)).collect::<Vec<_>>().join("\n");
        assert_eq!(Timeline::from_stored(numbered).entries().len(), STORED.len());
    }

    #[test]
    fn long_timeline_moves_older_entries_to_pages_in_order() {
        let mut timeline = Timeline::default();
        let (mut pages, mut longest) = (Vec::new(), 0);
        for number in 0..5_000 {
            timeline.note(Timestamp(number), TimelineKind::Decision, format!("decision {number}"), &TRACE);
            if number % 3 == 0 {
                timeline.note_event(Timestamp(number), "payment.refunded", EventId::from_stored(number + 1), &TRACE);
            }
            pages.extend(timeline.take_pages());
            longest = longest.max(timeline.as_stored().len());
            assert_eq!(timeline.last_event(), Some(EventId::from_stored(number / 3 * 3 + 1)));
        }
        assert!(longest <= Timeline::ROW_BYTES_MAX);
        let mut told = 0;
        for page in &pages {
            let entries = page.entries.entries();
            assert!(page.entries.as_stored().len() <= Timeline::PAGE_BYTES_MAX);
            assert!(page.first == told && entries.len() as u32 <= Timeline::PAGE_ENTRIES_MAX);
            told += entries.len() as u32;
        }
        assert_eq!(timeline.moved(), told);
        let all = pages.iter().flat_map(|page| page.entries.entries()).chain(timeline.entries());
        let times: Vec<i64> = all.filter(|entry| entry.event_id.is_none()).map(|entry| entry.at.0).collect();
        assert_eq!(times, (0..5_000).collect::<Vec<_>>());
        timeline.note(Timestamp(1), TimelineKind::Retry, "again", &TRACE);
        assert_ne!(timeline.entries().last().map(|entry| entry.what), Some(TimelineKind::Retry));
        assert!(timeline.has_event("payment.refunded", EventId::from_stored(4_999)));
        assert!(!timeline.has_event("payment.captured", EventId::from_stored(4_999)));
    }

    #[test]
    fn unbounded_row_is_cut_at_once() {
        let mut timeline = Timeline::default();
        for number in 0..20_000 {
            timeline.note(Timestamp(number), TimelineKind::Decision, "x", &TRACE);
        }
        let pages = timeline.take_pages();
        assert!(!timeline.is_long() && pages.len() > 100);
        assert_eq!(timeline.last_event(), None);
        let kept: u32 = pages.iter().map(|page| page.entries.entries().len() as u32).sum();
        assert_eq!(kept as usize + timeline.entries().len(), 20_000);
    }

    #[test]
    fn endless_retries_are_left_out_and_decisions_are_kept() {
        let mut timeline = Timeline::default();
        for _ in 0..10_000 {
            timeline.note(Timestamp(1), TimelineKind::Retry, "again", &TRACE);
        }
        timeline.note_call(Timestamp(1), "refund", &Verdict::Unknown { why: "no answer".into() }, 5_000, &TRACE);
        assert!(timeline.as_stored().len() < Timeline::RETRIES_BYTES_MAX + 1_024);
        assert_ne!(timeline.entries().last().map(|entry| entry.what), Some(TimelineKind::PspCall));
        // What the PSP answers for good comes once for each thing that it was asked.
        timeline.note_call(Timestamp(2), "refund", &approved(1), 1, &TRACE);
        assert_eq!(timeline.entries().last().map(|entry| entry.what), Some(TimelineKind::PspCall));
        timeline.note(Timestamp(2), TimelineKind::Decision, "CAPTURED", &TRACE);
        assert_eq!(timeline.entries().last().map(|entry| entry.what), Some(TimelineKind::Decision));
    }
}
