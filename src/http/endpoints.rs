//! Every endpoint, once: the server goes by this list, and the document and the tests are made from it.

use super::endpoint::Entry;
use super::{admin, explain, health, openapi, payments, program};

/// All endpoints, in the order in which their paths are tried.
pub fn endpoints() -> impl Iterator<Item = &'static Entry> {
    let resources = [
        payments::ENDPOINTS,
        program::ENDPOINTS,
        health::ENDPOINTS,
        admin::ENDPOINTS,
        explain::ENDPOINTS,
        openapi::ENDPOINTS,
    ];
    resources.into_iter().flatten()
}
