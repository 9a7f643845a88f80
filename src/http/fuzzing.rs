//! The reader of bodies, for those who try it with anything.

use super::body::{Body, Given};
use super::payments::AuthorizeBody;
use crate::flows::AuthorizeRequest;

/// The authorization that a body asks for; none if it is refused.
pub fn authorized(body: &[u8], amount_max: i64) -> Option<AuthorizeRequest> {
    AuthorizeBody::read(body, &Given { header_key: None, amount_max }).and_then(AuthorizeBody::into_request).ok()
}
