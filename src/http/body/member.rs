//! One member of a body.

use serde_json::value::RawValue;
use utoipa::openapi::{RefOr, Schema};

use crate::http::card_number::holds_card_number;
use crate::http::problem::{Code, FieldError};

/// What a member may have to know beside its own text.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The key of the header `Idempotency-Key`.
    pub header_key: Option<&'a str>,
    /// The largest amount of one payment, in the currency's minor unit.
    pub amount_max: i64,
}

/// A member's type: how it is read, what it can have wrong, and how the document shows it.
pub trait Member: Sized {
    const IS_REQUIRED: bool;
    /// Whether the header `Idempotency-Key` may bring it.
    const TAKES_KEY: bool = false;
    /// What it can have wrong, beside its type.
    const CODES: &'static [Code];

    /// Makes sense of a member's text; of none, if the member is not there.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(text: Option<&RawValue>, given: &Given<'_>) -> Result<Self, Wrong>;

    fn schema() -> RefOr<Schema>;
}

/// What is wrong with a member. Pointers are the rest of a JSON pointer (RFC 6901) below the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(Vec<FieldError>);

impl From<Code> for Wrong {
    fn from(code: Code) -> Self {
        FieldError::at(String::new(), code).into()
    }
}

impl From<FieldError> for Wrong {
    fn from(error: FieldError) -> Self {
        Self(vec![error])
    }
}

impl From<Vec<FieldError>> for Wrong {
    fn from(errors: Vec<FieldError>) -> Self {
        Self(errors)
    }
}

impl Wrong {
    /// Several things, or one that is not the member as a whole.
    pub fn below(faults: Vec<(String, Code)>) -> Self {
        Self(faults.into_iter().map(|(rest, code)| FieldError::at(rest, code)).collect())
    }

    /// As what is wrong with a body's member of this name.
    pub(super) fn at(self, name: &str) -> impl Iterator<Item = FieldError> {
        let start = pointer_to(name);
        self.0.into_iter().map(move |error| {
            let pointer = error.pointer.map(|rest| format!("{start}{rest}"));
            FieldError { pointer, ..error }
        })
    }
}

/// A member for the document.
pub struct MemberSchema {
    pub name: &'static str,
    pub schema: RefOr<Schema>,
    pub is_required: bool,
}

impl MemberSchema {
    /// Of this type, with what its declaration says of it.
    pub fn of<M: Member>(name: &'static str, about: &[&str]) -> Self {
        Self { name, schema: described(M::schema(), text_of(about)), is_required: M::IS_REQUIRED }
    }
}

/// Adds what a member can have wrong.
pub fn codes_of<M: Member>(codes: &mut Vec<Code>) {
    codes.extend(M::IS_REQUIRED.then_some(Code::FieldMissing));
    codes.extend(M::CODES);
}

/// The lines of a comment as one text.
pub fn text_of(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The step of a JSON pointer (RFC 6901) to a member, cut so that a client's nonsense is not sent back at length. There
/// is none to a name that holds a card number: the pointer ends at the object that has it.
pub(super) fn pointer_to(name: &str) -> String {
    if holds_card_number(name) {
        return String::new();
    }
    let cut: String = name.chars().take(64).collect();
    format!("/{}", cut.replace('~', "~0").replace('/', "~1"))
}

fn described(mut schema: RefOr<Schema>, about: String) -> RefOr<Schema> {
    if about.is_empty() {
        return schema;
    }
    match &mut schema {
        RefOr::Ref(target) => target.description = about,
        RefOr::T(Schema::Object(object)) => object.description = Some(about),
        RefOr::T(Schema::Array(array)) => array.description = Some(about),
        RefOr::T(Schema::OneOf(one_of)) => one_of.description = Some(about),
        RefOr::T(_) => {}
    }
    schema
}
