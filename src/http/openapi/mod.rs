//! The contract as OpenAPI 3.1, made from the endpoints' declarations, and a page to browse it.

mod document;
mod headers;
mod names;
mod page;
mod problems;
mod serve;
#[cfg(test)]
mod tests;

use super::endpoint::Entry;

pub use document::document;
pub use page::page_file;
pub use serve::ApiDocument;

pub const ENDPOINTS: &[Entry] = &[Entry::of::<serve::ShowDocument>(), Entry::of::<page::ShowPage>()];
