//! What only shows after many runs or long ones: growth, random system calls, and CPU times that depend on neighbours.
//!
//! Each has a size for every day and an environment variable for a long night:
//!
//! - `ASSIZE_SOAK_RUNS` (10000): runs of the soak, a quarter of a minute here; an emulated machine wants fewer.
//! - `ASSIZE_FUZZ_SECONDS` (4) and `ASSIZE_FUZZ_SEED` (the clock): how long to fuzz, and the first seed.
//! - `ASSIZE_CPU_SPREAD_PERCENT` (30): how much a program's CPU time may differ between a slot alone and all slots busy.
//!   On a quiet machine 5 holds.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use assize_sandbox::*;

use crate::harness::*;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("the variable is a number"))
}

/// What must be the same before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Census {
    /// The keeper, its wardens and their armed cells, by name: how many of each.
    processes: usize,
    /// All their descriptors.
    descriptors: usize,
    /// Their namespaces, counted without repetition.
    namespaces: usize,
    /// Mounts that this process, the keeper and the wardens see.
    mounts: usize,
    /// Cgroups of the keeper.
    groups: usize,
    /// System V shared memory, semaphores and queues of the host.
    ipc: usize,
}

impl Census {
    /// Whether nothing is there that was not there before. A count before may have caught something on its way out.
    fn is_within(&self, before: &Census) -> bool {
        self.processes == before.processes
            && self.descriptors <= before.descriptors
            && self.namespaces <= before.namespaces
            && self.mounts <= before.mounts
            && self.groups <= before.groups
            && self.ipc <= before.ipc
    }
}

/// A keeper and everything below it. Counted while nothing runs, so each slot has its warden and one armed cell.
fn family(keeper: u32) -> Vec<u32> {
    let mut all = vec![keeper];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        next += 1;
    }
    all
}

fn entries(path: &str) -> usize {
    fs::read_dir(path).map_or(0, |entries| entries.flatten().count())
}

fn lines(path: &str) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

fn folders_below(path: &std::path::Path) -> usize {
    let folders = fs::read_dir(path).into_iter().flatten().flatten();
    folders.filter(|entry| entry.path().is_dir()).map(|entry| 1 + folders_below(&entry.path())).sum()
}

fn census(keeper: u32) -> Census {
    let family = family(keeper);
    let mut namespaces = std::collections::BTreeSet::new();
    for pid in &family {
        for entry in fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten() {
            if let Ok(target) = fs::read_link(entry.path()) {
                namespaces.insert(target);
            }
        }
    }
    let mut groups = 0;
    let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    for root in roots.chain(["/sys/fs/cgroup".into()]) {
        let ours = root.join(format!("assize-{keeper}"));
        groups += folders_below(&ours);
    }
    Census {
        processes: family.len(),
        descriptors: family.iter().map(|pid| entries(&format!("/proc/{pid}/fd"))).sum(),
        namespaces: namespaces.len(),
        mounts: lines("/proc/self/mounts") + lines(&format!("/proc/{keeper}/mounts")),
        groups,
        ipc: ["shm", "sem", "msg"].iter().map(|kind| lines(&format!("/proc/sysvipc/{kind}"))).sum(),
    }
}

/// Resident memory of the keeper and its wardens together, which live as long as the judge. Cells come and go.
fn resident_kib(keeper: u32) -> u64 {
    let wardens = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap_or_default();
    let all = wardens.split_whitespace().filter_map(|word| word.parse::<u32>().ok()).chain([keeper]);
    all.map(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    })
    .sum()
}

/// The census once the slots are idle, a cell armed and the last one buried: when it is within `before`, or where there
/// is no before, when it has not changed for a while.
fn settled(keeper: u32, before: Option<&Census>) -> Census {
    let start = Instant::now();
    let mut last = census(keeper);
    let mut same = 0;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let now = census(keeper);
        same = if now == last { same + 1 } else { 0 };
        let is_done = before.map_or(same == 5, |before| now.is_within(before));
        if is_done || start.elapsed() > Duration::from_secs(20) {
            return now;
        }
        last = now;
    }
}

#[test]
fn a127_thousands_of_runs_leave_nothing_behind() {
    let runs = setting("ASSIZE_SOAK_RUNS", 10_000);
    let mut keeper = keeper(1);
    let pid = keeper.pid();
    let mut slot = keeper.take_slot().expect("a slot");
    let mut build_place = Place::new();
    let clean = build_place.compile("000_clean.c");
    let interpreted = Job { warm: build_place.can_warm(), ..build_place.interpreted("000_clean.c") };
    let (quick, build) =
        (RunSpec::new(Stdin::Null, Limits::run(10_000)), RunSpec::new(Stdin::Null, Limits::build(10_000)));
    let mut round = |runs: u64, builds: u64| {
        let mut session = slot.open(&program(Profile::Run, &clean)).expect("a session opens");
        session.start(&quick).expect("it is asked for");
        for _ in 1..runs {
            session.start(&quick).expect("it is asked for");
            assert_eq!(session.finish().expect("it runs").report.exit, Exit::Exited(0));
        }
        assert_eq!(stdout(&session.finish().expect("it runs")), "contained\n");
        drop(session);
        let mut session = slot.open(&interpreted).expect("a session opens");
        for _ in 0..runs / 10 {
            let outcome = session.run(&quick).expect("it runs");
            assert_eq!((stdout(&outcome).as_str(), outcome.report.warm), ("contained\n", interpreted.warm));
        }
        drop(session);
        let mut session = slot.open(&program(Profile::Build, &clean)).expect("a session opens");
        for _ in 0..builds {
            assert_eq!(stdout(&session.run(&build).expect("it runs")), "contained\n");
        }
    };
    // Once, so that everything has been used that is allocated once.
    round(100, 5);
    let before = settled(pid, None);
    let (memory_before, start) = (resident_kib(pid), Instant::now());
    for _ in 0..20 {
        round(runs / 20, 10);
    }
    let after = settled(pid, Some(&before));
    let memory_after = resident_kib(pid);
    println!(
        "{runs} runs, a tenth of it warm, and 200 builds in {:?}: {after:?}, {memory_before} KiB before and {memory_after} KiB after",
        start.elapsed()
    );
    assert!(after.is_within(&before), "{before:?} before, {after:?} after");
    // A page here and there may be touched for the first time; a leak of one page per run would be 8 MiB.
    assert!(memory_after <= memory_before + 512, "{memory_before} KiB before, {memory_after} KiB after");
}

/// Fuzzes in one profile, perhaps in a fork of an interpreter, until `end`, a seed per run; returns how many runs there
/// were and how they ended.
fn fuzz(source: &str, profile: Profile, warm: bool, first_seed: u64, end: Instant) -> BTreeMap<String, u32> {
    let mut place = Place::new();
    let clean = place.compile("000_clean.c");
    let job = if warm {
        place.interpreted(source)
    } else {
        let fuzzer = place.compile(source);
        program(profile, &fuzzer)
    };
    let keeper = place.keeper_pid();
    let before = settled(keeper, None);
    let mut ends = BTreeMap::new();
    let mut seed = first_seed;
    while Instant::now() < end {
        let mut session = place.slot.open(&job).expect("a session opens");
        for _ in 0..8 {
            let limits = Limits {
                // With threads to make and without.
                processes: if profile == Profile::Build { 16 } else { 1 + 3 * (seed % 2) as u32 },
                memory_bytes: 512 << 20,
                wall_ms: 1000,
                cpu_ms: 500,
                ..limits(profile)
            };
            let input =
                SealedFile::from_bytes("seed", seed.to_string().as_bytes()).expect("a memfd can be made");
            let spec = RunSpec::new(Stdin::Sealed(&input), limits);
            println!("{profile:?}{}: seed {seed}", if warm { ", warm" } else { "" });
            let outcome = session.run(&spec).expect("the sandbox holds");
            assert_eq!(outcome.report.warm, warm, "seed {seed}: {:?}", outcome.report);
            let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
            // The words may lie in what it wrote at random; the code is its own.
            assert_ne!(outcome.report.exit, Exit::Exited(99), "seed {seed}: {said}");
            assert!(stdout(&outcome).starts_with("contained so far\n"), "seed {seed}: {:?}", outcome.report);
            *ends.entry(format!("{:?} {:?}", outcome.report.end, outcome.report.exit)).or_insert(0) += 1;
            seed += 1;
            if Instant::now() >= end {
                break;
            }
        }
        drop(session);
        assert_clean(&mut place, &clean);
    }
    let after = settled(keeper, Some(&before));
    assert!(after.is_within(&before), "seeds {first_seed} to {seed}: {before:?} before, {after:?} after");
    println!("{profile:?}: seeds {first_seed} to {seed}: {ends:?}");
    ends
}

#[test]
fn a098_random_system_calls() {
    let seconds = setting("ASSIZE_FUZZ_SECONDS", 4);
    let clock = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let seed = setting("ASSIZE_FUZZ_SEED", clock);
    let third = Duration::from_secs(seconds) / 3;
    let can_warm = Place::new().can_warm();
    for (profile, warm) in [(Profile::Run, false), (Profile::Build, false), (Profile::Run, true)] {
        if can_warm || !warm {
            fuzz("098_fuzz.c", profile, warm, seed, Instant::now() + third);
        }
    }
}

#[test]
fn a128_cpu_time_does_not_depend_on_neighbours() {
    if fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG")) {
        println!("SKIPPED: emulated processors share one host, and count as theirs what they wait for it");
        return;
    }
    const WORK: &[u8] =
        b"int main(){ volatile unsigned x = 1; for (long i = 0; i < 150000000; i++) x = x * 3 + 1; }";
    let slots = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let binary = env!("CARGO_BIN_EXE_assize-sandbox").into();
    let config = KeeperConfig { binary, slots, pin: true, policy: Policy::default() };
    let mut keeper = Keeper::start(config).expect("a keeper starts");
    let worker = Place::new().build("a.c", WORK).files.remove(0).1;
    let mut slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    let mut measured = slots.remove(0);
    let mut session = measured.open(&program(Profile::Run, &worker)).expect("a session opens");
    let spec = RunSpec::new(Stdin::Null, Limits { wall_ms: 60_000, ..Limits::run(20_000) });
    let mut times = || -> u64 {
        let mut all: Vec<u64> = (0..7)
            .map(|_| {
                let report = session.run(&spec).expect("it runs").report;
                assert_eq!(report.exit, Exit::Exited(0), "{report:?}");
                report.cpu_us
            })
            .collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    times();
    // Alternately, so that what the host does to both is the same to both.
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        alone.push(times());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for slot in &mut slots {
                let (worker, spec, stop) = (&worker, &spec, &stop);
                scope.spawn(move || {
                    let mut session = slot.open(&program(Profile::Run, worker)).expect("a session opens");
                    while !stop.load(Ordering::Relaxed) {
                        session.run(spec).expect("it runs");
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(100));
            together.push(times());
            stop.store(true, Ordering::Relaxed);
        });
    }
    alone.sort_unstable();
    together.sort_unstable();
    let (alone, together) = (alone[1], together[1]);
    let percent = 100.0 * (together as f64 - alone as f64).abs() / alone as f64;
    println!("{alone} µs alone, {together} µs with all slots busy: {percent:.2} %");
    let allowed = setting("ASSIZE_CPU_SPREAD_PERCENT", 30);
    assert!(percent <= allowed as f64, "{alone} µs alone, {together} µs with all slots busy");
}
