//! An interpreter that is started once and forked for every run, frozen before it sees a byte of any program.
//!
//! Nothing of ours is in the interpreter. The cell holds a lease on every file of the job, so the kernel itself stops
//! the interpreter where it first opens one: it has started, found its libraries and read its command line, and what it
//! would do next is read the program. From then on it never runs again. For a run the cell, which traces it, makes it
//! fork, gives the child its descriptors and limits, and lets go of the child where the interpreter was stopped: it
//! opens the program and goes on as if it had just been started.
//!
//! The interpreter is pid 1 of a namespace of its own, in which the runs are; so what a cell does after a run, killing
//! and reaping everything, it makes the interpreter do. Calls that only the sandbox may make carry the key in a
//! register, as the cell's own do, and the child's registers are replaced before it is let go: no program finds the
//! key.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeSpec;
use nix::unistd::{Pid, pipe2};

use crate::child::{self, Plan};
use crate::root::WORK;
use crate::sys::{self, Image, Key, Reaped, Registers, layout};
use crate::wire;

/// How long an interpreter may take until it opens the program.
const START_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// How long it may take to stop it after that.
const FREEZE_MAX: Duration = Duration::from_millis(500);
/// The descriptor of the interpreter by which a child gets its own.
const SOCKET: RawFd = 3;
/// How far below its stack the interpreter has room for what calls read and write.
const ROOM_BYTES_BELOW: u64 = 4096;
/// Room for the control message of three descriptors.
const CONTROL_BYTES: u64 = 32;
/// The signal by which a process says that it made one step. It must not be blocked.
const STEP: u64 = 1 << (libc::SIGTRAP - 1);
/// `ERESTARTSYS`: the kernel will make the call again.
const RESTART: u64 = -512i64 as u64;

/// A resource, its soft and its hard limit.
pub(crate) type Rlimit = (libc::__rlimit_resource_t, u64, u64);

/// The interpreter of a cell.
pub(crate) enum Warm {
    /// There is none, or no more.
    None,
    /// Confined, and not started: its limits are those of the first run.
    Waiting(Waiting),
    Frozen(Box<Frozen>),
}

/// A process that is to be the interpreter.
pub(crate) struct Waiting {
    pub(crate) pid: i32,
    pub(crate) socket: OwnedFd,
}

/// Its side: waits for limits and descriptors, and becomes the interpreter. Returns when that failed or when there is
/// nothing to do.
pub(crate) fn become_interpreter(socket: &OwnedFd, image: &Image, key: Key) -> io::Result<()> {
    let Some((limits, fds)) = wire::receive::<Vec<Rlimit>>(socket.as_fd(), key)? else {
        return Ok(());
    };
    // Out of the way of the numbers that they are to get.
    let copies = fds.iter().chain([socket]).map(|fd| sys::copy_above(fd.as_raw_fd(), 16));
    let copies = copies.collect::<io::Result<Vec<OwnedFd>>>()?;
    let descriptors: Vec<RawFd> = copies.iter().map(AsRawFd::as_raw_fd).collect();
    let mut plan = Plan { image, descriptors: &descriptors, limits: &limits, key, failed: None };
    child::become_program(&mut plan);
    plan.failed.map_or(Ok(()), |(_, error)| Err(error))
}

impl Waiting {
    /// Starts the interpreter and freezes it where it first opens one of `files`. It is given the same kinds of
    /// descriptors as the runs have, since interpreters look at them when they start.
    pub(crate) fn freeze(
        self,
        files: &[String],
        limits: Vec<Rlimit>,
        reads_pipe: bool,
        key: Key,
    ) -> io::Result<Frozen> {
        let frozen = self.start(files, &limits, reads_pipe, key);
        if frozen.is_err() {
            end(self.pid);
        }
        let (at, blocked) = frozen?;
        let stopped = Stopped { pid: self.pid, at, key };
        let prepared = Prepared::make(&stopped);
        if prepared.is_err() {
            end(self.pid);
        }
        Ok(Frozen { prepared: prepared?, stopped, socket: self.socket, blocked, limits, reads_pipe })
    }

    fn start(
        &self,
        files: &[String],
        limits: &Vec<Rlimit>,
        reads_pipe: bool,
        key: Key,
    ) -> io::Result<(Registers, u64)> {
        let leases = files.iter().map(|name| Lease::take(name, key)).collect::<io::Result<Vec<Lease>>>()?;
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from);
        let stdin = if reads_pipe { pipe()?.0 } else { File::open("/dev/null")?.into() };
        let (stdout, stderr) = (pipe()?.1, pipe()?.1);
        let numbers = [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()];
        wire::send(self.socket.as_fd(), limits, &numbers, key)?;
        drop((stdin, stdout, stderr));
        let ended = sys::pidfd_open(self.pid, key)?;
        let start = Instant::now();
        let mut unbroken = start;
        while !leases.iter().any(|lease| lease.is_broken(key)) {
            unbroken = Instant::now();
            let mut polled = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            if ppoll(&mut polled, Some(TimeSpec::from_duration(LOOK_EVERY)), None)? > 0
                || start.elapsed() > START_MAX
            {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACEFORK;
        sys::trace(libc::PTRACE_SEIZE, self.pid, 0, options as u64, key)?;
        sys::trace(libc::PTRACE_INTERRUPT, self.pid, 0, 0, key)?;
        expect(self.pid, libc::PTRACE_EVENT_STOP)?;
        let at = sys::registers(self.pid, key)?;
        let opens = [libc::SYS_open, libc::SYS_openat].contains(&(at.orig_rax as i64));
        // A lease that nobody gives back runs out, after a second at the earliest: then it would not be waiting any more.
        if !opens || at.rax != RESTART || unbroken.elapsed() > FREEZE_MAX {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // It has started no threads, since it was not allowed to. From now on it needs to fork.
        for (resource, _, hard) in limits.iter().filter(|(resource, ..)| *resource == libc::RLIMIT_NPROC) {
            sys::set_limit_of(self.pid, (*resource, *hard, *hard), key)?;
        }
        let blocked = sys::blocked_signals(self.pid, key)?;
        sys::block_signals(self.pid, !STEP, key)?;
        Ok((at, blocked))
    }
}

/// Ends a child of ours and waits for its end.
fn end(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    while sys::wait_for(pid).is_ok_and(|status| !libc::WIFSIGNALED(status) && !libc::WIFEXITED(status)) {}
}

/// A lease on a file of the job: whoever opens the file waits until we give it back.
struct Lease(File);

impl Lease {
    fn take(name: &str, key: Key) -> io::Result<Lease> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(Path::new(WORK).join(name))?;
        sys::fcntl(file.as_fd(), libc::F_SETLEASE, libc::F_WRLCK, key)?;
        Ok(Lease(file))
    }

    fn is_broken(&self, key: Key) -> bool {
        let held = sys::fcntl(self.0.as_fd(), libc::F_GETLEASE, 0, key);
        !held.is_ok_and(|held| held == i64::from(libc::F_WRLCK))
    }
}

/// A stopped process, which makes the calls that we want and nothing else.
struct Stopped {
    pid: i32,
    /// Its registers where it was stopped: in the kernel, in a call that was interrupted.
    at: Registers,
    key: Key,
}

impl Stopped {
    /// Makes it call `number`, and stop again.
    fn call(&self, number: i64, arguments: [u64; 6]) -> io::Result<u64> {
        self.set_call(number, arguments)?;
        self.step()?;
        expect(self.pid, 0)?;
        self.result()
    }

    fn set_call(&self, number: i64, arguments: [u64; 6]) -> io::Result<()> {
        let mut registers = self.at;
        // Back onto the instruction that it was stopped behind, in no call, so that the kernel restarts none.
        registers.rip -= 2;
        registers.orig_rax = u64::MAX;
        registers.rax = number as u64;
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = arguments;
        sys::set_registers(self.pid, &registers, self.key)
    }

    fn step(&self) -> io::Result<()> {
        sys::trace(libc::PTRACE_SINGLESTEP, self.pid, 0, 0, self.key)
    }

    fn result(&self) -> io::Result<u64> {
        let result = sys::registers(self.pid, self.key)?.rax as i64;
        if (-4095..0).contains(&result) {
            Err(io::Error::from_raw_os_error(-result as i32))
        } else {
            Ok(result as u64)
        }
    }

    /// Where it has room.
    fn room(&self) -> u64 {
        (self.at.rsp - ROOM_BYTES_BELOW) & !63
    }

    fn peek(&self, address: u64) -> io::Result<u64> {
        sys::peek(self.pid, address, self.key)
    }
}

/// Waits until `pid` stops for `event`, or after one step for 0.
fn expect(pid: i32, event: i32) -> io::Result<()> {
    let status = sys::wait_for(pid)?;
    if libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP && status >> 16 == event {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// What a fork of the C library would look after.
struct Prepared {
    /// Where a thread's number is kept.
    tid_at: u64,
    robust_list: [u64; 2],
    memory_bytes: u64,
}

impl Prepared {
    /// Also leaves the room as a child finds it: a message to receive three descriptors by.
    fn make(stopped: &Stopped) -> io::Result<Prepared> {
        let (room, key) = (stopped.room(), stopped.key);
        for fd in 0..SOCKET as u64 {
            stopped.call(libc::SYS_close, [fd, 0, 0, 0, 0, 0])?;
        }
        stopped.call(libc::SYS_prctl, [PR_GET_TID_ADDRESS, room, 0, 0, 0, key.value()])?;
        let tid_at = stopped.peek(room)?;
        stopped.call(libc::SYS_get_robust_list, [0, room, room + 8, 0, 0, 0])?;
        let robust_list = [stopped.peek(room)?, stopped.peek(room + 8)?];
        stopped.call(libc::SYS_getrusage, [libc::RUSAGE_SELF as u64, room, 0, 0, 0, 0])?;
        let memory_bytes = stopped.peek(room + layout::MAXRSS)? * 1024;
        for (address, word) in layout::message(room, CONTROL_BYTES) {
            sys::poke(stopped.pid, address, word, key)?;
        }
        Ok(Prepared { tid_at, robust_list, memory_bytes })
    }
}

const PR_GET_TID_ADDRESS: u64 = 40;

/// An interpreter that never runs again, and is forked.
pub(crate) struct Frozen {
    stopped: Stopped,
    prepared: Prepared,
    socket: OwnedFd,
    /// The signals that it blocked.
    blocked: u64,
    limits: Vec<Rlimit>,
    reads_pipe: bool,
}

/// A run's process.
pub(crate) struct Forked {
    /// In our namespace.
    pub(crate) pid: i32,
    /// In its own.
    pub(crate) pid_inside: i32,
    pub(crate) pidfd: OwnedFd,
}

impl Frozen {
    /// Whether its children are what a run with `limits` would be: some limits have effects when a program starts.
    pub(crate) fn serves(&self, limits: &[Rlimit], reads_pipe: bool) -> bool {
        let at_start = |limits: &[Rlimit]| -> Vec<Rlimit> {
            let matters = [libc::RLIMIT_STACK, libc::RLIMIT_AS];
            limits.iter().filter(|(resource, ..)| matters.contains(resource)).copied().collect()
        };
        self.reads_pipe == reads_pipe && at_start(&self.limits) == at_start(limits)
    }

    /// Forks it into a run with `descriptors` as 0, 1 and 2.
    pub(crate) fn fork(&self, descriptors: [RawFd; 3], limits: &[Rlimit]) -> io::Result<Forked> {
        let (stopped, key) = (&self.stopped, self.stopped.key);
        sys::send(self.socket.as_fd(), b"r", &descriptors, key)?;
        let flags = libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
        let arguments = [flags as u64, 0, 0, self.prepared.tid_at, key.value(), 0];
        stopped.set_call(libc::SYS_clone, arguments)?;
        stopped.step()?;
        expect(stopped.pid, libc::PTRACE_EVENT_FORK)?;
        let pid = sys::event_message(stopped.pid, key)? as i32;
        stopped.step()?;
        expect(stopped.pid, 0)?;
        let pid_inside = stopped.result()? as i32;
        expect(pid, libc::PTRACE_EVENT_STOP)?;
        let pidfd = sys::pidfd_open(pid, key)?;
        let child = Stopped { pid, at: stopped.at, key };
        // It has no descriptor but the socket, so it gets 0, 1 and 2. Then not even that.
        child.call(libc::SYS_recvmsg, [SOCKET as u64, child.room(), 0, 0, 0, key.value()])?;
        child.call(libc::SYS_close_range, [SOCKET as u64, u32::MAX.into(), 0, 0, 0, 0])?;
        child.call(libc::SYS_setsid, [0, 0, 0, 0, 0, key.value()])?;
        let [head, length] = self.prepared.robust_list;
        child.call(libc::SYS_set_robust_list, [head, length, 0, 0, 0, 0])?;
        for limit in limits {
            sys::set_limit_of(pid, *limit, key)?;
        }
        // As if nothing had happened: it makes the call again in which the interpreter was stopped.
        sys::block_signals(pid, self.blocked, key)?;
        child.set_call(stopped.at.orig_rax as i64, arguments_of(&stopped.at))?;
        sys::trace(libc::PTRACE_DETACH, pid, 0, 0, key)?;
        Ok(Forked { pid, pid_inside, pidfd })
    }

    /// Kills and reaps everything that is left of a run.
    pub(crate) fn clean_up(&self) -> io::Result<Vec<Reaped>> {
        let stopped = &self.stopped;
        match stopped.call(libc::SYS_kill, [u64::MAX, libc::SIGKILL as u64, 0, 0, 0, 0]) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
            _ => {}
        }
        let mut all = Vec::new();
        let (status_at, usage_at) = (stopped.room() + 256, stopped.room() + 320);
        loop {
            let arguments = [u64::MAX, status_at, libc::__WALL as u64, usage_at, 0, 0];
            match stopped.call(libc::SYS_wait4, arguments) {
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(all),
                Err(error) => return Err(error),
                Ok(pid) => {
                    let at = |offset| stopped.peek(usage_at + offset);
                    let time = |offset| Ok::<u64, io::Error>(at(offset)? * 1_000_000 + at(offset + 8)?);
                    all.push(Reaped {
                        pid: pid as i32,
                        status: stopped.peek(status_at)? as i32,
                        user_us: time(layout::USER_TIME)?,
                        system_us: time(layout::SYSTEM_TIME)?,
                        maxrss_bytes: at(layout::MAXRSS)? * 1024,
                    });
                }
            }
        }
    }
}

fn arguments_of(registers: &Registers) -> [u64; 6] {
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9]
}

impl Warm {
    /// Whether there is one, started or not.
    pub(crate) fn is_some(&self) -> bool {
        !matches!(self, Warm::None)
    }

    /// Whether runs are forked from it.
    pub(crate) fn is_frozen(&self) -> bool {
        matches!(self, Warm::Frozen(_))
    }

    /// Memory that it has to itself, in bytes, at most.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match self {
            Warm::Frozen(frozen) => frozen.prepared.memory_bytes,
            Warm::None | Warm::Waiting(_) => 0,
        }
    }

    /// CPU time that it has used itself.
    pub(crate) fn cpu(&self) -> Duration {
        match self {
            Warm::None => Duration::ZERO,
            Warm::Waiting(Waiting { pid, .. }) => sys::process_cpu(*pid).unwrap_or_default(),
            Warm::Frozen(frozen) => sys::process_cpu(frozen.stopped.pid).unwrap_or_default(),
        }
    }

    /// Ends it, if there is one.
    pub(crate) fn end(self) {
        match self {
            Warm::None => {}
            Warm::Waiting(waiting) => end(waiting.pid),
            Warm::Frozen(frozen) => end(frozen.stopped.pid),
        }
    }
}
