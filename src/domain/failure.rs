//! Why a payment, a capture or a refund failed, for machines: a code, whether to try again, and what the PSP said.
//!
//! PSPs name refusals each in their own way. The table follows the decline codes of Stripe
//! (<https://docs.stripe.com/declines/codes>), the refusal reasons of Adyen
//! (<https://docs.adyen.com/development-resources/refusal-reasons>) and those of Rialto's simulator.

use super::money::Money;

/// Why it failed. Codes are added, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The issuer declined and gave no reason that helps.
    CardDeclined,
    InsufficientFunds,
    /// The payer's limit on amounts or on the number of payments is used up.
    LimitExceeded,
    ExpiredCard,
    /// Number, security code, expiry or address are wrong.
    IncorrectCardData,
    /// The card cannot be used for such a payment, or in this currency.
    CardNotSupported,
    /// The card or its account is blocked or closed.
    CardBlocked,
    /// The card was reported lost or stolen.
    CardStolen,
    /// The issuer wants the payer to prove who he is.
    AuthenticationRequired,
    FraudSuspected,
    /// The issuer or a network behind the PSP could not be reached.
    IssuerUnavailable,
    /// The PSP does not hold the authorization any more.
    AuthorizationExpired,
    /// The PSP says that the request contradicts what it has in its books.
    InvalidRequest,
    /// The PSP refused, with a code that the table does not have.
    PspRefused,
    /// The PSP could not be reached in any of the tries, and nothing was done.
    PspUnavailable,
    /// The authorization never reached the PSP.
    NotSent,
    /// The PSP approved another amount or currency than was asked. A person must act.
    AmountMismatch,
    /// A refund waited for the payment's capture, and that failed.
    CaptureFailed,
}

/// Whether the caller should try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same will fail again.
    Never,
    /// The same may succeed later, under another idempotency key.
    Later,
    /// Another card or account may do: to pay with, or to be refunded to.
    OtherMethod,
}

impl Retry {
    pub const ALL: [Self; 3] = [Self::Never, Self::Later, Self::OtherMethod];

    /// The name outside.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Later => "later",
            Self::OtherMethod => "other_method",
        }
    }
}

impl FailureCode {
    pub const ALL: [Self; 18] = [
        Self::CardDeclined,
        Self::InsufficientFunds,
        Self::LimitExceeded,
        Self::ExpiredCard,
        Self::IncorrectCardData,
        Self::CardNotSupported,
        Self::CardBlocked,
        Self::CardStolen,
        Self::AuthenticationRequired,
        Self::FraudSuspected,
        Self::IssuerUnavailable,
        Self::AuthorizationExpired,
        Self::InvalidRequest,
        Self::PspRefused,
        Self::PspUnavailable,
        Self::NotSent,
        Self::AmountMismatch,
        Self::CaptureFailed,
    ];

    /// The name outside, whether to try again, and a sentence for people.
    fn about(self) -> (&'static str, Retry, &'static str) {
        use Retry::{Later, Never, OtherMethod};
        match self {
            Self::CardDeclined => ("card_declined", OtherMethod, "The issuer declined without a reason."),
            Self::InsufficientFunds => ("insufficient_funds", Later, "The payer's account lacks the money."),
            Self::LimitExceeded => ("limit_exceeded", Later, "The payer's limit is used up for now."),
            Self::ExpiredCard => ("expired_card", OtherMethod, "The card has expired."),
            Self::IncorrectCardData => ("incorrect_card_data", OtherMethod, "The card's data are wrong."),
            Self::CardNotSupported => ("card_not_supported", OtherMethod, "The card cannot be used for this payment."),
            Self::CardBlocked => ("card_blocked", OtherMethod, "The card or its account is blocked or closed."),
            Self::CardStolen => ("card_stolen", Never, "The card was reported lost or stolen."),
            Self::AuthenticationRequired => {
                ("authentication_required", OtherMethod, "The issuer wants the payer to authenticate.")
            }
            Self::FraudSuspected => ("fraud_suspected", Never, "The payment looks like fraud."),
            Self::IssuerUnavailable => ("issuer_unavailable", Later, "The issuer could not be reached."),
            Self::AuthorizationExpired => {
                ("authorization_expired", Never, "The payment provider does not hold the authorization any more.")
            }
            Self::InvalidRequest => ("invalid_request", Never, "The payment provider refused the request as invalid."),
            Self::PspRefused => ("psp_refused", OtherMethod, "The payment provider refused for a reason of its own."),
            Self::PspUnavailable => {
                ("psp_unavailable", Later, "The payment provider could not be reached; nothing was done.")
            }
            Self::NotSent => ("not_sent", Later, "The payment never reached the payment provider; nothing was done."),
            Self::AmountMismatch => {
                ("amount_mismatch", Never, "The payment provider approved another amount than was asked.")
            }
            Self::CaptureFailed => ("capture_failed", Later, "The capture that the refund waited for has failed."),
        }
    }

    /// The name outside.
    pub fn name(self) -> &'static str {
        self.about().0
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    pub fn retry(self) -> Retry {
        self.about().1
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        self.about().2
    }

    /// What a PSP's refusal means; a code that is not known means no more than that it refused.
    pub fn of_psp(psp_code: &str) -> Self {
        let known = PSP_CODES.iter().find(|(_, psp_codes)| psp_codes.contains(&psp_code));
        known.map_or(Self::PspRefused, |(code, _)| *code)
    }
}

/// The PSPs' codes that are known, by what they mean.
pub const PSP_CODES: [(FailureCode, &[&str]); 13] = [
    (
        FailureCode::CardDeclined,
        &["card_declined", "declined", "do_not_honor", "generic_decline", "refused", "refused_by_issuer"],
    ),
    (FailureCode::InsufficientFunds, &["insufficient_funds", "not_enough_balance"]),
    (
        FailureCode::LimitExceeded,
        &[
            "card_velocity_exceeded",
            "limit_exceeded",
            "withdrawal_amount_exceeded",
            "withdrawal_count_exceeded",
            "withdrawal_count_limit_exceeded",
        ],
    ),
    (FailureCode::ExpiredCard, &["expired_card"]),
    (
        FailureCode::IncorrectCardData,
        &[
            "incorrect_address",
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_pin",
            "incorrect_zip",
            "invalid_card_number",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
        ],
    ),
    (
        FailureCode::CardNotSupported,
        &[
            "card_not_supported",
            "currency_not_supported",
            "not_permitted",
            "transaction_not_allowed",
            "transaction_not_permitted",
        ],
    ),
    (
        FailureCode::CardBlocked,
        &["blocked_card", "card_blocked", "closed_account", "invalid_account", "restricted_card"],
    ),
    (FailureCode::CardStolen, &["lost_card", "pickup_card", "stolen_card"]),
    (FailureCode::AuthenticationRequired, &["3d_not_authenticated", "authentication_required", "offline_pin_required"]),
    (FailureCode::FraudSuspected, &["fraud", "fraud_suspected", "fraudulent", "security_violation", "suspected_fraud"]),
    (
        FailureCode::IssuerUnavailable,
        &[
            "acquirer_error",
            "issuer_not_available",
            "issuer_unavailable",
            "processing_error",
            "reenter_transaction",
            "try_again_later",
        ],
    ),
    (FailureCode::AuthorizationExpired, &["already_voided", "authorization_expired", "authorization_not_found"]),
    (
        FailureCode::InvalidRequest,
        &[
            "already_captured",
            "amount_exceeds_authorized",
            "amount_exceeds_captured",
            "amount_invalid",
            "currency_mismatch",
            "idempotency_key_reused",
        ],
    ),
];

/// What the PSP was asked for and what it approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    pub requested: Money,
    pub approved: Money,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: FailureCode,
    /// What the PSP said, as it said it; none where it said nothing. At most [`Self::PSP_CODE_MAX`] characters.
    pub psp_code: Option<String>,
    /// None for payments of before it was kept, and for all other codes.
    pub mismatch: Option<Mismatch>,
}

impl From<FailureCode> for Failure {
    /// A failure of which the PSP said nothing.
    fn from(code: FailureCode) -> Self {
        Self { code, psp_code: None, mismatch: None }
    }
}

impl Failure {
    pub const PSP_CODE_MAX: usize = 64;

    /// The PSP refused with this code.
    pub fn refused(psp_code: &str) -> Self {
        let kept = psp_code.chars().take(Self::PSP_CODE_MAX).collect();
        Self { code: FailureCode::of_psp(psp_code), psp_code: Some(kept), mismatch: None }
    }

    /// The PSP approved something else than was asked.
    pub fn mismatch(requested: Money, approved: Money) -> Self {
        Self { mismatch: Some(Mismatch { requested, approved }), ..FailureCode::AmountMismatch.into() }
    }

    /// In one word: what the PSP said, else the code.
    pub fn reason(&self) -> &str {
        self.psp_code.as_deref().unwrap_or_else(|| self.code.name())
    }

    /// One sentence or two for people.
    pub fn message(&self) -> String {
        match (self.code, self.mismatch) {
            (FailureCode::AmountMismatch, Some(Mismatch { requested, approved })) => format!(
                "The payment provider approved {approved} (minor units), and {requested} was asked. The payment is \
                 held until a person has settled it with the provider."
            ),
            (FailureCode::AmountMismatch, None) => {
                format!("{} The payment is held until a person has settled it with the provider.", self.code.meaning())
            }
            _ => self.code.meaning().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency::Currency;

    #[test]
    fn names_are_unique_and_read_back() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::parse(code.name()), Some(code));
            assert!(Failure::from(code).message().ends_with('.'), "{code:?}");
        }
        assert_eq!(FailureCode::parse("unheard_of"), None);
    }

    #[test]
    fn psp_code_has_one_meaning() {
        let mut all: Vec<_> = PSP_CODES.iter().flat_map(|(_, psp_codes)| psp_codes.iter()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn psp_codes_have_a_meaning_and_unknown_ones_a_general_one() {
        use FailureCode::*;
        for (psp_code, code, retry) in [
            ("insufficient_funds", InsufficientFunds, Retry::Later),
            ("refused_by_issuer", CardDeclined, Retry::OtherMethod),
            ("do_not_honor", CardDeclined, Retry::OtherMethod),
            ("withdrawal_count_limit_exceeded", LimitExceeded, Retry::Later),
            ("expired_card", ExpiredCard, Retry::OtherMethod),
            ("incorrect_cvc", IncorrectCardData, Retry::OtherMethod),
            ("card_not_supported", CardNotSupported, Retry::OtherMethod),
            ("restricted_card", CardBlocked, Retry::OtherMethod),
            ("stolen_card", CardStolen, Retry::Never),
            ("authentication_required", AuthenticationRequired, Retry::OtherMethod),
            ("fraudulent", FraudSuspected, Retry::Never),
            ("issuer_not_available", IssuerUnavailable, Retry::Later),
            ("already_voided", AuthorizationExpired, Retry::Never),
            ("already_captured", InvalidRequest, Retry::Never),
            ("E-4711", PspRefused, Retry::OtherMethod),
            // A PSP cannot say what only Rialto knows.
            ("not_sent", PspRefused, Retry::OtherMethod),
            ("", PspRefused, Retry::OtherMethod),
        ] {
            let failure = Failure::refused(psp_code);
            assert_eq!((failure.code, failure.code.retry()), (code, retry), "{psp_code}");
            assert_eq!(failure.reason(), psp_code);
        }
    }

    #[test]
    fn psp_code_is_kept_as_it_was_said_up_to_its_length() {
        let said = "차".repeat(Failure::PSP_CODE_MAX + 1);
        let kept = Failure::refused(&said).psp_code.unwrap();
        assert!(said.starts_with(&kept) && kept.chars().count() == Failure::PSP_CODE_MAX);
    }

    #[test]
    fn mismatch_tells_both_amounts_and_who_must_act() {
        let won = |minor| Money::new(minor, Currency::parse("KRW").unwrap());
        let message = Failure::mismatch(won(4_006), won(4_005)).message();
        for word in ["4006 KRW", "4005 KRW", "a person"] {
            assert!(message.contains(word), "{message}");
        }
        assert!(Failure::from(FailureCode::AmountMismatch).message().contains("a person"));
    }
}
