//! Request bodies. Each is declared once, as a type with its members; how they are read, which codes they can have
//! wrong and how the document shows them come from that.

mod card;
mod declaration;
mod fetch;
mod fields;
mod header_key;
mod member;
mod payment_members;
mod sound;
mod typed;

pub(crate) use declaration::body;
pub use declaration::{ANY_BODY, Body, Members, finished};
pub use fetch::{BodyLimits, fetch};
pub use fields::Fields;
pub use header_key::header_key;
pub use member::{Given, Member, MemberSchema, Wrong, codes_of, text_of};
pub use payment_members::{
    Amount, IdempotencyKey, MerchantId, REFERENCE, Reference, Text, is_merchant_id, is_reference,
};
pub use typed::{Nested, Optional, OptionalObject, Typed, deserialized};
