//! What must hold of idempotency keys: each points at its payment, and has an answer once there is one.

use super::report::Finding;
use super::report::Invariant::{KeysAnswers, KeysPayments};
use crate::domain::key::PaymentOperation;
use crate::domain::payment::PaymentStatus;
use crate::domain::{PaymentId, ShardId};
use crate::infra::database::audit::{KeyFact, PaymentFact};

/// Holds a key against the payment that it names.
pub fn judge(shard: ShardId, key: &KeyFact, payment: Option<&PaymentFact>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = hex::encode(&key.scope);
    let name = format!("shard {shard}: {} key {name} of {}", key.operation, PaymentId::from_stored(key.payment_id));
    let authorizes = key.operation == PaymentOperation::Authorize.name();
    match payment {
        None => findings.push(Finding::broken(KeysPayments, format!("{name}: no such payment"))),
        Some(payment) if authorizes && payment.claim != key.scope => {
            findings.push(Finding::broken(KeysPayments, format!("{name}: the payment has another key")));
        }
        Some(_) => {}
    }
    if key.has_outcome != key.finished_at.is_some() {
        findings.push(Finding::broken(KeysAnswers, format!("{name}: finished without an answer, or the reverse")));
    } else if !key.has_outcome {
        // Only an authorization is under way between two commits; everything else takes its key with its answer.
        let is_running = payment.is_some_and(|payment| payment.status == PaymentStatus::Authorizing.name());
        if authorizes && is_running {
            findings.push(Finding::in_flight(KeysAnswers, name));
        } else if payment.is_some() {
            findings.push(Finding::broken(KeysAnswers, format!("{name}: the payment is concluded, the key is not")));
        }
    }
    findings
}
