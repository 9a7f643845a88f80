//! Backups of a data directory: its SQLite files as they were at one instant, and a manifest that says what they are.
//!
//! A backup is what a SIGKILL at that instant would have left (decision 18), so that what holds after a crash holds
//! after a restore, too. The manifest is written last: a backup that was cut off has none, and is not restored.

mod copy;
mod cut;
mod error;
mod files;
mod manifest;
mod part;
mod restore;
mod schema;
mod take;
#[cfg(test)]
mod tests;

pub use error::{BackupError, RestoreError};
pub use manifest::{Manifest, SavedFile};
pub use part::{DataFile, Part};
pub use restore::{MARKER, Verified, restore, verify};
pub use schema::older;
pub use take::{Order, take};
