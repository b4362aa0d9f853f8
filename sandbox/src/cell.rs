//! The confined process, pid 1 of its namespaces: takes one job, runs its program as often as asked, and ends.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use seccompiler::BpfProgram;

use crate::confine::Armed;
use crate::error::Failure;
use crate::root::{self, StreamFiles};
use crate::run::{OomScore, Ready, Runner, Streams};
use crate::sys::{self, Forked, Image, Key, Stack};
use crate::warden::Warden;
use crate::warm::{self, Waiting, Warm};
use crate::wire::{self, Answer, Ask, Open, Opened};
use crate::{Layer, Profile, confine, run};

/// After this many runs a cell asks to be replaced.
const RUNS_MAX: u32 = 10_000;
/// How long a cell that has answered for the last time stays.
const LAST_PAUSE: Duration = Duration::from_micros(100);

/// Lives a cell's life. `internal` is the warden's socket: it says when the maps are written and brings the job.
/// Where the job's kind is `expected`, the cell confines itself for it at once.
pub(crate) fn live(warden: Warden, internal: OwnedFd, expected: Option<Open>) -> io::Result<()> {
    match take_job(warden, internal, expected) {
        // The judge has given the session up.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(())
        }
        other => other,
    }
}

fn take_job(warden: Warden, internal: OwnedFd, expected: Option<Open>) -> io::Result<()> {
    let mut go = [0; 1];
    if sys::receive(internal.as_fd(), &mut go, Key::NONE)?.is_none() {
        return Ok(());
    }
    let mut key = Key::NONE;
    let armed = confine::arm(warden.identity.may_set_groups, warden.network_is_shared);
    let mut ahead = armed.map(Ahead::Armed);
    if let Some(expected) = &expected {
        ahead = ahead.and_then(|ahead| ahead.shut(&warden, expected, Vec::new())).map(Ahead::Shut);
        // After a failure half-way nobody knows whether the filter is in place; the key does no harm without it.
        key = warden.filters.key;
    }
    let ready = match (&ahead, &expected) {
        (Ok(_), Some(expected)) => Ready::make(&warden.groups, &Warm::None, expected.needs.talks, key).ok(),
        // Where confining failed, nobody knows what the streams' names lead to.
        _ => None,
    };
    let Some((open, fds)) = wire::receive::<Open>(internal.as_fd(), key)? else {
        return Ok(());
    };
    let Ok(handed) = Handed::sort(fds, &open) else {
        return Ok(());
    };
    let session = handed.session.try_clone()?;
    let key = warden.filters.key;
    let (mut runner, layers) = match ahead.and_then(|ahead| enter(warden, &open, handed, ahead)) {
        Ok(ready) => ready,
        Err(failure) => return wire::send(session.as_fd(), &Opened::Err(failure), &[], key),
    };
    wire::send(session.as_fd(), &Opened::Ok(layers), &[], key)?;
    match ready {
        Some(ready) => runner.ready = Some(ready),
        None => runner.get_ready(),
    }
    serve(&mut runner, &session, open.profile, key)
}

/// Does what every message on `session` asks for, until it closes or this cell retires.
fn serve(runner: &mut Runner, session: &OwnedFd, profile: Profile, key: Key) -> io::Result<()> {
    let mut count = 0;
    while let Some((ask, fds)) = wire::receive::<Ask>(session.as_fd(), key)? {
        let answer = match ask {
            Ask::Pipes => runner.pipes().map(|pipes| (Answer::Pipes, pipes.into(), false)),
            Ask::Run(run) => runner.run(&run, fds, session).map(|(mut ran, fds)| {
                count += 1;
                ran.retires = count == RUNS_MAX || is_doubtful(profile, &ran.report);
                let retires = ran.retires;
                (Answer::Ran(Ok(Box::new(ran))), fds, retires)
            }),
        };
        match answer {
            Ok((answer, fds, retires)) => {
                let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
                wire::send(session.as_fd(), &answer, &numbers, key)?;
                if retires {
                    // The judge may have been woken on this core: it goes on before our end takes the core from it.
                    thread::sleep(LAST_PAUSE);
                    return Ok(());
                }
                drop(fds);
                runner.get_ready();
            }
            // After a failure of ours nothing is known of our state; a fresh cell is cheap.
            Err(failure) => return wire::send(session.as_fd(), &Answer::Ran(Err(failure)), &[], key),
        }
    }
    Ok(())
}

/// Whether a cell should not be used again: after any build, and after a run that strained more than itself.
fn is_doubtful(profile: Profile, report: &crate::Report) -> bool {
    profile == Profile::Build
        || report.processes_reaped != 1
        || report.oom_kills > 0
        || report.end == crate::End::ForbiddenSyscall
}

/// The descriptors that come with an [`Open`].
struct Handed {
    session: OwnedFd,
    cancel: OwnedFd,
    files: Vec<OwnedFd>,
}

impl Handed {
    fn sort(fds: Vec<OwnedFd>, open: &Open) -> Result<Handed, ()> {
        let mut fds = fds.into_iter();
        let (Some(session), Some(cancel)) = (fds.next(), fds.next()) else {
            return Err(());
        };
        let files: Vec<OwnedFd> = fds.collect();
        if files.len() == open.files.len() { Ok(Handed { session, cancel, files }) } else { Err(()) }
    }
}

/// What a cell has become when its job comes.
enum Ahead {
    Armed(Armed),
    Shut(Shut),
}

impl Ahead {
    /// Confines this process for `open`, unless that has been done.
    fn shut(self, warden: &Warden, open: &Open, files: Vec<Option<OwnedFd>>) -> Result<Shut, Failure> {
        match self {
            Ahead::Armed(armed) => shut(warden, open, files, armed),
            Ahead::Shut(shut) => Ok(shut),
        }
    }
}

/// A cell that is confined for good.
struct Shut {
    layers: Vec<Layer>,
    oom_score: OomScore,
    streams: StreamFiles,
    warm: Warm,
}

/// Confines this process for jobs like `open`, for good. Files of a run are placed before its root becomes read-only.
fn shut(
    warden: &Warden,
    open: &Open,
    files: Vec<Option<OwnedFd>>,
    Armed { mut layers, mut oom_score, devices }: Armed,
) -> Result<Shut, Failure> {
    let last_pid = if open.profile == Profile::Run { root::last_pid().ok() } else { None };
    if last_pid.as_ref().is_some_and(|file| root::scatter_pids(file).is_ok()) {
        layers.push(confine::layer("pids", "start at a random number, so that they do not count runs"));
    }
    let reach = root::fill(open, files)?;
    let streams = devices.streams(open)?;
    layers.extend(confine::close(open.profile, &reach, &warden.policy)?);
    let filter = warden.filters.of(open);
    let warm = match &last_pid {
        // What fails here costs time and nothing else.
        Some(last_pid) if open.warm => {
            fork_interpreter(open, last_pid, filter, &mut oom_score, warden.filters.key).unwrap_or(Warm::None)
        }
        _ => Warm::None,
    };
    layers.extend(confine::lock(filter)?);
    layers.push(confine::layer("rlimits", "STACK CPU FSIZE NPROC NOFILE CORE MEMLOCK MSGQUEUE NICE RTPRIO"));
    layers.extend(warden.groups.layers());
    layers.extend(warden.pinned.map(|core| confine::layer("pinned", &format!("core {core}"))));
    layers.push(confine::layer("user", &warden.identity.describe()));
    Ok(Shut { layers, oom_score, streams, warm })
}

/// Forks the process that is to be the job's interpreter, into a pid namespace of its own. The fork does not return.
fn fork_interpreter(
    open: &Open,
    last_pid: &File,
    filter: (&str, &BpfProgram),
    oom_score: &mut OomScore,
    key: Key,
) -> io::Result<Warm> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    // Its children inherit its score.
    oom_score.offer()?;
    let forked = sys::fork_into(libc::CLONE_NEWPID);
    if let Ok(Forked::Child) = forked {
        drop(ours);
        // A step that fails ends it, and the cell notices.
        let _ = root::scatter_pids(last_pid).and_then(|()| {
            let image = image(open, None).map_err(|_| io::ErrorKind::InvalidInput)?;
            confine::lock(filter).map_err(|_| io::ErrorKind::PermissionDenied)?;
            warm::become_interpreter(&theirs, &image, key)
        });
        std::process::exit(127);
    }
    oom_score.withdraw()?;
    match forked? {
        Forked::Parent { pid } => Ok(Warm::Waiting(Waiting { pid, socket: ours })),
        Forked::Child => Ok(Warm::None),
    }
}

/// The job's program: the file `fd` where there is one.
fn image(open: &Open, fd: Option<OwnedFd>) -> Result<Image, Failure> {
    let program = open.argv.first().ok_or_else(|| Failure::InvalidJob("there is no program".to_owned()))?;
    let argv = open.argv.iter().map(|argument| c_string(argument)).collect::<Result<Vec<_>, _>>()?;
    let env = open.env.iter().map(|(name, value)| c_string(&format!("{name}={value}")));
    Ok(Image::new(fd, c_string(program)?, argv, env.collect::<Result<Vec<_>, _>>()?))
}

/// Takes the job in, confining this process first if that has not been done ahead of time.
fn enter(
    mut warden: Warden,
    open: &Open,
    handed: Handed,
    ahead: Ahead,
) -> Result<(Runner, Vec<Layer>), Failure> {
    let io_step = |what: &'static str| move |error: io::Error| Failure::step(what, &error);
    let program = open.argv.first().ok_or_else(|| Failure::InvalidJob("there is no program".to_owned()))?;
    let mut files: Vec<Option<OwnedFd>> = handed.files.into_iter().map(Some).collect();
    // A program among the files is executed straight from its sealed memory: no copy, no file. A script needs a path.
    let own =
        program.strip_prefix("./").and_then(|name| open.files.iter().position(|file| file.name == name));
    let image_fd = match own {
        Some(index) if files[index].as_ref().is_some_and(is_elf) => files[index].take(),
        Some(_) => None,
        None if program.starts_with('/') => None,
        None => {
            return Err(Failure::InvalidJob(format!(
                "`{program}` is no absolute path and none of the files"
            )));
        }
    };
    let files_bytes: u64 =
        open.files.iter().zip(&files).filter(|(_, fd)| fd.is_some()).map(|(file, _)| file.bytes).sum();

    if files_bytes > 0 {
        let room = warden.groups.relax(files_bytes + run::MEMORY_BYTES_OWN);
        room.map_err(io_step("making room for the files"))?;
    }
    // A build's files go into its tmpfs, which stays writable; a run's must be there before the root is closed.
    let (before, after) =
        if open.profile == Profile::Run { (files, Vec::new()) } else { (Vec::new(), files) };
    let Shut { layers, oom_score, streams, warm } = ahead.shut(&warden, open, before)?;
    if open.profile == Profile::Build {
        root::make_directories(open)?;
    }
    root::place_all(open, after)?;
    let held = warden.groups.held().map_err(io_step("reading what the cgroup holds"))?;
    let hard_limits = run::hard_limits().map_err(io_step("reading our own limits"))?;
    let runner = Runner {
        profile: open.profile,
        key: warden.filters.key,
        argv: open.argv.iter().map(|argument| c_string(argument)).collect::<Result<Vec<_>, _>>()?,
        image: image(open, image_fd)?,
        warm,
        file_names: open.files.iter().map(|file| file.name.clone()).collect(),
        groups: warden.groups,
        hard_limits,
        cancel: handed.cancel,
        oom_score,
        cores: if warden.pinned.is_some() { 1 } else { warden.cores },
        held,
        made_bytes: 0,
        streams: Streams::new(streams, open.needs.talks, warden.filters.key),
        stack: Stack::new().map_err(io_step("mapping the child's stack"))?,
        buffer: vec![0; run::OUTPUT_BUFFER_BYTES],
        ready: None,
    };
    Ok((runner, layers))
}

fn is_elf(fd: &OwnedFd) -> bool {
    let mut magic = [0; 4];
    nix::sys::uio::pread(fd, &mut magic, 0) == Ok(4) && magic == *b"\x7fELF"
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::InvalidJob(format!("`{}` contains NUL", text.escape_debug())))
}
