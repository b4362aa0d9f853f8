//! What the testcases of a submission come to: the tree of test groups with its rules, which testcase is wanted next, and
//! the verdict and score of the whole.
//!
//! Two families of rules share one tree: `testdata.yaml` of the legacy formats, whose default grader is here and whose
//! custom graders are programs, and `test_group.yaml` of 2025-09. A pass-fail problem is the simplest tree. Everything is
//! pure: results go in, and what a custom grader said goes in with them. See the format's sections "Test Data Groups",
//! "Graders" (legacy) and "Result Aggregation" (2025-09); where those are silent, problemtools decides.
//!
//! [`next`] and [`outcome`] walk the tree alike, so that stopping early never changes what comes of it: results behind a
//! point where the rules stop have no say even where they are there.

mod evaluate;
mod grader;
mod score;
mod stated;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use evaluate::{next, outcome};
pub use grader::{Aggregate, DefaultGrader, Graded, InvalidGrade, VerdictMode};
pub use score::{InvalidScore, Score};
pub use stated::{ScoreFault, ScoreFiles, Stated};

use super::verdict::Verdict;

/// How the submissions of a problem are graded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grading {
    /// Whether there are points. Without them only verdicts count.
    pub scoring: bool,
    /// Which scores are good ones.
    pub objective: Objective,
    /// Whether the output validators give the scores of accepted testcases (legacy `validation: custom score`).
    pub custom_score: bool,
    /// The group that holds all.
    pub root: Group,
}

/// Which scores are good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// High ones.
    Max,
    /// Low ones.
    Min,
}

/// A group of testcases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its path below `data/`: "" for the one that holds all.
    pub name: String,
    /// What its result is made of.
    pub rules: Rules,
    /// What it holds, in the order of judging.
    pub items: Vec<Item>,
}

/// Something in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The testcase at this place in the order of judging, from 1.
    Testcase(u32),
    /// A group within.
    Group(Box<Group>),
}

/// What the result of a group is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// `testdata.yaml`, and every pass-fail problem.
    Legacy(LegacyRules),
    /// 2025-09: the samples and the secret data, whose score is the submission's.
    Whole,
    /// 2025-09: the samples. All are run, and none gives points.
    Samples,
    /// 2025-09: `test_group.yaml`.
    Points(PointsRules),
}

/// The rules of a legacy group, everything inherited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRules {
    /// Whether the group goes on after something in it was not accepted.
    pub continues_on_reject: bool,
    /// Who grades it.
    pub grader: Grader,
    /// The score of an accepted testcase to which the validator gave none.
    pub accept_score: Score,
    /// The score of any other testcase.
    pub reject_score: Score,
    /// Which scores are expected of it.
    pub range: Range,
    /// Whether the group itself states that range, so that its end is the best score.
    pub states_range: bool,
}

impl Default for LegacyRules {
    fn default() -> Self {
        Self {
            continues_on_reject: false,
            grader: Grader::Default(DefaultGrader::default()),
            accept_score: Score::from(1),
            reject_score: Score::zero(),
            range: Range::default(),
            states_range: false,
        }
    }
}

/// Scores from `low` to `high`; none is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// The lowest.
    pub low: Option<Score>,
    /// The highest.
    pub high: Option<Score>,
}

/// Who grades a legacy group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grader {
    /// The default grader.
    Default(DefaultGrader),
    /// The package's own program.
    Custom {
        /// Its arguments.
        flags: Vec<String>,
    },
}

/// The rules of a 2025-09 group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsRules {
    /// The most points; none is no bound.
    pub max_score: Option<Score>,
    /// How its score is made of those in it.
    pub aggregation: Aggregation,
    /// Groups that must be accepted for this one to be run. They come earlier.
    pub require_pass: Vec<String>,
    /// The testcase among its items that is the static validator's, with the most points that it gives.
    pub static_case: Option<(u32, Score)>,
}

/// How a 2025-09 group's score is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// All points or none.
    PassFail,
    /// The sum.
    Sum,
    /// The least.
    Min,
}

/// What is known of a testcase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its verdict.
    pub verdict: Verdict,
    /// What the validator gave for it, if it gave anything.
    pub stated: Option<Stated>,
}

/// What is known, by the testcases' places in the order of judging.
pub type Cases = BTreeMap<u32, Case>;

/// What custom graders said, by group.
pub type GradedGroups = BTreeMap<String, Graded>;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the result depends on.
    Lazy,
    /// Everything. The result is the same.
    All,
}

/// What a custom grader is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The group to grade.
    pub group: String,
    /// Its arguments.
    pub flags: Vec<String>,
    /// Its standard input: a line `VERDICT score` for each thing in the group.
    pub lines: String,
}

/// What is wanted next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Run this testcase.
    Run(u32),
    /// Ask the custom grader.
    Grade(Assignment),
    /// Nothing: [`outcome`] has an answer.
    Done,
}

/// What everything comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict: AC with less than all points is PA.
    pub verdict: Verdict,
    /// The score, where there are points.
    pub score: Option<Score>,
    /// The best score, where it is known.
    pub best: Option<Score>,
    /// The groups, parents before children, without the one that holds all.
    pub groups: Vec<GroupOutcome>,
    /// What is odd about the scores, in words.
    pub warnings: Vec<String>,
}

/// What a group comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOutcome {
    /// Its path below `data/`.
    pub name: String,
    /// Its verdict; SC where it was not needed or not to be run.
    pub verdict: Verdict,
    /// Its score, where there are points.
    pub score: Option<Score>,
    /// Its best score, where it is known.
    pub best: Option<Score>,
    /// How many of the testcases in it and below were judged.
    pub testcases_judged: u32,
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// A testcase is missing.
    #[error("testcase {0} is not judged")]
    Testcase(u32),
    /// A custom grader was not asked.
    #[error("the test group {:?} is not graded", .0.group)]
    Grader(Assignment),
    /// The package's programs gave scores that its rules do not allow.
    #[error("{0}")]
    Fault(String),
}

impl Grading {
    /// A pass-fail problem with this many testcases and no groups.
    pub fn pass_fail(testcases_total: u32) -> Self {
        let items = (1..=testcases_total).map(Item::Testcase).collect();
        let root = Group { name: String::new(), rules: Rules::Legacy(LegacyRules::default()), items };
        Self { scoring: false, objective: Objective::Max, custom_score: false, root }
    }

    /// Whether a program of the package grades any of the groups.
    pub fn asks_custom_grader(&self) -> bool {
        self.root.asks_custom_grader()
    }

    /// Whether the first testcase that is not accepted decides everything: no points, no grader that has a say.
    pub fn is_plain(&self) -> bool {
        !self.scoring && self.root.is_plain()
    }

    /// The best score, where it is known.
    pub fn best(&self) -> Option<Score> {
        self.best_of(&self.root)
    }

    /// The best score that the package itself names for the whole: the end of the root's range, or the maximum.
    pub fn best_stated(&self) -> Option<Score> {
        match &self.root.rules {
            Rules::Legacy(rules) => self.good_end(&rules.range),
            Rules::Whole | Rules::Samples | Rules::Points(_) => self.best(),
        }
    }

    /// The score of a testcase as its group counts it; none where it gives no points.
    pub fn case_score(&self, index: u32, case: &Case) -> Option<Score> {
        let group = self.root.holder_of(index).filter(|_| self.scoring)?;
        match &group.rules {
            Rules::Legacy(rules) => Some(rules.case_score(case)),
            Rules::Points(rules) if rules.aggregation != Aggregation::PassFail => {
                rules.case_score(group.case_max(rules, index), case).ok()
            }
            Rules::Points(_) | Rules::Whole | Rules::Samples => None,
        }
    }

    fn good_end(&self, range: &Range) -> Option<Score> {
        match self.objective {
            Objective::Max => range.high.clone(),
            Objective::Min => range.low.clone(),
        }
    }

    fn best_of(&self, group: &Group) -> Option<Score> {
        match &group.rules {
            Rules::Legacy(_) if !self.scoring => None,
            Rules::Legacy(rules) => {
                let stated = self.good_end(&rules.range).filter(|_| rules.states_range);
                stated.or_else(|| self.best_made(group, rules))
            }
            Rules::Whole => group.groups().last().and_then(|secret| self.best_of(secret)),
            Rules::Samples => None,
            Rules::Points(rules) => rules.max_score.clone(),
        }
    }

    /// The score of a legacy group in which everything is accepted, where no program has a say in it.
    fn best_made(&self, group: &Group, rules: &LegacyRules) -> Option<Score> {
        let Grader::Default(grader) = &rules.grader else { return None };
        if self.custom_score || self.objective == Objective::Min {
            return None;
        }
        let scores = group.items.iter().map(|item| match item {
            Item::Testcase(_) => Some(rules.accept_score.clone()),
            Item::Group(group) => self.best_of(group),
        });
        Some(grader.score(&scores.collect::<Option<Vec<_>>>()?))
    }
}

impl LegacyRules {
    fn case_score(&self, case: &Case) -> Score {
        match (&case.stated, case.verdict) {
            (Some(Stated::Score(score)), _) => score.clone(),
            (_, Verdict::Ac) => self.accept_score.clone(),
            _ => self.reject_score.clone(),
        }
    }
}

impl PointsRules {
    /// The score of a testcase that can give so many points.
    fn case_score(&self, max: Option<Score>, case: &Case) -> Result<Score, String> {
        match (&case.stated, max) {
            _ if case.verdict != Verdict::Ac => Ok(Score::zero()),
            (Some(Stated::Score(score)), _) => Ok(score.clone()),
            (Some(Stated::Multiplier(part)), Some(max)) => Ok(part.clone() * max),
            (None, Some(max)) => Ok(max),
            (_, None) => Err("a testcase without a bound on its score has none".to_owned()),
        }
    }
}

impl Group {
    /// The groups directly in it.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.items.iter().filter_map(|item| match item {
            Item::Testcase(_) => None,
            Item::Group(group) => Some(group.as_ref()),
        })
    }

    /// The places of all testcases in it and below, in the order of judging.
    pub fn testcases(&self) -> Vec<u32> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn asks_custom_grader(&self) -> bool {
        matches!(&self.rules, Rules::Legacy(LegacyRules { grader: Grader::Custom { .. }, .. }))
            || self.groups().any(Group::asks_custom_grader)
    }

    fn is_plain(&self) -> bool {
        let Rules::Legacy(rules) = &self.rules else { return false };
        let forgiving = |grader: &DefaultGrader| {
            grader.verdict == VerdictMode::AlwaysAccept
                || grader.ignore_sample
                || grader.accept_if_any_accepted
        };
        matches!(&rules.grader, Grader::Default(grader) if !forgiving(grader))
            && !rules.continues_on_reject
            && self.groups().all(Group::is_plain)
    }

    fn collect(&self, all: &mut Vec<u32>) {
        for item in &self.items {
            match item {
                Item::Testcase(index) => all.push(*index),
                Item::Group(group) => group.collect(all),
            }
        }
    }

    /// The group that directly holds a testcase.
    fn holder_of(&self, index: u32) -> Option<&Group> {
        if self.items.contains(&Item::Testcase(index)) {
            return Some(self);
        }
        self.groups().find_map(|group| group.holder_of(index))
    }

    /// The most points of a testcase that is directly in a 2025-09 group; none is no bound.
    fn case_max(&self, rules: &PointsRules, index: u32) -> Option<Score> {
        let static_max = rules.static_case.as_ref();
        if let Some((_, max)) = static_max.filter(|(at, _)| *at == index) {
            return Some(max.clone());
        }
        let max = rules.max_score.clone()?;
        if rules.aggregation != Aggregation::Sum {
            return Some(max);
        }
        let taken = static_max.map_or_else(Score::zero, |(_, max)| max.clone());
        let testcases = self.items.iter().filter(|item| matches!(item, Item::Testcase(_))).count();
        Some((max - taken) / testcases.saturating_sub(usize::from(static_max.is_some())))
    }
}
