//! What a host must be able to enforce before anything runs on it.

use bincode::{Decode, Encode};
use serde::Serialize;

/// Which layers are required where hosts differ. Namespaces, the pivoted root, seccomp, no_new_privs, empty
/// capabilities and rlimits are always required and have no switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Policy {
    /// The lowest Landlock ABI to accept: 1 means files only, 4 adds TCP, 6 adds signals and abstract sockets. Zero
    /// means that a host without Landlock is accepted. The best ABI of the host is always used.
    pub landlock_abi_min: u32,
    /// Whether a host without a memory cgroup that can be written is refused. Otherwise memory is limited as address
    /// space.
    pub memory_cgroup_required: bool,
    /// Whether a host without any cgroup that counts CPU time is refused. Otherwise the CPU time of a tree is what its
    /// reaped processes used.
    pub cpu_cgroup_required: bool,
}

impl Default for Policy {
    /// Landlock is required; cgroups are used where the host has them.
    fn default() -> Self {
        Policy { landlock_abi_min: 1, memory_cgroup_required: false, cpu_cgroup_required: false }
    }
}
