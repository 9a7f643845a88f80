//! Backups of a data directory: its SQLite files as they were at one instant, and a manifest that says what they are.
//!
//! A backup is what a SIGKILL at that instant would have left (decision 18), so that what holds after a crash holds
//! after a restore, too. It gets its name when it is whole; one that was cut off has another, and is not restored.

mod copy;
mod cut;
mod error;
mod files;
mod holder;
mod made;
mod manifest;
mod part;
mod restore;
mod schema;
mod take;
#[cfg(test)]
mod tests;
mod verify;

pub use error::{BackupError, RestoreError};
pub use files::is_there;
pub use made::{Made, Undone};
pub use manifest::{Manifest, SavedFile};
pub use part::{DataFile, Part};
pub use restore::{MARKER, restore};
pub use schema::older;
pub use take::{Order, take};
pub use verify::{Verified, verify};
