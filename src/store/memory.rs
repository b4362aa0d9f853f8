//! The history in memory, for tests of what stands above the store; the contract test holds it to JetStream's ways.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::event::{Envelope, Recorded};

use super::{Address, Aggregate, AppendError, EventStore, StoreError};

/// A history that lives as long as the value.
#[derive(Debug, Default)]
pub struct MemoryStore {
    events: Mutex<Vec<(Aggregate, Recorded)>>,
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn load(&self, aggregate: &Aggregate) -> Result<Vec<Recorded>, StoreError> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(events.iter().filter(|(of, _)| of == aggregate).map(|(_, recorded)| recorded.clone()).collect())
    }

    async fn append(
        &self,
        address: &Address,
        expected: u64,
        envelope: &Envelope,
    ) -> Result<u64, AppendError> {
        self.append_all(address, expected, std::slice::from_ref(envelope)).await
    }

    async fn append_all(
        &self,
        address: &Address,
        expected: u64,
        envelopes: &[Envelope],
    ) -> Result<u64, AppendError> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = events.iter().rev().find(|(of, _)| *of == address.aggregate).map(|(_, recorded)| recorded);
        match (tail, envelopes.last()) {
            (Some(tail), Some(last)) if tail.envelope.id == last.id && tail.envelope.event == last.event => {
                return Ok(tail.sequence);
            }
            (tail, _) if tail.map_or(0, |tail| tail.sequence) != expected => {
                return Err(AppendError::Conflict { expected });
            }
            _ => {}
        }
        let mut sequence = expected;
        for envelope in envelopes {
            sequence = events.len() as u64 + 1;
            events.push((address.aggregate.clone(), Recorded { sequence, envelope: envelope.clone() }));
        }
        Ok(sequence)
    }
}
