//! A merchant's own name for a payment.

use super::id::PaymentId;

/// A reference as it is given with an authorization: 1 to 64 printable ASCII characters without spaces, which MariaDB
/// would not tell from each other at a text's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantReference {
    pub text: String,
    /// Whether no other payment of the merchant may have it, unless that was declined.
    pub is_unique: bool,
}

/// Names a reference among those of all merchants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceKey {
    pub merchant_id: String,
    pub reference: String,
}

/// What is known of a reference that is to be unique.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReferenceUse {
    /// A payment that has it and was not declined.
    pub payment_id: Option<PaymentId>,
    /// Counts how often it was given as a unique one: two hosts cannot give it at once.
    pub version: i64,
}

/// Another payment has the reference that was to be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{payment_id} has the reference")]
pub struct ReferenceUsed {
    pub payment_id: PaymentId,
}
