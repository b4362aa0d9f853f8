//! The thread that owns the child: starts it, notices its end, starts it again, and at last stops it in order.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use tokio::sync::watch;

/// The first wait before a crashed server is started again; each further crash doubles it.
const DELAY_MIN: Duration = Duration::from_millis(50);
/// The longest wait: a server that cannot live is tried again at this pace, and the status says why.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// A server that lived this long has recovered, and its next crash is a first one again.
const LIVED: Duration = Duration::from_secs(30);
/// A server that was asked to stop and has not within this time is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// A killed process that is still there after this long hangs in the kernel, and its store cannot be used.
const KILL_DEADLINE: Duration = Duration::from_secs(5);

/// What the private server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not started yet.
    Starting,
    /// It runs.
    Running {
        /// Its process.
        pid: u32,
        /// How often it had to be started again.
        restarts: u64,
    },
    /// It ended by itself and will be started again.
    Down {
        /// How often it had to be started again so far.
        restarts: u64,
        /// How it ended.
        cause: String,
        /// How long until the next start.
        retry_in: Duration,
    },
    /// It ended and stays so.
    Stopped {
        /// How it ended.
        cause: String,
    },
}

/// What is run, and how.
#[derive(Debug)]
pub(super) struct Plan {
    /// The server.
    pub(super) binary: PathBuf,
    /// Its settings; also what a later run recognises a stale server by.
    pub(super) conf: PathBuf,
    /// Where its first words go.
    pub(super) startup_log: PathBuf,
    /// Whether a crash is followed by a restart.
    pub(super) restart: bool,
}

/// The handle of the thread.
#[derive(Debug)]
pub(super) struct Supervisor {
    messages: mpsc::Sender<Message>,
    status: watch::Receiver<Status>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, PartialEq)]
enum Message {
    Exited,
    Stop,
}

impl Supervisor {
    /// Starts the thread, which starts the server.
    ///
    /// A thread of its own and not a task: the kernel ends a tied child with the *thread* that started it, so
    /// that thread has to live as long as the child may.
    pub(super) fn start(plan: Plan) -> io::Result<Supervisor> {
        let (status_sender, status) = watch::channel(Status::Starting);
        let (messages, inbox) = mpsc::channel();
        let own_messages = messages.clone();
        let thread = thread::Builder::new()
            .name("nats-server".to_owned())
            .spawn(move || supervise(&plan, &status_sender, &own_messages, &inbox))?;
        Ok(Supervisor { messages, status, thread: Some(thread) })
    }

    pub(super) fn status(&self) -> &watch::Receiver<Status> {
        &self.status
    }

    /// Asks for an orderly stop; [`Status::Stopped`] follows.
    pub(super) fn ask_to_stop(&self) {
        // A thread that is already gone has stopped the server.
        let _ = self.messages.send(Message::Stop);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn supervise(
    plan: &Plan,
    status: &watch::Sender<Status>,
    messages: &mpsc::Sender<Message>,
    inbox: &mpsc::Receiver<Message>,
) {
    let mut restarts = 0;
    let mut delay = DELAY_MIN;
    loop {
        let started = Instant::now();
        let cause = match spawn(plan, messages) {
            Err(error) => format!("could not be started: {error}"),
            Ok(mut child) => {
                let pid = child.id();
                tracing::info!(nats.pid = pid, nats.restarts = restarts, "nats-server started");
                status.send_replace(Status::Running { pid, restarts });
                // Any end of the channel means that nobody is left who wants the server.
                if inbox.recv() != Ok(Message::Exited) {
                    let cause = stop(&mut child, inbox);
                    tracing::info!(nats.pid = pid, cause, "nats-server stopped");
                    status.send_replace(Status::Stopped { cause });
                    return;
                }
                describe(child.wait())
            }
        };
        if !plan.restart {
            status.send_replace(Status::Stopped { cause });
            return;
        }
        if started.elapsed() >= LIVED {
            delay = DELAY_MIN;
        }
        tracing::error!(
            cause,
            retry_ms = delay.as_millis(),
            nats.restarts = restarts,
            "nats-server ended by itself"
        );
        status.send_replace(Status::Down { restarts, cause: cause.clone(), retry_in: delay });
        if inbox.recv_timeout(delay) != Err(RecvTimeoutError::Timeout) {
            status.send_replace(Status::Stopped { cause });
            return;
        }
        restarts += 1;
        delay = (delay * 2).min(DELAY_MAX);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one child of the judge that is not a confined run")]
fn spawn(plan: &Plan, messages: &mpsc::Sender<Message>) -> io::Result<Child> {
    let first_words = File::create(&plan.startup_log)?;
    let mut words =
        tie().into_iter().chain([plan.binary.clone().into(), "-c".into(), plan.conf.clone().into()]);
    let mut child = Command::new(words.next().unwrap_or_default())
        .args(words)
        // Its settings are in its file; nothing of ours (a token in the environment, say) is its business.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(first_words.try_clone()?)
        .stderr(first_words)
        // Ctrl-C in a terminal goes to the whole foreground group: the server has to outlive our own ending.
        .process_group(0)
        .spawn()?;
    // Waits without reaping: as long as the supervisor has not reaped, the pid cannot become somebody else's,
    // so that it can be signalled without a race.
    let pid = Pid::from_raw(child.id().cast_signed());
    let messages = messages.clone();
    let watching = thread::Builder::new().name("nats-server-exit".to_owned()).spawn(move || {
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        let _ = messages.send(Message::Exited);
    });
    if let Err(error) = watching {
        // A server that nobody watches would run on beside the next one, on the same store.
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    Ok(child)
}

/// The words before the server's own that end it with us, whatever ends us.
fn tie() -> Vec<OsString> {
    let helper = |folder: &Path| Some(folder.join("assize-sandbox")).filter(|path| path.is_file());
    let executable = env::current_exe().ok();
    // A test's executable lies in `deps`, one folder below the programs.
    let beside =
        executable.iter().flat_map(|executable| executable.ancestors().skip(1).take(2)).find_map(helper);
    if let Some(helper) = beside {
        return vec![helper.into(), "tie".into(), "--".into()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let setpriv = env::split_paths(&path).map(|folder| folder.join("setpriv")).find(|path| path.is_file());
    if let Some(setpriv) = setpriv {
        return vec![setpriv.into(), "--pdeathsig".into(), "TERM".into(), "--".into()];
    }
    tracing::warn!(
        "neither assize-sandbox nor setpriv is there: a crash of ours leaves nats-server running until the next start"
    );
    Vec::new()
}

fn stop(child: &mut Child, inbox: &mpsc::Receiver<Message>) -> String {
    let pid = Pid::from_raw(child.id().cast_signed());
    let _ = kill(pid, Signal::SIGTERM);
    let deadline = Instant::now() + STOP_DEADLINE;
    loop {
        match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Message::Exited) => break,
            // Asked twice is asked once.
            Ok(Message::Stop) => {}
            Err(_) => {
                tracing::warn!(nats.pid = pid.as_raw(), "nats-server did not stop in time and is killed");
                let _ = kill(pid, Signal::SIGKILL);
                break;
            }
        }
    }
    describe(child.wait())
}

fn describe(ended: io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => status.to_string(),
        },
        Err(error) => format!("unknown: {error}"),
    }
}

/// Stops servers that a crashed run left on these settings: two servers on one store both start, and ruin it.
///
/// They are recognised by the command line and not by a pid file, which can be lost, or name somebody else by
/// now. The caller holds the data directory, so none of them can belong to a run that is still alive.
pub(super) async fn stop_stale(conf: &Path) -> io::Result<usize> {
    let stale = running_on(conf)?;
    for &pid in &stale {
        tracing::warn!(nats.pid = pid, "stopping a nats-server that an earlier run left behind");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let deadline = Instant::now() + STOP_DEADLINE;
    loop {
        let left = running_on(conf)?;
        if left.is_empty() {
            return Ok(stale.len());
        }
        if Instant::now() > deadline + KILL_DEADLINE {
            return Err(io::Error::other(format!("process {left:?} does not end, although it was killed")));
        }
        if Instant::now() > deadline {
            for pid in left {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The processes whose arguments are `… -c CONF`.
fn running_on(conf: &Path) -> io::Result<Vec<i32>> {
    let wanted = conf.as_os_str().as_encoded_bytes();
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end while we look; a zombie has no arguments any more, and holds no store.
        let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let mut arguments = arguments.split(|&byte| byte == 0);
        if arguments.any(|argument| argument == b"-c") && arguments.next() == Some(wanted) {
            pids.push(pid);
        }
    }
    Ok(pids)
}
