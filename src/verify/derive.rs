//! Measures what a time limit follows from: a run of its own over all submissions that bound it.
//!
//! First all that must be in time run on all their testcases under a generous cap. What the host does beside can only
//! slow a program, so the slowest run is repeated while its time matters, and its best time counts. Then those that must
//! be too slow run up to the limit with its margin: one that ends before that has a time, which the limit must respect.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::domain::verdict::Verdict;
use crate::problems::{Demand, TimeMultipliers};
use crate::worker::packages::JudgePackage;

use super::promise::View;
use super::time_limit::{self, Machine, Source, TIME_LIMIT_DEFAULT_MS, TimeLimit, Timed};
use super::trial::{Caps, State, Trial};
use super::{Bench, Finding, Progress, VerifiedTestcase, caps};

/// What a submission that must be in time may use on a testcase, before the factor of its language.
const CAP_MS: u64 = 60_000;
/// How many runs are repeated at most, and how often each.
const REPEATED_RUNS_MAX: usize = 6;
const REPEATS: usize = 2;

/// A derived time limit and what was met on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Derived {
    /// The limit; the default one where nothing bounds it.
    pub(super) time_limit: TimeLimit,
    /// What is wrong or odd about it.
    pub(super) findings: Vec<Finding>,
}

/// A submission that bounds the limit, by how long it took.
struct Bound {
    trial: usize,
    testcase: u32,
    /// Without the factor of the language.
    cpu_ms: u64,
}

/// Derives the limit from these submissions. What ran is kept in them.
pub(super) async fn derive(
    package: &Arc<JudgePackage>,
    bench: &Bench,
    multipliers: TimeMultipliers,
    trials: &mut [Trial],
    told: &mpsc::UnboundedSender<Progress>,
) -> Derived {
    let mut findings = Vec::new();
    let below = Sets::of(trials, package, Demand::bounds_time_limit_below);
    let generous = Caps { limit_ms: CAP_MS, cap_ms: CAP_MS };
    run(trials, &below, package, bench, generous, told).await;
    let mut in_time = Vec::new();
    let mut without_language = Vec::new();
    for (index, wanted) in below.bounding() {
        let trial = &trials[index];
        let path = Some(trial.submission.path.as_str());
        let mut left_out = |why: String| {
            let what = format!("does not bound the time limit: {why}");
            findings.push(Finding::warning(path, what));
        };
        match (&trial.state, trial.slowest(wanted)) {
            (State::Skipped(_), _) if trial.language.is_none() => {
                without_language.push(trial.submission.path.as_str());
            }
            (State::Skipped(why) | State::Fault(why), _) => left_out(why.clone()),
            (State::DoesNotCompile { .. }, _) => left_out("it does not compile".to_owned()),
            (State::Waiting(_) | State::Ready(_), Some((_, cpu_ms))) if cpu_ms > CAP_MS => {
                left_out(format!("it took more than {CAP_MS} ms"));
            }
            (State::Waiting(_) | State::Ready(_), Some((testcase, cpu_ms))) => {
                in_time.push(Bound { trial: index, testcase, cpu_ms });
            }
            (State::Waiting(_) | State::Ready(_), None) => {
                left_out("none of its runs ended by itself".to_owned())
            }
        }
    }
    if !without_language.is_empty() {
        let paths = without_language.join(", ");
        let what = format!("do not bound the time limit, since their languages are not known: {paths}");
        findings.push(Finding::warning(Some("submissions"), what));
    }
    if in_time.is_empty() {
        let what = format!(
            "states no time limit, and nothing to derive one from: assumed {TIME_LIMIT_DEFAULT_MS} ms"
        );
        findings.push(Finding::warning(Some("problem.yaml"), what));
        return Derived { time_limit: limit(TIME_LIMIT_DEFAULT_MS, Source::Default, &multipliers), findings };
    }
    steady(&mut in_time, trials, &below, package, bench, generous, &multipliers).await;
    let times: Vec<u64> = in_time.iter().map(|bound| bound.cpu_ms).collect();
    let slowest_ms = times.iter().copied().max().unwrap_or(0);
    let by_rule = limit(time_limit::smallest(slowest_ms, &multipliers), Source::Derived, &multipliers);
    let above = Sets::of(trials, package, Demand::bounds_time_limit_above);
    run(trials, &above, package, bench, caps(&by_rule), told).await;
    let mut too_slow = Vec::new();
    for (index, wanted) in above.bounding() {
        let trial = &trials[index];
        // One that ran out of time on the clock is too slow by any limit, whatever its other runs took.
        if trial.ran_out_on_the_clock(wanted) {
            continue;
        }
        let Some((testcase, cpu_ms)) = trial.slowest(wanted) else { continue };
        if cpu_ms <= caps(&by_rule).cap_ms {
            too_slow.push(Bound { trial: index, testcase, cpu_ms });
        }
    }
    let slow_times: Vec<u64> = too_slow.iter().map(|bound| bound.cpu_ms).collect();
    let choice = time_limit::choose(&times, &slow_times, &multipliers);
    if let Some(why) = choice.contradiction {
        // The legacy formats call it a margin, and the newer ones an error.
        let is_error = !package.package.format.is_legacy();
        findings.push(Finding { is_error, path: Some("problem.yaml".to_owned()), what: why });
    }
    let timed = |bound: &Bound| Timed {
        submission: trials[bound.trial].submission.path.clone(),
        testcase: package.testcases[bound.testcase as usize - 1].name.to_string(),
        cpu_ms: bound.cpu_ms,
    };
    let time_limit = TimeLimit {
        slowest_in_time: in_time.iter().max_by_key(|bound| bound.cpu_ms).map(timed),
        fastest_too_slow: too_slow.iter().min_by_key(|bound| bound.cpu_ms).map(timed),
        machine: Some(Machine::this()),
        ..limit(choice.time_limit_ms, Source::Derived, &multipliers)
    };
    Derived { time_limit, findings }
}

fn limit(time_limit_ms: u64, source: Source, multipliers: &TimeMultipliers) -> TimeLimit {
    TimeLimit::stated(time_limit_ms, source, multipliers.time_limit_to_tle)
}

/// For each submission the testcases on which it bounds the limit in one direction.
struct Sets(Vec<BTreeSet<u32>>);

impl Sets {
    fn of(trials: &[Trial], package: &JudgePackage, bounds: impl Fn(&Demand) -> bool) -> Sets {
        let sets = trials.iter().map(|trial| {
            let demands = trial.submission.demands.iter().filter(|demand| bounds(demand));
            let about = demands.flat_map(|demand| {
                package.testcases.iter().filter(|testcase| {
                    demand.testcases.as_ref().is_none_or(|glob| glob.matches(testcase.name.as_str()))
                })
            });
            about.map(|testcase| testcase.index).collect()
        });
        Sets(sets.collect())
    }

    /// The submissions that bound it at all, by index.
    fn bounding(&self) -> impl Iterator<Item = (usize, &BTreeSet<u32>)> {
        self.0.iter().enumerate().filter(|(_, wanted)| !wanted.is_empty())
    }
}

/// Runs each submission on its testcases, until one takes too long.
async fn run(
    trials: &mut [Trial],
    sets: &Sets,
    package: &Arc<JudgePackage>,
    bench: &Bench,
    caps: Caps,
    told: &mpsc::UnboundedSender<Progress>,
) {
    let runs = trials.iter_mut().zip(&sets.0).filter(|(_, wanted)| !wanted.is_empty());
    let runs = runs.map(|(trial, wanted)| {
        let stop = |seen: &[VerifiedTestcase]| {
            let last = seen.last().map(|last| last.seen_by(View::WithMargin));
            matches!(last, Some(Verdict::Tle | Verdict::Wtl | Verdict::Ile))
        };
        let (told, path) = (told.clone(), trial.submission.path.clone());
        let told = move || drop(told.send(Progress::Testcase(path.clone())));
        trial.advance(package, bench, caps, wanted, Arc::new(stop), told)
    });
    futures::future::join_all(runs).await;
}

/// Repeats the slowest run as long as the limit could be another one if it was slowed by something else.
async fn steady(
    in_time: &mut [Bound],
    trials: &mut [Trial],
    sets: &Sets,
    package: &Arc<JudgePackage>,
    bench: &Bench,
    caps: Caps,
    multipliers: &TimeMultipliers,
) {
    let mut repeated: BTreeSet<(usize, u32)> = BTreeSet::new();
    while repeated.len() < REPEATED_RUNS_MAX {
        let Some(slowest) = in_time.iter_mut().max_by_key(|bound| bound.cpu_ms) else { return };
        let as_it_is = time_limit::smallest(slowest.cpu_ms, multipliers);
        if as_it_is == time_limit::smallest(slowest.cpu_ms / 2, multipliers)
            || !repeated.insert((slowest.trial, slowest.testcase))
        {
            return;
        }
        for _ in 0..REPEATS {
            let testcase = BTreeSet::from([slowest.testcase]);
            trials[slowest.trial].repeat(package, bench, caps, &testcase).await;
        }
        if let Some((testcase, cpu_ms)) = trials[slowest.trial].slowest(&sets.0[slowest.trial]) {
            (slowest.testcase, slowest.cpu_ms) = (testcase, cpu_ms);
        }
    }
}
