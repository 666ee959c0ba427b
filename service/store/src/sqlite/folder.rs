//! The data folder: made for us alone, and locked while we use it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::fault::OpenFault;

/// A folder that this process alone may use, until it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder of `database` if it is missing (0700), locks it, and makes sure that the file is there and
    /// readable by nobody else (0600; SQLite gives `-wal` and `-shm` the same mode).
    pub(crate) fn lock(database: &Path) -> Result<Folder, OpenFault> {
        let folder = match database.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let fault = |path: &Path, cause: std::io::Error| OpenFault::Folder {
            path: path.to_owned(),
            cause: cause.to_string(),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|cause| fault(folder, cause))?;
        let lock = File::open(folder).map_err(|cause| fault(folder, cause))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenFault::InUse { path: folder.to_owned() }),
            Err(errno) => return Err(fault(folder, errno.into())),
        }
        // A link would bring the database of another folder under this folder's lock.
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_link);
        let file = options.open(database).map_err(|cause| fault(database, cause))?;
        let mode = file.metadata().map_err(|cause| fault(database, cause))?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))
                .map_err(|cause| fault(database, cause))?;
        }
        // The names of new files must survive a power loss too.
        lock.sync_all().map_err(|cause| fault(folder, cause))?;
        Ok(Folder { _lock: lock })
    }
}

/// A folder for one test, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new folder with a random name below the system's folder for such.
    pub(crate) fn new() -> Result<Scratch, OpenFault> {
        let name = format!("tessera-{}", crypto::hex::encode(&crypto::random::array::<12>()));
        let path = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|cause| OpenFault::Folder { path: path.clone(), cause: cause.to_string() })?;
        Ok(Scratch(path))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("tessera.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_goes_with_its_store() {
        let scratch = Scratch::new().unwrap();
        let folder = Folder::lock(&scratch.database()).unwrap();
        let path = scratch.0.clone();
        assert!(path.join("tessera.db").exists());
        drop((folder, scratch));
        assert!(!path.exists());
    }
}
