//! A jury submission on trial: compiled once, run on its testcases in one go or in several, by limits that may only be
//! known afterwards.
//!
//! A run is kept as it was seen, under a cap. What it means by a limit below the cap follows from its CPU time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::event::CompileOutcome;
use crate::domain::ids::LanguageId;
use crate::domain::scoring::{self, Case, Cases, GradedGroups, Mode, Outcome, Stated, Unfinished};
use crate::domain::verdict::{RunLimits, Verdict};
use crate::error_chain::chain;
use crate::languages::Language;
use crate::languages::sources::{self, SourceFile, Sources, SourcesError};
use crate::problems::JurySubmission;
use crate::worker::launch::{LaunchError, ProgramFile};
use crate::worker::offers::{self, Offer};
use crate::worker::packages::{JudgePackage, JudgePackageError};
use crate::worker::plan::Plan;
use crate::worker::run::{self, TestcaseResult};
use crate::worker::{compile, static_validation};

use super::promise::View;
use super::{Bench, VerifiedTestcase, first_error};

/// A submission and what is known of it by now.
pub(super) struct Trial {
    pub(super) submission: JurySubmission,
    pub(super) language: Option<Arc<Offer>>,
    pub(super) state: State,
    /// What else it may be taken for where it does not state its language, the next one last.
    alternatives: Vec<(Arc<Offer>, Arc<Sources>)>,
    /// Size of its files, as `limits.code` counts it: before those of the package are laid over them.
    pub(super) code_bytes: u64,
    /// What to say of a submission that may as well be in another language.
    pub(super) tie: Option<String>,
    /// By index of the testcase.
    pub(super) runs: BTreeMap<u32, Run>,
    /// Run all that is wanted, also where the result does not depend on it.
    pub(super) all: bool,
    /// What the package's own grader said, by the cap.
    graded: GradedGroups,
}

/// How far a trial is.
pub(super) enum State {
    /// It can be compiled.
    Waiting(Arc<Sources>),
    /// It is compiled.
    Ready(Arc<Submitted>),
    /// It does not compile.
    DoesNotCompile { verdict: Verdict, diagnostics: String },
    /// It is not judged, and why.
    Skipped(String),
    /// Judging it failed through our fault or the package's.
    Fault(String),
}

/// A submission that compiles.
#[derive(Debug)]
pub(super) struct Submitted {
    program: Vec<ProgramFile>,
    sources: Arc<Sources>,
}

/// One run on one testcase, as it was seen.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The verdict by the cap.
    verdict: Verdict,
    /// The score that the package's validator gave.
    stated: Option<Stated>,
    /// The cap on CPU time that it ran under, with the factor of the language.
    cap_ms: u64,
    pub(super) cpu_ms: u64,
    wall_ms: u64,
    memory_bytes: u64,
    message: String,
}

impl Run {
    /// The verdict by a limit of at most the cap. Whatever ended a run that took longer would have come too late.
    pub(super) fn verdict_by(&self, limit_ms: u64) -> Verdict {
        if self.cpu_ms > limit_ms { Verdict::Tle } else { self.verdict }
    }

    /// Whether the cap ended it, so that it says nothing about a limit beyond.
    pub(super) fn is_capped_below(&self, limit_ms: u64) -> bool {
        self.cpu_ms > self.cap_ms && self.cap_ms < limit_ms
    }

    fn failed_for_what_lacks(&self, language: &Language) -> bool {
        self.verdict == Verdict::Rte && language.run.lacks(&self.message)
    }

    fn is_too_slow_on_the_clock(&self) -> bool {
        matches!(self.verdict, Verdict::Wtl | Verdict::Ile)
    }
}

/// Limits on CPU time in milliseconds, before the factor of a language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// The limit that contestants are held to.
    pub(super) limit_ms: u64,
    /// The limit with the margin: what runs are ended at.
    pub(super) cap_ms: u64,
}

impl Caps {
    /// With the factor of a language.
    pub(super) fn of(self, language: &Language) -> Caps {
        Caps { limit_ms: scaled(self.limit_ms, language), cap_ms: scaled(self.cap_ms, language) }
    }
}

/// A time with the factor of a language, rounded up.
pub(super) fn scaled(time_ms: u64, language: &Language) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and far below 2^53"
    )]
    let scaled = (time_ms as f64 * language.time_factor - 1e-6).ceil() as u64;
    scaled.max(1)
}

/// When to stop before all testcases have run.
pub(super) type Stop = Arc<dyn Fn(&[VerifiedTestcase]) -> bool + Send + Sync>;

impl Trial {
    /// A submission before anything was done with it.
    pub(super) fn new(submission: JurySubmission, package: &JudgePackage, bench: &Bench) -> Trial {
        let Begun { language, state, alternatives, code_bytes, tie } = begin(&submission, package, bench);
        let (runs, graded) = (BTreeMap::new(), GradedGroups::new());
        Trial { submission, language, state, alternatives, code_bytes, tie, runs, all: false, graded }
    }

    /// Runs the testcases of `wanted` that have not run, in order, until `stop` says so; compiles first. One that does not
    /// state its language is taken for the next that it may be in where it does not work in one: packages are older and
    /// newer than any compiler.
    pub(super) async fn advance(
        &mut self,
        package: &Arc<JudgePackage>,
        bench: &Bench,
        caps: Caps,
        wanted: &BTreeSet<u32>,
        stop: Stop,
        told: impl Fn() + Send + Sync + 'static,
    ) {
        let told: Arc<dyn Fn() + Send + Sync> = Arc::new(told);
        self.advance_as_taken(package, bench, caps, wanted, stop.clone(), told.clone()).await;
        let mut first = None;
        while self.is_let_down()
            && let Some((offer, sources)) = self.alternatives.pop()
        {
            let language = self.language.replace(offer);
            let state = std::mem::replace(&mut self.state, State::Waiting(sources));
            let (runs, graded) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.graded));
            first.get_or_insert((language, state, runs, graded));
            self.advance_as_taken(package, bench, caps, wanted, stop.clone(), told.clone()).await;
        }
        // What works in none is told of as what it was taken for first.
        if let Some(first) = first.filter(|_| matches!(self.state, State::DoesNotCompile { .. })) {
            (self.language, self.state, self.runs, self.graded) = first;
        }
    }

    /// Whether it may work in another language than in the one that it is taken for.
    fn is_let_down(&self) -> bool {
        let Some(offer) = &self.language else { return false };
        let lacks = |run: &Run| run.failed_for_what_lacks(&offer.language);
        matches!(self.state, State::DoesNotCompile { verdict: Verdict::Ce, .. })
            || self.runs.values().any(lacks)
    }

    async fn advance_as_taken(
        &mut self,
        package: &Arc<JudgePackage>,
        bench: &Bench,
        caps: Caps,
        wanted: &BTreeSet<u32>,
        stop: Stop,
        told: Arc<dyn Fn() + Send + Sync>,
    ) {
        let Some(offer) = self.language.clone() else { return };
        let compiled = match &self.state {
            State::Waiting(sources) => Err(sources.clone()),
            State::Ready(submitted) => Ok(submitted.clone()),
            State::DoesNotCompile { .. } | State::Skipped(_) | State::Fault(_) => return,
        };
        let open: BTreeSet<u32> = (package.places().map(|place| place.index))
            .filter(|index| wanted.contains(index) && !self.runs.contains_key(index))
            .collect();
        if compiled.is_ok() && open.is_empty() {
            return;
        }
        let mut seen = self.testcases(package, caps);
        // Where the whole counts, its rules say what is run; a choice of testcases is run as it is.
        let by_the_rules =
            !package.package.grading.is_plain() && wanted.len() == package.package.testcases_total();
        let mode = if self.all { Mode::All } else { Mode::Lazy };
        let known = self.cases(caps.of(&offer.language).cap_ms);
        let caps = caps.of(&offer.language);
        let Some(slot) = bench.pool.slot().await else {
            return self.state = State::Fault(LaunchError::SlotGone.to_string());
        };
        let package = package.clone();
        let went = slot.call(move |confined| {
            let submitted = match compiled {
                Ok(submitted) => submitted,
                Err(sources) => {
                    let compiled = compile::compile(confined, &offer.language, &sources)?;
                    let verdict = match compiled.outcome {
                        CompileOutcome::Succeeded => None,
                        CompileOutcome::LimitExceeded => Some(Verdict::Ctl),
                        CompileOutcome::Failed => Some(Verdict::Ce),
                    };
                    if let Some(verdict) = verdict {
                        let diagnostics = compiled.diagnostics;
                        let state = State::DoesNotCompile { verdict, diagnostics };
                        return Ok(Went { state, runs: Vec::new(), graded: GradedGroups::new() });
                    }
                    Arc::new(Submitted { program: compiled.program, sources })
                }
            };
            let limits = RunLimits { time_limit_ms: caps.cap_ms, ..package.run_limits(&offer.language) };
            let mut runs = Vec::new();
            let mut plan = if by_the_rules {
                Plan::new(&package, mode, known)
            } else {
                Plan::of_testcases(&package, open, known)
            };
            let (language, program, sources) = (&offer.language, &submitted.program, &submitted.sources);
            let mut record = |index: u32, result: TestcaseResult| {
                let run = Run {
                    verdict: result.verdict,
                    stated: result.stated,
                    cap_ms: caps.cap_ms,
                    cpu_ms: result.run.cpu_ms,
                    wall_ms: result.run.wall_ms,
                    memory_bytes: result.run.memory_bytes,
                    message: result.message,
                };
                let name = package.place(index).map_or("", |place| place.name.as_str());
                seen.push(verified(name, &run, caps));
                let goes_on = !run.failed_for_what_lacks(&offer.language);
                runs.push((index, run));
                told();
                goes_on && (by_the_rules || !stop(&seen))
            };
            let mut judge = || {
                let goes_on = static_validation::judge_sources(
                    confined,
                    language,
                    sources,
                    program,
                    &mut plan,
                    &mut record,
                )?;
                if goes_on {
                    let sources = Some(sources.as_ref());
                    run::judge_all(confined, language, program, sources, &mut plan, limits, &mut record)?;
                }
                Ok::<_, VerifyError>(())
            };
            let state = match judge() {
                Ok(()) => State::Ready(submitted.clone()),
                Err(error) => State::Fault(match plan.stuck_at().filter(|_| !error.is_of_build()) {
                    Some(testcase) => format!("{testcase}: {}", error.told()),
                    None => error.told(),
                }),
            };
            Ok::<_, VerifyError>(Went { state, runs, graded: plan.into_graded() })
        });
        match went.await {
            Ok(Went { state, runs, graded }) => {
                self.graded.extend(graded);
                self.state = state;
                self.runs.extend(runs);
            }
            Err(error) => self.state = State::Fault(error.told()),
        }
    }

    /// Runs testcases once more and keeps the faster run of each: what else the host does can only slow a program.
    pub(super) async fn repeat(
        &mut self,
        package: &Arc<JudgePackage>,
        bench: &Bench,
        caps: Caps,
        testcases: &BTreeSet<u32>,
    ) {
        let before: Vec<(u32, Run)> =
            testcases.iter().filter_map(|index| Some((*index, self.runs.remove(index)?))).collect();
        self.advance(package, bench, caps, testcases, Arc::new(|_| false), || ()).await;
        for (index, run) in before {
            let is_better = self.runs.get(&index).is_some_and(|again| {
                run.is_too_slow_on_the_clock() && !again.is_too_slow_on_the_clock()
                    || again.cpu_ms < run.cpu_ms && !again.is_too_slow_on_the_clock()
            });
            if !is_better {
                self.runs.insert(index, run);
            }
        }
    }

    /// The testcases that a faster host would have let pass, or that ran out of time only on the clock.
    pub(super) fn hinging(&self, caps: Caps) -> BTreeSet<u32> {
        let Some(offer) = &self.language else { return BTreeSet::new() };
        let caps = caps.of(&offer.language);
        let hinges = |run: &Run| {
            run.verdict_by(caps.limit_ms) != run.verdict_by(caps.cap_ms) || run.is_too_slow_on_the_clock()
        };
        self.runs.iter().filter(|(_, run)| hinges(run)).map(|(index, _)| *index).collect()
    }

    /// What its runs give by the limit and by the cap, in the order of judging.
    pub(super) fn testcases(&self, package: &JudgePackage, caps: Caps) -> Vec<VerifiedTestcase> {
        let Some(offer) = &self.language else { return Vec::new() };
        let caps = caps.of(&offer.language);
        let runs = self.runs.iter();
        let named =
            |(index, run): (&u32, &Run)| Some(verified(package.place(*index)?.name.as_str(), run, caps));
        runs.filter_map(named).collect()
    }

    fn cases(&self, limit_ms: u64) -> Cases {
        let case = |run: &Run| {
            let verdict = run.verdict_by(limit_ms);
            Case { verdict, stated: run.stated.clone().filter(|_| verdict == Verdict::Ac) }
        };
        self.runs.iter().map(|(index, run)| (*index, case(run))).collect()
    }

    /// What its runs come to by the rules of the package; none where it was not run as they say.
    pub(super) fn outcome(
        &self,
        package: &JudgePackage,
        caps: Caps,
        view: View,
    ) -> Option<Result<Outcome, String>> {
        let grading = &package.package.grading;
        let caps = caps.of(&self.language.as_ref()?.language);
        if grading.is_plain() || !matches!(self.state, State::Ready(_)) {
            return None;
        }
        let limit_ms = if view == View::AtLimit { caps.limit_ms } else { caps.cap_ms };
        match scoring::outcome(grading, &self.cases(limit_ms), &self.graded) {
            Ok(outcome) => Some(Ok(outcome)),
            Err(Unfinished::Fault(what)) => {
                Some(Err(format!("the package breaks its own rules of scores: {what}")))
            }
            Err(Unfinished::Testcase(_) | Unfinished::Grader(_)) => None,
        }
    }

    /// Whether the clock ended one of its runs on some testcases, so that its CPU time says nothing.
    pub(super) fn ran_out_on_the_clock(&self, among: &BTreeSet<u32>) -> bool {
        self.runs.iter().any(|(index, run)| among.contains(index) && run.is_too_slow_on_the_clock())
    }

    /// The slowest of its runs among some testcases that ended by themselves or for their time, without the language's
    /// factor.
    pub(super) fn slowest(&self, among: &BTreeSet<u32>) -> Option<(u32, u64)> {
        let factor = self.language.as_ref()?.language.time_factor;
        let timed = |run: &Run| {
            matches!(run.verdict, Verdict::Ac | Verdict::Wa | Verdict::Pe | Verdict::Rte | Verdict::Tle)
        };
        let runs = self.runs.iter().filter(|(index, run)| among.contains(index) && timed(run));
        let (index, run) = runs.max_by_key(|(_, run)| run.cpu_ms)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and far below 2^53"
        )]
        Some((*index, (run.cpu_ms as f64 / factor).ceil() as u64))
    }
}

struct Went {
    state: State,
    runs: Vec<(u32, Run)>,
    graded: GradedGroups,
}

fn verified(testcase: &str, run: &Run, caps: Caps) -> VerifiedTestcase {
    let (verdict, with_margin) = (run.verdict_by(caps.limit_ms), run.verdict_by(caps.cap_ms));
    let message = if verdict == Verdict::Tle {
        format!("used {} ms of CPU time; the limit is {} ms", run.cpu_ms, caps.limit_ms)
    } else {
        run.message.clone()
    };
    VerifiedTestcase {
        testcase: testcase.to_owned(),
        verdict,
        verdict_with_margin: (with_margin != verdict).then_some(with_margin),
        message_with_margin: (with_margin != verdict).then(|| run.message.clone()),
        cpu_ms: run.cpu_ms,
        wall_ms: run.wall_ms,
        memory_bytes: run.memory_bytes,
        message,
    }
}

/// A submission before anything was done with it.
struct Begun {
    /// What it is taken for, as far as it has a language.
    language: Option<Arc<Offer>>,
    /// What is to be compiled, or why it cannot be judged.
    state: State,
    alternatives: Vec<(Arc<Offer>, Arc<Sources>)>,
    code_bytes: u64,
    tie: Option<String>,
}

fn begin(submission: &JurySubmission, package: &JudgePackage, bench: &Bench) -> Begun {
    let files = match read(package, submission) {
        Ok(files) => files,
        Err(error) => {
            let state = State::Fault(chain(&error));
            return Begun { language: None, state, alternatives: Vec::new(), code_bytes: 0, tie: None };
        }
    };
    let code_bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
    let states_none = submission.language.is_none() && !package.takes_answers();
    let tie = if states_none { sources::tie_of(&files, &bench.languages) } else { None };
    let stuck = |language, state, tie| Begun { language, state, alternatives: Vec::new(), code_bytes, tie };
    let language = match package.language_of(&files, submission.language.as_deref(), &bench.languages) {
        Ok(language) => language,
        Err(error) => return stuck(None, State::Skipped(error.to_string()), tie),
    };
    let id = language.id.parse::<LanguageId>().ok();
    let Some(offer) = id.as_ref().and_then(|id| bench.offers.by_language.get(id)) else {
        let why =
            id.and_then(|id| bench.offers.absent.get(&id)).map_or("it was not asked for", String::as_str);
        let why = State::Skipped(format!("{} does not work here: {why}", language.name));
        return stuck(Some(Arc::new(Offer::new(language.clone(), String::new(), true))), why, tie);
    };
    let entry = submission.entrypoint.as_deref();
    let mut alternatives = Vec::new();
    if states_none {
        let others = bench.languages.instead_of(language);
        for other in others.into_iter().rev().filter(|other| offers::is_installed(other)) {
            // It was not self-tested: that it compiles the submission is proof enough.
            let offer = Arc::new(Offer::new(other.clone(), String::new(), true));
            if let Ok(Ok(sources)) = arrange(package, other, files.clone(), entry) {
                alternatives.push((offer, Arc::new(sources)));
            }
        }
    }
    let state = match arrange(package, language, files, entry) {
        Ok(Ok(sources)) => State::Waiting(Arc::new(sources)),
        Ok(Err(error)) => State::Skipped(error.to_string()),
        Err(error) => State::Fault(chain(&error)),
    };
    Begun { language: Some(offer.clone()), state, alternatives, code_bytes, tie }
}

/// The files of a submission as its compiler is given them. A file that is all there is, and that is run as it is, keeps
/// its own name, which a program may look at.
fn arrange(
    package: &JudgePackage,
    language: &Language,
    files: Vec<SourceFile>,
    entry: Option<&str>,
) -> Result<Result<Sources, SourcesError>, JudgePackageError> {
    let name = match files.as_slice() {
        [only] if language.keeps_name(&only.name) => Some(only.name.clone()),
        _ => None,
    };
    let mut arranged = package.arrange(language, files, entry)?;
    if let (Some(name), Ok(Sources { sources, others, entry })) = (name, &mut arranged)
        && let ([only], []) = (sources.as_mut_slice(), others.as_slice())
    {
        *entry = sources::stem(&name).to_owned();
        only.name = name;
    }
    Ok(arranged)
}

/// The files of a submission, named as they lie in its directory.
fn read(package: &JudgePackage, submission: &JurySubmission) -> Result<Vec<SourceFile>, VerifyError> {
    let files = submission.files.iter().map(|file| {
        let path = package.root.join(file);
        let bytes = std::fs::read(&path).map_err(|source| VerifyError::Read { path, source })?;
        let name = match file.strip_prefix(&submission.path) {
            Some("") | None => file.rsplit('/').next().unwrap_or(file),
            Some(below) => below.trim_start_matches('/'),
        };
        Ok(SourceFile::new(name, package.package.constants.put_into(bytes)))
    });
    files.collect()
}

/// Why a jury submission could not be judged: never the submission's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
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
    /// Whether a program of the package cannot be had, whatever the testcase.
    fn is_of_build(&self) -> bool {
        matches!(self, Self::Package(JudgePackageError::Validator(fault)) if fault.is_of_build())
    }

    /// All that is known of it, since whoever verifies may know all of the package.
    fn told(&self) -> String {
        match self {
            // Of a build one line is enough, and that of an output validator is told once for all submissions.
            Self::Package(JudgePackageError::Validator(fault)) if self.is_of_build() => {
                let is_told = fault.validator().is_some_and(|path| path.starts_with("output_validator"));
                let why =
                    if is_told { String::new() } else { format!(": {}", first_error::of(fault.said())) };
                chain(self) + &why
            }
            Self::Package(error) => error.told(),
            _ => chain(self),
        }
    }
}
