//! The members of merchants' calls.

use std::borrow::Cow;

use serde_json::value::RawValue;
use utoipa::PartialSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, Type};

use super::fields::Object;
use super::header_key::KEY_HEADER;
use super::member::{Given, Member, Wrong, pointer_to};
use crate::domain::Currency;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::http::card_number::holds_card_number;
use crate::http::problem::{Code, FieldError};

const MERCHANT_ID_MAX: usize = 32;
const KEY_MAX: usize = 255;
const REFERENCE_MAX: usize = 64;
const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_MAX: usize = 40;
const METADATA_VALUE_MAX: usize = 500;

/// The merchant's id: 1 to 32 of `[A-Za-z0-9_-]`.
#[derive(Debug)]
pub struct MerchantId(pub String);

/// An amount in the currency's minor unit: a JSON integer from 1 to the most that one payment may have, however many
/// digits it was sent with.
#[derive(Debug, Clone, Copy)]
pub struct Amount(pub i64);

/// The idempotency key of the body or the header, 1 to 255 printable ASCII characters; both must agree. One of an
/// `Option` may be in neither.
#[derive(Debug)]
pub struct IdempotencyKey(pub String);

/// A text of up to so many characters, without control characters and card numbers. It may be left out.
#[derive(Debug)]
pub struct Text<const MOST: usize>(pub Option<String>);

/// The merchant's own name for a payment: 1 to 64 printable ASCII characters without spaces. It may be left out.
#[derive(Debug)]
pub struct Reference(pub Option<String>);

impl Member for Reference {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[Code::MerchantReferenceInvalid, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = unless_null(text) else { return Ok(Self(None)) };
        let text = string(text).ok_or(Code::FieldTypeInvalid)?;
        if !is_reference(&text) {
            return Err(Code::MerchantReferenceInvalid.into());
        }
        if holds_card_number(&text) {
            return Err(Code::CardNumberNotAllowed.into());
        }
        Ok(Self(Some(text.into_owned())))
    }

    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        text.pattern(Some(REFERENCE)).examples(["order-7"]).into()
    }
}

impl MerchantId {
    /// # Errors
    /// [`Code::MerchantIdInvalid`], or [`Code::CardNumberNotAllowed`].
    pub fn parse(text: &str) -> Result<Self, Code> {
        if holds_card_number(text) {
            Err(Code::CardNumberNotAllowed)
        } else if is_merchant_id(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Code::MerchantIdInvalid)
        }
    }
}

impl Member for MerchantId {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[Code::MerchantIdInvalid, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let id = string(text.ok_or(Code::FieldMissing)?).ok_or(Code::FieldTypeInvalid)?;
        Self::parse(&id).map_err(Wrong::from)
    }

    fn schema() -> RefOr<Schema> {
        let id = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9_-]{1,32}$"));
        id.examples(["MERCHANT-1"]).into()
    }
}

impl Member for Amount {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[Code::AmountNotInteger, Code::AmountInvalid, Code::AmountTooLarge];

    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong> {
        amount(text.ok_or(Code::FieldMissing)?.get(), given.amount_max)
    }

    fn schema() -> RefOr<Schema> {
        amount_schema().into()
    }
}

/// It may be left out, and is not null: a program whose amount is none (NaN) writes null, and would move all there is.
impl Member for Option<Amount> {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = <Amount as Member>::CODES;

    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong> {
        text.map(|text| amount(text.get(), given.amount_max)).transpose()
    }

    fn schema() -> RefOr<Schema> {
        amount_schema().into()
    }
}

fn amount(text: &str, most: i64) -> Result<Amount, Wrong> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_integer(text).into());
    }
    if is_negative || digits == "0" {
        return Err(FieldError::at(String::new(), Code::AmountInvalid).between(1, most).into());
    }
    let amount = digits.parse().ok().filter(|amount| *amount <= most).map(Amount);
    amount.ok_or_else(|| {
        let detail = format!("One payment may have at most {most}, in the currency's minor unit.");
        FieldError::at(String::new(), Code::AmountTooLarge).detail(detail).between(1, most).into()
    })
}

fn not_integer(text: &str) -> FieldError {
    let error = FieldError::at(String::new(), Code::AmountNotInteger);
    if text != "null" {
        return error;
    }
    error.detail(
        "It is null, which JavaScript writes for a number that is none (NaN). Give an integer; a capture or refund of \
         all that there is has no such member.",
    )
}

/// The policy's `payment.amount_max` may be lower than the maximum here.
fn amount_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(i64::MAX))
        .examples([50_000])
}

impl Member for Currency {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[Code::CurrencyUnsupported];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let code = string(text.ok_or(Code::FieldMissing)?).ok_or(Code::FieldTypeInvalid)?;
        Self::parse(&code).map_err(|_| Code::CurrencyUnsupported.into())
    }

    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Z]{3}$")).examples(["KRW"]).into()
    }
}

impl Member for IdempotencyKey {
    // The header may bring it.
    const IS_REQUIRED: bool = false;
    const TAKES_KEY: bool = true;
    const CODES: &'static [Code] =
        &[Code::IdempotencyKeyMissing, Code::IdempotencyKeyInvalid, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong> {
        key(text, given)?.ok_or_else(|| Code::IdempotencyKeyMissing.into())
    }

    fn schema() -> RefOr<Schema> {
        let key = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        key.min_length(Some(1)).max_length(Some(KEY_MAX)).pattern(Some("^[ -~]+$")).examples(["order-7"]).into()
    }
}

impl Member for Option<IdempotencyKey> {
    const IS_REQUIRED: bool = false;
    const TAKES_KEY: bool = true;
    const CODES: &'static [Code] = &[Code::IdempotencyKeyInvalid, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong> {
        key(text, given)
    }

    fn schema() -> RefOr<Schema> {
        <IdempotencyKey as Member>::schema()
    }
}

fn key(text: Option<&RawValue>, given: &Given<'_>) -> Result<Option<IdempotencyKey>, Wrong> {
    let in_body = unless_null(text).map(|text| string(text).ok_or(Code::FieldTypeInvalid)).transpose()?;
    let (key, is_in_body) = match (in_body.as_deref(), given.header_key) {
        (Some(in_body), Some(in_header)) if in_body != in_header => {
            let error = FieldError::at(String::new(), Code::IdempotencyKeyInvalid);
            return Err(error.detail("The body and the header `Idempotency-Key` have different keys.").into());
        }
        (Some(key), _) => (key, true),
        (None, Some(key)) => (key, false),
        (None, None) => return Ok(None),
    };
    let Some((code, detail)) = key_fault(key) else { return Ok(Some(IdempotencyKey(key.to_owned()))) };
    let at =
        |code| if is_in_body { FieldError::at(String::new(), code) } else { FieldError::of_header(KEY_HEADER, code) };
    Err(at(code).detail(detail).into())
}

/// What is wrong with a key, and why.
fn key_fault(key: &str) -> Option<(Code, &'static str)> {
    let invalid = |why| Some((Code::IdempotencyKeyInvalid, why));
    match key {
        "" => invalid("It is empty; a key has 1 to 255 characters."),
        _ if key.len() > KEY_MAX => invalid("It is too long; a key has 1 to 255 characters."),
        _ if !key.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) => {
            invalid("It has a character that is not printable ASCII.")
        }
        _ if holds_card_number(key) => Some((Code::CardNumberNotAllowed, "The idempotency key holds a card number.")),
        _ => None,
    }
}

impl<const MOST: usize> Member for Text<MOST> {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[Code::TextTooLong, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = unless_null(text) else { return Ok(Self(None)) };
        let text = string(text).ok_or(Code::FieldTypeInvalid)?;
        match text_fault(&text, MOST, Code::TextTooLong) {
            None => Ok(Self(Some(text.into_owned()))),
            Some(fault) => Err(fault.into()),
        }
    }

    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        text.max_length(Some(MOST)).into()
    }
}

/// Manual, if it is left out.
impl Member for CaptureMode {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = unless_null(text) else { return Ok(Self::Manual) };
        match string(text).as_deref() {
            Some("manual") => Ok(Self::Manual),
            Some("automatic") => Ok(Self::Automatic),
            _ => {
                let error = FieldError::at(String::new(), Code::FieldTypeInvalid);
                Err(FieldError { allowed: Some(vec!["manual", "automatic"]), ..error }.into())
            }
        }
    }

    fn schema() -> RefOr<Schema> {
        let none = ObjectBuilder::new().schema_type(Type::Null);
        OneOfBuilder::new().item(none).item(<Self as PartialSchema>::schema()).into()
    }
}

/// An object of texts; empty, if it is left out.
impl Member for Metadata {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[Code::MetadataTooLarge, Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = unless_null(text) else { return Ok(Self::new()) };
        let Ok(Object(members)) = serde_json::from_str(text.get()) else { return Err(Code::FieldTypeInvalid.into()) };
        if members.len() > METADATA_KEYS_MAX {
            return Err(Code::MetadataTooLarge.into());
        }
        let (mut metadata, mut faults) = (Self::new(), Vec::new());
        for (key, text) in members {
            let Some(value) = string(text) else {
                faults.push(FieldError::at(pointer_to(&key), Code::FieldTypeInvalid));
                continue;
            };
            let fault = text_fault(&key, METADATA_KEY_MAX, Code::MetadataTooLarge)
                .or_else(|| text_fault(&value, METADATA_VALUE_MAX, Code::MetadataTooLarge));
            match fault {
                // The key itself may be what is wrong, and a card number is never said back.
                Some(fault) => faults.push(fault),
                None => drop(metadata.insert(key.into_owned(), value.into_owned())),
            }
        }
        if faults.is_empty() { Ok(metadata) } else { Err(faults.into()) }
    }

    fn schema() -> RefOr<Schema> {
        let text = |most| ObjectBuilder::new().schema_type(Type::String).max_length(Some(most));
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
            .max_properties(Some(METADATA_KEYS_MAX))
            .property_names(Some(text(METADATA_KEY_MAX)))
            .additional_properties(Some(text(METADATA_VALUE_MAX)))
            .into()
    }
}

/// Whether a text names a merchant: 1 to 32 of `[A-Za-z0-9_-]`.
pub fn is_merchant_id(text: &str) -> bool {
    (1..=MERCHANT_ID_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// What [`is_reference`] says, as a regular expression.
pub const REFERENCE: &str = "^[!-~]{1,64}$";

/// Whether a text can be a merchant's reference.
pub fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn text_fault(text: &str, most: usize, too_long: Code) -> Option<FieldError> {
    let fault = |code| Some(FieldError::at(String::new(), code));
    if text.chars().count() > most {
        fault(too_long)
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        fault(Code::FieldTypeInvalid).map(|fault| fault.detail("It has control characters."))
    } else if holds_card_number(text) {
        fault(Code::CardNumberNotAllowed)
    } else {
        None
    }
}

/// A JSON string; none for other values.
fn string(text: &RawValue) -> Option<Cow<'_, str>> {
    let text = text.get();
    // Most texts have no escapes and are taken as they are.
    let bare = text.strip_prefix('"')?.strip_suffix('"')?;
    if bare.contains('\\') { serde_json::from_str(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(bare)) }
}

fn unless_null(text: Option<&RawValue>) -> Option<&RawValue> {
    text.filter(|text| text.get() != "null")
}
