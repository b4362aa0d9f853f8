//! The door to the sandbox: the only file of this crate that knows it.
//!
//! Calls into a slot block, so each slot lives on a thread of its own and is spoken to by messages. What the
//! sandbox reports is turned here into the domain's words: an [`Observation`], never a verdict.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use assize_sandbox::{
    Canceller, Collect, CollectAll, CollectFailure, End, Half, Job, JobFile, Keeper, KeeperConfig, Limits,
    Outcome, Partner, Policy, Profile, RunSpec, SandboxError, SealedFile, Slot, Stdin, run_pair,
};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::domain::ids::Sha256Digest;
use crate::domain::verdict::{Exit, Observation, Stop};
use crate::error_chain::chain;
use crate::languages::Needs;

use super::build_cache::BuildCache;

/// The keeper's executable lies beside ours; `ASSIZE_SANDBOX` names another.
pub const KEEPER_ENV: &str = "ASSIZE_SANDBOX";

/// Up to so many bytes of files fit into a build's file system beside what it makes.
const FILES_BYTES_SMALL: u64 = 16 << 20;

/// Why something could not be run: our fault, never the program's.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The sandbox failed.
    #[error("the sandbox failed")]
    Sandbox(#[from] SandboxError),
    /// Bytes could not be handed over.
    #[error("`{name}` could not be put into memory for the sandbox")]
    Memory {
        /// What was to be handed over.
        name: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The run was cancelled: the claim was lost or the worker is stopping.
    #[error("the run was cancelled")]
    Cancelled,
    /// The slot's thread has ended.
    #[error("the slot has ended")]
    SlotGone,
    /// The executable of the keeper is not where it should be.
    #[error("the sandbox executable `{path}` does not exist; build it with `cargo build --workspace`")]
    NoKeeper {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// The keeper with its slots, each on a thread of its own.
pub struct Launcher {
    slots: Vec<SlotHandle>,
    // Last, so that it ends after the handles of its slots.
    _keepers: Arc<Keepers>,
}

/// Something to do with a slot, on its thread.
type Task = Box<dyn FnOnce(&mut Pair, &Losses) + Send>;

/// A slot, and a second one beside it for what belongs to the same run: a validator of the package.
struct Pair {
    slot: Slot,
    companion: Slot,
}

/// One slot: runs one thing at a time, in the order asked.
#[derive(Clone)]
pub struct SlotHandle {
    work: mpsc::UnboundedSender<Task>,
    cancellers: Arc<Mutex<[Canceller; 2]>>,
    builds: Arc<OnceLock<Arc<BuildCache>>>,
}

/// The keeper that is in use, and how to start another when it died.
struct Keepers {
    config: KeeperConfig,
    current: Mutex<Generation>,
}

/// One keeper and those of its slots that nobody has taken yet.
struct Generation {
    number: u64,
    slots: Vec<Option<Pair>>,
    // Dropping it ends its slots.
    _keeper: Keeper,
}

/// How often in a row the sandbox was lost in a slot. Once is a cell that died, which the sandbox replaces itself;
/// twice is a keeper or a warden that died.
#[derive(Default)]
struct Losses(AtomicU32);

impl Losses {
    fn note<T>(&self, result: Result<T, SandboxError>) -> Result<T, SandboxError> {
        match &result {
            Ok(_) => self.0.store(0, Ordering::Relaxed),
            Err(SandboxError::Lost { .. } | SandboxError::Channel { .. }) => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        result
    }

    fn are_final(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 2
    }
}

impl Keepers {
    /// A slot in the place of `index` of a keeper that died: from a new keeper, started once for all its slots.
    fn renew(&self, index: usize, number: u64) -> Result<(Pair, u64), SandboxError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            tracing::warn!("the sandbox died and is started again");
            let (keeper, slots) = start(&self.config)?;
            *current = Generation { number: number + 1, slots, _keeper: keeper };
        }
        let number = current.number;
        let pair = current.slots.get_mut(index).and_then(Option::take);
        pair.map(|pair| (pair, number)).ok_or(SandboxError::Lost { during: "taking a slot again" })
    }
}

/// The companions are the second half of the keeper's slots, so that slot and companion share a core where every slot
/// has one.
fn start(config: &KeeperConfig) -> Result<(Keeper, Vec<Option<Pair>>), SandboxError> {
    let mut keeper = Keeper::start(config.clone())?;
    let mut slots: Vec<Slot> = std::iter::from_fn(|| keeper.take_slot()).collect();
    let companions = slots.split_off(slots.len() / 2);
    let pairs = slots.into_iter().zip(companions).map(|(slot, companion)| Some(Pair { slot, companion }));
    Ok((keeper, pairs.collect()))
}

impl Pair {
    fn cancellers(&self) -> [Canceller; 2] {
        [self.slot.canceller(), self.companion.canceller()]
    }
}

impl Launcher {
    /// Starts the keeper with this many slots, each pinned to a core as far as there are enough.
    pub fn start(slots: usize) -> Result<Self, LaunchError> {
        let binary = keeper_path();
        if !binary.exists() {
            return Err(LaunchError::NoKeeper { path: binary });
        }
        let config = KeeperConfig { binary, slots: slots * 2, pin: true, policy: Policy::default() };
        let (keeper, mut taken) = start(&config)?;
        let slots: Vec<Pair> = taken.iter_mut().filter_map(Option::take).collect();
        let current = Mutex::new(Generation { number: 0, slots: taken, _keeper: keeper });
        let keepers = Arc::new(Keepers { config, current });
        let handles = slots.into_iter().enumerate();
        let handles = handles.map(|(index, slot)| SlotHandle::spawn(keepers.clone(), index, slot)).collect();
        Ok(Self { slots: handles, _keepers: keepers })
    }

    /// Keeps what is compiled in the slots in a folder, and takes it from there.
    pub fn keep_builds(&self, folder: &Path) {
        let builds = Arc::new(BuildCache::new(folder.to_owned()));
        for slot in &self.slots {
            // Set once, before anything is compiled.
            let _ = slot.builds.set(builds.clone());
        }
    }

    /// The slots.
    pub fn slots(&self) -> &[SlotHandle] {
        &self.slots
    }
}

/// Where the keeper's executable lies.
pub fn keeper_path() -> PathBuf {
    if let Some(path) = std::env::var_os(KEEPER_ENV) {
        return path.into();
    }
    let name = "assize-sandbox";
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.with_file_name(name);
    // A test binary lies one folder deeper than the executables.
    let above = own.parent().and_then(Path::parent).map(|folder| folder.join(name));
    match above {
        Some(above) if !beside.exists() => above,
        _ => beside,
    }
}

impl SlotHandle {
    fn spawn(keepers: Arc<Keepers>, index: usize, mut pair: Pair) -> Self {
        let cancellers = Arc::new(Mutex::new(pair.cancellers()));
        let (work, mut inbox) = mpsc::unbounded_channel::<Task>();
        let current_cancellers = cancellers.clone();
        thread::spawn(move || {
            let losses = Losses::default();
            let mut generation = 0;
            while let Some(task) = inbox.blocking_recv() {
                task(&mut pair, &losses);
                if !losses.are_final() {
                    continue;
                }
                // A failure is tried again after the next task, which fails meanwhile as our fault.
                match keepers.renew(index, generation) {
                    Ok((renewed, number)) => {
                        *current_cancellers.lock().unwrap_or_else(PoisonError::into_inner) =
                            renewed.cancellers();
                        (pair, generation) = (renewed, number);
                        losses.0.store(0, Ordering::Relaxed);
                    }
                    Err(error) => {
                        tracing::error!(error = chain(&error), "the sandbox cannot be started again")
                    }
                }
            }
        });
        Self { work, cancellers, builds: Arc::default() }
    }

    /// Runs `task` on the slot's thread and waits for what it gives.
    pub async fn call<T: Send + 'static, E: From<LaunchError> + Send + 'static>(
        &self,
        task: impl FnOnce(&mut Confined<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let builds = self.builds.get().cloned();
        let boxed = Box::new(move |pair: &mut Pair, losses: &Losses| {
            let companion = Some(&mut pair.companion);
            let mut confined = Confined { slot: &mut pair.slot, companion, builds, losses };
            // Nobody waits any more where the receiver is gone.
            let _ = answer.send(task(&mut confined));
        });
        self.work.send(boxed).map_err(|_| LaunchError::SlotGone)?;
        answered.await.map_err(|_| LaunchError::SlotGone)?
    }

    /// Ends whatever runs in the slot.
    pub fn cancel(&self) {
        for canceller in &*self.cancellers.lock().unwrap_or_else(PoisonError::into_inner) {
            canceller.cancel();
        }
    }
}

/// A slot on its own thread.
pub struct Confined<'a> {
    slot: &'a mut Slot,
    companion: Option<&'a mut Slot>,
    builds: Option<Arc<BuildCache>>,
    losses: &'a Losses,
}

/// What to execute, and what of the host it sees.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The program and its arguments: an absolute path below `roots`, or `./name` among the files.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Host files and directories that it sees read-only.
    pub roots: Vec<PathBuf>,
    /// What its confinement allows beyond the usual.
    pub needs: Needs,
    /// Words on standard error with which a runtime that limits memory by itself says that there was no more. One that
    /// failed with them is over its memory limit.
    pub memory_messages: Vec<String>,
}

/// A file that a program needs or has made. The bytes lie in sealed memory, which clones share.
#[derive(Debug)]
pub struct ProgramFile {
    /// Its name in the working directory.
    pub name: String,
    /// Its bytes.
    pub content: SealedFile,
    /// Whether it may be executed.
    pub executable: bool,
}

impl ProgramFile {
    /// A file with these bytes.
    pub fn new(name: &str, bytes: &[u8], executable: bool) -> Result<Self, LaunchError> {
        Ok(Self { name: name.to_owned(), content: sealed(name, bytes)?, executable })
    }

    /// A second handle on the same file.
    pub fn share(&self) -> Result<Self, LaunchError> {
        let content = self.content.try_clone().map_err(memory(&self.name))?;
        Ok(Self { name: self.name.clone(), content, executable: self.executable })
    }
}

/// What a program wrote, in sealed memory.
pub type Output = SealedFile;

/// Bytes in sealed memory, for a program to read.
#[derive(Debug)]
pub struct Input(SealedFile);

impl Input {
    /// An input with these bytes.
    pub fn new(name: &str, bytes: &[u8]) -> Result<Self, LaunchError> {
        sealed(name, bytes).map(Self)
    }

    /// A second handle on the same bytes.
    pub fn share(&self) -> Result<Self, LaunchError> {
        Ok(Self(self.0.try_clone().map_err(memory("input"))?))
    }

    /// The same bytes as a file of this name.
    pub fn as_file(&self, name: &str) -> Result<ProgramFile, LaunchError> {
        let content = self.0.try_clone().map_err(memory(name))?;
        Ok(ProgramFile { name: name.to_owned(), content, executable: false })
    }

    /// The same bytes for a program that reads what another wrote.
    pub fn as_output(&self) -> &Output {
        &self.0
    }

    /// Its size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.0.len()
    }

    /// The bytes.
    pub fn read_all(&self) -> Result<Vec<u8>, LaunchError> {
        self.0.read_all().map_err(memory("input"))
    }
}

impl From<ProgramFile> for Input {
    fn from(file: ProgramFile) -> Self {
        Self(file.content)
    }
}

/// The limits of one run or one compilation.
#[derive(Debug, Clone, Copy)]
pub struct LaunchLimits {
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Wall time in milliseconds; none means twice the CPU time and a second.
    pub wall_ms: Option<u64>,
    /// From this wall time on, in milliseconds, a program that hardly uses the processor is ended as idle.
    pub idle_ms: Option<u64>,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Standard output in bytes; for a compilation, also the size of each file that it writes.
    pub output_bytes: u64,
    /// Processes and threads alive at once.
    pub processes: u32,
}

/// However long a program may work, it waits for nothing for so long.
const IDLE_MS_MAX: u64 = 20_000;

/// Wall time and idle time, in milliseconds, for a program that is held to `cpu_ms` of CPU time. Generous, so that on a
/// busy host it is judged by its CPU time; one that waits goes early.
pub fn clock_limits(cpu_ms: u64) -> (u64, u64) {
    (cpu_ms * 10 + 5000, (cpu_ms * 2 + 1000).min(IDLE_MS_MAX))
}

/// What came of one run.
#[derive(Debug)]
pub struct Ran {
    /// What the kernel saw, as far as a verdict depends on it.
    pub observation: Observation,
    /// How the memory was measured.
    pub memory_meter: String,
    /// Standard output.
    pub stdout: SealedFile,
    /// Standard error, cut to its limit; any bytes.
    pub stderr: Vec<u8>,
    /// How many bytes of standard error it wrote, kept or not.
    pub stderr_bytes: u64,
    /// The confinement layers that held the run.
    pub layers: Vec<String>,
}

impl Ran {
    /// SHA-256 of standard output, read in pieces.
    pub fn stdout_sha256(&self) -> std::io::Result<Sha256Digest> {
        let (mut reader, mut hasher, mut buffer) = (self.stdout.reader(), Sha256::new(), [0; 16 << 10]);
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Sha256Digest::from_bytes(hasher.finalize().into())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}

/// What came of one build.
#[derive(Debug)]
pub struct Built {
    /// The run of the build command.
    pub ran: Ran,
    /// The file that was asked for, or why it could not be taken; none where none was asked for.
    pub artifact: Option<Result<SealedFile, String>>,
}

/// What came of a program of the judge's own side, such as an output validator.
#[derive(Debug)]
pub struct Tool {
    /// Its run.
    pub ran: Ran,
    /// What it left where it was told to, by name.
    pub files: Vec<ProgramFile>,
    /// What it left there and could not be taken. Of very many, some, and the directory itself.
    pub refused: Vec<LeftOut>,
}

/// Something that a program left and that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name, as that of the files.
    pub name: String,
    /// Its name and the reason, in words.
    pub what: String,
}

/// What such a program is given.
#[derive(Debug)]
pub struct ToolInput<'a> {
    /// Files in its working directory, its own among them.
    pub files: &'a [ProgramFile],
    /// Empty directories in it.
    pub directories: &'a [&'a str],
    /// What it reads on standard input, unless that is another program.
    pub stdin: Option<&'a Output>,
    /// What is fetched afterwards.
    pub leaves: Option<Leaves<'a>>,
}

/// A directory that is fetched after a program has run in it.
#[derive(Debug, Clone, Copy)]
pub struct Leaves<'a> {
    /// Its name; `""` is the working directory.
    pub directory: &'a str,
    /// So many files at most.
    pub files_max: u32,
    /// So many bytes at most in all of them.
    pub bytes_max: u64,
}

/// What came of a program and a tool that talked to each other.
#[derive(Debug)]
pub struct Talk {
    /// The program's run. Its output went to the tool.
    pub ran: Ran,
    /// The tool.
    pub tool: Tool,
    /// Whether the tool's end was seen before the program's.
    pub tool_ended_first: bool,
    /// Whether those that still ran were ended because none of them did anything.
    pub stalled: bool,
    /// Whether the tool, when it was ended for that, did not wait for the program but slept.
    pub tool_slept: bool,
}

/// A tool that talks to a program.
#[derive(Debug)]
pub struct TalkingTool<'a> {
    /// What to execute.
    pub command: &'a Command,
    /// What it is given.
    pub input: ToolInput<'a>,
    /// What it may use.
    pub limits: LaunchLimits,
    /// The exit code by which it says that the program may go on as it likes.
    pub is_content: i32,
}

/// A program with what it needs and may use.
#[derive(Debug)]
pub struct Speaker<'a> {
    /// What to execute.
    pub command: &'a Command,
    /// Files in its working directory.
    pub files: &'a [ProgramFile],
    /// What it may use; idleness is judged for both together.
    pub limits: LaunchLimits,
}

/// A prepared program: run it any number of times.
pub struct Prepared<'a> {
    session: assize_sandbox::Session<'a>,
    profile: Profile,
    memory_messages: Vec<String>,
    losses: &'a Losses,
}

impl Confined<'_> {
    /// Where builds are kept, if they are.
    pub fn builds(&self) -> Option<Arc<BuildCache>> {
        self.builds.clone()
    }

    /// Runs a build command over `files` and takes `artifact` out afterwards.
    pub fn build(
        &mut self,
        command: &Command,
        files: &[ProgramFile],
        limits: LaunchLimits,
        artifact: Option<&str>,
    ) -> Result<Built, LaunchError> {
        let job = job(Profile::Build, command, files)?;
        let defaults = Limits::build(limits.cpu_ms);
        let files_bytes: u64 = job.files.iter().map(|file| file.content.len()).sum();
        // Much of what it is given lies there too. For little the size stays, so that cells can be made ahead.
        let more_bytes = if files_bytes > FILES_BYTES_SMALL { files_bytes } else { 0 };
        let spec = RunSpec {
            collect: artifact
                .map(|name| Collect { name: name.to_owned(), bytes_max: limits.output_bytes })
                .into_iter()
                .collect(),
            ..RunSpec::new(
                Stdin::Null,
                Limits {
                    memory_bytes: limits.memory_bytes,
                    file_bytes: limits.output_bytes,
                    processes: limits.processes,
                    tmpfs_bytes: defaults.tmpfs_bytes + more_bytes,
                    ..wall(defaults, limits)
                },
            )
        };
        let mut session = self.slot.open(&job).or_else(|error| self.losses.note(Err(error)))?;
        let mut outcome = self.losses.note(session.run(&spec))?;
        let taken = artifact.map(|name| match outcome.files.pop() {
            Some((_, file)) => Ok(file),
            None => Err(not_taken(name, &outcome)),
        });
        Ok(Built { ran: ran(outcome, &[])?, artifact: taken })
    }

    /// This slot and its companion, to be used at the same time. A companion has none itself.
    pub fn split(&mut self) -> (Confined<'_>, Option<Confined<'_>>) {
        let (losses, builds) = (self.losses, &self.builds);
        let alone = |slot| Confined { slot, companion: None, builds: builds.clone(), losses };
        let companion = self.companion.as_deref_mut().map(alone);
        (alone(self.slot), companion)
    }

    /// Runs a program that may write and start others, once, in a confinement of its own.
    pub fn run_tool(
        &mut self,
        command: &Command,
        input: &ToolInput<'_>,
        limits: LaunchLimits,
    ) -> Result<Tool, LaunchError> {
        let (job, spec) = tool_job(command, input, limits)?;
        let mut session = self.slot.open(&job).or_else(|error| self.losses.note(Err(error)))?;
        tool(self.losses.note(session.run(&spec))?)
    }

    /// Runs a program here and a tool beside it, each reading what the other writes. Those that still run are ended
    /// when none of them has done anything for `idle_ms` milliseconds. What one writes when the other has ended is thrown
    /// away; but a tool that ends otherwise than content is the program's end too.
    pub fn talk(
        &mut self,
        program: &Speaker<'_>,
        beside: &mut Confined<'_>,
        partner: &TalkingTool<'_>,
        idle_ms: u64,
    ) -> Result<Talk, LaunchError> {
        let profile = profile_of(program.command);
        let mut job = job(profile, program.command, program.files)?;
        job.needs.talks = Some(Half::First);
        let spec = RunSpec::new(Stdin::Null, run_limits(profile, program.limits));
        let (mut tool_job, tool_spec) = tool_job(partner.command, &partner.input, partner.limits)?;
        tool_job.needs.talks = Some(Half::Second);
        // The tool comes to its own end whatever becomes of the program.
        let fate = |half: Half, ended: &Outcome| {
            let is_content = ended.report.end == End::Finished
                && ended.report.exit == assize_sandbox::Exit::Exited(partner.is_content);
            if half == Half::First || is_content { Partner::WritesOn } else { Partner::Ends }
        };
        let mut session = self.slot.open(&job).or_else(|error| self.losses.note(Err(error)))?;
        let mut tool_session = beside.slot.open(&tool_job).or_else(|error| self.losses.note(Err(error)))?;
        let talked = run_pair((&mut session, &spec), (&mut tool_session, &tool_spec), idle_ms, fate);
        let talked = self.losses.note(talked)?;
        let tool_slept = talked.second.report.slept;
        Ok(Talk {
            ran: ran(talked.first, &program.command.memory_messages)?,
            tool: tool(talked.second)?,
            tool_ended_first: talked.ended_first == Half::Second,
            stalled: talked.stalled,
            tool_slept,
        })
    }

    /// Prepares a program that is then run without anything writable. `warm` says that it is an interpreter which may
    /// be started once and forked for each run: worth it for two runs and more.
    pub fn prepare(
        &mut self,
        command: &Command,
        files: &[ProgramFile],
        warm: bool,
    ) -> Result<Prepared<'_>, LaunchError> {
        let profile = profile_of(command);
        let job = Job { warm, ..job(profile, command, files)? };
        // Not noted when it works: only a run shows that the slot lives.
        let session = self.slot.open(&job).or_else(|error| self.losses.note(Err(error)))?;
        let memory_messages = command.memory_messages.clone();
        Ok(Prepared { session, profile, memory_messages, losses: self.losses })
    }
}

impl Prepared<'_> {
    /// Runs the program once on `input`.
    pub fn run(&mut self, input: &Input, limits: LaunchLimits) -> Result<Ran, LaunchError> {
        self.start(input, limits)?;
        self.finish()
    }

    /// Asks for a run on `input`, which begins as soon as those that were asked for before have ended.
    pub fn start(&mut self, input: &Input, limits: LaunchLimits) -> Result<(), LaunchError> {
        let limits = Limits { stdout_bytes: limits.output_bytes, ..run_limits(self.profile, limits) };
        let spec = RunSpec::new(Stdin::Sealed(&input.0), limits);
        // Not noted when it works: only an outcome shows that the slot lives.
        Ok(self.session.start(&spec).or_else(|error| self.losses.note(Err(error)))?)
    }

    /// Waits for the oldest run that was started and not finished.
    pub fn finish(&mut self) -> Result<Ran, LaunchError> {
        ran(self.losses.note(self.session.finish())?, &self.memory_messages)
    }
}

fn wall(defaults: Limits, limits: LaunchLimits) -> Limits {
    Limits { wall_ms: limits.wall_ms.unwrap_or(defaults.wall_ms), idle_ms: limits.idle_ms, ..defaults }
}

/// How the runs of a program are confined: in one confinement for all of them, unless it has to start others.
fn profile_of(command: &Command) -> Profile {
    if command.needs.processes { Profile::Build } else { Profile::Run }
}

/// The limits of a program that is judged.
fn run_limits(profile: Profile, limits: LaunchLimits) -> Limits {
    let defaults = match profile {
        Profile::Run => Limits::run(limits.cpu_ms),
        Profile::Build => Limits { stack_bytes: None, ..Limits::build(limits.cpu_ms) },
    };
    Limits { memory_bytes: limits.memory_bytes, processes: limits.processes, ..wall(defaults, limits) }
}

fn job(profile: Profile, command: &Command, files: &[ProgramFile]) -> Result<Job, LaunchError> {
    // A language names the roots that its toolchain has on some host or other.
    let root = command.roots.iter().filter(|root| root.symlink_metadata().is_ok()).cloned();
    let files = files.iter().map(|file| {
        let ProgramFile { name, content, executable } = file.share()?;
        Ok(JobFile { name, content, executable })
    });
    Ok(Job {
        profile,
        root: root.collect(),
        files: files.collect::<Result<_, LaunchError>>()?,
        directories: Vec::new(),
        needs: assize_sandbox::Needs {
            runtime_calls: command.needs.runtime_calls,
            stand_ins: command.needs.stand_ins.clone().into_iter().collect(),
            links: command.needs.links.clone().into_iter().collect(),
            talks: None,
        },
        argv: command.argv.clone(),
        env: command.env.clone(),
        warm: false,
    })
}

/// The job and the run of a tool.
fn tool_job<'a>(
    command: &Command,
    input: &ToolInput<'a>,
    limits: LaunchLimits,
) -> Result<(Job, RunSpec<'a>), LaunchError> {
    let mut job = job(Profile::Build, command, input.files)?;
    job.directories = input.directories.iter().map(|name| (*name).to_owned()).collect();
    let files_bytes: u64 = job.files.iter().map(|file| file.content.len()).sum();
    let defaults = Limits::build(limits.cpu_ms);
    let collect_all = input.leaves.map(|leaves| CollectAll {
        directory: leaves.directory.to_owned(),
        files_max: leaves.files_max,
        bytes_max: leaves.bytes_max,
    });
    let limits = Limits {
        memory_bytes: limits.memory_bytes,
        stdout_bytes: limits.output_bytes,
        processes: limits.processes,
        stack_bytes: None,
        // What it is given lies there too.
        tmpfs_bytes: defaults.tmpfs_bytes + files_bytes,
        ..wall(defaults, limits)
    };
    let stdin = input.stdin.map_or(Stdin::Null, Stdin::Sealed);
    Ok((job, RunSpec { collect_all, ..RunSpec::new(stdin, limits) }))
}

fn tool(mut outcome: Outcome) -> Result<Tool, LaunchError> {
    let files = std::mem::take(&mut outcome.files).into_iter();
    // A mode bit decides nothing where everything is a guest's: whoever wants to execute one of them may.
    let files = files.map(|(name, content)| ProgramFile { name, content, executable: true }).collect();
    let left_out = |left: &assize_sandbox::Uncollected| LeftOut {
        name: left.name.clone(),
        what: left_out(&left.name, left.reason),
    };
    let refused = outcome.report.uncollected.iter().map(left_out).collect();
    Ok(Tool { ran: ran(outcome, &[])?, files, refused })
}

fn ran(outcome: Outcome, memory_messages: &[String]) -> Result<Ran, LaunchError> {
    let report = outcome.report;
    let stop = match report.end {
        // One that is ended with its partner has passed no limit.
        End::Finished | End::PartnerEnded => Stop::None,
        End::CpuLimit => Stop::Cpu,
        End::WallLimit { .. } => Stop::Wall,
        End::MemoryLimit => Stop::Memory,
        End::OutputLimit => Stop::Output,
        End::ForbiddenSyscall => Stop::Forbidden,
        End::Cancelled => return Err(LaunchError::Cancelled),
    };
    let exit = match report.exit {
        assize_sandbox::Exit::Exited(code) => Exit::Code(code.to_le_bytes()[0]),
        assize_sandbox::Exit::Signaled(signal) => Exit::Signal(signal.to_le_bytes()[0]),
    };
    let said_no_memory = || {
        let said = String::from_utf8_lossy(&outcome.stderr);
        memory_messages.iter().any(|message| said.contains(message))
    };
    let stop = match (stop, exit) {
        (Stop::None, Exit::Code(0)) => Stop::None,
        (Stop::None, _) if said_no_memory() => Stop::Memory,
        (stop, _) => stop,
    };
    let observation = Observation {
        stop,
        exit,
        cpu_ms: report.cpu_us.div_ceil(1000),
        wall_ms: report.wall_us.div_ceil(1000),
        memory_bytes: report.memory_bytes_peak,
    };
    let memory_meter = match report.memory_meter {
        assize_sandbox::MemoryMeter::MaxRss => "max_rss",
        assize_sandbox::MemoryMeter::CgroupPeak => "cgroup_peak",
    };
    let layers = report.layers.into_iter().map(|layer| layer.name).collect();
    Ok(Ran {
        observation,
        memory_meter: memory_meter.to_owned(),
        stdout: outcome.stdout,
        stderr: outcome.stderr,
        stderr_bytes: report.stderr_bytes,
        layers,
    })
}

fn not_taken(name: &str, outcome: &Outcome) -> String {
    let reason = outcome.report.uncollected.iter().find(|refused| refused.name == name);
    match reason.map(|refused| refused.reason) {
        None | Some(CollectFailure::Missing) => format!("the compiler made no `{name}`"),
        Some(reason) => left_out(name, reason),
    }
}

/// Why a file that a program left was not taken.
fn left_out(name: &str, reason: CollectFailure) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(100).collect();
    match reason {
        CollectFailure::Missing => format!("`{name}` is not there"),
        CollectFailure::TooLarge => format!("`{name}` is larger than allowed"),
        CollectFailure::TooMany => format!("`{name}` holds more files than allowed"),
        CollectFailure::Link
        | CollectFailure::NotRegular
        | CollectFailure::HardLinked
        | CollectFailure::Unreadable => format!("`{name}` is not a plain file"),
    }
}

fn sealed(name: &str, bytes: &[u8]) -> Result<SealedFile, LaunchError> {
    SealedFile::from_bytes(name, bytes).map_err(memory(name))
}

fn memory(name: &str) -> impl FnOnce(std::io::Error) -> LaunchError {
    move |source| LaunchError::Memory { name: name.to_owned(), source }
}

/// Measures what confinement costs, against a bare spawn and against other tools that are installed. Tells each row in
/// words as it comes; gives all of them as one object.
pub fn bench_sandbox(
    rounds: usize,
    mut tell: impl FnMut(String) -> std::io::Result<()>,
) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
    let binary = keeper_path();
    if !binary.exists() {
        return Err(LaunchError::NoKeeper { path: binary }.into());
    }
    let rows = assize_sandbox::bench::measure(&binary, rounds, |row| tell(row.to_string()))?;
    Ok(assize_sandbox::bench::summary(&rows))
}

/// How well the host does in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFactState {
    /// There.
    Good,
    /// Something weaker takes its place.
    Degraded,
    /// Not there, and nothing can run without it.
    Missing,
}

/// One finding about what the host can enforce.
#[derive(Debug, Clone)]
pub struct HostFact {
    /// A stable name.
    pub name: String,
    /// How well the host does.
    pub state: HostFactState,
    /// What was found.
    pub found: String,
    /// What an operator can do; empty where nothing is amiss.
    pub cure: String,
}

/// The kernel's release and what this host can enforce, found by trying; needs no running sandbox.
pub fn probe_host() -> (String, Vec<HostFact>) {
    use assize_sandbox::doctor::FactState;
    let host = assize_sandbox::doctor::probe();
    let facts = host.facts.into_iter().map(|fact| HostFact {
        name: fact.name,
        state: match fact.state {
            FactState::Good => HostFactState::Good,
            FactState::Degraded => HostFactState::Degraded,
            FactState::Missing => HostFactState::Missing,
        },
        found: fact.found,
        cure: fact.cure,
    });
    (host.kernel, facts.collect())
}
