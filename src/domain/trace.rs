//! Trace context as the W3C writes it (<https://www.w3.org/TR/trace-context/#traceparent-header>).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One position in one distributed trace: which trace, and which span of it is the parent of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    pub trace_id: u128,
    pub span_id: u64,
    pub sampled: bool,
}

impl TraceContext {
    /// A trace that begins here, of three random numbers. The format forbids ids of zero.
    pub fn opened(high: u64, low: u64, span: u64) -> Self {
        Self { trace_id: u128::from(high) << 64 | u128::from(low | 1), span_id: span | 1, sampled: false }
    }

    /// The trace id as 32 hexadecimal digits.
    pub fn trace_id_hex(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// The text is not a `traceparent` that can be carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct InvalidTraceparent;

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        fn hex(part: &str, len: usize) -> Result<u128, InvalidTraceparent> {
            if part.len() != len || part.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(InvalidTraceparent);
            }
            u128::from_str_radix(part, 16).map_err(|_| InvalidTraceparent)
        }
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(InvalidTraceparent);
        let (version, trace_id, span_id, flags) = (next()?, next()?, next()?, next()?);
        // Version 00 has exactly four parts; later versions may append some, and ff is forbidden.
        if hex(version, 2)? == 0xff || (version == "00" && parts.next().is_some()) {
            return Err(InvalidTraceparent);
        }
        let context = Self {
            trace_id: hex(trace_id, 32)?,
            span_id: u64::try_from(hex(span_id, 16)?).map_err(|_| InvalidTraceparent)?,
            sampled: hex(flags, 2)? & 1 == 1,
        };
        if context.trace_id == 0 || context.span_id == 0 { Err(InvalidTraceparent) } else { Ok(context) }
    }
}

impl Serialize for TraceContext {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn round_trips_the_example_of_the_recommendation() {
        let context: TraceContext = EXAMPLE.parse().unwrap();
        assert!(context.sampled);
        assert_eq!(context.trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.to_string(), EXAMPLE);
    }

    #[test]
    fn refuses_what_the_recommendation_refuses() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceparent), "{text}");
        }
    }
}
