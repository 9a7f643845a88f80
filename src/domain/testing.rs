//! Values that the tests of several rooms need.

use super::commands::{Authorize, RecordPspOutcome};
use super::currency::Currency;
use super::id::PaymentId;
use super::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use super::money::Money;
use super::payment::CaptureMode;
use super::psp::Verdict;
use super::trace::TraceContext;

pub const TRACE: TraceContext = TraceContext { trace_id: 0xabc, span_id: 1, sampled: false };

pub fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::parse("KRW").unwrap())
}

pub fn approved(minor: i64) -> Verdict {
    Verdict::Approved { reference: "psp_1".into(), money: krw(minor) }
}

/// What the PSP says of an authorization, as the one who had it sent records it.
pub fn concluded(order: &Authorize, verdict: Verdict) -> RecordPspOutcome {
    RecordPspOutcome {
        payment_id: order.payment_id,
        key_hash: order.keyed_request.key_hash,
        verdict,
        looked_up_at: None,
        took_ms: 1,
        request_id: "r".into(),
        trace: order.trace,
    }
}

/// An authorization of `MERCHANT-1` for payment `id`, with a key of its own.
pub fn order(id: i64, minor: i64) -> Authorize {
    let key = format!("key-{id}");
    Authorize {
        payment_id: PaymentId::from_stored(id),
        merchant_id: "MERCHANT-1".into(),
        money: krw(minor),
        capture_mode: CaptureMode::Manual,
        merchant_reference: None,
        description: None,
        metadata: Default::default(),
        keyed_request: KeyedRequest {
            key_hash: KeyHash::new("MERCHANT-1", PaymentOperation::Authorize, None, &key),
            fingerprint: Fingerprint::of([("amount", minor.to_string().as_str())]),
            key,
            operation: PaymentOperation::Authorize,
        },
        trace: TRACE,
    }
}
