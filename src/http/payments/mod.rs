//! `/payments`: authorize, capture, void, refund, look up and list.

mod answer;
mod authorize;
mod capture;
mod change;
mod failure_view;
mod list;
mod look_up;
mod page_view;
mod payment_view;
mod refund;
#[cfg(test)]
mod tests;
mod timeline;
mod timeline_view;
mod void;
mod window;

use super::endpoint::Entry;

pub use page_view::Shown;
pub use payment_view::{LedgerEntryView, PaymentView, RefundView};
pub use window::{
    CREATED_AFTER, CREATED_BEFORE, LIMIT, MERCHANT_ID, cursor, ending_before, merchant_of, name_of, not_the_merchants,
    starting_after, statuses, window,
};

#[cfg(any(test, fuzzing))]
pub use authorize::AuthorizeBody;

pub const ENDPOINTS: &[Entry] = &[
    Entry::of::<authorize::AuthorizePayment>(),
    Entry::of::<capture::CapturePayment>(),
    Entry::of::<void::VoidPayment>(),
    Entry::of::<refund::RefundPayment>(),
    Entry::of::<timeline::ShowTimeline>(),
    Entry::of::<look_up::LookUpPayment>(),
    Entry::of::<list::ListPayments>(),
];
