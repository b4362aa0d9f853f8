//! Workers: draw submissions from the queue, judge them in the sandbox, record what came of it.
//!
//! A worker has one slot per core. Each slot draws one claim at a time and keeps it alive while it works. The
//! parts: `launch` is the door to the sandbox, `compile` and `run` make and judge a program with it, `packages`
//! and `artifacts` are caches, `judging` is the life of one claim.

pub mod artifacts;
pub mod compile;
mod judging;
pub mod launch;
pub mod offers;
pub mod packages;
pub mod run;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{LanguageId, WorkerId};
use crate::error_chain::chain;
use crate::judge::Judge;
use crate::store::StoreError;
use crate::store::claims::{Claim, Claims, KEEP_ALIVE};
use crate::store::jetstream::JetStreamStore;
use crate::store::presence::{OfferedLanguage, WorkerStatus};
use crate::streams;

use artifacts::ArtifactCache;
use judging::Disposition;
use launch::{Launcher, SlotHandle};
use packages::PackageCache;

pub use offers::Offer;

/// How long a slot waits for a claim before it looks at the next queue.
const PULL_WAIT: Duration = Duration::from_secs(1);
/// How long a slot waits after the queue could not be asked.
const QUEUE_RETRY_DELAY: Duration = Duration::from_millis(500);
/// How long a worker goes on trying to record a result while the event store is away.
const STORE_PATIENCE: Duration = Duration::from_secs(60);
/// How long in-flight judgings may take to end when a worker stops.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A worker: everything that its slots share.
pub struct Worker {
    id: WorkerId,
    judge: Judge,
    store: JetStreamStore,
    offers: BTreeMap<LanguageId, Arc<Offer>>,
    layers: Vec<String>,
    packages: PackageCache,
    artifacts: ArtifactCache,
    launcher: Launcher,
    busy: AtomicUsize,
}

impl Worker {
    /// A worker whose slots run in `launcher` and which keeps its caches below `cache`.
    pub fn new(
        id: WorkerId,
        store: &JetStreamStore,
        launcher: Launcher,
        offers: offers::Offers,
        cache: &Path,
    ) -> Self {
        let store = store.with_patience(STORE_PATIENCE);
        Self {
            judge: Judge::new(Arc::new(store.clone()), format!("/assize/worker/{id}")),
            id,
            store,
            offers: offers.by_language,
            layers: offers.layers,
            packages: PackageCache::new(cache.join("packages")),
            artifacts: ArtifactCache::new(cache.join("artifacts")),
            launcher,
            busy: AtomicUsize::new(0),
        }
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
        let languages = self.offers.iter().map(|(language, offer)| OfferedLanguage {
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
            all.await;
        }
    }

    async fn run_slot(&self, slot: &SlotHandle, stop: &CancellationToken, hurry: &CancellationToken) {
        let mut queues: Option<Vec<Claims>> = None;
        while !stop.is_cancelled() {
            let drawn = match &queues {
                Some(queues) => draw(queues).await,
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
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(QUEUE_RETRY_DELAY) => {}
                    }
                }
            }
        }
    }

    /// The queues of the classes of all offered languages, the most urgent first.
    async fn open_queues(&self) -> Result<Vec<Claims>, StoreError> {
        let mut classes: Vec<&str> =
            self.offers.values().map(|offer| offer.language.routing_class.as_str()).collect();
        classes.sort_unstable();
        classes.dedup();
        let names: Vec<[String; 2]> = classes.into_iter().map(streams::consumers_of).collect();
        let mut queues = Vec::new();
        for lane in 0..2 {
            for consumers in &names {
                queues.push(Claims::open(&self.store, &consumers[lane]).await?);
            }
        }
        Ok(queues)
    }

    /// Judges a claim while keeping it alive, and settles it.
    async fn keep_claim(&self, claim: &Claim, slot: &SlotHandle, hurry: &CancellationToken) {
        let judging = self.judge(claim.submission, slot);
        tokio::pin!(judging);
        let mut ticks = tokio::time::interval(KEEP_ALIVE);
        ticks.tick().await;
        let mut hurried = false;
        let disposition = loop {
            tokio::select! {
                disposition = &mut judging => break disposition,
                _ = ticks.tick() => claim.keep_alive().await,
                () = hurry.cancelled(), if !hurried => {
                    hurried = true;
                    slot.cancel();
                }
            }
        };
        match disposition {
            Disposition::Done => claim.done().await,
            Disposition::Fenced => {}
            Disposition::HandBack(delay) => claim.hand_back(delay).await,
        }
    }
}

/// One claim from the first queue that has one.
async fn draw(queues: &[Claims]) -> Result<Option<Claim>, StoreError> {
    for queue in queues {
        if let Some(claim) = queue.next(PULL_WAIT).await? {
            return Ok(Some(claim));
        }
    }
    Ok(None)
}
