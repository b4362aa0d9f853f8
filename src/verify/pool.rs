//! The slots, lent to whoever asks first.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::worker::launch::SlotHandle;

/// Slots that are shared by everything that is verified at once.
pub struct Pool {
    free: Mutex<Vec<SlotHandle>>,
    permits: Semaphore,
}

impl Pool {
    /// A pool of these slots.
    pub fn new(slots: &[SlotHandle]) -> Self {
        Self { free: Mutex::new(slots.to_vec()), permits: Semaphore::new(slots.len()) }
    }

    /// A slot, as soon as one is free, in the order of asking. None where there are no slots.
    pub(super) async fn slot(&self) -> Option<Lent<'_>> {
        let permit = self.permits.acquire().await.ok()?;
        let slot = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Lent { pool: self, slot, _permit: permit })
    }
}

/// A slot that goes back when this is dropped.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    slot: SlotHandle,
    // Dropped after the slot is back.
    _permit: tokio::sync::SemaphorePermit<'a>,
}

impl std::ops::Deref for Lent<'_> {
    type Target = SlotHandle;

    fn deref(&self) -> &SlotHandle {
        &self.slot
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot.clone());
    }
}
