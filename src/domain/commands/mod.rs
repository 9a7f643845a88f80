//! What a shard can be asked to change: one command, one file, with the rows that it reads and what it decides on them.
//! A decision looks at the rows of the unit of work and either writes the whole change into it or says why not. Nothing
//! else in Rialto changes a payment.

mod abandon_authorization;
mod authorize;
mod change_payment;
mod close_dead_letter;
mod discard;
mod expire_authorization;
mod mark_published;
mod ping;
mod post_ledger_entry;
mod record_operator_action;
mod record_psp_attempt;
mod record_psp_outcome;
mod redrive;
mod shared;
mod store_dead_letter;

pub use abandon_authorization::AbandonAuthorization;
pub use authorize::Authorize;
pub use change_payment::{Change, ChangePayment};
pub use close_dead_letter::CloseDeadLetter;
pub use discard::Discard;
pub use expire_authorization::ExpireAuthorization;
pub use mark_published::MarkPublished;
pub use ping::Ping;
pub use post_ledger_entry::{PostLedgerEntry, PostLedgerEntryAnew, PostingError};
pub use record_operator_action::RecordOperatorAction;
pub use record_psp_attempt::{Attempted, RecordPspAttempt};
pub use record_psp_outcome::RecordPspOutcome;
pub use redrive::Redrive;
pub use store_dead_letter::StoreDeadLetter;

#[cfg(test)]
mod dead_letter_tests;
