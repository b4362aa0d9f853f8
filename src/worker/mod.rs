//! Workers: draw submissions from the queue, judge them in the sandbox, record what came of it.
//!
//! A worker has one slot per core. Each slot draws one claim at a time and keeps it alive while it works. The
//! parts: `launch` is the door to the sandbox, `compile` and `run` make and judge a program with it, `packages`
//! and `artifacts` are caches, `queues` is where claims come from, `judging` is the life of one claim.

mod answers;
pub mod artifacts;
pub mod build_cache;
pub mod compile;
pub mod graders;
mod judging;
mod last_words;
pub mod launch;
pub mod offers;
pub mod packages;
pub mod plan;
mod queues;
pub mod run;
pub mod scripts;
pub mod static_validation;
mod text;
pub mod trials;
pub mod validators;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::ids::{LanguageId, WorkerId};
use crate::domain::scoring::Mode;
use crate::error_chain::chain;
use crate::judge::Judge;
use crate::package_cache::PackageCache;
use crate::store::StoreError;
use crate::store::claims::{Claim, KEEP_ALIVE};
use crate::store::jetstream::JetStreamStore;
use crate::store::presence::{OfferedLanguage, WorkerStatus};

use artifacts::ArtifactCache;
use judging::Disposition;
use launch::{Launcher, SlotHandle};
use packages::JudgePackages;
use queues::Queues;

pub use offers::Offer;

/// How long a slot waits after the queue could not be asked.
const QUEUE_RETRY_DELAY: Duration = Duration::from_millis(500);
/// How long a worker goes on trying to record a result while the event store is away.
const STORE_PATIENCE: Duration = Duration::from_secs(60);
/// How long in-flight judgings may take to end when a worker stops.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long they may then take to be cancelled and handed back before the worker ends without them.
const HURRY_DEADLINE: Duration = Duration::from_secs(5);
/// How often a run is cancelled again: what is between two runs when it is cancelled does not hear it.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);
/// How long the last words to the server may take.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// A worker: everything that its slots share.
pub struct Worker {
    id: WorkerId,
    judge: Judge,
    store: JetStreamStore,
    offers: BTreeMap<LanguageId, Arc<Offer>>,
    /// Those of them whose self-test failed when they were needed.
    unfit: Mutex<BTreeSet<LanguageId>>,
    layers: Vec<String>,
    packages: JudgePackages,
    artifacts: ArtifactCache,
    mode: Mode,
    launcher: Launcher,
    busy: AtomicUsize,
    leftovers: TaskTracker,
}

impl Worker {
    /// A worker whose slots run in `launcher` and which keeps what it compiles below `cache`.
    pub fn new(
        id: WorkerId,
        store: &JetStreamStore,
        launcher: Launcher,
        offers: offers::Offers,
        packages: PackageCache,
        cache: &Path,
    ) -> Self {
        let store = store.with_patience(STORE_PATIENCE);
        Self {
            judge: Judge::new(Arc::new(store.clone()), format!("/assize/worker/{id}")),
            id,
            store,
            offers: offers.by_language,
            unfit: Mutex::default(),
            layers: offers.layers,
            packages: JudgePackages::new(packages),
            artifacts: ArtifactCache::new(cache.join("artifacts")),
            mode: Mode::Lazy,
            launcher,
            busy: AtomicUsize::new(0),
            leftovers: TaskTracker::new(),
        }
    }

    /// How much of each submission is run. By default what its result depends on.
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The worker's id.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// How many slots it has.
    pub fn slots(&self) -> usize {
        self.launcher.slots().len()
    }

    /// What it tells of itself, to those who ask which workers are here.
    pub fn status(&self, started_at: Timestamp) -> WorkerStatus {
        let classes: BTreeSet<&str> =
            self.offers.values().map(|offer| offer.language.routing_class.as_str()).collect();
        let unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fit = self.offers.iter().filter(|(language, _)| !unfit.contains(*language));
        let languages = fit.map(|(language, offer)| OfferedLanguage {
            language: language.clone(),
            toolchain: offer.toolchain.clone(),
        });
        WorkerStatus {
            worker: self.id.clone(),
            host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            slots: self.slots() as u32,
            busy_slots: self.busy.load(Ordering::Relaxed) as u32,
            routing_classes: classes.into_iter().filter_map(|class| class.parse().ok()).collect(),
            languages: languages.collect(),
            sandbox_layers: self.layers.clone(),
            started_at,
            stopping: false,
        }
    }

    /// Judges until `stop` is cancelled; then no more claims are drawn, in-flight judgings get ten seconds to end,
    /// and what has not ended by then is handed back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let hurry = CancellationToken::new();
        let mut slots = JoinSet::new();
        for slot in self.launcher.slots() {
            let (worker, slot) = (self.clone(), slot.clone());
            let (stop, hurry) = (stop.clone(), hurry.clone());
            slots.spawn(async move { worker.run_slot(&slot, &stop, &hurry).await });
        }
        stop.cancelled().await;
        let all = async { while slots.join_next().await.is_some() {} };
        tokio::pin!(all);
        if tokio::time::timeout(STOP_DEADLINE, &mut all).await.is_err() {
            tracing::info!("in-flight judgings are handed back");
            hurry.cancel();
            if tokio::time::timeout(HURRY_DEADLINE, &mut all).await.is_err() {
                tracing::warn!("in-flight judgings did not end and are left to lapse");
            }
        }
        self.leftovers.close();
        self.leftovers.wait().await;
        // What was handed back is only in the client's buffer so far, and the process is about to end.
        match tokio::time::timeout(FLUSH_DEADLINE, self.store.client().flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "the last words were not sent"),
            Err(_) => tracing::warn!("the last words were not sent: the server is away"),
        }
    }

    async fn run_slot(&self, slot: &SlotHandle, stop: &CancellationToken, hurry: &CancellationToken) {
        let mut queues: Option<Queues> = None;
        while !stop.is_cancelled() {
            // A pull would wait in the client and reach the server when nobody waits for its answer any more.
            if !self.store.is_connected() {
                pause(stop).await;
                continue;
            }
            let drawn = match &queues {
                Some(queues) => queues.draw().await,
                None => match self.open_queues().await {
                    Ok(opened) => {
                        queues = Some(opened);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match drawn {
                Ok(Some(claim)) if stop.is_cancelled() => claim.hand_back(Duration::ZERO).await,
                Ok(Some(claim)) => {
                    self.busy.fetch_add(1, Ordering::Relaxed);
                    self.keep_claim(&claim, slot, hurry).await;
                    self.busy.fetch_sub(1, Ordering::Relaxed);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the queue could not be asked");
                    queues = None;
                    pause(stop).await;
                }
            }
        }
    }

    /// The queues of the classes of all offered languages.
    async fn open_queues(&self) -> Result<Queues, StoreError> {
        let mut classes: Vec<&str> =
            self.offers.values().map(|offer| offer.language.routing_class.as_str()).collect();
        classes.sort_unstable();
        classes.dedup();
        Queues::open(&self.store, &classes, &self.leftovers).await
    }

    /// Judges a claim while keeping it alive, and settles it.
    async fn keep_claim(&self, claim: &Claim, slot: &SlotHandle, hurry: &CancellationToken) {
        let judging = self.judge(claim, slot, hurry);
        tokio::pin!(judging);
        let mut ticks = tokio::time::interval(KEEP_ALIVE);
        ticks.tick().await;
        let mut cancels = tokio::time::interval(CANCEL_INTERVAL);
        cancels.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let disposition = loop {
            let cancel = async {
                hurry.cancelled().await;
                cancels.tick().await;
            };
            tokio::select! {
                disposition = &mut judging => break disposition,
                _ = ticks.tick() => claim.keep_alive().await,
                () = cancel => slot.cancel(),
            }
        };
        match disposition {
            Disposition::Done => claim.done().await,
            Disposition::Fenced => {}
            Disposition::GiveUp => claim.give_up().await,
            Disposition::HandBack(delay) => claim.hand_back(delay).await,
        }
    }
}

/// Waits before the queues are asked again.
async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(QUEUE_RETRY_DELAY) => {}
    }
}
