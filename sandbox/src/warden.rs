//! One process per slot, outside the confinement: arms the next cell ahead of time and buries the last one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use seccompiler::BpfProgram;

use crate::cgroup::SlotGroups;
use crate::confine::{INSIDE_ID, NAMESPACES};
use crate::error::Failure;
use crate::sys::{self, Forked, Key};
use crate::wire::{self, Open, Opened};
use crate::{Policy, Profile, cell};

/// Who the programs of a slot are on the host.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Only a privileged keeper may give a namespace the right to change groups.
    pub(crate) may_set_groups: bool,
}

impl Identity {
    pub(crate) fn describe(&self) -> String {
        let Identity { uid, gid, .. } = self;
        format!("user {uid} and group {gid} of the host, {INSIDE_ID} inside")
    }
}

/// The filters of all profiles, compiled once per keeper.
pub(crate) struct Filters {
    pub(crate) key: Key,
    pub(crate) run: BpfProgram,
    pub(crate) run_for_runtimes: BpfProgram,
    pub(crate) build: BpfProgram,
}

impl Filters {
    /// The filter of a job, with its name.
    pub(crate) fn of(&self, open: &Open) -> (&'static str, &BpfProgram) {
        match (open.profile, open.needs.runtime_calls) {
            (Profile::Run, false) => ("run", &self.run),
            (Profile::Run, true) => ("run and runtimes", &self.run_for_runtimes),
            (Profile::Build, _) => ("build", &self.build),
        }
    }
}

/// What a warden knows; a cell gets a copy by fork.
pub(crate) struct Warden {
    pub(crate) policy: Policy,
    pub(crate) identity: Identity,
    pub(crate) filters: Filters,
    pub(crate) groups: SlotGroups,
    /// The core that this slot is pinned to.
    pub(crate) pinned: Option<usize>,
    /// Cores that this process may use.
    pub(crate) cores: u32,
    /// Whether this process is in the empty network namespace that its cells are to share.
    pub(crate) network_is_shared: bool,
}

/// A cell, seen from outside. Its end of the socket closes when it dies.
struct Cell {
    pid: Pid,
    internal: OwnedFd,
}

/// What [`Warden::serve`] became: still the warden, at its end, or the cell that it forked.
enum Life {
    Over,
    Cell(OwnedFd, Option<Box<Open>>),
}

/// Serves one slot until the judge closes `control`.
pub(crate) fn live(mut warden: Warden, control: OwnedFd) -> io::Result<()> {
    if let Some(core) = warden.pinned {
        let mut set = CpuSet::new();
        set.set(core)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    warden.network_is_shared = warden.leave_network().is_ok();
    // Changing namespaces changes credentials, and that may have cleared it.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)?;
    match warden.serve(&control)? {
        Life::Over => Ok(()),
        Life::Cell(internal, expected) => {
            // The judge must see the warden's end, so no cell may hold a copy of its socket.
            drop(control);
            cell::live(warden, internal, expected.map(|open| *open))
        }
    }
}

impl Warden {
    /// Moves this process into an empty network namespace. Without privilege that takes a user namespace around it.
    fn leave_network(&self) -> io::Result<()> {
        if self.identity.may_set_groups {
            return Ok(unshare(CloneFlags::CLONE_NEWNET)?);
        }
        let Identity { uid, gid, .. } = &self.identity;
        // Tried first in a child: half a move could not be taken back.
        sys::try_namespaces(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
    }

    fn serve(&self, control: &OwnedFd) -> io::Result<Life> {
        let mut expected: Option<Open> = None;
        let mut next: Option<(Open, Vec<OwnedFd>)> = None;
        loop {
            // Armed ahead: the job that comes next does not wait for namespaces.
            let mut armed = match self.arm() {
                Ok(Armed::Inside(internal)) => return Ok(Life::Cell(internal, expected.map(Box::new))),
                Ok(Armed::Cell(cell)) => Ok(cell),
                Err(failure) => Err(failure),
            };
            if next.is_none() {
                next = wire::receive::<Open>(control.as_fd(), Key::NONE)?;
            }
            let Some((open, fds)) = next.take() else {
                if let Ok(cell) = armed {
                    cell.bury()?;
                }
                return Ok(Life::Over);
            };
            if expected.take().is_some_and(|other| !other.is_confined_like(&open)) {
                if let Ok(cell) = armed {
                    cell.bury()?;
                }
                armed = match self.arm() {
                    Ok(Armed::Inside(internal)) => return Ok(Life::Cell(internal, None)),
                    Ok(Armed::Cell(cell)) => Ok(cell),
                    Err(failure) => Err(failure),
                };
            }
            match armed {
                Ok(cell) => {
                    let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
                    // A cell that died while armed is noticed by the judge: its session closes unanswered.
                    let _ = wire::send(cell.internal.as_fd(), &open, &numbers, Key::NONE);
                    drop(fds);
                    next = cell.wait_for_end(control)?;
                    cell.bury()?;
                }
                Err(failure) => {
                    if let Some(session) = fds.first() {
                        let _ = wire::send(session.as_fd(), &Opened::Err(failure), &[], Key::NONE);
                    }
                }
            }
            expected = open.again.then_some(open);
        }
    }

    /// Forks a cell into new namespaces and writes its maps.
    fn arm(&self) -> Result<Armed, Failure> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .map_err(|errno| Failure::step("making the cell's socket", &errno.into()))?;
        let shared = if self.network_is_shared { libc::CLONE_NEWNET } else { 0 };
        let flags = NAMESPACES.iter().fold(0, |all, (_, flag)| all | flag) & !shared;
        let forked =
            sys::fork_into(flags).map_err(|error| Failure::step("making the cell's namespaces", &error))?;
        let Forked::Parent { pid } = forked else {
            drop(ours);
            return Ok(Armed::Inside(theirs));
        };
        drop(theirs);
        let cell = Cell { pid: Pid::from_raw(pid), internal: ours };
        match self.write_maps(pid).and_then(|()| sys::send(cell.internal.as_fd(), b"g", &[], Key::NONE)) {
            Ok(()) => Ok(Armed::Cell(cell)),
            Err(error) => {
                let _ = cell.bury();
                Err(Failure::step(format!("mapping {}", self.identity.describe()), &error))
            }
        }
    }

    fn write_maps(&self, pid: i32) -> io::Result<()> {
        let Identity { uid, gid, may_set_groups } = &self.identity;
        if !may_set_groups {
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        }
        fs::write(format!("/proc/{pid}/uid_map"), format!("{INSIDE_ID} {uid} 1"))?;
        fs::write(format!("/proc/{pid}/gid_map"), format!("{INSIDE_ID} {gid} 1"))
    }
}

/// The two sides of [`Warden::arm`].
enum Armed {
    Cell(Cell),
    Inside(OwnedFd),
}

impl Cell {
    /// Waits until the cell ends or the judge wants something else. What is to be opened next, if that is known.
    fn wait_for_end(&self, control: &OwnedFd) -> io::Result<Option<(Open, Vec<OwnedFd>)>> {
        let mut next = None;
        loop {
            let mut polled = [
                PollFd::new(self.internal.as_fd(), PollFlags::POLLIN),
                PollFd::new(control.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut polled, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            if !polled[1].any().unwrap_or(true) {
                return Ok(next);
            }
            next = wire::receive::<Open>(control.as_fd(), Key::NONE)?;
            if !next.as_ref().is_some_and(|(open, _)| open.waits) {
                return Ok(next);
            }
        }
    }

    /// Kills the cell, and with it every process in its pid namespace, and waits until all are gone.
    fn bury(self) -> io::Result<()> {
        match kill(self.pid, Signal::SIGKILL) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
        while sys::reap()?.is_some() {}
        Ok(())
    }
}
