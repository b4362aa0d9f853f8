//! The files of a package directory, listed once and safely: nothing outside the package is followed, nothing that
//! is not a plain file is opened, and number and size are bounded. What the files mean is for the other modules.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::{PackageError, Place, Warning};
use super::package::Format;

/// Bounds of one package. They stop archives and link farms that would fill a disk, far above any real package.
pub(crate) const FILES_MAX: usize = 100_000;
/// Directories within directories.
pub(crate) const DEPTH_MAX: usize = 24;
/// Bytes in one file.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;
/// Bytes in all files, links counted as often as they are used.
pub(crate) const PACKAGE_BYTES_MAX: u64 = 8 << 30;
/// Bytes in a file that is read as text: settings and statements.
pub(crate) const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Bytes in the path of a file below the package's root.
pub(crate) const PATH_BYTES_MAX: usize = 1024;

/// Bytes in one name of a path, as file systems have it.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// The files of a package. Paths are relative to its root, UTF-8, with `/`.
#[derive(Debug)]
pub(crate) struct Tree {
    files: BTreeMap<String, FileEntry>,
    /// The names directly in each directory, and whether each is a directory itself. The root is "".
    directories: BTreeMap<String, BTreeMap<String, bool>>,
    /// Paths whose last name is none that the format allows.
    odd: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    /// Where the bytes are on the host: below the package's root, free of links when it was listed.
    host_path: PathBuf,
    pub(crate) size_bytes: u64,
    pub(crate) executable: bool,
}

impl Tree {
    /// Lists a package. Links within the package are resolved; a link out of it refuses the package.
    pub(crate) fn scan(root: &Path, warnings: &mut Vec<Warning>) -> Result<Tree, PackageError> {
        let host_root = root.canonicalize().map_err(|source| PackageError::io("find", root, source))?;
        if !host_root.is_dir() {
            return Err(PackageError::invalid(Place::file("."), "the package is not a directory"));
        }
        let tree = Tree { files: BTreeMap::new(), directories: BTreeMap::new(), odd: Vec::new() };
        let mut scan = Scan { host_root: host_root.clone(), bytes: 0, tree, warnings };
        scan.directory(&host_root, "", 0)?;
        Ok(scan.tree)
    }

    /// Warns of names that the format does not allow. The newest one wants such files to be passed over.
    pub(crate) fn judge_names(&mut self, format: Format, warnings: &mut Vec<Warning>) {
        let ignored = if format == Format::V2025_09 { ", ignored" } else { "" };
        for path in std::mem::take(&mut self.odd) {
            let what =
                format!("the name has characters other than letters, digits, `_`, `.` and `-`{ignored}");
            if format == Format::V2025_09 {
                self.remove(&path);
            }
            warnings.push(Warning { place: Place::file(path), what });
        }
    }

    fn remove(&mut self, path: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(names) = self.directories.get_mut(directory) {
            names.remove(name);
        }
        let below = format!("{path}/");
        let is_gone = |other: &str| other == path || other.starts_with(&below);
        self.files.retain(|other, _| !is_gone(other));
        self.directories.retain(|other, _| !is_gone(other));
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// All files below a directory, in byte order of their paths.
    pub(crate) fn files_below(&self, directory: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{directory}/");
        let below = self.files.range(prefix.clone()..).map(|(path, _)| path.as_str());
        below.take_while(move |path| path.starts_with(&prefix))
    }

    /// The names directly in a directory, and whether each is a directory; in byte order.
    pub(crate) fn entries<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, bool)> + use<'a> {
        let names = self.directories.get(directory).into_iter().flatten();
        names.map(|(name, is_directory)| (name.as_str(), *is_directory))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }

    pub(crate) fn has_directory(&self, path: &str) -> bool {
        self.directories.contains_key(path)
    }

    /// Reads a text file whole: UTF-8, of bounded size. A byte order mark is dropped.
    pub(crate) fn read_text(&self, path: &str, warnings: &mut Vec<Warning>) -> Result<String, PackageError> {
        let Some(entry) = self.file(path) else {
            return Err(PackageError::invalid(Place::file(path), "is missing"));
        };
        if entry.size_bytes > TEXT_BYTES_MAX {
            let what =
                format!("is too long for a text file: {} bytes, at most {TEXT_BYTES_MAX}", entry.size_bytes);
            return Err(PackageError::invalid(Place::file(path), what));
        }
        let mut bytes = Vec::new();
        entry
            .open()?
            .read_to_end(&mut bytes)
            .map_err(|source| PackageError::io("read", &entry.host_path, source))?;
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count() as u64;
            PackageError::invalid(Place::line(path, line), "is not UTF-8")
        })?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
            let what = "starts with a byte order mark, ignored".to_owned();
            warnings.push(Warning { place: Place::line(path, 1), what });
        }
        Ok(text)
    }
}

impl FileEntry {
    /// Opens the file for reading, at most as many bytes as were listed. Refuses a link that has taken its place.
    pub(crate) fn open(&self) -> Result<impl Read + use<>, PackageError> {
        let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(&self.host_path)
            .map_err(|source| PackageError::io("open", &self.host_path, source))?;
        let is_file = file.metadata().map(|metadata| metadata.is_file());
        if !is_file.map_err(|source| PackageError::io("examine", &self.host_path, source))? {
            let source = std::io::Error::other("no longer a plain file");
            return Err(PackageError::io("open", &self.host_path, source));
        }
        Ok(file.take(self.size_bytes))
    }

    pub(crate) fn host_path(&self) -> &Path {
        &self.host_path
    }
}

struct Scan<'a> {
    host_root: PathBuf,
    bytes: u64,
    tree: Tree,
    warnings: &'a mut Vec<Warning>,
}

impl Scan<'_> {
    /// Lists one directory. `host_path` is free of links; `relative` is how the package names it, "" for the root.
    fn directory(&mut self, host_path: &Path, relative: &str, depth: usize) -> Result<(), PackageError> {
        let read = |source| PackageError::io("list", host_path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(host_path).map_err(read)? {
            names.push(entry.map_err(read)?.file_name());
        }
        names.sort_unstable();
        self.tree.directories.entry(relative.to_owned()).or_default();
        for name in names {
            let Some(name) = name.to_str() else {
                let path = join(relative, &name.to_string_lossy());
                return Err(PackageError::invalid(Place::file(path), "the name is not UTF-8"));
            };
            if is_junk(name) && !(relative.is_empty() && name == ".timelimit") {
                continue;
            }
            let path = join(relative, name);
            if name.starts_with('-') {
                self.warn(&path, "the name starts with `-`, ignored");
                continue;
            }
            if name.chars().any(|character| character.is_control() || character == '\\') {
                let shown = path.escape_default().to_string();
                self.warn(&shown, "the name contains a control character or a backslash, ignored");
                continue;
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
            if !name.bytes().all(plain) {
                self.tree.odd.push(path.clone());
            }
            if path.len() > PATH_BYTES_MAX {
                let what = format!("the path is longer than {PATH_BYTES_MAX} bytes");
                return Err(PackageError::invalid(Place::file(path), what));
            }
            self.entry(&host_path.join(name), path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, host_path: &Path, path: String, depth: usize) -> Result<(), PackageError> {
        let examine = |source| PackageError::io("examine", host_path, source);
        let mut metadata = fs::symlink_metadata(host_path).map_err(examine)?;
        let mut host_path = host_path.to_owned();
        if metadata.is_symlink() {
            let target = fs::read_link(&host_path).map_err(examine)?;
            let Ok(resolved) = host_path.canonicalize() else {
                self.warn(&path, &format!("links to {}, which does not exist; ignored", target.display()));
                return Ok(());
            };
            if !resolved.starts_with(&self.host_root) {
                let what = format!("links to {}, outside the package", target.display());
                return Err(PackageError::invalid(Place::file(path), what));
            }
            if host_path.starts_with(&resolved) {
                let what = format!("links to {}, a directory that contains the link", target.display());
                return Err(PackageError::invalid(Place::file(path), what));
            }
            metadata = fs::symlink_metadata(&resolved).map_err(examine)?;
            host_path = resolved;
        }
        if metadata.is_dir() {
            if depth >= DEPTH_MAX {
                let what = format!("directories are nested more than {DEPTH_MAX} deep");
                return Err(PackageError::invalid(Place::file(path), what));
            }
            self.name(&path, true);
            self.count(&path, 0)?;
            return self.directory(&host_path, &path, depth + 1);
        }
        if !metadata.is_file() {
            let what = "is neither a file nor a directory (a device, pipe or socket)";
            return Err(PackageError::invalid(Place::file(path), what));
        }
        self.count(&path, metadata.size())?;
        self.name(&path, false);
        let executable = metadata.mode() & 0o100 != 0;
        self.tree.files.insert(path, FileEntry { host_path, size_bytes: metadata.size(), executable });
        Ok(())
    }

    fn name(&mut self, path: &str, is_directory: bool) {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.tree.directories.entry(directory.to_owned()).or_default().insert(name.to_owned(), is_directory);
    }

    fn count(&mut self, path: &str, size_bytes: u64) -> Result<(), PackageError> {
        let invalid = |what: String| Err(PackageError::invalid(Place::file(path), what));
        if size_bytes > FILE_BYTES_MAX {
            return invalid(format!("is too big: {size_bytes} bytes, at most {FILE_BYTES_MAX}"));
        }
        self.bytes += size_bytes;
        if self.bytes > PACKAGE_BYTES_MAX {
            return invalid(format!("the package is too big: more than {PACKAGE_BYTES_MAX} bytes"));
        }
        if self.tree.files.len() + self.tree.directories.len() > FILES_MAX {
            return invalid(format!("the package has more than {FILES_MAX} files"));
        }
        Ok(())
    }

    fn warn(&mut self, path: &str, what: &str) {
        self.warnings.push(Warning { place: Place::file(path), what: what.to_owned() });
    }
}

/// What editors, operating systems and interpreters leave behind; never part of a package.
pub(crate) fn is_junk(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || name.ends_with(".pyc")
        || matches!(name, "__pycache__" | "__MACOSX" | "Thumbs.db")
}

pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}
