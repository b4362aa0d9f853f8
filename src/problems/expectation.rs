//! What a jury expects of its submissions, as plain data: the promise of each directory, and the demands that it and
//! `submissions.yaml` make. Reading them is for `jury`, holding submissions to them for `verify`.

use std::fmt;

use super::glob::Glob;
use super::package::Format;

/// What the directory of a jury submission promises. Besides the names of the formats it knows those that real
/// packages use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expectation {
    /// `accepted`: right on all testcases, in time.
    Accepted,
    /// `other_ac`: as `accepted`, but of no influence on the time limit.
    OtherAccepted,
    /// `slow_accepted`: right, but perhaps too slow, and of no influence on the time limit.
    SlowAccepted,
    /// `partially_accepted`: accepted with less than all points.
    PartiallyAccepted,
    /// `wrong_answer`: wrong somewhere, and never too slow nor crashing.
    WrongAnswer,
    /// `time_limit_exceeded`: too slow somewhere, and never crashing.
    TimeLimitExceeded,
    /// `run_time_error`: crashes somewhere.
    RunTimeError,
    /// `output_limit`: writes too much somewhere.
    OutputLimit,
    /// `compiler_error`: does not compile.
    CompilerError,
    /// `rejected`: not accepted, for whatever reason.
    Rejected,
    /// `brute_force`: right, but perhaps too slow.
    BruteForce,
    /// Any other directory, or none. It promises nothing by itself.
    Unlisted(String),
}

impl Expectation {
    /// The promise of a directory below `submissions/`.
    pub fn of_directory(name: &str) -> Expectation {
        match name {
            "accepted" => Expectation::Accepted,
            "other_ac" | "other_accepted" | "accepted_other" => Expectation::OtherAccepted,
            "slow_accepted" | "accepted_slow" => Expectation::SlowAccepted,
            "partially_accepted" => Expectation::PartiallyAccepted,
            "wrong_answer" | "no_output" => Expectation::WrongAnswer,
            "time_limit_exceeded" | "timelimit_exceeded" | "time_limit" | "timelimit" => {
                Expectation::TimeLimitExceeded
            }
            "run_time_error" | "runtime_error" | "memory_limit_exceeded" => Expectation::RunTimeError,
            "output_limit" | "output_limit_exceeded" => Expectation::OutputLimit,
            "compiler_error" | "compile_error" => Expectation::CompilerError,
            "rejected" => Expectation::Rejected,
            "brute_force" => Expectation::BruteForce,
            name => Expectation::Unlisted(name.to_owned()),
        }
    }

    /// The name of the directory.
    pub fn directory(&self) -> &str {
        match self {
            Expectation::Accepted => "accepted",
            Expectation::OtherAccepted => "other_ac",
            Expectation::SlowAccepted => "slow_accepted",
            Expectation::PartiallyAccepted => "partially_accepted",
            Expectation::WrongAnswer => "wrong_answer",
            Expectation::TimeLimitExceeded => "time_limit_exceeded",
            Expectation::RunTimeError => "run_time_error",
            Expectation::OutputLimit => "output_limit",
            Expectation::CompilerError => "compiler_error",
            Expectation::Rejected => "rejected",
            Expectation::BruteForce => "brute_force",
            Expectation::Unlisted(name) => name,
        }
    }

    /// What the directory demands in this version of the format; none where it promises nothing by itself.
    pub(super) fn demand(&self, format: Format, by_groups: bool) -> Option<Demand> {
        use JuryVerdict::{Accepted, RunTimeError, TimeLimitExceeded, WrongAnswer};
        let legacy = format.is_legacy();
        let demand = Demand::anything(format!("{}/", self.directory()));
        let rule = |permitted: &[JuryVerdict], required: &[JuryVerdict]| Demand {
            permitted: JuryVerdicts::of(permitted),
            required: JuryVerdicts::of(required),
            ..demand.clone()
        };
        // Who gives the legacy formats' derived limit is said by directory, and only there.
        let unused = |demand: Demand| Demand { time_limit: TimeLimitUse::Never, ..demand };
        let overall = |verdicts: &[OverallVerdict]| {
            unused(Demand { overall: Some(verdicts.to_vec()), ..demand.clone() })
        };
        let anything = JuryVerdict::ALL;
        // Where groups decide in the legacy formats, with points or without, single testcases may fail.
        let by_groups = legacy && by_groups;
        Some(match self {
            Expectation::Accepted if by_groups => {
                Demand { time_limit: TimeLimitUse::Lower, ..overall(&[OverallVerdict::Accepted]) }
            }
            Expectation::Accepted => rule(&[Accepted], &anything),
            Expectation::OtherAccepted => unused(rule(&[Accepted], &anything)),
            Expectation::SlowAccepted => unused(rule(&[Accepted, TimeLimitExceeded], &anything)),
            Expectation::PartiallyAccepted => {
                Demand { is_partial: true, ..overall(&[OverallVerdict::Accepted]) }
            }
            Expectation::WrongAnswer if by_groups => overall(&[OverallVerdict::WrongAnswer]),
            Expectation::WrongAnswer if legacy => unused(rule(&[Accepted, WrongAnswer], &[WrongAnswer])),
            Expectation::WrongAnswer => rule(&[Accepted, WrongAnswer], &[WrongAnswer]),
            Expectation::TimeLimitExceeded if by_groups => {
                Demand { time_limit: TimeLimitUse::Upper, ..overall(&[OverallVerdict::TimeLimitExceeded]) }
            }
            Expectation::TimeLimitExceeded if legacy => {
                rule(&[Accepted, WrongAnswer, TimeLimitExceeded], &[TimeLimitExceeded])
            }
            Expectation::TimeLimitExceeded => rule(&[Accepted, TimeLimitExceeded], &[TimeLimitExceeded]),
            Expectation::RunTimeError if by_groups => overall(&[OverallVerdict::RunTimeError]),
            Expectation::RunTimeError if legacy => unused(rule(&anything, &[RunTimeError])),
            Expectation::RunTimeError => rule(&[Accepted, RunTimeError], &[RunTimeError]),
            Expectation::OutputLimit => overall(&[OverallVerdict::OutputLimit]),
            Expectation::CompilerError => overall(&[OverallVerdict::CompilerError]),
            Expectation::Rejected => rule(&anything, &[WrongAnswer, TimeLimitExceeded, RunTimeError]),
            Expectation::BruteForce if legacy => {
                unused(rule(&[Accepted, TimeLimitExceeded, RunTimeError], &anything))
            }
            Expectation::BruteForce => {
                unused(rule(&[Accepted, TimeLimitExceeded, RunTimeError], &[TimeLimitExceeded, RunTimeError]))
            }
            Expectation::Unlisted(_) => return None,
        })
    }
}

/// A verdict on a testcase as the package format counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JuryVerdict {
    /// `AC`.
    Accepted,
    /// `WA`.
    WrongAnswer,
    /// `TLE`.
    TimeLimitExceeded,
    /// `RTE`.
    RunTimeError,
}

impl JuryVerdict {
    /// All of them.
    pub const ALL: [JuryVerdict; 4] = [
        JuryVerdict::Accepted,
        JuryVerdict::WrongAnswer,
        JuryVerdict::TimeLimitExceeded,
        JuryVerdict::RunTimeError,
    ];

    /// The verdict of a code of the format.
    pub fn parse(code: &str) -> Option<JuryVerdict> {
        JuryVerdict::ALL.into_iter().find(|verdict| verdict.code() == code)
    }

    /// Its code in the format.
    pub fn code(self) -> &'static str {
        match self {
            JuryVerdict::Accepted => "AC",
            JuryVerdict::WrongAnswer => "WA",
            JuryVerdict::TimeLimitExceeded => "TLE",
            JuryVerdict::RunTimeError => "RTE",
        }
    }
}

/// A set of verdicts on testcases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JuryVerdicts(u8);

impl JuryVerdicts {
    /// Those of a list.
    pub fn of(verdicts: &[JuryVerdict]) -> JuryVerdicts {
        JuryVerdicts(verdicts.iter().fold(0, |bits, verdict| bits | 1 << *verdict as u8))
    }

    /// All of them, which demands nothing.
    pub fn all() -> JuryVerdicts {
        JuryVerdicts::of(&JuryVerdict::ALL)
    }

    /// Whether a verdict is one of them.
    pub fn contains(self, verdict: JuryVerdict) -> bool {
        self.0 & 1 << verdict as u8 != 0
    }
}

impl fmt::Display for JuryVerdicts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = JuryVerdict::ALL
            .into_iter()
            .filter(|verdict| self.contains(*verdict))
            .map(|v| v.code())
            .collect();
        formatter.write_str(&codes.join(" or "))
    }
}

/// A verdict on a whole submission, as `@EXPECTED_RESULTS@` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverallVerdict {
    /// `CORRECT`, `ACCEPTED`.
    Accepted,
    /// `WRONG-ANSWER`, and `NO-OUTPUT`, which we do not tell apart.
    WrongAnswer,
    /// `TIMELIMIT`.
    TimeLimitExceeded,
    /// `RUN-ERROR`.
    RunTimeError,
    /// `OUTPUT-LIMIT`.
    OutputLimit,
    /// `COMPILER-ERROR`.
    CompilerError,
    /// `CHECK-MANUALLY`: whatever comes.
    Manual,
}

impl OverallVerdict {
    /// The verdict of a name, without regard to case, and to `-` and `_`.
    pub fn parse(name: &str) -> Option<OverallVerdict> {
        let name = name.to_ascii_uppercase().replace('_', "-");
        Some(match name.as_str() {
            "CORRECT" | "ACCEPTED" => OverallVerdict::Accepted,
            "WRONG-ANSWER" | "NO-OUTPUT" => OverallVerdict::WrongAnswer,
            "TIMELIMIT" | "TIME-LIMIT-EXCEEDED" | "TIMELIMIT-EXCEEDED" => OverallVerdict::TimeLimitExceeded,
            "RUN-ERROR" | "RUN-TIME-ERROR" | "RUNTIME-ERROR" => OverallVerdict::RunTimeError,
            "OUTPUT-LIMIT" | "OUTPUT-LIMIT-EXCEEDED" => OverallVerdict::OutputLimit,
            "COMPILER-ERROR" | "COMPILE-ERROR" => OverallVerdict::CompilerError,
            "CHECK-MANUALLY" => OverallVerdict::Manual,
            _ => return None,
        })
    }

    /// Our code for it.
    pub fn code(self) -> &'static str {
        match self {
            OverallVerdict::Accepted => "AC",
            OverallVerdict::WrongAnswer => "WA",
            OverallVerdict::TimeLimitExceeded => "TLE",
            OverallVerdict::RunTimeError => "RTE",
            OverallVerdict::OutputLimit => "OLE",
            OverallVerdict::CompilerError => "CE",
            OverallVerdict::Manual => "anything",
        }
    }
}

/// Something that a jury submission must do.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Who demands it, for messages: `accepted/`, `submissions.yaml:3`, `@EXPECTED_RESULTS@`.
    pub origin: String,
    /// Paths below `data/` of the testcases and groups that it is about; none means all.
    pub testcases: Option<Glob>,
    /// No testcase gives anything else.
    pub permitted: JuryVerdicts,
    /// At least one testcase gives one of these.
    pub required: JuryVerdicts,
    /// The verdict on the whole is one of these.
    pub overall: Option<Vec<OverallVerdict>>,
    /// The score, or that of the group, is in this range, ends included.
    pub score: Option<(f64, f64)>,
    /// The score is not the best that can be had.
    pub is_partial: bool,
    /// Stands in what an output validator says to the jury of at least one testcase.
    pub message: Option<String>,
    /// What it means for a derived time limit.
    pub time_limit: TimeLimitUse,
}

impl Demand {
    /// Demands nothing.
    pub fn anything(origin: String) -> Demand {
        Demand {
            origin,
            testcases: None,
            permitted: JuryVerdicts::all(),
            required: JuryVerdicts::all(),
            overall: None,
            score: None,
            is_partial: false,
            message: None,
            time_limit: TimeLimitUse::ByVerdicts,
        }
    }

    /// Whether it demands that the submission solves the problem.
    pub fn is_acceptance(&self) -> bool {
        let is_accepted = self.overall.as_deref() == Some(&[OverallVerdict::Accepted]);
        let accepted = JuryVerdicts::of(&[JuryVerdict::Accepted]);
        self.testcases.is_none() && !self.is_partial && (is_accepted || self.permitted == accepted)
    }

    /// Whether a derived time limit must leave time for the submission on these testcases.
    pub fn bounds_time_limit_below(&self) -> bool {
        match self.time_limit {
            TimeLimitUse::ByVerdicts => !self.permitted.contains(JuryVerdict::TimeLimitExceeded),
            TimeLimitUse::Lower => true,
            TimeLimitUse::Never | TimeLimitUse::Upper => false,
        }
    }

    /// Whether a derived time limit must be too short for the submission on one of these testcases.
    pub fn bounds_time_limit_above(&self) -> bool {
        match self.time_limit {
            TimeLimitUse::ByVerdicts => self.required == JuryVerdicts::of(&[JuryVerdict::TimeLimitExceeded]),
            TimeLimitUse::Upper => true,
            TimeLimitUse::Never | TimeLimitUse::Lower => false,
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.permitted != JuryVerdicts::all() {
            parts.push(format!("only {}", self.permitted));
        }
        if self.required != JuryVerdicts::all() {
            parts.push(format!("at least once {}", self.required));
        }
        if let Some(overall) = &self.overall {
            let codes: Vec<&str> = overall.iter().map(|verdict| verdict.code()).collect();
            parts.push(format!("{} on the whole", codes.join(" or ")));
        }
        if let Some((low, high)) = self.score {
            parts.push(format!("a score of {low} to {high}"));
        }
        if self.is_partial {
            parts.push("not the best score".to_owned());
        }
        if let Some(message) = &self.message {
            parts.push(format!("the message {message:?}"));
        }
        if parts.is_empty() {
            parts.push("anything".to_owned());
        }
        write!(formatter, "{}: {}", self.origin, parts.join(", "))?;
        self.testcases.as_ref().map_or(Ok(()), |glob| write!(formatter, " (on {glob})"))
    }
}

/// What a submission means for a derived time limit (`use_for_time_limit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimitUse {
    /// What follows from the verdicts that are permitted and required.
    ByVerdicts,
    /// Nothing.
    Never,
    /// The limit leaves time for it.
    Lower,
    /// The limit is too short for it.
    Upper,
}

/// What the directory of this name demands in a pass-fail package of this version.
#[cfg(test)]
pub(crate) fn demands_of(directory: &str, version: &str) -> Vec<Demand> {
    let format = Format::parse(version).expect("a version");
    Expectation::of_directory(directory).demand(format, false).into_iter().collect()
}
