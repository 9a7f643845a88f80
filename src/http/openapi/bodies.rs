//! Request bodies as the document shows them. `body` reads them by hand, so that each wrong field gets its own code; a
//! test holds both to the same members.

use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::domain::payment::{CaptureMode, Metadata};

/// An authorization.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub struct AuthorizeBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "MERCHANT-1")]
    merchant_id: String,
    /// In the currency's minor unit (ISO 4217). The policy's `payment.amount_max` may be lower than the maximum here.
    #[schema(minimum = 1, maximum = 9223372036854775807i64, example = 50000)]
    amount: i64,
    /// An active ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "KRW")]
    currency: String,
    /// Needed here or in the header `Idempotency-Key`; if it is in both, they agree.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$", example = "order-7")]
    idempotency_key: Option<String>,
    /// Without card numbers.
    #[schema(max_length = 500)]
    description: Option<String>,
    #[schema(schema_with = metadata)]
    metadata: Option<Metadata>,
    /// `manual` if it is not given.
    capture_mode: Option<CaptureMode>,
}

/// A capture.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub struct CaptureBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "MERCHANT-1")]
    merchant_id: String,
    /// In the currency's minor unit; all of the authorization if it is not given. The rest is released.
    #[schema(minimum = 1, maximum = 9223372036854775807i64)]
    amount: Option<i64>,
    /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$")]
    idempotency_key: Option<String>,
}

/// A void.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub struct VoidBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "MERCHANT-1")]
    merchant_id: String,
    /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$")]
    idempotency_key: Option<String>,
}

/// A refund.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub struct RefundBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "MERCHANT-1")]
    merchant_id: String,
    /// In the currency's minor unit; all that is left if it is not given. With an amount a key is needed.
    #[schema(minimum = 1, maximum = 9223372036854775807i64)]
    amount: Option<i64>,
    /// Without card numbers.
    #[schema(max_length = 255)]
    reason: Option<String>,
    /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$")]
    idempotency_key: Option<String>,
}

fn metadata() -> Object {
    let text = |most| ObjectBuilder::new().schema_type(Type::String).max_length(Some(most));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("At most 50 texts of 500 characters, under names of 40, without card numbers."))
        .max_properties(Some(50))
        .property_names(Some(text(40)))
        .additional_properties(Some(text(500)))
        .build()
}
