//! The one use case: load an aggregate, fold it, decide, append; with a bounded retry where others were faster.
//!
//! Keeps the two layers of failure apart: the domain said no (`Refusal`), or the store failed (`StoreError`).

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::event::{Envelope, Event, ProblemPublished, Recorded, SubmissionCreated};
use crate::domain::ids::{ProblemId, Sha256Digest, SubmissionId};
use crate::domain::problem::{self, Publish};
use crate::domain::submission::{self, Command, Refusal, Submission};
use crate::store::{Address, Aggregate, AppendError, EventStore, StoreError};

/// How often a command is decided anew because somebody else wrote first.
const MAX_CONFLICTS: usize = 8;

/// Why a command did not lead to events.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another revision is current than the one that was to be followed.
    #[error("the problem is at revision {current}, and not at {expected} as was expected")]
    Revision {
        /// The revision that was to be current; 0 for none.
        expected: u32,
        /// The one that is; 0 for none.
        current: u32,
    },
    /// Others wrote to the aggregate each time before we could.
    #[error("the aggregate is written to by others all the time")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries commands to the history in the name of one part of the program.
#[derive(Clone)]
pub struct Judge {
    store: Arc<dyn EventStore>,
    source: String,
}

/// A submission as it stood at a sequence of the history.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The submission.
    pub submission: Submission,
    /// The sequence of its last event.
    pub tail: u64,
    /// The id of its last event.
    pub last_id: String,
}

impl Judge {
    /// A judge that signs its events with `source`, for example `/assize/api`.
    pub fn new(store: Arc<dyn EventStore>, source: impl Into<String>) -> Self {
        Self { store, source: source.into() }
    }

    /// The store that it appends to.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Records a submission; returns it as stored and the sequence of its `SubmissionCreated`. A retry of the same
    /// request returns the first one's.
    pub async fn submit(
        &self,
        created: SubmissionCreated,
        now: Timestamp,
        traceparent: Option<String>,
    ) -> Result<(SubmissionCreated, u64), JudgeError> {
        let address = Address::of_submission(&created);
        let envelope = Envelope { traceparent, ..self.envelope(created.clone().into(), now, None) };
        match self.store.append(&address, 0, &envelope).await {
            Ok(sequence) => Ok((created, sequence)),
            Err(AppendError::Store(error)) => Err(error.into()),
            Err(AppendError::Conflict { .. }) => {
                let history = self.store.load(&address.aggregate).await?;
                let stored = fold(&history);
                submission::decide(stored.as_ref(), Command::Submit(created))?;
                match (stored, history.first()) {
                    (Some(stored), Some(first)) => Ok((stored.created, first.sequence)),
                    _ => Err(JudgeError::Contended),
                }
            }
        }
    }

    /// A submission as it was made and the sequence of its first event, straight from the history.
    pub async fn submitted(&self, id: SubmissionId) -> Result<Option<(SubmissionCreated, u64)>, StoreError> {
        let history = self.store.load(&Aggregate::Submission(id)).await?;
        Ok(fold(&history)
            .zip(history.first())
            .map(|(submission, first)| (submission.created, first.sequence)))
    }

    /// Publishes a package revision; returns it as stored and the sequence of its event, or of the event that had
    /// published the same before.
    pub async fn publish(
        &self,
        published: ProblemPublished,
        now: Timestamp,
    ) -> Result<(ProblemPublished, u64), JudgeError> {
        self.publish_after(None, published, now).await
    }

    /// The same where the revision `expected` (0 for none) must be current, if one is given.
    pub async fn publish_after(
        &self,
        expected: Option<u32>,
        published: ProblemPublished,
        now: Timestamp,
    ) -> Result<(ProblemPublished, u64), JudgeError> {
        let address = Address::of_problem(&published.problem);
        for _ in 0..MAX_CONFLICTS {
            let history = self.store.load(&address.aggregate).await?;
            let tail = history.last().map_or(0, |last| last.sequence);
            let state = fold_problem(&history);
            let current = state.as_ref().map_or(0, |state| state.current.revision);
            if let Some(expected) = expected.filter(|expected| *expected != current) {
                return Err(JudgeError::Revision { expected, current });
            }
            let Some(event) = problem::decide(state.as_ref(), Publish(published.clone())).pop() else {
                let current = state.map_or(published, |state| state.current);
                return Ok((current, tail));
            };
            let envelope = self.envelope(event.clone(), now, None);
            match (self.store.append(&address, tail, &envelope).await, event) {
                (Ok(sequence), Event::ProblemPublished(published)) => return Ok((published, sequence)),
                (Ok(_) | Err(AppendError::Conflict { .. }), _) => {}
                (Err(AppendError::Store(error)), _) => return Err(error.into()),
            }
        }
        Err(JudgeError::Contended)
    }

    /// The current revision of a problem, straight from the history.
    pub async fn problem(&self, problem: &ProblemId) -> Result<Option<ProblemPublished>, StoreError> {
        let history = self.store.load(&Aggregate::Problem(problem.clone())).await?;
        Ok(fold_problem(&history).map(|state| state.current))
    }

    /// All revisions of a problem in order, straight from the history.
    pub async fn revisions(&self, problem: &ProblemId) -> Result<Vec<ProblemPublished>, StoreError> {
        let history = self.store.load(&Aggregate::Problem(problem.clone())).await?;
        let published = history.into_iter().filter_map(|recorded| match recorded.envelope.event {
            Event::ProblemPublished(published) => Some(published),
            _ => None,
        });
        Ok(published.collect())
    }

    /// The revision of a problem whose package has this digest, straight from the history.
    pub async fn revision(
        &self,
        problem: &ProblemId,
        package: Sha256Digest,
    ) -> Result<Option<ProblemPublished>, StoreError> {
        let history = self.store.load(&Aggregate::Problem(problem.clone())).await?;
        Ok(history.into_iter().rev().find_map(|recorded| match recorded.envelope.event {
            Event::ProblemPublished(published) if published.package == package => Some(published),
            _ => None,
        }))
    }

    /// A submission as it stands, straight from the history.
    pub async fn load(&self, id: SubmissionId) -> Result<Option<Loaded>, StoreError> {
        let history = self.store.load(&Aggregate::Submission(id)).await?;
        let last = history.last().map(|last| (last.sequence, last.envelope.id.clone()));
        Ok(fold(&history).zip(last).map(|(submission, (tail, last_id))| Loaded { submission, tail, last_id }))
    }

    /// Decides a command on a loaded submission and appends what it leads to, once: a conflict means that the
    /// caller's claim is gone, and is returned as `Refusal::Superseded` would be, for the caller to stop.
    pub async fn apply(
        &self,
        loaded: &mut Loaded,
        command: Command,
        now: Timestamp,
    ) -> Result<Vec<Event>, AppliedError> {
        let events = submission::decide(Some(&loaded.submission), command)?;
        let address = Address::of_submission(&loaded.submission.created);
        let mut envelopes: Vec<Envelope> = Vec::with_capacity(events.len());
        for event in events {
            let cause = envelopes.last().map_or(&loaded.last_id, |before| &before.id).clone();
            envelopes.push(self.envelope(event, now, Some(cause)));
        }
        let tail = match self.store.append_all(&address, loaded.tail, &envelopes).await {
            Ok(tail) => tail,
            Err(AppendError::Conflict { .. }) => return Err(AppliedError::Fenced),
            Err(AppendError::Store(error)) => return Err(AppliedError::Store(error)),
        };
        if let Some(last) = envelopes.last() {
            loaded.tail = tail;
            loaded.last_id.clone_from(&last.id);
        }
        let events: Vec<Event> = envelopes.into_iter().map(|envelope| envelope.event).collect();
        for event in &events {
            loaded.submission.absorb(event);
        }
        Ok(events)
    }

    fn envelope(&self, event: Event, time: Timestamp, causation: Option<String>) -> Envelope {
        Envelope { id: event.id(), time, source: self.source.clone(), causation, traceparent: None, event }
    }
}

/// Why a worker's command did not lead to events.
#[derive(Debug, thiserror::Error)]
pub enum AppliedError {
    /// Somebody else has written to the submission: the claim is lost.
    #[error("another worker has taken the judging over")]
    Fenced,
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A submission from its events.
pub fn fold(history: &[Recorded]) -> Option<Submission> {
    history.iter().fold(None, |state, recorded| submission::evolve(state, &recorded.envelope.event))
}

fn fold_problem(history: &[Recorded]) -> Option<problem::Problem> {
    history.iter().fold(None, |state, recorded| problem::evolve(state, &recorded.envelope.event))
}
