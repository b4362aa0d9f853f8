//! Brings files out of `/w` after a run, from inside the cell, without following anything that a program made.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::dir::Dir;

use crate::root::{WORK, is_plain};
use crate::sys::{self, Key, MESSAGE_FDS_MAX};
use crate::{Collect, CollectAll, CollectFailure, Profile, Uncollected};

/// How deep the directories of a [`CollectAll`] may lie in each other.
const DEPTH_MAX: usize = 16;
/// All names of a [`CollectAll`] together, in bytes: they travel in one message with the report.
const NAMES_BYTES_MAX: usize = 32 << 10;
/// How many reasons are told of what a [`CollectAll`] left. Where there are more, the last is about its directory.
const LEFT_MAX: usize = 16;

/// Copies every wanted file into a sealed memfd, or says why not. Nothing of the run lives any more, so what is opened
/// stays what it is.
pub(crate) fn collect(
    wanted: &[Collect],
    wanted_all: Option<&CollectAll>,
    profile: Profile,
    key: Key,
) -> (Vec<(String, OwnedFd)>, Vec<Uncollected>) {
    let mut files = Vec::new();
    let mut uncollected = Vec::new();
    for item in wanted {
        let taken = if profile == Profile::Build { take(item, key) } else { Err(CollectFailure::Missing) };
        match taken {
            Ok((fd, _)) => files.push((item.name.clone(), fd)),
            Err(reason) => uncollected.push(Uncollected { name: item.name.clone(), reason }),
        }
    }
    if let Some(all) = wanted_all.filter(|_| profile == Profile::Build) {
        // Standard output is one of them, too.
        let room = MESSAGE_FDS_MAX - 1 - files.len().min(MESSAGE_FDS_MAX - 1);
        let mut walk = Walk {
            root: &all.directory,
            key,
            bytes_left: all.bytes_max,
            files_left: room.min(all.files_max as usize),
            names_bytes_left: NAMES_BYTES_MAX,
            files: &mut files,
            left: Vec::new(),
        };
        walk.directory(&all.directory, 0);
        uncollected.append(&mut walk.left);
    }
    (files, uncollected)
}

/// A walk through a directory that a program filled.
struct Walk<'a> {
    root: &'a str,
    key: Key,
    bytes_left: u64,
    files_left: usize,
    names_bytes_left: usize,
    files: &'a mut Vec<(String, OwnedFd)>,
    left: Vec<Uncollected>,
}

impl Walk<'_> {
    /// Takes the files of a directory in the order of their names, then those of the directories in it.
    fn directory(&mut self, directory: &str, depth: usize) {
        let names = match names_in(directory, self.names_bytes_left, self.key) {
            Ok(names) => names,
            Err(reason) => return self.leave(directory, reason),
        };
        let mut below = Vec::new();
        for name in names {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            if self.files_left == 0 || self.names_bytes_left < path.len() {
                return self.leave(directory, CollectFailure::TooMany);
            }
            match take(&Collect { name: path.clone(), bytes_max: self.bytes_left }, self.key) {
                Ok((file, bytes)) => {
                    self.files_left -= 1;
                    self.names_bytes_left -= path.len();
                    self.bytes_left -= bytes;
                    self.files.push((path, file));
                }
                Err(CollectFailure::NotRegular) if depth < DEPTH_MAX && is_directory(&path, self.key) => {
                    below.push(path);
                }
                Err(reason) => self.leave(&path, reason),
            }
        }
        for path in below {
            self.directory(&path, depth + 1);
        }
    }

    fn leave(&mut self, path: &str, reason: CollectFailure) {
        match self.left.len() {
            ..LEFT_MAX => self.left.push(Uncollected { name: path.to_owned(), reason }),
            LEFT_MAX => {
                let reason = CollectFailure::TooMany;
                self.left.push(Uncollected { name: self.root.to_owned(), reason });
            }
            _ => {}
        }
    }
}

/// The names in a directory of `/w`, in byte order, as long as they are no more than so many bytes.
fn names_in(directory: &str, bytes_max: usize, key: Key) -> Result<Vec<String>, CollectFailure> {
    let unreadable = |_: nix::Error| CollectFailure::Unreadable;
    let (mut names, mut bytes) = (Vec::new(), 0);
    for entry in Dir::from_fd(open_directory(directory, key)?).map_err(unreadable)?.iter() {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // What the judge could not name it could not use.
        let name = name.to_str().map_err(|_| CollectFailure::Unreadable)?;
        bytes += name.len();
        if bytes > bytes_max {
            return Err(CollectFailure::TooMany);
        }
        names.push(name.to_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn is_directory(path: &str, key: Key) -> bool {
    open_directory(path, key).is_ok()
}

fn open_directory(path: &str, key: Key) -> Result<OwnedFd, CollectFailure> {
    let path = CString::new(if path.is_empty() { "." } else { path }).map_err(|_| CollectFailure::Missing)?;
    open(&path, libc::O_DIRECTORY, key)
}

/// Opens what lies at `path` in `/w`, if no link leads there.
fn open(path: &CStr, flags: libc::c_int, key: Key) -> Result<OwnedFd, CollectFailure> {
    let work = File::open(WORK).map_err(|_| CollectFailure::Unreadable)?;
    // O_NONBLOCK: a FIFO must not hold us; O_NOCTTY: no terminal may become ours.
    let flags =
        flags | libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let resolve = libc::RESOLVE_BENEATH
        | libc::RESOLVE_NO_SYMLINKS
        | libc::RESOLVE_NO_MAGICLINKS
        | libc::RESOLVE_NO_XDEV;
    sys::open_beneath(work.as_fd(), path, flags, resolve, key).map_err(|error| match error.raw_os_error() {
        // A link is no directory, either, since none is followed.
        Some(libc::ENOTDIR) if flags & libc::O_DIRECTORY != 0 => CollectFailure::NotRegular,
        Some(libc::ENOENT | libc::ENOTDIR) => CollectFailure::Missing,
        Some(libc::ELOOP | libc::EXDEV) => CollectFailure::Link,
        Some(libc::ENXIO) => CollectFailure::NotRegular,
        _ => CollectFailure::Unreadable,
    })
}

/// The file and its size in bytes.
fn take(item: &Collect, key: Key) -> Result<(OwnedFd, u64), CollectFailure> {
    let unreadable = |_: io::Error| CollectFailure::Unreadable;
    if !is_plain(&item.name) {
        return Err(CollectFailure::Missing);
    }
    let name = CString::new(item.name.as_str()).map_err(|_| CollectFailure::Missing)?;
    let file = File::from(open(&name, 0, key)?);
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(CollectFailure::NotRegular);
    }
    if metadata.nlink() != 1 {
        return Err(CollectFailure::HardLinked);
    }
    if metadata.len() > item.bytes_max {
        return Err(CollectFailure::TooLarge);
    }
    let copy = sys::memfd(c"collected", key).map_err(unreadable)?;
    let mut copy = File::from(copy);
    io::copy(&mut file.take(item.bytes_max), &mut copy).map_err(unreadable)?;
    let copy = OwnedFd::from(copy);
    seal(copy.as_fd(), key).map_err(unreadable)?;
    Ok((copy, metadata.len()))
}

/// Fixes the bytes of a memfd for ever.
pub(crate) fn seal(fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    sys::fcntl(fd, libc::F_ADD_SEALS, seals, key).map(drop)
}
