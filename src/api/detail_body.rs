//! The body of a submission's answer, kept once it is written: serialising is most of what a read costs.
//!
//! Only the sequence at its end differs from one answer to the next while nothing happens to the submission.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};

use crate::domain::ids::SubmissionId;

use super::views::SubmissionDetail;

/// How much is kept of all bodies together, in bytes: some ten thousand submissions, which is more than a contest asks
/// for again and again.
const ALL_BYTES_MAX: usize = 64 << 20;
/// What a body costs beside its text, in bytes, roughly.
const ENTRY_BYTES: usize = 128;
/// A longer body is written anew each time, in bytes.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// What stands before the sequence, which is the last field.
const SEQUENCE: &str = ",\"sequence\":";

/// Bodies by submission, each true since an event of that submission.
#[derive(Debug, Default)]
pub struct DetailBodies {
    kept: Mutex<AllKept>,
}

#[derive(Debug, Default)]
struct AllKept {
    bodies: HashMap<SubmissionId, Kept>,
    /// What all of them cost, in bytes.
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Kept {
    /// The sequence of the submission's last event.
    updated_sequence: u64,
    /// The latest sequence of the history at which that was so.
    checked_sequence: u64,
    /// The body up to its last field.
    beginning: Arc<str>,
}

/// A written body.
pub(super) struct DetailBody(String);

impl DetailBodies {
    /// The body at `sequence` with the sequence of the submission's last event, where nothing at all has happened
    /// since it was last asked for: then the read model need not be looked at.
    pub(super) fn unchanged(&self, id: SubmissionId, sequence: u64) -> Option<(u64, DetailBody)> {
        let kept = self.get(id).filter(|kept| kept.checked_sequence == sequence)?;
        Some((kept.updated_sequence, kept.body(sequence)))
    }

    /// The body of a submission whose last event is `updated_sequence`, true at `sequence`.
    pub(super) fn body<E>(
        &self,
        id: SubmissionId,
        updated_sequence: u64,
        sequence: u64,
        detail: impl FnOnce() -> Result<SubmissionDetail, E>,
    ) -> Result<DetailBody, E> {
        if let Some(mut kept) = self.get(id).filter(|kept| kept.updated_sequence == updated_sequence) {
            kept.checked_sequence = sequence;
            let body = kept.body(sequence);
            self.keep(id, kept);
            return Ok(body);
        }
        let text = detail()?.to_json_string();
        if let Some(end) = text.rfind(SEQUENCE).filter(|end| *end <= KEPT_BYTES_MAX) {
            let beginning = text[..end].into();
            self.keep(id, Kept { updated_sequence, checked_sequence: sequence, beginning });
        }
        Ok(DetailBody(text))
    }

    fn get(&self, id: SubmissionId) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).bodies.get(&id).cloned()
    }

    fn keep(&self, id: SubmissionId, body: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = body.bytes();
        if kept.bytes + bytes > ALL_BYTES_MAX {
            // Rare, and the next reads fill it again with what is wanted now.
            *kept = AllKept::default();
        }
        let before = kept.bodies.insert(id, body).map_or(0, |before| before.bytes());
        kept.bytes = kept.bytes + bytes - before;
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.beginning.len() + ENTRY_BYTES
    }

    fn body(&self, sequence: u64) -> DetailBody {
        DetailBody(format!("{}{SEQUENCE}{sequence}}}", self.beginning))
    }
}

impl Payload for DetailBody {
    const CONTENT_TYPE: &'static str = "application/json; charset=utf-8";

    fn schema_ref() -> MetaSchemaRef {
        <SubmissionDetail as Type>::schema_ref()
    }

    fn register(registry: &mut Registry) {
        SubmissionDetail::register(registry);
    }
}

impl IntoResponse for DetailBody {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}
