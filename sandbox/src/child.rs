//! The child between `vfork` and `exec`: the one function through which every program starts.

use std::io;
use std::os::fd::RawFd;

use crate::sys::{self, Image, Key};

/// Everything the child needs, prepared before it exists: it shares our memory and must not allocate, lock or panic.
pub(crate) struct Plan<'a> {
    pub(crate) image: &'a Image,
    /// What the program has as descriptors 0, 1, 2 and so on. Their own numbers are all beyond those.
    pub(crate) descriptors: &'a [RawFd],
    /// Resource, soft limit, hard limit.
    pub(crate) limits: &'a [(libc::__rlimit_resource_t, u64, u64)],
    pub(crate) key: Key,
    /// Which step failed, and why; read by the parent.
    pub(crate) failed: Option<(&'static str, io::Error)>,
}

/// The step that hands over to the program.
pub(crate) const EXEC: &str = "execve";

/// Becomes the program, or says in `plan.failed` why not.
///
/// The order is the argument. Namespaces, root, capabilities, Landlock and seccomp are already ours and are inherited;
/// what is left is what differs from run to run. Descriptors come first, while `RLIMIT_NOFILE` cannot be in the way.
/// Then limits: from here on the child can only lose. The key is last used by `exec`, which wipes it with our memory.
pub(crate) fn become_program(plan: &mut Plan<'_>) {
    plan.failed = steps(plan).err();
}

fn steps(plan: &Plan<'_>) -> Result<(), (&'static str, io::Error)> {
    // A session of its own: no terminal, and no process group that anyone else is in.
    sys::new_session(plan.key).map_err(|error| ("setsid", error))?;
    // These descriptors and no other.
    for (to, from) in plan.descriptors.iter().enumerate() {
        sys::duplicate_onto(*from, to as RawFd).map_err(|error| ("dup2", error))?;
    }
    sys::close_on_exec_from(plan.descriptors.len() as RawFd).map_err(|error| ("close_range", error))?;
    // Hard limits, which nobody without capabilities can raise again.
    for (resource, soft, hard) in plan.limits {
        sys::set_limit(*resource, *soft, *hard).map_err(|error| ("setrlimit", error))?;
    }
    Err((EXEC, plan.image.exec(plan.key)))
}
