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

/// The score and the best that the package names, as far as demands are held against them. Where low scores are good or
/// no best one is named, none is too good to be partial.
pub(super) fn seen(grading: &Grading, outcome: &Outcome) -> Option<(f64, f64)> {
    let best = grading.best_stated().filter(|_| grading.objective == Objective::Max);
    let best = best.as_ref().and_then(number).unwrap_or(f64::INFINITY);
    Some((number(outcome.score.as_ref()?)?, best))
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
