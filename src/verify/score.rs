//! What a jury submission comes to as a whole in a problem with points, or with a grader that has a say.

use serde::Serialize;

use crate::domain::scoring::{Grading, GroupOutcome, Objective, Outcome, Score};
use crate::domain::verdict::Verdict;
use crate::problems::{Demand, Format};

/// What a test group comes to.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedGroup {
    /// The group, by its path below `data/`.
    pub group: String,
    /// The verdict; SC where it was not needed or not to be run.
    pub verdict: Verdict,
    /// The score as a decimal, where there are points.
    pub score: Option<String>,
    /// The best score, where it is known.
    pub score_best: Option<String>,
    /// How many of its testcases were run.
    pub testcases_judged: u32,
}

impl From<&GroupOutcome> for VerifiedGroup {
    fn from(group: &GroupOutcome) -> Self {
        Self {
            group: group.name.clone(),
            verdict: group.verdict,
            score: group.score.as_ref().map(Score::to_string),
            score_best: group.best.as_ref().map(Score::to_string),
            testcases_judged: group.testcases_judged,
        }
    }
}

/// A score, and the best that the package names, as far as demands are held against them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeenScore {
    pub(super) value: f64,
    /// None where the package names none.
    pub(super) best: Option<f64>,
    /// Which scores are good ones.
    pub(super) objective: Objective,
}

impl SeenScore {
    /// Whether there is no better one.
    pub(super) fn is_best(&self) -> bool {
        self.best.is_some_and(|best| match self.objective {
            Objective::Max => self.value >= best - tolerance(self.value),
            Objective::Min => self.value <= best + tolerance(self.value),
        })
    }
}

/// What a binary score may be off the decimal one that it stands for: a sum of many.
pub(super) fn tolerance(score: f64) -> f64 {
    1e-9 * score.abs().max(1.0)
}

/// The score of an outcome, where there are points.
pub(super) fn seen(grading: &Grading, outcome: &Outcome) -> Option<SeenScore> {
    let value = number(outcome.score.as_ref()?)?;
    let best = grading.best_stated().as_ref().and_then(number);
    Some(SeenScore { value, best, objective: grading.objective })
}

/// The scores of the test groups, as far as demands are held against them.
pub(super) fn of_groups(outcome: &Outcome) -> Vec<(String, f64)> {
    let scored = |group: &GroupOutcome| Some((group.name.clone(), number(group.score.as_ref()?)?));
    outcome.groups.iter().filter_map(scored).collect()
}

fn number(score: &Score) -> Option<f64> {
    score.to_string().parse().ok()
}

/// What is odd about the score of a submission that does what is expected; empty mostly.
pub(super) fn remark(format: Format, grading: &Grading, demands: &[Demand], outcome: &Outcome) -> String {
    let mut remarks = outcome.warnings.clone();
    if outcome.verdict == Verdict::Pa
        && demands.iter().all(|demand| demand.origin == "accepted/")
        && let (Some(score), Some(best)) = (&outcome.score, grading.best_stated())
    {
        // As problemtools has it: where scores are relative, that is to be expected.
        let advice = if format.is_legacy() { "; partially_accepted may be its place" } else { "" };
        remarks.push(format!("it got {score} of {best} points{advice}"));
    }
    remarks.join("; ")
}
