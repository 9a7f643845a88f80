//! What is stored as JSON, in types of its own. The text is a contract: with the rows that there are, and with the
//! versions before and after this one, which read and write the same rows while an upgrade goes on. Neither the API nor
//! the domain can change it by the way.

pub mod failure;
mod refusal;
pub mod response;

pub use failure::StoredFailure;
pub use refusal::StoredRefusal;
