//! The judge's side: starts a keeper, takes its slots, opens sessions in them and cancels what runs there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
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
use crate::wire::{self, Hello, Open, OpenFile, Welcome};
use crate::{HostFacts, Job, Policy, Profile, SandboxError, Session};

/// How long a keeper or a cell may take to get ready.
pub(crate) const READY_MAX: Duration = Duration::from_secs(60);

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
                let slots = controls.into_iter().map(Slot::new);
                let slots: Result<Vec<Slot>, SandboxError> = slots.collect();
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
    pub(crate) control: OwnedFd,
    pub(crate) cancel: Arc<EventFd>,
}

impl Slot {
    fn new(control: OwnedFd) -> Result<Slot, SandboxError> {
        // A semaphore, so that a cancellation of our own can be taken back without taking back another's.
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_SEMAPHORE;
        let cancel = EventFd::from_flags(flags).map_err(io::Error::from);
        Ok(Slot { control, cancel: Arc::new(channel("making the cancel descriptor", cancel)?) })
    }

    /// Prepares a confinement for the runs of `job`. For [`Profile::Build`] this only checks the job: each run gets a
    /// confinement of its own.
    pub fn open(&mut self, job: &Job) -> Result<Session<'_>, SandboxError> {
        check(job)?;
        // Forget a cancellation that was meant for the last session.
        while self.cancel.read().is_ok() {}
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
            directories: job.directories.clone(),
            needs: job.needs.clone(),
            argv: job.argv.clone(),
            env: job.env.clone(),
            warm: job.warm && job.profile == Profile::Run && program_is_of_host(job),
            tmpfs_bytes: 0,
            tmpfs_inodes: 0,
            again: false,
            waits: false,
        };
        let mut session = Session::new(self, open, files);
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

/// Whether the program cannot be of a guest's making.
fn program_is_of_host(job: &Job) -> bool {
    job.argv.first().is_some_and(|program| program.starts_with('/'))
}

/// Refuses a job that cannot be meant.
fn check(job: &Job) -> Result<(), SandboxError> {
    let refuse = |what: String| Err(SandboxError::InvalidJob(what));
    let Some(program) = job.argv.first() else {
        return refuse("there is no program".to_owned());
    };
    let mut names = job.files.iter().map(|file| &file.name).chain(&job.directories);
    if let Some(name) = names.find(|name| !is_plain(name)) {
        return refuse(format!("`{}` is not a plain relative path", name.escape_debug()));
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

pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Receives one answer within `patience`.
pub(crate) fn answer<M: bincode::Decode<()>>(
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
    let received = match wire::receive(socket.as_fd(), Key::NONE) {
        // The other side has closed without reading all that we sent. The kernel says so once, before it hands out
        // what was said last.
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

pub(crate) fn channel<T>(operation: &'static str, result: io::Result<T>) -> Result<T, SandboxError> {
    result.map_err(|source| SandboxError::Channel { operation, source })
}
