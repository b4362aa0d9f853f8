//! Confines one program: a spec in, a report out.
//!
//! A caller starts a [`Keeper`], takes a [`Slot`] for each program that is to run at once, opens a [`Session`] for a
//! [`Job`] and runs it any number of times; each run gives an [`Outcome`]. A failure of the sandbox itself is a
//! [`SandboxError`] and never says anything about the program.
//!
//! ```no_run
//! use assize_sandbox::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut keeper = Keeper::start(KeeperConfig {
//!     binary: "/usr/bin/assize-sandbox".into(),
//!     slots: 1,
//!     pin: true,
//!     policy: Policy::default(),
//! })?;
//! let mut slot = keeper.take_slot().ok_or("no slot")?;
//! let job = Job {
//!     profile: Profile::Run,
//!     root: ["/usr", "/lib", "/lib64"].map(Into::into).to_vec(),
//!     files: vec![JobFile {
//!         name: "main.py".into(),
//!         content: SealedFile::from_bytes("main.py", b"print(input())")?,
//!         executable: false,
//!     }],
//!     directories: Vec::new(),
//!     needs: Needs::default(),
//!     argv: ["/usr/bin/python3", "-ISB", "main.py"].map(Into::into).to_vec(),
//!     env: Vec::new(),
//!     warm: false,
//! };
//! let mut session = slot.open(&job)?;
//! let input = SealedFile::from_bytes("input", b"hello\n")?;
//! let outcome = session.run(&RunSpec::new(Stdin::Sealed(&input), Limits::run(1000)))?;
//! assert_eq!(outcome.report.end, End::Finished);
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

pub mod bench;
mod cell;
mod cgroup;
mod child;
pub mod cli;
mod client;
mod collect;
mod confine;
pub mod doctor;
mod error;
mod job;
mod keeper;
mod pair;
mod policy;
mod report;
mod root;
mod run;
mod sealed;
mod seccomp;
mod session;
#[expect(unsafe_code, reason = "the one place for it")]
mod sys;
mod waiting;
mod warden;
mod warm;
mod wire;

pub use client::{Canceller, Keeper, KeeperConfig, Slot};
pub use doctor::HostFacts;
pub use error::SandboxError;
pub use job::{Collect, CollectAll, Job, JobFile, Limits, Needs, Profile, RunSpec, Stdin};
pub use pair::{Half, PairOutcome, Partner, run_pair};
pub use policy::Policy;
pub use report::{CollectFailure, End, Exit, Layer, MemoryMeter, Outcome, Report, Uncollected};
pub use sealed::SealedFile;
pub use session::Session;
