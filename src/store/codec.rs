//! Events on the wire: CloudEvents 1.0 in NATS binary mode, and structured CloudEvents for exports.
//!
//! In binary mode the attributes are `ce-*` headers (percent-encoded where the NATS binding asks for it) and the
//! body is the data alone; in an export one JSON object holds both, so that an event survives without headers.

use async_nats::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Envelope, Event, Recorded, UnreadableEvent};

use super::StoredEvent;

/// A message in the event stream that is not a readable event.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A CloudEvents attribute is missing.
    #[error("attribute `{0}` is missing")]
    MissingAttribute(&'static str),
    /// A CloudEvents attribute has a value that cannot be read.
    #[error("attribute `{name}` is `{value}`, which cannot be read")]
    BadAttribute {
        /// Which attribute.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The type or the data cannot be read.
    #[error("the event cannot be read")]
    Event(#[from] UnreadableEvent),
    /// The structured event is not JSON of the right shape.
    #[error("the line is not a structured CloudEvent")]
    Structure(#[source] serde_json::Error),
}

/// The URI of the JSON Schema of a type's data.
pub fn dataschema(type_name: &str) -> String {
    format!("urn:assize:schema:{type_name}")
}

/// The headers and the body of an event.
pub fn encode(envelope: &Envelope) -> (HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    let type_name = envelope.event.type_name();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", envelope.id.as_str());
    headers.insert("ce-type", type_name);
    headers.insert("ce-source", envelope.source.as_str());
    headers.insert("ce-time", envelope.time.to_string());
    headers.insert("ce-dataschema", dataschema(type_name));
    headers.insert("content-type", "application/json");
    if let Some(correlation) = correlation(&envelope.event) {
        headers.insert("ce-correlationid", correlation);
    }
    if let Some(causation) = &envelope.causation {
        headers.insert("ce-causationid", causation.as_str());
    }
    if let Some(traceparent) = &envelope.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    (headers, data_json(&envelope.event))
}

/// The event from its headers and body.
pub fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Envelope, CodecError> {
    let required = |name: &'static str| {
        headers.get(name).map(|value| value.as_str()).ok_or(CodecError::MissingAttribute(name))
    };
    let optional = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    let time = required("ce-time")?;
    Ok(Envelope {
        id: required("ce-id")?.to_owned(),
        time: parse_time(time)?,
        source: required("ce-source")?.to_owned(),
        causation: optional("ce-causationid"),
        traceparent: optional("traceparent"),
        event: Event::from_json(required("ce-type")?, body)?,
    })
}

/// One line of an export: a structured CloudEvent with the NATS subject and the stream sequence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StructuredEvent {
    specversion: String,
    id: String,
    #[serde(rename = "type")]
    type_name: String,
    source: String,
    time: String,
    dataschema: String,
    datacontenttype: String,
    subject: String,
    /// The stream sequence in decimal; an extension attribute must be a string or an int32.
    sequence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlationid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: serde_json::Value,
}

impl StructuredEvent {
    /// The stream sequence that the event had where it was exported.
    pub fn sequence(&self) -> Result<u64, CodecError> {
        self.sequence
            .parse()
            .map_err(|_| CodecError::BadAttribute { name: "sequence", value: self.sequence.clone() })
    }
}

impl From<&StoredEvent> for StructuredEvent {
    fn from(stored: &StoredEvent) -> Self {
        let envelope = &stored.recorded.envelope;
        let type_name = envelope.event.type_name();
        Self {
            specversion: "1.0".to_owned(),
            id: envelope.id.clone(),
            type_name: type_name.to_owned(),
            source: envelope.source.clone(),
            time: envelope.time.to_string(),
            dataschema: dataschema(type_name),
            datacontenttype: "application/json".to_owned(),
            subject: stored.subject.clone(),
            sequence: stored.recorded.sequence.to_string(),
            correlationid: correlation(&envelope.event),
            causationid: envelope.causation.clone(),
            traceparent: envelope.traceparent.clone(),
            data: serde_json::to_value(&envelope.event).unwrap_or_default(),
        }
    }
}

impl TryFrom<StructuredEvent> for StoredEvent {
    type Error = CodecError;

    fn try_from(line: StructuredEvent) -> Result<Self, CodecError> {
        let sequence = line.sequence()?;
        let data = serde_json::to_vec(&line.data).map_err(CodecError::Structure)?;
        let envelope = Envelope {
            id: line.id,
            time: parse_time(&line.time)?,
            source: line.source,
            causation: line.causationid,
            traceparent: line.traceparent,
            event: Event::from_json(&line.type_name, &data)?,
        };
        Ok(Self { subject: line.subject, recorded: Recorded { sequence, envelope } })
    }
}

fn correlation(event: &Event) -> Option<String> {
    event.submission().map(|id| id.to_string())
}

/// The data of an event as compact JSON. Events hold only strings, numbers, lists and maps with string keys,
/// which always serialise.
fn data_json(event: &Event) -> Vec<u8> {
    serde_json::to_vec(event).unwrap_or_default()
}

fn parse_time(text: &str) -> Result<Timestamp, CodecError> {
    text.parse().map_err(|_| CodecError::BadAttribute { name: "time", value: text.to_owned() })
}
