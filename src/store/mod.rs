//! The history's store: one way to append and to load, kept by JetStream (`jetstream`) and by memory (`memory`).
//!
//! Everything that knows subjects, headers or the wire format is in this module; what an event means is the
//! domain's business. An append is conditional on the last sequence that its writer saw for the aggregate and
//! idempotent by the event's id, so that a retry after an unknown outcome is always safe.

pub mod blobs;
pub mod claims;
pub mod codec;
pub mod export;
pub mod jetstream;
pub mod memory;
pub mod presence;
pub mod subject;

use std::path::PathBuf;

use async_trait::async_trait;

use crate::domain::event::{Envelope, Recorded};

pub use subject::{Address, Aggregate};

/// An event in the stream with the subject that it lies under.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The subject.
    pub subject: String,
    /// The event with its sequence.
    pub recorded: Recorded,
}

/// Why an append did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote to the aggregate since `expected` was read. Load again and decide again.
    #[error("the history of the aggregate went on past sequence {expected}")]
    Conflict {
        /// The sequence that the writer had seen.
        expected: u64,
    },
    /// The store could not answer in time, or refused for a reason of its own.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store failed: never a refusal of the domain's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer in time: the server is unreachable, has no leader, or is overloaded. The caller may retry.
    #[error("the event store did not answer: {operation}")]
    Unavailable {
        /// What was tried, with its subject.
        operation: String,
        /// The last failure.
        #[source]
        source: Option<async_nats::Error>,
    },
    /// What was to be stored is larger than the server takes. Trying again does not help.
    #[error("{operation} is larger than the event store takes")]
    TooLarge {
        /// What was tried, with its subject.
        operation: String,
    },
    /// The server refused: out of space, or no permission.
    #[error("the event store refused {operation}: {description} (code {code})")]
    Refused {
        /// What was tried, with its subject.
        operation: String,
        /// JetStream's error code.
        code: u64,
        /// JetStream's description.
        description: String,
    },
    /// A message of the stream cannot be read.
    #[error("the event at sequence {sequence} is damaged")]
    Damaged {
        /// Its sequence, 0 where even that cannot be read.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: codec::CodecError,
    },
    /// A sequence is missing: events are never deleted, so this is damage.
    #[error("the history jumps from sequence {from} to {to}")]
    Gap {
        /// The last sequence before the gap.
        from: u64,
        /// The first after it.
        to: u64,
    },
    /// A blob or an object is not there.
    #[error("{what} does not exist in the store")]
    Missing {
        /// Which blob or object.
        what: String,
    },
    /// What came or was to go could not be written or read on this side.
    #[error("`{path}` could not be written or read")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The bytes that came are not the ones that the digest names.
    #[error("{what} does not have the digest that names it")]
    Corrupt {
        /// Which blob or object.
        what: String,
    },
}

/// Appending to the history and reading one aggregate of it.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// The events of an aggregate in order, up to date with every append acknowledged before the call.
    async fn load(&self, aggregate: &Aggregate) -> Result<Vec<Recorded>, StoreError>;

    /// Appends an event and returns its sequence, provided that the aggregate's last event still has the sequence
    /// `expected` (0 where it has none). An event that is stored already is acknowledged again.
    async fn append(&self, address: &Address, expected: u64, envelope: &Envelope)
    -> Result<u64, AppendError>;

    /// Appends events of one aggregate in order and returns the sequence of the last, or `expected` where there are
    /// none; conditional on the first as [`EventStore::append`] is. Dearer than that for a few events and cheaper for
    /// many. After a conflict nothing of them is stored, after a failure perhaps a beginning.
    async fn append_all(
        &self,
        address: &Address,
        expected: u64,
        envelopes: &[Envelope],
    ) -> Result<u64, AppendError>;
}
