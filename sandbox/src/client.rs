//! The judge's side: starts a keeper, opens sessions in its slots, runs programs and cancels them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::root::is_plain;
use crate::sys::{Key, MESSAGE_FDS_MAX};
use crate::wire::{self, Hello, Open, OpenFile, Opened, Ran, Run, Welcome};
use crate::{
    HostFacts, Job, Layer, Limits, Outcome, Policy, Profile, RunSpec, SandboxError, SealedFile, Stdin,
};

/// How long a keeper or a cell may take to get ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How much longer than its wall limit a run may take before its slot is given up.
const GRACE: Duration = Duration::from_secs(30);
/// How many runs a cell has at most: the one that runs and the one after it. So neither side ever waits for room in
/// the other's socket.
const AHEAD_MAX: usize = 2;

/// How to start a keeper.
#[derive(Debug, Clone)]
pub struct KeeperConfig {
    /// The `assize-sandbox` executable.
    pub binary: PathBuf,
    /// How many slots to keep: how many programs can run at once.
    pub slots: usize,
    /// Whether each slot is pinned to a core of its own (as far as there are enough).
    pub pin: bool,
    /// What the host must be able to enforce.
    pub policy: Policy,
}

/// The keeper process. Dropping it ends all its slots and whatever runs in them.
#[derive(Debug)]
pub struct Keeper {
    child: Child,
    /// Open until we want the keeper to end.
    socket: Option<OwnedFd>,
    slots: std::vec::IntoIter<Slot>,
    host: HostFacts,
}

impl Keeper {
    /// Starts a keeper and its slots.
    pub fn start(config: KeeperConfig) -> Result<Keeper, SandboxError> {
        let failed =
            |source| SandboxError::StartKeeper { binary: config.binary.display().to_string(), source };
        if config.slots == 0 || config.slots > MESSAGE_FDS_MAX {
            return Err(SandboxError::InvalidJob(format!("a keeper has 1 to {MESSAGE_FDS_MAX} slots")));
        }
        let (ours, theirs) = pair().map_err(failed)?;
        let mut child = Command::new(&config.binary)
            .arg("keeper")
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        match greet(&ours, &config) {
            Ok((host, controls)) => {
                let slots: Result<Vec<Slot>, SandboxError> = controls.into_iter().map(Slot::new).collect();
                Ok(Keeper { child, socket: Some(ours), slots: slots?.into_iter(), host })
            }
            Err(error) => {
                drop(ours);
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Takes one of the slots that nobody has taken yet; `None` when all are taken. A slot outlives no keeper: its
    /// calls fail with [`SandboxError::Lost`] once the keeper is gone.
    pub fn take_slot(&mut self) -> Option<Slot> {
        self.slots.next()
    }

    /// What the host can enforce, as found when the keeper started.
    pub fn host(&self) -> &HostFacts {
        &self.host
    }

    /// The keeper's process id, for those who watch it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.socket = None;
        let _ = self.child.wait();
    }
}

fn greet(socket: &OwnedFd, config: &KeeperConfig) -> Result<(HostFacts, Vec<OwnedFd>), SandboxError> {
    let hello = Hello { slots: config.slots as u32, pin: config.pin, policy: config.policy };
    channel("greeting the keeper", wire::send(socket.as_fd(), &hello, &[], Key::NONE))?;
    let (welcome, controls) = answer::<Welcome>(socket, READY_MAX, "starting the keeper")?;
    let host = welcome?;
    if controls.len() == config.slots {
        Ok((host, controls))
    } else {
        Err(SandboxError::Lost { during: "starting the keeper" })
    }
}

/// A place where one program at a time can run. `Send`: give each its own thread.
#[derive(Debug)]
pub struct Slot {
    control: OwnedFd,
    cancel: Arc<EventFd>,
}

impl Slot {
    fn new(control: OwnedFd) -> Result<Slot, SandboxError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let cancel = EventFd::from_flags(flags).map_err(io::Error::from);
        Ok(Slot { control, cancel: Arc::new(channel("making the cancel descriptor", cancel)?) })
    }

    /// Prepares a confinement for the runs of `job`. For [`Profile::Build`] this only checks the job: each run gets a
    /// confinement of its own.
    pub fn open(&mut self, job: &Job) -> Result<Session<'_>, SandboxError> {
        check(job)?;
        // Forget a cancellation that was meant for the last session.
        let _ = self.cancel.read();
        let mut files = Vec::new();
        for file in &job.files {
            files.push(channel("copying a file's descriptor", file.content.try_clone())?);
        }
        let open = Open {
            profile: job.profile,
            root: job.root.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            files: job
                .files
                .iter()
                .map(|file| OpenFile {
                    name: file.name.clone(),
                    executable: file.executable,
                    bytes: file.content.len(),
                })
                .collect(),
            argv: job.argv.clone(),
            env: job.env.clone(),
            tmpfs_bytes: 0,
            tmpfs_inodes: 0,
            again: false,
        };
        let mut session = Session {
            slot: self,
            open,
            files,
            cell: None,
            layers: Vec::new(),
            asked: VecDeque::new(),
            sent: 0,
            is_opening: false,
        };
        if job.profile == Profile::Run {
            session.connect()?;
            session.opened()?;
        }
        Ok(session)
    }

    /// A handle that ends whatever runs in this slot, from any thread.
    pub fn canceller(&self) -> Canceller {
        Canceller { event: Arc::clone(&self.cancel) }
    }
}

/// A prepared confinement. Dropping it ends it, and whatever runs in it.
///
/// Runs may be asked for ahead of time: [`start`](Self::start) any number, then [`finish`](Self::finish) them in
/// the same order. The cell goes from one to the next without waiting for us, so that a caller who looks at one outcome
/// while the next program runs costs no time between runs.
#[derive(Debug)]
pub struct Session<'slot> {
    slot: &'slot mut Slot,
    open: Open,
    files: Vec<SealedFile>,
    /// The socket of a cell that is ready for the next run, or in the middle of those that were sent.
    cell: Option<OwnedFd>,
    layers: Vec<Layer>,
    /// Runs that were asked for and whose outcome has not been taken, oldest first.
    asked: VecDeque<Asked>,
    /// How many of them, from the oldest on, the cell has.
    sent: usize,
    /// Whether the cell has yet to say that it is ready. It may be sent runs all the same.
    is_opening: bool,
}

/// A run that was asked for.
#[derive(Debug)]
struct Asked {
    run: Run,
    fds: Vec<OwnedFd>,
    /// How long its answer may take.
    patience: Duration,
    /// Size and inodes of its tmpfs.
    tmpfs: (u64, u64),
}

impl Session<'_> {
    /// Runs the program once and waits for its end. Whatever was started before and not finished is forgotten.
    pub fn run(&mut self, spec: &RunSpec<'_>) -> Result<Outcome, SandboxError> {
        self.forget();
        self.start(spec)?;
        self.finish()
    }

    /// Asks for a run, which begins when those that were asked for before have ended.
    pub fn start(&mut self, spec: &RunSpec<'_>) -> Result<(), SandboxError> {
        check_run(self.open.profile, spec)?;
        let mut fds = Vec::new();
        if let Stdin::Sealed(file) = spec.stdin {
            fds.push(channel("opening the input", file.reopen())?);
        }
        let run =
            Run { limits: spec.limits, collect: spec.collect.clone(), extra_args: spec.extra_args.clone() };
        let patience = Duration::from_millis(spec.limits.wall_ms).saturating_add(GRACE);
        let tmpfs = (spec.limits.tmpfs_bytes, spec.limits.tmpfs_inodes);
        self.asked.push_back(Asked { run, fds, patience, tmpfs });
        self.send_ahead().inspect_err(|_| self.forget())
    }

    /// Waits for the oldest run that was started and not finished. After an error nothing is left started.
    pub fn finish(&mut self) -> Result<Outcome, SandboxError> {
        let outcome = self.send_ahead().and_then(|()| self.receive());
        // The next one runs while the caller looks at this one.
        let next = if outcome.is_ok() { self.send_ahead() } else { Ok(()) };
        if outcome.is_err() || next.is_err() {
            self.forget();
        }
        next.and(outcome)
    }

    /// How many runs were started and not finished.
    pub fn started(&self) -> usize {
        self.asked.len()
    }

    /// Forgets all that was started; a cell in the middle of it is given up, and killed when the slot is used next.
    fn forget(&mut self) {
        self.asked.clear();
        if self.sent > 0 {
            self.sent = 0;
            self.cell = None;
        }
    }

    /// Sends the cell what it may have: everything where it serves many runs, the oldest where it serves one.
    fn send_ahead(&mut self) -> Result<(), SandboxError> {
        let ahead_max = if self.open.profile == Profile::Run { AHEAD_MAX } else { 1 };
        while self.sent < self.asked.len().min(ahead_max) {
            if self.sent == 0 {
                self.get_cell()?;
            }
            let (Some(cell), Some(asked)) = (&self.cell, self.asked.get(self.sent)) else {
                return Err(SandboxError::Lost { during: "sending a run" });
            };
            let numbers: Vec<RawFd> = asked.fds.iter().map(AsRawFd::as_raw_fd).collect();
            match wire::send(cell.as_fd(), &asked.run, &numbers, Key::NONE) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
                {
                    // A cell that retires closes after its last answer: what it did not take goes to the next.
                    if self.sent > 0 {
                        return Ok(());
                    }
                    return Err(SandboxError::Lost { during: "sending a run" });
                }
                other => channel("sending a run", other)?,
            }
            self.sent += 1;
        }
        Ok(())
    }

    /// Makes sure that there is a cell which the oldest run can be sent to.
    fn get_cell(&mut self) -> Result<(), SandboxError> {
        if self.open.profile == Profile::Build {
            (self.open.tmpfs_bytes, self.open.tmpfs_inodes) =
                self.asked.front().map_or((0, 0), |run| run.tmpfs);
            self.cell = None;
        }
        // A cell that was killed meanwhile has closed its socket.
        if self.cell.as_ref().is_some_and(is_closed) {
            self.cell = None;
        }
        if self.cell.is_none() { self.connect() } else { Ok(()) }
    }

    /// Waits for the oldest run's answer.
    fn receive(&mut self) -> Result<Outcome, SandboxError> {
        self.opened()?;
        let (Some(cell), Some(asked)) = (&self.cell, self.asked.front()) else {
            return Err(SandboxError::InvalidJob("no run was started".to_owned()));
        };
        let (ran, fds) = answer::<Ran>(cell, asked.patience, "running a program")?;
        let mut ran = ran?;
        self.asked.pop_front();
        self.sent -= 1;
        if ran.retires {
            // What it had been sent ahead dies with it, and is sent again to the next.
            self.cell = None;
            self.sent = 0;
        }
        ran.report.layers.clone_from(&self.layers);
        let mut fds = fds.into_iter();
        let stdout = fds.next().ok_or(SandboxError::Lost { during: "receiving output" })?;
        let stdout = channel("receiving the output", SealedFile::from_fd(stdout))?;
        let mut files = Vec::new();
        for (name, fd) in ran.files.into_iter().zip(fds) {
            files.push((name, channel("receiving a file", SealedFile::from_fd(fd))?));
        }
        Ok(Outcome { report: ran.report, stdout, stderr: ran.stderr, files })
    }

    /// The layers of the confinement that is ready now; empty before the first run of a [`Profile::Build`].
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Asks the warden for a cell.
    fn connect(&mut self) -> Result<(), SandboxError> {
        let (ours, theirs) = channel("making a session's socket", pair())?;
        let mut files = Vec::new();
        for file in &self.files {
            files.push(channel("opening a file", file.reopen())?);
        }
        let mut numbers = vec![theirs.as_raw_fd(), self.slot.cancel.as_fd().as_raw_fd()];
        numbers.extend(files.iter().map(AsRawFd::as_raw_fd));
        match wire::send(self.slot.control.as_fd(), &self.open, &numbers, Key::NONE) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                return Err(SandboxError::InvalidJob(
                    "arguments, environment and names are too long".to_owned(),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Err(SandboxError::Lost { during: "opening a session" });
            }
            other => channel("opening a session", other)?,
        }
        self.cell = Some(ours);
        self.is_opening = true;
        // Whoever builds twice, a program of many processes over many testcases, builds a third time.
        self.open.again = self.open.profile == Profile::Build;
        Ok(())
    }

    /// Waits until the cell that was asked for is ready.
    fn opened(&mut self) -> Result<(), SandboxError> {
        let Some(cell) = self.cell.as_ref().filter(|_| self.is_opening) else {
            return Ok(());
        };
        let (opened, _) = answer::<Opened>(cell, READY_MAX, "opening a session")?;
        self.is_opening = false;
        self.layers = opened.inspect_err(|_| self.cell = None)?;
        Ok(())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // What still runs would otherwise go on until a limit of its own.
        if self.sent > 0 {
            let _ = self.slot.cancel.write(1);
        }
    }
}

/// Ends runs from another thread. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Canceller {
    event: Arc<EventFd>,
}

impl Canceller {
    /// Ends the program that is running, and every later run of the same session, with [`crate::End::Cancelled`].
    /// The next [`Slot::open`] starts afresh.
    pub fn cancel(&self) {
        // It can only fail when it is at its maximum, and then it is set already.
        let _ = self.event.write(1);
    }
}

/// Refuses a job that cannot be meant.
fn check(job: &Job) -> Result<(), SandboxError> {
    let refuse = |what: String| Err(SandboxError::InvalidJob(what));
    let Some(program) = job.argv.first() else {
        return refuse("there is no program".to_owned());
    };
    if let Some(file) = job.files.iter().find(|file| !is_plain(&file.name)) {
        return refuse(format!("`{}` is not a plain relative path", file.name.escape_debug()));
    }
    let own = program.strip_prefix("./").is_some_and(|name| job.files.iter().any(|file| file.name == name));
    if !own && !program.starts_with('/') {
        return refuse(format!("`{program}` is no absolute path and none of the files"));
    }
    if job.files.len() + 2 > MESSAGE_FDS_MAX {
        return refuse(format!("there are more than {} files", MESSAGE_FDS_MAX - 2));
    }
    if let Some(path) = job.root.iter().find(|path| path.to_str().is_none()) {
        return refuse(format!("the root entry `{}` is not UTF-8", path.display()));
    }
    Ok(())
}

fn check_run(profile: Profile, spec: &RunSpec<'_>) -> Result<(), SandboxError> {
    let limits: &Limits = &spec.limits;
    let refuse = |what: &str| Err(SandboxError::InvalidJob(what.to_owned()));
    if profile == Profile::Run && !spec.collect.is_empty() {
        return refuse("a run writes no files, so none can be collected");
    }
    if profile == Profile::Build && (limits.tmpfs_bytes == 0 || limits.tmpfs_inodes == 0) {
        return refuse("a build needs room in its tmpfs");
    }
    if limits.cpu_ms == 0 || limits.wall_ms == 0 || limits.memory_bytes == 0 || limits.processes == 0 {
        return refuse("a limit is zero");
    }
    if spec.collect.len() + 1 > MESSAGE_FDS_MAX || spec.collect.iter().any(|item| !is_plain(&item.name)) {
        return refuse("a file to collect is not a plain relative path, or there are too many");
    }
    Ok(())
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Whether the other side has closed, without waiting.
fn is_closed(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok() && polled[0].any().unwrap_or(true)
}

/// Receives one answer within `patience`.
fn answer<M: bincode::Decode<()>>(
    socket: &OwnedFd,
    patience: Duration,
    during: &'static str,
) -> Result<(M, Vec<OwnedFd>), SandboxError> {
    let timeout = PollTimeout::try_from(patience.as_millis()).unwrap_or(PollTimeout::MAX);
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut polled, timeout) {
            Err(Errno::EINTR) => {}
            Ok(0) => return Err(SandboxError::Lost { during }),
            other => break channel(during, other.map_err(io::Error::from)).map(drop)?,
        }
    }
    // A cell that ends with a run unread resets the connection, and the kernel tells us so once, before it hands out what
    // the cell had said: the last answer may still be there.
    let received = match wire::receive(socket.as_fd(), Key::NONE) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            wire::receive(socket.as_fd(), Key::NONE)
        }
        other => other,
    };
    match received {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(SandboxError::Lost { during }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(SandboxError::Lost { during }),
        Err(source) => Err(SandboxError::Channel { operation: during, source }),
    }
}

fn channel<T>(operation: &'static str, result: io::Result<T>) -> Result<T, SandboxError> {
    result.map_err(|source| SandboxError::Channel { operation, source })
}
