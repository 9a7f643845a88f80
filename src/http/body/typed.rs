//! Members that their types say all about: those of operators' calls.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};
use utoipa::PartialSchema;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

use super::fields::{Object, unknown_names};
use super::member::{Given, Member, Wrong, pointer_to};
use crate::http::card_number::holds_card_number;
use crate::http::problem::{Code, FieldError};

/// A member that has to be there; one of an `Option` may be null.
#[derive(Debug)]
pub struct Typed<T>(pub T);

/// A member that may be left out; null is for one of an `Option`.
#[derive(Debug)]
pub struct Optional<T>(pub Option<T>);

impl<T: DeserializeOwned + PartialSchema> Member for Typed<T> {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        deserialized(text.ok_or(Code::FieldMissing)?).map(Self)
    }

    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

impl<T: DeserializeOwned + PartialSchema> Member for Optional<T> {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        text.map(deserialized).transpose().map(Self)
    }

    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

/// An integer from `MIN` to `MAX` that has to be there. One of an `Option` may be left out, and is not null: a program
/// whose number is none (NaN) writes null.
#[derive(Debug, Clone, Copy)]
pub struct Bounded<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Member for Bounded<MIN, MAX> {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[Code::NumberOutOfRange];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let text = text.ok_or(Code::FieldMissing)?.get();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Code::FieldTypeInvalid.into());
        }
        let number = text.parse().ok();
        number.filter(|number| (MIN..=MAX).contains(number)).map(Self).ok_or_else(|| out_of_range("", MIN, MAX).into())
    }

    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(MIN)).maximum(Some(MAX)).into()
    }
}

impl<const MIN: i64, const MAX: i64> Member for Option<Bounded<MIN, MAX>> {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = <Bounded<MIN, MAX> as Member>::CODES;

    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong> {
        text.map(|text| Bounded::read(Some(text), given)).transpose()
    }

    fn schema() -> RefOr<Schema> {
        Bounded::<MIN, MAX>::schema()
    }
}

/// What is wrong with a number that is none of these.
pub fn out_of_range(below: &str, min: i64, max: i64) -> FieldError {
    let detail = format!("It is {min} to {max}.");
    FieldError::at(below.to_owned(), Code::NumberOutOfRange).detail(detail).between(min, max)
}

/// What an object within a body may have.
pub trait Nested: DeserializeOwned {
    const MEMBERS: &'static [&'static str];
}

/// A member that is an object, may be left out, and may be null.
#[derive(Debug)]
pub struct OptionalObject<T>(pub Option<T>);

impl<T: Nested> Member for OptionalObject<T>
where
    Option<T>: PartialSchema,
{
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[Code::CardNumberNotAllowed];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = text.filter(|text| text.get() != "null") else { return Ok(Self(None)) };
        // serde would read a struct from an array, too.
        let Object(members) = serde_json::from_str(text.get()).map_err(|_| Code::FieldTypeInvalid)?;
        let unknown = unknown_names(&members, T::MEMBERS);
        let mut faults: Vec<_> = unknown.map(|name| (pointer_to(name), Code::UnknownField)).collect();
        let holds_card =
            |text: &RawValue| serde_json::from_str(text.get()).is_ok_and(|text: String| holds_card_number(&text));
        let with_cards = members.iter().filter(|(_, text)| holds_card(text));
        faults.extend(with_cards.map(|(name, _)| (pointer_to(name), Code::CardNumberNotAllowed)));
        if faults.is_empty() { deserialized(text).map(|value| Self(Some(value))) } else { Err(Wrong::below(faults)) }
    }

    fn schema() -> RefOr<Schema> {
        Option::<T>::schema()
    }
}

/// Reads a member's text by its type.
///
/// # Errors
/// [`Code::FieldTypeInvalid`], where in the member it is.
pub fn deserialized<T: DeserializeOwned>(text: &RawValue) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text.get()))
        .map_err(|error| Wrong::below(vec![(pointer(error.path()), Code::FieldTypeInvalid)]))
}

/// RFC 6901. Names in it are known ones, or the reader's own.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&pointer_to(key)),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
