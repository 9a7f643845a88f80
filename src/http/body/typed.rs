//! Members that their types say all about: those of operators' calls.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};

use super::fields::{Object, unknown_names};
use super::member::{Given, Member, Wrong, escaped};
use crate::http::problem::Code;

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
    const CODES: &'static [Code] = &[];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        let Some(text) = text.filter(|text| text.get() != "null") else { return Ok(Self(None)) };
        // serde would read a struct from an array, too.
        let Object(members) = serde_json::from_str(text.get()).map_err(|_| Code::FieldTypeInvalid)?;
        let unknown = unknown_names(&members, T::MEMBERS);
        let unknown: Vec<_> = unknown.map(|name| (format!("/{}", escaped(name)), Code::UnknownField)).collect();
        if unknown.is_empty() { deserialized(text).map(|value| Self(Some(value))) } else { Err(Wrong::below(unknown)) }
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
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
