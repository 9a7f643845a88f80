//! Why something failed, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::failure::{Failure, FailureCode, Mismatch, Retry};
use crate::domain::{Currency, Money};

/// Why a payment, a capture or a refund failed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failure)]
pub struct FailureView<'a> {
    #[schema(value_type = FailureCode)]
    code: &'static str,
    /// What the payment provider said, as it said it; 64 characters at most. Left out where it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_code: Option<&'a str>,
    /// For people.
    message: String,
    #[schema(value_type = Retry)]
    retry: &'static str,
    /// What was asked, of an `amount_mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<MoneyView>,
    /// What the payment provider approved instead, of an `amount_mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<MoneyView>,
}

/// An amount in the currency's minor unit.
#[derive(Serialize, ToSchema)]
#[schema(as = Money)]
struct MoneyView {
    amount: i64,
    #[schema(value_type = String)]
    currency: Currency,
}

impl From<Money> for MoneyView {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

impl<'a> From<&'a Failure> for FailureView<'a> {
    fn from(failure: &'a Failure) -> Self {
        let Failure { code, psp_code, mismatch } = failure;
        let shown = |money: fn(&Mismatch) -> Money| mismatch.as_ref().map(|mismatch| money(mismatch).into());
        Self {
            code: code.name(),
            psp_code: psp_code.as_deref(),
            message: failure.message(),
            retry: code.retry().name(),
            requested: shown(|mismatch| mismatch.requested),
            approved: shown(|mismatch| mismatch.approved),
        }
    }
}
