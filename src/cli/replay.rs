//! `assize replay`: the read model built anew from the first event, compared, or as it was in the past.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data_dir::{DataDir, DataDirError};
use crate::nats_server::Role;
use crate::projection::{self, ReplayError, ReplayStats, Until, Verification, View};

use super::connection::{NatsArgs, Reached};
use super::control::{self, Question};
use super::{DataArgs, Exit, output};

/// Arguments of `assize replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Change nothing: compare the read model byte for byte with one built anew.
    #[arg(long)]
    verify: bool,
    /// Change nothing: print the submissions as they stood after this sequence, or at this time (RFC 3339).
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "verify")]
    until: Option<Point>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

/// A point of the history.
#[derive(Debug, Clone, Copy)]
struct Point(Until);

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(sequence) = text.parse() {
            return Ok(Self(Until::Sequence(sequence)));
        }
        let time = text.parse::<Timestamp>();
        time.map(|time| Self(Until::Time(time)))
            .map_err(|_| "is neither a sequence nor a time like 2026-11-23T12:00:00Z".to_owned())
    }
}

/// What a replay came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The sequence that the model is true at.
    sequence: u64,
    /// How many events were folded.
    events: u64,
    elapsed_ms: u64,
    events_per_second: u64,
    /// Digest of all keys and values, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// Digest of the model built anew, where two were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rebuilt_digest: Option<String>,
    /// The first difference, where two were compared and differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
}

impl Outcome {
    pub(crate) fn rebuilt(stats: &ReplayStats, digest: Option<String>) -> Self {
        Self {
            sequence: stats.sequence,
            events: stats.events,
            elapsed_ms: stats.elapsed.as_millis() as u64,
            events_per_second: stats.events_per_second() as u64,
            digest,
            rebuilt_digest: None,
            difference: None,
        }
    }

    pub(crate) fn verified(verification: &Verification) -> Self {
        Self {
            rebuilt_digest: Some(verification.rebuilt_digest.to_string()),
            difference: verification.difference.clone(),
            ..Self::rebuilt(&verification.rebuilt, Some(verification.digest.to_string()))
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, events, elapsed_ms, events_per_second, .. } = self;
        write!(
            f,
            "{events} events in {elapsed_ms} ms ({events_per_second} per second), up to sequence {sequence}"
        )?;
        if let Some(digest) = &self.digest {
            write!(f, "\ndigest {digest}")?;
        }
        match (&self.rebuilt_digest, &self.difference) {
            (Some(_), None) => write!(f, "\nequal byte for byte"),
            (Some(rebuilt), Some(difference)) => write!(f, "\nrebuilt {rebuilt}\nDIFFERENT: {difference}"),
            (None, _) => Ok(()),
        }
    }
}

pub(crate) async fn run(args: ReplayArgs) -> anyhow::Result<Exit> {
    let root = args.data.root()?;
    if let Some(Point(until)) = args.until {
        return past(&args, &root, until).await;
    }
    // With a named server nobody else on this host need be running, but the read model may be in use all the same.
    let in_use = match root.exists().then(|| DataDir::lock(&root)) {
        Some(Err(DataDirError::Held { .. })) => true,
        Some(Err(error)) => return Err(error.into()),
        Some(Ok(_)) | None => false,
    };
    let outcome = if in_use {
        control::ask(&root, if args.verify { Question::Verify } else { Question::Rebuild }).await?
    } else {
        let reached = Reached::existing(&root, &args.nats, Role::Api).await?;
        let outcome = offline(&reached, &root, args.verify).await;
        reached.leave().await;
        match outcome {
            // An answer: the two are not equal, and nothing has failed.
            Err(error @ ReplayError::OtherHistory { .. }) => {
                eprintln!("assize: {error}; `assize replay` builds it anew");
                return Ok(Exit::No);
            }
            outcome => outcome?,
        }
    };
    match args.json {
        true => output::json_line(&outcome)?,
        false => output::line(&outcome.to_string())?,
    }
    Ok(if outcome.difference.is_none() { Exit::Done } else { Exit::No })
}

async fn offline(reached: &Reached, root: &std::path::Path, verify: bool) -> Result<Outcome, ReplayError> {
    if verify {
        return Ok(Outcome::verified(&projection::verify_offline(&reached.store, root).await?));
    }
    let (stats, digest) = projection::rebuild_offline(&reached.store, root).await?;
    Ok(Outcome::rebuilt(&stats, Some(digest.to_string())))
}

/// Folds the history up to a point into a model of its own and prints what it holds.
async fn past(args: &ReplayArgs, root: &std::path::Path, until: Until) -> anyhow::Result<Exit> {
    let reached = Reached::existing(root, &args.nats, Role::Api).await?;
    let folder = tempfile::Builder::new().prefix("assize-replay-").tempdir()?;
    let built = match until {
        // A point that has not come yet would be waited for.
        Until::Sequence(sequence) => {
            let last = reached.store.last_sequence().await?;
            projection::build_until(
                &reached.store,
                &folder.path().join("model"),
                Until::Sequence(sequence.min(last)),
            )
            .await
        }
        Until::Time(_) => projection::build_until(&reached.store, &folder.path().join("model"), until).await,
    };
    reached.leave().await;
    let (model, stats) = built?;
    let outcome = Outcome::rebuilt(&stats, Some(model.digest()?.to_string()));
    print_submissions(&model.view(), args.json)?;
    match args.json {
        true => output::json_line(&outcome)?,
        false => output::line(&outcome.to_string())?,
    }
    Ok(Exit::Done)
}

/// A submission as it stood.
#[derive(Debug, Serialize)]
struct Row {
    rank: u64,
    id: String,
    problem: String,
    user: String,
    language: String,
    submitted_at: String,
    verdict: Option<String>,
}

fn print_submissions(view: &View<'_>, json: bool) -> anyhow::Result<()> {
    let mut rank = 0;
    while let Some(id) = view.submission_of_rank(rank + 1)? {
        rank += 1;
        let Some(row) = view.submission(id)? else { continue };
        let row = Row {
            rank,
            id: id.to_string(),
            problem: row.problem.to_string(),
            user: row.user.to_string(),
            language: row.language.to_string(),
            submitted_at: row.submitted_at.timestamp().to_string(),
            verdict: row.verdict().map(|verdict| verdict.to_string()),
        };
        if json {
            output::json_line(&row)?;
            continue;
        }
        let verdict = row.verdict.as_deref().unwrap_or("-");
        output::line(&format!(
            "{rank:>6}  {}  {}  {verdict:3}  {}  {}  {}",
            row.id, row.submitted_at, row.problem, row.language, row.user
        ))?;
    }
    Ok(())
}
