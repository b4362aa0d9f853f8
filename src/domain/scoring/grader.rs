//! Graders of the legacy formats: the default one, and how custom ones are spoken to.

use super::{InvalidScore, Score};
use crate::domain::verdict::Verdict;

/// A verdict and a score: what a testcase gave, or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) verdict: Verdict,
    pub(super) score: Score,
}

/// The default grader with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DefaultGrader {
    /// Which verdict a group gets.
    pub verdict: VerdictMode,
    /// Which score it gets.
    pub score: Aggregate,
    /// Whether only the last thing in the group counts: for the root, where that is the secret data.
    pub ignore_sample: bool,
    /// Whether one accepted thing makes the group accepted.
    pub accept_if_any_accepted: bool,
}

/// How the default grader makes a verdict of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerdictMode {
    /// The worst one: JE, RTE, MLE, TLE, OLE, WA, PE, AC.
    #[default]
    WorstError,
    /// The first that is not AC.
    FirstError,
    /// AC.
    AlwaysAccept,
}

/// How the default grader makes a score of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// The sum.
    #[default]
    Sum,
    /// The average.
    Avg,
    /// The least.
    Min,
    /// The largest.
    Max,
}

impl DefaultGrader {
    /// The grader that these flags ask for. Flags that it does not know are for other graders; of several that contradict
    /// each other, the last counts.
    pub fn parse(flags: &[String]) -> Self {
        let mut grader = Self::default();
        for flag in flags {
            match flag.as_str() {
                // The second is what the first was called once.
                "worst_error" | "no_errors" => grader.verdict = VerdictMode::WorstError,
                "first_error" => grader.verdict = VerdictMode::FirstError,
                "always_accept" => grader.verdict = VerdictMode::AlwaysAccept,
                "sum" => grader.score = Aggregate::Sum,
                "avg" => grader.score = Aggregate::Avg,
                "min" => grader.score = Aggregate::Min,
                "max" => grader.score = Aggregate::Max,
                "ignore_sample" => grader.ignore_sample = true,
                "accept_if_any_accepted" => grader.accept_if_any_accepted = true,
                _ => {}
            }
        }
        grader
    }

    /// What a group comes to. Nothing at all is accepted with no points.
    pub(super) fn grade(&self, results: &[Total]) -> Total {
        let verdicts: Vec<Verdict> = self.counting(results).iter().map(|result| result.verdict).collect();
        let scores: Vec<Score> = results.iter().map(|result| result.score.clone()).collect();
        Total { verdict: self.verdict(&verdicts), score: self.score(&scores) }
    }

    fn verdict(&self, verdicts: &[Verdict]) -> Verdict {
        if self.accept_if_any_accepted && verdicts.contains(&Verdict::Ac) {
            return Verdict::Ac;
        }
        match self.verdict {
            VerdictMode::AlwaysAccept => Verdict::Ac,
            VerdictMode::FirstError => {
                verdicts.iter().copied().find(|verdict| *verdict != Verdict::Ac).unwrap_or(Verdict::Ac)
            }
            // Of equally bad ones the first.
            VerdictMode::WorstError => {
                verdicts.iter().copied().min_by_key(|verdict| badness(*verdict)).unwrap_or(Verdict::Ac)
            }
        }
    }

    /// The score of a group whose things have these.
    pub(super) fn score(&self, scores: &[Score]) -> Score {
        let scores = self.counting(scores);
        let sum = || scores.iter().cloned().sum::<Score>();
        match self.score {
            Aggregate::Sum => sum(),
            Aggregate::Avg => sum() / scores.len(),
            Aggregate::Min => scores.iter().min().cloned().unwrap_or_else(Score::zero),
            Aggregate::Max => scores.iter().max().cloned().unwrap_or_else(Score::zero),
        }
    }

    fn counting<'a, T>(&self, results: &'a [T]) -> &'a [T] {
        let ignored = if self.ignore_sample { results.len().saturating_sub(1) } else { 0 };
        &results[ignored..]
    }
}

/// The place of a verdict in the default grader's order, the worst first.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Je => 0,
        Verdict::Ce | Verdict::Ctl | Verdict::Sv => 1,
        Verdict::Rte => 2,
        Verdict::Mle => 3,
        Verdict::Tle | Verdict::Wtl | Verdict::Ile => 4,
        Verdict::Ole => 5,
        Verdict::Wa => 6,
        Verdict::Pe => 7,
        Verdict::Sc | Verdict::Pa | Verdict::Ac => 8,
    }
}

/// What a custom grader said of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graded {
    /// The verdict.
    pub verdict: Verdict,
    /// The score.
    pub score: Score,
}

/// An answer of a custom grader that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrade {
    /// It is not one line `VERDICT score`.
    #[error("said something else than a verdict and a score")]
    Shape,
    /// It begins with no verdict that a grader may give.
    #[error("gave a verdict that is none of AC, WA, TLE and RTE")]
    Verdict,
    /// It ends with no score.
    #[error("gave a score that is none")]
    Score(#[from] InvalidScore),
}

impl Graded {
    /// Reads a grader's standard output.
    pub fn parse(output: &str) -> Result<Self, InvalidGrade> {
        let mut words = output.split_ascii_whitespace();
        let (Some(verdict), Some(score), None) = (words.next(), words.next(), words.next()) else {
            return Err(InvalidGrade::Shape);
        };
        let verdict = match verdict {
            "AC" => Verdict::Ac,
            "WA" => Verdict::Wa,
            "TLE" => Verdict::Tle,
            "RTE" => Verdict::Rte,
            "MLE" => Verdict::Mle,
            "OLE" => Verdict::Ole,
            _ => return Err(InvalidGrade::Verdict),
        };
        Ok(Self { verdict, score: score.parse()? })
    }

    /// This result of a group that holds `results`. Graders know four verdicts; where one of them stands for a finer one of
    /// ours, that comes back.
    pub(super) fn of(&self, results: &[Total]) -> Total {
        let meant = results.iter().find(|result| code(result.verdict) == code(self.verdict));
        let verdict = meant.map_or(self.verdict, |result| result.verdict);
        Total { verdict, score: self.score.clone() }
    }
}

/// What a custom grader reads.
pub(super) fn lines(results: &[Total]) -> String {
    results.iter().map(|result| format!("{} {}\n", code(result.verdict), result.score)).collect()
}

/// A verdict in the words that every grader knows. The format has no verdict for memory and output: too much memory is a
/// crash, too much output a wrong one.
fn code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ac | Verdict::Pa => "AC",
        Verdict::Wa | Verdict::Pe | Verdict::Ole | Verdict::Sc => "WA",
        Verdict::Tle | Verdict::Wtl | Verdict::Ile => "TLE",
        Verdict::Rte | Verdict::Mle | Verdict::Sv | Verdict::Ce | Verdict::Ctl => "RTE",
        Verdict::Je => "JE",
    }
}
