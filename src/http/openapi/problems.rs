//! The problems of an operation, as responses: a status with the codes that it can have.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{AllOfBuilder, SchemaType};
use utoipa::openapi::{
    Content, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, SchemaFormat, Type,
};

use crate::http::problem::Code;

/// Codes by their status, each status as a response.
pub fn problems(codes: &[Code]) -> impl Iterator<Item = (String, Response)> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), problem(&codes)))
}

/// A problem that has one of these codes.
fn problem(codes: &[Code]) -> Response {
    let about: Vec<_> = codes.iter().map(|code| format!("- `{}`: {}", code.name(), code.about())).collect();
    let names = codes.iter().map(|code| code.name());
    let mut own =
        ObjectBuilder::new().property("code", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)));
    for (name, schema) in codes.iter().flat_map(|code| members(*code)) {
        own = own.property(name, schema);
    }
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(own);
    let content = Content::new(Some(RefOr::T(Schema::AllOf(schema.build()))));
    ResponseBuilder::new().description(about.join("\n")).content("application/problem+json", content).build()
}

/// The members that a code brings along.
fn members(code: Code) -> Vec<(&'static str, RefOr<Schema>)> {
    let member = match code {
        Code::PaymentDeclined => {
            let named = |name| Ref::from_schema_name(name).into();
            return vec![("payment", named("Payment")), ("failure", named("Failure"))];
        }
        Code::PaymentStateConflict => Some(("paymentStatus", Ref::from_schema_name("PaymentStatus").into())),
        Code::MerchantReferenceUsed => {
            Some(("paymentId", ObjectBuilder::new().schema_type(Type::String).build().into()))
        }
        Code::CaptureExceedsAuthorized => Some(("capturable", integer().into())),
        Code::RefundExceedsCaptured => Some(("refundable", integer().into())),
        Code::RefundLimitReached => Some(("limit", integer().into())),
        _ => None,
    };
    Vec::from_iter(member)
}

pub(super) fn integer() -> Object {
    let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).format(format).build()
}
