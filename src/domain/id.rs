//! Ids: 63 bits, ordered by time, unique across hosts without coordination, and each carries its bucket, so that any id
//! finds its shard without a lookup.
//!
//! From the top: 41 bits of milliseconds since 2025 (until 2094), 10 bits of bucket, 6 bits of node, 6 bits of
//! sequence. They are stored as BIGINT and written outside as text, a prefix and 13 Crockford base32 characters
//! (<https://www.crockford.com/base32.html>), because JSON numbers lose 63-bit integers in JavaScript.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shard_map::Bucket;
use super::time::Timestamp;

/// 2025-01-01T00:00:00Z: the first instant that an id can carry.
const EPOCH_MS: i64 = 1_735_689_600_000;
const TIME_BITS: u32 = 41;
const NODE_BITS: u32 = 6;
const SEQUENCE_BITS: u32 = 6;
const BUCKET_SHIFT: u32 = NODE_BITS + SEQUENCE_BITS;
const TIME_SHIFT: u32 = BUCKET_SHIFT + Bucket::BITS;
const TEXT_LEN: usize = 13;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What an id is of: it gives the text's prefix, and keeps ids of different things apart.
pub trait Kind {
    const PREFIX: &'static str;
}

/// An id of a `K`.
pub struct Id<K>(i64, PhantomData<fn() -> K>);

macro_rules! ids {
    ($($name:ident, $kind:ident, $prefix:literal, $doc:literal;)*) => {$(
        #[doc = $doc]
        pub type $name = Id<$kind>;
        #[doc(hidden)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
    )*};
}

ids! {
    PaymentId, PaymentKind, "pay_", "Names one payment.";
    CaptureId, CaptureKind, "cap_", "Names one capture that was asked for.";
    RefundId, RefundKind, "ref_", "Names one refund of a payment.";
    EventId, EventKind, "evt_", "Names one event; consumers keep it under a unique key, so that an effect happens \
        once.";
    EntryId, EntryKind, "ent_", "Names one ledger entry.";
    LetterId, LetterKind, "dlq_", "Names one dead letter: by the event that it is about.";
    ActionId, ActionKind, "act_", "Names one action of an operator.";
}

impl<K> Id<K> {
    /// The id as it is stored.
    pub fn get(self) -> i64 {
        self.0
    }

    /// An id that was stored before.
    pub fn from_stored(value: i64) -> Self {
        Self(value, PhantomData)
    }

    /// The bucket of the merchant whose data this is.
    pub fn bucket(self) -> Bucket {
        Bucket::wrapping((self.0 >> BUCKET_SHIFT) as u64)
    }

    /// The same id in another bucket.
    pub(super) fn in_bucket(self, bucket: Bucket) -> Self {
        let mask = i64::from(u16::MAX >> (u16::BITS - Bucket::BITS)) << BUCKET_SHIFT;
        Self::from_stored(self.0 & !mask | i64::from(bucket.get()) << BUCKET_SHIFT)
    }

    /// When the id was made.
    pub fn time(self) -> Timestamp {
        Timestamp(EPOCH_MS.saturating_add(self.0 >> TIME_SHIFT))
    }

    /// The first id that an instant can have: ids of that instant and later are not below it.
    pub fn at_least(time: Timestamp) -> Self {
        Self::from_stored(time.0.saturating_sub(EPOCH_MS).clamp(0, (1 << TIME_BITS) - 1) << TIME_SHIFT)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; TEXT_LEN];
        for (i, byte) in text.iter_mut().enumerate() {
            let shift = 5 * (TEXT_LEN - 1 - i) as u32;
            *byte = ALPHABET[((self.0 as u64) >> shift & 31) as usize];
        }
        f.write_str(K::PREFIX)?;
        for byte in text {
            fmt::Write::write_char(f, byte as char)?;
        }
        Ok(())
    }
}

/// The text is not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this form")]
pub struct InvalidId;

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    /// Reads exactly what `Display` writes: upper case, no confusable letters, so that an id has one spelling.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.strip_prefix(K::PREFIX).ok_or(InvalidId)?.as_bytes();
        if digits.len() != TEXT_LEN {
            return Err(InvalidId);
        }
        let mut value: u64 = 0;
        for byte in digits {
            let digit = ALPHABET.iter().position(|c| c == byte).ok_or(InvalidId)? as u64;
            if value >> (63 - 5) != 0 {
                return Err(InvalidId);
            }
            value = value << 5 | digit;
        }
        i64::try_from(value).map(Self::from_stored).map_err(|_| InvalidId)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes ids. One generator serves one writer; generators that share a host must differ in their `node`.
#[derive(Debug)]
pub struct IdGenerator {
    node: i64,
    /// Milliseconds since `EPOCH_MS` with the sequence below them, of the last id made.
    last: i64,
    /// The clock's last leap ahead: no id was made between the two places.
    leap: (i64, i64),
    /// Places far ahead of the clock that are taken, from the first to the last; none while the last is 0.
    ahead: (i64, i64),
}

/// How far ids may be ahead of the clock, an hour: beyond it they go back to the clock, if they can without meeting
/// others.
const LEAD_MAX: i64 = (60 * 60 * 1_000) << SEQUENCE_BITS;

/// How many nodes can make ids without meeting each other.
pub const NODES: u8 = 1 << NODE_BITS;

impl IdGenerator {
    /// `node` in `0..NODES` tells apart generators that may run at the same millisecond.
    pub fn new(node: u8) -> Self {
        Self { node: i64::from(node % NODES), last: 0, leap: (0, 0), ahead: (0, 0) }
    }

    /// A new id in `bucket`, above all that this generator made before. When a millisecond's 64 are used up, or the
    /// clock steps back, it goes on with the milliseconds ahead; a clock that had leapt ahead and is back is followed
    /// back, to where no id was made.
    pub fn next<K>(&mut self, now: Timestamp, bucket: Bucket) -> Id<K> {
        let clock = place(now);
        if clock - self.last > LEAD_MAX {
            self.leap = (self.last, clock);
        } else if self.last - clock > LEAD_MAX && (self.leap.0..self.leap.1).contains(&clock) {
            self.take_ahead(self.leap.1, self.last);
            self.last = self.leap.0;
        }
        self.last = clock.max(self.last + 1);
        if (self.ahead.0..=self.ahead.1).contains(&self.last) {
            self.last = self.ahead.1 + 1;
        }
        self.id_at(self.last, bucket)
    }

    fn take_ahead(&mut self, first: i64, last: i64) {
        let is_none = self.ahead.1 == 0;
        self.ahead = (if is_none { first } else { first.min(self.ahead.0) }, last.max(self.ahead.1));
    }

    fn id_at<K>(&self, place: i64, bucket: Bucket) -> Id<K> {
        let (time, sequence) = (place >> SEQUENCE_BITS, place & ((1 << SEQUENCE_BITS) - 1));
        let bucket = i64::from(bucket.get());
        Id::from_stored(time << TIME_SHIFT | bucket << BUCKET_SHIFT | self.node << SEQUENCE_BITS | sequence)
    }

    /// As [`next`](Self::next), and above `floor`, whoever made that: other nodes' clocks run ahead, and within one
    /// millisecond the higher node has the higher ids.
    pub fn next_above<K>(&mut self, now: Timestamp, bucket: Bucket, floor: Option<Id<K>>) -> Id<K> {
        let id = self.next(now, bucket);
        match floor {
            Some(floor) if id <= floor => {
                let behind = floor.time().after(Duration::from_millis(1));
                if place(behind) - place(now) <= LEAD_MAX {
                    return self.next(behind, bucket);
                }
                // Made by a clock that was far ahead: it takes this one along, and not those of all others.
                let free = place(behind).max(self.ahead.1 + 1);
                self.take_ahead(free, free);
                self.id_at(free, bucket)
            }
            _ => id,
        }
    }
}

/// The first place of an instant.
fn place(now: Timestamp) -> i64 {
    now.0.saturating_sub(EPOCH_MS).clamp(0, (1 << TIME_BITS) - 1) << SEQUENCE_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_426_200_000);

    #[test]
    fn text_has_one_spelling() {
        let id: PaymentId = IdGenerator::new(0).next(NOW, Bucket::wrapping(5));
        let text = id.to_string();
        assert_eq!(text.len(), 17);
        assert_eq!(text.parse::<PaymentId>(), Ok(id));
        for wrong in [
            text.to_lowercase(),
            text.replace("pay_", "ref_"),
            text[..16].to_string(),
            format!("{text}0"),
            "pay_ZZZZZZZZZZZZZ".into(),
            "pay_8000000000000".into(),
            "pay_000000000000O".into(),
            "pay_".into(),
            String::new(),
        ] {
            assert_eq!(wrong.parse::<PaymentId>(), Err(InvalidId), "{wrong}");
        }
        assert_eq!("pay_7ZZZZZZZZZZZZ".parse::<PaymentId>().map(Id::get), Ok(i64::MAX));
    }

    #[test]
    fn ids_are_above_those_of_nodes_that_are_ahead() {
        let bucket = Bucket::wrapping(7);
        let (mut low, mut high) = (IdGenerator::new(1), IdGenerator::new(9));
        let mut last: EventId = high.next(NOW.after(Duration::from_millis(5)), bucket);
        for _ in 0..200 {
            for generator in [&mut low, &mut high] {
                let id = generator.next_above(NOW, bucket, Some(last));
                assert!(id > last, "{id} {last}");
                last = id;
            }
        }
        // Where nobody is ahead, the clock is followed.
        let later = NOW.after(Duration::from_secs(1));
        assert_eq!(low.next_above(later, bucket, Some(last)).time(), later);
    }

    #[test]
    fn ids_rise_though_the_clock_steps_back_and_the_sequence_runs_out() {
        let mut ids = IdGenerator::new(3);
        let mut last: PaymentId = ids.next(NOW, Bucket::wrapping(0));
        for i in 0..1_000 {
            let next = ids.next(Timestamp(NOW.0 - i), Bucket::wrapping(0));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn ids_follow_a_clock_back_that_had_leapt_ahead_and_meet_none() {
        let mut ids = IdGenerator::new(3);
        let (bucket, hours) = (Bucket::wrapping(7), |hours: i64| Timestamp(NOW.0 + hours * 3_600_000));
        let mut seen = std::collections::HashSet::new();
        let mut make = |ids: &mut IdGenerator, now: Timestamp| {
            let id: EventId = ids.next(now, bucket);
            assert!(seen.insert(id.get()), "{id} {now}");
            id
        };
        for second in 0..100 {
            make(&mut ids, hours(0).after(Duration::from_secs(second)));
        }
        let far = (0..200).map(|_| make(&mut ids, hours(90_000))).last().unwrap();
        let back = make(&mut ids, hours(0).after(Duration::from_secs(101)));
        assert_eq!(back.time(), hours(0).after(Duration::from_secs(101)));
        // An event behind one of the far future is behind it, and takes no others along.
        let mut last = far;
        for _ in 0..200 {
            let above = ids.next_above(hours(0).after(Duration::from_secs(102)), bucket, Some(last));
            assert!(above > last);
            last = above;
        }
        assert_eq!(make(&mut ids, hours(1)).time(), hours(1));
        for _ in 0..300 {
            assert!(make(&mut ids, hours(90_000)) > far);
        }
    }

    #[test]
    fn nodes_never_meet() {
        let mut seen = std::collections::HashSet::new();
        for node in 0..NODES {
            let mut ids = IdGenerator::new(node);
            for _ in 0..200 {
                assert!(seen.insert(ids.next::<PaymentKind>(NOW, Bucket::wrapping(9)).get()));
            }
        }
    }

    #[test]
    fn an_instant_bounds_its_ids() {
        let id: PaymentId = IdGenerator::new(0).next(NOW, Bucket::wrapping(0));
        assert!(PaymentId::at_least(NOW) <= id);
        assert!(PaymentId::at_least(Timestamp(NOW.0 + 1)) > id);
    }

    proptest! {
        #[test]
        fn round_trips(value in 0..=i64::MAX) {
            let id = EventId::from_stored(value);
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        }

        #[test]
        fn carries_its_bucket(bucket in 0u64..1024, ms in 0i64..1 << 40, node in 0..NODES) {
            let bucket = Bucket::wrapping(bucket);
            let id: PaymentId = IdGenerator::new(node).next(Timestamp(EPOCH_MS + ms), bucket);
            prop_assert_eq!(id.bucket(), bucket);
            prop_assert_eq!(id.time(), Timestamp(EPOCH_MS + ms));
            prop_assert!(id.get() > 0);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,20}") {
            let _ = text.parse::<PaymentId>();
        }
    }
}
