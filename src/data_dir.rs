//! The data directory: where it is, that it can be written, and that only one process has it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statvfs::statvfs,
};

/// Below this much free space nothing is started: JetStream would refuse its first event anyway, and later.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// A data directory that this process holds; another process is refused until this value is dropped.
///
/// The kernel drops the lock with the process, however it dies, so a crash leaves nothing to clean up.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: Flock<File>,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Neither `--data` nor a home directory says where data go.
    #[error("no data directory: HOME is not set; give one with --data DIR or ASSIZE_DATA")]
    NoHome,
    /// Another process has it.
    #[error("data directory {} is in use by process {pid}; stop that one, or give this one another --data DIR", path.display())]
    Held {
        /// The directory.
        path: PathBuf,
        /// The holder as it wrote itself down, or `unknown`.
        pid: String,
    },
    /// It cannot be created or written.
    #[error("cannot write to data directory {}; give another with --data DIR, or make it writable", path.display())]
    Unwritable {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its file system is full.
    #[error(
        "data directory {} has {} MiB free and needs {}; free some space, or give another with --data DIR",
        path.display(), free_bytes >> 20, wanted_bytes >> 20
    )]
    Full {
        /// The directory.
        path: PathBuf,
        /// What is free for us.
        free_bytes: u64,
        /// What is needed to start.
        wanted_bytes: u64,
    },
}

impl DataDir {
    /// Creates the directory if it is missing, checks that it can be written, and locks it for this process.
    pub fn lock(root: impl AsRef<Path>) -> Result<DataDir, DataDirError> {
        DataDir::lock_with_free(root.as_ref(), FREE_BYTES_MIN)
    }

    /// Where data go when nobody says: `assize` in the user's data folder (XDG).
    pub fn default_root() -> Result<PathBuf, DataDirError> {
        let dirs = directories::ProjectDirs::from("", "", "assize").ok_or(DataDirError::NoHome)?;
        Ok(dirs.data_dir().to_owned())
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The private nats-server's folder: settings, credentials, log and the history.
    pub fn nats(&self) -> PathBuf {
        nats_folder(&self.root)
    }

    fn lock_with_free(root: &Path, wanted_bytes: u64) -> Result<DataDir, DataDirError> {
        let unwritable = |source: io::Error| match source.raw_os_error() {
            Some(code) if [Errno::ENOSPC, Errno::EDQUOT].contains(&Errno::from_raw(code)) => {
                DataDirError::Full { path: root.to_owned(), free_bytes: 0, wanted_bytes }
            }
            _ => DataDirError::Unwritable { path: root.to_owned(), source },
        };
        // Credentials and other people's sources live below: nobody else looks in.
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(unwritable)?;
        // The path ends up in a configuration file and in the stale server's command line: one spelling.
        let root_absolute = fs::canonicalize(root).map_err(unwritable)?;
        let path = root_absolute.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(unwritable)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut pid = String::new();
                // The holder writes its pid after it locks: an empty file is a holder of this very moment.
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
                return Err(DataDirError::Held { path: root_absolute, pid });
            }
            Err((_, errno)) => return Err(unwritable(errno.into())),
        };
        let free_bytes = free_bytes(&root_absolute).map_err(unwritable)?;
        if free_bytes < wanted_bytes {
            return Err(DataDirError::Full { path: root_absolute, free_bytes, wanted_bytes });
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .and_then(|()| lock.sync_all())
            .map_err(unwritable)?;
        Ok(DataDir { root: root_absolute, _lock: lock })
    }
}

/// The private nats-server's folder in a data directory that somebody else may hold.
pub(crate) fn nats_folder(root: &Path) -> PathBuf {
    root.join("nats")
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = statvfs(path)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/data");
        let held = DataDir::lock(&root).unwrap();
        let refusal = DataDir::lock(&root).unwrap_err().to_string();
        assert!(refusal.contains(&format!("in use by process {}", std::process::id())), "{refusal}");
        drop(held);
        DataDir::lock(&root).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for root in [file.join("data"), file, PathBuf::from("/proc/assize")] {
            let refusal = DataDir::lock(&root).unwrap_err();
            assert!(matches!(refusal, DataDirError::Unwritable { .. }), "{refusal:?}");
            assert!(refusal.to_string().contains(&root.display().to_string()), "{refusal}");
        }
    }

    #[test]
    fn a_full_disk_is_refused_with_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = DataDir::lock_with_free(folder.path(), u64::MAX).unwrap_err();
        assert!(matches!(refusal, DataDirError::Full { .. }), "{refusal:?}");
        // The refused attempt left no lock behind.
        DataDir::lock(folder.path()).unwrap();
    }
}
