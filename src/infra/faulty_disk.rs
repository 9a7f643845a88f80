//! A disk that fails when a test says so: a VFS of SQLite (<https://www.sqlite.org/vfs.html>) over the usual one,
//! through which every file goes that this process opens after [`FaultyDisk::new`]. Real result codes from the real
//! library, also at COMMIT.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Once;

use parking_lot::Mutex;
use rusqlite::ffi;

/// The fault of a write to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// No space is left.
    Full,
    /// The write succeeds, and the sync fails.
    SyncFails,
}

/// Files below a directory can be made to fail; the fault ends when this is dropped.
pub struct FaultyDisk(PathBuf);

static FAULTS: Mutex<Vec<(PathBuf, DiskFault)>> = Mutex::new(Vec::new());
/// Of each open file, by the address that SQLite gave it: its path, and the usual methods.
static FILES: Mutex<Option<HashMap<usize, (PathBuf, Methods)>>> = Mutex::new(None);
/// How many operations a fault has failed, by directory.
static STRUCK: Mutex<Option<HashMap<PathBuf, usize>>> = Mutex::new(None);
static REGISTERED: Once = Once::new();

#[derive(Clone, Copy)]
struct Methods(*const ffi::sqlite3_io_methods);

// SAFETY: the usual methods are a constant of the library.
unsafe impl Send for Methods {}

impl FaultyDisk {
    /// Call it before the files are opened.
    pub fn new(dir: &Path) -> Self {
        REGISTERED.call_once(register);
        Self(dir.canonicalize().unwrap())
    }

    pub fn fail(&self, fault: DiskFault) {
        self.heal();
        FAULTS.lock().push((self.0.clone(), fault));
    }

    /// How many operations have failed.
    pub fn struck(&self) -> usize {
        STRUCK.lock().as_ref().and_then(|struck| struck.get(&self.0).copied()).unwrap_or_default()
    }

    pub fn heal(&self) {
        FAULTS.lock().retain(|(dir, _)| *dir != self.0);
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        self.heal();
    }
}

fn register() {
    // SAFETY: both structures live for ever; SQLite copies neither.
    unsafe {
        let usual = ffi::sqlite3_vfs_find(std::ptr::null());
        let name = CString::new("faulty").unwrap().into_raw();
        let vfs = ffi::sqlite3_vfs { zName: name, pAppData: usual.cast(), xOpen: Some(open), ..*usual };
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1), ffi::SQLITE_OK);
    }
}

/// Opens as usual, and replaces the methods that write.
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with what its documentation says; the usual VFS was stored in `register`.
    unsafe {
        let usual = (*vfs).pAppData.cast::<ffi::sqlite3_vfs>();
        let Some(usual_open) = (*usual).xOpen else { return ffi::SQLITE_CANTOPEN };
        let opened = usual_open(usual, name, file, flags, out_flags);
        let methods = (*file).pMethods;
        if opened != ffi::SQLITE_OK || methods.is_null() || name.is_null() {
            return opened;
        }
        let path = PathBuf::from(CStr::from_ptr(name).to_string_lossy().into_owned());
        FILES.lock().get_or_insert_default().insert(file as usize, (path, Methods(methods)));
        let own = ffi::sqlite3_io_methods {
            xWrite: Some(write),
            xSync: Some(sync),
            xClose: Some(close),
            // SQLite writes nothing past these.
            ..*methods
        };
        (*file).pMethods = Box::leak(Box::new(own));
        opened
    }
}

/// The usual methods of a file, and whether this fault strikes it now.
fn usual(file: *mut ffi::sqlite3_file, fault: DiskFault) -> (*const ffi::sqlite3_io_methods, bool) {
    let files = FILES.lock();
    let (path, methods) = &files.as_ref().unwrap()[&(file as usize)];
    let faults = FAULTS.lock();
    let strikes = faults.iter().find(|(dir, known)| *known == fault && path.starts_with(dir));
    if let Some((dir, _)) = strikes {
        *STRUCK.lock().get_or_insert_default().entry(dir.clone()).or_default() += 1;
    }
    (methods.0, strikes.is_some())
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, amount: c_int, offset: i64) -> c_int {
    match usual(file, DiskFault::Full) {
        (_, true) => ffi::SQLITE_FULL,
        // SAFETY: the usual method on the file that it has opened.
        (methods, false) => unsafe { (*methods).xWrite.unwrap()(file, data, amount, offset) },
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    match usual(file, DiskFault::SyncFails) {
        (_, true) => ffi::SQLITE_IOERR_FSYNC,
        // SAFETY: as above.
        (methods, false) => unsafe { (*methods).xSync.unwrap()(file, flags) },
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let (_, methods) = FILES.lock().as_mut().unwrap().remove(&(file as usize)).unwrap();
    // SAFETY: as above.
    unsafe { (*methods.0).xClose.unwrap()(file) }
}
