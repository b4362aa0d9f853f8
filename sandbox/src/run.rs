//! One run inside a cell: start, watch, kill, reap, measure.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::{Mode, fstat};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::uio::pread;
use nix::time::{ClockId, clock_gettime};

use crate::cgroup::{Held, SlotGroups};
use crate::child::{self, Plan};
use crate::collect;
use crate::error::Failure;
use crate::root::{self, StreamFiles};
use crate::sys::{self, Image, Key, Reaped, Spawned, Stack};
use crate::waiting;
use crate::warm::{Rlimit, Warm};
use crate::wire::{self, Answer, RanWell, Run};
use crate::{End, Exit, Half, Limits, MemoryMeter, Profile, Report};

/// Memory that a slot's group comes to hold besides the program's: page tables, namespaces, the pipes.
const MEMORY_BYTES_SLACK: u64 = 8 << 20;
/// How much may come out of runs before it is looked at what of it the caller still holds.
const MADE_BYTES_MAX: u64 = 4 << 20;
/// What a file in memory takes at least.
const PAGE_BYTES: u64 = 4096;
/// Room for our own work after a program, and for what a dead one left in tmpfs: the kernel is not to look for the next
/// victim among us.
pub(crate) const MEMORY_BYTES_OWN: u64 = 256 << 20;
/// How much is read from a pipe before the clocks are looked at again.
const BYTES_PER_TURN: usize = 1 << 20;
/// How much is read at once.
pub(crate) const OUTPUT_BUFFER_BYTES: usize = 64 << 10;
/// How long output may lie in its pipe before it is fetched.
const OUTPUT_PAUSE: Duration = Duration::from_millis(1);
/// A program that uses less than this part of the time is idle. One that a busy host starves gets more.
pub(crate) const IDLE_PART: u32 = 100;
/// The shortest wait, so that a program close to its limit does not make us spin.
const WAIT_MIN: Duration = Duration::from_micros(200);

/// What a cell keeps from run to run.
pub(crate) struct Runner {
    pub(crate) profile: Profile,
    pub(crate) key: Key,
    pub(crate) image: Image,
    /// The arguments of the job, before those of a run.
    pub(crate) argv: Vec<CString>,
    pub(crate) groups: SlotGroups,
    /// Limits of our own, which those of a run cannot exceed.
    pub(crate) hard_limits: HardLimits,
    pub(crate) cancel: OwnedFd,
    /// When memory runs out in the slot's cgroup, the program must go and not the cell. A child inherits our score, so
    /// ours is the program's while it is being started.
    pub(crate) oom_score: OomScore,
    /// Cores that the program can use at once.
    pub(crate) cores: u32,
    /// What the slot's group held when that was last read.
    pub(crate) held: Held,
    /// What has come out of runs since then and may still be held by the caller, in bytes.
    pub(crate) made_bytes: u64,
    pub(crate) streams: Streams,
    pub(crate) stack: Stack,
    pub(crate) buffer: Vec<u8>,
    /// What the next run needs, made while nothing is asked of us.
    pub(crate) ready: Option<Ready>,
    /// The interpreter that runs are forked from, where there is one.
    pub(crate) warm: Warm,
    /// The files of the job.
    pub(crate) file_names: Vec<String>,
}

/// What programs find by the names of their standard streams: a copy of the input, and the FIFOs that their output goes
/// through. Programs that run one after another have the same; nothing of the one is to reach the next.
pub(crate) struct Streams {
    stdin: File,
    /// Which half of pairs the programs are, if they are any.
    half: Option<Half>,
    /// How much of a copy there is, in bytes.
    bytes: u64,
    stdout: Rc<File>,
    stderr: Rc<File>,
}

impl Streams {
    /// Takes over what there is, nothing of it used yet.
    pub(crate) fn new(files: StreamFiles, half: Option<Half>, key: Key) -> Self {
        let StreamFiles { stdin, stdout, stderr } = files;
        // What partners say to each other goes through pipes of the usual size: how much fits into one decides who waits.
        let output = if half.is_some() { None } else { Some(&stdout) };
        for fifo in output.into_iter().chain([&stderr]) {
            // A larger pipe means fewer switches; a host that refuses it (pipe-user-pages-soft) is only slower.
            let _ = sys::fcntl(fifo.as_fd(), libc::F_SETPIPE_SZ, 1 << 20, key);
        }
        Self { stdin, half, bytes: 0, stdout: Rc::new(stdout), stderr: Rc::new(stderr) }
    }

    /// Takes the last run's input and output out of them, and the times at which it came.
    fn clear(&mut self, key: Key, buffer: &mut [u8]) -> io::Result<()> {
        if self.bytes > 0 {
            sys::empty(self.stdin.as_fd(), key)?;
            self.bytes = 0;
        }
        let stdin = if self.half == Some(Half::First) { Some(&self.stdin) } else { None };
        for fifo in stdin.into_iter().chain([&*self.stdout, &*self.stderr]) {
            while let Got::Bytes(_) = read(fifo, buffer)? {}
        }
        for stream in [&self.stdin, &*self.stdout, &*self.stderr] {
            sys::touch(stream.as_fd(), key)?;
        }
        Ok(())
    }

    /// Puts a run's input where the program reads it. Nobody runs who could read it yet, or still.
    fn fill(&mut self, input: &OwnedFd, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let count = pread(input, buffer, self.bytes.cast_signed())?;
            if count == 0 {
                return Ok(());
            }
            self.stdin.write_all_at(&buffer[..count], self.bytes)?;
            self.bytes += count as u64;
        }
    }
}

/// Where the output is written to and kept, and where the meters stood before the run.
pub(crate) struct Ready {
    /// Standard input and output; none for half of a pair, which is given pipes.
    own: Option<[OwnedFd; 2]>,
    stderr: OwnedFd,
    kept: File,
    before: Clocks,
    oom_kills: u64,
}

impl Ready {
    /// Opens everything for each run: a program can change the flags of what it is given, and in one that runs share the
    /// next would see them.
    pub(crate) fn make(
        groups: &SlotGroups,
        warm: &Warm,
        half: Option<Half>,
        key: Key,
    ) -> Result<Ready, Failure> {
        Ok(Ready {
            own: match half {
                None => Some([open(root::STDIN, OFlag::O_RDONLY)?, open(root::STDOUT, OFlag::O_WRONLY)?]),
                Some(_) => None,
            },
            stderr: open(root::STDERR, OFlag::O_WRONLY)?,
            kept: File::from(io_step("making the output file", sys::memfd(c"stdout", key))?),
            before: clocks(groups, warm)?,
            oom_kills: io_step("reading the cgroup's kills", groups.oom_kills())?,
        })
    }
}

/// The host's monotonic clock, in microseconds.
pub(crate) fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    now.as_micros() as u64
}

fn clocks(groups: &SlotGroups, warm: &Warm) -> Result<Clocks, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)
        .map_err(|errno| Failure::step("reading our own CPU time", &errno.into()))?;
    let own_us = (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as u64;
    let own_us = own_us + warm.cpu().as_micros() as u64;
    Ok(Clocks { own_us, group_us: io_step("reading the cgroup's CPU time", groups.cpu_us())? })
}

/// Opens a stream for a program, by a name that leads through the read-only root: it can change nothing of what lies there.
/// It has flags of its own, whatever the program makes of them.
fn open(name: &str, end: OFlag) -> Result<OwnedFd, Failure> {
    nix::fcntl::open(name, end | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Failure::step(format!("opening {name}"), &errno.into()))
}

/// Resources and their hard limits.
pub(crate) type HardLimits = Vec<(libc::__rlimit_resource_t, u64)>;

/// The hard limits of this process for everything that a run limits.
pub(crate) fn hard_limits() -> io::Result<HardLimits> {
    [
        libc::RLIMIT_STACK,
        libc::RLIMIT_CPU,
        libc::RLIMIT_FSIZE,
        libc::RLIMIT_NPROC,
        libc::RLIMIT_NOFILE,
        libc::RLIMIT_CORE,
        libc::RLIMIT_MEMLOCK,
        libc::RLIMIT_MSGQUEUE,
        libc::RLIMIT_NICE,
        libc::RLIMIT_RTPRIO,
        libc::RLIMIT_AS,
    ]
    .into_iter()
    .map(|resource| Ok((resource, sys::hard_limit(resource)?)))
    .collect()
}

/// Our own `oom_score_adj`, opened while `/proc` could still be seen.
pub(crate) struct OomScore {
    file: File,
    own: String,
}

impl OomScore {
    pub(crate) fn open() -> io::Result<OomScore> {
        let mut file = File::options().read(true).write(true).open("/proc/self/oom_score_adj")?;
        let mut own = String::new();
        file.read_to_string(&mut own)?;
        Ok(OomScore { file, own: own.trim().to_owned() })
    }

    pub(crate) fn offer(&mut self) -> io::Result<()> {
        self.file.write_all(b"1000")
    }

    pub(crate) fn withdraw(&mut self) -> io::Result<()> {
        self.file.write_all(self.own.as_bytes())
    }
}

/// The reading ends of a program's output, and what came out so far.
struct Output {
    stdout: Option<Rc<File>>,
    stderr: Option<Rc<File>>,
    kept: File,
    stdout_bytes: u64,
    stdout_bytes_max: u64,
    stderr_kept: Vec<u8>,
    stderr_bytes: u64,
    stderr_bytes_max: u64,
    /// Where it is read to before it is kept or dropped.
    buffer: Vec<u8>,
}

/// Our own (with that of a frozen interpreter) and the group's CPU time at one moment, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Clocks {
    own_us: u64,
    group_us: Option<u64>,
}

impl Clocks {
    /// What the group used since then, without what we used ourselves.
    fn group_used_us(&self, now: &Clocks) -> Option<u64> {
        let group_us = now.group_us?.saturating_sub(self.group_us?);
        Some(group_us.saturating_sub(now.own_us.saturating_sub(self.own_us)))
    }
}

/// A run's process.
struct Started {
    /// In our namespace.
    pid: i32,
    /// For whoever reaps it.
    pid_reaped: i32,
    pidfd: OwnedFd,
    /// Why it could not become the program.
    failed: Option<(&'static str, io::Error)>,
}

/// What all reaped processes were and used.
#[derive(Default)]
struct Tally {
    status: Option<i32>,
    count: u64,
    user_us: u64,
    system_us: u64,
    maxrss_bytes: u64,
}

impl Tally {
    /// Of `all`, of which `pid` is the program.
    fn of(all: Vec<Reaped>, pid: i32) -> Tally {
        let mut tally = Tally::default();
        for reaped in all {
            if reaped.pid == pid {
                tally.status = Some(reaped.status);
            }
            tally.count += 1;
            tally.user_us += reaped.user_us;
            tally.system_us += reaped.system_us;
            tally.maxrss_bytes = tally.maxrss_bytes.max(reaped.maxrss_bytes);
        }
        tally
    }
}

impl Runner {
    /// Makes what the next run needs; what fails now is tried again, and told, when the run comes.
    pub(crate) fn get_ready(&mut self) {
        self.ready = Ready::make(&self.groups, &self.warm, self.streams.half, self.key).ok();
        // Not each time: a reading takes some hundredths of a short run.
        if self.made_bytes > MADE_BYTES_MAX
            && let Ok(held) = self.groups.held()
        {
            (self.held, self.made_bytes) = (held, 0);
        }
    }

    /// Runs the program once. On return nothing but this cell lives in the pid namespace.
    pub(crate) fn run(
        &mut self,
        run: &Run,
        given: Vec<OwnedFd>,
        session: &OwnedFd,
    ) -> Result<(RanWell, Vec<OwnedFd>), Failure> {
        let limits = run.limits;
        let half = self.streams.half;
        // What a partner writes is not there yet.
        let (input, pipes) = match half {
            None => (given.into_iter().next(), None),
            Some(_) => (None, Some(given.try_into().map_err(|_| lost("the pipes of a pair"))?)),
        };
        let input_bytes = match input.as_ref().map(fstat).transpose() {
            Ok(stat) => stat.map_or(0, |stat| stat.st_size.cast_unsigned()),
            Err(errno) => return Err(Failure::step("looking at the input", &errno.into())),
        };
        // First, since the limit may be lower than what the last input takes.
        if half != Some(Half::First) {
            io_step("clearing the streams", self.streams.clear(self.key, &mut self.buffer))?;
        }
        self.limit(&limits, input_bytes)?;
        if let Some(input) = input {
            io_step("copying the input", self.streams.fill(&input, &mut self.buffer))?;
        }
        self.image.set_argv(arguments(&self.argv, &run.extra_args)?);
        if self.warm.is_some() {
            self.warm_up(run, half.is_some());
            self.limit(&limits, self.streams.bytes)?;
        }
        let rlimits = self.rlimits(&limits);
        let ready = match self.ready.take() {
            Some(ready) => ready,
            None => Ready::make(&self.groups, &self.warm, half, self.key)?,
        };
        let Ready { own, stderr, kept, before, oom_kills: oom_kills_before } = ready;
        let mut output = Output {
            // What one half of a pair writes is the other's.
            stdout: half.is_none().then(|| Rc::clone(&self.streams.stdout)),
            stderr: Some(Rc::clone(&self.streams.stderr)),
            kept,
            stdout_bytes: 0,
            stdout_bytes_max: limits.stdout_bytes,
            stderr_kept: Vec::new(),
            stderr_bytes: 0,
            stderr_bytes_max: limits.stderr_bytes.min(Limits::STDERR_BYTES_MAX),
            buffer: std::mem::take(&mut self.buffer),
        };
        let [stdin, stdout] = pipes.or(own).ok_or_else(|| lost("the standard streams"))?;
        let descriptors = [&stdin, &stdout, &stderr].map(AsRawFd::as_raw_fd);
        let peak_start = match self.profile {
            Profile::Run => None,
            Profile::Build => io_step("starting the cgroup's peak", self.groups.start_peak(self.held))?,
        };
        let start = Instant::now();
        let started = match &self.warm {
            Warm::Frozen(frozen) => {
                let forked = io_step("forking the interpreter", frozen.fork(descriptors, &rlimits))?;
                Started { pid: forked.pid, pid_reaped: forked.pid_inside, pidfd: forked.pidfd, failed: None }
            }
            _ => self.spawn(&descriptors, &rlimits)?,
        };

        // Who holds the ends of a pair's pipes from here on is its caller.
        let own = half.is_none().then_some((stdin, stdout));

        // Whatever happens from here on, nothing of this run may live on.
        let watched = match started.failed {
            // A program that the job brings may be anything that a compiler can be made to make, one that names a loader
            // which is not there among it. That the kernel will not start it is its own fault: it ends with code 127.
            Some((step, error)) if step == child::EXEC && self.image.is_refused_for(&error) => Ok(None),
            Some((step, error)) => Err(Failure::step(format!("{step} of the program"), &error)),
            None => self.watch(run, session, start, &before, &started, &mut output),
        };
        // What an interpreter forked is the interpreter's to reap, and would not be while we trace it.
        let slept = half.is_some()
            && !self.warm.is_frozen()
            && matches!(watched, Ok(Some(End::Cancelled)))
            && waiting::sleeps(started.pid, self.key);
        let wall = start.elapsed();
        let ended_us = monotonic_us();
        let cleaned = self.kill_the_rest()?;
        // These kept the FIFOs from ending while the program might still open them.
        drop((own, stderr));
        if self.profile == Profile::Build {
            io_step("relaxing the cgroup's limit", self.groups.relax(MEMORY_BYTES_OWN))?;
        }
        let mut tally = match cleaned {
            Some(reaped) => Tally::of(reaped, started.pid_reaped),
            None => Tally::of(reap_all()?, started.pid_reaped),
        };
        let oom_kills = io_step("reading the cgroup's kills", self.groups.oom_kills())? - oom_kills_before;
        if oom_kills > 0 && tally.status.is_none() {
            // The kernel took the interpreter with it, and who would have told the status.
            tally.status = Some(libc::SIGKILL);
        }
        // Where the program had taken all memory of the group, our own watching may have failed for want of it.
        let killed_for = if oom_kills > 0 { watched.unwrap_or(None) } else { watched? };
        if killed_for != Some(End::OutputLimit) {
            // No writer lives any more, so this comes to an end.
            while output.turn().map_err(|error| Failure::step("reading output", &error))? {}
        }
        let after = clocks(&self.groups, &self.warm)?;

        let cpu_rusage_us = tally.user_us + tally.system_us;
        let cpu_cgroup_us = before.group_used_us(&after);
        let cpu_us = cpu_rusage_us.max(cpu_cgroup_us.unwrap_or(0));
        let stdout_bytes = output.stdout_bytes.min(output.stdout_bytes_max);
        let grown_bytes = match peak_start {
            Some(start) => {
                let grown = io_step("reading the cgroup's peak", self.groups.memory_bytes_grown(start))?;
                // What the program wrote is kept in memory by us.
                grown.saturating_sub(stdout_bytes)
            }
            None => 0,
        };
        let (memory_bytes_peak, memory_meter) = if grown_bytes > tally.maxrss_bytes {
            (grown_bytes, MemoryMeter::CgroupPeak)
        } else {
            (tally.maxrss_bytes, MemoryMeter::MaxRss)
        };
        let status = tally.status.ok_or_else(|| lost("the program's status"))?;
        let exit = if libc::WIFSIGNALED(status) {
            Exit::Signaled(libc::WTERMSIG(status))
        } else {
            Exit::Exited(libc::WEXITSTATUS(status))
        };
        let overflowed = output.overflowed();
        let end = why(
            &limits,
            &Seen { killed_for, oom_kills, maxrss_bytes: tally.maxrss_bytes, overflowed, cpu_us, exit },
        );
        let (files, uncollected) =
            collect::collect(&run.collect, run.collect_all.as_ref(), self.profile, self.key);
        let (names, mut fds): (Vec<String>, Vec<OwnedFd>) = files.into_iter().unzip();
        self.buffer = output.buffer;
        let kept = OwnedFd::from(output.kept);
        self.made_bytes += stdout_bytes.next_multiple_of(PAGE_BYTES) + PAGE_BYTES;
        io_step("sealing the output", collect::seal(kept.as_fd(), self.key))?;
        fds.insert(0, kept);
        let report = Report {
            end,
            exit,
            cpu_us,
            cpu_user_us: tally.user_us,
            cpu_system_us: tally.system_us,
            cpu_cgroup_us,
            wall_us: wall.as_micros() as u64,
            memory_bytes_peak,
            memory_meter,
            slept,
            oom_kills,
            stdout_bytes,
            stderr_bytes: output.stderr_bytes,
            processes_reaped: tally.count,
            warm: self.warm.is_frozen(),
            uncollected,
            layers: Vec::new(),
        };
        Ok((RanWell { report, stderr: output.stderr_kept, ended_us, files: names, retires: false }, fds))
    }

    /// The reading and the writing end of what the next run's program reads, then of what it writes: the FIFOs that it
    /// finds by name.
    pub(crate) fn pipes(&mut self) -> Result<[OwnedFd; 4], Failure> {
        if self.streams.half != Some(Half::First) {
            return Err(Failure::InvalidJob("no first half of a pair is asked for its pipes".to_owned()));
        }
        io_step("clearing the streams", self.streams.clear(self.key, &mut self.buffer))?;
        let [stdin, stdout] = [root::STDIN, root::STDOUT];
        // The writing ends first, since a reading end waits for one.
        let (to_stdin, to_stdout) = (open(stdin, OFlag::O_WRONLY)?, open(stdout, OFlag::O_WRONLY)?);
        Ok([open(stdin, OFlag::O_RDONLY)?, to_stdin, open(stdout, OFlag::O_RDONLY)?, to_stdout])
    }

    /// Sets the limits of the slot's groups.
    fn limit(&mut self, limits: &Limits, input_bytes: u64) -> Result<(), Failure> {
        let memory_bytes = limits
            .memory_bytes
            .saturating_add(limits.stdout_bytes)
            .saturating_add(input_bytes)
            .saturating_add(self.held.other_bytes)
            .saturating_add(self.made_bytes)
            .saturating_add(self.warm.memory_bytes())
            .saturating_add(MEMORY_BYTES_SLACK);
        // More than the program's own: the warden, this cell and an interpreter.
        let processes = u64::from(limits.processes) + 2 + u64::from(self.warm.is_some());
        io_step("setting the cgroup's limits", self.groups.limit(memory_bytes, processes))
    }

    /// Sees to it that there is an interpreter to fork this run from, or none.
    fn warm_up(&mut self, run: &Run, reads_pipe: bool) {
        let rlimits = self.rlimits(&run.limits);
        let is_fit = run.extra_args.is_empty();
        self.warm = match std::mem::replace(&mut self.warm, Warm::None) {
            Warm::None => return,
            Warm::Frozen(frozen) if is_fit && frozen.serves(&rlimits, reads_pipe) => {
                self.warm = Warm::Frozen(frozen);
                return;
            }
            Warm::Waiting(waiting) if is_fit => {
                // What is not the same for all runs is limited in its forks, which can only get less than it has. An
                // interpreter with threads could not be forked, so it may not make any.
                let own = |resource| self.hard_limits.iter().find(|(limited, _)| *limited == resource);
                let for_life = |(resource, soft, hard): Rlimit| match resource {
                    libc::RLIMIT_CPU | libc::RLIMIT_FSIZE | libc::RLIMIT_NOFILE => None,
                    libc::RLIMIT_NPROC => own(resource).map(|(_, hard)| (resource, 1, *hard)),
                    _ => Some((resource, soft, hard)),
                };
                let rlimits = rlimits.into_iter().filter_map(for_life).collect();
                // Where it cannot be had, the program is started anew for each run: slower, and the same.
                let frozen = waiting.freeze(&self.file_names, rlimits, reads_pipe, self.key);
                frozen.map_or(Warm::None, |frozen| Warm::Frozen(Box::new(frozen)))
            }
            unfit => {
                unfit.end();
                Warm::None
            }
        };
        // The meters' starting points are out of date.
        self.ready = None;
    }

    /// Starts the program.
    fn spawn(&mut self, descriptors: &[RawFd], limits: &[Rlimit]) -> Result<Started, Failure> {
        let mut plan = Plan { image: &self.image, descriptors, limits, key: self.key, failed: None };
        io_step("offering the child to the out-of-memory killer", self.oom_score.offer())?;
        let spawned = sys::vfork(&self.stack, self.key, &mut plan, child::become_program);
        let Spawned { pid, pidfd } = io_step("starting the child", spawned)?;
        io_step("taking the offer back for ourselves", self.oom_score.withdraw())?;
        Ok(Started { pid, pid_reaped: pid, pidfd, failed: plan.failed })
    }

    /// Kills everything but us and an interpreter. What that has reaped, where there is one.
    fn kill_the_rest(&mut self) -> Result<Option<Vec<Reaped>>, Failure> {
        if let Warm::Frozen(frozen) = &self.warm {
            match frozen.clean_up() {
                Ok(reaped) => return Ok(Some(reaped)),
                Err(_) => self.warm = Warm::None,
            }
        }
        io_step("killing what is left", sys::kill_everything_else())?;
        Ok(None)
    }

    /// Waits for the program's end or the first limit that it passes.
    fn watch(
        &self,
        run: &Run,
        session: &OwnedFd,
        start: Instant,
        before: &Clocks,
        started: &Started,
        output: &mut Output,
    ) -> Result<Option<End>, Failure> {
        let (limits, progress) = (&run.limits, run.progress_ms.map(Duration::from_millis));
        let wall_max = Duration::from_millis(limits.wall_ms);
        let cpu_max = Duration::from_millis(limits.cpu_ms);
        // Output is fetched in bulk: a program that writes little by little is not interrupted for each piece. A
        // pipe holds a MiB, so that waiting this long cannot hold up more than a GiB per second.
        let mut listens = false;
        // When the program was last seen to have worked, on the clock and by its CPU time.
        let (mut worked, mut cpu_worked) = (Duration::ZERO, Duration::ZERO);
        let mut told = start;
        loop {
            let wall = start.elapsed();
            if wall >= wall_max {
                return Ok(Some(End::WallLimit { idle: false }));
            }
            let cpu = self.cpu_so_far(started.pid, before)?;
            if cpu >= cpu_max {
                return Ok(Some(End::CpuLimit));
            }
            let mut wait = (wall_max - wall).min(((cpu_max - cpu) / self.cores).max(WAIT_MIN));
            if let Some(idle_after) = limits.idle_ms.map(Duration::from_millis) {
                if cpu.saturating_sub(cpu_worked) * IDLE_PART > wall - worked {
                    (worked, cpu_worked) = (wall, cpu);
                }
                if wall - worked >= idle_after {
                    return Ok(Some(End::WallLimit { idle: true }));
                }
                // Looked at now and then, since what counts is the last time at which it worked.
                wait = wait.min((idle_after / 10).max(WAIT_MIN));
            }
            if !listens {
                wait = wait.min(OUTPUT_PAUSE);
            }
            if let Some(every) = progress {
                if told.elapsed() >= every {
                    let answer = Answer::Progress { cpu_us: cpu.as_micros() as u64, at_us: monotonic_us() };
                    io_step("telling the progress", wire::send(session.as_fd(), &answer, &[], self.key))?;
                    told = Instant::now();
                }
                wait = wait.min(every);
            }
            let woken = wait_for(&started.pidfd, &self.cancel, output.pipes().filter(|_| listens), wait)?;
            if woken.cancelled {
                return Ok(Some(End::Cancelled));
            }
            if woken.ended {
                return Ok(None);
            }
            if woken.output || !listens {
                let came = output.turn().map_err(|error| Failure::step("reading output", &error))?;
                if output.overflowed() {
                    return Ok(Some(End::OutputLimit));
                }
                // As long as there is some, more is likely soon.
                listens = !came;
            }
        }
    }

    /// CPU time of the run so far, by the best clock that can be read while it runs: the program's own, and the
    /// group's where the program may have children.
    fn cpu_so_far(&self, pid: i32, before: &Clocks) -> Result<Duration, Failure> {
        let process = sys::process_cpu(pid).unwrap_or_default();
        if self.profile == Profile::Run {
            return Ok(process);
        }
        let group_us = before.group_used_us(&clocks(&self.groups, &self.warm)?).unwrap_or(0);
        Ok(process.max(Duration::from_micros(group_us)))
    }

    fn rlimits(&self, limits: &Limits) -> Vec<Rlimit> {
        // The cell is a process of the same user, and so is an interpreter.
        let processes = u64::from(limits.processes) + 1 + u64::from(self.warm.is_some());
        let stack_bytes = limits.stack_bytes.unwrap_or(limits.memory_bytes);
        let mut wanted = vec![
            (libc::RLIMIT_STACK, stack_bytes),
            // A backstop only, which must not come before our own clocks: it is held against the ticks at which a
            // process was found running, and on a busy machine these run ahead of the time that it really had.
            (libc::RLIMIT_CPU, limits.cpu_ms.saturating_mul(2).div_ceil(1000) + 1),
            (libc::RLIMIT_FSIZE, limits.file_bytes),
            (libc::RLIMIT_NPROC, processes),
            (libc::RLIMIT_NOFILE, u64::from(limits.open_files)),
            (libc::RLIMIT_CORE, 0),
            (libc::RLIMIT_MEMLOCK, 0),
            (libc::RLIMIT_MSGQUEUE, 0),
            (libc::RLIMIT_NICE, 0),
            (libc::RLIMIT_RTPRIO, 0),
        ];
        if !self.groups.limits_memory() {
            wanted.push((libc::RLIMIT_AS, limits.memory_bytes));
        }
        wanted
            .into_iter()
            .map(|(resource, value)| {
                let hard = self.hard_limits.iter().find(|(limited, _)| *limited == resource);
                let value = hard.map_or(value, |(_, hard)| value.min(*hard));
                (resource, value, value)
            })
            .collect()
    }
}

/// All that says why a run ended.
struct Seen {
    /// The limit for which we killed it, if we did.
    killed_for: Option<End>,
    oom_kills: u64,
    maxrss_bytes: u64,
    overflowed: bool,
    cpu_us: u64,
    exit: Exit,
}

/// Why a run ended. Meters go before causes: a program that passed a limit in its last moment passed it, and a signal
/// alone says nothing, since a program can send itself any but SIGSYS.
fn why(limits: &Limits, seen: &Seen) -> End {
    let cpu_us_max = limits.cpu_ms.saturating_mul(1000);
    if seen.killed_for == Some(End::Cancelled) {
        return End::Cancelled;
    }
    if seen.oom_kills > 0 || seen.maxrss_bytes > limits.memory_bytes {
        return End::MemoryLimit;
    }
    if seen.overflowed {
        return End::OutputLimit;
    }
    if seen.cpu_us >= cpu_us_max {
        return End::CpuLimit;
    }
    match (seen.killed_for, seen.exit) {
        (Some(End::WallLimit { idle }), _) => End::WallLimit { idle: idle || seen.cpu_us < cpu_us_max / 10 },
        (Some(end), _) => end,
        // The filter lets nobody send this signal, so the filter itself did.
        (None, Exit::Signaled(libc::SIGSYS)) => End::ForbiddenSyscall,
        (None, _) => End::Finished,
    }
}

/// What there is to do while a program runs.
struct Woken {
    ended: bool,
    output: bool,
    cancelled: bool,
}

fn wait_for<'a>(
    ended: &OwnedFd,
    cancel: &OwnedFd,
    pipes: impl Iterator<Item = &'a File>,
    wait: Duration,
) -> Result<Woken, Failure> {
    let mut polled =
        vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN), PollFd::new(cancel.as_fd(), PollFlags::POLLIN)];
    polled.extend(pipes.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
    match ppoll(&mut polled, Some(TimeSpec::from_duration(wait)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(errno) => return Err(Failure::step("waiting for the program", &errno.into())),
    }
    let is_ready = |poll: &PollFd<'_>| poll.any().unwrap_or(true);
    Ok(Woken {
        ended: is_ready(&polled[0]),
        cancelled: is_ready(&polled[1]),
        output: polled[2..].iter().any(is_ready),
    })
}

impl Output {
    /// What a program can still write to.
    fn pipes(&self) -> impl Iterator<Item = &File> {
        self.stdout.iter().chain(&self.stderr).map(Rc::as_ref)
    }

    /// Reads some of what is there; false when there is nothing for now or for ever.
    fn turn(&mut self) -> io::Result<bool> {
        let buffer = &mut self.buffer;
        let mut more = false;
        if let Some(pipe) = &mut self.stdout {
            let mut turn_bytes = 0;
            while turn_bytes < BYTES_PER_TURN && self.stdout_bytes <= self.stdout_bytes_max {
                match read(pipe, buffer)? {
                    Got::Bytes(count) => {
                        more = true;
                        turn_bytes += count;
                        let room = (self.stdout_bytes_max - self.stdout_bytes).min(count as u64);
                        self.kept.write_all(&buffer[..room as usize])?;
                        self.stdout_bytes += count as u64;
                    }
                    Got::Nothing => break,
                    Got::End => {
                        self.stdout = None;
                        break;
                    }
                }
            }
        }
        if let Some(pipe) = &mut self.stderr {
            let mut turn_bytes = 0;
            while turn_bytes < BYTES_PER_TURN {
                match read(pipe, buffer)? {
                    Got::Bytes(count) => {
                        more = true;
                        turn_bytes += count;
                        let room = self.stderr_bytes_max.saturating_sub(self.stderr_bytes).min(count as u64);
                        self.stderr_kept.extend_from_slice(&buffer[..room as usize]);
                        self.stderr_bytes += count as u64;
                    }
                    Got::Nothing => break,
                    Got::End => {
                        self.stderr = None;
                        break;
                    }
                }
            }
        }
        Ok(more && !self.overflowed())
    }

    /// Whether there was more standard output than allowed.
    fn overflowed(&self) -> bool {
        self.stdout_bytes > self.stdout_bytes_max
    }
}

enum Got {
    Bytes(usize),
    Nothing,
    End,
}

fn read(mut pipe: &File, buffer: &mut [u8]) -> io::Result<Got> {
    loop {
        match pipe.read(buffer) {
            Ok(0) => return Ok(Got::End),
            Ok(count) => return Ok(Got::Bytes(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Got::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reaps every child, the program and all that were orphaned to us, until there is none.
fn reap_all() -> Result<Vec<Reaped>, Failure> {
    let mut all = Vec::new();
    while let Some(reaped) = io_step("reaping", sys::reap())? {
        all.push(reaped);
    }
    Ok(all)
}

fn arguments(argv: &[CString], extra: &[String]) -> Result<Vec<CString>, Failure> {
    let extra = extra.iter().map(|text| CString::new(text.as_str()));
    let mut all = argv.to_vec();
    for argument in extra {
        all.push(argument.map_err(|_| Failure::InvalidJob("an argument contains NUL".to_owned()))?);
    }
    Ok(all)
}

fn lost(what: &str) -> Failure {
    Failure::step(format!("finding {what}"), &io::Error::from_raw_os_error(libc::ECHILD))
}

fn io_step<T>(what: &str, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::step(what, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Seen), expected: End) {
        let mut seen = Seen {
            killed_for: None,
            oom_kills: 0,
            maxrss_bytes: 1,
            overflowed: false,
            cpu_us: 1,
            exit: Exit::Signaled(libc::SIGKILL),
        };
        change(&mut seen);
        assert_eq!(why(&Limits::run(1000), &seen), expected);
    }

    #[test]
    fn a_signal_alone_is_no_limit() {
        check(|_| {}, End::Finished);
        check(|seen| seen.exit = Exit::Signaled(libc::SIGXCPU), End::Finished);
        check(|seen| seen.exit = Exit::Signaled(libc::SIGSYS), End::ForbiddenSyscall);
    }

    #[test]
    fn a_meter_goes_before_the_cause() {
        check(|seen| seen.cpu_us = 1_000_000, End::CpuLimit);
        check(|seen| seen.maxrss_bytes = 1 << 40, End::MemoryLimit);
        check(|seen| (seen.killed_for, seen.oom_kills) = (Some(End::CpuLimit), 1), End::MemoryLimit);
        check(|seen| (seen.overflowed, seen.cpu_us) = (true, 2_000_000), End::OutputLimit);
        check(|seen| (seen.killed_for, seen.oom_kills) = (Some(End::Cancelled), 1), End::Cancelled);
    }

    #[test]
    fn waiting_is_told_from_working() {
        let wall = Some(End::WallLimit { idle: false });
        check(|seen| seen.killed_for = wall, End::WallLimit { idle: true });
        check(|seen| (seen.killed_for, seen.cpu_us) = (wall, 500_000), End::WallLimit { idle: false });
    }
}
