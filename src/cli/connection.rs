//! Where the NATS server is and how a command proves who it is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::data_dir::{DataDir, DataDirError};
use crate::error_chain::chain;
use crate::nats_server::{self, Auth, ConnectError, ConnectSettings, NatsServer, Options, Role};
use crate::store::jetstream::JetStreamStore;

use super::Unreachable;

/// An existing NATS server or cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct NatsArgs {
    /// An existing NATS server or cluster: one URL or several with commas, `tls://` for TLS.
    #[arg(long, value_name = "URL", env = "ASSIZE_NATS")]
    nats: Option<String>,
    /// The credentials file to show there.
    #[arg(long, value_name = "FILE", env = "ASSIZE_NATS_CREDS", requires = "nats")]
    nats_creds: Option<PathBuf>,
    /// A certificate authority to trust there, in PEM.
    #[arg(long, value_name = "FILE", env = "ASSIZE_NATS_CA", requires = "nats")]
    nats_ca: Option<PathBuf>,
    /// Our certificate to show there, in PEM.
    #[arg(long, value_name = "FILE", env = "ASSIZE_NATS_CERT", requires = "nats_key")]
    nats_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", env = "ASSIZE_NATS_KEY", requires = "nats_cert")]
    nats_key: Option<PathBuf>,
    /// The JetStream domain in which the history is found there, where the account needs one.
    #[arg(long, value_name = "NAME", env = "ASSIZE_NATS_DOMAIN", requires = "nats")]
    nats_domain: Option<String>,
}

impl NatsArgs {
    /// Whether an existing server was named.
    pub(crate) fn is_given(&self) -> bool {
        self.nats.is_some()
    }

    /// How to connect to the named server, if one was named.
    pub(crate) fn external(&self, role: Role) -> Option<ConnectSettings> {
        let urls = self.nats.as_ref()?;
        let mut settings = ConnectSettings::new(urls, role);
        if let Some(credentials) = &self.nats_creds {
            settings.auth = Auth::CredentialsFile(credentials.clone());
        }
        settings.ca = self.nats_ca.clone();
        settings.certificate = self.nats_cert.clone().zip(self.nats_key.clone());
        settings.domain = self.nats_domain.clone();
        Some(settings)
    }

    /// How to connect: to the named server, else to the private one of the data directory.
    pub(crate) fn settings(&self, data: &Path, role: Role) -> anyhow::Result<ConnectSettings> {
        if let Some(settings) = self.external(role) {
            return Ok(settings);
        }
        nats_server::settings_of(data, role)?.ok_or_else(|| {
            let data = data.display();
            Unreachable(format!(
                "{data} has no private nats-server: start one with `assize up`, or name a server with --nats"
            ))
            .into()
        })
    }
}

/// How many copies of the history there are to be.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ReplicasArgs {
    /// How many copies of the history the cluster keeps where it is created, and has at least where it exists.
    #[arg(long, value_name = "N", env = "ASSIZE_REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: u8,
}

/// How long a role that starts waits for the server.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const START_INTERVAL: Duration = Duration::from_millis(200);

/// Connects for a role that starts, possibly before its server does. One that refuses us is not waited for.
pub(crate) async fn connect_at_start(
    settings: &ConnectSettings,
    patience: Duration,
) -> Result<JetStreamStore, ConnectError> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut told = false;
    loop {
        match JetStreamStore::connect(settings, patience).await {
            Err(error) if error.may_pass() && Instant::now() < deadline => {
                if !told {
                    tracing::warn!(error = chain(&error), "waiting for NATS");
                    told = true;
                }
                tokio::time::sleep(START_INTERVAL).await;
            }
            connected => return connected,
        }
    }
}

/// How long a command goes on trying to get an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The event store, as a command reached it: at a running server, or at one that the command started for itself.
pub(crate) struct Reached {
    pub(crate) store: JetStreamStore,
    // Dropped in this order: the server first, then its lock.
    server: Option<NatsServer>,
    _data: Option<DataDir>,
}

impl Reached {
    /// The named server, or the private one of the data directory, which must be running.
    pub(crate) async fn running(data: &Path, nats: &NatsArgs, role: Role) -> anyhow::Result<Self> {
        let store = JetStreamStore::connect(&nats.settings(data, role)?, PATIENCE).await?;
        Ok(Self { store, server: None, _data: None })
    }

    /// As [`Reached::running`]; a private server that is not running is started while it is needed.
    pub(crate) async fn existing(data: &Path, nats: &NatsArgs, role: Role) -> anyhow::Result<Self> {
        if !nats.is_given() && nats_server::settings_of(data, role)?.is_none() {
            // Says that there is none.
            nats.settings(data, role)?;
        }
        Self::existing_or_new(data, nats, role).await
    }

    /// As [`Reached::existing`], on a data directory that may be new.
    pub(crate) async fn existing_or_new(data: &Path, nats: &NatsArgs, role: Role) -> anyhow::Result<Self> {
        if nats.is_given() {
            return Self::running(data, nats, role).await;
        }
        let data_dir = match DataDir::lock(data) {
            Ok(data_dir) => data_dir,
            Err(DataDirError::Held { .. }) => return Self::running(data, nats, role).await,
            Err(error) => return Err(error.into()),
        };
        let server = NatsServer::start(&data_dir, Options::default()).await?;
        let store = JetStreamStore::connect(&server.connect_settings(role), PATIENCE).await?;
        Ok(Self { store, server: Some(server), _data: Some(data_dir) })
    }

    /// Stops the server that was started for the command.
    pub(crate) async fn leave(self) {
        if let Some(server) = self.server {
            // Nobody is to reconnect to what goes away.
            let _ = self.store.client().drain().await;
            server.stop().await;
        }
    }
}
