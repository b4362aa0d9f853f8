//! What waits to be judged: the durable pull consumers over the history, one claim at a time.
//!
//! A claim is a delivery that is kept alive while its worker works and that lapses when the worker dies. It
//! fences nothing: only an append does. So a redelivery is harmless, and so is a late acknowledgement.

use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{AckKind, Message};
use futures::StreamExt;

use crate::domain::ids::SubmissionId;

use super::StoreError;
use super::jetstream::JetStreamStore;
use super::subject::{self, EVENT_STREAM};

/// How often a claim is kept alive; the consumers' `ack_wait` is three times as long.
pub const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// How much longer than it asked for a pull waits for its answer before that counts as lost with its server. The
/// client library itself would wait five seconds.
const ANSWER_GRACE: Duration = Duration::from_millis(500);

/// One durable consumer that workers draw from.
#[derive(Clone)]
pub struct Claims {
    consumer: PullConsumer,
    name: String,
}

/// A submission that this worker is to judge.
pub struct Claim {
    /// Which.
    pub submission: SubmissionId,
    /// How often it has been delivered, this time included.
    pub deliveries: u64,
    acker: Acker,
}

impl Claims {
    /// The durable consumer with this name, which must exist.
    pub async fn open(store: &JetStreamStore, name: &str) -> Result<Self, StoreError> {
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: format!("open of consumer {name}"),
            source: Some(source),
        };
        let stream = store
            .context()
            .get_stream_no_info(EVENT_STREAM)
            .await
            .map_err(|error| unavailable(error.into()))?;
        let consumer = stream.get_consumer(name).await.map_err(unavailable)?;
        Ok(Self { consumer, name: name.to_owned() })
    }

    /// The next claim, or none after `wait`. Asks for exactly one message: a prefetched one would wait behind a
    /// long judging here while another worker is idle.
    pub async fn next(&self, wait: Duration) -> Result<Option<Claim>, StoreError> {
        let batch = self.consumer.batch().max_messages(1).expires(wait).messages();
        let answer =
            async { self.answer(batch.await.map_err(|error| self.unavailable(error.into()))?).await };
        tokio::time::timeout(wait + ANSWER_GRACE, answer).await.unwrap_or(Ok(None))
    }

    /// A claim that waits already, or none.
    pub async fn next_now(&self) -> Result<Option<Claim>, StoreError> {
        let batch = self.consumer.fetch().max_messages(1).messages();
        let answer =
            async { self.answer(batch.await.map_err(|error| self.unavailable(error.into()))?).await };
        tokio::time::timeout(ANSWER_GRACE, answer).await.unwrap_or(Ok(None))
    }

    async fn answer(&self, mut batch: pull::Batch) -> Result<Option<Claim>, StoreError> {
        match batch.next().await {
            None => Ok(None),
            Some(Err(error)) => Err(self.unavailable(error)),
            Some(Ok(message)) => claim_of(message).await,
        }
    }

    fn unavailable(&self, source: async_nats::Error) -> StoreError {
        StoreError::Unavailable {
            operation: format!("pull from consumer {}", self.name),
            source: Some(source),
        }
    }
}

/// The claim that a message is. One that is no submission's is put out of the queue: no worker could judge it.
async fn claim_of(message: Message) -> Result<Option<Claim>, StoreError> {
    let deliveries = message.info().map_or(1, |info| info.delivered.max(1).cast_unsigned());
    let (message, acker) = message.split();
    match subject::submission_of(&message.subject) {
        Some(submission) => Ok(Some(Claim { submission, deliveries, acker })),
        None => {
            tracing::error!(subject = %message.subject, "a message in the queue names no submission");
            if let Err(error) = acker.ack_with(AckKind::Term).await {
                tracing::warn!(error, "the message could not be put out of the queue");
            }
            Ok(None)
        }
    }
}

impl Claim {
    /// Tells the server that the work goes on. A failure is not fatal: the claim may lapse, and the appends fence.
    pub async fn keep_alive(&self) {
        if let Err(error) = self.acker.ack_with(AckKind::Progress).await {
            tracing::debug!(error, submission.id = %self.submission, "the claim could not be kept alive");
        }
    }

    /// The work is done and in the history. Unconfirmed, it comes again and is found done.
    pub async fn done(&self) {
        if let Err(error) = self.acker.double_ack().await {
            tracing::debug!(error, submission.id = %self.submission, "the claim could not be acknowledged");
        }
    }

    /// Puts the work out of the queue for good, although it is not done.
    pub async fn give_up(&self) {
        if let Err(error) = self.acker.ack_with(AckKind::Term).await {
            tracing::debug!(error, submission.id = %self.submission, "the claim could not be given up");
        }
    }

    /// Hands the work back, to be delivered again after `delay`.
    pub async fn hand_back(&self, delay: Duration) {
        let kind = AckKind::Nak((!delay.is_zero()).then_some(delay));
        if let Err(error) = self.acker.ack_with(kind).await {
            tracing::debug!(error, submission.id = %self.submission, "the claim could not be handed back");
        }
    }
}
