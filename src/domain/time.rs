//! Instants: UTC, milliseconds, RFC 3339 when they are written outside.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant and `duration` later; the end of time where that cannot be counted.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant and `duration` earlier; the beginning of time where that cannot be counted.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this instant is; nothing if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }

    /// Reads an RFC 3339 date-time, such as `2026-11-23T09:30:00Z`; finer digits than milliseconds are cut.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_millis()))
    }

    /// As [`parse`](Self::parse), but of finer digits the next millisecond is made.
    pub fn parse_up(text: &str) -> Option<Self> {
        let cut = Self::parse(text)?;
        // Its reader knows nine digits of the fraction, and drops the others.
        let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
        let digits = fraction.bytes().take_while(u8::is_ascii_digit);
        Some(Self(cut.0 + i64::from(digits.skip(3).any(|digit| digit != b'0'))))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 date-time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_rfc_3339_with_milliseconds() {
        let time = Timestamp(1_795_426_200_007);
        assert_eq!(time.to_string(), "2026-11-23T09:30:00.007Z");
        assert_eq!(Timestamp::parse("2026-11-23T09:30:00.007Z"), Some(time));
        assert_eq!(Timestamp::parse("2026-11-23T18:30:00.007+09:00"), Some(time));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn finer_digits_are_cut_or_rounded_up() {
        for (text, down, up) in [
            ("1970-01-01T00:00:00.007Z", 7, 7),
            ("1970-01-01T00:00:00.007000Z", 7, 7),
            ("1970-01-01T00:00:00.007001Z", 7, 8),
            ("1970-01-01T00:00:00.007999999Z", 7, 8),
            ("1970-01-01T00:00:00.999999999Z", 999, 1_000),
            ("1969-12-31T23:59:59.999Z", -1, -1),
            ("1969-12-31T23:59:59.9990001Z", -1, 0),
            ("1969-12-31T23:59:59.9985+00:00", -2, -1),
            ("1970-01-01T00:00:00.007000000001Z", 7, 8),
            ("1970-01-01T00:00:00.007000000000+01:00", 7 - 3_600_000, 7 - 3_600_000),
            ("1970-01-01T00:00:00.1Z", 100, 100),
        ] {
            assert_eq!(
                (Timestamp::parse(text), Timestamp::parse_up(text)),
                (Some(Timestamp(down)), Some(Timestamp(up)))
            );
        }
        assert_eq!(Timestamp::parse_up("2026-11-23"), None);
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        assert_eq!(Timestamp(5).after(Duration::from_millis(2)), Timestamp(7));
        assert_eq!(Timestamp(5).before(Duration::from_millis(2)), Timestamp(3));
        assert_eq!(Timestamp(i64::MAX).after(Duration::from_secs(1)), Timestamp(i64::MAX));
    }
}
