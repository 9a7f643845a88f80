//! Every endpoint, once: the server goes by this list, and the document and the tests are made from it.

use super::endpoint::Entry;
use super::{admin, explain, health, merchants, openapi, payments, program, refunds};

/// All endpoints, in the order in which their paths are tried.
pub fn endpoints() -> impl Iterator<Item = &'static Entry> {
    let for_merchants = [payments::ENDPOINTS, refunds::ENDPOINTS, merchants::ENDPOINTS];
    let others = [program::ENDPOINTS, health::ENDPOINTS, admin::ENDPOINTS, explain::ENDPOINTS, openapi::ENDPOINTS];
    let resources = for_merchants.into_iter().chain(others);
    resources.flatten()
}
