//! Judges the jury's submissions of a package without any server, and holds each to what its folder promises.
//!
//! Compiling and running are the worker's own (`worker::compile`, `worker::run`), so what is seen here is what a
//! contestant would get. Submissions are spread over the slots, each compiled once. By default a submission is run
//! until its promise is kept or broken for certain; running all testcases also finds broken promises of the kind
//! "never too slow".
//!
//! `promise` says what each folder promises.

mod promise;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::domain::event::CompileOutcome;
use crate::domain::ids::LanguageId;
use crate::domain::verdict::Verdict;
use crate::error_chain::chain;
use crate::languages::Languages;
use crate::languages::sources::{self, SourceFile, Sources};
use crate::problems::JurySubmission;
use crate::worker::launch::{Confined, LaunchError, SlotHandle};
use crate::worker::offers::{Offer, Offers};
use crate::worker::packages::{JudgePackage, JudgePackageError};
use crate::worker::{compile, run};

use promise::Promise;

/// A jury submission to judge.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The package.
    pub package: Arc<JudgePackage>,
    /// The submission.
    pub submission: JurySubmission,
}

/// What came of one jury submission.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Its path in the package.
    pub path: String,
    /// The directory whose promise it is held to.
    pub expected: String,
    /// The language that it was taken for.
    pub language: Option<String>,
    /// The verdict that a contestant would get; none where it was not judged.
    pub got: Option<Verdict>,
    /// Whether the promise was kept; none where it was not judged.
    pub ok: Option<bool>,
    /// Why the promise was not kept or the submission not judged; empty otherwise.
    pub reason: String,
    /// Whether that is our fault.
    pub fault: bool,
    /// What each testcase gave that was run.
    pub testcases: Vec<VerifiedTestcase>,
    /// How many testcases there are.
    pub testcases_total: usize,
}

/// What one testcase gave.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedTestcase {
    /// The testcase.
    pub testcase: String,
    /// The verdict.
    pub verdict: Verdict,
    /// CPU time in milliseconds, rounded up.
    pub cpu_ms: u64,
    /// Wall time in milliseconds, rounded up.
    pub wall_ms: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// Why, in words.
    pub message: String,
}

/// What is told while jury submissions are judged.
#[derive(Debug)]
pub enum Progress {
    /// The entry of this index has run a testcase.
    Testcase(usize),
    /// The entry of this index is done.
    Done(usize, Box<Verified>),
}

/// Judges all entries, spread over the slots, and tells of each as it goes. With `all`, every testcase is run.
pub async fn verify(
    entries: &[Entry],
    languages: &Languages,
    offers: &Offers,
    slots: &[SlotHandle],
    all: bool,
    progress: &mpsc::UnboundedSender<Progress>,
) {
    let next = AtomicUsize::new(0);
    let next = &next;
    let workers = slots.iter().map(|slot| async move {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = entries.get(index) else { return };
            let verified = verify_one(index, entry, languages, offers, slot, all, progress).await;
            // Nobody is left to tell when the command was interrupted.
            let _ = progress.send(Progress::Done(index, Box::new(verified)));
        }
    });
    futures::future::join_all(workers).await;
}

async fn verify_one(
    index: usize,
    entry: &Entry,
    languages: &Languages,
    offers: &Offers,
    slot: &SlotHandle,
    all: bool,
    progress: &mpsc::UnboundedSender<Progress>,
) -> Verified {
    let submission = &entry.submission;
    let mut verified = Verified {
        path: submission.path.clone(),
        expected: submission.expectation.directory().to_owned(),
        language: None,
        got: None,
        ok: None,
        reason: String::new(),
        fault: false,
        testcases: Vec::new(),
        testcases_total: entry.package.testcases.len(),
    };
    let files = match read(&entry.package.root, submission) {
        Ok(files) => files,
        Err(error) => return Verified { reason: chain(&error), fault: true, ..verified },
    };
    let language = match sources::language_of(&files, None, languages) {
        Ok(language) => language,
        Err(error) => return Verified { reason: error.to_string(), ..verified },
    };
    verified.language = Some(language.id.clone());
    let offer = language.id.parse::<LanguageId>().ok().and_then(|id| offers.by_language.get(&id));
    let Some(offer) = offer else {
        let found = language.id.parse::<LanguageId>().ok().and_then(|id| offers.absent.get(&id));
        let why = found.map_or("it was not asked for", String::as_str);
        return Verified { reason: format!("{} does not work here: {why}", language.name), ..verified };
    };
    let sources = match sources::arrange(language, files, Vec::new(), None) {
        Ok(sources) => sources,
        Err(error) => return Verified { reason: error.to_string(), ..verified },
    };
    let promise = Promise::of(&submission.expectation, entry.package.package.format);
    let (offer, package, told) = (offer.clone(), entry.package.clone(), progress.clone());
    let result = slot
        .call(move |confined| {
            judge(confined, &offer, &sources, &package, &promise, all, || {
                let _ = told.send(Progress::Testcase(index));
            })
        })
        .await;
    match result {
        Ok(judged) => {
            verified.got = Some(judged.got);
            verified.ok = Some(judged.broken.is_none());
            verified.reason = judged.broken.unwrap_or_default();
            verified.testcases = judged.testcases;
            verified
        }
        Err(error) => Verified { got: Some(Verdict::Je), reason: error.told(), fault: true, ..verified },
    }
}

/// Why a jury submission could not be judged: never the submission's fault.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Package(#[from] JudgePackageError),
    #[error("`{}` could not be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl VerifyError {
    /// All that is known of it, since whoever verifies may know all of the package.
    fn told(&self) -> String {
        match self {
            Self::Package(JudgePackageError::Validator(fault)) if !fault.said().is_empty() => {
                format!("{}: {}", chain(self), fault.said())
            }
            _ => chain(self),
        }
    }
}

/// The files of a submission, named as they lie in its directory.
fn read(root: &Path, submission: &JurySubmission) -> Result<Vec<SourceFile>, VerifyError> {
    let files = submission.files.iter().map(|file| {
        let path = root.join(file);
        let bytes = std::fs::read(&path).map_err(|source| VerifyError::Read { path, source })?;
        let name = match file.strip_prefix(&submission.path) {
            Some("") | None => file.rsplit('/').next().unwrap_or(file),
            Some(below) => below.trim_start_matches('/'),
        };
        Ok(SourceFile::new(name, bytes))
    });
    files.collect()
}

struct Judged {
    got: Verdict,
    broken: Option<String>,
    testcases: Vec<VerifiedTestcase>,
}

fn judge(
    slot: &mut Confined<'_>,
    offer: &Offer,
    sources: &Sources,
    package: &JudgePackage,
    promise: &Promise,
    all: bool,
    told: impl Fn(),
) -> Result<Judged, VerifyError> {
    let compiled = compile::compile(slot, &offer.language, sources)?;
    if compiled.outcome != CompileOutcome::Succeeded {
        let got = match compiled.outcome {
            CompileOutcome::LimitExceeded => Verdict::Ctl,
            CompileOutcome::Failed | CompileOutcome::Succeeded => Verdict::Ce,
        };
        let broken = (!promise.is_nothing())
            .then(|| format!("it does not compile: {}", first_lines(&compiled.diagnostics)));
        return Ok(Judged { got, broken, testcases: Vec::new() });
    }
    let mut testcases = Vec::new();
    let (language, limits) = (&offer.language, package.run_limits(&offer.language));
    run::judge_all(slot, language, &compiled.program, package, limits, &BTreeSet::new(), |index, result| {
        let name = &package.testcases[index as usize - 1].name;
        testcases.push(VerifiedTestcase {
            testcase: name.to_string(),
            verdict: result.verdict,
            cpu_ms: result.run.cpu_ms,
            wall_ms: result.run.wall_ms,
            memory_bytes: result.run.memory_bytes,
            message: result.message,
        });
        told();
        all || !promise.is_decided(&testcases)
    })?;
    let first = testcases.iter().find(|testcase| testcase.verdict != Verdict::Ac);
    let got = first.map_or(Verdict::Ac, |testcase| testcase.verdict);
    Ok(Judged { got, broken: promise.broken(&testcases), testcases })
}

/// The first errors that a compiler names, or its first line.
fn first_lines(diagnostics: &str) -> String {
    let errors: Vec<&str> =
        diagnostics.lines().filter(|line| line.to_lowercase().contains("error")).collect();
    match errors.first() {
        Some(first) => (*first).trim().to_owned(),
        None => diagnostics.lines().next().unwrap_or("the compiler said nothing").trim().to_owned(),
    }
}
