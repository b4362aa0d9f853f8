//! The queues that a slot draws from: listened to all the time, the most urgent first, and never a claim lost.
//!
//! A pull that was sent cannot be taken back: what the server gives to it afterwards would lie there unjudged until
//! it lapses. So whoever has drawn a claim leaves the other pulls to a task that hands back what still comes.

use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::store::StoreError;
use crate::store::claims::{Claim, Claims};
use crate::store::jetstream::JetStreamStore;
use crate::streams;

/// How long a slot listens before it looks whether it is to stop.
const PULL_WAIT: Duration = Duration::from_secs(1);
/// How often the queues that can wait are asked while the urgent ones are listened to.
const LATER_INTERVAL: Duration = Duration::from_millis(250);

type Pull = BoxFuture<'static, Result<Option<Claim>, StoreError>>;

/// The queues of some routing classes.
pub(super) struct Queues {
    /// Somebody waits for these.
    urgent: Vec<Claims>,
    /// These come when the others are empty.
    later: Vec<Claims>,
    /// Pulls whose claims came too late for the slot that sent them.
    leftovers: TaskTracker,
}

impl Queues {
    /// The queues of these classes, which must exist. Pulls that are left over are ended in `leftovers`.
    pub(super) async fn open(
        store: &JetStreamStore,
        classes: &[&str],
        leftovers: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let (mut urgent, mut later) = (Vec::new(), Vec::new());
        for class in classes {
            let [live, rejudge] = streams::consumers_of(class);
            urgent.push(Claims::open(store, &live).await?);
            later.push(Claims::open(store, &rejudge).await?);
        }
        Ok(Self { urgent, later, leftovers: leftovers.clone() })
    }

    /// The most urgent claim there is, or the first that comes within a second.
    pub(super) async fn draw(&self) -> Result<Option<Claim>, StoreError> {
        if let Some(claim) = waiting(&self.urgent).await? {
            return Ok(Some(claim));
        }
        if let Some(claim) = waiting(&self.later).await? {
            return Ok(Some(claim));
        }
        let mut pulls: FuturesUnordered<Pull> = self.urgent.iter().map(listen).collect();
        let drawn = self.listen_to(&mut pulls).await;
        self.hand_back_rest(pulls);
        drawn
    }

    async fn listen_to(&self, pulls: &mut FuturesUnordered<Pull>) -> Result<Option<Claim>, StoreError> {
        let mut ask_later = tokio::time::interval_at(Instant::now() + LATER_INTERVAL, LATER_INTERVAL);
        loop {
            let came = tokio::select! {
                biased;
                pulled = pulls.next() => match pulled {
                    Some(came) => came,
                    None => return Ok(None),
                },
                _ = ask_later.tick() => waiting(&self.later).await,
            };
            match came {
                Ok(None) => {}
                drawn => return drawn,
            }
        }
    }

    fn hand_back_rest(&self, mut pulls: FuturesUnordered<Pull>) {
        if pulls.is_empty() {
            return;
        }
        self.leftovers.spawn(async move {
            while let Some(pulled) = pulls.next().await {
                if let Ok(Some(claim)) = pulled {
                    claim.hand_back(Duration::ZERO).await;
                }
            }
        });
    }
}

fn listen(queue: &Claims) -> Pull {
    let queue = queue.clone();
    Box::pin(async move { queue.next(PULL_WAIT).await })
}

/// A claim that waits in the first of these queues that has one.
async fn waiting(queues: &[Claims]) -> Result<Option<Claim>, StoreError> {
    for queue in queues {
        if let Some(claim) = queue.next_now().await? {
            return Ok(Some(claim));
        }
    }
    Ok(None)
}
