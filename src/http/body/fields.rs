//! The members of one JSON object, taken one by one; what is wrong is collected.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::member::{Given, Member, Wrong};
use super::sound::is_sound;
use crate::http::problem::{Code, FieldError, Problem};

/// Unknown fields that are pointed at, so that no answer is longer than what it answers.
const UNKNOWN_FIELDS_MAX: usize = 20;

/// Without any of its text, which may be a secret.
fn why_no_object(bytes: &[u8], error: &serde_json::Error) -> String {
    if bytes.is_empty() {
        "It is empty.".to_owned()
    } else if std::str::from_utf8(bytes).is_err() {
        "It is not UTF-8.".to_owned()
    } else if error.is_data() {
        "It is not an object.".to_owned()
    } else {
        format!("It is no JSON from line {}, column {} on.", error.line(), error.column())
    }
}

/// The members that are not taken yet, and what is wrong so far.
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Splits a body into its members. Fails for what is no JSON object, and notes members that are not `known`.
    pub fn parse(bytes: &'a [u8], known: &[&str]) -> Result<Self, Problem> {
        let malformed = |detail: String| Problem::from(Code::MalformedJson).detail(detail);
        let Object(members) = serde_json::from_slice(bytes).map_err(|error| malformed(why_no_object(bytes, &error)))?;
        // Duplicate members and nesting count at every level, known or not.
        if !is_sound(bytes) {
            return Err(malformed("A member comes twice in one object, or objects are nested too deep.".to_owned()));
        }
        let unknown = unknown_names(&members, known);
        let errors = unknown.flat_map(|name| Wrong::from(Code::UnknownField).at(name)).collect();
        Ok(Self { members, errors })
    }

    /// Notes what is wrong with a member beside what its own text says.
    pub fn note(&mut self, name: &str, code: Code) {
        self.errors.extend(Wrong::from(code).at(name));
    }

    /// Fails if anything was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.problem()) }
    }

    /// What was wrong.
    pub fn problem(self) -> Problem {
        Problem::of_fields(self.errors).unwrap_or_else(|| Code::MalformedJson.into())
    }

    /// Takes a member and makes sense of it; none if it is wrong, which is noted.
    pub fn read<M: Member>(&mut self, name: &str, given: &Given<'_>) -> Option<M> {
        let place = self.members.iter().position(|(member, _)| member == name);
        let text = place.map(|place| self.members.swap_remove(place).1);
        match M::read(text, given) {
            Ok(member) => Some(member),
            Err(wrong) => {
                self.errors.extend(wrong.at(name));
                None
            }
        }
    }
}

/// The names of an object's members that are not `known`, as far as they are pointed at.
pub(super) fn unknown_names<'m>(
    members: &'m [(Cow<'_, str>, &RawValue)],
    known: &[&str],
) -> impl Iterator<Item = &'m str> {
    let names = members.iter().map(|(name, _)| name.as_ref());
    names.filter(|name| !known.contains(name)).take(UNKNOWN_FIELDS_MAX)
}

/// The members of an object, in their order.
pub(super) struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

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
