//! Messages between judge, keeper, wardens and cells: the only file that knows how they are encoded.
//!
//! Both ends are of the same build, so the encoding may change at will. A message from a cell is not trusted: its size
//! is bounded before it is decoded.

use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use bincode::{Decode, Encode};

use crate::error::Failure;
use crate::sys::{self, Key, MESSAGE_BYTES_MAX};
use crate::{Collect, CollectAll, HostFacts, Layer, Limits, Needs, Policy, Profile, Report};

thread_local! {
    /// Where messages are received: kept, since a page that is touched anew for each costs as much as the message.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_BYTES_MAX]);
}

/// Judge to keeper, once.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Hello {
    pub(crate) slots: u32,
    pub(crate) pin: bool,
    pub(crate) policy: Policy,
}

/// Keeper to judge, once, with one socket per slot.
pub(crate) type Welcome = Result<HostFacts, Failure>;

/// Judge to warden, by the slot's socket, and on to the next cell. With it come the session's socket, the cancel
/// eventfd, and one descriptor per file.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Open {
    pub(crate) profile: Profile,
    pub(crate) root: Vec<String>,
    pub(crate) files: Vec<OpenFile>,
    pub(crate) directories: Vec<String>,
    pub(crate) needs: Needs,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Whether the program is an interpreter to be forked.
    pub(crate) warm: bool,
    /// Sizes of the writable tmpfs.
    pub(crate) tmpfs_bytes: u64,
    pub(crate) tmpfs_inodes: u64,
    /// More of the same is likely to follow, so that the next cell may be confined for it before it is asked for.
    pub(crate) again: bool,
    /// Whether it waits until the cell that there is has ended by itself; else that one is killed.
    pub(crate) waits: bool,
}

impl Open {
    /// Whether a cell that was confined for the one serves the other: files and arguments come later.
    pub(crate) fn is_confined_like(&self, other: &Open) -> bool {
        (self.profile, self.tmpfs_bytes, self.tmpfs_inodes, &self.root, &self.needs)
            == (other.profile, other.tmpfs_bytes, other.tmpfs_inodes, &other.root, &other.needs)
    }
}

/// One file of an [`Open`].
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct OpenFile {
    pub(crate) name: String,
    pub(crate) executable: bool,
    pub(crate) bytes: u64,
}

/// Cell to judge, by the session's socket: ready.
pub(crate) type Opened = Result<Vec<Layer>, Failure>;

/// Judge to cell, by the session's socket.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Ask {
    /// For the pipes that [`Needs::talks`] promises.
    Pipes,
    /// For a run, with a descriptor for standard input unless it is empty. One half of a pair has descriptors for standard
    /// input and output, in this order.
    Run(Box<Run>),
}

/// A run that is asked for.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Run {
    pub(crate) limits: Limits,
    pub(crate) collect: Vec<Collect>,
    pub(crate) collect_all: Option<CollectAll>,
    pub(crate) extra_args: Vec<String>,
    /// How often to tell the CPU time so far, if at all: the two halves of a pair are watched together.
    pub(crate) progress_ms: Option<u64>,
}

/// Cell to judge, while a program runs and when it has run; then with standard output and the collected files.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Answer {
    /// CPU time until `at_us` of the monotonic clock, both in microseconds.
    Progress { cpu_us: u64, at_us: u64 },
    /// With the reading and the writing end of what the next run's program reads, then of what it writes.
    Pipes,
    /// The run was carried out, or what was asked for failed through our fault.
    Ran(Result<Box<RanWell>, Failure>),
}

/// A run that was carried out.
#[derive(Debug, Encode, Decode)]
pub(crate) struct RanWell {
    /// Without its layers, which the judge knows since the session was opened.
    pub(crate) report: Report,
    pub(crate) stderr: Vec<u8>,
    /// When its end was seen, in microseconds of the host's monotonic clock.
    pub(crate) ended_us: u64,
    /// Names of the collected files, in the order of their descriptors.
    pub(crate) files: Vec<String>,
    /// The cell ends after this message and takes no further run.
    pub(crate) retires: bool,
}

/// Sends `message` with `fds`.
pub(crate) fn send<M: Encode>(
    socket: BorrowedFd<'_>,
    message: &M,
    fds: &[RawFd],
    key: Key,
) -> io::Result<()> {
    let bytes = bincode::encode_to_vec(message, bincode::config::standard()).map_err(io::Error::other)?;
    sys::send(socket, &bytes, fds, key)
}

/// Receives a message; `None` when the other side has closed.
pub(crate) fn receive<M: Decode<()>>(
    socket: BorrowedFd<'_>,
    key: Key,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    BUFFER.with_borrow_mut(|buffer| {
        let Some((count, fds)) = sys::receive(socket, buffer, key)? else {
            return Ok(None);
        };
        let config = bincode::config::standard().with_limit::<{ 4 * MESSAGE_BYTES_MAX }>();
        let (message, used) = bincode::decode_from_slice(&buffer[..count], config)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if used != count {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was longer than it said"));
        }
        Ok(Some((message, fds)))
    })
}
