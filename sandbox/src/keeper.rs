//! The first process: checks the host, makes the slots' wardens, and ends everything when the judge goes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getegid, geteuid, setsid};

use crate::cgroup::{Groups, Host};
use crate::doctor::{self, FactState};
use crate::error::Failure;
use crate::seccomp;
use crate::sys::{self, Forked, Key};
use crate::warden::{self, Filters, Identity, Warden};
use crate::wire::{self, Hello, Welcome};

/// The first user id of slots where the keeper may map any.
const UID_FIRST: u32 = 200_000;

/// Lives a keeper's life on the socket that is descriptor 0.
pub(crate) fn live() -> io::Result<()> {
    sys::close_from(3)?;
    let judge = sys::owned_fd(0)?;
    let null = fs::File::open("/dev/null")?;
    sys::duplicate_onto(null.as_raw_fd(), 0)?;
    drop(null);
    // Keys typed at the judge's terminal are the judge's: it ends us when it is done.
    setsid()?;
    // Nor shall the judge's mask decide what programs can do in their own directory.
    umask(Mode::from_bits_truncate(0o022));
    // A slot whose warden was killed must still be buried by us.
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    let Some((hello, _)) = wire::receive::<Hello>(judge.as_fd(), Key::NONE)? else {
        return Ok(());
    };
    let host = Host::find();
    host.sweep();
    let facts = doctor::examine(&host);
    if let Some(failure) = refusal(&facts, &hello, &host) {
        return wire::send(judge.as_fd(), &Welcome::Err(failure), &[], Key::NONE);
    }
    let groups = match host.make() {
        Ok(groups) => groups,
        Err(error) => {
            let failure = Failure::step("making the keeper's cgroups", &error);
            return wire::send(judge.as_fd(), &Welcome::Err(failure), &[], Key::NONE);
        }
    };
    let result = match serve(&judge, &hello, &groups, facts) {
        Ok(Some((warden, control))) => return warden::live(warden, control),
        Ok(None) => Ok(()),
        Err(failure) => wire::send(judge.as_fd(), &Welcome::Err(failure), &[], Key::NONE),
    };
    while sys::reap()?.is_some() {}
    groups.remove();
    result
}

/// What the policy requires and the host lacks.
fn refusal(facts: &doctor::HostFacts, hello: &Hello, host: &Host) -> Option<Failure> {
    let policy = &hello.policy;
    let missing = facts.facts.iter().find(|fact| {
        fact.state == FactState::Missing
            && match fact.name.as_str() {
                "landlock" => facts.landlock_abi < policy.landlock_abi_min,
                _ => true,
            }
    });
    let missing =
        missing.map(|fact| (fact.name.clone(), fact.found.clone(), fact.cure.clone())).or_else(|| {
            let named = |name: &str| facts.facts.iter().find(|fact| fact.name == name);
            let lacks_memory = policy.memory_cgroup_required && !host.limits_memory();
            let lacks_cpu = policy.cpu_cgroup_required && !host.counts_cpu();
            let name = if lacks_memory {
                "memory_cgroup"
            } else if lacks_cpu {
                "cpu_cgroup"
            } else {
                return None;
            };
            named(name).map(|fact| (fact.name.clone(), fact.found.clone(), fact.cure.clone()))
        });
    missing.map(|(layer, found, cure)| Failure::MissingLayer { layer, found, cure })
}

/// Makes the wardens, answers the judge and waits until it goes. Returns a warden in the process that is to be one.
fn serve(
    judge: &OwnedFd,
    hello: &Hello,
    groups: &Groups,
    facts: doctor::HostFacts,
) -> Result<Option<(Warden, OwnedFd)>, Failure> {
    let cores = cores();
    let key = Key::random().map_err(|error| Failure::step("drawing a key", &error))?;
    let filter = |lists: &[&str]| {
        seccomp::compile(lists, key)
            .map_err(|error| Failure::step(format!("compiling the filter ({error})"), &error))
    };
    let run = filter(&[seccomp::RUN])?;
    let run_for_runtimes = filter(&[seccomp::RUN, seccomp::RUNTIMES])?;
    let build = filter(&[seccomp::BUILD, seccomp::RUNTIMES])?;
    let mut wardens = Vec::new();
    let mut controls = Vec::new();
    for slot in 0..hello.slots as usize {
        let (theirs, ours) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .map_err(|errno| Failure::step("making a slot's socket", &errno.into()))?;
        match sys::fork_into(0).map_err(|error| Failure::step("starting a warden", &error))? {
            Forked::Parent { pid } => {
                wardens.push(Pid::from_raw(pid));
                controls.push(theirs);
            }
            Forked::Child => {
                let tied = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64);
                tied.map_err(|error| Failure::step("tying a warden to the keeper", &error))?;
                let groups = groups.enter(slot);
                let groups = groups
                    .map_err(|error| Failure::step(format!("entering the cgroups of slot {slot}"), &error))?;
                let warden = Warden {
                    policy: hello.policy,
                    identity: identity(slot as u32),
                    filters: Filters { key, run, run_for_runtimes, build },
                    groups,
                    pinned: hello.pin.then(|| cores[slot % cores.len()]),
                    cores: cores.len() as u32,
                    network_is_shared: false,
                };
                return Ok(Some((warden, ours)));
            }
        }
    }
    let numbers: Vec<RawFd> = controls.iter().map(AsRawFd::as_raw_fd).collect();
    let sent = wire::send(judge.as_fd(), &Welcome::Ok(facts), &numbers, Key::NONE);
    drop(controls);
    if sent.is_ok() {
        // Nothing is ever said on this socket again; it only closes, with the judge or before it.
        let _ = sys::receive(judge.as_fd(), &mut [0; 1], Key::NONE);
    }
    for pid in wardens {
        let _ = kill(pid, Signal::SIGKILL);
    }
    groups.kill();
    Ok(None)
}

/// The cores that we may use; at least one.
fn cores() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_else(|_| CpuSet::new());
    let cores: Vec<usize> = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect();
    if cores.is_empty() { vec![0] } else { cores }
}

/// Who the programs of a slot are. A privileged keeper gives each slot a user of its own, that nothing else on the
/// host uses; any other can only be itself.
pub(crate) fn identity(slot: u32) -> Identity {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let mapped = |file: &str, id: u32| {
        let map = fs::read_to_string(file).unwrap_or_default();
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
            match (numbers.next(), numbers.nth(1)) {
                (Some(first), Some(count)) => id >= first && id - first < count,
                _ => false,
            }
        })
    };
    let own = UID_FIRST + slot;
    if uid == 0 && mapped("/proc/self/uid_map", own) && mapped("/proc/self/gid_map", own) {
        Identity { uid: own, gid: own, may_set_groups: true }
    } else {
        Identity { uid, gid, may_set_groups: false }
    }
}
