//! Files in memory that nobody can change any more: how bytes get into and out of the sandbox.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A sealed memfd: its size and its bytes are fixed for ever, so one copy serves all who read it. Its times and locks are
/// not, so no program is ever given one: it reads what its cell has copied.
#[derive(Debug)]
pub struct SealedFile {
    file: File,
    bytes: u64,
}

/// The seals that every sealed file bears.
const SEALS: SealFlag = SealFlag::F_SEAL_WRITE
    .union(SealFlag::F_SEAL_SHRINK)
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_SEAL);

impl SealedFile {
    /// Copies `bytes`. The name is for people who look at `/proc`; it is not unique and not checked.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> io::Result<Self> {
        Self::from_reader(name, bytes)
    }

    /// Copies all that `reader` gives.
    pub fn from_reader(name: &str, mut reader: impl Read) -> io::Result<Self> {
        let mut file = unsealed(name)?;
        io::copy(&mut reader, &mut file)?;
        file.flush()?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SEALS))?;
        Self::from_file(file)
    }

    /// Takes over a descriptor that came from elsewhere, and refuses one that does not bear all seals.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let seals = SealFlag::from_bits_truncate(fcntl(&fd, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(SEALS) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("seals are only {seals:?}")));
        }
        Self::from_file(File::from(fd))
    }

    fn from_file(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(SealedFile { file, bytes })
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Copies all its bytes out. Reads by position, so that readers do not disturb each other.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        self.read_first(self.bytes)
    }

    /// Copies at most the first `bytes_max` bytes out.
    pub fn read_first(&self, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.bytes.min(bytes_max)).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// A reader from the first byte on, with a position of its own.
    pub fn reader(&self) -> impl Read + '_ {
        SealedReader { file: &self.file, position: 0 }
    }

    /// A second handle on the same bytes.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(SealedFile { file: self.file.try_clone()?, bytes: self.bytes })
    }

    /// A read-only descriptor with a position of its own.
    pub(crate) fn reopen(&self) -> io::Result<OwnedFd> {
        Ok(File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?.into())
    }
}

impl AsFd for SealedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A memfd that can still be written, and later sealed.
pub(crate) fn unsealed(name: &str) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    Ok(File::from(memfd_create(name, flags)?))
}

/// Reads a sealed file by position.
struct SealedReader<'a> {
    file: &'a File,
    position: u64,
}

impl Read for SealedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
