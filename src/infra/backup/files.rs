//! Files that are known by their SHA-256, and paths that may not be there yet.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

const BUFFER_BYTES: usize = 1 << 20;

/// Which side of a copy failed.
#[derive(Debug)]
pub enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Writes all of `from` into `to`; how much it was, and its SHA-256.
pub fn digest(mut from: impl Read, mut to: impl Write) -> Result<(u64, String), CopyError> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; BUFFER_BYTES]);
    loop {
        let read = from.read(&mut buffer).map_err(CopyError::Read)?;
        if read == 0 {
            return Ok((bytes, hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
        bytes = bytes.saturating_add(read as u64);
    }
}

/// Opens a regular file to read; none for anything else. A FIFO would be waited for, a device may do anything when it
/// is opened, and a link leads out of the backup.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    // In case that it has become something else by now.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Whether there is anything under the path. What cannot be known is an error, and not taken for nothing.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The path without links and dots. Its end need not be there yet.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            Ok(canonical(&above(path))?.join(name))
        }
        found => found,
    }
}

/// Makes the names in a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory above.
pub fn above(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_path_is_known_before_its_end_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        assert_eq!(canonical(&real.join("link/a/b/")).unwrap(), real.join("a/b"));
        assert_eq!(canonical(&real.join("link/a/.")).unwrap(), real.join("a"));
        assert_eq!(canonical(Path::new("no-such")).unwrap(), fs::canonicalize(".").unwrap().join("no-such"));
        assert!(canonical(&real.join("no/../such/..")).is_err(), "not guessed");
    }
}
