//! The private nats-server: found, checked, started on our own `nats.conf`, supervised, stopped in order.
//!
//! [`NatsServer::start`] gives a running server with credentials of its own per [`Role`]; [`connect()`] is the one
//! way to any server, private or not. Streams and consumers are not made here (`streams`), and nothing here
//! knows what is stored.

mod binary;
mod config;
mod connect;
mod supervise;

use std::{fmt, fs, io, path::Path, path::PathBuf, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::data_dir::{DataDir, nats_folder};

pub use self::{
    binary::{Binary, BinaryError, NotAVersion, VERSION_MIN, Version, find, probe},
    config::{FolderError, Secret},
    connect::{Auth, ConnectError, ConnectSettings, connect, jetstream},
    supervise::Status,
};

use self::{
    config::{Folder, is_free},
    supervise::{Plan, Supervisor},
};

/// A server that recovers a large history needs its time; one that is broken has ended long before.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How often another port is tried at a first start before we give up.
const PORT_ATTEMPTS: usize = 5;

/// Who speaks to the server. Each role has a user and its own rights in `nats.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Creates and verifies streams and consumers, imports a history.
    Admin,
    /// Appends submissions, problems and rejudges; reads everything; follows the history for the projection.
    Api,
    /// Takes judgings and appends what came of them; cannot submit.
    Worker,
    /// Reads; can append nothing.
    Subscriber,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Api, Role::Worker, Role::Subscriber];

    /// The role's user, as `nats.conf` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Api => "api",
            Role::Worker => "worker",
            Role::Subscriber => "subscriber",
        }
    }

    /// The JetStream domain under which `nats.conf` lets the role reach the history, if the role does not live in
    /// the history's own account.
    pub fn domain(self) -> Option<&'static str> {
        match self {
            Role::Admin | Role::Api => None,
            Role::Worker | Role::Subscriber => Some("ASSIZE"),
        }
    }

    /// Where answers to the role arrive; no role may listen to another's.
    pub fn inbox_prefix(self) -> String {
        format!("_INBOX_{}", self.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the private server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server to run; without one, [`find`] looks for it.
    pub binary: Option<PathBuf>,
    /// Whether a crashed server is started again. Tests that crash it on purpose decide for themselves.
    pub restart: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { binary: None, restart: true }
    }
}

/// Why the private server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is none that can be used.
    #[error("no usable nats-server")]
    Binary(#[source] BinaryError),
    /// Its folder cannot be prepared.
    #[error("cannot prepare the private nats-server")]
    Folder(#[source] FolderError),
    /// A server of an earlier run is in the way, or threads cannot be started.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended at once.
    #[error("nats-server ended at once ({cause}); it said: {said}")]
    Ended {
        /// How it ended.
        cause: String,
        /// The end of its log.
        said: String,
    },
    /// It runs and does not answer as it should.
    #[error("nats-server did not become ready within {} s; its log is {}", READY_DEADLINE.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
        /// The last attempt to connect.
        #[source]
        source: ConnectError,
    },
}

/// A private server that runs until this is stopped or dropped, or we die.
#[derive(Debug)]
pub struct NatsServer {
    supervisor: Supervisor,
    folder: Folder,
    binary: Binary,
    port: u16,
    passwords: Vec<(Role, Secret)>,
}

impl NatsServer {
    /// Starts the server of this data directory and returns when it accepts clients. `data` must stay locked for
    /// as long as the server runs: nats-server itself does not keep a second one from the same store.
    pub async fn start(data: &DataDir, options: Options) -> Result<NatsServer, StartError> {
        let binary = match &options.binary {
            Some(path) => probe(path),
            None => find(),
        };
        let binary = binary.map_err(StartError::Binary)?;
        let folder = Folder::at(data.nats());
        folder.create().map_err(StartError::Folder)?;
        supervise::stop_stale(&folder.conf()).await.map_err(|source| StartError::System {
            doing: "stop the nats-server of an earlier run",
            source,
        })?;
        let passwords = Role::ALL.iter().map(|&role| Ok((role, folder.password_or_new(role)?)));
        let passwords = passwords.collect::<Result<Vec<_>, _>>().map_err(StartError::Folder)?;
        let kept = folder.port().map_err(StartError::Folder)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let port = match kept {
                // Somebody else may have taken it since; nobody of ours is connected yet, so another will do.
                Some(port) if attempts == 1 && is_free(port) => port,
                _ => folder.choose_port().map_err(StartError::Folder)?,
            };
            folder.write_conf(port, &passwords).map_err(StartError::Folder)?;
            let plan = Plan {
                binary: binary.path.clone(),
                conf: folder.conf(),
                startup_log: folder.startup_log(),
                restart: options.restart,
            };
            let supervisor = Supervisor::start(plan)
                .map_err(|source| StartError::System { doing: "start a thread", source })?;
            let server = NatsServer {
                supervisor,
                folder: folder.clone(),
                binary: binary.clone(),
                port,
                passwords: passwords.clone(),
            };
            match server.ready().await {
                Ok(()) => return Ok(server),
                Err(StartError::Ended { said, .. })
                    if said.contains("address already in use") && attempts < PORT_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server that runs.
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// The password of a role's user, which is named like the role.
    pub fn credentials(&self, role: Role) -> Secret {
        let found = self.passwords.iter().find(|(of, _)| *of == role);
        // Every role has one; an empty password would be refused by the server.
        found.map_or_else(|| Secret::new(""), |(_, password)| password.clone())
    }

    /// How to connect to it in a role.
    pub fn connect_settings(&self, role: Role) -> ConnectSettings {
        private_settings(self.port, role, self.credentials(role))
    }

    /// What it is doing, now and as it changes: a crash, the restart, the end.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.supervisor.status().clone()
    }

    /// Its process, while it has one.
    pub fn pid(&self) -> Option<u32> {
        match *self.supervisor.status().borrow() {
            Status::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.folder.log()
    }

    /// Ends it in order: a termination signal, ten seconds, and only then a kill. Returns how it ended.
    pub async fn stop(self) -> String {
        self.supervisor.ask_to_stop();
        let mut status = self.status();
        let stopped = status.wait_for(|status| matches!(status, Status::Stopped { .. })).await;
        match stopped.as_deref() {
            Ok(Status::Stopped { cause }) => cause.clone(),
            _ => "unknown".to_owned(),
        }
    }

    /// Waits for a real client's connection: a bare TCP probe would be logged as a broken client.
    async fn ready(&self) -> Result<(), StartError> {
        let settings = self.connect_settings(Role::Api);
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            let error = match connect(&settings).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if let Status::Down { cause, .. } | Status::Stopped { cause } =
                &*self.supervisor.status().borrow()
            {
                return Err(StartError::Ended { cause: cause.clone(), said: self.last_words() });
            }
            if Instant::now() > deadline {
                return Err(StartError::NotReady { log: self.log(), source: error });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn last_words(&self) -> String {
        let tail = |path: &Path| {
            let text =
                fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines = text.lines().rev().take(5).map(str::to_owned).collect::<Vec<_>>();
            lines.into_iter().rev().collect::<Vec<_>>()
        };
        // Refused settings never reach the log, and a log may still hold an earlier run's last words.
        let first = tail(&self.folder.startup_log());
        let words = if first.is_empty() { tail(&self.folder.log()) } else { first };
        words.join(" | ")
    }
}

/// How to connect to the private server that another process of ours runs on this data directory; nothing if
/// none was ever started there.
pub fn settings_of(data_root: &Path, role: Role) -> Result<Option<ConnectSettings>, FolderError> {
    let folder = Folder::at(nats_folder(data_root));
    let (port, password) = (folder.port()?, folder.password(role)?);
    Ok(port.zip(password).map(|(port, password)| private_settings(port, role, password)))
}

fn private_settings(port: u16, role: Role, password: Secret) -> ConnectSettings {
    ConnectSettings {
        domain: role.domain().map(str::to_owned),
        auth: Auth::Password { user: role.as_str().to_owned(), password },
        ..ConnectSettings::new(format!("nats://127.0.0.1:{port}"), role)
    }
}
