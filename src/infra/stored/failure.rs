//! Why something failed, as a row or a kept answer holds it. The text of a row says its version as `v`. One without is
//! from before there was one: the PSP's code, or one of Rialto's four words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::failure::{Failure, FailureCode, Mismatch};
use crate::domain::{Currency, Money};

/// The version that is written.
const VERSION: u32 = 1;
/// To how many characters the version before cuts what it writes again, while an upgrade goes on. The rest is lost: the
/// payment has failed, and is readable.
const CUT_BEFORE: usize = 64;
/// How a text with a version begins.
const VERSIONED: &str = "{\"v\":";

/// A failure within a text that has a version.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFailure<'a> {
    code: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    psp_code: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mismatch: Option<StoredMismatch>,
}

/// Amounts in minor units with their currencies: what was asked, and what the PSP approved.
#[derive(Serialize, Deserialize)]
struct StoredMismatch(i64, Currency, i64, Currency);

#[derive(Serialize, Deserialize)]
struct Versioned<'a> {
    v: u32,
    #[serde(flatten)]
    failure: StoredFailure<'a>,
}

impl<'a> From<&'a Failure> for StoredFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        let Failure { code, psp_code, mismatch } = failure;
        let mismatch = mismatch.map(|Mismatch { requested, approved }| {
            StoredMismatch(requested.minor, requested.currency, approved.minor, approved.currency)
        });
        Self { code: code.name().into(), psp_code: psp_code.as_deref().map(Cow::Borrowed), mismatch }
    }
}

impl From<StoredFailure<'_>> for Failure {
    /// A code that a later version has added is a refusal of the PSP to this one.
    fn from(stored: StoredFailure<'_>) -> Self {
        let mismatch = stored.mismatch.map(|StoredMismatch(requested, in_, approved, other)| Mismatch {
            requested: Money::new(requested, in_),
            approved: Money::new(approved, other),
        });
        let code = FailureCode::parse(&stored.code).unwrap_or(FailureCode::PspRefused);
        Self { code, psp_code: stored.psp_code.map(Cow::into_owned), mismatch }
    }
}

/// The text of a row.
pub fn write(failure: &Failure) -> String {
    let stored = Versioned { v: VERSION, failure: failure.into() };
    // invariant: texts and integers always have a JSON form.
    serde_json::to_string(&stored).expect("plain data have a JSON form")
}

/// The failure that a row's text is, if it is one. The outer none is a text that no version has written that this one
/// knows.
pub fn read(text: &str) -> Option<Option<Failure>> {
    if text.starts_with(VERSIONED) {
        return match serde_json::from_str::<Versioned<'_>>(text) {
            Ok(stored) => (stored.v == VERSION).then(|| Some(stored.failure.into())),
            Err(_) if text.chars().count() == CUT_BEFORE => Some(Some(FailureCode::PspRefused.into())),
            Err(_) => None,
        };
    }
    Some(of_before(text))
}

/// A text of the version before. An outcome that is not known is no failure.
fn of_before(reason: &str) -> Option<Failure> {
    Some(match reason {
        "psp_outcome_unknown" => return None,
        "psp_amount_mismatch" => FailureCode::AmountMismatch.into(),
        NOT_SENT_BEFORE => FailureCode::NotSent.into(),
        "psp_unavailable" => FailureCode::PspUnavailable.into(),
        "capture_failed" => FailureCode::CaptureFailed.into(),
        psp_code => Failure::refused(psp_code),
    })
}

/// What the version before wrote of an authorization that never reached the PSP; its status was DECLINED.
pub const NOT_SENT_BEFORE: &str = "not_sent";

#[cfg(test)]
mod tests {
    use super::*;

    fn won(minor: i64) -> Money {
        Money::new(minor, Currency::parse("KRW").unwrap())
    }

    #[test]
    fn failure_is_written_with_its_version_and_read_back() {
        for (failure, text) in [
            (FailureCode::NotSent.into(), r#"{"v":1,"code":"not_sent"}"#),
            (
                Failure::refused("refused \"by\" issuer"),
                r#"{"v":1,"code":"psp_refused","pspCode":"refused \"by\" issuer"}"#,
            ),
            (
                Failure::mismatch(won(4_006), won(4_005)),
                r#"{"v":1,"code":"amount_mismatch","mismatch":[4006,"KRW",4005,"KRW"]}"#,
            ),
        ] {
            assert_eq!(write(&failure), text);
            assert_eq!(read(text), Some(Some(failure)));
        }
    }

    #[test]
    fn longest_text_fits_its_column() {
        let failure = Failure::refused(&"\u{1}".repeat(Failure::PSP_CODE_MAX));
        assert!(write(&failure).chars().count() <= COLUMN_MAX);
        assert_eq!(read(&write(&failure)), Some(Some(failure)));
        let most = Failure::mismatch(won(i64::MIN), won(i64::MIN));
        assert!(write(&most).chars().count() <= COLUMN_MAX);
    }

    /// As the migration makes `payment.reason` and `refund.failure`.
    const COLUMN_MAX: usize = 512;

    #[test]
    fn text_of_the_version_before_is_read() {
        for (text, failure) in [
            ("insufficient_funds", Some(Failure::refused("insufficient_funds"))),
            ("{not ours", Some(Failure::refused("{not ours"))),
            ("not_sent", Some(FailureCode::NotSent.into())),
            ("psp_unavailable", Some(FailureCode::PspUnavailable.into())),
            ("capture_failed", Some(FailureCode::CaptureFailed.into())),
            ("psp_amount_mismatch", Some(FailureCode::AmountMismatch.into())),
            ("psp_outcome_unknown", None),
        ] {
            assert_eq!(read(text), Some(failure), "{text}");
        }
    }

    #[test]
    fn text_that_the_version_before_has_cut_is_still_a_failure() {
        let written = write(&Failure::refused("a_code_that_is_far_too_long_to_be_kept_in_the_column_of_before"));
        let cut: String = written.chars().take(CUT_BEFORE).collect();
        assert_eq!(read(&cut), Some(Some(FailureCode::PspRefused.into())));
        assert_eq!(read(&cut[..40]), None);
    }

    #[test]
    fn text_of_a_later_version_is_refused_and_a_later_code_is_read() {
        assert_eq!(read(r#"{"v":2,"code":"not_sent"}"#), None);
        assert_eq!(read(r#"{"v":1,"why":"not_sent"}"#), None);
        let later = read(r#"{"v":1,"code":"card_melted","pspCode":"melted"}"#).unwrap().unwrap();
        assert_eq!((later.code, later.psp_code.as_deref()), (FailureCode::PspRefused, Some("melted")));
    }
}
