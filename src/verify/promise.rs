//! What the folders of jury submissions promise, and whether a submission keeps it.

use crate::domain::verdict::Verdict;
use crate::problems::{Expectation, Format};

use super::VerifiedTestcase;

/// What verdicts come down to where a promise is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Accepted,
    Wrong,
    TooSlow,
    Crash,
}

impl Kind {
    /// The kind of a testcase's verdict. Too much output is wrong output; too much memory is a crash, as in the
    /// format.
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ac | Verdict::Pa | Verdict::Sc => Self::Accepted,
            Verdict::Wa | Verdict::Pe | Verdict::Ole => Self::Wrong,
            Verdict::Tle | Verdict::Wtl | Verdict::Ile => Self::TooSlow,
            Verdict::Mle | Verdict::Rte | Verdict::Sv | Verdict::Ce | Verdict::Ctl | Verdict::Je => {
                Self::Crash
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Accepted => "right answer",
            Self::Wrong => "wrong answer",
            Self::TooSlow => "time limit exceeded",
            Self::Crash => "crash",
        }
    }
}

/// What a folder of jury submissions promises: what may happen on a testcase, and what must on at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    permitted: &'static [Kind],
    required: &'static [Kind],
}

const ANYTHING: &[Kind] = &[Kind::Accepted, Kind::Wrong, Kind::TooSlow, Kind::Crash];

impl Promise {
    pub(super) fn of(expectation: &Expectation, format: Format) -> Self {
        use Kind::{Accepted, Crash, TooSlow, Wrong};
        let legacy = format.is_legacy();
        let (permitted, required): (&[Kind], &[Kind]) = match expectation {
            Expectation::Accepted => (&[Accepted], &[]),
            Expectation::WrongAnswer => (&[Accepted, Wrong], &[Wrong]),
            Expectation::TimeLimitExceeded if legacy => (&[Accepted, Wrong, TooSlow], &[TooSlow]),
            Expectation::TimeLimitExceeded => (&[Accepted, TooSlow], &[TooSlow]),
            Expectation::RunTimeError if legacy => (ANYTHING, &[Crash]),
            Expectation::RunTimeError => (&[Accepted, Crash], &[Crash]),
            Expectation::BruteForce if legacy => (&[Accepted, TooSlow, Crash], &[]),
            Expectation::BruteForce => (&[Accepted, TooSlow, Crash], &[TooSlow, Crash]),
            Expectation::Rejected => (ANYTHING, &[Wrong, TooSlow, Crash]),
            Expectation::PartiallyAccepted | Expectation::Unlisted(_) => (ANYTHING, &[]),
        };
        Self { permitted, required }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.permitted == ANYTHING && self.required.is_empty()
    }

    /// Whether no further testcase is needed: the promise is broken, or what it demands has been seen.
    pub(super) fn is_decided(&self, testcases: &[VerifiedTestcase]) -> bool {
        let kinds = || testcases.iter().map(|testcase| Kind::of(testcase.verdict));
        kinds().any(|kind| !self.permitted.contains(&kind))
            || !self.required.is_empty() && kinds().any(|kind| self.required.contains(&kind))
            || self.is_nothing() && kinds().any(|kind| kind != Kind::Accepted)
    }

    /// Why the promise is not kept, if it is not.
    pub(super) fn broken(&self, testcases: &[VerifiedTestcase]) -> Option<String> {
        let forbidden =
            testcases.iter().find(|testcase| !self.permitted.contains(&Kind::of(testcase.verdict)));
        if let Some(testcase) = forbidden {
            return Some(format!("{}: {}: {}", testcase.testcase, testcase.verdict, testcase.message));
        }
        let seen = |kind: &Kind| testcases.iter().any(|testcase| Kind::of(testcase.verdict) == *kind);
        if self.required.is_empty() || self.required.iter().any(seen) {
            return None;
        }
        let wanted: Vec<&str> = self.required.iter().map(|kind| kind.words()).collect();
        let slowest = testcases.iter().max_by_key(|testcase| testcase.cpu_ms);
        let slowest = slowest
            .map(|slowest| format!("; the slowest was {} with {} ms", slowest.testcase, slowest.cpu_ms));
        let slowest = slowest.filter(|_| self.required == [Kind::TooSlow]).unwrap_or_default();
        Some(format!("no testcase gave a {}{slowest}", wanted.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(directory: &str, format: Format, verdicts: &[Verdict], kept: bool, decided_after: usize) {
        let promise = Promise::of(&Expectation::of_directory(directory), format);
        let testcases: Vec<VerifiedTestcase> = verdicts
            .iter()
            .map(|&verdict| VerifiedTestcase {
                testcase: "secret/1".to_owned(),
                verdict,
                cpu_ms: 1,
                wall_ms: 1,
                memory_bytes: 1,
                message: String::new(),
            })
            .collect();
        let broken = promise.broken(&testcases);
        assert_eq!(broken.is_none(), kept, "{broken:?}");
        let ran = (1..=testcases.len()).find(|&count| promise.is_decided(&testcases[..count]));
        assert_eq!(ran.unwrap_or(testcases.len()), decided_after);
    }

    #[test]
    fn promises_are_kept_or_broken_as_the_format_says() {
        use Format::{Legacy, V2025_09};
        use Verdict::{Ac, Mle, Ole, Rte, Tle, Wa};
        check("accepted", Legacy, &[Ac, Ac, Ac], true, 3);
        check("accepted", Legacy, &[Ac, Wa, Ac], false, 2);
        check("wrong_answer", Legacy, &[Ac, Wa, Ac], true, 2);
        check("wrong_answer", Legacy, &[Ac, Ac], false, 2);
        // Only running everything finds this one.
        check("wrong_answer", Legacy, &[Wa, Tle], false, 1);
        check("wrong_answer", Legacy, &[Tle, Wa], false, 1);
        check("wrong_answer", Legacy, &[Ole], true, 1);
        check("time_limit_exceeded", Legacy, &[Wa, Tle, Ac], true, 2);
        check("time_limit_exceeded", V2025_09, &[Wa, Tle, Ac], false, 1);
        check("time_limit_exceeded", Legacy, &[Tle, Rte], false, 1);
        check("run_time_error", Legacy, &[Wa, Tle, Rte, Ac], true, 3);
        check("run_time_error", V2025_09, &[Ac, Mle, Ac], true, 2);
        check("run_time_error", V2025_09, &[Wa, Rte], false, 1);
        check("rejected", V2025_09, &[Ac, Ac], false, 2);
        check("rejected", V2025_09, &[Ac, Rte], true, 2);
        check("brute_force", Legacy, &[Ac, Ac], true, 2);
        check("mixed", Legacy, &[Ac, Rte, Ac], true, 2);
    }
}
