//! `assize problem verify` and `publish`: what the owners of problem packages run.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::error_chain::chain;
use crate::judge::Judge;
use crate::languages::Languages;
use crate::nats_server::Role;
use crate::problems::{self, Mode, Opened, PackageError, Warning};
use crate::publish::{self, PublishError};
use crate::store::jetstream::JetStreamStore;
use crate::verify::{self, Entry, Progress, Verified};
use crate::worker::launch::Launcher;
use crate::worker::offers::{self, Offers};
use crate::worker::packages::JudgePackage;

use super::connection::NatsArgs;
use super::output::{self, Colour, paint};
use super::{DataArgs, Exit, Usage};

/// How long publishing goes on trying to reach the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do with problem packages.
#[derive(Debug, Subcommand)]
pub(crate) enum ProblemCommand {
    /// Judge every jury submission of the packages and compare with what its folder promises. Needs no server.
    Verify(VerifyArgs),
    /// Publish the packages: from then on new submissions are judged by them.
    Publish(PublishArgs),
}

/// Arguments of `assize problem verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Problem packages: folders, or archives (.zip, .kpp).
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Refuse packages that deviate from their format, instead of warning.
    #[arg(long)]
    strict: bool,
    /// Run all testcases, also where a promise is kept or broken already: finds what must never happen.
    #[arg(long)]
    all: bool,
    /// Print one JSON object per jury submission, and one per package that cannot be judged.
    #[arg(long)]
    json: bool,
    /// How many submissions are judged at once; by default one per core.
    #[arg(long, value_name = "N", env = "ASSIZE_SLOTS")]
    slots: Option<NonZeroUsize>,
    /// A folder of language files that add to the built-in ones or replace them.
    #[arg(long, value_name = "DIR", env = "ASSIZE_LANGUAGES")]
    languages: Option<PathBuf>,
}

/// Arguments of `assize problem publish`.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Problem packages: folders, or archives (.zip, .kpp).
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Print one JSON object per package.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

pub(crate) async fn run(command: ProblemCommand) -> anyhow::Result<Exit> {
    match command {
        ProblemCommand::Verify(args) => verify(args).await,
        ProblemCommand::Publish(args) => publish(args).await,
    }
}

/// A package to verify, or why it cannot be.
struct Loaded {
    folder: PathBuf,
    /// Where its files lie, for as long as they are needed.
    _opened: Option<Opened>,
    warnings: Vec<Warning>,
    package: Result<Arc<JudgePackage>, String>,
}

async fn verify(args: VerifyArgs) -> anyhow::Result<Exit> {
    for folder in &args.packages {
        if !folder.exists() {
            return Err(Usage(format!("{} does not exist", folder.display())).into());
        }
    }
    let languages = match &args.languages {
        Some(folder) => Languages::load(folder)?,
        None => Languages::embedded()?,
    };
    let mode = if args.strict { Mode::Strict } else { Mode::Lenient };
    let loaded =
        args.packages.iter().map(|folder| load(folder, mode)).collect::<anyhow::Result<Vec<Loaded>>>()?;
    let mut entries = Vec::new();
    let mut ends = Vec::new();
    for loaded in &loaded {
        if let Ok(package) = &loaded.package {
            entries.extend(
                package
                    .package
                    .jury_submissions
                    .iter()
                    .map(|submission| Entry { package: package.clone(), submission: submission.clone() }),
            );
        }
        ends.push(entries.len());
    }
    let entries = Arc::new(entries);
    let (told, progress) = mpsc::unbounded_channel();
    let judging = {
        let (entries, languages) = (entries.clone(), languages.clone());
        let (slots, all) = (args.slots, args.all);
        async move {
            if entries.is_empty() {
                return Ok(());
            }
            let cores = std::thread::available_parallelism();
            let slots = slots.or(cores.ok()).map_or(1, NonZeroUsize::get).min(entries.len());
            let launcher = tokio::task::spawn_blocking(move || Launcher::start(slots)).await??;
            let offers = offers_for(&entries, &languages, &launcher).await;
            verify::verify(&entries, &languages, &offers, launcher.slots(), all, &told).await;
            anyhow::Ok(())
        }
    };
    let (judged, tally) = tokio::join!(judging, report(&loaded, &entries, &ends, progress, args.json));
    let tally = tally?;
    judged?;
    if !args.json {
        output::line(&tally.to_string())?;
    }
    Ok(tally.exit())
}

/// The languages that the files may be of, self-tested.
async fn offers_for(entries: &[Entry], languages: &Languages, launcher: &Launcher) -> Offers {
    let needed: BTreeMap<&str, _> = entries
        .iter()
        .flat_map(|entry| &entry.submission.files)
        .filter_map(|file| languages.of_file(file))
        .map(|language| (language.id.as_str(), language))
        .collect();
    offers::find_among(needed.into_values(), launcher.slots()).await
}

fn load(folder: &Path, mode: Mode) -> anyhow::Result<Loaded> {
    let folder = folder.to_owned();
    let refused = |warnings, why: String| {
        Ok(Loaded { folder: folder.clone(), _opened: None, warnings, package: Err(why) })
    };
    let opened = problems::open(&folder);
    let loaded = opened.and_then(|opened| opened.load(mode).map(|loaded| (opened, loaded)));
    let (opened, loaded) = match loaded {
        Ok(loaded) => loaded,
        Err(PackageError::Deviations { warnings }) => {
            let why = format!("deviates from its format in {} places", warnings.len());
            return refused(warnings, why);
        }
        Err(error @ PackageError::Io { .. }) => {
            return Err(error).with_context(|| folder.display().to_string());
        }
        Err(error @ PackageError::Invalid { .. }) => return refused(Vec::new(), chain(&error)),
    };
    let asked: Vec<String> = loaded.package.unsupported().iter().map(ToString::to_string).collect();
    if !asked.is_empty() {
        let why = format!("needs what this judge cannot do yet: {}", asked.join("; "));
        return refused(loaded.warnings, why);
    }
    match JudgePackage::new(loaded.package, opened.root()) {
        Ok(package) => {
            let package = Ok(Arc::new(package));
            Ok(Loaded { folder, _opened: Some(opened), warnings: loaded.warnings, package })
        }
        Err(error) => refused(loaded.warnings, chain(&error)),
    }
}

/// What all of it came to.
#[derive(Debug, Default)]
struct Tally {
    kept: usize,
    broken: usize,
    skipped: usize,
    faults: usize,
    packages_refused: usize,
}

impl Tally {
    fn count(&mut self, verified: &Verified) {
        match (verified.fault, verified.ok) {
            (true, _) => self.faults += 1,
            (false, Some(true)) => self.kept += 1,
            (false, Some(false)) => self.broken += 1,
            (false, None) => self.skipped += 1,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self { faults: 1.., .. } => Exit::Fault,
            Self { broken: 1.., .. } | Self { packages_refused: 1.., .. } => Exit::No,
            // What was not judged was not verified, and a package without any submission says nothing either.
            Self { skipped: 1.., .. } | Self { kept: 0, .. } => Exit::No,
            _ => Exit::Done,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as expected", self.kept)?;
        for (count, what) in [
            (self.broken, "not as expected"),
            (self.skipped, "skipped"),
            (self.faults, "failed through our fault"),
            (self.packages_refused, "packages refused"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Prints what comes in the order of the packages and paths, whatever order it comes in.
async fn report(
    loaded: &[Loaded],
    entries: &[Entry],
    ends: &[usize],
    mut progress: mpsc::UnboundedReceiver<Progress>,
    json: bool,
) -> anyhow::Result<Tally> {
    let bar = output::progress(
        entries.len() as u64,
        "{spinner} {pos}/{len} submissions [{bar:24}] {elapsed} {msg}",
        false,
    );
    let mut tally = Tally::default();
    let mut done: BTreeMap<usize, Verified> = BTreeMap::new();
    let mut next = 0;
    let mut testcases = 0_u64;
    for (loaded, &end) in loaded.iter().zip(ends) {
        bar.suspend(|| print_package(loaded, json))?;
        tally.packages_refused += usize::from(loaded.package.is_err());
        let width = entries[next..end].iter().map(|entry| short(&entry.submission.path).len()).max();
        while next < end {
            if let Some(verified) = done.remove(&next) {
                tally.count(&verified);
                bar.suspend(|| print_submission(loaded, &verified, width.unwrap_or(0), json))?;
                next += 1;
                continue;
            }
            match progress.recv().await {
                Some(Progress::Testcase(index)) => {
                    testcases += 1;
                    bar.set_message(format!(
                        "{testcases} testcases, now {}",
                        short(&entries[index].submission.path)
                    ));
                }
                Some(Progress::Done(index, verified)) => {
                    bar.inc(1);
                    done.insert(index, *verified);
                }
                // Judging has failed as a whole, and says so itself.
                None => return Ok(tally),
            }
        }
    }
    bar.finish_and_clear();
    Ok(tally)
}

fn print_package(loaded: &Loaded, json: bool) -> anyhow::Result<()> {
    let folder = loaded.folder.display();
    if json {
        for warning in &loaded.warnings {
            eprintln!("{folder}/{warning}");
        }
        if let Err(error) = &loaded.package {
            output::json_line(&json!({ "package": folder.to_string(), "ok": false, "error": error }))?;
        }
        return Ok(());
    }
    match &loaded.package {
        Ok(package) => {
            let limits = &package.package.limits;
            output::line(&format!(
                "{folder}: {} ({} testcases, {} ms, {})",
                package.package.title(&["en"]),
                package.testcases.len(),
                limits.time_limit_ms,
                output::bytes(limits.memory_bytes)
            ))?;
        }
        Err(error) => output::line(&format!("{folder}: {} {error}", paint("refused:", Colour::Red)))?,
    }
    for warning in &loaded.warnings {
        output::line(&format!("  {} {folder}/{warning}", paint("warning:", Colour::Yellow)))?;
    }
    if loaded.package.as_ref().is_ok_and(|package| package.package.jury_submissions.is_empty()) {
        output::line("  there are no jury submissions, so nothing is verified")?;
    }
    Ok(())
}

fn print_submission(loaded: &Loaded, verified: &Verified, width: usize, json: bool) -> anyhow::Result<()> {
    if json {
        #[derive(Serialize)]
        struct Line<'a> {
            package: String,
            #[serde(flatten)]
            verified: &'a Verified,
        }
        let package = loaded.folder.display().to_string();
        return Ok(output::json_line(&Line { package, verified })?);
    }
    let mark = match (verified.fault, verified.ok) {
        (true, _) => paint("FAULT", Colour::Red),
        (false, Some(true)) => paint("ok   ", Colour::Green),
        (false, Some(false)) => paint("WRONG", Colour::Red),
        (false, None) => paint("skip ", Colour::Yellow),
    };
    let cpu_ms = verified.testcases.iter().map(|testcase| testcase.cpu_ms).max().unwrap_or(0);
    let memory_bytes = verified.testcases.iter().map(|testcase| testcase.memory_bytes).max().unwrap_or(0);
    let mut text = format!(
        "  {mark} {:width$}  {:3}  {cpu_ms:>6} ms  {:>8}  {}/{} testcases",
        short(&verified.path),
        verified.got.map_or("-", |verdict| verdict.code()),
        output::bytes(memory_bytes),
        verified.testcases.len(),
        verified.testcases_total,
    );
    if !verified.reason.is_empty() {
        text.push_str(&format!("\n        {}", verified.reason));
    }
    Ok(output::line(&text)?)
}

fn short(path: &str) -> &str {
    path.strip_prefix("submissions/").unwrap_or(path)
}

async fn publish(args: PublishArgs) -> anyhow::Result<Exit> {
    for folder in &args.packages {
        if !folder.exists() {
            return Err(Usage(format!("{} does not exist", folder.display())).into());
        }
    }
    let settings = args.nats.settings(&args.data.root()?, Role::Api)?;
    let store = JetStreamStore::connect(&settings, PATIENCE).await?;
    let judge = Judge::new(Arc::new(store.clone()), "/assize/cli");
    let mut exit = Exit::Done;
    for folder in &args.packages {
        let shown = folder.display();
        match publish::publish(&store, &judge, folder, Timestamp::now()).await {
            Ok(published) => {
                for warning in &published.warnings {
                    eprintln!("{shown}/{warning}");
                }
                let revision = &published.revision;
                if args.json {
                    output::json_line(&json!({
                        "folder": shown.to_string(), "ok": true, "problem": revision.problem,
                        "revision": revision.revision, "package": revision.package,
                        "sequence": published.sequence,
                    }))?;
                } else {
                    output::line(&format!(
                        "{shown}: problem {} is at revision {} ({} testcases)",
                        revision.problem, revision.revision, revision.testcases_total
                    ))?;
                }
            }
            Err(error @ (PublishError::Store(_) | PublishError::Judge(_))) => return Err(error.into()),
            Err(error) => {
                exit = Exit::No;
                if args.json {
                    output::json_line(
                        &json!({ "folder": shown.to_string(), "ok": false, "error": chain(&error) }),
                    )?;
                } else {
                    output::line(&format!("{shown}: {} {}", paint("refused:", Colour::Red), chain(&error)))?;
                }
            }
        }
    }
    Ok(exit)
}
