//! The read model: follows the history into sled and answers from there. The only module with sled and bincode.
//!
//! The history is the truth and this can be deleted at any time. `fold` says what an event does to the `rows`,
//! `model` holds them, `folder` says which model is current, `replay` folds again. A damaged history stops the
//! projection and is reported; nothing is ever skipped. What the rows look like to a client is for `api`.

mod encoding;
mod fold;
mod folder;
mod model;
mod replay;
pub mod rows;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::store::jetstream::JetStreamStore;
use crate::store::{StoreError, StoredEvent};

use folder::ModelFolder;
use replay::{blocking, compare};

pub use encoding::Time;
pub use model::{Filter, Model, ModelError, Page, View};
pub use replay::{
    ReplayError, ReplayStats, Until, Verification, build_until, fold_all, rebuild_offline, verify_offline,
};

/// How many applied events a slow subscriber may be behind before it has to read the history again.
const SUBSCRIPTION_EVENTS: usize = 8_192;
/// How far a rebuilt model may be behind when the live one is held still for the swap.
const SWAP_LAG_EVENTS: u64 = 4_000;
/// How long a failed connection or a stopped history is waited for, and a model that failed for the first time.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// The longest wait for a model that fails again and again, as on a disk that stays full.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);
/// How long stopping waits for the follower to end its batch.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// The live read model. Clones share it.
#[derive(Clone)]
pub struct Projection {
    shared: Arc<Shared>,
}

struct Shared {
    store: JetStreamStore,
    folder: ModelFolder,
    live: ArcSwap<Model>,
    /// Held while the live model advances, and while another one takes its place.
    advancing: Mutex<()>,
    position: watch::Sender<u64>,
    applied: broadcast::Sender<Arc<StoredEvent>>,
    state: watch::Sender<State>,
    replaying: tokio::sync::Mutex<()>,
    stop: CancellationToken,
}

/// What the projection is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// The last sequence when it started, once that is known.
    target: Option<u64>,
    failure: Option<String>,
}

/// How the projection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The sequence up to which it has applied the history.
    pub position: u64,
    /// Whether it has passed the last sequence that there was when it started.
    pub caught_up: bool,
    /// Why it does not follow the history: that is damaged, or the disk has failed, which is tried again.
    pub failure: Option<String>,
}

/// Why a follower ended.
enum End {
    /// The program stops, or another model has taken this one's place.
    Done,
    /// The model ends with an event that the history does not have there.
    OtherHistory,
}

impl Projection {
    /// Opens the read model of a data directory, or begins an empty one, and follows the history from there on.
    /// Returns at once, also while the server cannot be reached.
    pub async fn start(store: JetStreamStore, data: &Path) -> Result<Self, ModelError> {
        let data = data.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let folder = ModelFolder::of(&data)?;
            let model = folder.open_current()?;
            folder.tidy(&model)?;
            Ok::<_, ModelError>((folder, model))
        });
        let (folder, model) = match opened.await {
            Ok(opened) => opened?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let shared = Arc::new(Shared {
            store,
            folder,
            position: watch::Sender::new(model.sequence()),
            live: ArcSwap::from_pointee(model),
            advancing: Mutex::new(()),
            applied: broadcast::Sender::new(SUBSCRIPTION_EVENTS),
            state: watch::Sender::new(State::default()),
            replaying: tokio::sync::Mutex::new(()),
            stop: CancellationToken::new(),
        });
        tokio::spawn(supervise(shared.clone()));
        Ok(Self { shared })
    }

    /// Stops following and closes the model, provided that no clone of the handle is left.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        let deadline = Instant::now() + STOP_DEADLINE;
        while Arc::strong_count(&self.shared) > 1 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let shared = self.shared;
        if let Err(error) = blocking(move || Ok(shared.live.load_full().flush()?)).await {
            tracing::warn!(
                error = in_words(&error),
                "the read model was not flushed and will be folded again"
            );
        }
    }

    /// Looks at the live model as it is at one sequence. Keep it short: no event is applied meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&View<'_>) -> Result<T, ModelError>) -> Result<T, ModelError> {
        look(&self.shared.live.load().view())
    }

    /// The same on a thread that may block, for what reads many rows.
    pub async fn scan<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> Result<T, ModelError> + Send + 'static,
    ) -> Result<T, ModelError> {
        let model = self.shared.live.load_full();
        match tokio::task::spawn_blocking(move || look(&model.view())).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The sequence up to which the history is applied.
    pub fn position(&self) -> u64 {
        *self.shared.position.borrow()
    }

    /// Waits until the history is applied up to `sequence`; false if that takes longer than `timeout`.
    pub async fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        let mut position = self.shared.position.subscribe();
        let passed = position.wait_for(|position| *position >= sequence);
        matches!(tokio::time::timeout(timeout, passed).await, Ok(Ok(_)))
    }

    /// Whether the last sequence that there was at start has been passed.
    pub fn caught_up(&self) -> bool {
        self.health().caught_up
    }

    /// How it is.
    pub fn health(&self) -> Health {
        let state = self.shared.state.borrow().clone();
        let position = self.position();
        let caught_up = state.failure.is_none() && state.target.is_some_and(|target| position >= target);
        Health { position, caught_up, failure: state.failure }
    }

    /// Every event that is applied from now on. One that falls too far behind has to read the history again.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<StoredEvent>> {
        self.shared.applied.subscribe()
    }

    /// Builds the model anew from the first event beside the live one, which goes on answering, and puts it in its
    /// place when it has caught up.
    pub async fn rebuild(&self) -> Result<ReplayStats, ReplayError> {
        let stats = self.shared.renew().await?;
        // Whoever follows for the old model ends when it sees that another has taken its place.
        tokio::spawn(supervise(self.shared.clone()));
        Ok(stats)
    }

    /// Compares the live model byte for byte with one built for the purpose at the same sequence. The live one
    /// answers all the while; it takes no events in during the comparison.
    pub async fn verify(&self) -> Result<Verification, ReplayError> {
        let _one_at_a_time = self.shared.replaying.try_lock().map_err(|_| ReplayError::Busy)?;
        let started = Instant::now();
        let shared = self.shared.clone();
        let scratch = Arc::new(blocking(move || Ok(shared.folder.create()?)).await?);
        scratch.remove_when_closed();
        self.shared.catch_up_with_live(&scratch).await?;
        let history = self.shared.store.follow(scratch.sequence() + 1);
        let shared = self.shared.clone();
        blocking(move || {
            let _still = shared.advancing.lock().unwrap_or_else(PoisonError::into_inner);
            let live = shared.live.load_full();
            drop(shared.advance_to(&scratch, live.sequence(), history)?);
            let sequence = scratch.sequence();
            let rebuilt = ReplayStats { events: sequence, sequence, elapsed: started.elapsed() };
            compare(&live, &scratch, rebuilt)
        })
        .await
    }
}

type History = mpsc::Receiver<Result<Vec<StoredEvent>, StoreError>>;

impl Shared {
    /// Builds a model from the first event beside the live one and puts it in its place when it has caught up.
    async fn renew(self: &Arc<Self>) -> Result<ReplayStats, ReplayError> {
        let _one_at_a_time = self.replaying.try_lock().map_err(|_| ReplayError::Busy)?;
        let started = Instant::now();
        let shared = self.clone();
        let fresh = Arc::new(blocking(move || Ok(shared.folder.create()?)).await?);
        let (shared, model) = (self.clone(), fresh.clone());
        let swapped = async {
            self.catch_up_with_live(&model).await?;
            let history = self.store.follow(model.sequence() + 1);
            blocking(move || shared.swap_in(&model, history)).await
        };
        if let Err(error) = swapped.await {
            fresh.remove_when_closed();
            return Err(error);
        }
        let sequence = fresh.sequence();
        Ok(ReplayStats { events: sequence, sequence, elapsed: started.elapsed() })
    }

    /// Brings a model close to the live one, which goes on meanwhile.
    async fn catch_up_with_live(&self, model: &Arc<Model>) -> Result<(), ReplayError> {
        loop {
            let position = *self.position.borrow();
            if position.saturating_sub(model.sequence()) <= SWAP_LAG_EVENTS {
                return Ok(());
            }
            replay::advance(&self.store, model, Until::Sequence(position)).await?;
        }
    }

    /// Puts a model in the place of the live one, at a moment when both are at the same sequence.
    fn swap_in(&self, fresh: &Arc<Model>, history: History) -> Result<(), ReplayError> {
        let _still = self.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        drop(self.advance_to(fresh, old.sequence(), history)?);
        self.folder.make_current(fresh)?;
        self.live.store(fresh.clone());
        self.publish_position(fresh.sequence());
        self.state.send_modify(|state| state.failure = None);
        old.remove_when_closed();
        Ok(())
    }

    /// Advances a model that is not live to exactly `sequence`, or a little beyond where the batches are cut so.
    fn advance_to(&self, model: &Model, sequence: u64, mut history: History) -> Result<History, ReplayError> {
        while model.sequence() < sequence {
            let Some(batch) = history.blocking_recv() else {
                return Err(ReplayError::BrokenOff { after: model.sequence() });
            };
            let batch = batch?;
            let wanted = batch.partition_point(|event| event.recorded.sequence <= sequence);
            model.apply(&batch[..wanted])?;
            if wanted < batch.len() {
                // The rest comes again from a follower of its own.
                history = self.store.follow(sequence + 1);
            }
        }
        Ok(history)
    }

    fn publish_position(&self, sequence: u64) {
        self.position.send_if_modified(|position| {
            let advanced = sequence > *position;
            *position = sequence.max(*position);
            advanced
        });
    }

    fn fail(&self, error: &ReplayError) {
        let failure = in_words(error);
        tracing::error!(failure, "the projection does not follow the history");
        self.state.send_modify(|state| state.failure = Some(failure));
    }
}

/// Finds out where the history ends, then follows it from where the model ends; begins an empty model where the
/// two do not belong together, and a new one beside one that failed, which answers meanwhile.
async fn supervise(shared: Arc<Shared>) {
    let mut delay = RETRY_DELAY;
    let mut failed_at = None;
    loop {
        let last = tokio::select! {
            () = shared.stop.cancelled() => return,
            last = last_sequence(&shared.store) => last,
        };
        shared.state.send_modify(|state| {
            state.target.get_or_insert(last);
        });
        let model = shared.live.load_full();
        let (follower, followed_model) = (shared.clone(), model.clone());
        let followed = if model.sequence() > last {
            Ok(End::OtherHistory)
        } else {
            // From the model's own last event on, to see whether it is the same there.
            let history = shared.store.follow(model.sequence().max(1));
            let (sender, ended) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let end = follow(&follower, followed_model, history);
                drop(follower);
                // Nobody listens any more where the runtime is shutting down.
                let _ = sender.send(end);
            });
            ended.await.unwrap_or(Ok(End::Done))
        };
        let mut failure = match followed {
            Ok(End::Done) => return,
            Ok(End::OtherHistory) => {
                tracing::warn!("the read model is of another history and is built anew");
                begin_anew(&shared).await.err()
            }
            Err(error) => Some(error),
        };
        if failed_at.is_some_and(|sequence| model.sequence() > sequence) {
            delay = RETRY_DELAY;
        }
        while let Some(error) = failure {
            shared.fail(&error);
            // No other try brings back what is damaged; the model is as good as its history.
            if error.is_damage() {
                return;
            }
            failed_at = Some(model.sequence());
            tokio::select! {
                () = shared.stop.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
            delay = (delay * 2).min(RETRY_DELAY_MAX);
            if !Arc::ptr_eq(&shared.live.load(), &model) {
                // Built anew by somebody who asked for it, and followed by them.
                return;
            }
            // sled never recovers from an error by itself, so a new model is built, whatever it was.
            failure = shared.renew().await.err();
        }
    }
}

async fn last_sequence(store: &JetStreamStore) -> u64 {
    loop {
        match store.last_sequence().await {
            Ok(last) => return last,
            Err(error) => {
                tracing::debug!(%error, "the history cannot be reached");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Puts an empty model in the place of the live one.
async fn begin_anew(shared: &Arc<Shared>) -> Result<(), ReplayError> {
    let shared = shared.clone();
    blocking(move || {
        let _still = shared.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Arc::new(shared.folder.create()?);
        shared.folder.make_current(&fresh)?;
        let old = shared.live.swap(fresh);
        old.remove_when_closed();
        shared.state.send_replace(State::default());
        // The one move backwards: what was shown came from a history that is no longer there.
        shared.position.send_replace(0);
        Ok(())
    })
    .await
}

/// Applies the history to a model as it comes, as long as the model is the live one.
fn follow(shared: &Shared, model: Arc<Model>, mut history: History) -> Result<End, ReplayError> {
    let mut known = Some(model.sequence()).filter(|sequence| *sequence > 0);
    loop {
        let received = async {
            tokio::select! {
                () = shared.stop.cancelled() => None,
                batch = history.recv() => batch,
            }
        };
        let Some(batch) = futures::executor::block_on(received) else { return Ok(End::Done) };
        let batch = batch?;
        let _still = shared.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&shared.live.load(), &model) {
            return Ok(End::Done);
        }
        if let Some(sequence) = known.take()
            && let Some(first) = batch.first().filter(|first| first.recorded.sequence == sequence)
            && model.last_event()?.as_deref() != Some(first.recorded.envelope.id.as_str())
        {
            return Ok(End::OtherHistory);
        }
        let from = model.sequence();
        model.apply(&batch)?;
        shared.publish_position(model.sequence());
        if shared.applied.receiver_count() > 0 {
            for event in batch.into_iter().filter(|event| event.recorded.sequence > from) {
                // The last receiver may have gone this moment, and then nobody misses it.
                let _ = shared.applied.send(Arc::new(event));
            }
        }
    }
}

/// An error with its causes.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
