//! Bodies that are read by the types of their members: operators' calls. What is wrong gets the code and the pointer
//! that it has in a payment's body.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::fields::Fields;
use crate::http::problem::{Code, FieldError, Problem};

/// What a call takes.
pub trait Typed: DeserializeOwned {
    /// Each member, and whether it must be there.
    const MEMBERS: &'static [(&'static str, bool)];
}

/// Reads a body.
///
/// # Errors
/// All members that are unknown or missing at once; or the first one of another type than it must have.
pub fn typed<T: Typed>(bytes: &[u8]) -> Result<T, Problem> {
    let known: Vec<&str> = T::MEMBERS.iter().map(|(name, _)| *name).collect();
    let mut fields = Fields::parse(bytes, &known)?;
    T::MEMBERS.iter().filter(|(_, must_be)| *must_be).for_each(|(name, _)| fields.require(name));
    fields.finish()?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).map_err(|error| {
        let wrong = FieldError { pointer: pointer(error.path()), code: Code::FieldTypeInvalid };
        Problem::of_fields(vec![wrong]).unwrap_or_else(|| Code::MalformedJson.into())
    })
}

/// RFC 6901. Names in it are known ones, or the reader's own.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", super::fields::escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
