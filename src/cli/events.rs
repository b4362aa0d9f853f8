//! `assize events export`, `import` and `tail`: the history as lines of CloudEvents in JSON.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::ids::{ProblemId, SubmissionId, UserId};
use crate::error_chain::chain;
use crate::nats_server::Role;
use crate::store::codec::StructuredEvent;
use crate::store::export::{self, ExportError, FileState};
use crate::store::subject::Filter;
use crate::streams;

use super::connection::{NatsArgs, Reached, ReplicasArgs};
use super::{DataArgs, Exit, Usage, output};

/// What to do with the history.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Write the history to a file, or append to a file what came since.
    Export(ExportArgs),
    /// Load a history into an empty event store, or continue an import that was cut off.
    Import(ImportArgs),
    /// Print events, the old ones and then the new ones as they come.
    Tail(TailArgs),
}

/// Arguments of `assize events export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file; `-` is standard output. One that exists is continued after its last event.
    file: PathBuf,
    /// The first sequence; by default the one after the file's last, else 1.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The last sequence; by default that of the history now.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Leave out the sources, samples and packages that the events name.
    #[arg(long)]
    events_only: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Arguments of `assize events import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// Accept events whose sources, samples or packages are nowhere.
    #[arg(long)]
    events_only: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    replicas: ReplicasArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Arguments of `assize events tail`.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Start at this sequence.
    #[arg(long, value_name = "SEQ", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// Start with the next event to come.
    #[arg(long, conflicts_with = "from")]
    new: bool,
    /// End at the last event that there is now.
    #[arg(long, conflicts_with = "new")]
    no_follow: bool,
    /// Only this problem and its submissions.
    #[arg(long, value_name = "PROBLEM")]
    problem: Option<ProblemId>,
    /// Only this user's submissions.
    #[arg(long, value_name = "USER")]
    user: Option<UserId>,
    /// Only this submission.
    #[arg(long, value_name = "ID")]
    submission: Option<SubmissionId>,
    /// Only what ends a judging: verdicts, and failures of ours.
    #[arg(long)]
    verdicts: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

pub(crate) async fn run(command: EventsCommand) -> anyhow::Result<Exit> {
    match command {
        EventsCommand::Export(args) => export(args).await,
        EventsCommand::Import(args) => import(args).await,
        EventsCommand::Tail(args) => tail(args).await,
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<Exit> {
    let to_stdout = args.file == Path::new("-");
    let (mut file, mut state) = match to_stdout {
        true => (None, FileState::default()),
        false => match open_for_export(&args.file) {
            Ok((file, state)) => (Some(file), state),
            Err(error) => return refused(&args.file, error),
        },
    };
    let from = match (args.from, state.last_sequence) {
        (None, last) => last + 1,
        (Some(from), 0) => from,
        (Some(from), last) if from == last + 1 => from,
        (Some(from), last) => {
            let file = args.file.display();
            return Err(Usage(format!(
                "{file} ends at sequence {last}, so it cannot be continued from {from}; leave --from away, or \
                 name another file"
            ))
            .into());
        }
    };
    let reached = Reached::existing(&args.data.root()?, &args.nats, Role::Api).await?;
    let last = reached.store.last_sequence().await?;
    let to = args.to.map_or(last, |to| to.min(last));
    let bar = output::progress(
        (to + 1).saturating_sub(from),
        "{spinner} {pos}/{len} events [{bar:24}] {per_sec} {eta}",
        to_stdout,
    );
    let told = |sequence: u64| bar.set_position(sequence + 1 - from);
    let exported = match &mut file {
        Some(file) => {
            let mut writer = BufWriter::new(file);
            export::export(&reached.store, &mut state, (from, to), args.events_only, &mut writer, told).await
        }
        None => {
            let writer = BufWriter::new(io::stdout());
            export::export(&reached.store, &mut state, (from, to), args.events_only, writer, told).await
        }
    };
    bar.finish_and_clear();
    reached.leave().await;
    if let Err(error) = exported {
        return refused(&args.file, error);
    }
    if let Some(file) = file {
        file.sync_all().with_context(|| format!("cannot write {}", args.file.display()))?;
    }
    if args.to.is_some_and(|to| to > last) {
        eprintln!("the history ends at sequence {last}");
    }
    if !to_stdout {
        eprintln!("{}: events up to sequence {}", args.file.display(), state.last_sequence);
    }
    Ok(Exit::Done)
}

/// The file, with what it has, cut after its last whole line and ready to be continued.
fn open_for_export(path: &Path) -> Result<(File, FileState), ExportError> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let state = FileState::read(BufReader::new(&file))?;
    file.set_len(state.whole_bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, state))
}

/// A file that is to blame is an answer; everything else is a failure.
fn refused(file: &Path, error: ExportError) -> anyhow::Result<Exit> {
    if error.is_about_the_file() {
        eprintln!("assize: {}: {}", file.display(), chain(&error));
        return Ok(Exit::No);
    }
    Err(anyhow::Error::new(error).context(file.display().to_string()))
}

async fn import(args: ImportArgs) -> anyhow::Result<Exit> {
    let (file, size_bytes): (Box<dyn io::Read>, u64) = if args.file == Path::new("-") {
        (Box::new(io::stdin()), 0)
    } else {
        let file = File::open(&args.file)
            .map_err(|error| Usage(format!("cannot read {}: {error}", args.file.display())))?;
        let size_bytes = file.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(file), size_bytes)
    };
    let bar = output::progress(size_bytes, "{spinner} {bytes}/{total_bytes} [{bar:24}] {msg} {eta}", false);
    let reached = Reached::existing_or_new(&args.data.root()?, &args.nats, Role::Admin).await?;
    streams::create_or_verify(&reached.store, args.replicas.replicas)
        .await
        .context("the event store is not as it must be")?;
    let told = |sequence: u64| bar.set_message(format!("{sequence} events"));
    let file = BufReader::new(bar.wrap_read(file));
    let imported = export::import(&reached.store, file, args.events_only, told).await;
    bar.finish_and_clear();
    reached.leave().await;
    match imported {
        Ok(imported) if args.json => output::json_line(&imported)?,
        Ok(imported) => eprintln!(
            "{} events were here, {} were added; the history ends at sequence {}",
            imported.present, imported.added, imported.last_sequence
        ),
        Err(error) => {
            if args.json {
                output::json_line(&json!({ "error": chain(&error) }))?;
            }
            return refused(&args.file, error);
        }
    }
    Ok(Exit::Done)
}

async fn tail(args: TailArgs) -> anyhow::Result<Exit> {
    let filter = Filter {
        problem: args.problem,
        user: args.user,
        submission: args.submission,
        verdicts_only: args.verdicts,
    };
    let reached = Reached::running(&args.data.root()?, &args.nats, Role::Api).await?;
    let last = reached.store.last_sequence().await?;
    let from = if args.new { last + 1 } else { args.from };
    if args.no_follow && from > last {
        return Ok(Exit::Done);
    }
    let mut events = reached.store.follow(from);
    while let Some(batch) = events.recv().await {
        let mut stdout = BufWriter::new(io::stdout().lock());
        for stored in batch? {
            if filter.matches(&stored.subject) {
                serde_json::to_writer(&mut stdout, &StructuredEvent::from(&stored))
                    .map_err(io::Error::from)?;
                stdout.write_all(b"\n")?;
            }
            if args.no_follow && stored.recorded.sequence >= last {
                stdout.flush()?;
                return Ok(Exit::Done);
            }
        }
        stdout.flush()?;
    }
    Ok(Exit::Fault)
}
