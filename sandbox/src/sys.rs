//! The only `unsafe` of this crate: the system calls that no safe crate offers, each as a small function.
//!
//! Two rules hold for all of it. Everything here runs in a process with one thread, except
//! [`try_namespaces`], which says so. And nothing here decides anything: order and policy are in `confine.rs`,
//! `child.rs` and `run.rs`.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// The largest message between our processes, in bytes: below the default send buffer of every Linux.
pub(crate) const MESSAGE_BYTES_MAX: usize = 192 * 1024;
/// The most descriptors that the kernel passes in one message.
pub(crate) const MESSAGE_FDS_MAX: usize = 253;

/// A random number that a cell puts into an unused argument of every call that its seccomp filter grants to the cell
/// and not to the program. `exec` clears registers and replaces memory, so the program cannot know it, and 64 bits are
/// too many to guess at a few million tries per second.
#[derive(Clone, Copy)]
pub(crate) struct Key(u64);

impl Key {
    /// For processes without a filter.
    pub(crate) const NONE: Key = Key(0);

    /// A fresh key from the kernel.
    pub(crate) fn random() -> io::Result<Key> {
        let mut bytes = [0u8; 8];
        // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
        let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if count == bytes.len() as isize { Ok(Key(u64::from_ne_bytes(bytes))) } else { Err(last_error()) }
    }

    /// Its value, for compiling the filter.
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

fn last_error() -> io::Error {
    io::Error::last_os_error()
}

/// `-1` becomes the `errno`.
fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

// ---------------------------------------------------------------------------------------------- processes

/// What [`fork_into`] returns on either side.
pub(crate) enum Forked {
    Parent { pid: i32 },
    Child,
}

/// Forks into the new namespaces of `flags` (zero for a plain fork). The caller has one thread, so that no lock can be
/// held by a thread that the child lacks.
pub(crate) fn fork_into(flags: c_int) -> io::Result<Forked> {
    // SAFETY: with a null stack and without CLONE_VM this is `fork`: the child gets a copy of everything. All callers
    // (keeper, warden) have one thread, which `keeper::main` keeps by never starting another.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags | libc::SIGCHLD), 0, 0, 0, 0) })?;
    Ok(if pid == 0 { Forked::Child } else { Forked::Parent { pid: pid as i32 } })
}

/// Whether this process may make the namespaces of `flags`, found by making them for a child that ends at once.
/// Callable from a process with many threads.
pub(crate) fn try_namespaces(flags: c_int) -> io::Result<()> {
    extern "C" fn nothing(_: *mut c_void) -> c_int {
        0
    }
    let stack = Stack::new()?;
    // SAFETY: the stack is mapped and used by this child alone, which ends before `clone` returns (CLONE_VFORK); the
    // child touches no memory but that stack, so threads of ours cannot be disturbed.
    let pid = check(c_long::from(unsafe {
        libc::clone(
            nothing,
            stack.top(),
            flags | libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            ptr::null_mut(),
        )
    }))?;
    // SAFETY: a null status is allowed; `pid` is our own child, which nobody else waits for.
    check(c_long::from(unsafe { libc::waitpid(pid as i32, ptr::null_mut(), libc::__WALL) }))?;
    Ok(())
}

/// A stack for a child that shares our memory until it executes a program.
pub(crate) struct Stack(*mut c_void);

impl Stack {
    const BYTES: usize = 64 * 1024;

    pub(crate) fn new() -> io::Result<Stack> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
        // SAFETY: a fresh anonymous mapping at a place of the kernel's choice overlaps nothing.
        let base = unsafe { libc::mmap(ptr::null_mut(), Self::BYTES, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED { Err(last_error()) } else { Ok(Stack(base)) }
    }

    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::BYTES)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly this range, and every child that used it has ended or executed a program,
        // since CLONE_VFORK holds us until then.
        unsafe { libc::munmap(self.0, Self::BYTES) };
    }
}

/// A program that started, with a descriptor that becomes readable when it ends.
pub(crate) struct Spawned {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
}

/// Starts a child on `stack` in our own memory and waits until it has executed a program or ended. `body` runs in the
/// child and returns only when it failed.
///
/// `body` must neither allocate, lock nor panic: it works in memory that we go on using. `child.rs` keeps that.
pub(crate) fn vfork<T>(stack: &Stack, key: Key, context: &mut T, body: fn(&mut T)) -> io::Result<Spawned> {
    struct Call<T> {
        context: *mut T,
        body: fn(&mut T),
    }
    extern "C" fn enter<T>(call: *mut c_void) -> c_int {
        // SAFETY: `call` points to the `Call` below, which lives in the frame of the parent; the parent is suspended
        // until we end or execute, so there is exactly one user of it at any time.
        let call = unsafe { &mut *call.cast::<Call<T>>() };
        // SAFETY: as above; `context` came from an exclusive borrow that lasts as long as the call to `vfork`.
        (call.body)(unsafe { &mut *call.context });
        // SAFETY: ends the child without running any handler of the parent, whose memory this is.
        unsafe { libc::_exit(127) }
    }
    let mut call = Call { context: ptr::from_mut(context), body };
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // The key travels as the thread pointer, which the kernel ignores without CLONE_SETTLS.
    let key = key.0 as *mut c_void;
    // SAFETY: the stack is mapped, and no other child uses it, since CLONE_VFORK suspends us until this one has left
    // our memory; `pidfd` and `call` outlive the call for the same reason.
    let pid = check(c_long::from(unsafe {
        libc::clone(
            enter::<T>,
            stack.top(),
            flags,
            ptr::from_mut(&mut call).cast(),
            ptr::from_mut(&mut pidfd),
            key,
            ptr::null_mut::<c_void>(),
        )
    }))?;
    // SAFETY: the kernel has just opened `pidfd` for us (CLONE_PIDFD), and nobody else knows of it.
    Ok(Spawned { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// A program with its arguments and environment as `exec` wants them.
pub(crate) struct Image {
    fd: Option<OwnedFd>,
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    argv_pointers: Vec<*const c_char>,
    env_pointers: Vec<*const c_char>,
}

impl Image {
    /// The program is the file `fd` where there is one, else the file at `path`.
    pub(crate) fn new(fd: Option<OwnedFd>, path: CString, argv: Vec<CString>, env: Vec<CString>) -> Image {
        let mut image =
            Image { fd, path, argv: Vec::new(), env, argv_pointers: Vec::new(), env_pointers: Vec::new() };
        image.env_pointers = pointers(&image.env);
        image.set_argv(argv);
        image
    }

    /// Whether `error` of [`exec`](Self::exec) says that the program, one of the job's own files, is none that this
    /// host can start.
    pub(crate) fn is_refused_for(&self, error: &io::Error) -> bool {
        let of_program =
            [libc::ENOENT, libc::ENOEXEC, libc::EINVAL, libc::ELIBBAD, libc::EACCES, libc::ENOTDIR];
        self.fd.is_some() && error.raw_os_error().is_some_and(|errno| of_program.contains(&errno))
    }

    /// Replaces the arguments.
    pub(crate) fn set_argv(&mut self, argv: Vec<CString>) {
        self.argv = argv;
        self.argv_pointers = pointers(&self.argv);
    }

    /// Executes it; returns only the error. Safe in a child of [`vfork`].
    pub(crate) fn exec(&self, key: Key) -> io::Error {
        let (fd, path, flags) = match &self.fd {
            Some(fd) => (fd.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH),
            None => (libc::AT_FDCWD, self.path.as_ptr(), 0),
        };
        // SAFETY: both tables end in null and point to strings that `self` owns and does not move: a `CString`'s bytes
        // stay where they are when the `Vec` around it does not change, and only `set_argv` changes one, with its table.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                c_long::from(fd),
                path,
                self.argv_pointers.as_ptr(),
                self.env_pointers.as_ptr(),
                c_long::from(flags),
                key.0,
            )
        };
        last_error()
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// What a reaped process was and used.
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) status: c_int,
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    pub(crate) maxrss_bytes: u64,
}

/// Waits for any child; `None` when there is none left.
pub(crate) fn reap() -> io::Result<Option<Reaped>> {
    let mut status: c_int = 0;
    // SAFETY: `rusage` is plain numbers, for which zero bytes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals that outlive the call.
        let pid = unsafe { libc::wait4(-1, &mut status, libc::__WALL, &mut usage) };
        if pid > 0 {
            let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
            return Ok(Some(Reaped {
                pid,
                status,
                user_us: micros(usage.ru_utime),
                system_us: micros(usage.ru_stime),
                maxrss_bytes: usage.ru_maxrss as u64 * 1024,
            }));
        }
        match last_error().raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(last_error()),
        }
    }
}

/// Sends SIGKILL to every process in our pid namespace but ourselves, which is pid 1 there. No process is no error.
///
/// Refuses to do anything when we are not pid 1: in the host's namespace the same call would be a disaster.
pub(crate) fn kill_everything_else() -> io::Result<()> {
    // SAFETY: no memory is involved.
    if unsafe { libc::getpid() } != 1 {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    // SAFETY: no memory is involved; we are pid 1 of a namespace of our own, as checked above.
    match check(c_long::from(unsafe { libc::kill(-1, libc::SIGKILL) })) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}

/// CPU time that a process has used so far, all its threads; `None` once it is gone.
pub(crate) fn process_cpu(pid: i32) -> Option<Duration> {
    // The kernel's encoding of "the scheduler's clock of process `pid`".
    let clock = (!pid << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    (result == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// A descriptor that becomes readable when `pid` ends.
pub(crate) fn pidfd_open(pid: i32, key: Key) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, c_long::from(pid), 0, 0, 0, 0, key.0) })?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sets both limits of `resource` of another process of ours.
pub(crate) fn set_limit_of(
    pid: i32,
    (resource, soft, hard): (libc::__rlimit_resource_t, u64, u64),
    key: Key,
) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    let none = ptr::null_mut::<libc::rlimit>();
    let (pid, resource) = (c_long::from(pid), resource as c_long);
    // SAFETY: the pointer is to a local that outlives the call, and a null pointer asks for nothing back.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, ptr::from_ref(&limit), none, 0, key.0) })
        .map(drop)
}

// ----------------------------------------------------------------------------- processes that we trace

/// The registers of a stopped process.
pub(crate) type Registers = libc::user_regs_struct;

/// One request of `ptrace` whose address and data are numbers.
pub(crate) fn trace(request: c_uint, pid: i32, address: u64, data: u64, key: Key) -> io::Result<()> {
    // SAFETY: every request that this crate passes here takes numbers; an address is one of the traced process.
    check(unsafe {
        libc::syscall(libc::SYS_ptrace, c_long::from(request), c_long::from(pid), address, data, 0, key.0)
    })
    .map(drop)
}

/// One request of `ptrace` that reads a `T`, for which zero bytes are a value.
fn trace_read<T>(request: c_uint, pid: i32, address: u64, key: Key) -> io::Result<T> {
    // SAFETY: private, and called with plain numbers alone.
    let mut value: T = unsafe { std::mem::zeroed() };
    let data = ptr::from_mut(&mut value);
    // SAFETY: each caller names a type of the size that its request writes, and `value` outlives the call.
    check(unsafe {
        libc::syscall(libc::SYS_ptrace, c_long::from(request), c_long::from(pid), address, data, 0, key.0)
    })?;
    Ok(value)
}

/// The registers of `pid`.
pub(crate) fn registers(pid: i32, key: Key) -> io::Result<Registers> {
    trace_read(libc::PTRACE_GETREGS, pid, 0, key)
}

/// One request of `ptrace` that writes a `T`.
fn trace_write<T>(request: c_uint, pid: i32, address: u64, value: &T, key: Key) -> io::Result<()> {
    let (request, pid) = (c_long::from(request), c_long::from(pid));
    // SAFETY: private; each caller names a type of the size that its request reads, and `value` outlives the call.
    check(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, address, ptr::from_ref(value), 0, key.0) })
        .map(drop)
}

/// Replaces the registers of `pid`.
pub(crate) fn set_registers(pid: i32, registers: &Registers, key: Key) -> io::Result<()> {
    trace_write(libc::PTRACE_SETREGS, pid, 0, registers, key)
}

/// The signals that `pid` blocks.
pub(crate) fn blocked_signals(pid: i32, key: Key) -> io::Result<u64> {
    trace_read(libc::PTRACE_GETSIGMASK, pid, size_of::<u64>() as u64, key)
}

/// Makes `pid` block `signals` and no others.
pub(crate) fn block_signals(pid: i32, signals: u64, key: Key) -> io::Result<()> {
    trace_write(libc::PTRACE_SETSIGMASK, pid, size_of::<u64>() as u64, &signals, key)
}

/// The message of the event for which `pid` stopped: of a fork, the new process.
pub(crate) fn event_message(pid: i32, key: Key) -> io::Result<u64> {
    trace_read(libc::PTRACE_GETEVENTMSG, pid, 0, key)
}

/// A word of the memory of `pid`.
pub(crate) fn peek(pid: i32, address: u64, key: Key) -> io::Result<u64> {
    trace_read(libc::PTRACE_PEEKDATA, pid, address, key)
}

/// Replaces a word of the memory of `pid`.
pub(crate) fn poke(pid: i32, address: u64, word: u64, key: Key) -> io::Result<()> {
    trace(libc::PTRACE_POKEDATA, pid, address, word, key)
}

/// Waits until `pid`, a child or traced, stops or ends.
pub(crate) fn wait_for(pid: i32) -> io::Result<c_int> {
    let mut status: c_int = 0;
    loop {
        // SAFETY: the pointer is to a local that outlives the call.
        match check(c_long::from(unsafe { libc::waitpid(pid, &mut status, libc::__WALL) })) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|_| status),
        }
    }
}

/// Where a process of another program has what is in these structures.
pub(crate) mod layout {
    use std::mem::offset_of;

    /// Of a `rusage`.
    pub(crate) const USER_TIME: u64 = offset_of!(libc::rusage, ru_utime) as u64;
    /// Of a `rusage`.
    pub(crate) const SYSTEM_TIME: u64 = offset_of!(libc::rusage, ru_stime) as u64;
    /// Of a `rusage`, in KiB.
    pub(crate) const MAXRSS: u64 = offset_of!(libc::rusage, ru_maxrss) as u64;

    /// Words of a `msghdr` at `at` for one byte at `at + 128` and as many descriptors as fit in `control_bytes` at
    /// `at + 192`, its `iovec` (at `at + 64`) after it.
    pub(crate) fn message(at: u64, control_bytes: u64) -> [(u64, u64); 8] {
        let header = |offset: usize, value| (at + offset as u64, value);
        [
            header(offset_of!(libc::msghdr, msg_name), 0),
            header(offset_of!(libc::msghdr, msg_namelen), 0),
            header(offset_of!(libc::msghdr, msg_iov), at + 64),
            header(offset_of!(libc::msghdr, msg_iovlen), 1),
            header(offset_of!(libc::msghdr, msg_control), at + 192),
            header(offset_of!(libc::msghdr, msg_controllen), control_bytes),
            (at + 64, at + 128),
            (at + 72, 1),
        ]
    }
}

// ------------------------------------------------------------------- steps that are safe in a vfork child

/// Starts a session and process group of our own, away from any terminal.
pub(crate) fn new_session(key: Key) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_setsid, 0, 0, 0, 0, 0, key.0) }).map(drop)
}

/// Makes descriptor `to` a copy of `from`, without close-on-exec.
pub(crate) fn duplicate_onto(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: no memory is involved. The only descriptors ever replaced are 0 to 2, which nobody in this crate owns.
    check(c_long::from(unsafe { libc::dup2(from, to) })).map(drop)
}

/// Marks every descriptor from `first` on to be closed by `exec`.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let (from, to, flags) = (first as c_long, c_long::from(c_uint::MAX), libc::CLOSE_RANGE_CLOEXEC as c_long);
    // SAFETY: no memory is involved, and no descriptor is closed.
    check(unsafe { libc::syscall(libc::SYS_close_range, from, to, flags) }).map(drop)
}

/// Sets the soft and the hard limit of `resource`.
pub(crate) fn set_limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the pointer is to a local that outlives the call.
    check(c_long::from(unsafe { libc::setrlimit(resource, &limit) })).map(drop)
}

/// The hard limit of `resource`.
pub(crate) fn hard_limit(resource: libc::__rlimit_resource_t) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local that outlives the call.
    check(c_long::from(unsafe { libc::getrlimit(resource, &mut limit) }))?;
    Ok(limit.rlim_max)
}

// ---------------------------------------------------------------------------------------------- ourselves

/// One `prctl` with integer arguments.
pub(crate) fn prctl(option: c_int, argument: u64) -> io::Result<()> {
    // SAFETY: every option that this crate passes takes integers and no pointers.
    check(c_long::from(unsafe { libc::prctl(option, argument, 0u64, 0u64, 0u64) })).map(drop)
}

/// Gives every signal its default action.
pub(crate) fn default_signals() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) || (32..libc::SIGRTMIN()).contains(&signal) {
            continue;
        }
        // SAFETY: SIG_DFL is no handler of ours, so nothing can run at a wrong moment.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(last_error());
        }
    }
    Ok(())
}

/// Gives up every capability, for ourselves and for all programs that we execute.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            other => other?,
        }
    }
    // NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each locked; KEEP_CAPS off and locked.
    prctl(libc::PR_SET_SECUREBITS, 0b1110_1111)?;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let none = [[0u32; 3]; 2];
    // SAFETY: version 3 reads one header and two triples of words, which is what these locals are.
    check(unsafe { libc::syscall(libc::SYS_capset, ptr::from_ref(&header), none.as_ptr()) }).map(drop)
}

/// Installs a seccomp filter for good. Without the speculation mitigation that would slow the program down: the
/// program shares no memory with anything worth reading.
pub(crate) fn install_seccomp(filter: &[seccompiler::sock_filter]) -> io::Result<()> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const seccompiler::sock_filter,
    }
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = Program { length, filter: filter.as_ptr() };
    // SAFETY: the kernel copies `length` instructions from a slice of that length; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_long::from(libc::SECCOMP_SET_MODE_FILTER),
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as c_long,
            ptr::from_ref(&program),
        )
    };
    check(result).map(drop)
}

/// The Landlock ABI of this kernel; an error where there is none.
pub(crate) fn landlock_abi() -> io::Result<u32> {
    // SAFETY: a null attribute with length zero and the VERSION flag asks for the version and touches no memory.
    let abi = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<c_void>(), 0 as c_long, 1 as c_long)
    })?;
    Ok(abi as u32)
}

/// A close-on-exec copy, above 2, of a descriptor that we were started with.
pub(crate) fn owned_fd(fd: RawFd) -> io::Result<OwnedFd> {
    copy_above(fd, 3)
}

/// A close-on-exec copy of `fd` whose number is `lowest` at least.
pub(crate) fn copy_above(fd: RawFd, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved; the kernel says whether `fd` is open.
    let copy = check(c_long::from(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) }))?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// Closes every descriptor from `first` on. Only for the first steps of a process, before it owns any of them.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: called by `keeper::main` alone, before any descriptor above 2 has an owner in this process.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first as c_long, c_long::from(c_uint::MAX), 0 as c_long)
    })
    .map(drop)
}

// ------------------------------------------------------------------------------------------------ mounts

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Opens what `path` means when `root` is the root directory, links included, without opening it for reading. With
/// `follow` unset the last component is taken as it is, even a link.
pub(crate) fn open_in_root(root: BorrowedFd<'_>, path: &CStr, follow: bool) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    open_beneath(root, path, flags, libc::RESOLVE_IN_ROOT, Key::NONE)
}

/// `openat2` below `directory`.
pub(crate) fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: c_int,
    resolve: u64,
    key: Key,
) -> io::Result<OwnedFd> {
    // SAFETY: `open_how` is plain numbers, for which zero bytes are a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = flags as u64;
    how.resolve = resolve;
    // SAFETY: the path ends in NUL, `how` is as long as said, and both outlive the call.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            c_long::from(directory.as_raw_fd()),
            path.as_ptr(),
            ptr::from_ref(&how),
            size_of::<libc::open_how>(),
            0 as c_long,
            key.0,
        )
    })?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A mount of what `source` stands for, with everything mounted below it, that is nowhere in the tree of mounts.
pub(crate) fn detached(source: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | (libc::AT_EMPTY_PATH | libc::AT_RECURSIVE).cast_unsigned();
    // SAFETY: the path is a constant that ends in NUL.
    let tree = check(unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            c_long::from(source.as_raw_fd()),
            c"".as_ptr(),
            libc::c_ulong::from(flags),
        )
    })?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(tree as RawFd) })
}

/// Binds what `source` stands for at `target`, with everything mounted below it, with `attributes` added on all of it.
pub(crate) fn bind(source: BorrowedFd<'_>, target: &CStr, attributes: u64) -> io::Result<()> {
    let empty = c"".as_ptr();
    let recursive = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    let tree = detached(source)?;
    let attributes = MountAttributes { set: attributes, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path ends in NUL, the attributes are as long as said, and both outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            c_long::from(tree.as_raw_fd()),
            empty,
            c_long::from(recursive),
            ptr::from_ref(&attributes),
            size_of::<MountAttributes>(),
        )
    })?;
    // SAFETY: both paths end in NUL and outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            c_long::from(tree.as_raw_fd()),
            empty,
            c_long::from(libc::AT_FDCWD),
            target.as_ptr(),
            c_long::from(libc::MOVE_MOUNT_F_EMPTY_PATH),
        )
    })
    .map(drop)
}

// ----------------------------------------------------------------------------------- files without a name

/// A memfd that can be written and sealed.
pub(crate) fn memfd(name: &CStr, key: Key) -> io::Result<OwnedFd> {
    let flags = c_long::from(libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
    // SAFETY: the name ends in NUL and outlives the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags, 0, 0, 0, key.0) })?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// One `fcntl` with an integer argument.
pub(crate) fn fcntl(fd: BorrowedFd<'_>, command: c_int, argument: c_int, key: Key) -> io::Result<c_long> {
    let (fd, command, argument) =
        (c_long::from(fd.as_raw_fd()), c_long::from(command), c_long::from(argument));
    // SAFETY: every command that this crate passes takes an integer and no pointer.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, command, argument, 0, 0, key.0) })
}

/// Cuts an open file to nothing.
pub(crate) fn empty(file: BorrowedFd<'_>, key: Key) -> io::Result<()> {
    // SAFETY: numbers alone.
    check(unsafe { libc::syscall(libc::SYS_ftruncate, c_long::from(file.as_raw_fd()), 0, 0, 0, 0, key.0) })
        .map(drop)
}

/// Makes now the time at which an open file was last read and written.
pub(crate) fn touch(file: BorrowedFd<'_>, key: Key) -> io::Result<()> {
    let none = ptr::null::<c_void>();
    // SAFETY: no path means the file itself, and no times mean now; the kernel reads no memory of ours.
    check(unsafe {
        libc::syscall(libc::SYS_utimensat, c_long::from(file.as_raw_fd()), none, none, 0, 0, key.0)
    })
    .map(drop)
}

// ---------------------------------------------------------------------------------------------- messages

/// Room for the control part of a message with as many descriptors as there can be.
#[repr(C, align(8))]
struct Control([u8; 1040]);

/// Sends one message with descriptors over a SOCK_SEQPACKET socket.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[RawFd], key: Key) -> io::Result<()> {
    if bytes.len() > MESSAGE_BYTES_MAX || fds.len() > MESSAGE_FDS_MAX {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut control = Control([0; 1040]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: `msghdr` is plain numbers and pointers, for which zero bytes are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    if !fds.is_empty() {
        let payload = size_of_val(fds) as u32;
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: arithmetic only.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(payload) } as usize;
        // SAFETY: `control` is aligned and larger than CMSG_SPACE of 253 descriptors (1032 bytes), as checked above;
        // CMSG_FIRSTHDR and CMSG_DATA therefore point into it, with room for `fds`.
        unsafe {
            let message = libc::CMSG_FIRSTHDR(&header);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = libc::SCM_RIGHTS;
            (*message).cmsg_len = libc::CMSG_LEN(payload) as usize;
            ptr::copy_nonoverlapping(fds.as_ptr(), libc::CMSG_DATA(message).cast(), fds.len());
        }
    }
    let (socket, flags) = (c_long::from(socket.as_raw_fd()), c_long::from(libc::MSG_NOSIGNAL));
    loop {
        // SAFETY: everything that `header` points to is alive; the kernel only reads it.
        let sent = check(unsafe {
            libc::syscall(libc::SYS_sendmsg, socket, ptr::from_ref(&header), flags, 0, 0, key.0)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one message; `None` when the other side has closed. Every descriptor is close-on-exec.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    key: Key,
) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
    let mut control = Control([0; 1040]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: `msghdr` is plain numbers and pointers, for which zero bytes are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    let (socket, flags) = (c_long::from(socket.as_raw_fd()), c_long::from(libc::MSG_CMSG_CLOEXEC));
    let count = loop {
        // SAFETY: `header` points to `part`, `buffer` and `control`, all alive and exclusively ours.
        let received = check(unsafe {
            libc::syscall(libc::SYS_recvmsg, socket, ptr::from_mut(&mut header), flags, 0, 0, key.0)
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other? as usize,
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel has filled `control` up to `msg_controllen`; the CMSG functions stay within that.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(&header) };
    while !message.is_null() {
        // SAFETY: `message` is not null and lies within `control`, as CMSG_FIRSTHDR and CMSG_NXTHDR promise.
        let (level, kind, length) =
            unsafe { ((*message).cmsg_level, (*message).cmsg_type, (*message).cmsg_len) };
        if level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS {
            // SAFETY: arithmetic only.
            let count = (length - unsafe { libc::CMSG_LEN(0) } as usize) / size_of::<RawFd>();
            for index in 0..count {
                // SAFETY: the kernel put `count` descriptors there, open and known to nobody else. The data of a
                // control message need not be aligned for `c_int`, hence the unaligned read.
                fds.push(unsafe {
                    OwnedFd::from_raw_fd(libc::CMSG_DATA(message).cast::<RawFd>().add(index).read_unaligned())
                });
            }
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        message = unsafe { libc::CMSG_NXTHDR(&header, message) };
    }
    if header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    if count == 0 && fds.is_empty() { Ok(None) } else { Ok(Some((count, fds))) }
}
