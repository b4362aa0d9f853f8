//! What a caller asks for: the job that stays the same over many runs, and the limits and input of one run.

use std::path::PathBuf;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Half, SealedFile};

/// How a job's runs are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// One process (threads up to [`Limits::processes`]), nothing writable, no new program after the first. All runs
    /// of a job share one prepared confinement, since nothing in it can keep anything.
    Run,
    /// Many processes, a writable tmpfs of bounded size as the working directory `/w` (`/tmp` is the same place).
    /// Every run gets namespaces and a tmpfs of its own, which die with it.
    Build,
}

/// What stays the same over the runs of one submission, or describes one compilation.
#[derive(Debug)]
pub struct Job {
    /// How the runs are confined.
    pub profile: Profile,
    /// Host files and directories bound read-only at the same path (`/usr`, `/lib64`, `/etc/alternatives`). A
    /// symbolic link, such as Debian's `/lib`, is recreated as that link. A missing one is an error that names it.
    pub root: Vec<PathBuf>,
    /// Files placed in `/w`: read-only in [`Profile::Run`], the initial content in [`Profile::Build`]. The program
    /// itself, when it is one of them and no script, is executed from its sealed memory and not placed.
    pub files: Vec<JobFile>,
    /// Empty directories made in `/w`, named as files are.
    pub directories: Vec<String>,
    /// What the program needs beyond its profile; nothing for most.
    pub needs: Needs,
    /// The program and its arguments. The program is an absolute path below `root`, or `./name` among `files`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Whether the program is an interpreter that may be started once and forked for each run, at the place where it
    /// first opens one of `files`. The runs are the same, but for the time that it takes to start. It must be one of
    /// the host's programs, have one thread and no descriptors of its own at that place, and draw no random numbers
    /// before it. Without effect where the host or the profile does not allow it; [`crate::Report::warm`] tells.
    pub warm: bool,
}

/// What a program needs beyond its profile. Most widen the confinement of this job alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Needs {
    /// The calls of `filters/runtimes.json` in [`Profile::Run`]: descriptors to wait with, which lead nowhere and die with
    /// their program, and questions about itself. [`Profile::Build`] has them in any case.
    pub runtime_calls: bool,
    /// Small files that are to exist in the root, as absolute paths with their text, for runtimes that insist on a file
    /// that there is not, such as one of `/proc`.
    pub stand_ins: Vec<(String, String)>,
    /// Links that are to exist in the root, as absolute paths with their targets, for the same reason: `/proc/self/exe`.
    pub links: Vec<(String, String)>,
    /// To be this half of pairs, and not to run alone. By the names of its standard streams the first finds its partner; the
    /// second finds nothing.
    pub talks: Option<Half>,
}

/// One file in `/w`.
#[derive(Debug)]
pub struct JobFile {
    /// A relative path of plain components: no `..`, no `.`, no leading slash, no NUL.
    pub name: String,
    /// Its bytes.
    pub content: SealedFile,
    /// Whether it may be executed.
    pub executable: bool,
}

/// One run of a job's program.
#[derive(Debug)]
pub struct RunSpec<'a> {
    /// What the program reads on its standard input.
    pub stdin: Stdin<'a>,
    /// What it may use.
    pub limits: Limits,
    /// Files to bring out of `/w` afterwards ([`Profile::Build`] only).
    pub collect: Vec<Collect>,
    /// A directory whose files are all brought out ([`Profile::Build`] only), after those of `collect`.
    pub collect_all: Option<CollectAll>,
    /// Arguments after those of the job.
    pub extra_args: Vec<String>,
}

impl<'a> RunSpec<'a> {
    /// A run that reads `stdin`, collects nothing and adds no arguments.
    pub fn new(stdin: Stdin<'a>, limits: Limits) -> Self {
        RunSpec { stdin, limits, collect: Vec::new(), collect_all: None, extra_args: Vec::new() }
    }
}

/// The standard input of a run.
#[derive(Debug, Clone, Copy)]
pub enum Stdin<'a> {
    /// Empty: `/dev/null`.
    Null,
    /// The bytes of a sealed file, which any number of runs may read at the same time.
    Sealed(&'a SealedFile),
}

/// A file to bring out of `/w` after a run.
#[derive(Debug, Clone, Encode, Decode)]
pub struct Collect {
    /// A relative path of plain components, as in [`JobFile::name`].
    pub name: String,
    /// A larger file is refused.
    pub bytes_max: u64,
}

/// A directory of `/w` whose files are brought out after a run, with those of the directories in it. What is no plain
/// file, or would pass a bound, is left and told in [`crate::Report::uncollected`].
#[derive(Debug, Clone, Encode, Decode)]
pub struct CollectAll {
    /// A relative path of plain components, as in [`JobFile::name`]; `""` is `/w` itself.
    pub directory: String,
    /// So many files at most, and no more than a message carries (about 250).
    pub files_max: u32,
    /// So many bytes at most in all of them.
    pub bytes_max: u64,
}

/// What one run may use. Every value is enforced; [`crate::Report::layers`] says by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Limits {
    /// CPU time, user and system, of the whole process tree, in milliseconds.
    pub cpu_ms: u64,
    /// Time on the clock, in milliseconds.
    pub wall_ms: u64,
    /// A run that has not worked for this long on the clock, in milliseconds, is ended as idle; it has not worked when
    /// it used less than a hundredth of the time. So a sleeper goes early, while a program that a busy host starves has
    /// until `wall_ms`. `None` leaves it to `wall_ms` alone.
    pub idle_ms: Option<u64>,
    /// Memory in bytes. With a memory cgroup this is memory in use; without one it is address space (`RLIMIT_AS`),
    /// and `layers` says so.
    pub memory_bytes: u64,
    /// Standard output in bytes; one more ends the run.
    pub stdout_bytes: u64,
    /// Standard error kept, in bytes, at most [`Limits::STDERR_BYTES_MAX`]; the rest is read and dropped.
    pub stderr_bytes: u64,
    /// The size of any one file written, in bytes ([`Profile::Build`]).
    pub file_bytes: u64,
    /// Processes and threads alive at once.
    pub processes: u32,
    /// Open file descriptors.
    pub open_files: u32,
    /// Stack in bytes; `None` means as much as `memory_bytes`.
    pub stack_bytes: Option<u64>,
    /// Bytes in `/w` ([`Profile::Build`]).
    pub tmpfs_bytes: u64,
    /// Files and directories in `/w` ([`Profile::Build`]).
    pub tmpfs_inodes: u64,
}

impl Limits {
    /// The most standard error that is ever kept: it travels inside the report.
    pub const STDERR_BYTES_MAX: u64 = 64 * 1024;

    /// Limits for one run of a contestant's program: one process, 256 MiB, 64 MiB of output, wall time twice the CPU
    /// time plus a second.
    pub fn run(cpu_ms: u64) -> Self {
        Limits {
            cpu_ms,
            wall_ms: cpu_ms.saturating_mul(2).saturating_add(1000),
            idle_ms: None,
            memory_bytes: 256 << 20,
            stdout_bytes: 64 << 20,
            stderr_bytes: 16 << 10,
            file_bytes: 0,
            processes: 1,
            open_files: 256,
            stack_bytes: None,
            tmpfs_bytes: 0,
            tmpfs_inodes: 0,
        }
    }

    /// Limits for one compilation: 64 processes, 1 GiB, 256 MiB of files.
    pub fn build(cpu_ms: u64) -> Self {
        Limits {
            cpu_ms,
            wall_ms: cpu_ms.saturating_mul(2).saturating_add(1000),
            idle_ms: None,
            memory_bytes: 1 << 30,
            stdout_bytes: 1 << 20,
            stderr_bytes: Self::STDERR_BYTES_MAX,
            file_bytes: 128 << 20,
            processes: 64,
            open_files: 256,
            stack_bytes: Some(64 << 20),
            tmpfs_bytes: 256 << 20,
            tmpfs_inodes: 4096,
        }
    }
}
