//! How a fresh process becomes a confined cell, in two halves: [`arm`] before the job is known, [`lock`] after.

use std::fs;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::unistd::{Gid, Uid, setgroups, sethostname, setresgid, setresuid};
use seccompiler::BpfProgram;

use crate::error::Failure;
use crate::root::{self, Devices, Reach, WORK};
use crate::run::OomScore;
use crate::{Layer, Policy, Profile, sys};

/// The namespaces of every cell. The network one is made once per slot where the warden can: it takes longer than all
/// others together, and an empty network that no socket call can reach keeps nothing from one cell to the next.
pub(crate) const NAMESPACES: [(&str, libc::c_int); 7] = [
    ("user_namespace", libc::CLONE_NEWUSER),
    ("mount_namespace", libc::CLONE_NEWNS),
    ("pid_namespace", libc::CLONE_NEWPID),
    ("network_namespace", libc::CLONE_NEWNET),
    ("ipc_namespace", libc::CLONE_NEWIPC),
    ("uts_namespace", libc::CLONE_NEWUTS),
    ("cgroup_namespace", libc::CLONE_NEWCGROUP),
];

/// The user and group that a program is inside its namespace. Not 0, so that no `exec` ever grants a capability.
pub(crate) const INSIDE_ID: u32 = 1;

/// What [`arm`] hands to the rest of the cell's life.
pub(crate) struct Armed {
    pub(crate) layers: Vec<Layer>,
    pub(crate) oom_score: OomScore,
    /// Where the names of the standard streams are.
    pub(crate) devices: Devices,
}

/// The first half, in new namespaces whose maps are written: what does not depend on the job, done ahead of time.
pub(crate) fn arm(may_set_groups: bool, network_is_shared: bool) -> Result<Armed, Failure> {
    // While /proc/self is still ours: a change of user gives it to root.
    let oom_score = io_step("opening our out-of-memory score", OomScore::open())?;
    // Then the identity: whatever is made from here on belongs to the slot's own user, not to the judge's.
    if may_set_groups {
        step("dropping the groups", setgroups(&[]))?;
    }
    let (user, group) = (Uid::from_raw(INSIDE_ID), Gid::from_raw(INSIDE_ID));
    step("taking the slot's group", setresgid(group, group, group))?;
    step("taking the slot's user", setresuid(user, user, user))?;
    // A change of user clears this, so it comes after: when the warden dies, so do we, and all that we run.
    io_step("tying the cell to its warden", sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64))?;
    step("naming the host", sethostname("assize"))?;
    let detail = |flag| match flag {
        libc::CLONE_NEWNET if network_is_shared => "empty, made for this slot",
        _ => "made for this cell",
    };
    let mut layers: Vec<Layer> = NAMESPACES.iter().map(|(name, flag)| layer(name, detail(*flag))).collect();
    // Needs the host's /proc. Where that is read-only, as in many containers, seccomp alone refuses new namespaces.
    if fs::write("/proc/sys/user/max_user_namespaces", "0").is_ok() {
        layers.push(layer("nested_user_namespaces", "off: max_user_namespaces is 0"));
    }
    let devices = root::prepare()?;
    // Whether a page fault gets a huge page depends on the host's mood, and with it the CPU time of the program.
    if sys::prctl(libc::PR_SET_THP_DISABLE, 1).is_ok() {
        layers.push(layer("huge_pages", "off, so that CPU time is repeatable"));
    }
    Ok(Armed { layers, oom_score, devices })
}

/// The second half begins: gives up files and everything that a program could gain by `exec`. Mounting is done, which
/// Landlock would forbid.
///
/// A cell that warms an interpreter forks between this and [`lock`]: both are then in the one Landlock domain, without
/// which the one could not trace the other, and the fork still has the right to a pid namespace.
pub(crate) fn close(profile: Profile, reach: &Reach, policy: &Policy) -> Result<Vec<Layer>, Failure> {
    let mut layers = vec![layer("root", &format!("pivoted, read-only; {}", describe(reach, profile)))];
    // Programs would inherit what is ignored: SIGPIPE by Rust's runtime, SIGHUP under nohup.
    io_step("resetting the signals", sys::default_signals())?;
    io_step("hiding our memory", sys::prctl(libc::PR_SET_DUMPABLE, 0))?;
    io_step("setting no_new_privs", sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1))?;
    layers.push(layer("no_new_privs", "set"));
    layers.extend(landlock(profile, reach, policy)?);
    Ok(layers)
}

/// The second half ends: gives up all that is left, in the order in which each step still can be taken. Seccomp
/// forbids the calls of all others, so it is last, and nothing is left to give up.
pub(crate) fn lock((name, filter): (&str, &BpfProgram)) -> Result<Vec<Layer>, Failure> {
    io_step("dropping capabilities", sys::drop_capabilities())?;
    // Whoever made us: of a cell its warden, of an interpreter the cell.
    io_step("tying us to our parent", sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64))?;
    io_step("installing the seccomp filter", sys::install_seccomp(filter))?;
    Ok(vec![
        layer("no_capabilities", "all sets empty, bounding set included; securebits locked"),
        layer("seccomp", &format!("allowlist `{name}`, {} instructions, default EPERM", filter.len())),
    ])
}

/// The best Landlock of this kernel, with every right of it required; less than the policy's minimum is refused.
fn landlock(profile: Profile, reach: &Reach, policy: &Policy) -> Result<Option<Layer>, Failure> {
    let found = sys::landlock_abi().unwrap_or(0);
    if found < policy.landlock_abi_min {
        return Err(Failure::MissingLayer {
            layer: "landlock".to_owned(),
            found: format!("ABI {found}, {} is required", policy.landlock_abi_min),
            cure: "boot a newer kernel, with `landlock` in lsm=".to_owned(),
        });
    }
    if found == 0 {
        return Ok(None);
    }
    let abi = match found {
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        _ => ABI::V6,
    };
    let status = enforce(profile, reach, abi).map_err(|error| {
        let errno = io::Error::last_os_error();
        Failure::step(format!("enforcing Landlock ABI {found} ({error})"), &errno)
    })?;
    if status != RulesetStatus::FullyEnforced {
        return Err(Failure::MissingLayer {
            layer: "landlock".to_owned(),
            found: format!("ABI {found} was only {status:?}"),
            cure: "report this: a kernel must enforce the ABI that it names".to_owned(),
        });
    }
    let enforced = found.min(6);
    let more = match enforced {
        0..=3 => "files",
        4 | 5 => "files, TCP",
        _ => "files, TCP, signals, abstract sockets",
    };
    Ok(Some(layer("landlock", &format!("ABI {enforced} of the host's {found}: {more}"))))
}

fn enforce(profile: Profile, reach: &Reach, abi: ABI) -> Result<RulesetStatus, Box<dyn std::error::Error>> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let mut ruleset = ruleset.create()?;
    let read = AccessFs::from_read(abi);
    for path in &reach.read_only {
        let access = if path.is_dir() { read } else { read & AccessFs::from_file(abi) };
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
    }
    for device in &reach.devices {
        let access = AccessFs::ReadFile | AccessFs::WriteFile;
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(device)?, access))?;
    }
    if let Some(input) = &reach.input {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(input)?, AccessFs::ReadFile))?;
    }
    let work = match profile {
        Profile::Run => read,
        Profile::Build => {
            AccessFs::from_all(abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock)
        }
    };
    ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(WORK)?, work))?;
    Ok(ruleset.restrict_self()?.ruleset)
}

fn describe(reach: &Reach, profile: Profile) -> String {
    let paths: Vec<String> = reach.read_only.iter().map(|path| path.display().to_string()).collect();
    let work = if profile == Profile::Run { "/w read-only" } else { "/w a sized tmpfs" };
    format!(
        "{work}; read-only from the host: {}",
        if paths.is_empty() { "nothing".to_owned() } else { paths.join(" ") }
    )
}

pub(crate) fn layer(name: &str, detail: &str) -> Layer {
    Layer { name: name.to_owned(), detail: detail.to_owned() }
}

fn step<T>(what: &str, result: nix::Result<T>) -> Result<T, Failure> {
    result.map_err(|errno| Failure::step(what, &errno.into()))
}

fn io_step<T>(what: &str, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::step(what, &error))
}
