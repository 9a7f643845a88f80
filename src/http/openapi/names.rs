//! Schemas of the domain's names: each is a text, one of those that there are.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::capture::CaptureStatus;
use crate::domain::failure::{FailureCode, Retry};
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

/// With what each code means and whether to try again.
impl PartialSchema for FailureCode {
    fn schema() -> RefOr<Schema> {
        let meanings = Self::ALL
            .map(|code| format!("- `{}` (retry {}): {}", code.name(), code.retry().name(), code.meaning()))
            .join("\n");
        let about = format!("Why something failed. Codes are added, and never change their meaning.\n\n{meanings}");
        let names = Self::ALL.map(Self::name);
        ObjectBuilder::new().schema_type(Type::String).description(Some(about)).enum_values(Some(names)).into()
    }
}

impl ToSchema for FailureCode {}

names! {
    CaptureStatus "Where a capture stands."
    CaptureMode "Who asks for the capture: the merchant later, or Rialto at once."
    PaymentStatus "Where a payment stands."
    RefundStatus "Where a refund stands."
    Retry "Whether to try again: never, later under another idempotency key, or with another card or account."
    TimelineKind "What an entry tells of."
}
