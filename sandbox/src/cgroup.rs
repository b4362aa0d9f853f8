//! Control groups, in whichever world the host is: who may use how much, and what was used.
//!
//! Four worlds. *v2*: a delegated cgroup2 with the memory controller. *v1*: writable v1 hierarchies, each its own.
//! *Empty cgroup2*, alone or beside v1: no controllers, but `cpu.stat` and `cgroup.kill`. *None*: rlimits and `wait4`
//! must do. Each slot's processes enter their groups once, since a v1 migration costs 10 ms; a run only writes limits
//! and reads counters through descriptors that were opened then.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Layer;

/// The prefix of every group that we make; a process id follows.
const PREFIX: &str = "assize-";

/// The file of a cgroup2 by which all that is in a group and below is killed, whatever it forks meanwhile.
const KILL: &str = "cgroup.kill";

/// By how much the limit of memory may be above what it has to be.
const MEMORY_BYTES_STEP: u64 = 4 << 20;

/// How long what was killed may take to be gone.
const DYING_MAX: Duration = Duration::from_secs(5);

/// One hierarchy in which we can make groups.
#[derive(Debug, Clone)]
struct Hierarchy {
    kind: Kind,
    /// The directory in which we make our own.
    base: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    V2Memory,
    V2Empty,
    V1Memory,
    V1Pids,
    V1CpuAcct,
}

/// Every hierarchy of the host that we can use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    hierarchies: Vec<Hierarchy>,
}

impl Host {
    /// Finds them by looking at the mounts and trying to make a group in each.
    pub(crate) fn find() -> Host {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut hierarchies = Vec::new();
        for line in mounts.lines() {
            let Some((place, kind, options)) = mount_fields(line) else { continue };
            if kind == "cgroup2" {
                let inside = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
                let own_group = place.join(inside.trim_start_matches('/'));
                hierarchies.extend(find_v2(&own_group, &place));
            } else if kind == "cgroup" {
                let has = |name: &str| options.split(',').any(|option| option == name);
                for (name, kind) in
                    [("memory", Kind::V1Memory), ("pids", Kind::V1Pids), ("cpuacct", Kind::V1CpuAcct)]
                {
                    if has(name) && can_make_groups(&place) {
                        hierarchies.push(Hierarchy { kind, base: place.clone() });
                    }
                }
            }
        }
        // One meter of CPU time is enough, and the one of cgroup2 costs no migration.
        if hierarchies.iter().any(|hierarchy| matches!(hierarchy.kind, Kind::V2Memory | Kind::V2Empty)) {
            hierarchies.retain(|hierarchy| hierarchy.kind != Kind::V1CpuAcct);
        }
        Host { hierarchies }
    }

    /// Whether memory can be limited.
    pub(crate) fn limits_memory(&self) -> bool {
        self.hierarchies.iter().any(|hierarchy| matches!(hierarchy.kind, Kind::V2Memory | Kind::V1Memory))
    }

    /// Whether CPU time is counted.
    pub(crate) fn counts_cpu(&self) -> bool {
        self.hierarchies.iter().any(|hierarchy| !matches!(hierarchy.kind, Kind::V1Memory | Kind::V1Pids))
    }

    /// Whether a group can be killed as one.
    pub(crate) fn kills(&self) -> bool {
        let v2 = |hierarchy: &&Hierarchy| matches!(hierarchy.kind, Kind::V2Memory | Kind::V2Empty);
        let mut hierarchies = self.hierarchies.iter().filter(v2);
        hierarchies.any(|hierarchy| {
            // The root of a hierarchy has no such file, so one is made to see.
            let trial = hierarchy.base.join(format!("{PREFIX}{}-kill", std::process::id()));
            let kills = fs::create_dir(&trial).is_ok() && trial.join(KILL).exists();
            let _ = fs::remove_dir(&trial);
            kills
        })
    }

    /// In words, for people.
    pub(crate) fn describe(&self) -> String {
        if self.hierarchies.is_empty() {
            return "none that can be written".to_owned();
        }
        let names = self.hierarchies.iter().map(|hierarchy| {
            let kind = match hierarchy.kind {
                Kind::V2Memory => "v2 with memory",
                Kind::V2Empty => "v2 without memory",
                Kind::V1Memory => "v1 memory",
                Kind::V1Pids => "v1 pids",
                Kind::V1CpuAcct => "v1 cpuacct",
            };
            format!("{kind} at {}", hierarchy.base.display())
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Removes groups of keepers that no longer live, which only a killed keeper leaves behind.
    pub(crate) fn sweep(&self) {
        for hierarchy in &self.hierarchies {
            for entry in fs::read_dir(&hierarchy.base).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<i32>().ok());
                if let Some(pid) = owner
                    && !Path::new("/proc").join(pid.to_string()).exists()
                {
                    remove(&entry.path());
                }
            }
        }
    }

    /// The group of this keeper in every hierarchy.
    pub(crate) fn make(&self) -> io::Result<Groups> {
        let mut groups = Groups { made: Vec::new() };
        for hierarchy in &self.hierarchies {
            let path = hierarchy.base.join(format!("{PREFIX}{}", std::process::id()));
            fs::create_dir(&path)?;
            groups.made.push((hierarchy.kind, path.clone()));
            if hierarchy.kind == Kind::V2Memory {
                enable(&path, "memory")?;
                // Pids are welcome and not needed: RLIMIT_NPROC counts too.
                let _ = enable(&path, "pids");
            }
        }
        Ok(groups)
    }
}

/// Where a line of mountinfo says something is mounted, its type and its super options.
fn mount_fields(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    Some((PathBuf::from(before.split(' ').nth(4)?), after.next()?, after.nth(1)?))
}

/// Where to make groups in a cgroup2: where memory can be had, if anywhere. Our own group cannot give controllers to
/// its children while we are in it, so a delegated group above it, with us in a leaf, is next; the root is last.
fn find_v2(own_group: &Path, root: &Path) -> Option<Hierarchy> {
    let candidates =
        [Some(own_group), own_group.parent().filter(|parent| parent.starts_with(root)), Some(root)];
    let usable: Vec<&Path> =
        candidates.into_iter().flatten().filter(|group| can_make_groups(group)).collect();
    let memory = usable.iter().find(|group| enable(group, "memory").is_ok());
    if let Some(group) = memory {
        // Pids are welcome and not needed: RLIMIT_NPROC counts too.
        let _ = enable(group, "pids");
    }
    let kind = if memory.is_some() { Kind::V2Memory } else { Kind::V2Empty };
    let base = memory.or_else(|| usable.first())?.to_path_buf();
    Some(Hierarchy { kind, base })
}

fn enable(group: &Path, controller: &str) -> io::Result<()> {
    let control = group.join("cgroup.subtree_control");
    if fs::read_to_string(&control)?.split_whitespace().any(|word| word == controller) {
        return Ok(());
    }
    fs::write(control, format!("+{controller}"))
}

/// Whether we can make a group there, and enter it: the second needs `cgroup.procs` of the group above.
fn can_make_groups(base: &Path) -> bool {
    let trial = base.join(format!("{PREFIX}{}-trial", std::process::id()));
    let made = fs::create_dir(&trial).is_ok();
    let _ = fs::remove_dir(&trial);
    made && File::options().write(true).open(base.join("cgroup.procs")).is_ok()
}

/// Removes a group and those below it, as far as they are empty.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Whether anything lives in a group of cgroup2 or below it.
fn is_populated(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.events")).is_ok_and(|text| field(&text, "populated") == Some(1))
}

/// The groups of one keeper, removed when dropped.
#[derive(Debug)]
pub(crate) struct Groups {
    made: Vec<(Kind, PathBuf)>,
}

impl Groups {
    /// Makes the groups of one slot, puts this process into them and opens what a run needs.
    pub(crate) fn enter(&self, slot: usize) -> io::Result<SlotGroups> {
        let mut own = SlotGroups::default();
        for (kind, keeper) in &self.made {
            let path = keeper.join(format!("slot{slot}"));
            fs::create_dir(&path)?;
            let named = |name: &str| path.display().to_string() + "/" + name;
            match kind {
                Kind::V1Memory => {
                    // Without this, what is over the limit would be swapped out instead of being refused.
                    let _ = fs::write(path.join("memory.swappiness"), "0");
                    own.memory = Some(Memory {
                        limit: open_write(&path, "memory.limit_in_bytes")?,
                        usage: open_read(&path, "memory.usage_in_bytes")?,
                        stat: open_read(&path, "memory.stat")?,
                        peak: open_both(&path, "memory.max_usage_in_bytes").ok(),
                        events: open_read(&path, "memory.oom_control")?,
                        current: 0,
                        name: named("memory.limit_in_bytes"),
                    });
                }
                Kind::V2Memory => {
                    let _ = fs::write(path.join("memory.swap.max"), "0");
                    own.memory = Some(Memory {
                        limit: open_write(&path, "memory.max")?,
                        usage: open_read(&path, "memory.current")?,
                        stat: open_read(&path, "memory.stat")?,
                        // Only from 6.12 on can the peak be reset; before that it is of no use here.
                        peak: open_both(&path, "memory.peak").ok(),
                        events: open_read(&path, "memory.events")?,
                        current: 0,
                        name: named("memory.max"),
                    });
                    own.cpu = Some(CpuMeter { file: open_read(&path, "cpu.stat")?, name: named("cpu.stat") });
                    own.pids = open_write(&path, "pids.max").ok().map(|file| (file, named("pids.max"), 0));
                }
                Kind::V2Empty => {
                    own.cpu = Some(CpuMeter { file: open_read(&path, "cpu.stat")?, name: named("cpu.stat") });
                }
                Kind::V1Pids => {
                    own.pids = open_write(&path, "pids.max").ok().map(|file| (file, named("pids.max"), 0));
                }
                Kind::V1CpuAcct => {
                    own.cpu = Some(CpuMeter {
                        file: open_read(&path, "cpuacct.usage")?,
                        name: named("cpuacct.usage"),
                    });
                }
            }
            fs::write(path.join("cgroup.procs"), std::process::id().to_string())?;
        }
        Ok(own)
    }

    /// Kills everything in the groups, where the host can do that: a second time, by another way than the death of
    /// what each process depends on.
    pub(crate) fn kill(&self) {
        for (kind, path) in &self.made {
            if matches!(kind, Kind::V2Memory | Kind::V2Empty) && fs::write(path.join(KILL), "1").is_ok() {
                // Dying takes a moment, and only an empty group can be removed.
                let start = Instant::now();
                while is_populated(path) && start.elapsed() < DYING_MAX {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// Removes the groups, which must be empty of processes.
    pub(crate) fn remove(&self) {
        for (_, path) in &self.made {
            remove(path);
        }
    }
}

fn open_read(group: &Path, name: &str) -> io::Result<File> {
    File::open(group.join(name))
}

fn open_write(group: &Path, name: &str) -> io::Result<File> {
    File::options().write(true).open(group.join(name))
}

fn open_both(group: &Path, name: &str) -> io::Result<File> {
    File::options().read(true).write(true).open(group.join(name))
}

/// The open files of one slot's groups.
#[derive(Debug, Default)]
pub(crate) struct SlotGroups {
    memory: Option<Memory>,
    cpu: Option<CpuMeter>,
    pids: Option<(File, String, u64)>,
}

#[derive(Debug)]
struct Memory {
    limit: File,
    usage: File,
    stat: File,
    peak: Option<File>,
    events: File,
    /// The limit as last written, in bytes.
    current: u64,
    name: String,
}

impl Memory {
    fn set_limit(&mut self, bytes: u64) -> io::Result<()> {
        // Of one that could not be written nobody knows.
        self.current = 0;
        (&self.limit).write_all(bytes.to_string().as_bytes())?;
        self.current = bytes;
        Ok(())
    }

    /// Copies of files of disks, which are charged to whoever reads them first. Files in tmpfs are none.
    fn cache_bytes(&self) -> io::Result<u64> {
        let text = read(&self.stat)?;
        // In version 1 and in version 2.
        let files = field(&text, "cache").or_else(|| field(&text, "file"));
        Ok(files.unwrap_or(0).saturating_sub(field(&text, "shmem").unwrap_or(0)))
    }
}

/// What a group holds with no program in it, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    /// The page cache, which makes way.
    cache_bytes: u64,
    /// All else: our own, the files of the job, and what came out of earlier runs and is still held by the caller.
    pub(crate) other_bytes: u64,
}

#[derive(Debug)]
struct CpuMeter {
    file: File,
    name: String,
}

impl SlotGroups {
    /// Sets the limits of the next run. One of memory that is hardly above what is asked stands: writing takes time.
    pub(crate) fn limit(&mut self, memory_bytes: u64, processes: u64) -> io::Result<()> {
        if let Some(memory) = &mut self.memory
            && !(memory_bytes..=memory_bytes.saturating_add(MEMORY_BYTES_STEP)).contains(&memory.current)
        {
            memory.set_limit(memory_bytes)?;
        }
        if let Some((file, _, current)) = &mut self.pids
            && *current != processes
        {
            (&*file).write_all(processes.to_string().as_bytes())?;
            *current = processes;
        }
        Ok(())
    }

    /// Leaves room for `bytes` more than what is used now, for work of our own: the limit is the last program's.
    pub(crate) fn relax(&mut self, bytes: u64) -> io::Result<()> {
        let Some(memory) = &mut self.memory else { return Ok(()) };
        let usage_bytes = number(&memory.usage)?;
        memory.set_limit(usage_bytes.saturating_add(bytes))
    }

    /// Whether memory is limited by a group.
    pub(crate) fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// Processes killed for want of memory since the group was made.
    pub(crate) fn oom_kills(&self) -> io::Result<u64> {
        let Some(memory) = &self.memory else { return Ok(0) };
        Ok(field(&read(&memory.events)?, "oom_kill").unwrap_or(0))
    }

    /// What the group holds, with no program in it.
    pub(crate) fn held(&self) -> io::Result<Held> {
        let Some(memory) = &self.memory else { return Ok(Held::default()) };
        let cache_bytes = memory.cache_bytes()?;
        Ok(Held { cache_bytes, other_bytes: number(&memory.usage)?.saturating_sub(cache_bytes) })
    }

    /// Measures the peak of memory from here on. What is used now without the page cache, in bytes; `None` where the host
    /// cannot begin anew.
    pub(crate) fn start_peak(&mut self, held: Held) -> io::Result<Option<u64>> {
        let Some(memory) = &mut self.memory else { return Ok(None) };
        let Some(peak) = &memory.peak else { return Ok(None) };
        if (&*peak).write_all(b"0").is_err() {
            memory.peak = None;
            return Ok(None);
        }
        Ok(Some(number(peak)?.saturating_sub(held.cache_bytes)))
    }

    /// By how much the group's memory grew at most since [`start_peak`](Self::start_peak) said `start_bytes`, in bytes,
    /// without the page cache: what a program reads stays there for as long as the kernel likes, and makes way for memory
    /// that is asked for.
    pub(crate) fn memory_bytes_grown(&self, start_bytes: u64) -> io::Result<u64> {
        let Some(memory) = &self.memory else { return Ok(0) };
        let Some(peak) = &memory.peak else { return Ok(0) };
        Ok(number(peak)?.saturating_sub(memory.cache_bytes()?).saturating_sub(start_bytes))
    }

    /// CPU time used in the group since it was made, in microseconds.
    pub(crate) fn cpu_us(&self) -> io::Result<Option<u64>> {
        let Some(meter) = &self.cpu else { return Ok(None) };
        let text = read(&meter.file)?;
        Ok(field(&text, "usage_usec").or_else(|| text.trim().parse::<u64>().ok().map(|nanos| nanos / 1000)))
    }

    /// The layers that these groups are.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let layer = |name: &str, detail: String| Layer { name: name.to_owned(), detail };
        let mut layers = Vec::new();
        match &self.memory {
            Some(memory) => layers.push(layer("memory_cgroup", memory.name.clone())),
            None => layers
                .push(layer("memory_rlimit", "RLIMIT_AS: no memory cgroup can be written here".to_owned())),
        }
        layers.extend(self.cpu.as_ref().map(|meter| layer("cpu_cgroup", meter.name.clone())));
        layers.extend(self.pids.as_ref().map(|(_, name, _)| layer("pids_cgroup", name.clone())));
        layers
    }
}

/// Reads a control file from its start. The longest is `memory.stat`, of which the start will do.
fn read(file: &File) -> io::Result<String> {
    let mut buffer = [0; 2048];
    let count = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// Reads a control file that is a number.
fn number(file: &File) -> io::Result<u64> {
    read(file)?.trim().parse().map_err(io::Error::other)
}

/// The number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
