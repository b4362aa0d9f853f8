//! What a program waits for, where that decides whose fault its waiting is.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::sys::{self, Key};

/// How long a program may take to stop. One in the middle of a `vfork` does not stop at all.
const STOP_MAX: Duration = Duration::from_millis(20);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Whether the first thread of a child waits for time or a signal and nothing else. It is left stopped: what is asked
/// this is to be killed. What cannot be looked at does not sleep.
pub(crate) fn sleeps(pid: i32, key: Key) -> bool {
    look(pid, key).unwrap_or(false)
}

fn look(pid: i32, key: Key) -> io::Result<bool> {
    sys::trace(libc::PTRACE_SEIZE, pid, 0, 0, key)?;
    sys::trace(libc::PTRACE_INTERRUPT, pid, 0, 0, key)?;
    let start = Instant::now();
    // Its end stays to be reaped by whoever does.
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    while waitid(Id::Pid(Pid::from_raw(pid)), flags)? == WaitStatus::StillAlive {
        if start.elapsed() > STOP_MAX {
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
    let at = sys::registers(pid, key)?;
    Ok(match at.orig_rax.cast_signed() {
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => true,
        libc::SYS_pause | libc::SYS_rt_sigsuspend | libc::SYS_rt_sigtimedwait => true,
        // Without descriptors.
        libc::SYS_select | libc::SYS_pselect6 => at.rdi == 0,
        libc::SYS_poll | libc::SYS_ppoll => at.rsi == 0,
        _ => false,
    })
}
