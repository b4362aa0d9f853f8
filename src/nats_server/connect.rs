//! One way to connect: who we are, what we demand of the server, and how events of the connection are told.

use std::{path::PathBuf, time::Duration};

use async_nats::{Client, ClientError, ConnectOptions, Event, ServerAddr, jetstream};

use super::{
    Role, Secret,
    binary::{VERSION_MIN, Version},
};

/// Every JetStream request is answered within this or counts as unknown. The default of the client lets an
/// ordered consumer stall for up to 30 s when a server goes away; with two seconds it resumes at once.
const JETSTREAM_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that does not even answer a connection in this time is as good as away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to connect and as whom.
#[derive(Clone, Debug)]
pub struct ConnectSettings {
    /// One URL or several with commas, of one cluster.
    pub urls: String,
    /// Which role's rights are used; decides the inbox prefix, which the server's permissions demand.
    pub role: Role,
    /// The JetStream domain under which the role finds the history; none is the account's own JetStream.
    pub domain: Option<String>,
    /// How we prove it.
    pub auth: Auth,
    /// A certificate authority to trust besides the system's, in PEM.
    pub ca: Option<PathBuf>,
    /// Our own certificate and key, in PEM, where the server asks for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Refuses to speak without TLS. A `tls://` URL demands that already.
    pub require_tls: bool,
    /// Whether an absent server is waited for: `false` reports it as an error, `true` gives a client at once
    /// whose requests time out until the server is there.
    pub retry_on_initial_connect: bool,
}

/// How a connection proves its role.
#[derive(Clone, Debug)]
pub enum Auth {
    /// As the URL says, `nats://user:password@host` or `nats://token@host`; not at all if it says nothing.
    Url,
    /// User and password, as the private server has them.
    Password {
        /// The user, named like the role.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A NATS credentials file.
    CredentialsFile(PathBuf),
}

impl ConnectSettings {
    /// Settings for `urls` with nothing special about them.
    pub fn new(urls: impl Into<String>, role: Role) -> ConnectSettings {
        ConnectSettings {
            urls: urls.into(),
            role,
            domain: None,
            auth: Auth::Url,
            ca: None,
            certificate: None,
            require_tls: false,
            retry_on_initial_connect: false,
        }
    }

    /// What requests to JetStream begin with, for those that the client library does not make itself.
    pub fn api_prefix(&self) -> String {
        match &self.domain {
            Some(domain) => format!("$JS.{domain}.API"),
            None => "$JS.API".to_owned(),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address makes no sense.
    #[error("{url:?} is not the address of a NATS server")]
    Url {
        /// The part that is wrong, without a password.
        url: String,
    },
    /// The credentials file cannot be used.
    #[error("cannot use the NATS credentials in {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers, or refuses us.
    #[error("cannot connect to NATS at {urls} as {role}")]
    Unreachable {
        /// Where we tried, without passwords.
        urls: String,
        /// As whom we tried.
        role: Role,
        /// What the client said.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server is too old.
    #[error(
        "nats-server {found} at {urls} is too old, at least {VERSION_MIN} is needed: older ones silently ignore \
         the conditions that appends rest on; upgrade it, or leave --nats away for a private one"
    )]
    TooOld {
        /// Where it is.
        urls: String,
        /// What it said of itself.
        found: String,
    },
}

impl ConnectError {
    /// Whether trying again may help: nobody answers yet, rather than that somebody refuses us.
    pub fn may_pass(&self) -> bool {
        use async_nats::ConnectErrorKind::{Dns, Io, TimedOut};
        matches!(self, Self::Unreachable { source, .. } if matches!(source.kind(), Dns | Io | TimedOut))
    }
}

/// Connects, and refuses a server that is too old. With `retry_on_initial_connect` the client comes back before
/// the connection does; a server that then proves too old is dropped and the log says why.
pub async fn connect(settings: &ConnectSettings) -> Result<Client, ConnectError> {
    let addresses = parse_urls(&settings.urls)?;
    let urls = addresses
        .iter()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .collect::<Vec<_>>()
        .join(",");
    let (connected, mut connections) = tokio::sync::mpsc::channel(1);
    let client = options(settings, &addresses, connected)?
        .connect(addresses.as_slice())
        .await
        .map_err(|source| ConnectError::Unreachable { urls: urls.clone(), role: settings.role, source })?;
    if client.server_info().version.is_empty() {
        tracing::info!(nats.role = %settings.role, nats.urls = urls, "waiting for NATS");
        // The clone is given up after the first look, so that dropping the others closes the connection.
        let waiting = client.clone();
        tokio::spawn(async move {
            while connections.recv().await.is_some() {
                // The event comes a moment before the client knows what it is connected to.
                let known = async {
                    while waiting.server_info().version.is_empty() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                if tokio::time::timeout(CONNECT_TIMEOUT, known).await.is_err() {
                    continue;
                }
                if let Err(error) = gate(&waiting.server_info().version, &urls) {
                    tracing::error!(%error, "refusing this NATS server");
                    let _ = waiting.drain().await;
                }
                break;
            }
        });
    } else {
        gate(&client.server_info().version, &urls)?;
    }
    Ok(client)
}

/// JetStream over a connection with these settings: in their domain, and with the time limit on every request
/// that the rest of the code counts on.
pub fn jetstream(client: &Client, settings: &ConnectSettings) -> jetstream::Context {
    jetstream::ContextBuilder::new()
        .timeout(JETSTREAM_TIMEOUT)
        .ack_timeout(JETSTREAM_TIMEOUT)
        .api_prefix(settings.api_prefix())
        .build(client.clone())
}

fn gate(version: &str, urls: &str) -> Result<(), ConnectError> {
    match version.parse::<Version>() {
        Ok(found) if found >= VERSION_MIN => Ok(()),
        _ => Err(ConnectError::TooOld { urls: urls.to_owned(), found: version.to_owned() }),
    }
}

fn parse_urls(urls: &str) -> Result<Vec<ServerAddr>, ConnectError> {
    let parse = |url: &str| {
        url.trim().parse::<ServerAddr>().map_err(|_| {
            // What stands before an @ may be a password.
            ConnectError::Url { url: url.trim().rsplit('@').next().unwrap_or_default().to_owned() }
        })
    };
    urls.split(',').map(parse).collect()
}

fn options(
    settings: &ConnectSettings,
    addresses: &[ServerAddr],
    connected: tokio::sync::mpsc::Sender<()>,
) -> Result<ConnectOptions, ConnectError> {
    let role = settings.role;
    let mut options = ConnectOptions::new()
        .name(format!("assize-{}", settings.role))
        .custom_inbox_prefix(settings.role.inbox_prefix())
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(JETSTREAM_TIMEOUT))
        .client_capacity(8192)
        // A restarted private server is back after some 30 ms; a second at most keeps a herd off a cluster.
        .reconnect_delay_callback(|attempts| {
            let ceiling_ms = 25_u64 << attempts.min(5);
            Duration::from_millis(rand::random_range(ceiling_ms / 2..=ceiling_ms))
        })
        .event_callback(move |event| {
            if matches!(event, Event::Connected) {
                let _ = connected.try_send(());
            }
            tell(role, &event);
            async {}
        });
    if settings.retry_on_initial_connect {
        options = options.retry_on_initial_connect();
    }
    options = match &settings.auth {
        // The client library itself overlooks what a URL says before its @.
        Auth::Url => match addresses
            .iter()
            .find_map(|address| Some((address.username()?, address.password())))
        {
            Some((user, Some(password))) => options.user_and_password(user.to_owned(), password.to_owned()),
            Some((token, None)) => options.token(token.to_owned()),
            None => options,
        },
        Auth::Password { user, password } => {
            options.user_and_password(user.clone(), password.reveal().to_owned())
        }
        Auth::CredentialsFile(path) => {
            let unusable = |source| ConnectError::Credentials { path: path.clone(), source };
            options.credentials(&std::fs::read_to_string(path).map_err(unusable)?).map_err(unusable)?
        }
    };
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((certificate, key)) = &settings.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options.require_tls(settings.require_tls || settings.ca.is_some()))
}

/// What happens to a connection, where an operator looks for it. Losing it is no error of ours: it comes back.
fn tell(role: Role, event: &Event) {
    match event {
        Event::Connected => tracing::info!(nats.role = %role, "connected to NATS"),
        Event::Disconnected => tracing::warn!(nats.role = %role, "lost the connection to NATS, reconnecting"),
        Event::LameDuckMode => tracing::info!(nats.role = %role, "the NATS server is about to stop"),
        Event::Draining | Event::Closed => tracing::debug!(nats.role = %role, event = %event, "closing"),
        Event::SlowConsumer(subscription) => {
            tracing::warn!(nats.role = %role, nats.subscription = subscription, "messages were dropped, the reader is too slow");
        }
        Event::ServerError(error) => tracing::error!(nats.role = %role, %error, "the NATS server complains"),
        // One for each attempt that fails while the server is away, which was told before.
        Event::ClientError(ClientError::Other(error)) => {
            tracing::debug!(nats.role = %role, error, "cannot connect to NATS, trying again");
        }
        Event::ClientError(error) => {
            tracing::warn!(nats.role = %role, %error, "trouble with the NATS connection")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_nameless_servers_are_refused() {
        assert!(gate("2.15.1", "here").is_ok());
        for refused in ["2.9.10", "2.12.0", "2.12.1-RC.1", "", "unknown"] {
            let refusal = gate(refused, "there:4222").unwrap_err().to_string();
            assert!(refusal.contains("there:4222") && refusal.contains("2.12.1"), "{refusal}");
        }
    }

    #[test]
    fn a_wrong_address_is_named_without_its_password() {
        let refusal = parse_urls("nats://one:4222,nats://user:hidden@ two").unwrap_err().to_string();
        assert!(refusal.contains("two") && !refusal.contains("hidden"), "{refusal}");
        assert_eq!(parse_urls("nats://one, tls://two:4223").unwrap().len(), 2);
    }
}
