//! The history on JetStream: conditional, idempotent appends; reads of one aggregate; the whole as a stream.
//!
//! The publish acknowledgement is read here as JSON, by error code: async-nats knows only one of the two codes
//! for a wrong sequence. A time-out means "unknown", never "failed": the same message is sent again, and when it
//! then conflicts, the tail tells whether the event that is there is ours.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{DeliverPolicy, push};
use async_nats::{Client, HeaderMap, Request, RequestErrorKind};
use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::event::{Envelope, Recorded};
use crate::nats_server::{self, ConnectError, ConnectSettings};

use super::subject::EVENT_STREAM;
use super::{Address, Aggregate, AppendError, EventStore, StoreError, StoredEvent, codec};

/// How long one request may take before its outcome counts as unknown.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the next of many imported events may take to be acknowledged.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// JetStream: the last sequence of the subject is not the expected one.
const WRONG_LAST_SEQUENCE: u64 = 10071;
/// The same, found while another append to the subject was under way.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10164;
/// JetStream: an atomic batch holds a message id that is known.
const DUPLICATE_IN_BATCH: u64 = 10201;
/// From how many events on an atomic batch is cheaper than one append after the other: a batch costs the server some
/// milliseconds whatever is in it, because it is staged on disk.
const BATCH_MIN: usize = 8;
/// How many events one atomic batch holds at most; the server takes 1,000.
const BATCH_MAX: usize = 256;
/// JetStream: no message found.
pub(super) const NO_MESSAGE_FOUND: u64 = 10037;
/// JetStream: the message is larger than the stream takes.
const MESSAGE_TOO_LARGE: u64 = 10054;
/// How many events one direct read may bring.
const READ_BATCH: usize = 1000;

/// The history on a NATS server or cluster. Clones share the connection.
#[derive(Debug, Clone)]
pub struct JetStreamStore {
    client: Client,
    jetstream: async_nats::jetstream::Context,
    api_prefix: String,
    patience: Duration,
}

/// What a JetStream publish is answered with.
#[derive(Debug, Deserialize)]
pub(super) struct PublishAck {
    #[serde(default)]
    pub(super) seq: u64,
    #[serde(default)]
    duplicate: bool,
    pub(super) error: Option<ApiError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ApiError {
    pub(super) err_code: u64,
    pub(super) description: String,
}

/// The last event of an aggregate, as far as an append needs it.
struct Tail {
    sequence: u64,
    event_id: Option<String>,
    data: Vec<u8>,
}

impl JetStreamStore {
    /// Connects. An append or a read whose outcome stays unknown is tried again for `patience` before it fails as
    /// unavailable.
    pub async fn connect(settings: &ConnectSettings, patience: Duration) -> Result<Self, ConnectError> {
        let client = nats_server::connect(settings).await?;
        let jetstream = nats_server::jetstream(&client, settings);
        Ok(Self { client, jetstream, api_prefix: settings.api_prefix(), patience })
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the connection stands, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The JetStream context, with its time-out of two seconds.
    pub fn context(&self) -> &async_nats::jetstream::Context {
        &self.jetstream
    }

    /// The same store with another patience.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The sequence of the last event in the whole history, 0 where there is none.
    pub async fn last_sequence(&self) -> Result<u64, StoreError> {
        #[derive(Deserialize)]
        struct Info {
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            last_seq: u64,
        }
        let info: Info = self.api(&format!("STREAM.INFO.{EVENT_STREAM}"), &serde_json::json!({})).await?;
        Ok(info.state.last_seq)
    }

    /// Appends events from an export under their own subjects and sequences, which must follow on the stream's last.
    /// All are sent before the first answer is read, each stating its predecessor, so that what the stream takes is
    /// always a beginning of them. A failure leaves such a beginning behind.
    pub async fn import(&self, events: &[StoredEvent]) -> Result<(), StoreError> {
        let unavailable = |operation: &str, source: Option<async_nats::Error>| StoreError::Unavailable {
            operation: operation.to_owned(),
            source,
        };
        let inbox = self.client.new_inbox();
        let mut answers = self
            .client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|error| unavailable("import", Some(error.into())))?;
        for (place, stored) in events.iter().enumerate() {
            let (mut headers, body) = codec::encode(&stored.recorded.envelope);
            let before = stored.recorded.sequence.saturating_sub(1);
            headers.insert("Nats-Msg-Id", stored.recorded.envelope.id.as_str());
            headers.insert("Nats-Expected-Last-Sequence", before.to_string());
            let reply = format!("{inbox}.{place}");
            self.client
                .publish_with_reply_and_headers(stored.subject.clone(), reply, headers, body.into())
                .await
                .map_err(|error| unavailable(&stored.subject, Some(error.into())))?;
        }
        // The answers come in the stream's order, so the first refusal is the reason of all others.
        for stored in events {
            let answer = tokio::time::timeout(IMPORT_TIMEOUT, answers.next()).await;
            let Ok(Some(answer)) = answer else { return Err(unavailable(&stored.subject, None)) };
            let ack: PublishAck = serde_json::from_slice(&answer.payload)
                .map_err(|error| unavailable(&stored.subject, Some(error.into())))?;
            if let Some(error) = ack.error {
                return Err(refused(&stored.subject, error));
            }
        }
        Ok(())
    }

    /// Every event from sequence `from` on, for ever, in batches as they come. Ends with an error where a sequence
    /// is missing or an event cannot be read; survives restarts of the server.
    pub fn follow(&self, from: u64) -> mpsc::Receiver<Result<Vec<StoredEvent>, StoreError>> {
        let (sender, receiver) = mpsc::channel(4);
        let store = self.clone();
        tokio::spawn(async move {
            let mut next = from.max(1);
            let mut delays = retry_delays();
            while !sender.is_closed() {
                let before = next;
                if let Err(error) = store.follow_once(&mut next, &sender).await {
                    let fatal = matches!(error, StoreError::Damaged { .. } | StoreError::Gap { .. });
                    if fatal {
                        // The receiver may be gone, and then nobody is left to tell.
                        let _ = sender.send(Err(error)).await;
                        return;
                    }
                    tracing::debug!(error = %error, next_sequence = next, "the event consumer is made anew");
                }
                if next > before {
                    delays = retry_delays();
                }
                tokio::time::sleep(delays.next().unwrap_or(REQUEST_TIMEOUT)).await;
            }
        });
        receiver
    }

    /// Follows with one consumer until it breaks or stays silent although the stream went on.
    async fn follow_once(
        &self,
        next: &mut u64,
        sender: &mpsc::Sender<Result<Vec<StoredEvent>, StoreError>>,
    ) -> Result<(), StoreError> {
        let from = *next;
        let operation = || format!("consume {EVENT_STREAM} from sequence {from}");
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: operation(),
            source: Some(source),
        };
        let stream = self
            .jetstream
            .get_stream_no_info(EVENT_STREAM)
            .await
            .map_err(|error| unavailable(error.into()))?;
        let config = push::OrderedConfig {
            deliver_subject: self.client.new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: *next },
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| unavailable(error.into()))?;
        let messages = consumer.messages().await.map_err(|error| unavailable(error.into()))?;
        let mut chunks = messages.ready_chunks(READ_BATCH);
        loop {
            let chunk = tokio::select! {
                () = sender.closed() => return Ok(()),
                chunk = tokio::time::timeout(REQUEST_TIMEOUT, chunks.next()) => chunk,
            };
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(()),
                Err(_silence) => {
                    if self.last_sequence().await? >= *next {
                        return Ok(());
                    }
                    continue;
                }
            };
            let mut batch = Vec::with_capacity(chunk.len());
            let mut broken = None;
            for message in chunk {
                let message = message.map_err(|error| unavailable(error.into()));
                match message.and_then(|message| expected_event(&message, *next)) {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        batch.push(event);
                        *next += 1;
                    }
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
            }
            // What came before the error is whole, and counted in `next`: it must not be lost with it.
            if !batch.is_empty() && sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
            if let Some(error) = broken {
                return Err(error);
            }
        }
    }

    /// Appends events as one atomic batch, which is stored whole or not at all, and returns the sequence of the last.
    /// None where the server takes no batch now and nothing is stored.
    async fn append_batch(
        &self,
        address: &Address,
        expected: u64,
        envelopes: &[Envelope],
    ) -> Result<Option<u64>, AppendError> {
        let filter = address.aggregate.filter();
        let messages: Vec<(String, HeaderMap, Bytes)> = envelopes
            .iter()
            .map(|envelope| {
                let (headers, body) = encode(envelope);
                (address.subject(&envelope.event), headers, body)
            })
            .collect();
        let (Some(last), Some((subject, _, last_body))) = (envelopes.last(), messages.last()) else {
            return Ok(Some(expected));
        };
        let mut retries = self.retries();
        loop {
            let ack = match self.publish_batch(expected, &filter, &messages).await {
                Ok(PublishAck { error: None, seq, .. }) => return Ok(Some(seq)),
                Ok(PublishAck { error: Some(error), .. }) => Some(error.err_code),
                Err(StoreError::Unavailable { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            // Whether it is stored is not known yet, or it was stored by an earlier try.
            let tail = self.tail(&filter).await?;
            if tail.event_id.as_deref() == Some(last.id.as_str()) && tail.data == *last_body {
                return Ok(Some(tail.sequence));
            }
            if tail.sequence != expected {
                return Err(AppendError::Conflict { expected });
            }
            if let Some(code) = ack
                && !matches!(code, WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_IN_FLIGHT | DUPLICATE_IN_BATCH)
            {
                tracing::debug!(code, "no batch is taken now; the events are appended one by one");
                return Ok(None);
            }
            let Some(delay) = retries.next() else {
                return Err(StoreError::Unavailable { operation: subject.clone(), source: None }.into());
            };
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends a batch once. Only the last message is answered, for all of them.
    async fn publish_batch(
        &self,
        expected: u64,
        filter: &str,
        messages: &[(String, HeaderMap, Bytes)],
    ) -> Result<PublishAck, StoreError> {
        let batch = uuid::Uuid::now_v7().simple().to_string();
        let unavailable = |subject: &str, source: async_nats::Error| StoreError::Unavailable {
            operation: subject.to_owned(),
            source: Some(source),
        };
        for (place, (subject, headers, body)) in messages.iter().enumerate() {
            let mut headers = headers.clone();
            headers.insert("Nats-Batch-Id", batch.as_str());
            headers.insert("Nats-Batch-Sequence", (place + 1).to_string());
            if place == 0 {
                expect_tail(&mut headers, expected, filter);
            }
            if place + 1 < messages.len() {
                let sent = self.client.publish_with_headers(subject.clone(), headers, body.clone()).await;
                sent.map_err(|error| unavailable(subject, error.into()))?;
                continue;
            }
            headers.insert("Nats-Batch-Commit", "1");
            let request =
                Request::new().headers(headers).payload(body.clone()).timeout(Some(REQUEST_TIMEOUT));
            let answer = self.client.send_request(subject.clone(), request).await;
            let answer = answer.map_err(|error| unavailable(subject, error.into()))?;
            return serde_json::from_slice(&answer.payload)
                .map_err(|error| unavailable(subject, error.into()));
        }
        Err(StoreError::Unavailable { operation: filter.to_owned(), source: None })
    }

    /// The last event of an aggregate, read from the stream's leader.
    async fn tail(&self, filter: &str) -> Result<Tail, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            message: Option<Message>,
            error: Option<ApiError>,
        }
        #[derive(Deserialize)]
        struct Message {
            seq: u64,
            #[serde(default)]
            hdrs: String,
            #[serde(default)]
            data: String,
        }
        let subject = format!("STREAM.MSG.GET.{EVENT_STREAM}");
        let answer: Answer = self.api(&subject, &serde_json::json!({ "last_by_subj": filter })).await?;
        match answer {
            Answer { message: Some(message), .. } => {
                let sequence = message.seq;
                let data = BASE64.decode(&message.data).unwrap_or_default();
                Ok(Tail { sequence, event_id: event_id_of(&message.hdrs), data })
            }
            Answer { error: Some(error), .. } if error.err_code != NO_MESSAGE_FOUND => {
                Err(refused(&subject, error))
            }
            _ => Ok(Tail { sequence: 0, event_id: None, data: Vec::new() }),
        }
    }

    /// The events of an aggregate from `from` on, by one direct read of up to `READ_BATCH`.
    async fn direct_read(&self, filter: &str, from: u64) -> Result<Vec<Recorded>, StoreError> {
        let operation = || format!("read of {filter}");
        let unavailable = |source: async_nats::Error| StoreError::Unavailable {
            operation: operation(),
            source: Some(source),
        };
        let inbox = self.client.new_inbox();
        let mut answers =
            self.client.subscribe(inbox.clone()).await.map_err(|error| unavailable(error.into()))?;
        let request = serde_json::json!({ "seq": from, "next_by_subj": filter, "batch": READ_BATCH });
        self.client
            .publish_with_reply(
                format!("{}.DIRECT.GET.{EVENT_STREAM}", self.api_prefix),
                inbox,
                Bytes::from(request.to_string()),
            )
            .await
            .map_err(|error| unavailable(error.into()))?;
        let mut events = Vec::new();
        loop {
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, answers.next()).await;
            let Ok(Some(message)) = answer else {
                return Err(StoreError::Unavailable { operation: operation(), source: None });
            };
            // 204 ends a batch, 404 says that there is nothing, 503 that nobody serves the stream.
            match message.status.map(|status| status.as_u16()) {
                Some(204 | 404) => return Ok(events),
                Some(_) => return Err(StoreError::Unavailable { operation: operation(), source: None }),
                None => {}
            }
            let empty = HeaderMap::new();
            let headers = message.headers.as_ref().unwrap_or(&empty);
            let sequence = headers
                .get("Nats-Sequence")
                .and_then(|value| value.as_str().parse().ok())
                .ok_or_else(|| StoreError::Unavailable { operation: operation(), source: None })?;
            let envelope = codec::decode(headers, &message.payload)
                .map_err(|source| StoreError::Damaged { sequence, source })?;
            events.push(Recorded { sequence, envelope });
        }
    }

    async fn load_once(&self, filter: &str) -> Result<Vec<Recorded>, StoreError> {
        let tail = self.tail(filter).await?.sequence;
        let mut events: Vec<Recorded> = Vec::new();
        while events.last().map_or(0, |last| last.sequence) < tail {
            let from = events.last().map_or(1, |last| last.sequence + 1);
            let more = self.direct_read(filter, from).await?;
            if more.is_empty() {
                // A replica that is behind its leader; asked again by the caller.
                return Err(StoreError::Unavailable { operation: format!("read of {filter}"), source: None });
            }
            events.extend(more);
        }
        Ok(events)
    }

    /// One request to the JetStream API, tried again while its outcome is unknown.
    pub(crate) async fn api<T: serde::de::DeserializeOwned>(
        &self,
        subject: &str,
        request: &serde_json::Value,
    ) -> Result<T, StoreError> {
        let subject = format!("{}.{subject}", self.api_prefix);
        let answer =
            self.request_with_patience(&subject, HeaderMap::new(), request.to_string().into()).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| StoreError::Unavailable { operation: subject, source: Some(error.into()) })
    }

    pub(super) async fn publish_with_patience(
        &self,
        subject: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<PublishAck, StoreError> {
        let answer = self.request_with_patience(subject, headers, body).await?;
        serde_json::from_slice(&answer).map_err(|error| StoreError::Unavailable {
            operation: subject.to_owned(),
            source: Some(error.into()),
        })
    }

    /// Tries something again while it is unavailable, for as long as the patience lasts.
    pub(super) async fn with_retries<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut retries = self.retries();
        loop {
            match attempt().await {
                Err(error @ StoreError::Unavailable { .. }) => match retries.next() {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => return Err(error),
                },
                other => return other,
            }
        }
    }

    /// The delays before each further attempt, until the patience is at its end.
    fn retries(&self) -> impl Iterator<Item = Duration> + use<> {
        let deadline = Instant::now() + self.patience;
        retry_delays().take_while(move |delay| Instant::now() + *delay < deadline)
    }

    async fn request_with_patience(
        &self,
        subject: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, StoreError> {
        let deadline = Instant::now() + self.patience;
        let mut delays = retry_delays();
        loop {
            let timeout = REQUEST_TIMEOUT
                .min(deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(50)));
            let request =
                Request::new().headers(headers.clone()).payload(body.clone()).timeout(Some(timeout));
            let error = match self.client.send_request(subject.to_owned(), request).await {
                Ok(answer) => return Ok(answer.payload),
                Err(error) => error,
            };
            if error.kind() == RequestErrorKind::MaxPayloadExceeded {
                return Err(StoreError::TooLarge { operation: subject.to_owned() });
            }
            let hopeless = error.kind() == RequestErrorKind::InvalidSubject;
            let delay = delays.next().filter(|delay| !hopeless && Instant::now() + *delay < deadline);
            let Some(delay) = delay else {
                return Err(StoreError::Unavailable {
                    operation: subject.to_owned(),
                    source: Some(error.into()),
                });
            };
            tokio::time::sleep(delay).await;
        }
    }
}

#[async_trait]
impl EventStore for JetStreamStore {
    async fn load(&self, aggregate: &Aggregate) -> Result<Vec<Recorded>, StoreError> {
        let filter = aggregate.filter();
        self.with_retries(|| self.load_once(&filter)).await
    }

    async fn append(
        &self,
        address: &Address,
        expected: u64,
        envelope: &Envelope,
    ) -> Result<u64, AppendError> {
        let subject = address.subject(&envelope.event);
        let filter = address.aggregate.filter();
        let (mut headers, body) = encode(envelope);
        expect_tail(&mut headers, expected, &filter);
        let mut retries = self.retries();
        loop {
            let ack = self.publish_with_patience(&subject, headers.clone(), body.clone()).await?;
            match ack.error {
                None if !ack.duplicate => return Ok(ack.seq),
                Some(error)
                    if !matches!(error.err_code, WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_IN_FLIGHT) =>
                {
                    return Err(refused(&subject, error).into());
                }
                // A cluster says "duplicate" where a single server says "wrong sequence": either way the tail
                // tells whether what is there is what we wanted to write.
                _ => {}
            }
            let tail = self.tail(&filter).await?;
            if tail.event_id.as_deref() == Some(envelope.id.as_str()) && tail.data == body {
                return Ok(tail.sequence);
            }
            if tail.sequence != expected || ack.duplicate {
                return Err(AppendError::Conflict { expected });
            }
            // Another append is in flight, or came to nothing: ours may pass in a moment.
            let Some(delay) = retries.next() else {
                return Err(StoreError::Unavailable { operation: subject, source: None }.into());
            };
            tokio::time::sleep(delay).await;
        }
    }

    async fn append_all(
        &self,
        address: &Address,
        expected: u64,
        envelopes: &[Envelope],
    ) -> Result<u64, AppendError> {
        let mut tail = expected;
        for envelopes in envelopes.chunks(BATCH_MAX) {
            if envelopes.len() >= BATCH_MIN
                && let Some(last) = self.append_batch(address, tail, envelopes).await?
            {
                tail = last;
                continue;
            }
            for envelope in envelopes {
                tail = self.append(address, tail, envelope).await?;
            }
        }
        Ok(tail)
    }
}

/// An event as a message that is stored once however often it is sent.
fn encode(envelope: &Envelope) -> (HeaderMap, Bytes) {
    let (mut headers, body) = codec::encode(envelope);
    headers.insert("Nats-Msg-Id", envelope.id.as_str());
    (headers, body.into())
}

/// Lets the server refuse a message unless the aggregate's last event has the sequence `expected`.
fn expect_tail(headers: &mut HeaderMap, expected: u64, filter: &str) {
    headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
    headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", filter);
}

/// The event of a message, if it is the one with sequence `next`; none where it is an earlier one, come again.
fn expected_event(
    message: &async_nats::jetstream::Message,
    next: u64,
) -> Result<Option<StoredEvent>, StoreError> {
    let info = message.info().map_err(|source| StoreError::Unavailable {
        operation: format!("consume {EVENT_STREAM} at sequence {next}"),
        source: Some(source),
    })?;
    let sequence = info.stream_sequence;
    if sequence < next {
        return Ok(None);
    }
    if sequence > next {
        return Err(StoreError::Gap { from: next - 1, to: sequence });
    }
    let empty = HeaderMap::new();
    let headers = message.headers.as_ref().unwrap_or(&empty);
    let envelope = codec::decode(headers, &message.payload)
        .map_err(|source| StoreError::Damaged { sequence, source })?;
    Ok(Some(StoredEvent { subject: message.subject.to_string(), recorded: Recorded { sequence, envelope } }))
}

/// The `ce-id` of a message from its base64 header block.
fn event_id_of(headers_base64: &str) -> Option<String> {
    let block = BASE64.decode(headers_base64).ok()?;
    let text = String::from_utf8(block).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("ce-id").then(|| value.trim().to_owned())
    })
}

pub(super) fn refused(operation: &str, error: ApiError) -> StoreError {
    if error.err_code == MESSAGE_TOO_LARGE {
        return StoreError::TooLarge { operation: operation.to_owned() };
    }
    StoreError::Refused {
        operation: operation.to_owned(),
        code: error.err_code,
        description: error.description,
    }
}

/// Growing delays with jitter, from 20 ms to 1 s.
fn retry_delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .without_max_times()
        .build()
}
