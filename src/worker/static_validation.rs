//! The static validator of a package: a program of the jury that judges the sources of a submission instead of its output.
//!
//! Each group may ask it once. It is built and confined as output validators are, and its exit code says the same; the
//! format describes it in the section "Static validator" of 2025-09.

use std::path::Path;

use crate::domain::ids::{InvalidId, TestcaseName};
use crate::domain::verdict::Verdict;
use crate::languages::sources::Sources;
use crate::languages::{EntryRule, Language};
use crate::problems::Package;

use super::launch::{Confined, ProgramFile};
use super::packages::JudgePackageError;
use super::plan::Plan;
use super::run::{self, TestcaseResult};
use super::validators::Validators;

/// The static validator with what it is asked.
#[derive(Debug)]
pub struct StaticValidation {
    validator: Validators,
    /// The place of the first of its testcases.
    first_place: u32,
    testcases: Vec<StaticCase>,
}

/// What the validator is asked for one group.
#[derive(Debug)]
pub struct StaticCase {
    /// The testcase that stands for it.
    pub name: TestcaseName,
    /// The group.
    pub group: String,
    arguments: Vec<String>,
}

impl StaticValidation {
    /// That of the package at `root`, if any of its groups asks for it.
    pub(super) fn of(package: &Package, root: &Path) -> Result<Option<Self>, InvalidId> {
        let Some(source) = &package.static_validator else { return Ok(None) };
        let validator = Validators::new(root, std::slice::from_ref(source), package);
        let testcases = package.static_testcases.iter().map(|testcase| {
            let (group, arguments) = (testcase.group.clone(), testcase.arguments.clone());
            Ok(StaticCase { name: testcase.name.parse()?, group, arguments })
        });
        let testcases = testcases.collect::<Result<_, InvalidId>>()?;
        let first_place = u32::try_from(package.testcases.len() + 1).unwrap_or(u32::MAX);
        Ok(Some(Self { validator, first_place, testcases }))
    }

    /// The testcase at this place, which stands for a group.
    pub(super) fn testcase(&self, index: u32) -> Option<&StaticCase> {
        self.testcases.get(usize::try_from(index.checked_sub(self.first_place)?).ok()?)
    }
}

/// Has the sources of a submission judged for every group that asks for it and is not known yet: first, since that costs
/// little. Gives whether to go on, which `record` says.
pub fn judge_sources(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
    program: &[ProgramFile],
    plan: &mut Plan<'_>,
    mut record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<bool, JudgePackageError> {
    let package = plan.package;
    let Some(validation) = &package.static_validation else { return Ok(true) };
    let files = run::files_of(sources, program)?;
    let entry = match language.entry {
        EntryRule::File => sources.sources.first().map_or("", |main| main.name.as_str()),
        EntryRule::JavaClass => sources.entry.as_str(),
    };
    for (index, testcase) in (validation.first_place..).zip(&validation.testcases) {
        if !plan.is_open(index) {
            continue;
        }
        let program = [language.package_code(), entry];
        let validated = validation.validator.judge_sources(slot, &files, program, &testcase.arguments)?;
        let stated = package.stated(index, validated.accepted, &validated.feedback.scores()?)?;
        let verdict = if validated.accepted { Verdict::Ac } else { Verdict::Wa };
        let said = Some(validated.feedback.message()?).filter(|message| !message.is_empty());
        let message = said.unwrap_or_else(|| verdict.title().to_owned());
        let result = TestcaseResult::without_run(verdict, stated, &message);
        plan.record(index, result.case());
        if !record(index, result) {
            return Ok(false);
        }
    }
    Ok(true)
}
