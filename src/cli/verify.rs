//! `assize problem verify`: the jury's submissions of packages against what is expected of them, without a server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::error_chain::chain;
use crate::languages::{Languages, OUTPUT};
use crate::problems::{self, Glob, JurySubmission, Mode, Opened, PackageError, Warning};
use crate::verify::{self, Bench, Finding, Options, Pool, Progress, TimeLimit, Verified};
use crate::worker::launch::Launcher;
use crate::worker::offers::{self, Offers};
use crate::worker::packages::JudgePackage;

use super::output::{self, Colour, paint};
use super::{DataArgs, Exit, Usage};

/// How many packages are judged at once: the next one begins where the last submissions of one leave slots idle.
const PACKAGES_AT_ONCE: usize = 2;

/// Arguments of `assize problem verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Problem packages: folders, or archives (.zip, .kpp).
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// Refuse packages that deviate from their format, instead of warning.
    #[arg(long)]
    strict: bool,
    /// Run all testcases, also where a submission has done what it must: finds what must never happen.
    #[arg(long)]
    all: bool,
    /// Do not check the data: no input validators, no examples of invalid data.
    #[arg(long)]
    no_inputs: bool,
    /// Only the submissions whose paths below submissions/ match: `*` within a name, `{a,b}`; a folder means all in it.
    #[arg(long, value_name = "GLOB")]
    submission: Option<String>,
    /// Only the testcases whose paths below data/ match. A time limit is derived from all of them all the same.
    #[arg(long, value_name = "GLOB")]
    testcase: Option<String>,
    /// A time limit in seconds of CPU time that takes the place of the packages'.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<u64>,
    /// A derived time limit is at least the slowest accepted submission times this, in place of what the packages say.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    ac_to_time_limit: Option<f64>,
    /// Submissions that must be too slow take at least the time limit times this, in place of what the packages say.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    time_limit_to_tle: Option<f64>,
    /// Print one JSON object per jury submission, with its `path`, and one per package behind them, without `path`.
    #[arg(long)]
    json: bool,
    /// How many submissions are judged at once; by default one per core.
    #[arg(long, value_name = "N", env = "ASSIZE_SLOTS")]
    slots: Option<NonZeroUsize>,
    /// A folder of language files that add to the built-in ones or replace them.
    #[arg(long, value_name = "DIR", env = "ASSIZE_LANGUAGES")]
    languages: Option<PathBuf>,
}

/// Seconds in milliseconds, rounded up.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    problems::parse_seconds(text)
}

pub(crate) fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse::<f64>().ok().filter(|factor| (1.0..=1_000.0).contains(factor));
    factor.ok_or_else(|| format!("{text:?} is not a factor (a number from 1 to 1000)"))
}

/// A package to verify, or why it cannot be.
struct Loaded {
    folder: PathBuf,
    /// Where its files lie, for as long as they are needed.
    _opened: Option<Opened>,
    warnings: Vec<Warning>,
    /// Taken when it is judged, so that what it holds in memory goes when that is done.
    package: Result<Option<JudgePackage>, String>,
    title: String,
    testcases_total: usize,
    memory_bytes: u64,
    submissions: Vec<JurySubmission>,
}

pub(crate) async fn run(args: VerifyArgs) -> anyhow::Result<Exit> {
    for folder in &args.packages {
        if !folder.exists() {
            return Err(Usage(format!("{} does not exist", folder.display())).into());
        }
    }
    let glob = |text: &Option<String>| text.as_ref().map(|text| Glob::parse(text).map_err(Usage)).transpose();
    let options = Options {
        all: args.all,
        time_limit_ms: args.time_limit,
        ac_to_time_limit: args.ac_to_time_limit,
        time_limit_to_tle: args.time_limit_to_tle,
        without_inputs: args.no_inputs,
        submissions: glob(&args.submission)?,
        testcases: glob(&args.testcase)?,
    };
    let languages = match &args.languages {
        Some(folder) => Languages::load(folder)?,
        None => Languages::embedded()?,
    };
    let languages = offers::preferring_installed(languages);
    let mode = if args.strict { Mode::Strict } else { Mode::Lenient };
    let mut loaded =
        args.packages.iter().map(|folder| load(folder, mode)).collect::<anyhow::Result<Vec<Loaded>>>()?;
    let submissions_total: usize = loaded
        .iter()
        .flat_map(|loaded| &loaded.submissions)
        .filter(|submission| is_selected(submission, &options))
        .count();
    let bar = output::progress(
        submissions_total as u64,
        "{spinner} {pos}/{len} submissions [{bar:24}] {elapsed} {msg}",
        false,
    );
    let mut report = Report { bar, json: args.json, tally: Tally::default(), testcases: 0 };
    // The data of a package are checked even where no submission is judged.
    let bench = if loaded.iter().all(|loaded| loaded.package.is_err()) {
        None
    } else {
        let cores = std::thread::available_parallelism();
        let slots = args.slots.or(cores.ok()).map_or(1, NonZeroUsize::get).min(submissions_total.max(1));
        let launcher = tokio::task::spawn_blocking(move || Launcher::start(slots)).await??;
        // Without a home there is nowhere to keep builds, and all is compiled every time.
        if let Ok(root) = args.data.root() {
            launcher.keep_builds(&root.join("cache/builds"));
        }
        let offers = offers_for(&loaded, &languages, &launcher).await;
        let bench = Bench { languages, offers, pool: Pool::new(launcher.slots()) };
        Some((launcher, Arc::new(bench)))
    };
    // Each package tells of itself on a channel of its own, and is reported in order.
    let mut started = VecDeque::new();
    let mut next = 0;
    for at in 0..loaded.len() {
        while next < loaded.len() && next < at + PACKAGES_AT_ONCE {
            let package = loaded[next].package.as_mut().ok().and_then(Option::take);
            let (told, progress) = mpsc::unbounded_channel();
            let judging = package.zip(bench.as_ref()).map(|(package, (_, bench))| {
                let (bench, options) = (bench.clone(), options.clone());
                tokio::spawn(async move {
                    verify::verify(&Arc::new(package), &bench, &options, &told).await;
                })
            });
            started.push_back((progress, judging));
            next += 1;
        }
        let Some((progress, judging)) = started.pop_front() else { break };
        report.package(&loaded[at], &options, progress).await?;
        if let Some(judging) = judging {
            judging.await?;
        }
    }
    report.bar.finish_and_clear();
    if !args.json {
        output::line(&report.tally.to_string())?;
    }
    Ok(report.tally.exit())
}

fn is_selected(submission: &JurySubmission, options: &Options) -> bool {
    let path = submission.path.strip_prefix("submissions/").unwrap_or(&submission.path);
    options.submissions.as_ref().is_none_or(|glob| glob.matches(path))
}

/// The languages that the files may be of, self-tested.
async fn offers_for(loaded: &[Loaded], languages: &Languages, launcher: &Launcher) -> Offers {
    let of_submission = |submission: &'_ JurySubmission| -> Vec<String> {
        match &submission.language {
            Some(code) => languages.get(code).map(|language| language.id.clone()).into_iter().collect(),
            None => submission
                .files
                .iter()
                .filter_map(|file| languages.of_file(file))
                .map(|l| l.id.clone())
                .collect(),
        }
    };
    let mut needed: BTreeSet<String> =
        loaded.iter().flat_map(|loaded| &loaded.submissions).flat_map(of_submission).collect();
    let takes_answers = |loaded: &Loaded| {
        loaded.package.as_ref().is_ok_and(|package| package.as_ref().is_some_and(JudgePackage::takes_answers))
    };
    needed.extend(loaded.iter().any(takes_answers).then(|| OUTPUT.to_owned()));
    offers::find_among(needed.iter().filter_map(|id| languages.get(id)), launcher.slots()).await
}

fn load(folder: &Path, mode: Mode) -> anyhow::Result<Loaded> {
    let broken = |warnings, what: String| Loaded {
        folder: folder.to_owned(),
        _opened: None,
        warnings,
        package: Err(what),
        title: String::new(),
        testcases_total: 0,
        memory_bytes: 0,
        submissions: Vec::new(),
    };
    let opened = problems::open(folder);
    let (opened, loaded) = match opened.and_then(|opened| opened.load(mode).map(|loaded| (opened, loaded))) {
        Ok(loaded) => loaded,
        Err(PackageError::Deviations { warnings }) => {
            let what = format!("deviates from its format in {} places", warnings.len());
            return Ok(broken(warnings, what));
        }
        Err(PackageError::Broken { faults }) => {
            let what = format!("is broken in {} places", faults.len());
            return Ok(broken(faults, what));
        }
        Err(error @ PackageError::Io { .. }) => {
            return Err(error).with_context(|| folder.display().to_string());
        }
        Err(error @ PackageError::Invalid { .. }) => return Ok(broken(Vec::new(), chain(&error))),
    };
    match JudgePackage::new(loaded.package, opened.root()) {
        Ok(package) => Ok(Loaded {
            folder: folder.to_owned(),
            _opened: Some(opened),
            warnings: loaded.warnings,
            title: package.package.title(&["en"]).to_owned(),
            testcases_total: package.package.testcases_total(),
            memory_bytes: package.package.limits.memory_bytes,
            submissions: package.package.jury_submissions.clone(),
            package: Ok(Some(package)),
        }),
        Err(error) => Ok(broken(loaded.warnings, chain(&error))),
    }
}

/// What all of it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Tally {
    kept: usize,
    broken: usize,
    skipped: usize,
    faults: usize,
    sensitive: usize,
    package_errors: usize,
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
        self.sensitive += usize::from(verified.sensitive);
    }

    fn add(&mut self, other: Tally) {
        self.kept += other.kept;
        self.broken += other.broken;
        self.skipped += other.skipped;
        self.faults += other.faults;
        self.sensitive += other.sensitive;
        self.package_errors += other.package_errors;
        self.packages_refused += other.packages_refused;
    }

    fn exit(&self) -> Exit {
        match self {
            Self { faults: 1.., .. } => Exit::Fault,
            Self { broken: 1.., .. }
            | Self { package_errors: 1.., .. }
            | Self { packages_refused: 1.., .. } => Exit::No,
            // What was not judged was not verified, and a package without any submission says nothing either.
            Self { skipped: 1.., .. } | Self { kept: 0, .. } => Exit::No,
            _ => Exit::Done,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as expected", self.kept)?;
        if self.sensitive > 0 {
            write!(f, " ({} sensitive to the time limit)", self.sensitive)?;
        }
        for (count, what) in [
            (self.broken, "not as expected"),
            (self.skipped, "skipped"),
            (self.faults, "failed through our fault"),
            (self.package_errors, "errors in packages"),
            (self.packages_refused, "packages refused"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Prints what comes, in the order of the packages and paths, whatever order it comes in.
struct Report {
    bar: ProgressBar,
    json: bool,
    tally: Tally,
    testcases: u64,
}

/// What is said of a package behind its submissions.
#[derive(Serialize)]
struct PackageLine<'a> {
    package: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_limit: Option<&'a TimeLimit>,
    warnings: Vec<String>,
    findings: &'a [Finding],
    tally: Tally,
}

impl Report {
    async fn package(
        &mut self,
        loaded: &Loaded,
        options: &Options,
        mut progress: mpsc::UnboundedReceiver<Progress>,
    ) -> anyhow::Result<()> {
        let selected: Vec<&str> = (loaded.submissions.iter())
            .filter(|submission| is_selected(submission, options))
            .map(|submission| submission.path.as_str())
            .collect();
        let width = selected.iter().map(|path| short(path).chars().count()).max().unwrap_or(0);
        let mut tally = Tally::default();
        let mut time_limit = None;
        let mut findings = Vec::new();
        let mut done: BTreeMap<String, Verified> = BTreeMap::new();
        let mut next = selected.iter();
        let mut awaited = next.next();
        while let Some(progress) = progress.recv().await {
            match progress {
                Progress::Testcase(path) => {
                    self.testcases += 1;
                    self.bar.set_message(format!("{} testcases, now {}", self.testcases, short(&path)));
                }
                Progress::TimeLimit(limit) => {
                    if !self.json {
                        self.bar.suspend(|| print_package(loaded, Some(&limit)))?;
                    }
                    time_limit = Some(limit);
                }
                Progress::Finding(finding) => findings.push(finding),
                Progress::Done(verified) => {
                    self.bar.inc(1);
                    done.insert(verified.path.clone(), *verified);
                }
            }
            while let Some(verified) = awaited.and_then(|path| done.remove(*path)) {
                tally.count(&verified);
                let json = self.json;
                self.bar.suspend(|| print_submission(loaded, &verified, width, json))?;
                awaited = next.next();
            }
        }
        if loaded.package.is_ok() && selected.is_empty() {
            let what = match loaded.submissions.len() {
                0 => "there are none, so that nothing shows what the package is worth".to_owned(),
                count => format!("none of {count} is chosen by --submission"),
            };
            findings.push(Finding::warning(Some("submissions"), what));
        }
        tally.packages_refused = usize::from(loaded.package.is_err());
        tally.package_errors = findings.iter().filter(|finding| finding.is_error).count();
        self.tally.add(tally);
        if self.json {
            return Ok(output::json_line(&PackageLine {
                package: loaded.folder.display().to_string(),
                ok: tally.exit() == Exit::Done,
                error: loaded.package.as_ref().err().map(String::as_str),
                time_limit: time_limit.as_ref(),
                warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
                findings: &findings,
                tally,
            })?);
        }
        self.bar.suspend(|| {
            if time_limit.is_none() {
                print_package(loaded, None)?;
            }
            findings.iter().try_for_each(|finding| print_finding(loaded, finding))
        })
    }
}

fn print_package(loaded: &Loaded, time_limit: Option<&TimeLimit>) -> anyhow::Result<()> {
    let folder = loaded.folder.display();
    match (&loaded.package, time_limit) {
        (Err(error), _) => output::line(&format!("{folder}: {} {error}", paint("refused:", Colour::Red)))?,
        (Ok(_), limit) => {
            let limit = limit.map(|limit| format!(", {} ms {}", limit.time_limit_ms, limit.source.words()));
            output::line(&format!(
                "{folder}: {} ({} testcases{}, {})",
                loaded.title,
                loaded.testcases_total,
                limit.unwrap_or_default(),
                output::bytes(loaded.memory_bytes)
            ))?;
        }
    }
    for (what, timed) in time_limit.into_iter().flat_map(|limit| {
        [("slowest in time", &limit.slowest_in_time), ("fastest too slow", &limit.fastest_too_slow)]
    }) {
        if let Some(timed) = timed {
            let (path, testcase) = (short(&timed.submission), &timed.testcase);
            output::line(&format!("  {what}: {path} on {testcase}, {} ms", timed.cpu_ms))?;
        }
    }
    for warning in &loaded.warnings {
        output::line(&format!("  {} {folder}/{warning}", paint("warning:", Colour::Yellow)))?;
    }
    Ok(())
}

fn print_finding(loaded: &Loaded, finding: &Finding) -> anyhow::Result<()> {
    let mark =
        if finding.is_error { paint("error:", Colour::Red) } else { paint("warning:", Colour::Yellow) };
    let path = finding.path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
    Ok(output::line(&format!("  {mark} {}{path}: {}", loaded.folder.display(), indented(&finding.what)))?)
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
    let mark = match (verified.fault, verified.ok, verified.sensitive) {
        (true, _, _) => paint("FAULT", Colour::Red),
        (false, Some(true), true) => paint("close", Colour::Yellow),
        (false, Some(true), false) => paint("ok   ", Colour::Green),
        (false, Some(false), _) => paint("WRONG", Colour::Red),
        (false, None, _) => paint("skip ", Colour::Yellow),
    };
    let cpu_ms = verified.testcases.iter().map(|testcase| testcase.cpu_ms).max().unwrap_or(0);
    let memory_bytes = verified.testcases.iter().map(|testcase| testcase.memory_bytes).max().unwrap_or(0);
    let mut text = format!(
        "  {mark} {:width$}  {:10}  {:3}  {cpu_ms:>6} ms  {:>8}  {}/{} testcases",
        short(&verified.path),
        verified.language.as_deref().unwrap_or("-"),
        verified.got.map_or("-", |verdict| verdict.code()),
        output::bytes(memory_bytes),
        verified.testcases.len(),
        verified.testcases_total,
    );
    if let Some(score) = &verified.score {
        let best = verified.score_best.as_ref().map(|best| format!(" of {best}")).unwrap_or_default();
        text.push_str(&format!("  {score}{best} points"));
    }
    if !verified.reason.is_empty() {
        text.push_str(&format!("\n        {}", indented(&verified.reason)));
    }
    Ok(output::line(&text)?)
}

/// The lines of a message below each other.
fn indented(message: &str) -> String {
    message.trim_end().lines().collect::<Vec<_>>().join("\n        ")
}

fn short(path: &str) -> &str {
    path.strip_prefix("submissions/").unwrap_or(path)
}
