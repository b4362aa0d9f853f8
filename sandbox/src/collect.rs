//! Brings files out of `/w` after a run, from inside the cell, without following anything that a program made.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use crate::root::{WORK, is_plain};
use crate::sys::{self, Key};
use crate::{Collect, CollectFailure, Profile, Uncollected};

/// Copies every wanted file into a sealed memfd, or says why not. Nothing of the run lives any more, so what is opened
/// stays what it is.
pub(crate) fn collect(
    wanted: &[Collect],
    profile: Profile,
    key: Key,
) -> (Vec<(String, OwnedFd)>, Vec<Uncollected>) {
    let mut files = Vec::new();
    let mut uncollected = Vec::new();
    for item in wanted {
        let taken = if profile == Profile::Build { take(item, key) } else { Err(CollectFailure::Missing) };
        match taken {
            Ok(fd) => files.push((item.name.clone(), fd)),
            Err(reason) => uncollected.push(Uncollected { name: item.name.clone(), reason }),
        }
    }
    (files, uncollected)
}

fn take(item: &Collect, key: Key) -> Result<OwnedFd, CollectFailure> {
    let unreadable = |_: io::Error| CollectFailure::Unreadable;
    if !is_plain(&item.name) {
        return Err(CollectFailure::Missing);
    }
    let name = CString::new(item.name.as_str()).map_err(|_| CollectFailure::Missing)?;
    let work = File::open(WORK).map_err(unreadable)?;
    // O_NONBLOCK: a FIFO must not hold us; O_NOCTTY: no terminal may become ours.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let resolve = libc::RESOLVE_BENEATH
        | libc::RESOLVE_NO_SYMLINKS
        | libc::RESOLVE_NO_MAGICLINKS
        | libc::RESOLVE_NO_XDEV;
    let opened = sys::open_beneath(work.as_fd(), &name, flags, resolve, key);
    let file = File::from(opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => CollectFailure::Missing,
        Some(libc::ELOOP | libc::EXDEV) => CollectFailure::Link,
        Some(libc::ENXIO) => CollectFailure::NotRegular,
        _ => CollectFailure::Unreadable,
    })?);
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
    Ok(copy)
}

/// Fixes the bytes of a memfd for ever.
pub(crate) fn seal(fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    sys::fcntl(fd, libc::F_ADD_SEALS, seals, key).map(drop)
}
