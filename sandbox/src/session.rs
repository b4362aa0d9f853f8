//! A session: one job's runs in a slot, asked for one by one or ahead of time.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::client::{READY_MAX, Slot, answer, channel, pair};
use crate::root::is_plain;
use crate::sys::{Key, MESSAGE_FDS_MAX};
use crate::wire::{self, Answer, Ask, Open, Opened, RanWell, Run};
use crate::{Half, Layer, Limits, Outcome, Profile, RunSpec, SandboxError, SealedFile, Stdin};

/// How much longer than its wall limit a run may take before its slot is given up.
const GRACE: Duration = Duration::from_secs(30);
/// How many runs a cell has at most: the one that runs and the one after it. So neither side ever waits for room in
/// the other's socket.
const AHEAD_MAX: usize = 2;

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
    /// The socket of the cell that comes when this one has ended, where it was asked for.
    next: Option<OwnedFd>,
    layers: Vec<Layer>,
    /// Runs that were asked for and whose outcome has not been taken, oldest first.
    asked: VecDeque<Asked>,
    /// How many of them, from the oldest on, the cell has.
    sent: usize,
    /// Whether the cell has yet to say that it is ready. It may be sent runs all the same.
    is_opening: bool,
    /// Whether there was a cell before this one.
    has_connected: bool,
}

/// A run that was asked for.
#[derive(Debug)]
struct Asked {
    ask: Ask,
    limits: Limits,
    /// Whether it is half of a pair.
    is_half: bool,
    fds: Vec<OwnedFd>,
    /// How long its answer may take.
    patience: Duration,
}

impl Asked {
    fn new(spec: &RunSpec<'_>, progress_ms: Option<u64>, fds: Vec<OwnedFd>) -> Asked {
        let RunSpec { limits, collect, collect_all, extra_args, .. } = spec;
        let patience = Duration::from_millis(limits.wall_ms).saturating_add(GRACE);
        let run = Run {
            limits: *limits,
            collect: collect.clone(),
            collect_all: collect_all.clone(),
            extra_args: extra_args.clone(),
            progress_ms,
        };
        Asked { ask: Ask::Run(Box::new(run)), limits: *limits, is_half: progress_ms.is_some(), fds, patience }
    }
}

impl<'slot> Session<'slot> {
    pub(crate) fn new(slot: &'slot mut Slot, open: Open, files: Vec<SealedFile>) -> Self {
        Session {
            slot,
            open,
            files,
            cell: None,
            next: None,
            layers: Vec::new(),
            asked: VecDeque::new(),
            sent: 0,
            is_opening: false,
            has_connected: false,
        }
    }

    /// Runs the program once and waits for its end. Whatever was started before and not finished is forgotten.
    pub fn run(&mut self, spec: &RunSpec<'_>) -> Result<Outcome, SandboxError> {
        self.forget();
        self.start(spec)?;
        self.finish()
    }

    /// Asks for a run, which begins when those that were asked for before have ended.
    pub fn start(&mut self, spec: &RunSpec<'_>) -> Result<(), SandboxError> {
        check_run(self.open.profile, spec)?;
        if self.open.needs.talks.is_some() {
            return Err(SandboxError::InvalidJob("half of a pair is to run alone".to_owned()));
        }
        let mut fds = Vec::new();
        if let Stdin::Sealed(file) = spec.stdin {
            fds.push(channel("opening the input", file.reopen())?);
        }
        self.asked.push_back(Asked::new(spec, None, fds));
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
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
        if self.sent > 0 {
            self.sent = 0;
            self.give_up_cells();
        }
    }

    /// Closes the sockets of the cells that there are; they are killed when the slot is used next.
    fn give_up_cells(&mut self) {
        (self.cell, self.next) = (None, None);
    }

    /// Sends the cell what it may have: everything where it serves many runs, the oldest where it serves one.
    pub(crate) fn send_ahead(&mut self) -> Result<(), SandboxError> {
        let ahead_max = if self.open.profile == Profile::Run { AHEAD_MAX } else { 1 };
        while self.sent < self.asked.len().min(ahead_max) {
            if self.sent == 0 {
                self.get_cell()?;
            }
            let (Some(cell), Some(asked)) = (&self.cell, self.asked.get(self.sent)) else {
                return Err(SandboxError::Lost { during: "sending a run" });
            };
            let numbers: Vec<RawFd> = asked.fds.iter().map(AsRawFd::as_raw_fd).collect();
            match wire::send(cell.as_fd(), &asked.ask, &numbers, Key::NONE) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
                {
                    // A cell that retires closes after its last answer: what it did not take goes to the next.
                    if self.sent > 0 {
                        return Ok(());
                    }
                    // One that could not be made ready has said why.
                    self.opened()?;
                    return Err(SandboxError::Lost { during: "sending a run" });
                }
                other => channel("sending a run", other)?,
            }
            if asked.is_half {
                // The pipes of a pair must close with the programs. They are never sent twice.
                self.asked[self.sent].fds.clear();
            }
            self.sent += 1;
        }
        self.ask_ahead();
        Ok(())
    }

    /// Asks for the cell of the run after the one that is on, once that one's cell is ready. What fails here is tried
    /// again when the run comes, and told then.
    fn ask_ahead(&mut self) {
        if self.open.again && self.sent > 0 && !self.is_opening && self.next.is_none() {
            self.next = self.ask_for_cell(true).ok();
        }
    }

    /// Makes sure that there is a cell which the oldest run can be sent to.
    fn get_cell(&mut self) -> Result<(), SandboxError> {
        if self.open.profile == Profile::Build
            && let Some(limits) = self.asked.front().map(|asked| &asked.limits)
        {
            let tmpfs = (limits.tmpfs_bytes, limits.tmpfs_inodes);
            if tmpfs != (self.open.tmpfs_bytes, self.open.tmpfs_inodes) {
                (self.open.tmpfs_bytes, self.open.tmpfs_inodes) = tmpfs;
                self.give_up_cells();
            }
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
        self.ask_ahead();
        let (Some(cell), Some(asked)) = (&self.cell, self.asked.front()) else {
            return Err(SandboxError::InvalidJob("no run was started".to_owned()));
        };
        match answer::<Answer>(cell, asked.patience, "running a program")? {
            (Answer::Ran(ran), fds) => self.take(*ran?, fds).map(|(outcome, _)| outcome),
            // Only pairs ask for it.
            (Answer::Progress { .. } | Answer::Pipes, _) => {
                Err(SandboxError::Lost { during: "running a program" })
            }
        }
    }

    /// Gets ready for one half of a pair: nothing runs yet.
    pub(crate) fn get_ready_for_half(
        &mut self,
        half: Half,
        spec: &RunSpec<'_>,
        progress_ms: u64,
    ) -> Result<(), SandboxError> {
        check_run(self.open.profile, spec)?;
        if self.open.needs.talks != Some(half) {
            return Err(SandboxError::InvalidJob(
                "a job is not to talk, or is the other half of a pair".to_owned(),
            ));
        }
        self.forget();
        self.asked.push_back(Asked::new(spec, Some(progress_ms), Vec::new()));
        self.get_cell()?;
        self.opened()
    }

    /// When that is done for the first half: the reading and the writing end of what its program is to read, then of what
    /// it is to write.
    pub(crate) fn pipes(&mut self) -> Result<[OwnedFd; 4], SandboxError> {
        let Some(cell) = &self.cell else {
            return Err(SandboxError::Lost { during: "asking for pipes" });
        };
        channel("asking for pipes", wire::send(cell.as_fd(), &Ask::Pipes, &[], Key::NONE))?;
        match answer::<Answer>(cell, READY_MAX, "asking for pipes")? {
            (Answer::Pipes, fds) => {
                fds.try_into().map_err(|_| SandboxError::Lost { during: "asking for pipes" })
            }
            (Answer::Ran(Err(failure)), _) => Err(failure.into()),
            _ => Err(SandboxError::Lost { during: "asking for pipes" }),
        }
    }

    /// What the half reads from and writes to.
    pub(crate) fn give_pipes(&mut self, pipes: [OwnedFd; 2]) {
        if let Some(asked) = self.asked.front_mut() {
            asked.fds = pipes.into();
        }
    }

    /// The cell's socket, and how long the oldest run's answer may take.
    pub(crate) fn waiting(&self) -> Option<(&OwnedFd, Duration)> {
        Some((self.cell.as_ref()?, self.asked.front()?.patience))
    }

    /// Ends what runs; [`uncancel`](Self::uncancel) must follow before the session is used again.
    pub(crate) fn cancel(&self) {
        let _ = self.slot.cancel.write(1);
    }

    /// After a failure: ends what runs, and every later run of this session.
    pub(crate) fn give_up(&mut self) {
        if self.sent > 0 {
            self.cancel();
        }
        self.forget();
        self.give_up_cells();
    }

    /// Takes [`cancel`](Self::cancel) back.
    pub(crate) fn uncancel(&self) {
        let _ = self.slot.cancel.read();
    }

    /// Takes the oldest run's outcome, and when it ended in microseconds of the monotonic clock.
    pub(crate) fn take(
        &mut self,
        mut ran: RanWell,
        fds: Vec<OwnedFd>,
    ) -> Result<(Outcome, u64), SandboxError> {
        self.asked.pop_front();
        self.sent -= 1;
        if ran.retires {
            // What it had been sent ahead dies with it, and is sent again to the next.
            self.sent = 0;
            self.cell = self.next.take();
            self.is_opening = self.cell.is_some();
        }
        ran.report.layers.clone_from(&self.layers);
        let mut fds = fds.into_iter();
        let stdout = fds.next().ok_or(SandboxError::Lost { during: "receiving output" })?;
        let stdout = channel("receiving the output", SealedFile::from_fd(stdout))?;
        let mut files = Vec::new();
        for (name, fd) in ran.files.into_iter().zip(fds) {
            files.push((name, channel("receiving a file", SealedFile::from_fd(fd))?));
        }
        Ok((Outcome { report: ran.report, stdout, stderr: ran.stderr, files }, ran.ended_us))
    }

    /// The layers of the confinement that is ready now; empty before the first run of a [`Profile::Build`].
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Gets a cell at once.
    pub(crate) fn connect(&mut self) -> Result<(), SandboxError> {
        // Whoever builds twice, a program of many processes over many testcases, builds a third time.
        self.open.again = self.open.profile == Profile::Build && self.has_connected;
        self.cell = Some(self.ask_for_cell(false)?);
        self.next = None;
        self.is_opening = true;
        self.has_connected = true;
        Ok(())
    }

    /// Asks the warden for a cell: one that `waits` for the end of the one that there is, or takes its place.
    fn ask_for_cell(&mut self, waits: bool) -> Result<OwnedFd, SandboxError> {
        self.open.waits = waits;
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
        Ok(ours)
    }

    /// Waits until the cell that was asked for is ready.
    pub(crate) fn opened(&mut self) -> Result<(), SandboxError> {
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
            self.cancel();
        }
    }
}

fn check_run(profile: Profile, spec: &RunSpec<'_>) -> Result<(), SandboxError> {
    let limits: &Limits = &spec.limits;
    let refuse = |what: &str| Err(SandboxError::InvalidJob(what.to_owned()));
    if profile == Profile::Run && (!spec.collect.is_empty() || spec.collect_all.is_some()) {
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
    if spec.collect_all.as_ref().is_some_and(|all| !all.directory.is_empty() && !is_plain(&all.directory)) {
        return refuse("a directory to collect is not a plain relative path");
    }
    Ok(())
}

/// Whether the other side has closed, without waiting. It may have said something before that has not been heard.
fn is_closed(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).is_ok() && polled[0].any().unwrap_or(true)
}
