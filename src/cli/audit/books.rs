//! The PSP simulator's books, wherever they are.

use std::error::Error;

use crate::infra::psp::http::HttpBooks;
use crate::infra::psp::simulator::books::{Authorization, Books as FileBooks, OperationEntry};

/// The books cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BooksError(Box<dyn Error + Send + Sync>);

fn unreadable(error: impl Error + Send + Sync + 'static) -> BooksError {
    BooksError(Box::new(error))
}

/// The books of a simulator in the node's process, or of one that serves them.
pub enum Books {
    File(FileBooks),
    Http(HttpBooks),
}

impl Books {
    /// Up to `max` authorizations whose reference is above `after`, by reference.
    pub async fn authorizations(&self, after: &str, max: u32) -> Result<Vec<Authorization>, BooksError> {
        match self {
            Self::File(books) => books.authorizations(after, max).await.map_err(unreadable),
            Self::Http(books) => books.authorizations(after, max).await.map_err(unreadable),
        }
    }

    /// Up to `max` operations whose key is above `after`, by key.
    pub async fn operations(&self, after: &str, max: u32) -> Result<Vec<OperationEntry>, BooksError> {
        match self {
            Self::File(books) => books.operations(after, max).await.map_err(unreadable),
            Self::Http(books) => books.operations(after, max).await.map_err(unreadable),
        }
    }

    /// The operation under a key.
    pub async fn operation(&self, key: &str) -> Result<Option<OperationEntry>, BooksError> {
        match self {
            Self::File(books) => books.operation(key).await.map_err(unreadable),
            Self::Http(books) => books.operation(key).await.map_err(unreadable),
        }
    }
}
