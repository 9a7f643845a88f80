//! Bodies, read by hand: each wrong field gets its own code and pointer, and all of them are said at once.

mod card;
mod fields;
mod sound;
mod typed;

use std::borrow::Cow;

use crate::domain::PaymentId;
use crate::domain::command::Change;
use crate::domain::key::Fingerprint;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Currency, Money};
use crate::flows::{AuthorizeRequest, ChangeRequest};

use super::problem::{Code, Problem};
use fields::Fields;

pub use fields::is_merchant_id;
pub use typed::{Typed, typed};

/// Characters of a payment's description.
const DESCRIPTION_MAX: usize = 500;
/// Characters of a refund's reason.
const REASON_MAX: usize = 255;

/// What is asked of an existing payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Capture,
    Void,
    Refund,
}

/// Reads the body of an authorization. `header_key` is the key of the `Idempotency-Key` header.
pub fn authorize(bytes: &[u8], header_key: Option<&str>, amount_max: i64) -> Result<AuthorizeRequest, Problem> {
    const KNOWN: &[&str] =
        &["merchantId", "amount", "currency", "idempotencyKey", "description", "metadata", "captureMode"];
    let mut fields = Fields::parse(bytes, KNOWN)?;
    let merchant_id = fields.merchant_id();
    let amount = fields.amount(amount_max, true);
    let currency = fields.currency();
    let key = fields.key(header_key, true);
    let description = fields.text("description", DESCRIPTION_MAX);
    let metadata = fields.metadata();
    let capture_mode = fields.capture_mode();
    let (Some(merchant_id), Some(amount), Some(currency), Some(key)) = (merchant_id, amount, currency, key) else {
        return Err(fields.problem());
    };
    fields.finish()?;
    let fingerprint = of_order(&merchant_id, amount, currency, capture_mode, description.as_deref(), &metadata);
    let money = Money::new(amount, currency);
    Ok(AuthorizeRequest { merchant_id, money, capture_mode, description, metadata, key, fingerprint })
}

/// Reads the body of a capture, void or refund of the payment `id`.
pub fn change(
    operation: ChangeKind,
    id: PaymentId,
    bytes: &[u8],
    header_key: Option<&str>,
    amount_max: i64,
) -> Result<ChangeRequest, Problem> {
    let known: &[&str] = match operation {
        ChangeKind::Capture => &["merchantId", "idempotencyKey", "amount"],
        ChangeKind::Void => &["merchantId", "idempotencyKey"],
        ChangeKind::Refund => &["merchantId", "idempotencyKey", "amount", "reason"],
    };
    let mut fields = Fields::parse(bytes, known)?;
    let merchant_id = fields.merchant_id();
    let amount = fields.amount(amount_max, false);
    // A second refund of an amount would be a second refund; of all that is left, it finds nothing.
    let needs_key = operation == ChangeKind::Refund && amount.is_some();
    let key = fields.key(header_key, needs_key);
    let reason = fields.text("reason", REASON_MAX);
    let Some(merchant_id) = merchant_id else { return Err(fields.problem()) };
    fields.finish()?;
    let amount_text = amount.map(|amount| amount.to_string());
    let given = [("amount", amount_text.as_deref()), ("reason", reason.as_deref())];
    let fingerprint = Fingerprint::of(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let change = match operation {
        ChangeKind::Capture => Change::Capture { amount },
        ChangeKind::Void => Change::Void,
        ChangeKind::Refund => Change::Refund { amount, reason },
    };
    Ok(ChangeRequest { payment_id: id, merchant_id, change, key, fingerprint })
}

/// The canonical form: what the request means, not how it was spelled.
fn of_order(
    merchant_id: &str,
    amount: i64,
    currency: Currency,
    capture_mode: CaptureMode,
    description: Option<&str>,
    metadata: &Metadata,
) -> Fingerprint {
    let amount = amount.to_string();
    let always = [
        ("merchantId", merchant_id),
        ("amount", amount.as_str()),
        ("currency", currency.code()),
        ("captureMode", capture_mode.name()),
    ];
    let described = description.map(|text| ("description", text));
    let noted = metadata.iter().flat_map(|(key, value)| [("metadata", key.as_str()), ("value", value.as_str())]);
    Fingerprint::of(always.into_iter().chain(described).chain(noted))
}

/// Reads the `Idempotency-Key` header's values: one at most, bare or as the draft's quoted string (RFC 8941 section
/// 3.3.3, where a backslash stands before a quote or a backslash).
pub fn header_key<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value).map_err(|_| Code::IdempotencyKeyInvalid)?;
    if values.next().is_some() {
        return Err(Problem::from(Code::IdempotencyKeyInvalid).detail("The header was sent twice."));
    }
    let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Ok(Some(Cow::Borrowed(text)));
    };
    if !quoted.contains(['\\', '"']) {
        return Ok(Some(Cow::Borrowed(quoted)));
    }
    let mut key = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Err(Code::IdempotencyKeyInvalid.into()),
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(Code::IdempotencyKeyInvalid.into()),
            },
            plain => key.push(plain),
        }
    }
    Ok(Some(Cow::Owned(key)))
}

#[cfg(test)]
mod tests;
