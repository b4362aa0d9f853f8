//! Which workers there are: each announces itself on a core subject of its own, and whoever asks keeps the latest
//! announcements. Lossy on purpose: this informs people and decides nothing that is recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{LanguageId, RoutingClass, WorkerId};

use super::subject::WORKER_PREFIX;

/// How often a worker announces itself.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(5);
/// How long a worker counts as there after its last announcement.
pub const EXPIRE_AFTER: Duration = Duration::from_secs(15);

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id.
    pub worker: WorkerId,
    /// The host that it runs on.
    pub host: String,
    /// How many submissions it judges at once.
    pub slots: u32,
    /// How many of its slots are judging.
    pub busy_slots: u32,
    /// The classes that it draws submissions of.
    pub routing_classes: Vec<RoutingClass>,
    /// The languages that it offers.
    pub languages: Vec<OfferedLanguage>,
    /// The confinement layers that its sandbox enforces.
    pub sandbox_layers: Vec<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether it draws no more submissions and is about to end.
    #[serde(default)]
    pub stopping: bool,
}

/// A language that a worker offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedLanguage {
    /// The language.
    pub language: LanguageId,
    /// The version of its toolchain there.
    pub toolchain: String,
}

/// Announces a worker at once and every five seconds until `stop`, and then once more as stopping.
pub async fn announce(client: Client, status: impl Fn() -> WorkerStatus, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(ANNOUNCE_EVERY);
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let status = status();
        publish(&client, &WorkerStatus { stopping: stopping || status.stopping, ..status }).await;
        if stopping {
            return;
        }
    }
}

async fn publish(client: &Client, status: &WorkerStatus) {
    let subject = format!("{WORKER_PREFIX}.{}", status.worker);
    let published = match serde_json::to_vec(status) {
        Ok(json) => client.publish(subject, json.into()).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = published {
        tracing::debug!(error, "the worker could not be announced");
    }
}

/// The workers that are there, as their announcements tell. Clones share it.
#[derive(Clone, Default)]
pub struct Directory {
    workers: Arc<Mutex<HashMap<WorkerId, (Instant, WorkerStatus)>>>,
}

impl Directory {
    /// Listens to announcements for as long as the client lives. After at most five seconds every worker that is
    /// there is known.
    pub async fn start(client: &Client) -> Result<Self, async_nats::SubscribeError> {
        let mut announcements = client.subscribe(format!("{WORKER_PREFIX}.*")).await?;
        let directory = Self::default();
        let workers = Arc::downgrade(&directory.workers);
        tokio::spawn(async move {
            while let Some(message) = announcements.next().await {
                let Some(workers) = workers.upgrade() else { return };
                match serde_json::from_slice::<WorkerStatus>(&message.payload) {
                    Ok(status) => note(&workers, status),
                    Err(error) => tracing::warn!(%error, subject = %message.subject, "not an announcement"),
                }
            }
        });
        Ok(directory)
    }

    /// The workers that announced themselves in the last fifteen seconds, by id.
    pub fn live(&self) -> Vec<WorkerStatus> {
        let now = Instant::now();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|_, (seen, _)| now.duration_since(*seen) < EXPIRE_AFTER);
        let mut live: Vec<WorkerStatus> = workers.values().map(|(_, status)| status.clone()).collect();
        live.sort_by(|one, other| one.worker.cmp(&other.worker));
        live
    }
}

fn note(workers: &Mutex<HashMap<WorkerId, (Instant, WorkerStatus)>>, status: WorkerStatus) {
    let mut workers = workers.lock().unwrap_or_else(PoisonError::into_inner);
    workers.insert(status.worker.clone(), (Instant::now(), status));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_worker_is_forgotten() {
        let directory = Directory::default();
        let status = |worker: &str| WorkerStatus {
            worker: worker.parse().unwrap(),
            host: "here".to_owned(),
            slots: 2,
            busy_slots: 0,
            routing_classes: vec![],
            languages: vec![],
            sandbox_layers: vec![],
            started_at: Timestamp::UNIX_EPOCH,
            stopping: false,
        };
        note(&directory.workers, status("b"));
        tokio::time::advance(Duration::from_secs(10)).await;
        note(&directory.workers, status("a"));
        assert_eq!(directory.live().len(), 2);
        tokio::time::advance(Duration::from_secs(6)).await;
        let live: Vec<_> = directory.live().into_iter().map(|status| status.worker.to_string()).collect();
        assert_eq!(live, ["a"]);
    }
}
