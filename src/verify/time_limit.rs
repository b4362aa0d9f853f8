//! The time limit of a package that states none: what follows from how long the jury's submissions take.
//!
//! The rule of the format: the limit is the smallest multiple of `time_resolution` that is at least the slowest of the
//! submissions that must be in time times `ac_to_time_limit` (`time_multiplier` in the legacy formats), and the fastest
//! of those that must be too slow takes at least the limit times `time_limit_to_tle` (`time_safety_margin`).

use serde::{Deserialize, Serialize};

use crate::problems::{TimeLimitSource, TimeMultipliers};

/// Without any submission that must be in time.
pub(super) const TIME_LIMIT_DEFAULT_MS: u64 = 2_000;
/// A derived limit is at most this.
const TIME_LIMIT_MAX_MS: u64 = 3_600_000;
/// What contradicts the rule is at least this: less would measure how long virtual machines and interpreters take to
/// start, and not what the submissions do.
const COMPROMISE_MIN_MS: u64 = 500;
/// Times that lie nearer together than this factor cannot be told apart by any limit.
const DISTINCT: f64 = 1.2;

/// The time limit by which a package is judged, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeLimit {
    /// CPU time of a submission on one testcase, in milliseconds, before the factor of its language.
    pub time_limit_ms: u64,
    /// Where it comes from.
    pub source: Source,
    /// Submissions that must be too slow are too slow even by the limit times this.
    pub margin: f64,
    /// The slowest of the submissions that must be in time, where the limit was derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_in_time: Option<Timed>,
    /// The fastest of the submissions that must be too slow, where that is known because it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fastest_too_slow: Option<Timed>,
    /// Where a derived limit was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// Where a time limit comes from, in the order in which the places are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The command line.
    Given,
    /// What this judge recorded when it published the package.
    Recorded,
    /// `limits.time_limit` in `problem.yaml`.
    ProblemYaml,
    /// The file `.timelimit`.
    DotTimelimit,
    /// `timelimit` in `domjudge-problem.ini`.
    DomjudgeIni,
    /// The jury's submissions.
    Derived,
    /// Nothing: the default of this judge.
    Default,
}

impl TimeLimit {
    /// One that is stated, rather than measured.
    pub fn stated(time_limit_ms: u64, source: Source, margin: f64) -> TimeLimit {
        TimeLimit {
            time_limit_ms,
            source,
            margin,
            slowest_in_time: None,
            fastest_too_slow: None,
            machine: None,
        }
    }

    /// The file that records it in a published package ([`crate::problems::RECORD`]).
    pub fn record(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(&serde_json::json!({ "time_limit": self }))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Source {
    /// Where a package states its limit; none where it does not.
    pub fn stated(source: TimeLimitSource) -> Option<Source> {
        match source {
            TimeLimitSource::Recorded => Some(Source::Recorded),
            TimeLimitSource::ProblemYaml => Some(Source::ProblemYaml),
            TimeLimitSource::DotTimelimit => Some(Source::DotTimelimit),
            TimeLimitSource::DomjudgeIni => Some(Source::DomjudgeIni),
            TimeLimitSource::Default => None,
        }
    }

    /// For messages.
    pub fn words(self) -> &'static str {
        match self {
            Source::Given => "given",
            Source::Recorded => "recorded",
            Source::ProblemYaml => "problem.yaml",
            Source::DotTimelimit => ".timelimit",
            Source::DomjudgeIni => "domjudge-problem.ini",
            Source::Derived => "derived",
            Source::Default => "default",
        }
    }
}

/// How long a submission took on its slowest testcase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// Its path in the package.
    pub submission: String,
    /// The testcase.
    pub testcase: String,
    /// CPU time in milliseconds, without the factor of the language.
    pub cpu_ms: u64,
}

/// A machine, as far as it matters for how fast it is. Nothing that tells one host from another of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// How many processors it has.
    pub cores: u64,
    /// Its architecture.
    pub architecture: String,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            matches!(key.trim(), "model name" | "Model" | "Hardware").then(|| value.trim().to_owned())
        });
        Machine {
            cpu: model.unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            architecture: std::env::consts::ARCH.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// A limit that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) time_limit_ms: u64,
    /// Why the rule cannot be kept, if it cannot.
    pub(super) contradiction: Option<String>,
}

/// The smallest limit that leaves enough time for what takes `slowest_in_time_ms`.
pub(super) fn smallest(slowest_in_time_ms: u64, multipliers: &TimeMultipliers) -> u64 {
    let resolution = multipliers.time_resolution_ms.max(1) as f64;
    // The subtraction keeps 0.7 * 10 from becoming a hair more than 7.
    let steps =
        (slowest_in_time_ms as f64 * multipliers.ac_to_time_limit / resolution - 1e-9).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the minimum")]
    let limit = (steps * resolution).min(TIME_LIMIT_MAX_MS as f64) as u64;
    limit
}

/// The limit by the rule, from how long each submission takes that must be in time, and each that must be too slow and
/// whose time is known. Where that limit would leave time for one that must be too slow, it contradicts the jury: then
/// it is the limit that contradicts the fewest submissions, between the two kinds.
pub(super) fn choose(in_time_ms: &[u64], too_slow_ms: &[u64], multipliers: &TimeMultipliers) -> Choice {
    let mut in_time: Vec<u64> = in_time_ms.to_vec();
    in_time.sort_unstable();
    let slowest = in_time.last().copied().unwrap_or(0);
    let by_rule = smallest(slowest, multipliers);
    let Some(fastest) = too_slow_ms.iter().copied().min() else {
        return Choice { time_limit_ms: by_rule, contradiction: None };
    };
    if by_rule as f64 * multipliers.time_limit_to_tle <= fastest as f64 {
        return Choice { time_limit_ms: by_rule, contradiction: None };
    }
    let mut why = format!(
        "no time limit is at least {} times the slowest that must be in time ({slowest} ms), a multiple of {} ms, and \
         at most 1/{} of the fastest that must be too slow ({fastest} ms)",
        multipliers.ac_to_time_limit, multipliers.time_resolution_ms, multipliers.time_limit_to_tle
    );
    let contradicted = |limit: u64| {
        in_time.iter().filter(|time| **time > limit).count()
            + too_slow_ms.iter().filter(|time| **time <= limit).count()
    };
    // By the rule for fewer and fewer of those that must be in time, and between those and what must be too slow.
    let candidates = in_time.iter().rev().flat_map(|&low| {
        let high =
            too_slow_ms.iter().copied().filter(|high| *high as f64 >= low.max(1) as f64 * DISTINCT).min();
        [Some(smallest(low, multipliers)), high.and_then(|high| between(low.max(1), high))]
    });
    let mut chosen = by_rule;
    for candidate in candidates.flatten() {
        if contradicted(candidate) < contradicted(chosen) {
            chosen = candidate;
        }
    }
    if chosen != by_rule {
        why.push_str(&format!("; {chosen} ms instead of {by_rule} ms contradict the fewest submissions"));
    }
    Choice { time_limit_ms: chosen, contradiction: Some(why) }
}

/// The geometric mean, to a tenth of a second where that is still well between; but no less than
/// [`COMPROMISE_MIN_MS`], or nothing if that is not between.
fn between(low_ms: u64, high_ms: u64) -> Option<u64> {
    let is_between = |limit: f64| limit > low_ms as f64 * 1.05 && limit * 1.05 < high_ms as f64;
    let mean = (low_ms as f64 * high_ms as f64).sqrt();
    let round = (mean / 100.0).round() * 100.0;
    let chosen = if is_between(round) { round } else { mean.round() };
    let chosen = chosen.max(COMPROMISE_MIN_MS as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two numbers of u64")]
    let limit = chosen as u64;
    is_between(chosen).then_some(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEGACY: TimeMultipliers =
        TimeMultipliers { ac_to_time_limit: 5.0, time_limit_to_tle: 2.0, time_resolution_ms: 1_000 };
    const NEW: TimeMultipliers =
        TimeMultipliers { ac_to_time_limit: 2.0, time_limit_to_tle: 1.5, time_resolution_ms: 1_000 };

    #[test]
    fn limits_follow_from_the_slowest_that_must_be_in_time() {
        assert_eq!(smallest(0, &LEGACY), 1_000);
        assert_eq!(smallest(13, &LEGACY), 1_000);
        assert_eq!(smallest(200, &LEGACY), 1_000);
        assert_eq!(smallest(201, &LEGACY), 2_000);
        assert_eq!(smallest(700, &TimeMultipliers { ac_to_time_limit: 10.0, ..LEGACY }), 7_000);
        assert_eq!(smallest(501, &NEW), 2_000);
        assert_eq!(smallest(501, &TimeMultipliers { time_resolution_ms: 100, ..NEW }), 1_100);
        assert_eq!(smallest(10_000_000, &LEGACY), TIME_LIMIT_MAX_MS);
    }

    #[test]
    fn the_fastest_that_must_be_too_slow_bounds_the_limit() {
        let of = |in_time, too_slow| {
            let choice = choose(&[in_time], &[too_slow], &NEW);
            (choice.time_limit_ms, choice.contradiction.is_some())
        };
        assert_eq!(of(400, 1_500), (1_000, false));
        // Too slow by the limit, though not by the margin: the limit stands.
        assert_eq!(of(400, 1_499), (1_000, true));
        // In time by the rule: a limit between them.
        assert_eq!(of(400, 900), (600, true));
        assert_eq!(of(2_000, 3_000), (2_400, true));
        // As near to the rule as can be, and no limit for contestants at all.
        assert_eq!(of(20, 900), (500, true));
        assert_eq!(of(20, 40), (1_000, true));
        // Nothing lies between these.
        assert_eq!(of(400, 450), (1_000, true));
        assert_eq!(of(400, 300), (1_000, true));
        let why = choose(&[400], &[900], &NEW).contradiction.expect("a contradiction");
        for part in ["(400 ms)", "(900 ms)", "600 ms instead of 1000 ms"] {
            assert!(why.contains(part), "{why}");
        }
        // One slow submission does not make all the fast ones of no account.
        let several = choose(&[30_000, 300, 200], &[9_000, 20_000], &NEW);
        assert_eq!(several.time_limit_ms, 1_000);
        assert_eq!(choose(&[30_000, 20_000], &[9_000], &NEW).time_limit_ms, 60_000);
    }

    proptest! {
        #[test]
        fn a_limit_keeps_the_rule_or_says_that_it_does_not(
            in_time in proptest::collection::vec(0_u64..100_000, 1..5),
            too_slow in proptest::collection::vec(1_u64..1_000_000, 0..5),
            factor in 1.0_f64..10.0,
            margin in 1.0_f64..3.0,
            resolution in 1_u64..5_000,
        ) {
            let multipliers = TimeMultipliers {
                ac_to_time_limit: factor, time_limit_to_tle: margin, time_resolution_ms: resolution,
            };
            let choice = choose(&in_time, &too_slow, &multipliers);
            prop_assert!(choice.time_limit_ms >= 1);
            let slowest = in_time.iter().copied().max().unwrap_or(0);
            if choice.contradiction.is_none() {
                prop_assert_eq!(choice.time_limit_ms % resolution, 0);
                prop_assert!(choice.time_limit_ms as f64 + 1e-3 >= slowest as f64 * factor);
                for time in &too_slow {
                    prop_assert!(choice.time_limit_ms as f64 * margin <= *time as f64);
                }
            } else if too_slow.iter().all(|time| *time as f64 > 1.2 * slowest.max(1) as f64 && *time > 525) {
                prop_assert!(choice.time_limit_ms >= slowest);
                prop_assert!(too_slow.iter().all(|time| choice.time_limit_ms <= *time));
            }
        }
    }
}
