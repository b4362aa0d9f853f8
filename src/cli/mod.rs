//! The commands that a person types: one file each, and here what they have in common.
//!
//! Exit codes: 0 done (for `submit` and `verify`: accepted, as expected), 1 not so, 2 wrong usage, 3 a server
//! cannot be reached, 4 not allowed, 5 our fault.

mod bench;
mod completions;
mod connection;
mod control;
mod doctor;
mod events;
mod import;
mod languages;
mod openapi;
mod output;
mod problem;
mod replay;
mod streams;
mod submit;
mod up;
mod verify;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::error_chain::chain;
use crate::store::StoreError;
use crate::streams::StreamsError;

/// An event-sourced judge for competitive programming.
#[derive(Debug, Parser)]
#[command(name = "assize", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything: a private nats-server unless --nats is given, the API, the projection and the workers.
    Up(up::UpArgs),
    /// Start the API with its projection against an existing NATS server or cluster.
    Serve(up::ServeArgs),
    /// Start judging workers against an existing NATS server or cluster.
    Worker(up::WorkerArgs),
    /// Verify or publish problem packages.
    #[command(subcommand)]
    Problem(problem::ProblemCommand),
    /// Save, load and follow the history.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Create or verify the streams and consumers of the history.
    #[command(subcommand)]
    Streams(streams::StreamsCommand),
    /// Submit a program and follow its judging; the exit code says the verdict.
    Submit(submit::SubmitArgs),
    /// Build the read model anew from the history, compare it, or look at the past.
    Replay(replay::ReplayArgs),
    /// List the languages, name what to install for them, and try them out.
    #[command(subcommand)]
    Languages(languages::LanguagesCommand),
    /// Say what this host can do for judging, and the cure for each lack.
    Doctor(doctor::DoctorArgs),
    /// Measure what the judge costs, as ratios to the bare thing.
    Bench(bench::BenchArgs),
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Print the completions of a shell.
    Completions(completions::CompletionsArgs),
}

/// Where data lie.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataArgs {
    /// The data directory: the private server's history, the read model, the caches.
    #[arg(long, value_name = "DIR", env = "ASSIZE_DATA")]
    data: Option<PathBuf>,
}

impl DataArgs {
    /// The data directory, by default in the user's data folder.
    pub(crate) fn root(&self) -> anyhow::Result<PathBuf> {
        match &self.data {
            Some(root) => Ok(root.clone()),
            None => Ok(crate::data_dir::DataDir::default_root()?),
        }
    }
}

/// What a command ends with when it did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is as it should be.
    Done,
    /// The answer is no: not accepted, not as expected, not equal.
    No,
    /// Wrong usage.
    Usage,
    /// A server cannot be reached.
    Unreachable,
    /// Not allowed.
    Forbidden,
    /// Our own fault.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Forbidden => 4,
            Exit::Fault => 5,
        })
    }
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Roles tell what they do; a command's words are its output, and only what went wrong comes beside them.
    let default = match &cli.command {
        Command::Up(_) | Command::Serve(_) | Command::Worker(_) => "warn,assize=info",
        _ => "error",
    };
    let filter = EnvFilter::try_from_env("ASSIZE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let result = match cli.command {
        Command::Up(args) => block_on(up::up(args)),
        Command::Serve(args) => block_on(up::serve(args)),
        Command::Worker(args) => block_on(up::worker(args)),
        Command::Problem(command) => block_on(problem::run(command)),
        Command::Events(command) => block_on(events::run(command)),
        Command::Streams(command) => block_on(streams::run(command)),
        Command::Submit(args) => block_on(submit::run(args)),
        Command::Replay(args) => block_on(replay::run(args)),
        Command::Languages(command) => block_on(languages::run(command)),
        Command::Doctor(args) => block_on(doctor::run(args)),
        Command::Bench(args) => block_on(bench::run(args)),
        Command::Openapi => openapi::print(),
        Command::Completions(args) => completions::print(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            eprintln!("assize: {}", chain(error.as_ref()));
            exit_of(&error).into()
        }
    }
}

/// What the person typed cannot be meant, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// No server can be reached, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(pub(crate) String);

/// The server refused who we are, in its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Forbidden(pub(crate) String);

/// The exit code of a failure: whose fault is it?
fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Usage>() {
            return Exit::Usage;
        }
        let is_auth = cause.downcast_ref::<async_nats::ConnectError>().is_some_and(|error| {
            use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation};
            matches!(error.kind(), Authentication | AuthorizationViolation)
        });
        let not_permitted = matches!(cause.downcast_ref(), Some(StreamsError::NotPermitted { .. }));
        if is_auth || not_permitted || cause.is::<Forbidden>() {
            return Exit::Forbidden;
        }
        let unavailable = matches!(cause.downcast_ref(), Some(StoreError::Unavailable { .. }));
        if unavailable || cause.is::<Unreachable>() || cause.is::<async_nats::ConnectError>() {
            return Exit::Unreachable;
        }
    }
    Exit::Fault
}

/// Whether nobody reads our output any more, as after `| head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn block_on(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
