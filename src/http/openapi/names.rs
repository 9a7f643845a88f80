//! Schemas of the domain's names: each is a text, one of those that there are.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::capture::CaptureStatus;
use crate::domain::payment::{CaptureMode, PaymentStatus};
use crate::domain::refund::RefundStatus;
use crate::domain::timeline::TimelineKind;

macro_rules! names {
    ($($named:ident $about:literal)*) => {$(
        impl PartialSchema for $named {
            fn schema() -> RefOr<Schema> {
                let names = Self::ALL.map(Self::name);
                ObjectBuilder::new().schema_type(Type::String).description(Some($about)).enum_values(Some(names)).into()
            }
        }

        impl ToSchema for $named {}
    )*};
}

names! {
    CaptureStatus "Where a capture stands."
    CaptureMode "Who asks for the capture: the merchant later, or Rialto at once."
    PaymentStatus "Where a payment stands."
    RefundStatus "Where a refund stands."
    TimelineKind "What an entry tells of."
}
