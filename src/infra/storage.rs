//! How much room there is on the disk of the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opentelemetry::KeyValue;

use crate::infra::telemetry::catalogue;
use crate::runtime::{Metric, meter};

/// The disk that a directory is on. Clones share it.
#[derive(Debug, Clone)]
pub struct Storage(Arc<PathBuf>);

/// The figures of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write.
    pub free_bytes: u64,
    pub size_bytes: u64,
}

impl Storage {
    /// Shown by the metrics for as long as somebody holds it.
    pub fn exported(directory: &Path) -> Self {
        let storage = Self(Arc::new(directory.to_owned()));
        storage.show(catalogue::STORAGE_FREE, |room| room.free_bytes);
        storage.show(catalogue::STORAGE_SIZE, |room| room.size_bytes);
        storage
    }

    fn show(&self, metric: Metric, figure: impl Fn(Room) -> u64 + Send + Sync + 'static) {
        let directory = Arc::downgrade(&self.0);
        let meter = meter();
        let gauge = meter.u64_observable_gauge(metric.name).with_description(metric.about).with_unit(metric.unit);
        let observed = gauge.with_callback(move |gauge| {
            // A directory that does not exist has no figure.
            if let Some((directory, Ok(room))) = directory.upgrade().map(|path| (path.clone(), room(&path))) {
                gauge.observe(figure(room), &[KeyValue::new("path", directory.display().to_string())]);
            }
        });
        observed.build();
    }

    /// # Errors
    /// When the directory is not there or cannot be asked.
    pub fn room(&self) -> std::io::Result<Room> {
        room(&self.0)
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }
}

/// # Errors
/// When the directory is not there or cannot be asked.
pub fn room(directory: &Path) -> std::io::Result<Room> {
    let found = rustix::fs::statvfs(directory)?;
    Ok(Room {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        size_bytes: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_directory_has_room_and_missing_one_has_no_figure() {
        let directory = tempfile::tempdir().unwrap();
        let found = room(directory.path()).unwrap();
        assert!(found.free_bytes > 0 && found.size_bytes >= found.free_bytes, "{found:?}");
        assert!(room(&directory.path().join("gone")).is_err());
    }
}
