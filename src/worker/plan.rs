//! Which testcase of a submission is run next, by the rules of the package's groups and what is known so far.
//!
//! What is known may come from the history: a judging that another worker began goes on where that one stopped. The custom
//! grader of a package is asked here, as soon as its group is known; its answers are not part of the history.

use std::collections::BTreeSet;

use crate::domain::scoring::{self, Case, Cases, GradedGroups, Mode, Score, Stated, Step};
use crate::domain::verdict::Verdict;

use super::launch::Confined;
use super::packages::{JudgePackage, JudgePackageError};

/// The testcases of one submission: what is known and what is wanted.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The package.
    pub package: &'a JudgePackage,
    mode: Mode,
    cases: Cases,
    graded: GradedGroups,
    /// Where only some testcases are wanted, whatever they come to: those.
    only: Option<BTreeSet<u32>>,
    /// The testcase that was wanted last.
    asked: Option<u32>,
}

impl<'a> Plan<'a> {
    /// Goes on from what is known.
    pub fn new(package: &'a JudgePackage, mode: Mode, known: Cases) -> Self {
        Self { package, mode, cases: known, graded: GradedGroups::new(), only: None, asked: None }
    }

    /// Wants these testcases and nothing else, as far as they are not known.
    pub fn of_testcases(package: &'a JudgePackage, testcases: BTreeSet<u32>, known: Cases) -> Self {
        Self { only: Some(testcases), ..Self::new(package, Mode::All, known) }
    }

    /// The place of the testcase that is wanted next. Custom graders run in `beside`.
    pub fn next(&mut self, beside: &mut Confined<'_>) -> Result<Option<u32>, JudgePackageError> {
        self.asked = None;
        self.asked = match &self.only {
            Some(only) => only.iter().copied().find(|index| !self.cases.contains_key(index)),
            None => self.next_by(self.mode, beside)?,
        };
        Ok(self.asked)
    }

    /// The name of the testcase that was wanted last, where it has not come to anything.
    pub fn stuck_at(&self) -> Option<&str> {
        let index = self.asked.filter(|index| self.is_open(*index))?;
        self.package.place(index).map(|place| place.name.as_str())
    }

    fn next_by(&mut self, mode: Mode, beside: &mut Confined<'_>) -> Result<Option<u32>, JudgePackageError> {
        loop {
            match scoring::next(&self.package.package.grading, mode, &self.cases, &self.graded) {
                Step::Run(index) => return Ok(Some(index)),
                Step::Done => return Ok(None),
                Step::Grade(assignment) => {
                    let graded = self.package.grade(beside, &assignment)?;
                    self.graded.insert(assignment.group, graded);
                }
            }
        }
    }

    /// Whether the result depends on the testcase at this place, those before it being known. Of a choice of testcases the
    /// first that is not accepted is the result.
    pub fn counts(&mut self, index: u32, beside: &mut Confined<'_>) -> Result<bool, JudgePackageError> {
        if self.only.is_some() {
            return Ok(self.cases.range(..index).all(|(_, case)| case.verdict == Verdict::Ac));
        }
        Ok(self.next_by(Mode::Lazy, beside)? == Some(index))
    }

    /// The testcase after `index`, should that be accepted. It may be run before that is known.
    pub fn after(&mut self, index: u32) -> Option<u32> {
        if let Some(only) = &self.only {
            return only.range(index + 1..).copied().find(|index| !self.cases.contains_key(index));
        }
        // A score that nothing depends on but the sum.
        let accepted = Case { verdict: Verdict::Ac, stated: Some(Stated::Score(Score::from(1))) };
        self.cases.insert(index, accepted);
        let next = scoring::next(&self.package.package.grading, self.mode, &self.cases, &self.graded);
        self.cases.remove(&index);
        match next {
            Step::Run(after) => Some(after),
            Step::Grade(_) | Step::Done => None,
        }
    }

    /// Whether the testcase at this place is not known, and is not left out.
    pub fn is_open(&self, index: u32) -> bool {
        !self.cases.contains_key(&index) && self.only.as_ref().is_none_or(|only| only.contains(&index))
    }

    /// Takes in what came of a testcase.
    pub fn record(&mut self, index: u32, case: Case) {
        self.cases.insert(index, case);
    }

    /// What custom graders said.
    pub fn into_graded(self) -> GradedGroups {
        self.graded
    }
}
