//! How a body is declared.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

use super::fields::Fields;
use super::member::{Given, MemberSchema};
use crate::http::problem::{Code, Problem};

/// What an operation takes in its body.
pub trait Body: Sized {
    /// Whether it takes none.
    const IS_NONE: bool;
    /// Whether the header `Idempotency-Key` may bring what it does not.
    const TAKES_KEY: bool;

    /// # Errors
    /// All members that are unknown, missing or wrong, at once; or that it is no JSON object.
    fn read(bytes: &[u8], given: &Given<'_>) -> Result<Self, Problem>;

    /// What it can have wrong.
    fn codes() -> Vec<Code>;

    /// For the document; none if there is no body.
    fn members() -> Option<Members>;
}

/// A body for the document.
pub struct Members {
    pub name: &'static str,
    pub about: String,
    pub members: Vec<MemberSchema>,
}

impl Members {
    /// The object that they make.
    pub fn schema(&self) -> RefOr<Schema> {
        let mut object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(&self.about))
            .additional_properties(Some(utoipa::openapi::schema::AdditionalProperties::FreeForm(false)));
        for member in &self.members {
            object = object.property(member.name, member.schema.clone());
            if member.is_required {
                object = object.required(member.name);
            }
        }
        object.build().into()
    }
}

impl Body for () {
    const IS_NONE: bool = true;
    const TAKES_KEY: bool = false;

    fn read(_bytes: &[u8], _given: &Given<'_>) -> Result<Self, Problem> {
        Ok(())
    }

    fn codes() -> Vec<Code> {
        Vec::new()
    }

    fn members() -> Option<Members> {
        None
    }
}

/// What any body can have wrong.
pub const ANY_BODY: &[Code] = &[
    Code::MalformedJson,
    Code::UnknownField,
    Code::FieldTypeInvalid,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
];

/// Reads what is left of a body, once its members were taken.
pub fn finished<T>(fields: Fields<'_>, body: Option<T>) -> Result<T, Problem> {
    match body {
        Some(body) => fields.finish().map(|()| body),
        None => Err(fields.problem()),
    }
}

/// Declares a body: its members with their names in JSON, and what they are. A member's type is a
/// [`Member`](super::Member); it says whether the member has to be there. What is wrong with members that are right
/// each for itself stands behind them: a condition on what was read (none where a member is wrong), and what it is
/// answered.
macro_rules! body {
    (
        $(#[doc = $about:literal])*
        pub struct $body:ident {
            $($(#[doc = $member_about:literal])* $member:ident $name:literal: $kind:ty,)*
        }
        $(wrong if $is_wrong:expr => $at:literal: $code:expr;)*
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub struct $body {
            $($(#[doc = $member_about])* pub $member: $kind,)*
        }

        impl $crate::http::body::Body for $body {
            const IS_NONE: bool = false;
            const TAKES_KEY: bool = false $(|| <$kind as $crate::http::body::Member>::TAKES_KEY)*;

            fn read(
                bytes: &[u8],
                given: &$crate::http::body::Given<'_>,
            ) -> Result<Self, $crate::http::problem::Problem> {
                let mut fields = $crate::http::body::Fields::parse(bytes, &[$($name),*])?;
                $(let $member = fields.read::<$kind>($name, given);)*
                $(if $is_wrong { fields.note($at, $code); })*
                // All are read before the first that is wrong ends it.
                let read = || Some(Self { $($member: $member?,)* });
                let read = read();
                $crate::http::body::finished(fields, read)
            }

            fn codes() -> Vec<$crate::http::problem::Code> {
                let mut codes = $crate::http::body::ANY_BODY.to_vec();
                $($crate::http::body::codes_of::<$kind>(&mut codes);)*
                $(codes.push($code);)*
                codes
            }

            fn members() -> Option<$crate::http::body::Members> {
                let members = vec![
                    $($crate::http::body::MemberSchema::of::<$kind>($name, &[$($member_about),*]),)*
                ];
                let about = $crate::http::body::text_of(&[$($about),*]);
                Some($crate::http::body::Members { name: stringify!($body), about, members })
            }
        }
    };
}
pub(crate) use body;
