//! Request bodies. Each is declared once, as a type with its members; how they are read, which codes they can have
//! wrong and how the document shows them come from that.

mod declaration;
mod encoding;
mod fetch;
mod fields;
mod header_key;
mod media_type;
mod member;
mod payment_members;
mod sound;
mod typed;

pub(crate) use declaration::body;
pub use declaration::{ANY_BODY, Body, Members, finished};
pub use fetch::{BodyLimits, check_absent, fetch};
pub use fields::Fields;
pub use header_key::header_key;
pub use member::{Given, Member, MemberSchema, Wrong, codes_of, text_of};
pub use payment_members::{
    Amount, IdempotencyKey, MerchantId, REFERENCE, Reference, Text, is_merchant_id, is_reference,
};
pub use typed::{Bounded, Nested, Optional, OptionalObject, Typed, deserialized, out_of_range};
