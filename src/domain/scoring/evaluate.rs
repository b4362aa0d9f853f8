//! The walk over the tree of groups: what is missing, or what it comes to.

use super::grader::{self, Total};
use super::{
    Aggregation, Assignment, Cases, GradedGroups, Grader, Grading, Group, GroupOutcome, Item, LegacyRules,
    Mode, Outcome, PointsRules, Rules, Score, Step, Unfinished,
};
use crate::domain::verdict::Verdict;

/// What is wanted next, given what is known.
pub fn next(grading: &Grading, mode: Mode, cases: &Cases, graded: &GradedGroups) -> Step {
    if mode == Mode::All
        && let Some(index) = grading.root.testcases().into_iter().find(|index| !cases.contains_key(index))
    {
        return Step::Run(index);
    }
    match Evaluation::new(grading, cases, graded, false).group(&grading.root) {
        Ok(_) | Err(Unfinished::Fault(_)) => Step::Done,
        Err(Unfinished::Testcase(index)) => Step::Run(index),
        Err(Unfinished::Grader(assignment)) => Step::Grade(assignment),
    }
}

/// What everything comes to, if enough is known.
pub fn outcome(grading: &Grading, cases: &Cases, graded: &GradedGroups) -> Result<Outcome, Unfinished> {
    let mut evaluation = Evaluation::new(grading, cases, graded, true);
    evaluation.group(&grading.root)?;
    let mut groups = evaluation.report;
    let whole = groups.remove(0);
    Ok(Outcome {
        verdict: whole.verdict,
        score: whole.score,
        best: whole.best,
        groups,
        warnings: evaluation.warnings,
    })
}

struct Evaluation<'a> {
    grading: &'a Grading,
    cases: &'a Cases,
    graded: &'a GradedGroups,
    /// Whether anybody reads the report in full.
    telling: bool,
    /// The groups met so far, parents before children.
    report: Vec<GroupOutcome>,
    warnings: Vec<String>,
}

impl<'a> Evaluation<'a> {
    fn new(grading: &'a Grading, cases: &'a Cases, graded: &'a GradedGroups, telling: bool) -> Self {
        Self { grading, cases, graded, telling, report: Vec::new(), warnings: Vec::new() }
    }

    /// What a group comes to for the one that holds it: AC even where that is less than all points.
    fn group(&mut self, group: &Group) -> Result<Total, Unfinished> {
        let at = self.report.len();
        self.report.push(self.skipped(group));
        let total = match &group.rules {
            Rules::Legacy(rules) => self.legacy(group, rules)?,
            Rules::Whole => self.whole(group)?,
            Rules::Samples => self.samples(group)?,
            Rules::Points(rules) => self.points(group, rules)?,
        };
        let told = &mut self.report[at];
        let less = |best: &Score| self.grading.scoring && !total.score.is_close_to(best);
        let partly = total.verdict == Verdict::Ac && told.best.as_ref().is_some_and(less);
        told.verdict = if partly { Verdict::Pa } else { total.verdict };
        told.score = self.grading.scoring.then(|| total.score.clone());
        Ok(total)
    }

    /// A group that is not run, or not yet.
    fn skipped(&self, group: &Group) -> GroupOutcome {
        let mut skipped = GroupOutcome {
            name: group.name.clone(),
            verdict: Verdict::Sc,
            score: self.grading.scoring.then(Score::zero),
            best: None,
            testcases_judged: 0,
        };
        if self.telling {
            let judged = group.testcases().into_iter().filter(|index| self.cases.contains_key(index)).count();
            skipped.testcases_judged = u32::try_from(judged).unwrap_or(u32::MAX);
            skipped.best = self.grading.best_of(group);
        }
        skipped
    }

    /// Tells of the groups in a group that is not run.
    fn skip_below(&mut self, group: &Group) {
        for below in group.groups() {
            self.report.push(self.skipped(below));
            self.skip_below(below);
        }
    }

    /// Tells of a group on which nothing depends any more: what it comes to if all of it is known.
    fn aside(&mut self, group: &Group) -> Option<Total> {
        let at = self.report.len();
        let total = self.group(group).ok();
        if total.is_none() {
            self.report.truncate(at);
            self.report.push(self.skipped(group));
            self.skip_below(group);
        }
        total
    }

    fn legacy(&mut self, group: &Group, rules: &LegacyRules) -> Result<Total, Unfinished> {
        let mut results: Vec<Total> = Vec::with_capacity(group.items.len());
        let mut broken = false;
        for item in &group.items {
            let total = match item {
                Item::Group(group) if broken => {
                    self.aside(group);
                    continue;
                }
                Item::Testcase(_) if broken => continue,
                Item::Group(group) => self.group(group)?,
                Item::Testcase(index) => {
                    let case = self.cases.get(index).ok_or(Unfinished::Testcase(*index))?;
                    let score = if self.grading.scoring { rules.case_score(case) } else { Score::zero() };
                    Total { verdict: case.verdict, score }
                }
            };
            broken = total.verdict != Verdict::Ac && !rules.continues_on_reject;
            results.push(total);
        }
        let total = match &rules.grader {
            _ if results.is_empty() => Total { verdict: Verdict::Ac, score: Score::zero() },
            Grader::Default(grader) => grader.grade(&results),
            Grader::Custom { flags } => match self.graded.get(&group.name) {
                Some(graded) => graded.of(&results),
                None => {
                    let (flags, lines) = (flags.clone(), grader::lines(&results));
                    return Err(Unfinished::Grader(Assignment { group: group.name.clone(), flags, lines }));
                }
            },
        };
        if self.grading.scoring {
            self.check_range(group, rules, &total.score);
        }
        Ok(total)
    }

    fn check_range(&mut self, group: &Group, rules: &LegacyRules, score: &Score) {
        let (low, high) = (&rules.range.low, &rules.range.high);
        let outside = low.as_ref().is_some_and(|low| low.exceeds(score))
            || high.as_ref().is_some_and(|high| score.exceeds(high));
        if outside {
            let end =
                |end: &Option<Score>| end.as_ref().map_or_else(|| "infinity".to_owned(), Score::to_string);
            let name = if group.name.is_empty() { "data" } else { &group.name };
            let minus = if low.is_none() { "-" } else { "" };
            let (low, high) = (end(low), end(high));
            self.warnings
                .push(format!("{name}: the score {score} is not in the range {minus}{low} to {high}"));
        }
    }

    fn whole(&mut self, group: &Group) -> Result<Total, Unfinished> {
        let mut sample = None;
        let mut secret = Total { verdict: Verdict::Ac, score: Score::zero() };
        for below in group.groups() {
            let total = self.group(below)?;
            if matches!(below.rules, Rules::Samples) { sample = Some(total.verdict) } else { secret = total }
        }
        if secret.verdict == Verdict::Sc {
            // Not run for the samples, so their verdict says why.
            secret.verdict = sample.unwrap_or(Verdict::Wa);
        }
        Ok(secret)
    }

    fn samples(&mut self, group: &Group) -> Result<Total, Unfinished> {
        let mut verdict = Verdict::Ac;
        for index in group.testcases() {
            let case = self.cases.get(&index).ok_or(Unfinished::Testcase(index))?;
            if verdict == Verdict::Ac {
                verdict = case.verdict;
            }
        }
        Ok(Total { verdict, score: Score::zero() })
    }

    fn points(&mut self, group: &Group, rules: &PointsRules) -> Result<Total, Unfinished> {
        if !rules.require_pass.iter().all(|name| self.passed(name)) {
            self.skip_below(group);
            return Ok(Total { verdict: Verdict::Sc, score: Score::zero() });
        }
        let fault = |what: String| Unfinished::Fault(format!("{}: {what}", group.name));
        let mut failing: Option<Verdict> = None;
        let mut scores = Vec::with_capacity(group.items.len());
        let mut decided = false;
        for item in &group.items {
            let (verdict, score) = match item {
                Item::Testcase(index) => match self.cases.get(index) {
                    None if decided => continue,
                    None => return Err(Unfinished::Testcase(*index)),
                    // Nothing in such a group has a score of its own.
                    Some(case) if rules.aggregation == Aggregation::PassFail => (case.verdict, Score::zero()),
                    Some(case) => {
                        let max = group.case_max(rules, *index);
                        (case.verdict, rules.case_score(max, case).map_err(fault)?)
                    }
                },
                Item::Group(below) => {
                    let total = if decided { self.aside(below) } else { Some(self.group(below)?) };
                    let Some(total) = total else { continue };
                    (total.verdict, total.score)
                }
            };
            // The first that says why; a group that is skipped or has a part of its points does not. What comes behind the
            // point where the score is decided is not asked, for it need not have been run.
            let weak = |verdict| matches!(verdict, Verdict::Pa | Verdict::Sc);
            if verdict != Verdict::Ac
                && !decided
                && failing.is_none_or(|failing| weak(failing) && !weak(verdict))
            {
                failing = Some(verdict);
            }
            decided = decided
                || match rules.aggregation {
                    Aggregation::PassFail => failing.is_some(),
                    Aggregation::Sum => false,
                    Aggregation::Min => score.is_zero(),
                };
            scores.push(score);
        }
        let score = match rules.aggregation {
            Aggregation::PassFail if failing.is_some() => Score::zero(),
            Aggregation::PassFail => rules.max_score.clone().unwrap_or_else(Score::zero),
            Aggregation::Sum => scores.into_iter().sum(),
            Aggregation::Min => scores.into_iter().min().unwrap_or_else(Score::zero),
        };
        if let Some(max) = rules.max_score.as_ref().filter(|max| score.exceeds(max)) {
            return Err(fault(format!("the score {score} is more than the maximum, {max}")));
        }
        let verdict = match failing {
            None => Verdict::Ac,
            Some(failing) if score.is_zero() => failing,
            Some(_) => Verdict::Pa,
        };
        Ok(Total { verdict, score })
    }

    /// Whether a group that another one requires was accepted. The samples of a package that has none are.
    fn passed(&self, name: &str) -> bool {
        let told = self.report.iter().find(|told| told.name == name);
        told.map_or(name == "sample", |told| told.verdict == Verdict::Ac)
    }
}
