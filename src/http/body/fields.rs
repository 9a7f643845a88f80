//! The members of one JSON object, taken one by one; what is wrong is collected.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::card::holds_card_number;
use super::sound::is_sound;
use crate::domain::Currency;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::http::problem::{Code, FieldError, Problem};

const MERCHANT_ID_MAX: usize = 32;
const KEY_MAX: usize = 255;
const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_MAX: usize = 40;
const METADATA_VALUE_MAX: usize = 500;
/// Unknown fields that are pointed at, so that no answer is longer than what it answers.
const UNKNOWN_FIELDS_MAX: usize = 20;

/// The members that are not taken yet, and what is wrong so far.
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Splits a body into its members. Fails for what is no JSON object, and notes members that are not `known`.
    pub fn parse(bytes: &'a [u8], known: &[&str]) -> Result<Self, Problem> {
        let Object(members) = serde_json::from_slice(bytes).map_err(|_| Code::MalformedJson)?;
        // Duplicate members and nesting count at every level, known or not.
        if !is_sound(bytes) {
            return Err(Code::MalformedJson.into());
        }
        let unknown = members.iter().filter(|(name, _)| !known.contains(&name.as_ref()));
        let errors = unknown.take(UNKNOWN_FIELDS_MAX).map(|(name, _)| error(name, Code::UnknownField)).collect();
        Ok(Self { members, errors })
    }

    /// Fails if anything was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.problem()) }
    }

    /// What was wrong.
    pub fn problem(self) -> Problem {
        Problem::of_fields(self.errors).unwrap_or_else(|| Code::MalformedJson.into())
    }

    /// Notes a member that has to be there and is not.
    pub fn require(&mut self, name: &str) {
        if !self.members.iter().any(|(member, _)| member == name) {
            self.wrong::<()>(name, Code::FieldMissing);
        }
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let place = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(place).1)
    }

    fn wrong<T>(&mut self, name: &str, code: Code) -> Option<T> {
        self.errors.push(error(name, code));
        None
    }

    /// A member that is a JSON string; `None` and nothing wrong if it is absent or null.
    fn string(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.take(name).filter(|raw| raw.get() != "null")?;
        match string(raw) {
            Some(text) => Some(text),
            None => self.wrong(name, Code::FieldTypeInvalid),
        }
    }

    /// 1 to 32 of `[A-Za-z0-9_-]`.
    pub fn merchant_id(&mut self) -> Option<String> {
        let Some(raw) = self.take("merchantId") else { return self.wrong("merchantId", Code::FieldMissing) };
        let Some(text) = string(raw) else { return self.wrong("merchantId", Code::FieldTypeInvalid) };
        if is_merchant_id(&text) { Some(text.into_owned()) } else { self.wrong("merchantId", Code::MerchantIdInvalid) }
    }

    /// A JSON integer from 1 to `most`, however many digits it was sent with.
    pub fn amount(&mut self, most: i64, is_required: bool) -> Option<i64> {
        let raw = match self.take("amount") {
            Some(raw) if is_required || raw.get() != "null" => raw.get(),
            Some(_) => return None,
            None if is_required => return self.wrong("amount", Code::FieldMissing),
            None => return None,
        };
        let (is_negative, digits) = match raw.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, raw),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.wrong("amount", Code::AmountNotInteger);
        }
        if is_negative || digits == "0" {
            return self.wrong("amount", Code::AmountInvalid);
        }
        match digits.parse::<i64>() {
            Ok(amount) if amount <= most => Some(amount),
            _ => self.wrong("amount", Code::AmountTooLarge),
        }
    }

    pub fn currency(&mut self) -> Option<Currency> {
        let Some(raw) = self.take("currency") else { return self.wrong("currency", Code::FieldMissing) };
        let Some(text) = string(raw) else { return self.wrong("currency", Code::FieldTypeInvalid) };
        match Currency::parse(&text) {
            Ok(currency) => Some(currency),
            Err(_) => self.wrong("currency", Code::CurrencyUnsupported),
        }
    }

    /// The idempotency key of the body or the header; both must agree.
    pub fn key(&mut self, header: Option<&str>, is_required: bool) -> Option<String> {
        let name = "idempotencyKey";
        let had_errors = self.errors.len();
        let body = self.string(name);
        if self.errors.len() > had_errors {
            return None;
        }
        let key = match (body.as_deref(), header) {
            (Some(body), Some(header)) if body != header => return self.wrong(name, Code::IdempotencyKeyInvalid),
            (Some(key), _) | (None, Some(key)) => key,
            (None, None) if is_required => return self.wrong(name, Code::IdempotencyKeyMissing),
            (None, None) => return None,
        };
        let is_valid = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if is_valid { Some(key.to_owned()) } else { self.wrong(name, Code::IdempotencyKeyInvalid) }
    }

    /// A text of up to `most` characters, without control characters and card numbers.
    pub fn text(&mut self, name: &str, most: usize) -> Option<String> {
        let text = self.string(name)?;
        if let Some(code) = text_fault(&text, most, Code::TextTooLong) {
            return self.wrong(name, code);
        }
        Some(text.into_owned())
    }

    pub fn capture_mode(&mut self) -> CaptureMode {
        match self.string("captureMode").as_deref() {
            None | Some("manual") => CaptureMode::Manual,
            Some("automatic") => CaptureMode::Automatic,
            Some(_) => self.wrong("captureMode", Code::FieldTypeInvalid).unwrap_or_default(),
        }
    }

    /// An object of texts.
    pub fn metadata(&mut self) -> Metadata {
        let Some(raw) = self.take("metadata").filter(|raw| raw.get() != "null") else { return Metadata::new() };
        let Ok(Object(members)) = serde_json::from_str(raw.get()) else {
            return self.wrong("metadata", Code::FieldTypeInvalid).unwrap_or_default();
        };
        if members.len() > METADATA_KEYS_MAX {
            return self.wrong("metadata", Code::MetadataTooLarge).unwrap_or_default();
        }
        let mut metadata = Metadata::new();
        for (key, raw) in members {
            let pointer = format!("metadata/{}", escaped(&key));
            let Some(value) = string(raw) else {
                self.wrong::<()>(&pointer, Code::FieldTypeInvalid);
                continue;
            };
            let fault = text_fault(&key, METADATA_KEY_MAX, Code::MetadataTooLarge)
                .or_else(|| text_fault(&value, METADATA_VALUE_MAX, Code::MetadataTooLarge));
            match fault {
                // The key itself may be what is wrong, and a card number is never said back.
                Some(code) => self.wrong::<()>("metadata", code),
                None => metadata.insert(key.into_owned(), value.into_owned()).map(drop),
            };
        }
        metadata
    }
}

/// Whether a text names a merchant: 1 to 32 of `[A-Za-z0-9_-]`.
pub fn is_merchant_id(text: &str) -> bool {
    (1..=MERCHANT_ID_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn text_fault(text: &str, most: usize, too_long: Code) -> Option<Code> {
    if text.chars().count() > most {
        Some(too_long)
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Some(Code::FieldTypeInvalid)
    } else if holds_card_number(text) {
        Some(Code::CardNumberNotAllowed)
    } else {
        None
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    // Most texts have no escapes and are taken as they are.
    let bare = text.strip_prefix('"')?.strip_suffix('"')?;
    if bare.contains('\\') { serde_json::from_str(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(bare)) }
}

fn error(name: &str, code: Code) -> FieldError {
    let pointer = if name.starts_with("metadata/") { format!("/{name}") } else { format!("/{}", escaped(name)) };
    FieldError { pointer, code }
}

/// A member's name in a JSON pointer (RFC 6901), cut so that a client's nonsense is not sent back at length.
pub(super) fn escaped(name: &str) -> String {
    let cut: String = name.chars().take(64).collect();
    cut.replace('~', "~0").replace('/', "~1")
}

/// The members of an object, in their order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
