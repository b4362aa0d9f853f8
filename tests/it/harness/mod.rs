//! What the tests of this suite share.

pub(crate) mod api;
pub(crate) mod cli;
pub(crate) mod judge;
pub(crate) mod nats;
pub(crate) mod process;
