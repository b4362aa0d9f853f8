//! Two programs that talk to each other, each in a slot, with meters and limits, of its own.
//!
//! Each reads what the other writes, straight through a pipe of the kernel. We hold copies of all ends, those by which a
//! program writes until its cell has seen its end, so no program can notice that its partner is gone before the cell of
//! the partner has: that makes "who ended first" a fact and not a race. A program that closes its output and lives on
//! would not be noticed either; so where one has waited for some time, it is looked whether anybody but us could still
//! write to it, and if not, its input ends.
//!
//! When a program has ended, its partner may be let write on: what it writes is then read here and thrown away. So a
//! validator that answers a submission which has said all it had to say comes to its own end. Or the partner is ended at
//! once: nothing that a submission does matters once its validator has refused.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use crate::client::{answer, channel};
use crate::run::{IDLE_PART, monotonic_us};
use crate::wire::Answer;
use crate::{End, Outcome, RunSpec, SandboxError, Session};

/// How often the cells tell how much CPU time their programs have used.
const PROGRESS_MS: u64 = 50;

/// How long a program waits before it is looked whether its partner has closed its output.
const CLOSED_AFTER_US: u64 = 100_000;

/// How much is read at once of what nobody is left to read.
const THROWN_AWAY_BYTES: usize = 64 << 10;

/// One of the two programs of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Half {
    /// The first.
    First,
    /// The second.
    Second,
}

/// What becomes of a half when the other has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partner {
    /// It goes on, and what it writes is thrown away.
    WritesOn,
    /// It is ended too, with [`End::PartnerEnded`].
    Ends,
}

/// What came of a pair.
#[derive(Debug)]
pub struct PairOutcome {
    /// The first program. Its standard output went to the other, so it is empty here, and `stdout_bytes` is 0.
    pub first: Outcome,
    /// The second program, likewise.
    pub second: Outcome,
    /// Whose end was seen first. The other's may be a consequence of it: an input that ended, or our ending it.
    pub ended_first: Half,
    /// Neither did anything for as long as [`run_pair`] allows: each waited for the other, or slept. Those that still
    /// ran were ended, with [`End::WallLimit`] and `idle`.
    pub stalled: bool,
}

/// One half while it runs. Times are microseconds of the monotonic clock as its cell saw it: however late we hear of
/// what it does, we do not take it for idle before it was.
struct Running {
    outcome: Option<(Outcome, u64)>,
    /// The last time at which it was seen to have worked.
    worked_us: u64,
    /// Its CPU time then, in microseconds.
    worked_cpu_us: u64,
    /// The last time of which anything is known.
    heard_us: u64,
}

/// Runs two programs at once, each reading what the other writes.
///
/// `stdin` of the specs is not used. After `idle_ms` milliseconds in which no program that still runs has used a
/// hundredth of the time as CPU time, both are ended: [`PairOutcome::stalled`]. So a program is not blamed for waiting
/// while its partner works. `idle_ms` of the limits should be `None`, and `wall_ms` generous, since a partner's work
/// counts in it.
///
/// `partner` is asked when a half has ended before the other: what becomes of the other.
///
/// The sessions are of two slots, of one keeper or two, and their jobs are to talk ([`crate::Needs::talks`]). Fails as
/// [`Session::run`] does; both sessions are then over, and their slots may open others.
pub fn run_pair<'slots>(
    first: (&mut Session<'slots>, &RunSpec<'_>),
    second: (&mut Session<'slots>, &RunSpec<'_>),
    idle_ms: u64,
    partner: impl Fn(Half, &Outcome) -> Partner,
) -> Result<PairOutcome, SandboxError> {
    let ((first, first_spec), (second, second_spec)) = (first, second);
    let mut sessions = [first, second];
    let idle_us = idle_ms.saturating_mul(1000);
    let ran = run(&mut sessions, [first_spec, second_spec], idle_us, partner);
    if ran.is_err() {
        for session in &mut sessions {
            session.give_up();
        }
    }
    ran
}

fn run(
    sessions: &mut [&mut Session<'_>; 2],
    specs: [&RunSpec<'_>; 2],
    idle_us: u64,
    partner: impl Fn(Half, &Outcome) -> Partner,
) -> Result<PairOutcome, SandboxError> {
    for ((session, spec), half) in sessions.iter_mut().zip(specs).zip([Half::First, Half::Second]) {
        session.get_ready_for_half(half, spec, PROGRESS_MS)?;
    }
    let [stdin, to_stdin, stdout, to_stdout] = sessions[0].pipes()?;
    // What each half reads.
    let mut unread = [Some(copy(&stdin)?), Some(copy(&stdout)?)];
    // By what it writes.
    let mut writing = [Some(copy(&to_stdout)?), Some(copy(&to_stdin)?)];
    sessions[0].give_pipes([stdin, to_stdout]);
    sessions[1].give_pipes([stdout, to_stdin]);
    // Both are ready before either starts, so that neither waits for the other's confinement.
    for session in sessions.iter_mut() {
        session.send_ahead()?;
    }
    let start_us = monotonic_us();
    let mut halves = [0, 1].map(|_| Running::from(start_us));
    // What those that we end have come to.
    let mut ended: [Option<End>; 2] = [None; 2];
    let mut heard = Instant::now();
    while halves.iter().any(|half| half.outcome.is_none()) {
        let thrown_away = [0, 1].map(|half| unread[half].as_ref().filter(|_| halves[half].outcome.is_some()));
        let Ready { cells, pipes } = wait(sessions, &halves, thrown_away, heard)?;
        for half in pipes {
            if unread[half].as_ref().is_some_and(|pipe| !throw_away(pipe)) {
                unread[half] = None;
            }
        }
        for half in cells {
            heard = Instant::now();
            let Some((cell, patience)) = sessions[half].waiting() else {
                return Err(SandboxError::Lost { during: "running a pair" });
            };
            match answer::<Answer>(cell, patience, "running a pair")? {
                (Answer::Pipes, _) => return Err(SandboxError::Lost { during: "running a pair" }),
                (Answer::Progress { cpu_us, at_us }, _) => {
                    halves[half].note(cpu_us, at_us);
                    if halves[half].idles_for(CLOSED_AFTER_US)
                        && let Some(pipe) = &unread[half]
                        && let Some(end) = writing[1 - half].take()
                    {
                        writing[1 - half] = unless_closed(end, pipe);
                    }
                }
                (Answer::Ran(ran), fds) => {
                    let outcome = sessions[half].take(*ran?, fds)?;
                    writing[half] = None;
                    let which = if half == 0 { Half::First } else { Half::Second };
                    if let Some(pipe) = &unread[half] {
                        // Nobody else has that end any more, so that its flags are ours.
                        channel("minding a pair's pipe", set_nonblocking(pipe))?;
                    }
                    match partner(which, &outcome.0) {
                        _ if halves[1 - half].outcome.is_some() || ended[1 - half].is_some() => {}
                        Partner::Ends => {
                            ended[1 - half] = Some(End::PartnerEnded);
                            sessions[1 - half].cancel();
                        }
                        Partner::WritesOn => {}
                    }
                    // Who waited for it has something to do now.
                    halves[1 - half].worked_us = outcome.1;
                    halves[half].outcome = Some(outcome);
                }
            }
        }
        if ended == [None; 2] && halves.iter().all(|half| half.outcome.is_some() || half.idles_for(idle_us)) {
            for half in (0..2).filter(|half| halves[*half].outcome.is_none()) {
                ended[half] = Some(End::WallLimit { idle: true });
                sessions[half].cancel();
            }
        }
    }
    let [Some(first), Some(second)] = halves.map(|half| half.outcome) else {
        return Err(SandboxError::Lost { during: "running a pair" });
    };
    let ended_first = if second.1 < first.1 { Half::Second } else { Half::First };
    let mut outcomes = [first.0, second.0];
    for (half, end) in ended.iter().enumerate().filter_map(|(half, end)| Some((half, (*end)?))) {
        sessions[half].uncancel();
        let found = &mut outcomes[half].report.end;
        // Of two that we end for idling, one may see the other's end and come to its own before ours reaches it.
        let is_consequence = matches!(end, End::WallLimit { .. }) && *found == End::Finished;
        if *found == End::Cancelled || is_consequence {
            *found = end;
        }
    }
    let [first, second] = outcomes;
    let stalled = ended.contains(&Some(End::WallLimit { idle: true }));
    Ok(PairOutcome { first, second, ended_first, stalled })
}

impl Running {
    fn from(start_us: u64) -> Running {
        Running { outcome: None, worked_us: start_us, worked_cpu_us: 0, heard_us: start_us }
    }

    /// Takes in that it had used so much CPU time at that moment.
    fn note(&mut self, cpu_us: u64, at_us: u64) {
        self.heard_us = at_us;
        if cpu_us.saturating_sub(self.worked_cpu_us).saturating_mul(IDLE_PART.into())
            > at_us.saturating_sub(self.worked_us)
        {
            (self.worked_us, self.worked_cpu_us) = (self.worked_us.max(at_us), cpu_us);
        }
    }

    /// Whether it is known to have done nothing for so long.
    fn idles_for(&self, idle_us: u64) -> bool {
        self.heard_us.saturating_sub(self.worked_us) >= idle_us
    }
}

/// What there is to do.
struct Ready {
    /// The halves whose cells have something to say.
    cells: Vec<usize>,
    /// The halves that have ended and to which something was written, or can be no more.
    pipes: Vec<usize>,
}

/// Waits until a cell that still runs its half says something, or something was written to a half that has ended. The
/// last word of a cell was `heard` then.
fn wait(
    sessions: &[&mut Session<'_>; 2],
    halves: &[Running; 2],
    thrown_away: [Option<&OwnedFd>; 2],
    heard: Instant,
) -> Result<Ready, SandboxError> {
    let lost = || SandboxError::Lost { during: "running a pair" };
    let mut polled = Vec::new();
    let mut patience_max = Duration::ZERO;
    for (index, (session, half)) in sessions.iter().zip(halves).enumerate() {
        if half.outcome.is_some() {
            continue;
        }
        let (cell, patience) = session.waiting().ok_or_else(lost)?;
        patience_max = patience_max.max(patience);
        polled.push((index, true, PollFd::new(cell.as_fd(), PollFlags::POLLIN)));
    }
    for (index, pipe) in thrown_away.into_iter().enumerate() {
        polled.extend(pipe.map(|pipe| (index, false, PollFd::new(pipe.as_fd(), PollFlags::POLLIN))));
    }
    let mut fds: Vec<PollFd<'_>> = polled.iter().map(|(_, _, fd)| fd.clone()).collect();
    let patience = patience_max.saturating_sub(heard.elapsed());
    let timeout = PollTimeout::try_from(patience.as_millis()).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, timeout) {
        Ok(0) => return Err(lost()),
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => channel("waiting for a pair", Err(errno.into()))?,
    }
    let ready = polled.iter().zip(&fds).filter(|(_, fd)| fd.any().unwrap_or(true));
    let (cells, pipes): (Vec<_>, Vec<_>) =
        ready.map(|((index, is_cell, _), _)| (*index, *is_cell)).partition(|(_, is_cell)| *is_cell);
    // However much is written: a cell that says nothing for so long is gone.
    if cells.is_empty() && patience.is_zero() {
        return Err(lost());
    }
    let indices = |ready: Vec<(usize, bool)>| ready.into_iter().map(|(index, _)| index).collect();
    Ok(Ready { cells: indices(cells), pipes: indices(pipes) })
}

/// Reads what lies in a pipe. Gives whether more can come.
fn throw_away(pipe: &OwnedFd) -> bool {
    let mut buffer = [0; THROWN_AWAY_BYTES];
    match read(pipe, &mut buffer) {
        Ok(0) => false,
        Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => true,
        Err(_) => false,
    }
}

/// Gives up our copy of the end by which a program writes into this pipe, and takes it back if the program still has
/// its own.
fn unless_closed(end: OwnedFd, pipe: &OwnedFd) -> Option<OwnedFd> {
    drop(end);
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).ok()?;
    let is_closed = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
    let again = || File::options().write(true).open(format!("/proc/self/fd/{}", pipe.as_raw_fd()));
    // Without it, who ended first is a race; that is better than an input which never ends.
    if is_closed { None } else { again().ok().map(OwnedFd::from) }
}

fn set_nonblocking(pipe: &OwnedFd) -> std::io::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop).map_err(Into::into)
}

fn copy(end: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    channel("copying an end of a pair's pipe", end.try_clone())
}
