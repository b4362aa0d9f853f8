//! A history as a file of lines, and back: each line a structured CloudEvent.
//!
//! Events have their stream sequence. The bytes that events name (sources, samples, packages) are lines of their
//! own, CloudEvents with `data_base64` and no sequence, before the first event that names them; so whoever has read
//! the file up to some line can answer for every event up to there, and a file that was cut off is a whole history
//! of its time. Bytes that were erased are said to be erased.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Event, ProblemPublished};
use crate::domain::ids::Sha256Digest;

use super::codec::{CodecError, StructuredEvent};
use super::jetstream::JetStreamStore;
use super::{StoreError, StoredEvent, subject};

const BLOB_TYPE: &str = "assize.export.blob.v1";
const PACKAGE_TYPE: &str = "assize.export.package.v1";
const ERASED_TYPE: &str = "assize.export.erased.v1";
/// How many imported events are on their way to the store at once.
const IN_FLIGHT: usize = 256;

/// Why a file is not a history, or not this one.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A line is not what it should be.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A line cannot be read as an event.
    #[error("line {line} is not an event")]
    Event {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// The store holds another history.
    #[error("the history here is another one than the file's: they differ at sequence {sequence}")]
    OtherHistory {
        /// The first sequence at which they differ.
        sequence: u64,
    },
    /// The store is ahead of the file.
    #[error("the history here has {here} events, more than the {file} of the file")]
    Behind {
        /// Events in the store.
        here: u64,
        /// Events in the file.
        file: u64,
    },
    /// The file is ahead of the store.
    #[error("the file has {file} events, more than the {here} of the history here")]
    Ahead {
        /// Events in the store.
        here: u64,
        /// Events in the file.
        file: u64,
    },
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    Io(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ExportError {
    /// Whether the file is to blame, rather than the store or the disk.
    pub fn is_about_the_file(&self) -> bool {
        match self {
            Self::Line { .. } | Self::Event { .. } | Self::OtherHistory { .. } => true,
            Self::Behind { .. } | Self::Ahead { .. } => true,
            Self::Io(_) | Self::Store(_) => false,
        }
    }
}

/// A line that carries bytes, as CloudEvents has it.
#[derive(Debug, Serialize, Deserialize)]
struct BytesLine {
    specversion: String,
    id: String,
    #[serde(rename = "type")]
    type_name: String,
    source: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

/// What a line says, as far as a reader needs it to find its way.
#[derive(Debug, Deserialize)]
struct Head {
    #[serde(rename = "type")]
    type_name: String,
    #[serde(default)]
    subject: String,
}

/// Bytes that an event names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Blob(Sha256Digest),
    Package(Box<ProblemPublished>),
}

impl Named {
    fn all_of(event: &Event) -> Vec<Self> {
        match event {
            Event::SubmissionCreated(created) => {
                created.sources.iter().map(|source| Self::Blob(source.blob.sha256)).collect()
            }
            Event::ProblemPublished(published) => {
                let samples = published.samples.iter();
                let blobs = samples.flat_map(|sample| [sample.input.sha256, sample.answer.sha256]);
                let package = Self::Package(Box::new(published.clone()));
                blobs.map(Self::Blob).chain([package]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The subject of its line.
    fn subject(&self) -> String {
        match self {
            Self::Blob(sha256) => format!("blob/{sha256}"),
            Self::Package(published) => format!("package/{}", published.package),
        }
    }

    async fn read(&self, store: &JetStreamStore) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Blob(sha256) => store.get_blob(*sha256).await,
            Self::Package(published) => {
                store.get_package(&published.object, published.package, published.package_bytes).await
            }
        }
    }
}

/// What a file of lines has so far.
#[derive(Debug, Default)]
pub struct FileState {
    /// The last event's sequence, 0 where there is none.
    pub last_sequence: u64,
    /// The last event.
    last: Option<StoredEvent>,
    /// How many bytes the whole lines take; what follows them is the beginning of a line that was cut off.
    pub whole_bytes: u64,
    /// The bytes that it has, by the subjects of their lines.
    named: BTreeSet<String>,
}

impl FileState {
    /// Reads what a file has. A last line without its end is left out.
    pub fn read(mut file: impl BufRead) -> Result<Self, ExportError> {
        let mut state = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            file.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                return Ok(state);
            }
            let head = head(&line, number)?;
            if is_bytes(&head.type_name) {
                state.named.insert(head.subject);
            } else {
                let stored = event(&line, number)?;
                let sequence = stored.recorded.sequence;
                if state.last_sequence > 0 && sequence != state.last_sequence + 1 {
                    let what = format!("has sequence {sequence} after {}", state.last_sequence);
                    return Err(ExportError::Line { line: number, what });
                }
                state.last_sequence = sequence;
                state.last = Some(stored);
            }
            state.whole_bytes += line.len() as u64 + 1;
        }
        Ok(state)
    }
}

/// Writes the events from `from` to `to`, both included, as lines after those of `state`; with the bytes that they
/// name, unless `events_only`. `told` hears each sequence.
pub async fn export(
    store: &JetStreamStore,
    state: &mut FileState,
    (from, to): (u64, u64),
    events_only: bool,
    mut file: impl Write,
    mut told: impl FnMut(u64),
) -> Result<(), ExportError> {
    let here = store.last_sequence().await?;
    if state.last_sequence > here {
        return Err(ExportError::Ahead { here, file: state.last_sequence });
    }
    if to < from && state.last.is_none() {
        return Ok(());
    }
    // The last event of the file is read again, to know that the file is of this history.
    let mut events = store.follow(if state.last.is_some() { state.last_sequence } else { from });
    while let Some(batch) = events.recv().await {
        for stored in batch? {
            let sequence = stored.recorded.sequence;
            if let Some(last) = state.last.take() {
                if last != stored {
                    return Err(ExportError::OtherHistory { sequence });
                }
                if to < from {
                    return Ok(());
                }
                continue;
            }
            if !events_only {
                write_named(store, state, &stored.recorded.envelope.event, &mut file).await?;
            }
            serde_json::to_writer(&mut file, &StructuredEvent::from(&stored)).map_err(io::Error::from)?;
            file.write_all(b"\n")?;
            state.last_sequence = sequence;
            told(sequence);
            if sequence >= to {
                file.flush()?;
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn write_named(
    store: &JetStreamStore,
    state: &mut FileState,
    event: &Event,
    file: &mut impl Write,
) -> Result<(), ExportError> {
    for named in Named::all_of(event) {
        let subject = named.subject();
        if state.named.contains(&subject) {
            continue;
        }
        let (type_name, data) = match (named.read(store).await, &named) {
            (Ok(bytes), Named::Blob(_)) => (BLOB_TYPE, Some(bytes)),
            (Ok(bytes), Named::Package(_)) => {
                (PACKAGE_TYPE, Some(zstd::bulk::compress(&bytes, 3).map_err(ExportError::Io)?))
            }
            (Err(StoreError::Missing { .. }), _) => (ERASED_TYPE, None),
            (Err(error), _) => return Err(error.into()),
        };
        let content_type = match &named {
            Named::Blob(_) => "application/octet-stream",
            Named::Package(_) => "application/zstd",
        };
        let line = BytesLine {
            specversion: "1.0".to_owned(),
            id: subject.clone(),
            type_name: type_name.to_owned(),
            source: "/assize/export".to_owned(),
            subject: subject.clone(),
            datacontenttype: data.is_some().then(|| content_type.to_owned()),
            data_base64: data.map(|bytes| BASE64.encode(bytes)),
        };
        serde_json::to_writer(&mut *file, &line).map_err(io::Error::from)?;
        file.write_all(b"\n")?;
        state.named.insert(subject);
    }
    Ok(())
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Events that were there already.
    pub present: u64,
    /// Events that were added.
    pub added: u64,
    /// The last sequence of the history now.
    pub last_sequence: u64,
}

/// Continues the store's history, which must be a beginning of the file's, with the rest of the file. Unless
/// `events_only`, the bytes that an event names must be in the file or in the store.
pub async fn import(
    store: &JetStreamStore,
    mut file: impl BufRead,
    events_only: bool,
    mut told: impl FnMut(u64),
) -> Result<Imported, ExportError> {
    let here = store.last_sequence().await?;
    let mut present = Present { events: None, batch: Vec::new().into_iter() };
    let mut named = BTreeSet::new();
    let mut waiting: Vec<StoredEvent> = Vec::new();
    let mut file_last = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let head = head(&line, number)?;
        if is_bytes(&head.type_name) {
            named.insert(put(store, &line, number).await?);
            continue;
        }
        let stored = event(&line, number)?;
        let sequence = stored.recorded.sequence;
        if sequence != file_last + 1 {
            let what = format!("has sequence {sequence} where {} belongs", file_last + 1);
            return Err(ExportError::Line { line: number, what });
        }
        file_last = sequence;
        if sequence <= here {
            if present.next(store).await?.as_ref() != Some(&stored) {
                return Err(ExportError::OtherHistory { sequence });
            }
            continue;
        }
        if !events_only {
            check_named(store, &stored.recorded.envelope.event, &mut named, number).await?;
        }
        waiting.push(stored);
        if waiting.len() == IN_FLIGHT {
            flush(store, &mut waiting).await?;
            told(sequence);
        }
    }
    flush(store, &mut waiting).await?;
    if file_last < here {
        return Err(ExportError::Behind { here, file: file_last });
    }
    told(file_last);
    Ok(Imported { present: here, added: file_last - here, last_sequence: file_last })
}

/// The events that the store has already, one after the other.
struct Present {
    events: Option<tokio::sync::mpsc::Receiver<Result<Vec<StoredEvent>, StoreError>>>,
    batch: std::vec::IntoIter<StoredEvent>,
}

impl Present {
    async fn next(&mut self, store: &JetStreamStore) -> Result<Option<StoredEvent>, StoreError> {
        loop {
            if let Some(stored) = self.batch.next() {
                return Ok(Some(stored));
            }
            let events = self.events.get_or_insert_with(|| store.follow(1));
            match events.recv().await {
                Some(batch) => self.batch = batch?.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

async fn flush(store: &JetStreamStore, waiting: &mut Vec<StoredEvent>) -> Result<(), ExportError> {
    store.import(waiting).await?;
    waiting.clear();
    Ok(())
}

fn is_bytes(type_name: &str) -> bool {
    matches!(type_name, BLOB_TYPE | PACKAGE_TYPE | ERASED_TYPE)
}

fn head(line: &[u8], number: u64) -> Result<Head, ExportError> {
    serde_json::from_slice(line).map_err(|error| ExportError::Line {
        line: number,
        what: format!("is not a CloudEvent in JSON: {error}"),
    })
}

/// An event that this program could have written.
fn event(line: &[u8], number: u64) -> Result<StoredEvent, ExportError> {
    let not_an_event = |source| ExportError::Event { line: number, source };
    let structured: StructuredEvent =
        serde_json::from_slice(line).map_err(|error| not_an_event(CodecError::Structure(error)))?;
    let stored = StoredEvent::try_from(structured).map_err(not_an_event)?;
    let envelope = &stored.recorded.envelope;
    if !subject::fits(&stored.subject, &envelope.event) {
        let what =
            format!("subject `{}` is not one of a {} event", stored.subject, envelope.event.type_name());
        return Err(ExportError::Line { line: number, what });
    }
    if envelope.id != envelope.event.id() {
        let what = format!("id `{}` should be `{}`", envelope.id, envelope.event.id());
        return Err(ExportError::Line { line: number, what });
    }
    Ok(stored)
}

/// Stores the bytes of a line; returns the line's subject.
async fn put(store: &JetStreamStore, line: &[u8], number: u64) -> Result<String, ExportError> {
    let bad = |what: String| ExportError::Line { line: number, what };
    let line: BytesLine =
        serde_json::from_slice(line).map_err(|error| bad(format!("is not a line of bytes: {error}")))?;
    if line.type_name == ERASED_TYPE {
        return Ok(line.subject);
    }
    let bytes = BASE64
        .decode(line.data_base64.unwrap_or_default())
        .map_err(|error| bad(format!("data_base64 is not base64: {error}")))?;
    let (kind, digest) = line.subject.split_once('/').unwrap_or_default();
    let digest: Sha256Digest =
        digest.parse().map_err(|_| bad(format!("subject `{}` names no digest", line.subject)))?;
    let content = match kind {
        "package" => zstd::stream::decode_all(bytes.as_slice())
            .map_err(|error| bad(format!("is not zstd: {error}")))?,
        _ => bytes,
    };
    if Sha256Digest::of(&content) != digest {
        return Err(bad(format!("the bytes do not have the digest {digest}")));
    }
    match kind {
        "blob" => store.put_blob(Bytes::from(content)).await.map(drop)?,
        "package" => store.put_package(digest, &content).await.map(drop)?,
        _ => return Err(bad(format!("subject `{}` is neither a blob nor a package", line.subject))),
    }
    Ok(line.subject)
}

/// Refuses an event whose bytes are nowhere.
async fn check_named(
    store: &JetStreamStore,
    event: &Event,
    known: &mut BTreeSet<String>,
    number: u64,
) -> Result<(), ExportError> {
    for named in Named::all_of(event) {
        let subject = named.subject();
        if known.contains(&subject) {
            continue;
        }
        match named.read(store).await {
            Ok(_) => {
                known.insert(subject);
            }
            Err(StoreError::Missing { .. }) => {
                let what = format!(
                    "names {subject}, which is neither in the file nor here; export without --events-only, or \
                     import with it"
                );
                return Err(ExportError::Line { line: number, what });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
