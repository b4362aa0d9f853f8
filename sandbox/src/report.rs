//! What the kernel saw of one run; what it means for a contestant is for the caller to say.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::SealedFile;

/// Everything that comes out of one run.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub report: Report,
    /// Standard output up to the limit.
    pub stdout: SealedFile,
    /// Standard error up to the limit; any bytes, not always text.
    pub stderr: Vec<u8>,
    /// The collected files that were there, by name; [`Report::uncollected`] has the others.
    pub files: Vec<(String, SealedFile)>,
}

/// What was measured in one run.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Report {
    /// Why the run ended.
    pub end: End,
    /// How the program's first process ended, by its own exit or by a signal (its own, the kernel's or ours).
    pub exit: Exit,
    /// CPU time of the whole tree in microseconds: the larger of the two meters.
    pub cpu_us: u64,
    /// The first meter, in microseconds: what every reaped process used in user mode. The kernel counts the sum with
    /// [`cpu_system_us`](Self::cpu_system_us) exactly and divides it by sampling; judge by the sum.
    pub cpu_user_us: u64,
    /// The first meter, in microseconds: what every reaped process used in the kernel.
    pub cpu_system_us: u64,
    /// The second meter, in microseconds: what the slot's cgroup used, without the sandbox's own part.
    pub cpu_cgroup_us: Option<u64>,
    /// Time on the clock from the start of the program to its end, in microseconds.
    pub wall_us: u64,
    /// The peak of memory in bytes, as measured by `memory_meter`: the larger of what the meters show.
    pub memory_bytes_peak: u64,
    /// What measured `memory_bytes_peak`.
    pub memory_meter: MemoryMeter,
    /// Half of a pair that was ended while it waited for time or a signal, and not for its partner. Only its first thread
    /// is looked at, and not what was forked from a warmed interpreter.
    pub slept: bool,
    /// Processes that the kernel killed for want of memory in the slot's cgroup.
    pub oom_kills: u64,
    /// Bytes of standard output that were kept.
    pub stdout_bytes: u64,
    /// Bytes of standard error that were written, kept or not.
    pub stderr_bytes: u64,
    /// Processes reaped, the program's first one included; more than one means that it started others.
    pub processes_reaped: u64,
    /// Whether the program was forked from an interpreter that had been started before ([`crate::Job::warm`]).
    pub warm: bool,
    /// Files that were asked for and could not be taken, with the reason.
    pub uncollected: Vec<Uncollected>,
    /// Every layer that held this run.
    pub layers: Vec<Layer>,
}

/// Why a run ended. When several limits were passed, the first in this order is told: memory, output, CPU, wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// The program ended by itself; [`Report::exit`] says how. A signal that it sent to itself is also this.
    Finished,
    /// It used more CPU time than allowed.
    CpuLimit,
    /// It took longer on the clock than allowed.
    WallLimit {
        /// It used less than a tenth of its CPU time: it waited rather than worked.
        idle: bool,
    },
    /// It used more memory than allowed.
    MemoryLimit,
    /// It wrote more standard output than allowed.
    OutputLimit,
    /// The kernel killed it for a system call of a foreign architecture (32-bit or x32). All other forbidden calls
    /// fail with `EPERM` or `ENOSYS`, and the program goes on.
    ForbiddenSyscall,
    /// The other half of its pair had ended, and that was to be its end too: [`crate::Partner::Ends`].
    PartnerEnded,
    /// A [`crate::Canceller`] ended it.
    Cancelled,
}

/// How the program's first process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Exit {
    /// By `exit`, with this code.
    Exited(i32),
    /// By a signal, with this number.
    Signaled(i32),
}

/// What measured the peak of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryMeter {
    /// `ru_maxrss`: the largest resident set of any one process. Exact for a single process.
    MaxRss,
    /// By how much the cgroup grew ([`crate::Profile::Build`] only): all processes, the kernel's memory for them, and their
    /// files in tmpfs. The page cache is left out, as it was when the run had ended: what is read first is charged once
    /// and stays charged.
    CgroupPeak,
}

/// A file that was asked for and could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Uncollected {
    /// The name that was asked for.
    pub name: String,
    /// Why not.
    pub reason: CollectFailure,
}

/// Why a file could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectFailure {
    /// There is none of that name.
    Missing,
    /// It is a link, or lies behind one.
    Link,
    /// It is a directory, a FIFO, a socket or a device.
    NotRegular,
    /// It has a second name.
    HardLinked,
    /// It is larger than allowed.
    TooLarge,
    /// There are more files in the directory than allowed, or their names are too long.
    TooMany,
    /// It could not be opened or read.
    Unreadable,
}

/// One thing that held a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
pub struct Layer {
    /// A stable short name: `user_namespace`, `landlock`, `seccomp`, `memory_cgroup`…
    pub name: String,
    /// What exactly was enforced: an ABI, a path, a count.
    pub detail: String,
}
