//! Packages that come as a zip: every entry is judged before anything is written, and nothing is written through a
//! link. Where they are unpacked, and what becomes of them then, is for `open`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Component, Path};

use zip::read::{Config, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipReadOptions};

use super::archive::{entry_path, path_inside};
use super::error::{PackageError, Place};
use super::tree::{self, is_junk};

/// An archive that grows beyond this when it is unpacked must not grow by more than [`RATIO_MAX`].
const RATIO_FREE_BYTES: u64 = 256 << 20;
/// How many times larger than the archive its content may be. Test data of one repeated line come to some hundreds.
const RATIO_MAX: u64 = 400;

/// What is being unpacked, for errors about the archive as a whole.
const ARCHIVE: &str = "archive";
/// Type bits of a Unix mode.
const TYPE_BITS: u32 = 0o170_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_LINK: u32 = 0o120_000;

/// An entry that may be unpacked.
struct Admitted {
    /// From the archive's root, cleaned.
    path: String,
    kind: Kind,
    entry: ZipFileEntry<'static>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File { executable: bool },
    Link,
}

/// Unpacks the package in a zip of `archive_bytes` bytes into the empty directory `into`. It lies at the root of the
/// archive or in the only folder there, whose name is returned. After an error the directory may hold a part of it.
pub(super) fn unpack_zip(
    archive: impl Read + Seek,
    archive_bytes: u64,
    into: &Path,
) -> Result<Option<String>, PackageError> {
    let mut archive = opened(archive)?;
    let entries = archive.files().map_err(|error| damaged(Place::file(ARCHIVE), error))?;
    let mut odd_name = None;
    let mut admitted = admit_all(entries.by_ref(), archive_bytes, |named| {
        odd_name = odd_name.take().or_else(|| entry_path(named).err());
        // Whoever lists the package passes over names that no format allows, and says so.
        path_inside(named)
    })?;
    // Where there is nothing else, backslashes are what someone took for `/`.
    let is_problem = |path: &str| path.rsplit('/').next() == Some("problem.yaml");
    if let Some(error) = odd_name.filter(|_| !admitted.iter().any(|entry| is_problem(&entry.path))) {
        return Err(error);
    }
    // What is never part of a package takes no room either.
    admitted.retain(|entry| !entry.path.split('/').any(|name| is_junk(name) && name != ".timelimit"));
    let top = top_folder(&admitted);
    let prefix = top.as_ref().map(|top| format!("{top}/")).unwrap_or_default();
    let mut links = BTreeMap::new();
    for Admitted { path, kind, entry } in admitted {
        let Some(inside) = path.strip_prefix(&prefix) else { continue };
        let target = into.join(inside);
        let parent = if kind == Kind::Directory { Some(target.as_path()) } else { target.parent() };
        if let Some(parent) = parent {
            fs::create_dir_all(parent).map_err(|source| PackageError::io("create", parent, source))?;
        }
        let Kind::File { executable } = kind else {
            if kind == Kind::Link {
                links.insert(inside.to_owned(), link_target(&path, inside, entry, entries.reader_mut())?);
            }
            continue;
        };
        write_file(&path, entry, entries.reader_mut(), &target, executable)?;
    }
    // Only now, so that no file was written through one.
    for (inside, points_to) in links {
        let link = into.join(inside);
        symlink(&points_to, &link).map_err(|source| PackageError::io("link", &link, source))?;
    }
    Ok(top)
}

/// The files in a zip, in the order of their paths, where they are no larger than `bytes_max` all together. Links are
/// refused, and directories have no say.
pub fn zipped_files(archive: &[u8], bytes_max: u64) -> Result<Vec<(String, Vec<u8>)>, PackageError> {
    let archive_bytes = archive.len() as u64;
    let mut archive = opened(Cursor::new(archive))?;
    let entries = archive.files().map_err(|error| damaged(Place::file(ARCHIVE), error))?;
    let mut admitted = admit_all(entries.by_ref(), archive_bytes, entry_path)?;
    if admitted.iter().map(|admitted| admitted.entry.size()).sum::<u64>() > bytes_max {
        return refuse(ARCHIVE, format!("the files are larger than {bytes_max} bytes"));
    }
    admitted.retain(|entry| !entry.path.split('/').any(is_junk));
    let mut files = BTreeMap::new();
    for Admitted { path, kind, entry } in admitted {
        match kind {
            Kind::Directory => {}
            Kind::Link => return refuse(&path, "is a link".to_owned()),
            Kind::File { .. } => {
                let declared = entry.size();
                let reading = |error| damaged(Place::file(&path), error);
                let content = entry.with_reader(entries.reader_mut(), ZipReadOptions::default());
                let mut bytes = Vec::new();
                let read = content.map_err(reading)?.take(declared.saturating_add(1)).read_to_end(&mut bytes);
                read.map_err(|error| reading(error.into()))?;
                if bytes.len() as u64 != declared {
                    return refuse(&path, format!("does not have the {declared} bytes that are declared"));
                }
                files.insert(path, bytes);
            }
        }
    }
    Ok(files.into_iter().collect())
}

/// An archive whose directory can be read, and is not too long.
fn opened<R: Read + Seek>(archive: R) -> Result<ZipIterable<R>, PackageError> {
    let archive = ZipIterable::try_new(archive, Config::default())
        .map_err(|error| damaged(Place::file(ARCHIVE), error))?
        .enforce_header_consistency(true);
    if archive.len() > tree::FILES_MAX {
        return refuse(ARCHIVE, format!("the archive has more than {} entries", tree::FILES_MAX));
    }
    Ok(archive)
}

/// Judges all entries of an archive of `archive_bytes` bytes, each by itself and then together. `path_of` makes a path of
/// a name.
fn admit_all(
    entries: impl Iterator<Item = Result<ZipFileEntry<'static>, ZipError>>,
    archive_bytes: u64,
    mut path_of: impl FnMut(&[u8]) -> Result<String, PackageError>,
) -> Result<Vec<Admitted>, PackageError> {
    let mut admitted = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| damaged(Place::file(ARCHIVE), error))?;
        let path = path_of(entry.name_raw())?;
        admitted.push(admit(entry, path)?);
    }
    refuse_bombs(&admitted, archive_bytes)?;
    refuse_clashes(&admitted)?;
    Ok(admitted)
}

/// Judges one entry of this path by what the directory of the archive says of it.
fn admit(entry: ZipFileEntry<'static>, path: String) -> Result<Admitted, PackageError> {
    let named = entry.name_raw();
    let invalid = |what: &str| refuse(&path, what.to_owned());
    if path.is_empty() {
        return invalid("the entry has no name");
    }
    if matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return invalid("the path names a drive");
    }
    if entry.encrypted() {
        return invalid("the entry is encrypted");
    }
    let is_named_directory = named.ends_with(b"/");
    // Archives from systems without such modes have none.
    let mode = entry.unix_mode().unwrap_or(0);
    let kind = match mode & TYPE_BITS {
        TYPE_DIRECTORY => Kind::Directory,
        0 | TYPE_FILE if is_named_directory => Kind::Directory,
        0 | TYPE_FILE => Kind::File { executable: mode & 0o100 != 0 },
        TYPE_LINK if !is_named_directory => Kind::Link,
        _ => return invalid("is neither a file nor a directory (a device, pipe or socket)"),
    };
    match (kind, entry.compression()) {
        (Kind::Directory, _) if entry.size() > 0 => return invalid("is a directory with content"),
        (Kind::Directory, _) | (_, CompressionMethod::Stored | CompressionMethod::Deflated) => {}
        (_, other) => return invalid(&format!("is compressed by {other:?}; only deflate is read")),
    }
    if kind == Kind::Link && entry.size() > tree::PATH_BYTES_MAX as u64 {
        return invalid("is a link with too long a target");
    }
    Ok(Admitted { path, kind, entry })
}

/// Refuses archives that would grow beyond all bounds, by the sizes that they declare; what an entry really has is
/// held to its declared size when it is written.
fn refuse_bombs(entries: &[Admitted], archive_bytes: u64) -> Result<(), PackageError> {
    let mut bytes = 0_u64;
    let mut places: Vec<(u64, u64, &str)> = Vec::with_capacity(entries.len());
    for Admitted { path, entry, .. } in entries {
        if entry.size() > tree::FILE_BYTES_MAX {
            let what = format!("is too big: {} bytes, at most {}", entry.size(), tree::FILE_BYTES_MAX);
            return refuse(path, what);
        }
        bytes = bytes.saturating_add(entry.size());
        places.push((entry.header_start(), entry.compressed_size(), path));
    }
    if bytes > tree::PACKAGE_BYTES_MAX {
        let what = format!("the package is too big: more than {} bytes", tree::PACKAGE_BYTES_MAX);
        return refuse(ARCHIVE, what);
    }
    if bytes > RATIO_FREE_BYTES && bytes / RATIO_MAX > archive_bytes {
        let what = format!("{archive_bytes} bytes would become {bytes}: more than {RATIO_MAX} times as many");
        return refuse(ARCHIVE, what);
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(start, compressed, _), (next, _, path)] = pair else { continue };
        if start.saturating_add(*compressed) >= *next {
            return refuse(path, "shares its bytes with another entry of the archive".to_owned());
        }
    }
    Ok(())
}

/// Refuses entries that would overwrite each other.
fn refuse_clashes(entries: &[Admitted]) -> Result<(), PackageError> {
    let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
    for Admitted { path, kind, .. } in entries {
        if *kind == Kind::Directory {
            directories.insert(path.as_str());
        } else if !files.insert(path.as_str()) {
            return refuse(path, "the archive holds this file twice".to_owned());
        }
        directories.extend(path.match_indices('/').map(|(end, _)| &path[..end]));
    }
    match files.intersection(&directories).next() {
        Some(path) => refuse(path, "the archive holds a directory and a file of this name".to_owned()),
        None => Ok(()),
    }
}

/// The only folder at the archive's root, where the package is not at the root itself.
fn top_folder(entries: &[Admitted]) -> Option<String> {
    let mut names = entries.iter().map(|entry| entry.path.split('/').next().unwrap_or_default());
    let first = names.next()?;
    let is_folder =
        entries.iter().any(|entry| entry.path.len() > first.len() || entry.kind == Kind::Directory);
    (is_folder && names.all(|name| name == first)).then(|| first.to_owned())
}

/// Where a link leads, if that is a place in the package.
fn link_target(
    path: &str,
    inside: &str,
    entry: ZipFileEntry<'_>,
    reader: &mut (impl Read + Seek),
) -> Result<String, PackageError> {
    let mut bytes = Vec::new();
    let reading = |error| damaged(Place::file(path), error);
    let mut content = entry.with_reader(reader, ZipReadOptions::default()).map_err(reading)?;
    let read = content.by_ref().take(tree::PATH_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| reading(error.into()))?;
    let Ok(points_to) = String::from_utf8(bytes) else {
        return refuse(path, "is a link whose target is not UTF-8".to_owned());
    };
    // By names alone; where links lead over links, the scan of the unpacked package sees it.
    let mut depth = inside.matches('/').count();
    let mut leaves = points_to.is_empty() || points_to.len() > tree::PATH_BYTES_MAX;
    leaves |= points_to.contains(['\0', '\\']);
    for component in Path::new(&points_to).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => leaves = true,
        }
    }
    if leaves {
        return refuse(path, format!("links to {}, outside the package", points_to.escape_debug()));
    }
    Ok(points_to)
}

/// Writes one file that is new, with as many bytes as it declares.
fn write_file(
    path: &str,
    entry: ZipFileEntry<'_>,
    reader: &mut (impl Read + Seek),
    target: &Path,
    executable: bool,
) -> Result<(), PackageError> {
    let declared = entry.size();
    let reading = |error| damaged(Place::file(path), error);
    let mut content = entry.with_reader(reader, ZipReadOptions::default()).map_err(reading)?;
    let writing = |source| PackageError::io("write", target, source);
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = File::options().write(true).create_new(true).mode(mode).open(target).map_err(writing)?;
    let mut buffer = vec![0; 64 << 10];
    let mut written = 0_u64;
    loop {
        let count = content.read(&mut buffer).map_err(|error| reading(error.into()))?;
        if count == 0 {
            break;
        }
        written += count as u64;
        if written > declared {
            return refuse(path, format!("has more than the {declared} bytes that the archive declares"));
        }
        file.write_all(&buffer[..count]).map_err(writing)?;
    }
    if written != declared {
        return refuse(path, format!("has {written} bytes where the archive declares {declared}"));
    }
    Ok(())
}

fn refuse<T>(path: &str, what: String) -> Result<T, PackageError> {
    Err(PackageError::invalid(Place::file(path.escape_debug().to_string()), what))
}

fn damaged(place: Place, error: ZipError) -> PackageError {
    let what = match error {
        ZipError::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    PackageError::invalid(place, format!("is not a readable zip: {what}"))
}

#[cfg(test)]
mod tests;
