//! What a loaded package is: plain data with units in the names. How it is read from files is for the loader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::about::About;
use super::constants::Constants;
use super::expectation::{Demand, Expectation};
use super::grading::Settings;
use super::inputs::{Example, InputValidator};
use super::settings::CaseSettings;
use crate::domain::scoring::Grading;
use crate::domain::testlib_checkers::Checker;
use crate::languages;

/// A problem package as its files state it. All paths are relative to the package's root, with `/`.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// Name of the problem: `[a-z0-9]{1,40}`.
    pub short_name: String,
    /// Version of the format that `problem.yaml` states.
    pub format: Format,
    /// Title by language code (`en`, `sv`). At least one.
    pub titles: BTreeMap<String, String>,
    /// At least one.
    pub types: BTreeSet<ProblemType>,
    /// Limits on submissions, compilers and validators.
    pub limits: Limits,
    /// Who decides whether an output is right.
    pub validation: Validation,
    /// Flags of the output validator for the whole package. For the default validator they are known to parse.
    pub validator_flags: Vec<String>,
    /// Codes of the languages that may be submitted; `None` allows all.
    pub languages_allowed: Option<BTreeSet<String>>,
    /// Whose it is, where it comes from, and what may be done with it.
    pub about: About,
    /// Values that stand for their names in the package's texts and programs.
    pub constants: Constants,
    /// Whether submissions may write files into their working directory. The formats before 2025-09 forbid nothing where
    /// it is not stated: none.
    pub allows_file_writing: Option<bool>,
    /// Files that are laid over every submission before it is compiled, by the code of its language, or `default` for
    /// those of every language. They lie in `include/<code>/`.
    pub included: BTreeMap<String, Vec<String>>,
    /// In the order in which they are judged: samples first, then by name in byte order, groups among testcases.
    /// At least one.
    pub testcases: Vec<Testcase>,
    /// Groups of testcases, parents before children. The first has the path "" and holds all.
    pub groups: Vec<Group>,
    /// What verdicts on testcases come to. Its testcases are places in `testcases`, from 1.
    pub grading: Arc<Grading>,
    /// The program that grades groups, where one asks for it.
    pub grader: Option<ValidatorSource>,
    /// The program that judges the sources of submissions, where a group asks for it.
    pub static_validator: Option<ValidatorSource>,
    /// What it is asked. In `grading` their places come after those of `testcases`.
    pub static_testcases: Vec<StaticTestcase>,
    /// The jury's own submissions, by path in byte order.
    pub jury_submissions: Vec<JurySubmission>,
    /// What checks the inputs, by path in byte order.
    pub input_validators: Vec<InputValidator>,
    /// Data that must be refused or accepted, by path in byte order. None of it is judged by.
    pub examples: Vec<Example>,
    /// Statements by path in byte order.
    pub statements: Vec<Statement>,
    /// Files that contestants may download, by path in byte order.
    pub attachments: Vec<String>,
}

impl Package {
    /// How many testcases a submission can be judged on, those of the static validator among them.
    pub fn testcases_total(&self) -> usize {
        self.testcases.len() + self.static_testcases.len()
    }

    /// Codes of the languages that may be submitted; none where that are all that programs are written in.
    pub fn languages(&self) -> Option<Vec<String>> {
        if self.types.contains(&ProblemType::SubmitAnswer) {
            return Some(vec![languages::OUTPUT.to_owned()]);
        }
        self.languages_allowed.as_ref().map(|codes| codes.iter().cloned().collect())
    }

    /// Whether the inputs and answers of samples are not for contestants: in the old formats they are what the validator
    /// keeps to itself in a dialogue, and only protocols are shown.
    pub fn hides_sample_files(&self) -> bool {
        self.format.is_legacy() && matches!(self.validation, Validation::Custom { interactive: true, .. })
    }

    /// The title in the first of the wanted languages that there is, else in English, else in any.
    pub fn title(&self, languages_wanted: &[&str]) -> &str {
        let found = languages_wanted.iter().chain(&["en"]).find_map(|language| self.titles.get(*language));
        found.or_else(|| self.titles.values().next()).map_or(self.short_name.as_str(), String::as_str)
    }
}

/// Versions of the package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `legacy`, and everything without a version.
    Legacy,
    /// `legacy-icpc`: the subset used for ICPC contests.
    LegacyIcpc,
    /// `2023-07-draft` and `draft`: the new keys, often with the old directories.
    Draft,
    /// `2023-07`.
    V2023_07,
    /// `2025-09`.
    V2025_09,
}

impl Format {
    /// The version that a `problem_format_version` names.
    pub fn parse(text: &str) -> Option<Format> {
        match text {
            "legacy" => Some(Format::Legacy),
            "legacy-icpc" => Some(Format::LegacyIcpc),
            "2023-07-draft" | "draft" => Some(Format::Draft),
            "2023-07" => Some(Format::V2023_07),
            "2025-09" => Some(Format::V2025_09),
            _ => None,
        }
    }

    /// Whether this is one of the two old versions.
    pub fn is_legacy(self) -> bool {
        matches!(self, Format::Legacy | Format::LegacyIcpc)
    }

    /// Whether every directory of testcases is a group, rather than only those with settings.
    pub(crate) fn groups_are_directories(self) -> bool {
        matches!(self, Format::Legacy | Format::LegacyIcpc | Format::Draft)
    }
}

/// Kinds of problems; a package may be of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemType {
    /// Right or wrong.
    PassFail,
    /// Points.
    Scoring,
    /// The submission runs several times on what the validator hands on.
    MultiPass,
    /// The submission talks to the validator.
    Interactive,
    /// The submission is the output itself.
    SubmitAnswer,
}

impl ProblemType {
    /// The type that `problem.yaml` names.
    pub fn parse(text: &str) -> Option<ProblemType> {
        match text {
            "pass-fail" => Some(ProblemType::PassFail),
            "scoring" => Some(ProblemType::Scoring),
            "multi-pass" => Some(ProblemType::MultiPass),
            "interactive" => Some(ProblemType::Interactive),
            "submit-answer" => Some(ProblemType::SubmitAnswer),
            _ => None,
        }
    }

    /// The name used in `problem.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            ProblemType::PassFail => "pass-fail",
            ProblemType::Scoring => "scoring",
            ProblemType::MultiPass => "multi-pass",
            ProblemType::Interactive => "interactive",
            ProblemType::SubmitAnswer => "submit-answer",
        }
    }
}

/// Who decides whether an output is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validation {
    /// The default validator, with the flags of the package.
    Default,
    /// Programs of the package; all must accept.
    Custom {
        /// In the order in which they are asked.
        validators: Vec<ValidatorSource>,
        /// The first of them talks to the submission while it runs, instead of reading its output afterwards.
        interactive: bool,
        /// Each may ask for further runs of the submission, on an input that it makes, up to
        /// [`Limits::validation_passes`] in all.
        multi_pass: bool,
    },
}

/// A program of a package's own, such as an output validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSource {
    /// Its file, or the directory of its files, from the package's root.
    pub path: String,
    /// Its files, from the package's root.
    pub files: Vec<String>,
    /// The checker that it is, where the judge knows that by itself: its `assize.toml` says so.
    pub standard_checker: Option<Checker>,
}

/// Limits, as stated or by the format's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// CPU time of a submission on one testcase.
    pub time_limit_ms: u64,
    /// Where `time_limit_ms` was found.
    pub time_limit_source: TimeLimitSource,
    /// How time limits are derived from the jury's submissions, and checked against them.
    pub time_multipliers: TimeMultipliers,
    /// Memory of a submission.
    pub memory_bytes: u64,
    /// Output of a submission on one testcase.
    pub output_bytes: u64,
    /// All source files of a submission together.
    pub code_bytes: u64,
    /// CPU time of a compiler.
    pub compilation_time_limit_ms: u64,
    /// Memory of a compiler.
    pub compilation_memory_bytes: u64,
    /// CPU time of an output validator on one testcase.
    pub validation_time_limit_ms: u64,
    /// Memory of an output validator.
    pub validation_memory_bytes: u64,
    /// Output of an output validator.
    pub validation_output_bytes: u64,
    /// Runs of a multi-pass submission on one testcase.
    pub validation_passes: u64,
}

/// Where a time limit was found, in the order in which the places are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimitSource {
    /// The file in which this judge records the limit that it publishes a package with.
    Recorded,
    /// `limits.time_limit` in `problem.yaml`.
    ProblemYaml,
    /// The file `.timelimit`.
    DotTimelimit,
    /// `timelimit` in `domjudge-problem.ini`.
    DomjudgeIni,
    /// Stated nowhere: the default of this judge.
    Default,
}

/// Factors between the time limit and the jury's submissions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeMultipliers {
    /// The limit is at least the slowest accepted submission times this.
    pub ac_to_time_limit: f64,
    /// Submissions that must be too slow take at least the limit times this.
    pub time_limit_to_tle: f64,
    /// A derived limit is a multiple of this.
    pub time_resolution_ms: u64,
}

/// One input with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testcase {
    /// Path below `data/` without the extension: `sample/1`, `secret/group/3`.
    pub name: String,
    /// Path of the group that holds it: `sample`, `secret`, `secret/group`.
    pub group: String,
    /// Path of the input.
    pub input_path: String,
    /// Size of the input.
    pub input_bytes: u64,
    /// Path of the answer.
    pub answer_path: String,
    /// Size of the answer.
    pub answer_bytes: u64,
    /// Whether contestants may see it.
    pub is_sample: bool,
    /// Flags of the output validator on this testcase: those of the package, then its own or those of its groups.
    pub validator_flags: Vec<String>,
    /// Arguments of the submission.
    pub arguments: Vec<String>,
    /// Files that the submission finds in its working directory, in the place of its own of the same name.
    pub files: Vec<CaseFile>,
    /// Arguments of the input validators, before those of the submission.
    pub input_validator_arguments: ValidatorArguments,
    /// Whether whoever fails here may see all of the testcase.
    pub full_feedback: bool,
    /// What may help those who fail here.
    pub hint: Option<String>,
    /// What the testcase is there for.
    pub description: Option<String>,
    /// Path of the input as it is displayed.
    pub shown_input_path: String,
    /// Path of the answer as it is displayed.
    pub shown_answer_path: String,
    /// Path of the input as it is downloaded.
    pub download_input_path: String,
    /// Path of the answer as it is downloaded.
    pub download_answer_path: String,
    /// Path of the protocol that is displayed and downloaded instead, where a validator talks to the submission.
    pub interaction_path: Option<String>,
}

/// A testcase on which the sources of a submission are judged instead of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticTestcase {
    /// Its name: the group's, with `/static_validation` behind it.
    pub name: String,
    /// Path of the group that asks for it.
    pub group: String,
    /// Arguments of the validator.
    pub arguments: Vec<String>,
}

/// A file that a testcase brings for the working directory of the submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// Its name there; may lie in directories.
    pub name: String,
    /// Its path in the package.
    pub path: String,
}

/// Arguments of input validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValidatorArguments {
    /// The same for each of them.
    All(Vec<String>),
    /// By the name of the validator; the others have none.
    ByName(BTreeMap<String, Vec<String>>),
}

impl Default for ValidatorArguments {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl ValidatorArguments {
    /// The arguments of the validator of this name: that of its directory, or of its file with or without extension.
    pub fn of(&self, validator: &str) -> &[String] {
        match self {
            Self::All(arguments) => arguments,
            Self::ByName(arguments) => {
                let stem = validator.rsplit_once('.').map_or(validator, |(stem, _)| stem);
                arguments.get(validator).or_else(|| arguments.get(stem)).map_or(&[], Vec::as_slice)
            }
        }
    }
}

/// A group of testcases: a directory below `data/`. Settings that it does not state come from its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Path below `data/`: "" (all), `sample`, `secret`, `secret/group`.
    pub path: String,
    /// Its settings (`testdata.yaml` or `test_group.yaml`), where it has any.
    pub settings_path: Option<String>,
    /// Flags of the output validator that groups add to those of the package.
    pub validator_flags: Vec<String>,
    pub(crate) cases: CaseSettings,
    /// What it states and inherits about its grading. [`Package::grading`] is made of it.
    pub(crate) grading: Settings,
}

/// A submission by the jury, filed under what it is expected to get.
#[derive(Debug, Clone, PartialEq)]
pub struct JurySubmission {
    /// The name of its directory below `submissions/`; empty where it lies in none.
    pub directory: String,
    /// What its directory promises.
    pub expectation: Expectation,
    /// Path of the file, or of the directory of a submission of several files.
    pub path: String,
    /// Paths of its files in byte order. At least one.
    pub files: Vec<String>,
    /// All that it must do: what its directory promises, and what is stated elsewhere.
    pub demands: Vec<Demand>,
    /// Code of its language, where that is stated.
    pub language: Option<String>,
    /// Where it is entered, where that is stated.
    pub entrypoint: Option<String>,
    /// Who wrote it, where that is stated.
    pub authors: Vec<String>,
    /// Whether the jury suggests to publish it.
    pub is_model_solution: bool,
}

/// A problem statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Language code (`en`, `pt-BR`).
    pub language: String,
    /// Path of the file.
    pub path: String,
    /// How it is written.
    pub kind: StatementKind,
}

/// How a statement is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// TeX with the macros of the format.
    Tex,
    /// Markdown.
    Markdown,
    /// A finished PDF.
    Pdf,
}
