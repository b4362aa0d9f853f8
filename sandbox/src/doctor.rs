//! What this host can enforce, found by trying, with the cure for each lack.

use std::fs;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::cgroup::Host;
use crate::confine::NAMESPACES;
use crate::{keeper, sys};

/// What a host can enforce.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HostFacts {
    /// Kernel release.
    pub kernel: String,
    /// Landlock ABI, zero where there is none.
    pub landlock_abi: u32,
    /// Every finding, in the order a person should read them.
    pub facts: Vec<Fact>,
}

/// One finding about the host.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Fact {
    /// A stable short name, as in [`crate::Layer`].
    pub name: String,
    /// How well the host does.
    pub state: FactState,
    /// What was found.
    pub found: String,
    /// What an operator can do; empty when nothing is amiss.
    pub cure: String,
}

/// The finding about users.
const USERS: &str = "users";

/// How well a host does in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactState {
    /// There.
    Good,
    /// Not there, and something weaker takes its place.
    Degraded,
    /// Not there, and nothing can run without it.
    Missing,
}

/// Probes the host. Changes nothing: what can only be found by trying is tried in children that end at once, and in
/// cgroups that are removed again.
pub fn probe() -> HostFacts {
    examine(&Host::find())
}

/// As [`probe`], with the cgroups already found.
pub(crate) fn examine(cgroups: &Host) -> HostFacts {
    let kernel = nix::sys::utsname::uname().map(|names| names.release().to_string_lossy().into_owned());
    let landlock_abi = sys::landlock_abi().unwrap_or(0);
    let mut facts = vec![namespaces(), landlock(landlock_abi), seccomp()];
    facts.extend(control_groups(cgroups));
    facts.push(users());
    facts.push(mounts());
    facts.push(warm_interpreters());
    facts.push(huge_pages());
    facts.push(cores());
    facts.push(clock());
    HostFacts { kernel: kernel.unwrap_or_default(), landlock_abi, facts }
}

fn fact(name: &str, state: FactState, found: impl Into<String>, cure: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), state, found: found.into(), cure: cure.into() }
}

fn namespaces() -> Fact {
    let user = NAMESPACES.iter().take(1).fold(0, |all, (_, flag)| all | flag);
    for (name, flag) in NAMESPACES {
        if let Err(error) = sys::try_namespaces(user | flag) {
            let cure = "allow unprivileged user namespaces: sysctl user.max_user_namespaces (not 0), \
                        kernel.unprivileged_userns_clone=1 (Debian), \
                        kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); in a container, a seccomp profile \
                        that permits unshare";
            return fact("namespaces", FactState::Missing, format!("{name}: {error}"), cure);
        }
    }
    fact("namespaces", FactState::Good, "user, mount, pid, net, ipc, uts and cgroup can be made", "")
}

fn landlock(abi: u32) -> Fact {
    let found = format!("ABI {abi}");
    match abi {
        0 => fact("landlock", FactState::Missing, "none", "boot Linux 5.13 or newer with `landlock` in lsm="),
        1..=3 => fact(
            "landlock",
            FactState::Degraded,
            found + ": files only",
            "Linux 6.12 adds TCP, signals and abstract sockets, which namespaces stop meanwhile",
        ),
        4..=5 => fact(
            "landlock",
            FactState::Degraded,
            found + ": files and TCP",
            "Linux 6.12 adds signals and abstract sockets, which namespaces stop meanwhile",
        ),
        _ => fact("landlock", FactState::Good, found + ": files, TCP, signals, abstract sockets", ""),
    }
}

fn seccomp() -> Fact {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if actions.contains("kill_process") && actions.contains("errno") {
        fact("seccomp", FactState::Good, "filters with kill_process", "")
    } else {
        fact("seccomp", FactState::Missing, "no filters", "boot a kernel with CONFIG_SECCOMP_FILTER")
    }
}

fn control_groups(host: &Host) -> [Fact; 3] {
    let found = host.describe();
    let cure = "delegate a cgroup: systemd `Delegate=yes` with `DelegateSubgroup=`, or run as root";
    let memory = if host.limits_memory() {
        fact("memory_cgroup", FactState::Good, found.clone(), "")
    } else {
        fact(
            "memory_cgroup",
            FactState::Degraded,
            found.clone() + "; memory is limited as address space",
            cure,
        )
    };
    let cpu = if host.counts_cpu() {
        fact("cpu_cgroup", FactState::Good, found, "")
    } else {
        fact("cpu_cgroup", FactState::Degraded, found + "; CPU time is what reaped processes used", cure)
    };
    let kill = if host.kills() {
        fact("cgroup_kill", FactState::Good, "a slot's group can be killed as one", "")
    } else {
        fact(
            "cgroup_kill",
            FactState::Degraded,
            "no group can be killed as one; the death of pid 1 ends what is in a slot",
            "mount a cgroup2, empty ones will do, on Linux 5.14 or newer",
        )
    };
    [memory, cpu, kill]
}

fn users() -> Fact {
    if keeper::identity(0).may_set_groups {
        fact(USERS, FactState::Good, "each slot has a user of its own", "")
    } else {
        let found = "programs run as the judge's user, which namespaces keep apart";
        fact(USERS, FactState::Degraded, found, "run as root, or map the users from 200000 on")
    }
}

fn mounts() -> Fact {
    match fs::metadata("/proc/self/ns/user").and_then(|_| fs::metadata("/tmp")) {
        Ok(_) => fact("mounts", FactState::Good, "/proc and /tmp are there", ""),
        Err(error) => fact("mounts", FactState::Missing, error.to_string(), "mount /proc and make /tmp"),
    }
}

fn warm_interpreters() -> Fact {
    let setting = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u32>().ok();
    let (lack, cure) = if setting("/proc/sys/kernel/yama/ptrace_scope").is_some_and(|scope| scope > 1) {
        ("Yama lets nobody trace a child", "sysctl kernel.yama.ptrace_scope=1")
    } else if setting("/proc/sys/fs/leases-enable") != Some(1) {
        ("no leases", "sysctl fs.leases-enable=1")
    } else if fs::metadata("/proc/sys/kernel/ns_last_pid").is_err() {
        ("pids cannot be set", "boot a kernel with CONFIG_CHECKPOINT_RESTORE")
    } else {
        return fact(
            "warm_interpreters",
            FactState::Good,
            "can be forked instead of started for each run",
            "",
        );
    };
    let found = format!("{lack}: an interpreter is started for each run, which takes longer");
    fact("warm_interpreters", FactState::Degraded, found, cure)
}

fn huge_pages() -> Fact {
    let text = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    fact("huge_pages", FactState::Good, format!("{}; switched off for every program", text.trim()), "")
}

fn cores() -> Fact {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    fact("cores", FactState::Good, format!("{count} to pin slots to"), "")
}

fn clock() -> Fact {
    let source = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.unwrap_or_default();
    let source = source.trim();
    if matches!(source, "tsc" | "kvm-clock" | "arch_sys_counter" | "hyperv_clocksource_tsc_page") {
        fact("clock", FactState::Good, source, "")
    } else {
        let cure = "a slow clock source makes every measurement dearer; see /sys/devices/system/clocksource";
        fact("clock", FactState::Degraded, if source.is_empty() { "unknown" } else { source }, cure)
    }
}
