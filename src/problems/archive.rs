//! The canonical content of a package: one deterministic tar whose SHA-256 identifies the package everywhere.
//! Whether the content is a good package is not asked here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{PackageError, Place};
use super::tree::{self, Tree};

/// Writes the canonical archive of a package directory to `sink` and returns its digest: SHA-256 in lower-case
/// hexadecimal. With `io::sink()` it only computes the digest. `with` is the path and the content of a file in it that
/// does not lie in the directory, or takes the place of one that does: plain and below the root.
pub fn write_canonical_archive(
    dir: &Path,
    with: Option<(&str, &[u8])>,
    sink: impl Write,
) -> Result<String, PackageError> {
    // What a scan warns about is ignored here in the same way as it is by `load`.
    let tree = Tree::scan(dir, &mut Vec::new())?;
    let mut builder = tar::Builder::new(Hashing { inner: sink, hasher: Sha256::new() });
    let mut waiting = with;
    let insert = |builder: &mut tar::Builder<_>, (path, content): (&str, &[u8])| {
        let appended = builder.append_data(&mut header(content.len() as u64, false), path, content);
        appended.map_err(|source| PackageError::io("archive", dir, source))
    };
    for (path, entry) in tree.files() {
        if let Some(file) = waiting.take_if(|(of, _)| *of <= path) {
            insert(&mut builder, file)?;
        }
        if with.is_some_and(|(of, _)| of == path) {
            continue;
        }
        let mut header = header(entry.size_bytes, entry.executable);
        let mut content = Counting { inner: entry.open()?, bytes: 0 };
        let write = |source| PackageError::io("archive", entry.host_path(), source);
        builder.append_data(&mut header, path, &mut content).map_err(write)?;
        if content.bytes != entry.size_bytes {
            return Err(write(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file shrank while it was read",
            )));
        }
    }
    if let Some(file) = waiting {
        insert(&mut builder, file)?;
    }
    let write = |source| PackageError::io("archive", dir, source);
    let mut hashing = builder.into_inner().map_err(write)?;
    hashing.flush().map_err(write)?;
    Ok(hex::encode(hashing.hasher.finalize()))
}

/// The file at `path` in a canonical archive, if it is there.
pub fn file_in_archive(archive: impl Read, path: &str) -> Result<Option<Vec<u8>>, PackageError> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if *entry.path_bytes() == *path.as_bytes() && entry.size() <= tree::TEXT_BYTES_MAX {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(damaged)?;
            return Ok(Some(content));
        }
    }
    Ok(None)
}

fn header(size_bytes: u64, executable: bool) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size_bytes);
    header
}

/// Unpacks an archive into `into`, which is created and must be empty. Only plain files with paths that stay inside
/// are accepted, each at most once, within the bounds of a package. Returns the digest of the bytes read: the caller
/// compares it with the one it asked for. After an error the directory may hold a part of the package.
pub fn unpack(archive: impl Read, into: &Path) -> Result<String, PackageError> {
    fs::create_dir_all(into).map_err(|source| PackageError::io("create", into, source))?;
    let mut listing = fs::read_dir(into).map_err(|source| PackageError::io("list", into, source))?;
    if listing.next().is_some() {
        let source = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(PackageError::io("unpack into", into, source));
    }
    let mut archive = tar::Archive::new(Hashing { inner: archive, hasher: Sha256::new() });
    let mut seen = BTreeSet::new();
    let mut bytes = 0_u64;
    let entries = archive.entries().map_err(damaged)?;
    for entry in entries {
        let mut entry = entry.map_err(damaged)?;
        let path = entry_path(&entry.path_bytes())?;
        let invalid = |what: String| Err(PackageError::invalid(Place::file(&path), what));
        match entry.header().entry_type() {
            tar::EntryType::Regular => {}
            // Archives made by hand name their directories; ours do not.
            tar::EntryType::Directory => continue,
            kind => {
                return invalid(format!("the archive holds something that is not a plain file: {kind:?}"));
            }
        }
        bytes = bytes.saturating_add(entry.size());
        if entry.size() > tree::FILE_BYTES_MAX
            || bytes > tree::PACKAGE_BYTES_MAX
            || seen.len() >= tree::FILES_MAX
        {
            return invalid("the archive is too big for a package".to_owned());
        }
        if !seen.insert(path.clone()) {
            return invalid("the archive holds this file twice".to_owned());
        }
        if Path::new(&path).ancestors().skip(1).any(|parent| seen.contains(&*parent.to_string_lossy())) {
            return invalid("the archive holds a file where this path needs a directory".to_owned());
        }
        let executable = entry.header().mode().map_err(damaged)? & 0o100 != 0;
        let target = into.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|source| PackageError::io("create", parent, source))?;
        }
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(if executable { 0o755 } else { 0o644 })
            .open(&target);
        // The directory was empty and no file comes twice: what is there can only be a directory.
        let mut file = match file {
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                return invalid("the archive holds a directory and a file of this name".to_owned());
            }
            file => file.map_err(|source| PackageError::io("create", &target, source))?,
        };
        let expected = entry.size();
        let written =
            io::copy(&mut entry, &mut file).map_err(|source| PackageError::io("write", &target, source))?;
        if written != expected {
            return invalid("the archive ends in the middle of this file".to_owned());
        }
    }
    // The rest, padding included, belongs to the digest.
    let mut hashing = archive.into_inner();
    io::copy(&mut hashing, &mut io::sink()).map_err(damaged)?;
    Ok(hex::encode(hashing.hasher.finalize()))
}

fn damaged(error: io::Error) -> PackageError {
    PackageError::invalid(Place::file("archive"), format!("is not a readable tar: {error}"))
}

/// The path of an entry, if it is one that stays inside: relative, without `..`, of bounded length, and without
/// characters that no format allows.
pub(super) fn entry_path(bytes: &[u8]) -> Result<String, PackageError> {
    let path = path_inside(bytes)?;
    if path.chars().any(|character| character.is_control() || character == '\\') {
        let what = "the name contains a control character or a backslash";
        return Err(PackageError::invalid(shown(bytes), what));
    }
    Ok(path)
}

/// The same without regard to characters, except for those that no file name has.
pub(super) fn path_inside(bytes: &[u8]) -> Result<String, PackageError> {
    let invalid = |what: &str| Err(PackageError::invalid(shown(bytes), what));
    let Ok(path) = std::str::from_utf8(bytes) else {
        return invalid("the name is not UTF-8");
    };
    if path.is_empty() || path.len() > tree::PATH_BYTES_MAX {
        return invalid("the path is empty or too long");
    }
    if path.contains('\0') {
        return invalid("the name contains a NUL");
    }
    let mut inside = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) if name.len() > tree::NAME_BYTES_MAX => {
                return invalid("a name in the path is longer than a file system can have");
            }
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return invalid("the path leads out of the package");
            }
        }
    }
    if inside.components().count() > tree::DEPTH_MAX + 1 {
        return invalid("directories are nested too deep");
    }
    // Lossless: it was UTF-8 before.
    Ok(inside.to_string_lossy().into_owned())
}

fn shown(bytes: &[u8]) -> Place {
    Place::file(bytes.escape_ascii().to_string())
}

struct Hashing<T> {
    inner: T,
    hasher: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

struct Counting<T> {
    inner: T,
    bytes: u64,
}

impl<T: Read> Read for Counting<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}
