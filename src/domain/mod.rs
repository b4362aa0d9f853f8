//! The rules of the judge, pure: ids, events, commands, `decide` and `evolve`, verdicts.
//!
//! Nothing here knows NATS, sled, HTTP or the sandbox; there is no clock, no randomness and no I/O, so that the
//! same events give the same state wherever and whenever they are read.

pub mod default_validator;
pub mod event;
pub mod ids;
pub mod problem;
pub mod scoring;
pub mod submission;
pub mod testlib_checkers;
pub mod verdict;
