//! Turns the lists in `filters/` into one seccomp program per profile.
//!
//! `common.json` with `run.json` or `build.json` is what a program may do, and `runtimes.json` what builds and the runtimes
//! of some languages may do beside it; every entry says why. `cell.json` is what
//! only the sandbox itself may do: each of those calls must carry a [`Key`]. Everything else fails with `EPERM`.

use std::io;

use seccompiler::{BpfProgram, TargetArch, sock_filter};
use serde_json::{Value, json};

use crate::sys::Key;

const COMMON: &str = include_str!("../filters/common.json");
pub(crate) const RUN: &str = include_str!("../filters/run.json");
pub(crate) const RUNTIMES: &str = include_str!("../filters/runtimes.json");
pub(crate) const BUILD: &str = include_str!("../filters/build.json");
const CELL: &str = include_str!("../filters/cell.json");

/// Calls that answer `ENOSYS`, so that programs fall back to an older call instead of giving up. `clone3` hides its
/// flags behind a pointer, where no filter can see them; io_uring does other calls' work unseen by any filter.
const ABSENT: [i64; 6] = [
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_futex_waitv,
    libc::SYS_memfd_secret,
];

/// Bit of a call number that marks the x32 ABI.
const X32: u32 = 0x4000_0000;
/// Where a call's arguments are in what a filter looks at.
const ARGUMENTS: u32 = 16;
/// `AUDIT_ARCH_X86_64`.
const ARCH: u32 = 0xC000_003E;

/// Compiles a filter that allows what is on `lists` beside what is common, for cells that hold `key`.
pub(crate) fn compile(lists: &[&str], key: Key) -> io::Result<BpfProgram> {
    let mut rules = entries(COMMON)?;
    for list in lists {
        rules.extend(entries(list)?);
    }
    let free: Vec<Value> =
        rules.iter().filter(|rule| rule.get("args").is_none()).map(|rule| rule["syscall"].clone()).collect();
    let keyed = CELL.replace("\"@KEY@\"", &key.value().to_string());
    rules.extend(entries(&keyed)?.into_iter().filter(|rule| !free.contains(&rule["syscall"])));
    let whole = json!({
        "filter": { "mismatch_action": { "errno": libc::EPERM }, "match_action": "allow", "filter": rules }
    });
    let mut programs = seccompiler::compile_from_json(whole.to_string().as_bytes(), TargetArch::x86_64)
        .map_err(io::Error::other)?;
    let list = programs.remove("filter").ok_or_else(|| io::Error::other("the filter vanished"))?;
    Ok(prologue(key).into_iter().chain(list).collect())
}

fn entries(text: &str) -> io::Result<Vec<Value>> {
    serde_json::from_str(text).map_err(io::Error::other)
}

/// What comes before the list: foreign architectures and x32 are killed, [`ABSENT`] calls do not exist, nor does
/// `pidfd_open` for whoever has no key.
fn prologue(key: Key) -> BpfProgram {
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let result = |value| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let equal = |value, skip| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skip, value);
    let mut program = vec![
        load(4),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, ARCH),
        result(libc::SECCOMP_RET_KILL_PROCESS),
        load(0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        result(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    for call in ABSENT {
        program.push(equal(call as u32, 1));
        program.push(result(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32));
    }
    let (low, high) = (key.value() as u32, (key.value() >> 32) as u32);
    program.extend([
        equal(libc::SYS_pidfd_open as u32, 6),
        load(ARGUMENTS + 5 * 8),
        equal(low, 3),
        load(ARGUMENTS + 5 * 8 + 4),
        equal(high, 1),
        result(libc::SECCOMP_RET_ALLOW),
        result(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]);
    program
}

fn instruction(code: u32, jump_true: u8, jump_false: u8, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: jump_true, jf: jump_false, k: value }
}
