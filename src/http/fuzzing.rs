//! The reader of bodies, for those who try it with anything.

use crate::flows::AuthorizeRequest;

/// The authorization that a body asks for; none if it is refused.
pub fn authorized(body: &[u8], amount_max: i64) -> Option<AuthorizeRequest> {
    super::body::authorize(body, None, amount_max).ok()
}
