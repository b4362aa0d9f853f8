//! The problem packages on this disk: fetched by digest, checked, unpacked once, shared by all processes that use the
//! folder, and bounded. Everything in it came from the history and can be thrown away at any time.
//!
//! Each package lies in a folder named by its digest, with a list of its files and their digests, which is checked
//! itself. Opening a package looks at the sizes of all files; the digest of a file is checked when it is read
//! ([`CachedPackage::read`]), so that no byte is used unchecked and none is hashed that is not used. What fails a check
//! is put aside and fetched again.
//!
//! Locks are the kernel's, so a killed process leaves none: `.fetch` makes fetchers take turns, `.lock` keeps packages
//! from being moved while they are opened, and whoever uses a package holds its list locked, which keeps it from
//! being removed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::event::ProblemPublished;
use crate::domain::ids::Sha256Digest;
use crate::problems::{self, PackageError};
use crate::store::StoreError;
use crate::store::jetstream::JetStreamStore;

/// How many bytes of packages are kept unless something else is said.
pub const BYTES_MAX_DEFAULT: u64 = 8 << 30;
/// Locked for the time of a fetch.
const FETCH_LOCK: &str = ".fetch";
/// Locked, shared, while a package is opened; alone, while one is moved.
const MOVE_LOCK: &str = ".lock";
/// The list of a package's files. The loader ignores names that begin with a dot.
const LIST: &str = ".files";
/// How much is hashed at once.
const READ_BYTES: usize = 128 << 10;
/// What unfinished fetches lie in.
const UNFINISHED_PREFIX: &str = ".fetching-";

/// Why a package cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be fetched.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be unpacked.
    #[error("the package cannot be unpacked")]
    Package(#[from] PackageError),
    /// A file is not what was unpacked: the disk has damaged it, or it was removed.
    #[error("`{path}` in the package cache is damaged")]
    Damaged {
        /// Which, from the package's root.
        path: String,
    },
    /// There is no such file in the package.
    #[error("the package has no file `{path}`")]
    NoFile {
        /// Which, from the package's root.
        path: String,
    },
    /// A file or folder of the cache could not be read or written.
    #[error("`{path}` could not be {operation}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// A folder of packages.
#[derive(Debug, Clone)]
pub struct PackageCache {
    folder: PathBuf,
    bytes_max: u64,
}

/// A package in the cache. It is not removed while this lives.
#[derive(Debug)]
pub struct CachedPackage {
    root: PathBuf,
    files: BTreeMap<String, FileSum>,
    /// Locked, shared.
    list: File,
}

/// What a file of a package must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct FileSum {
    bytes: u64,
    sha256: Sha256Digest,
}

/// The list of a package's files as it lies on disk, below a line with its own digest.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    files: BTreeMap<String, FileSum>,
}

impl PackageCache {
    /// A cache in this folder, which is made when it is needed. When more than `bytes_max` bytes lie in it, those that
    /// were not used for the longest time are removed; never one in use.
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max }
    }

    /// More bytes than these do not stay in it.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// The package of a revision: from here, or fetched.
    pub async fn get(
        &self,
        store: &JetStreamStore,
        revision: &ProblemPublished,
    ) -> Result<CachedPackage, CacheError> {
        let digest = revision.package;
        if let Some(package) = self.blocking(move |cache| cache.open(digest)).await? {
            return Ok(package);
        }
        let _turn = self.blocking(|cache| cache.lock(FETCH_LOCK, File::lock)).await?;
        // Another process may have fetched it meanwhile.
        if let Some(package) = self.blocking(move |cache| cache.open(digest)).await? {
            return Ok(package);
        }
        let beside = self.blocking(Self::new_beside).await?;
        let compressed = beside.path().join("compressed");
        store.fetch_package(&revision.object, &compressed).await?;
        let bytes = revision.package_bytes;
        self.blocking(move |cache| {
            let unpacked = beside.path().join("package");
            unpack_checked(&compressed, digest, bytes, &unpacked)?;
            fs::remove_file(&compressed).map_err(io_error("removed", &compressed))?;
            write_list(&unpacked)?;
            cache.place(&unpacked, digest, beside.path())
        })
        .await
    }

    /// Has a package that was found damaged fetched again at its next use. One that was fetched again meanwhile stays.
    pub async fn put_aside(&self, digest: Sha256Digest, package: &CachedPackage) -> Result<(), CacheError> {
        let known = package.list.metadata().map_err(io_error("examined", &package.root))?;
        self.blocking(move |cache| {
            let _move = cache.lock(MOVE_LOCK, File::lock)?;
            let list = cache.root_of(digest).join(LIST);
            match fs::metadata(&list) {
                Ok(found) if (found.dev(), found.ino()) == (known.dev(), known.ino()) => {
                    fs::remove_file(&list).map_err(io_error("removed", &list))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    fn root_of(&self, digest: Sha256Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// The package, if it is here and looks whole.
    fn open(&self, digest: Sha256Digest) -> Result<Option<CachedPackage>, CacheError> {
        let root = self.root_of(digest);
        if !root.exists() {
            return Ok(None);
        }
        let _open = self.lock(MOVE_LOCK, File::lock_shared)?;
        match open_list(&root) {
            Ok(package) => Ok(Some(package)),
            Err(error) => {
                tracing::warn!(package = %digest, %error, "a package in the cache is damaged and is fetched again");
                Ok(None)
            }
        }
    }

    /// A folder for a fetch. What earlier fetches left that did not come to their end goes.
    fn new_beside(&self) -> Result<tempfile::TempDir, CacheError> {
        for (name, path) in self.entries()? {
            if name.starts_with(UNFINISHED_PREFIX) {
                fs::remove_dir_all(&path).map_err(io_error("removed", &path))?;
            }
        }
        let made = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(&self.folder);
        made.map_err(io_error("created", &self.folder))
    }

    /// Moves an unpacked package to its place and makes room for it. What was in its place is moved to `beside`.
    fn place(
        &self,
        unpacked: &Path,
        digest: Sha256Digest,
        beside: &Path,
    ) -> Result<CachedPackage, CacheError> {
        let root = self.root_of(digest);
        let _move = self.lock(MOVE_LOCK, File::lock)?;
        if root.exists() {
            // Moved away whole: nobody shall read it while it vanishes.
            fs::rename(&root, beside.join("damaged")).map_err(io_error("moved away", &root))?;
        }
        fs::rename(unpacked, &root).map_err(io_error("moved into place", &root))?;
        let package = open_list(&root).map_err(io_error("opened", &root))?;
        self.evict(beside)?;
        Ok(package)
    }

    /// Moves packages to `beside` until the rest fits: the least recently used first, and none that is in use.
    fn evict(&self, beside: &Path) -> Result<(), CacheError> {
        let mut kept = Vec::new();
        for (name, root) in self.entries()? {
            if name.parse::<Sha256Digest>().is_err() {
                continue;
            }
            // One without its list was put aside: the first to go.
            let list = File::open(root.join(LIST)).ok();
            let used = list
                .as_ref()
                .and_then(|list| list.metadata().ok())
                .map(|list| (list.mtime(), list.mtime_nsec()));
            let bytes = list.as_ref().and_then(|list| read_list(list).ok());
            let bytes = bytes.map_or(0, |list| list.files.values().map(|file| file.bytes).sum::<u64>());
            kept.push((used, name, root, list, bytes));
        }
        kept.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        let mut bytes: u64 = kept.iter().map(|entry| entry.4).sum();
        for (used, name, root, list, bytes_of) in kept {
            if used.is_some() && bytes <= self.bytes_max {
                break;
            }
            if list.is_some_and(|list| list.try_lock().is_err()) {
                continue;
            }
            fs::rename(&root, beside.join(name)).map_err(io_error("moved away", &root))?;
            bytes -= bytes_of;
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>, CacheError> {
        let listed = |error| io_error("listed", &self.folder)(error);
        let entries = fs::read_dir(&self.folder).map_err(listed)?;
        let named = entries
            .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())));
        named.collect::<io::Result<_>>().map_err(listed)
    }

    /// Takes one of the folder's locks until what is returned is dropped.
    fn lock(&self, name: &str, how: impl FnOnce(&File) -> io::Result<()>) -> Result<File, CacheError> {
        let path = self.folder.join(name);
        fs::create_dir_all(&self.folder).map_err(io_error("created", &self.folder))?;
        let file = File::create(&path).map_err(io_error("created", &path))?;
        how(&file).map_err(io_error("locked", &path))?;
        Ok(file)
    }

    /// Runs what blocks where it holds up nothing else.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, CacheError> + Send + 'static,
    ) -> Result<T, CacheError> {
        let cache = self.clone();
        match tokio::task::spawn_blocking(move || work(&cache)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl CachedPackage {
    /// Where its files lie. What is read there without [`CachedPackage::read`] is not checked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Paths of its files, in byte order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether it has this file.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// A file, checked.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, CacheError> {
        let Some(expected) = self.files.get(path) else {
            return Err(CacheError::NoFile { path: path.to_owned() });
        };
        let damaged = || CacheError::Damaged { path: path.to_owned() };
        let bytes = fs::read(self.root.join(path)).map_err(|error| self.cannot_read(path, error))?;
        if Sha256Digest::of(&bytes) == expected.sha256 { Ok(bytes) } else { Err(damaged()) }
    }

    /// Checks all files but those for which `later` says that they will be read by [`CachedPackage::read`].
    pub fn check(&self, later: impl Fn(&str) -> bool) -> Result<(), CacheError> {
        for (path, expected) in self.files.iter().filter(|(path, _)| !later(path)) {
            let digest =
                digest_of_file(&self.root.join(path)).map_err(|error| self.cannot_read(path, error))?;
            if digest != expected.sha256 {
                return Err(CacheError::Damaged { path: path.clone() });
            }
        }
        Ok(())
    }

    /// A file that is gone, as when another process put the package aside, is damage; a disk that does not work is not.
    fn cannot_read(&self, path: &str, error: io::Error) -> CacheError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                CacheError::Damaged { path: path.to_owned() }
            }
            _ => io_error("read", &self.root.join(path))(error),
        }
    }
}

/// Opens the package in a folder of the cache and notes that it was used.
fn open_list(root: &Path) -> io::Result<CachedPackage> {
    let list = File::open(root.join(LIST))?;
    list.lock_shared()?;
    let List { files } = read_list(&list)?;
    for (path, file) in &files {
        let found = fs::symlink_metadata(root.join(path))?;
        if !found.is_file() || found.len() != file.bytes {
            return Err(io::Error::other(format!("`{path}` has another size")));
        }
    }
    futimens(&list, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?;
    Ok(CachedPackage { root: root.to_owned(), files, list })
}

fn read_list(mut list: &File) -> io::Result<List> {
    let mut text = String::new();
    list.read_to_string(&mut text)?;
    let whole = text.split_once('\n').filter(|(digest, json)| {
        digest.parse().is_ok_and(|digest: Sha256Digest| digest == Sha256Digest::of(json.as_bytes()))
    });
    let (_, json) = whole.ok_or_else(|| io::Error::other("its list of files is damaged"))?;
    Ok(serde_json::from_str(json)?)
}

/// Lists the files of a package that was just unpacked.
fn write_list(root: &Path) -> Result<(), CacheError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = |error| io_error("listed", &folder)(error);
        for entry in fs::read_dir(&folder).map_err(listed)? {
            let entry = entry.map_err(listed)?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(io_error("examined", &path))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let sha256 = digest_of_file(&path).map_err(io_error("read", &path))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(relative, FileSum { bytes: metadata.len(), sha256 });
        }
    }
    let path = root.join(LIST);
    let json = serde_json::to_string(&List { files }).unwrap_or_default();
    let text = format!("{}\n{json}", Sha256Digest::of(json.as_bytes()));
    fs::write(&path, text).map_err(io_error("written", &path))
}

/// Unpacks the compressed content of a package, once its digest is known to be right.
fn unpack_checked(
    compressed: &Path,
    digest: Sha256Digest,
    bytes: u64,
    into: &Path,
) -> Result<(), CacheError> {
    let content = || -> Result<_, CacheError> {
        let file = File::open(compressed).map_err(io_error("opened", compressed))?;
        let decoder = zstd::stream::read::Decoder::new(file).map_err(io_error("read", compressed))?;
        // A byte more than there may be is enough to make the digest another.
        Ok(decoder.take(bytes.saturating_add(1)))
    };
    if !digest_of(content()?).is_ok_and(|found| found == digest) {
        return Err(StoreError::Corrupt { what: format!("package {digest}") }.into());
    }
    problems::unpack(content()?, into)?;
    Ok(())
}

fn digest_of_file(path: &Path) -> io::Result<Sha256Digest> {
    digest_of(File::open(path)?)
}

fn digest_of(mut content: impl Read) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(Sha256Digest::from_bytes(hasher.finalize().into())),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError + use<> {
    let path = path.to_owned();
    move |source| CacheError::Io { operation, path, source }
}
