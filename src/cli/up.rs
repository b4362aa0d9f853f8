//! `assize up`, `serve` and `worker`: starts the roles in order, waits for a signal, stops them in order.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Acknowledged, DetailBodies, State};
use crate::data_dir::DataDir;
use crate::domain::ids::WorkerId;
use crate::domain::scoring::Mode;
use crate::error_chain::chain;
use crate::judge::Judge;
use crate::languages::Languages;
use crate::nats_server::{ConnectSettings, NatsServer, Options, Role, Status};
use crate::package_cache::{BYTES_MAX_DEFAULT, PackageCache};
use crate::problems;
use crate::projection::Projection;
use crate::publish::{PublishError, Publisher, Verify, Wish};
use crate::store::presence::{self, Directory};
use crate::streams;
use crate::worker::launch::Launcher;
use crate::worker::{Worker, offers};

use super::connection::{NatsArgs, ReplicasArgs, START_PATIENCE, connect_at_start};
use super::{DataArgs, Exit};

/// How long the API goes on trying to record something before it answers 503.
const API_PATIENCE: Duration = Duration::from_secs(5);
/// How long starting waits for the read model before it serves anyway.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(10);

/// Arguments of `assize up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    host: HostArgs,
}

/// Arguments of `assize serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    host: HostArgs,
}

/// Arguments of `assize worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    host: HostArgs,
}

/// How the API is offered.
#[derive(Debug, Args)]
struct ApiArgs {
    /// The address of the API; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "ASSIZE_LISTEN", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// Accept an address that others can reach, although the API does not ask who they are.
    #[arg(long)]
    listen_without_keys: bool,
    /// A folder of problem packages to publish; by default `problems` in the current folder, if there is one.
    #[arg(long, value_name = "DIR", env = "ASSIZE_PROBLEMS")]
    problems: Option<PathBuf>,
    #[command(flatten)]
    replicas: ReplicasArgs,
}

/// How workers judge.
#[derive(Debug, Args)]
struct WorkArgs {
    /// How many submissions are judged at once; by default one per core.
    #[arg(long, value_name = "N", env = "ASSIZE_SLOTS")]
    slots: Option<NonZeroUsize>,
    /// The worker's name, unique among the workers of the site; by default the host's name and a number.
    #[arg(long, value_name = "NAME", env = "ASSIZE_WORKER")]
    worker: Option<WorkerId>,
    /// Run every testcase of every submission. By default only those are run that the result depends on; it is the
    /// same either way.
    #[arg(long, env = "ASSIZE_RUN_ALL")]
    run_all: bool,
}

/// What the API and workers know and keep alike on a host.
#[derive(Debug, Args)]
struct HostArgs {
    /// A folder of language files that add to the built-in ones or replace them.
    #[arg(long, value_name = "DIR", env = "ASSIZE_LANGUAGES")]
    languages: Option<PathBuf>,
    /// How much of the disk the cache of problem packages may take, in MiB; what is in use is never removed.
    #[arg(long, value_name = "MIB", env = "ASSIZE_PACKAGE_CACHE_MIB", default_value_t = BYTES_MAX_DEFAULT >> 20, value_parser = clap::value_parser!(u64).range(1..1 << 30))]
    package_cache_mib: u64,
}

impl HostArgs {
    fn host(&self) -> anyhow::Result<Host> {
        let languages = match &self.languages {
            Some(folder) => Languages::load(folder)?,
            None => Languages::embedded()?,
        };
        Ok(Host { languages, package_cache_bytes: self.package_cache_mib << 20 })
    }
}

/// What both know and keep.
struct Host {
    languages: Languages,
    package_cache_bytes: u64,
}

impl Host {
    /// The same cache for both in one data directory.
    fn package_cache(&self, data: &Path) -> PackageCache {
        PackageCache::new(data.join("cache").join("packages"), self.package_cache_bytes)
    }
}

impl WorkArgs {
    fn slots(&self) -> usize {
        let cores = std::thread::available_parallelism();
        self.slots.or(cores.ok()).map_or(1, NonZeroUsize::get)
    }

    fn mode(&self) -> Mode {
        if self.run_all { Mode::All } else { Mode::Lazy }
    }

    fn id(&self) -> anyhow::Result<WorkerId> {
        if let Some(id) = &self.worker {
            return Ok(id.clone());
        }
        let host = nix::unistd::gethostname().unwrap_or_default();
        let host: String = host
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(24)
            .collect();
        Ok(format!("{host}-{}", std::process::id()).trim_start_matches('-').parse()?)
    }
}

pub(crate) async fn up(args: UpArgs) -> anyhow::Result<Exit> {
    let listener = bind(&args.api)?;
    let data = DataDir::lock(args.data.root()?)?;
    let host = args.host.host()?;
    let signals = Signals::listen()?;
    let start_server = async {
        Ok(match args.nats.is_given() {
            true => None,
            false => Some(NatsServer::start(&data, Options::default()).await?),
        })
    };
    let Some(server) = signals.unless_first(start_server).await? else { return Ok(Exit::Done) };
    let settings = |role| match &server {
        Some(server) => Ok(server.connect_settings(role)),
        // All roles in one process are one user there, who must be allowed what all of them do.
        None => args.nats.settings(data.root(), Role::Admin),
    };
    if let Some(server) = &server {
        tokio::spawn(report_restarts(server.status()));
    }
    let start_roles = async {
        prepare_streams(&settings(Role::Admin)?, args.api.replicas).await?;
        let api = start_api(&args.api, listener, data.root(), &settings(Role::Api)?, &host).await?;
        let worker = start_worker(&args.work, data.root(), settings(Role::Worker)?, &host).await?;
        Ok((api, worker))
    };
    if let Some((api, worker)) = signals.unless_first(start_roles).await? {
        println!("assize is ready at http://{}", api.address);
        signals.first().await;
        // Before all else: what would still be drawn could hardly be finished.
        worker.stop.cancel();
        api.stop().await;
        worker.stop().await;
    }
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(Exit::Done)
}

pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<Exit> {
    let listener = bind(&args.api)?;
    let data = DataDir::lock(args.data.root()?)?;
    let settings = args.nats.settings(data.root(), Role::Api)?;
    let host = args.host.host()?;
    let signals = Signals::listen()?;
    let start = async {
        prepare_streams(&settings, args.api.replicas).await?;
        start_api(&args.api, listener, data.root(), &settings, &host).await
    };
    if let Some(api) = signals.unless_first(start).await? {
        println!("assize is ready at http://{}", api.address);
        signals.first().await;
        api.stop().await;
    }
    Ok(Exit::Done)
}

pub(crate) async fn worker(args: WorkerArgs) -> anyhow::Result<Exit> {
    let root = args.data.root()?;
    let host = args.host.host()?;
    let signals = Signals::listen()?;
    let settings = args.nats.settings(&root, Role::Worker)?;
    let start = start_worker(&args.work, &root, settings, &host);
    if let Some(worker) = signals.unless_first(start).await? {
        println!("assize worker {} is ready with {} slots", worker.worker.id(), worker.worker.slots());
        signals.first().await;
        worker.stop().await;
    }
    Ok(Exit::Done)
}

/// Takes the address first of all, so that a port in use is told before anything else is started.
fn bind(args: &ApiArgs) -> anyhow::Result<TcpListener> {
    if !args.listen.ip().is_loopback() && !args.listen_without_keys {
        bail!(
            "{} can be reached by others, and the API does not ask who they are: put a gateway before \
             127.0.0.1, or say --listen-without-keys",
            args.listen
        );
    }
    let listener = TcpListener::bind(args.listen).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "{} is in use by another program; choose another address with --listen",
            args.listen
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {}", args.listen)),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn prepare_streams(settings: &ConnectSettings, replicas: ReplicasArgs) -> anyhow::Result<()> {
    let store = connect_at_start(settings, START_PATIENCE).await?;
    streams::create_or_verify(&store, replicas.replicas).await.context("the event store is not as it must be")
}

struct RunningApi {
    address: SocketAddr,
    state: Arc<State>,
    done: JoinHandle<std::io::Result<()>>,
}

impl RunningApi {
    /// Stops accepting, lets open requests end, then the projection.
    async fn stop(self) {
        self.state.stopping.cancel();
        match self.done.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = chain(&error), "the API ended badly"),
            Err(error) => tracing::error!(error = chain(&error), "the API ended badly"),
        }
        // The projection is closed when nobody else has it.
        let projection = self.state.projection.clone();
        drop(self.state);
        projection.stop().await;
    }
}

async fn start_api(
    args: &ApiArgs,
    listener: TcpListener,
    data: &Path,
    settings: &ConnectSettings,
    host: &Host,
) -> anyhow::Result<RunningApi> {
    let store = connect_at_start(settings, API_PATIENCE).await?;
    let projection = Projection::start(store.clone(), data).await?;
    let judge = Judge::new(Arc::new(store.clone()), "/assize/api");
    let publisher = Publisher::new(store.clone(), judge.clone(), host.languages.clone());
    let beside = Some(PathBuf::from("problems")).filter(|folder| folder.is_dir());
    if let Some(folder) = args.problems.clone().or(beside) {
        publish_all(&publisher, &folder).await?;
    }
    let directory = Directory::start(store.client()).await?;
    let state = Arc::new(State {
        publisher,
        packages: host.package_cache(data),
        judge,
        projection,
        languages: host.languages.clone(),
        directory,
        bodies: DetailBodies::default(),
        stopping: CancellationToken::new(),
        acknowledged: Acknowledged::default(),
        store,
    });
    // A read model that is behind would answer with what was true before the last stop.
    let last = state.store.last_sequence().await?;
    if !state.projection.wait_for(last, CATCH_UP_DEADLINE).await {
        tracing::warn!("the read model is still catching up; /readyz says when it is ready");
    }
    super::control::listen(data, state.projection.clone(), state.stopping.clone());
    let (address, done) = api::serve(listener, state.clone())?;
    Ok(RunningApi { address, state, done })
}

struct RunningWorker {
    worker: Arc<Worker>,
    stop: CancellationToken,
    done: JoinHandle<()>,
}

impl RunningWorker {
    async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.done.await {
            tracing::error!(error = chain(&error), "the worker ended badly");
        }
    }
}

async fn start_worker(
    args: &WorkArgs,
    data: &Path,
    settings: ConnectSettings,
    host: &Host,
) -> anyhow::Result<RunningWorker> {
    let slots = args.slots();
    let launcher = tokio::task::spawn_blocking(move || Launcher::start(slots)).await??;
    launcher.keep_builds(&data.join("cache/builds"));
    let offers = offers::find(&host.languages, launcher.slots()).await;
    if offers.by_language.is_empty() {
        let reasons: Vec<String> =
            offers.absent.iter().map(|(language, reason)| format!("{language}: {reason}")).collect();
        bail!("no language works on this host ({}); `assize doctor` says more", reasons.join("; "));
    }
    let store = connect_at_start(&settings, START_PATIENCE).await?;
    let cache = data.join("cache");
    let packages = host.package_cache(data);
    let worker = Worker::new(args.id()?, &store, launcher, offers, packages, &cache);
    let worker = Arc::new(worker.with_mode(args.mode()));
    let stop = CancellationToken::new();
    let announced = worker.clone();
    let started_at = Timestamp::now();
    let client = store.client().clone();
    tokio::spawn(presence::announce(client, move || announced.status(started_at), stop.clone()));
    let done = tokio::spawn(worker.clone().run(stop.clone()));
    Ok(RunningWorker { worker, stop, done })
}

/// All roles in this process, on a data directory of their own: for measurements.
pub(crate) struct Roles {
    server: NatsServer,
    data: PathBuf,
    host: Host,
    address: SocketAddr,
    api: Option<RunningApi>,
    worker: Option<RunningWorker>,
}

impl Roles {
    /// Starts the server and the API with the problems of a folder.
    pub(crate) async fn start(data: &DataDir, problems: &Path) -> anyhow::Result<Self> {
        let args = ApiArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_without_keys: false,
            problems: Some(problems.to_owned()),
            replicas: ReplicasArgs { replicas: 1 },
        };
        let listener = bind(&args)?;
        let host = Host { languages: Languages::embedded()?, package_cache_bytes: BYTES_MAX_DEFAULT };
        let server = NatsServer::start(data, Options::default()).await?;
        prepare_streams(&server.connect_settings(Role::Admin), args.replicas).await?;
        let settings = server.connect_settings(Role::Api);
        let api = start_api(&args, listener, data.root(), &settings, &host).await?;
        let (data, address) = (data.root().to_owned(), api.address);
        Ok(Self { server, data, host, address, api: Some(api), worker: None })
    }

    /// Starts a worker with a slot per core, unless one runs; returns how many slots it has.
    pub(crate) async fn work(&mut self) -> anyhow::Result<usize> {
        let args = WorkArgs { slots: None, worker: None, run_all: false };
        if self.worker.is_none() {
            let settings = self.server.connect_settings(Role::Worker);
            self.worker = Some(start_worker(&args, &self.data, settings, &self.host).await?);
        }
        Ok(args.slots())
    }

    /// The API's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How to connect to the server.
    pub(crate) fn settings(&self, role: Role) -> ConnectSettings {
        self.server.connect_settings(role)
    }

    /// Stops the worker.
    pub(crate) async fn rest_workers(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    /// Stops the API and the worker.
    pub(crate) async fn rest(&mut self) {
        if let Some(worker) = &self.worker {
            worker.stop.cancel();
        }
        if let Some(api) = self.api.take() {
            api.stop().await;
        }
        self.rest_workers().await;
    }

    /// Stops everything.
    pub(crate) async fn stop(mut self) {
        self.rest().await;
        self.server.stop().await;
    }
}

/// Publishes every package below `folder`. A broken one is told and left out; the others are published, those without a
/// time limit with the one that follows from their jury's submissions.
async fn publish_all(publisher: &Publisher, folder: &Path) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder of problems {}", folder.display()))?;
    let mut packages: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    packages
        .retain(|path| path.join("problem.yaml").is_file() || path.is_file() && problems::is_archive(path));
    packages.sort();
    for package in packages {
        let wish = |verify| Wish { verify, ..Wish::default() };
        let mut done = publisher.publish(&package, &wish(Verify::ForTimeLimit), Timestamp::now()).await;
        if let Err(error @ PublishError::CannotConfine(_)) = &done {
            let error = chain(error);
            tracing::warn!(package = %package.display(), error, "its time limit cannot be derived here");
            done = publisher.publish(&package, &wish(Verify::Never), Timestamp::now()).await;
        }
        match done {
            Ok(published) => tracing::info!(
                problem.id = %published.revision.problem,
                revision = published.revision.revision,
                "published"
            ),
            Err(error @ PublishError::Store(_)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(package = %package.display(), error = chain(&error), "not published");
            }
        }
    }
    Ok(())
}

async fn report_restarts(mut status: tokio::sync::watch::Receiver<Status>) {
    while status.changed().await.is_ok() {
        tracing::info!(status = ?*status.borrow_and_update(), "nats-server");
    }
}

/// The signals that end the program: the first in order, the second at once.
struct Signals {
    first: CancellationToken,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let first = CancellationToken::new();
        let told = first.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if told.is_cancelled() {
                    tracing::warn!("second signal: ending at once");
                    std::process::exit(130);
                }
                tracing::info!("stopping; a second signal ends at once");
                told.cancel();
            }
        });
        Ok(Self { first })
    }

    async fn first(&self) {
        self.first.cancelled().await;
    }

    /// What was started, or none where a signal came before it had: starting can take long, and whoever asks for
    /// the end meanwhile does not want to wait for it.
    async fn unless_first<T>(
        &self,
        start: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        tokio::select! {
            biased;
            () = self.first() => Ok(None),
            started = start => started.map(Some),
        }
    }
}
