//! The events of a submission for HTTP clients: as a list and as a live stream, both in the history's order.
//!
//! What has happened comes from the history itself, what happens from the projection's broadcast; the sequence
//! joins the two without a gap or a repetition.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::stream::BoxStream;
use poem::web::sse::Event as SseEvent;
use poem_openapi::Object;
use poem_openapi::payload::EventStream;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::domain::event::{Event, Recorded, TestcaseJudged};
use crate::domain::ids::SubmissionId;
use crate::domain::submission::{Submission, evolve};
use crate::store::Aggregate;

use super::State;
use super::error::ApiError;

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event as clients see it: `{id, type, sequence, time, source, data}`. Its schema in the document is made from
/// the event types by `document`, which knows this name.
#[derive(Debug, Clone)]
pub(super) struct RecordedEvent {
    sequence: u64,
    type_name: &'static str,
    json: Value,
}

impl From<&Recorded> for RecordedEvent {
    fn from(recorded: &Recorded) -> Self {
        let envelope = &recorded.envelope;
        let type_name = envelope.event.type_name();
        let json = json!({
            "id": envelope.id,
            "type": type_name,
            "sequence": recorded.sequence,
            "time": envelope.time,
            "source": envelope.source,
            "data": public(&envelope.event).as_ref(),
        });
        Self { sequence: recorded.sequence, type_name, json }
    }
}

/// What anybody may see of an event. The API does not know who asks, so what would tell of secret testcases (the
/// validator quotes the answer, an output or a last error line can quote the input) is left empty. The history
/// has it, for those whom NATS or the command line lets read it.
fn public(event: &Event) -> Cow<'_, Event> {
    match event {
        Event::TestcaseJudged(judged) if !is_sample(&judged.group) => {
            Cow::Owned(Event::TestcaseJudged(TestcaseJudged {
                message: String::new(),
                output_excerpt: String::new(),
                ..judged.clone()
            }))
        }
        event => Cow::Borrowed(event),
    }
}

fn is_sample(group: &str) -> bool {
    group == "sample" || group.starts_with("sample/")
}

impl Type for RecordedEvent {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "RecordedEvent".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(Self::name().into_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(Self::name().into_owned(), |_| MetaSchema::new("object"));
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for RecordedEvent {
    fn to_json(&self) -> Option<Value> {
        Some(self.json.clone())
    }
}

impl ParseFromJSON for RecordedEvent {
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("events are written by the judge alone"))
    }
}

/// Events of a submission.
#[derive(Debug, Clone, Object)]
pub(super) struct RecordedEventPage {
    /// The events in the order of the history.
    items: Vec<RecordedEvent>,
    /// The sequence of the submission's latest event: this is true from then on until the next.
    sequence: u64,
}

/// The events of a submission within a range of sequences.
pub(super) async fn page(
    state: &State,
    id: SubmissionId,
    range: RangeInclusive<u64>,
) -> Result<RecordedEventPage, ApiError> {
    let history = history(state, id).await?;
    let items =
        history.iter().filter(|recorded| range.contains(&recorded.sequence)).map(Into::into).collect();
    Ok(RecordedEventPage { items, sequence: history.last().map_or(0, |last| last.sequence) })
}

async fn history(state: &State, id: SubmissionId) -> Result<Vec<Recorded>, ApiError> {
    let history = state.judge.store().load(&Aggregate::Submission(id)).await?;
    if history.is_empty() { Err(ApiError::not_found("submission", &id.to_string())) } else { Ok(history) }
}

/// What is left to tell of a submission, and what comes; ends when no judging is open. None where everything has
/// been told and nothing will come.
pub(super) async fn follow(
    state: Arc<State>,
    id: SubmissionId,
    after: u64,
) -> Result<Option<impl Stream<Item = RecordedEvent> + Send + use<>>, ApiError> {
    // Before the history is read, so that nothing falls between the two.
    let live = state.projection.subscribe();
    let history = history(&state, id).await?;
    let mut told = Told { after, submission: None, seen: 0, waiting: VecDeque::new() };
    for recorded in &history {
        told.take_in(recorded);
    }
    if told.waiting.is_empty() && told.has_ended() {
        return Ok(None);
    }
    Ok(Some(futures::stream::unfold((state, live, told), move |(state, mut live, mut told)| async move {
        loop {
            if let Some(event) = told.waiting.pop_front() {
                return Some((event, (state, live, told)));
            }
            if told.has_ended() {
                return None;
            }
            let received = tokio::select! {
                () = state.stopping.cancelled() => return None,
                received = live.recv() => received,
            };
            match received {
                Ok(stored) if stored.recorded.envelope.event.submission() == Some(id) => {
                    told.take_in(&stored.recorded);
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return None,
                // Too slow for the broadcast: read what was missed. If even that fails, the client reconnects.
                Err(RecvError::Lagged(_)) => match history_again(&state, id).await {
                    Some(history) => history.iter().for_each(|recorded| told.take_in(recorded)),
                    None => return None,
                },
            }
        }
    })))
}

async fn history_again(state: &State, id: SubmissionId) -> Option<Vec<Recorded>> {
    state.judge.store().load(&Aggregate::Submission(id)).await.ok()
}

/// How far a client has been told of a submission.
struct Told {
    after: u64,
    submission: Option<Submission>,
    seen: u64,
    waiting: VecDeque<RecordedEvent>,
}

impl Told {
    fn take_in(&mut self, recorded: &Recorded) {
        if recorded.sequence <= self.seen {
            return;
        }
        self.seen = recorded.sequence;
        self.submission = evolve(self.submission.take(), &recorded.envelope.event);
        if recorded.sequence > self.after {
            self.waiting.push_back(recorded.into());
        }
    }

    fn has_ended(&self) -> bool {
        self.submission.as_ref().is_some_and(|submission| submission.open().is_none())
    }
}

/// The stream as server-sent events: the id is the sequence, the event name is the type.
pub(super) fn as_sse(
    stream: BoxStream<'static, RecordedEvent>,
) -> EventStream<BoxStream<'static, RecordedEvent>> {
    EventStream::new(stream).keep_alive(KEEP_ALIVE).to_event(|event| {
        SseEvent::message(event.json.to_string()).id(event.sequence.to_string()).event_type(event.type_name)
    })
}
