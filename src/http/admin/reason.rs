//! Why an operator does something: for those who ask later.

use serde_json::value::RawValue;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

use crate::domain::text::is_printable;
use crate::http::body::{Given, Member, Wrong, deserialized};
use crate::http::card_number::holds_card_number;
use crate::http::problem::{Code, FieldError};

/// A text of 1 to `MAX` printable characters without spaces around it, and without a card number.
#[derive(Debug)]
pub struct Reason<const MAX: usize>(pub String);

/// As [`Reason`]; it may be left out.
#[derive(Debug)]
pub struct OptionalReason<const MAX: usize>(pub Option<String>);

const CODES: &[Code] = &[Code::ReasonInvalid, Code::CardNumberNotAllowed];

fn read(text: &RawValue, max: usize) -> Result<String, Wrong> {
    let text: String = deserialized(text)?;
    let reason = text.trim();
    if holds_card_number(reason) {
        return Err(Code::CardNumberNotAllowed.into());
    }
    let wrong = |detail: String| Err(FieldError::at(String::new(), Code::ReasonInvalid).detail(detail).into());
    match reason.chars().count() {
        0 => wrong("A reason is required.".to_owned()),
        length if length > max => wrong(format!("A reason has at most {max} characters; this one has {length}.")),
        _ if !reason.chars().all(is_printable) => wrong("A reason is one line of printable characters.".to_owned()),
        _ => Ok(reason.to_owned()),
    }
}

fn schema(max: usize) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(max)).into()
}

impl<const MAX: usize> Member for Reason<MAX> {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = CODES;

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        read(text.ok_or(Code::FieldMissing)?, MAX).map(Self)
    }

    fn schema() -> RefOr<Schema> {
        schema(MAX)
    }
}

impl<const MAX: usize> Member for OptionalReason<MAX> {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = CODES;

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        text.map(|text| read(text, MAX)).transpose().map(Self)
    }

    fn schema() -> RefOr<Schema> {
        schema(MAX)
    }
}
