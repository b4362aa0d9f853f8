//! The sandbox's own failures: never a verdict about a program.

use std::io;

use bincode::{Decode, Encode};

/// Something of ours failed. The program that was to run is not to blame, and the caller may try again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The keeper's executable could not be started.
    #[error("starting the keeper `{binary}` failed")]
    StartKeeper {
        /// The executable.
        binary: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The job or the run cannot be carried out as described.
    #[error("the job is not valid: {0}")]
    InvalidJob(String),
    /// The host lacks a layer that the policy requires.
    #[error("this host lacks the layer {layer}, which the policy requires: {found}; to cure it: {cure}")]
    MissingLayer {
        /// Its name, as in [`crate::Layer`].
        layer: String,
        /// What was found instead.
        found: String,
        /// What an operator can do.
        cure: String,
    },
    /// A step of preparing or running failed inside the sandbox.
    #[error("{step} failed")]
    Step {
        /// The operation and the thing it was done to.
        step: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Talking to the keeper or a slot failed.
    #[error("{operation} failed")]
    Channel {
        /// What was being sent or received.
        operation: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The slot or the keeper died or did not answer; it has been replaced if the keeper lives.
    #[error("the sandbox was lost while {during}")]
    Lost {
        /// What it was doing.
        during: &'static str,
    },
}

/// A failure as it travels from a slot to the judge.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) enum Failure {
    /// A step failed with an `errno`.
    Step { step: String, errno: i32 },
    /// The job is not valid.
    InvalidJob(String),
    /// A required layer is missing.
    MissingLayer { layer: String, found: String, cure: String },
}

impl Failure {
    /// A failed step, from the error of the call that failed.
    pub(crate) fn step(step: impl Into<String>, source: &io::Error) -> Self {
        Failure::Step { step: step.into(), errno: source.raw_os_error().unwrap_or(0) }
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Step { step, errno } => {
                SandboxError::Step { step, source: io::Error::from_raw_os_error(errno) }
            }
            Failure::InvalidJob(what) => SandboxError::InvalidJob(what),
            Failure::MissingLayer { layer, found, cure } => SandboxError::MissingLayer { layer, found, cure },
        }
    }
}
