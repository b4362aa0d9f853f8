//! A real nats-server for one test, on our own `nats.conf`: own port, own folder, gone with the value.

use std::path::Path;

use assize::{
    data_dir::DataDir,
    nats_server::{self, ConnectSettings, NatsServer, Options, Role, Secret, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// A server that nothing restarts but the test. Dropping it ends the server and removes the folder.
pub(crate) struct TestNats {
    // Dropped in this order: the server first, its lock, its folder.
    server: Option<NatsServer>,
    data: DataDir,
    _folder: TempDir,
}

impl TestNats {
    /// Starts a server with an empty history.
    pub(crate) async fn start() -> TestNats {
        let folder = tempfile::Builder::new().prefix("assize-it-").tempdir().unwrap();
        let data = DataDir::lock(folder.path().join("data")).unwrap();
        let server = Some(start_on(&data).await);
        TestNats { server, data, _folder: folder }
    }

    /// Kills the server as a crash would, and returns when it is dead.
    pub(crate) async fn kill9(&mut self) {
        let server = self.server.take().expect("the server was killed before");
        crash(&server);
        let mut status = server.status();
        status.wait_for(|status| matches!(status, Status::Stopped { .. })).await.unwrap();
    }

    /// Starts the server again on the same port, history and credentials; stops it in order if it still runs.
    pub(crate) async fn restart(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.server = Some(start_on(&self.data).await);
    }

    /// The running server.
    pub(crate) fn server(&self) -> &NatsServer {
        self.server.as_ref().expect("the server was killed")
    }

    /// Where it listens, or listened before it was killed.
    pub(crate) fn url(&self) -> String {
        self.settings(Role::Subscriber).urls
    }

    /// A role's password; the user is named like the role.
    pub(crate) fn password(&self, role: Role) -> Secret {
        self.server().credentials(role)
    }

    /// How a role connects; valid while the server is down, too.
    pub(crate) fn settings(&self, role: Role) -> ConnectSettings {
        nats_server::settings_of(self.root(), role).unwrap().expect("the server was started")
    }

    /// A connection in a role.
    pub(crate) async fn client(&self, role: Role) -> async_nats::Client {
        nats_server::connect(&self.settings(role)).await.unwrap()
    }

    /// JetStream in a role.
    pub(crate) async fn jetstream(&self, role: Role) -> async_nats::jetstream::Context {
        nats_server::jetstream(&self.client(role).await, &self.settings(role))
    }

    /// The data directory.
    pub(crate) fn root(&self) -> &Path {
        self.data.root()
    }
}

/// Kills a server with no chance to tidy up.
pub(crate) fn crash(server: &NatsServer) {
    let pid = server.pid().expect("the server runs");
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
}

async fn start_on(data: &DataDir) -> NatsServer {
    NatsServer::start(data, Options { restart: false, ..Options::default() }).await.unwrap()
}
