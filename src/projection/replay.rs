//! The history folded again: for the benchmark, for a look at the past, and for the proof that the live model is
//! what the events say.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::domain::ids::Sha256Digest;
use crate::store::jetstream::JetStreamStore;
use crate::store::{StoreError, StoredEvent};

use super::folder::ModelFolder;
use super::model::{Model, ModelError};

/// How many events one sled batch takes while nobody reads: rows that change often are written less often.
const REPLAY_BATCH: usize = 4_000;

/// A replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The history cannot be read, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The read model cannot be written or read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The history broke off: the program is stopping.
    #[error("the history broke off after sequence {after}")]
    BrokenOff {
        /// The last sequence that came.
        after: u64,
    },
    /// The read model is of another history.
    #[error(
        "the read model is of another history: it ends at sequence {model}, and the history at {history}"
    )]
    OtherHistory {
        /// Where the model ends.
        model: u64,
        /// Where the history ends.
        history: u64,
    },
    /// Another replay runs.
    #[error("another replay is running")]
    Busy,
}

impl ReplayError {
    /// Whether the history itself is damaged, as opposed to not being reachable.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Store(StoreError::Gap { .. } | StoreError::Damaged { .. }))
    }
}

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayStats {
    /// How many events were folded.
    pub events: u64,
    /// The sequence of the last one.
    pub sequence: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl ReplayStats {
    /// How many events were folded in a second.
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The sequence at which both models were compared.
    pub sequence: u64,
    /// Digest of the model in use.
    pub digest: Sha256Digest,
    /// Digest of the model built for the comparison.
    pub rebuilt_digest: Sha256Digest,
    /// The first difference in words; none where they are equal byte for byte.
    pub difference: Option<String>,
    /// How the comparison's model was built.
    pub rebuilt: ReplayStats,
}

impl Verification {
    /// Whether the models are equal byte for byte.
    pub fn is_equal(&self) -> bool {
        self.difference.is_none()
    }
}

/// Where a look at the past stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After this sequence.
    Sequence(u64),
    /// Before the first event that was recorded after this time.
    Time(Timestamp),
}

/// Folds the whole history into an empty model in `folder`, which must not exist or be empty.
pub async fn fold_all(store: &JetStreamStore, folder: &Path) -> Result<(Model, ReplayStats), ReplayError> {
    let last = store.last_sequence().await?;
    build_until(store, folder, Until::Sequence(last)).await
}

/// Folds the history up to a point into an empty model in `folder`, which must not exist or be empty.
pub async fn build_until(
    store: &JetStreamStore,
    folder: &Path,
    until: Until,
) -> Result<(Model, ReplayStats), ReplayError> {
    let folder = folder.to_owned();
    let model = Arc::new(blocking(move || Ok(Model::open(&folder)?)).await?);
    let stats = advance(store, &model, until).await?;
    // The fold has ended and with it the other holder.
    let model = Arc::into_inner(model).ok_or(ReplayError::BrokenOff { after: stats.sequence })?;
    Ok((model, stats))
}

/// Builds the model of a data directory anew while nobody has it open, and makes it the one to open next time.
/// Also returns the digest of its keys and values.
pub async fn rebuild_offline(
    store: &JetStreamStore,
    data: &Path,
) -> Result<(ReplayStats, Sha256Digest), ReplayError> {
    let folder = ModelFolder::of(data)?;
    let (current, fresh) = {
        let folder = folder.clone();
        // Opening the current one holds its lock, so that nobody starts to use it meanwhile.
        blocking(move || Ok((folder.open_current()?, folder.create()?))).await?
    };
    let fresh = Arc::new(fresh);
    let last = store.last_sequence().await?;
    let stats = advance(store, &fresh, Until::Sequence(last)).await?;
    let digest = blocking(move || {
        folder.make_current(&fresh)?;
        current.remove_when_closed();
        Ok(fresh.digest()?)
    })
    .await?;
    Ok((stats, digest))
}

/// Compares the model of a data directory, brought up to date, with one built for the purpose, while nobody has it
/// open.
pub async fn verify_offline(store: &JetStreamStore, data: &Path) -> Result<Verification, ReplayError> {
    let folder = ModelFolder::of(data)?;
    let (current, scratch) = {
        let folder = folder.clone();
        blocking(move || Ok((folder.open_current()?, folder.create()?))).await?
    };
    scratch.remove_when_closed();
    let (current, scratch) = (Arc::new(current), Arc::new(scratch));
    let last = store.last_sequence().await?;
    if current.sequence() > last {
        return Err(ReplayError::OtherHistory { model: current.sequence(), history: last });
    }
    advance(store, &current, Until::Sequence(last)).await?;
    let rebuilt = advance(store, &scratch, Until::Sequence(current.sequence())).await?;
    blocking(move || compare(&current, &scratch, rebuilt)).await
}

/// Compares two models at the same sequence. Neither may change meanwhile.
pub(super) fn compare(
    current: &Model,
    scratch: &Model,
    rebuilt: ReplayStats,
) -> Result<Verification, ReplayError> {
    Ok(Verification {
        sequence: current.sequence(),
        digest: current.digest()?,
        rebuilt_digest: scratch.digest()?,
        difference: current.first_difference(scratch)?,
        rebuilt,
    })
}

/// Folds what follows on a model's own sequence, up to a point.
pub(super) async fn advance(
    store: &JetStreamStore,
    model: &Arc<Model>,
    until: Until,
) -> Result<ReplayStats, ReplayError> {
    let started = Instant::now();
    let from = model.sequence();
    let stop_at = match until {
        Until::Sequence(sequence) => sequence,
        // A later event than the last one now is later than any time that can be asked for.
        Until::Time(_) => store.last_sequence().await?,
    };
    let mut history = store.follow(from + 1);
    let model = model.clone();
    blocking(move || {
        let mut done = model.sequence() >= stop_at;
        while !done {
            let Some(batch) = history.blocking_recv() else {
                return Err(ReplayError::BrokenOff { after: model.sequence() });
            };
            let mut batch = batch?;
            while batch.len() < REPLAY_BATCH
                && let Ok(more) = history.try_recv()
            {
                batch.extend(more?);
            }
            let wanted = batch.iter().position(|event| is_after(event, until, stop_at));
            if let Some(wanted) = wanted {
                batch.truncate(wanted);
                done = true;
            }
            model.apply(&batch)?;
            done |= model.sequence() >= stop_at;
        }
        drop(history);
        let sequence = model.sequence();
        Ok(ReplayStats { events: sequence - from, sequence, elapsed: started.elapsed() })
    })
    .await
}

fn is_after(event: &StoredEvent, until: Until, stop_at: u64) -> bool {
    match until {
        Until::Sequence(_) => event.recorded.sequence > stop_at,
        Until::Time(time) => event.recorded.sequence > stop_at || event.recorded.envelope.time > time,
    }
}

/// Runs what blocks on a thread of its own; sled and the fold do.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReplayError> + Send + 'static,
) -> Result<T, ReplayError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_cancelled) => Err(ReplayError::BrokenOff { after: 0 }),
    }
}
