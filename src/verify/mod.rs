//! Judges the jury's submissions of a package without any server, and holds each to what is expected of it.
//!
//! Compiling and running are the worker's own (`worker::compile`, `worker::run`), so what is seen here is what a
//! contestant would get. Submissions are spread over the slots, each compiled once. By default a submission is run
//! until what it must do is done or cannot be done any more; running all testcases also finds what must never happen.
//!
//! A tour: [`verify`] takes one package. Where it states no time limit, `derive` measures those submissions that bound
//! one, and `time_limit` chooses. Meanwhile `inputs` checks the data. Then each submission stands `trial`: it runs up to the limit with its margin, so that
//! `promise` can tell what is wrong from what only a faster or slower host would see otherwise.

mod derive;
mod first_error;
mod inputs;
mod pool;
mod promise;
mod score;
mod time_limit;
mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::domain::scoring::Score;
use crate::domain::verdict::Verdict;
use crate::error_chain::chain;
use crate::languages::Languages;
use crate::problems::{Demand, Glob, Limits};
use crate::worker::offers::Offers;
use crate::worker::packages::{INCLUDED_ALWAYS, JudgePackage};
use crate::worker::validators::ValidatorError;

pub use pool::Pool;
pub use score::VerifiedGroup;
pub use time_limit::{Machine, Source, TimeLimit, Timed};

use promise::{Held, Seen, View};
use trial::{Caps, State, Trial};

/// How often a testcase that hinges on the host's speed is run again.
const REPEATS: usize = 2;
/// With more such testcases than this it is no accident.
const REPEATED_TESTCASES_MAX: usize = 5;

/// What everything that is verified shares.
pub struct Bench {
    /// The languages that there are.
    pub languages: Languages,
    /// Those that work here.
    pub offers: Offers,
    /// The slots.
    pub pool: Pool,
}

/// How a package is verified.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run all testcases, also where a submission has done what it must already.
    pub all: bool,
    /// A time limit in milliseconds that takes the place of the package's.
    pub time_limit_ms: Option<u64>,
    /// Takes the place of the package's `ac_to_time_limit`.
    pub ac_to_time_limit: Option<f64>,
    /// Takes the place of the package's `time_limit_to_tle`.
    pub time_limit_to_tle: Option<f64>,
    /// Leave the data unchecked: no input validators, no examples of data.
    pub without_inputs: bool,
    /// Only the submissions whose paths below `submissions/` match.
    pub submissions: Option<Glob>,
    /// Only the testcases whose paths below `data/` match.
    pub testcases: Option<Glob>,
}

/// What came of one jury submission.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Its path in the package.
    pub path: String,
    /// The directory that the jury filed it in.
    pub expected: String,
    /// All that is demanded of it, in words: what its directory promises and what is stated elsewhere.
    pub demands: Vec<String>,
    /// The language that it was taken for.
    pub language: Option<String>,
    /// The verdict that a contestant would get; none where it was not judged.
    pub got: Option<Verdict>,
    /// Whether it did what is expected; none where it was not judged.
    pub ok: Option<bool>,
    /// Whether that hinges on the host's speed: by the time limit it is otherwise than by the limit with its margin.
    pub sensitive: bool,
    /// Why it is not as expected, or was not judged, or hinges on the host's speed; empty otherwise.
    pub reason: String,
    /// Whether that is our fault or the package's.
    pub fault: bool,
    /// The score as a decimal, where there are points.
    pub score: Option<String>,
    /// The best score, where it is known.
    pub score_best: Option<String>,
    /// What each test group came to, where there are points.
    pub groups: Vec<VerifiedGroup>,
    /// CPU time in milliseconds that it had on each testcase, with the factor of its language.
    pub time_limit_ms: Option<u64>,
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
    /// The verdict by the time limit.
    pub verdict: Verdict,
    /// The verdict by the limit with its margin, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict_with_margin: Option<Verdict>,
    /// CPU time in milliseconds, rounded up.
    pub cpu_ms: u64,
    /// Wall time in milliseconds, rounded up.
    pub wall_ms: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// Why, in words.
    pub message: String,
    /// Why it is that by the limit with its margin, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_with_margin: Option<String>,
}

impl VerifiedTestcase {
    fn seen_by(&self, view: View) -> Verdict {
        match view {
            View::AtLimit => self.verdict,
            View::WithMargin => self.verdict_with_margin.unwrap_or(self.verdict),
        }
    }

    fn message_by(&self, view: View) -> &str {
        match (view, &self.message_with_margin) {
            (View::WithMargin, Some(message)) => message,
            _ => &self.message,
        }
    }
}

/// Something about a package as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether the package is wrong, and not only odd.
    pub is_error: bool,
    /// The file or the testcase, where one is to blame.
    pub path: Option<String>,
    /// What.
    pub what: String,
}

impl Finding {
    /// The package is wrong.
    pub fn error(path: Option<&str>, what: String) -> Finding {
        Finding { is_error: true, path: path.map(str::to_owned), what }
    }

    /// The package is odd.
    pub fn warning(path: Option<&str>, what: String) -> Finding {
        Finding { is_error: false, path: path.map(str::to_owned), what }
    }
}

/// What is told while a package is verified.
#[derive(Debug)]
pub enum Progress {
    /// The submission of this path has run a testcase.
    Testcase(String),
    /// By this limit the submissions are judged: comes once, before the first submission is done.
    TimeLimit(TimeLimit),
    /// Something about the whole package.
    Finding(Finding),
    /// A submission is done.
    Done(Box<Verified>),
}

/// Judges the submissions of a package and checks its data, spread over the slots, and tells of each as it goes.
pub async fn verify(
    package: &Arc<JudgePackage>,
    bench: &Bench,
    options: &Options,
    told: &mpsc::UnboundedSender<Progress>,
) {
    let data = async {
        if !options.without_inputs {
            let findings = inputs::check(package, bench).await;
            findings.into_iter().for_each(|finding| drop(told.send(Progress::Finding(finding))));
        }
    };
    let validators = async {
        let finding = unbuilt(package, bench).await;
        finding.into_iter().for_each(|finding| drop(told.send(Progress::Finding(finding))));
    };
    tokio::join!(validators, data, judge(package, bench, options, told));
}

/// What is wrong with output validators that cannot be built: it is the same for all submissions.
async fn unbuilt(package: &Arc<JudgePackage>, bench: &Bench) -> Option<Finding> {
    package.validators.as_ref()?;
    let slot = bench.pool.slot().await?;
    let judged = package.clone();
    let built =
        slot.call(move |confined| judged.validators.as_ref().map_or(Ok(()), |all| all.prepare(confined)));
    // All else that can go wrong goes wrong again with a submission, and is told there.
    let error = built.await.err().filter(ValidatorError::is_of_build)?;
    Some(Finding::error(error.validator(), format!("{}: {}", chain(&error), first_error::of(error.said()))))
}

async fn judge(
    package: &Arc<JudgePackage>,
    bench: &Bench,
    options: &Options,
    told: &mpsc::UnboundedSender<Progress>,
) {
    // Nobody is left to tell when the command was interrupted.
    let tell = |progress| drop(told.send(progress));
    let mut multipliers = package.package.limits.time_multipliers;
    multipliers.ac_to_time_limit = options.ac_to_time_limit.unwrap_or(multipliers.ac_to_time_limit);
    multipliers.time_limit_to_tle = options.time_limit_to_tle.unwrap_or(multipliers.time_limit_to_tle);
    let submissions = package.package.jury_submissions.iter();
    let mut trials: Vec<Trial> =
        submissions.map(|submission| Trial::new(submission.clone(), package, bench)).collect();
    let limits = &package.package.limits;
    for trial in trials.iter().filter(|trial| trial.code_bytes > limits.code_bytes) {
        let what = format!(
            "has {} bytes of source, and contestants may send {} (limits.code)",
            trial.code_bytes, limits.code_bytes
        );
        tell(Progress::Finding(Finding::warning(Some(&trial.submission.path), what)));
    }
    for (trial, tie) in trials.iter().filter_map(|trial| trial.tie.clone().map(|tie| (trial, tie))) {
        tell(Progress::Finding(Finding::warning(Some(&trial.submission.path), tie)));
    }
    let odd = unknown_languages(package, &bench.languages).into_iter().chain(beyond_host(limits));
    odd.for_each(|finding| tell(Progress::Finding(finding)));
    let is_to_solve = |trial: &Trial| trial.submission.demands.iter().any(Demand::is_acceptance);
    if !trials.is_empty() && !trials.iter().any(is_to_solve) {
        let what = "none is to be accepted, so that nothing shows that the problem can be solved".to_owned();
        tell(Progress::Finding(Finding::warning(Some("submissions"), what)));
    }
    let stated = match (options.time_limit_ms, Source::stated(limits.time_limit_source)) {
        (Some(given_ms), _) => Some((given_ms, Source::Given)),
        (None, Some(source)) => Some((limits.time_limit_ms, source)),
        (None, None) => None,
    };
    let time_limit = match stated {
        Some((time_limit_ms, source)) => {
            TimeLimit::stated(time_limit_ms, source, multipliers.time_limit_to_tle)
        }
        None => {
            let derived = derive::derive(package, bench, multipliers, &mut trials, told).await;
            derived.findings.into_iter().for_each(|finding| tell(Progress::Finding(finding)));
            derived.time_limit
        }
    };
    let caps = caps(&time_limit);
    tell(Progress::TimeLimit(time_limit));
    let wanted: BTreeSet<u32> = (package.places())
        .filter(|place| options.testcases.as_ref().is_none_or(|glob| glob.matches(place.name.as_str())))
        .map(|place| place.index)
        .collect();
    let selected = trials.into_iter().filter(|trial| {
        let path = trial.submission.path.strip_prefix("submissions/").unwrap_or(&trial.submission.path);
        options.submissions.as_ref().is_none_or(|glob| glob.matches(path))
    });
    let wanted = &wanted;
    let ends = selected.map(|mut trial| async move {
        if wanted.is_empty() {
            trial.state = State::Skipped("no testcase of the package is chosen by --testcase".to_owned());
        }
        let verified = conclude(trial, package, bench, caps, wanted, options.all, told).await;
        drop(told.send(Progress::Done(Box::new(verified))));
    });
    futures::future::join_all(ends).await;
}

/// Codes of languages in a package that no language answers to.
fn unknown_languages(package: &JudgePackage, languages: &Languages) -> Vec<Finding> {
    let is_unknown = |code: &&String| languages.get(code).is_none();
    let allowed = package.package.languages_allowed.iter().flatten().filter(is_unknown);
    let allowed = allowed.map(|code| {
        Finding::warning(Some("problem.yaml"), format!("languages: no language is called {code:?}"))
    });
    let included = package.package.included.keys().filter(|code| *code != INCLUDED_ALWAYS).filter(is_unknown);
    let included = included.map(|code| {
        let what = "no language is called so: these files lie beside no submission".to_owned();
        Finding::warning(Some(&format!("include/{code}")), what)
    });
    allowed.chain(included).collect()
}

/// Limits that this host cannot hold anybody to, since it has less. What a package does not state is never more.
fn beyond_host(limits: &Limits) -> Vec<Finding> {
    const UNSTATED_BYTES: u64 = 2 << 30;
    let host_bytes = nix::sys::sysinfo::sysinfo().map_or(u64::MAX, |host| host.ram_total());
    let stated = [
        ("memory", limits.memory_bytes),
        ("output", limits.output_bytes),
        ("compilation_memory", limits.compilation_memory_bytes),
        ("validation_memory", limits.validation_memory_bytes),
        ("validation_output", limits.validation_output_bytes),
    ];
    let beyond = stated.into_iter().filter(|(_, bytes)| *bytes > host_bytes.max(UNSTATED_BYTES));
    let told = beyond.map(|(name, bytes)| {
        let (limit, host) = (bytes >> 20, host_bytes >> 20);
        let what = format!("limits.{name} is {limit} MiB, which cannot be had: this host has {host} MiB");
        Finding::error(Some("problem.yaml"), what)
    });
    told.collect()
}

fn caps(time_limit: &TimeLimit) -> Caps {
    let limit_ms = time_limit.time_limit_ms;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and far below 2^53"
    )]
    let cap_ms = (limit_ms as f64 * time_limit.margin).ceil() as u64;
    Caps { limit_ms, cap_ms: cap_ms.max(limit_ms) }
}

/// Runs what is still to be run of a submission and holds it to its demands.
async fn conclude(
    mut trial: Trial,
    package: &Arc<JudgePackage>,
    bench: &Bench,
    caps: Caps,
    wanted: &BTreeSet<u32>,
    all: bool,
    told: &mpsc::UnboundedSender<Progress>,
) -> Verified {
    let demands = trial.submission.demands.clone();
    if let Some(offer) = &trial.language {
        let cap_ms = caps.of(&offer.language).cap_ms;
        trial.runs.retain(|index, run| wanted.contains(index) && !run.is_capped_below(cap_ms));
    }
    trial.all = all;
    let is_done = package.package.grading.is_plain()
        && !all
        && !trial.runs.is_empty()
        && promise::is_decided(&demands, &trial.testcases(package, caps));
    if !is_done {
        let (stop_demands, path) = (demands.clone(), trial.submission.path.clone());
        let stop = move |seen: &[VerifiedTestcase]| !all && promise::is_decided(&stop_demands, seen);
        let told = told.clone();
        let told = move || drop(told.send(Progress::Testcase(path.clone())));
        trial.advance(package, bench, caps, wanted, Arc::new(stop), told).await;
    }
    let may_hinge = !demands.iter().any(Demand::bounds_time_limit_above);
    for _ in 0..REPEATS {
        let hinging = trial.hinging(caps);
        let is_accident = (1..=REPEATED_TESTCASES_MAX).contains(&hinging.len());
        if !may_hinge || !is_accident || held(&trial, package, caps).0 == Held::Kept {
            break;
        }
        trial.repeat(package, bench, caps, &hinging).await;
    }
    let mut verified = Verified {
        path: trial.submission.path.clone(),
        expected: trial.submission.directory.clone(),
        demands: demands.iter().map(ToString::to_string).collect(),
        language: trial.language.as_ref().map(|offer| offer.language.id.clone()),
        got: None,
        ok: None,
        sensitive: false,
        reason: String::new(),
        fault: false,
        score: None,
        score_best: None,
        groups: Vec::new(),
        time_limit_ms: trial.language.as_ref().map(|offer| caps.of(&offer.language).limit_ms),
        testcases: Vec::new(),
        testcases_total: wanted.len(),
    };
    if let Some(Err(fault)) = trial.outcome(package, caps, View::AtLimit) {
        trial.state = State::Fault(fault);
    }
    match &trial.state {
        State::Skipped(reason) => verified.reason.clone_from(reason),
        State::Fault(reason) => {
            verified.got = Some(Verdict::Je);
            verified.reason.clone_from(reason);
            verified.fault = true;
            // What came before it stands.
            verified.testcases = trial.testcases(package, caps);
        }
        State::Waiting(_) | State::Ready(_) | State::DoesNotCompile { .. } => {
            let (held, got) = held(&trial, package, caps);
            verified.got = Some(got);
            verified.ok = Some(!matches!(held, Held::Broken(_)));
            verified.sensitive = matches!(held, Held::Sensitive(_));
            verified.reason = match (held, &trial.state) {
                (Held::Kept, _) => String::new(),
                (Held::Sensitive(why), _) => format!("sensitive to the time limit: {why}"),
                (Held::Broken(why), State::DoesNotCompile { diagnostics, .. }) => {
                    let toolchain = trial.language.as_ref().map_or("", |offer| offer.toolchain.as_str());
                    format!("{why} ({toolchain}): {}", first_error::of(diagnostics))
                }
                (Held::Broken(why), _) => why,
            };
            verified.testcases = trial.testcases(package, caps);
            if let Some(Ok(outcome)) = trial.outcome(package, caps, View::AtLimit) {
                verified.score = outcome.score.as_ref().map(Score::to_string);
                verified.score_best = outcome.best.as_ref().map(Score::to_string);
                verified.groups = outcome.groups.iter().map(VerifiedGroup::from).collect();
                if verified.ok == Some(true) && verified.reason.is_empty() {
                    verified.reason =
                        score::remark(package.package.format, &package.package.grading, &demands, &outcome);
                }
            }
            if verified.ok == Some(true) && verified.reason.is_empty() {
                verified.reason = without_say(&verified.testcases);
            }
        }
    }
    verified
}

/// What to say of the first testcase that could not be judged and has no say; empty where there is none.
fn without_say(testcases: &[VerifiedTestcase]) -> String {
    let fault = testcases.iter().find(|testcase| testcase.verdict == Verdict::Je);
    fault.map_or_else(String::new, |fault| {
        format!("{}, which the result does not depend on: {}", fault.testcase, fault.message)
    })
}

/// What holding it to its demands gives, and the verdict that a contestant would get.
fn held(trial: &Trial, package: &JudgePackage, caps: Caps) -> (Held, Verdict) {
    let testcases = trial.testcases(package, caps);
    let outcome = |view| trial.outcome(package, caps, view).and_then(Result::ok);
    let overall = |view| match (&trial.state, outcome(view)) {
        (State::DoesNotCompile { verdict, .. }, _) => *verdict,
        (_, Some(outcome)) => outcome.verdict,
        _ => {
            let mut verdicts = testcases.iter().map(|testcase| testcase.seen_by(view));
            verdicts.find(|verdict| *verdict != Verdict::Ac).unwrap_or(Verdict::Ac)
        }
    };
    let (at_limit, with_margin) = (overall(View::AtLimit), overall(View::WithMargin));
    let outcome = outcome(View::AtLimit);
    let score = outcome.as_ref().and_then(|outcome| score::seen(&package.package.grading, outcome));
    let groups = outcome.as_ref().map(score::of_groups).unwrap_or_default();
    let by_groups = !package.package.grading.is_plain();
    let seen = Seen { testcases: &testcases, at_limit, with_margin, score, groups: &groups, by_groups };
    (promise::hold(&trial.submission.demands, &seen), at_limit)
}
