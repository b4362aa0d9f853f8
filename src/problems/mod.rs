//! The door to `problems/`: reads packages of the ICPC/Kattis formats into plain data, or says what is wrong with
//! them by file and line. Judging them is for the worker, publishing them for the commands.
//!
//! A tour: [`load`] lists the files once (`tree`, which keeps everything inside the package), reads `problem.yaml`
//! (`metadata`, through the tree of lines that `yaml` builds), then the testcases and groups (`testdata`) and the
//! jury's submissions (`jury`), and puts a [`Package`] together. [`open`] takes archives for directories;
//! [`write_canonical_archive`] and [`unpack`] move packages between hosts by digest.
//!
//! Lenient loads accept what real packages do and warn about it; strict loads refuse whatever a lenient one would
//! warn about.

mod about;
mod archive;
mod constants;
mod error;
mod expectation;
mod glob;
mod grading;
mod inputs;
mod jury;
mod metadata;
mod open;
mod package;
mod settings;
mod testdata;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;
mod zipped;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use about::{About, License, Person, Source};
pub use archive::{file_in_archive, unpack, write_canonical_archive};
pub use constants::Constants;
pub use error::{PackageError, Place, Warning};
#[cfg(test)]
pub(crate) use expectation::demands_of;
pub use expectation::{Demand, Expectation, JuryVerdict, JuryVerdicts, OverallVerdict, TimeLimitUse};
pub use glob::Glob;
pub use inputs::{Example, ExampleKind, InputValidator, InputValidatorKind};
pub use open::{Opened, is_archive, open, open_zip};
pub use package::{
    CaseFile, Format, Group, JurySubmission, Limits, Package, ProblemType, Statement, StatementKind,
    StaticTestcase, Testcase, TimeLimitSource, TimeMultipliers, Validation, ValidatorArguments,
    ValidatorSource,
};
pub use zipped::zipped_files;

pub use metadata::{RECORD, parse_seconds};

use crate::domain::testlib_checkers::Checker;
use error::Faults;
use metadata::{Metadata, Name};
use tree::Tree;

/// How deviations from the format are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Deviations become warnings wherever it is clear what was meant.
    Lenient,
    /// Deviations refuse the package.
    Strict,
}

/// A package and what was odd about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The package.
    pub package: Package,
    /// Deviations, in the order in which they were met. Empty after a strict load.
    pub warnings: Vec<Warning>,
}

/// Loads the package in a directory; its short name is the directory's name.
pub fn load(dir: &Path, mode: Mode) -> Result<Loaded, PackageError> {
    let host_path = dir.canonicalize().map_err(|source| PackageError::io("find", dir, source))?;
    let name = host_path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    load_as(dir, &name, mode)
}

/// Loads the package in a directory under a name of its own, as when it was unpacked into a directory named by digest.
/// All that is broken in `problem.yaml` is told first, then all that is broken elsewhere, then what is wrong with the
/// rules of groups, since each is read by what came before.
pub fn load_as(dir: &Path, short_name: &str, mode: Mode) -> Result<Loaded, PackageError> {
    let mut warnings = Vec::new();
    let short_name = parse_short_name(short_name, &mut warnings)?;
    let mut tree = Tree::scan(dir, &mut warnings)?;
    let metadata = Metadata::read(&tree, &mut warnings)?;
    tree.judge_names(metadata.format, &mut warnings);
    let statements = find_statements(&tree, metadata.format, &mut warnings);
    check_constants(&tree, &metadata, &statements, &mut warnings)?;
    let titles = find_titles(&tree, &metadata, &statements, &short_name, &mut warnings)?;
    let mut faults = Faults::default();
    let validation = faults.look(find_validation(&tree, &metadata, &mut warnings))?;
    let style = grading::Style::of(&tree, &metadata);
    let data =
        faults.look(testdata::read(&tree, &metadata, validation.as_ref(), style, mode, &mut warnings))?;
    let (Some(validation), Some(data)) = (validation, data) else { return Err(faults.into_error()) };
    let mut graders = find_validators(&tree, "graders");
    let static_validator = find_validators(&tree, "static_validator").pop();
    let parts = grading::Parts {
        style,
        metadata: &metadata,
        groups: &data.groups,
        testcases: &data.testcases,
        graders: graders.len(),
        static_validator: static_validator.as_ref().map(|validator| validator.path.as_str()),
    };
    let grading::Built { grading, static_testcases } = grading::build(&parts, &mut warnings)?;
    let grader = if grading.asks_custom_grader() { graders.pop() } else { None };
    let static_validator = static_validator.filter(|_| !static_testcases.is_empty());
    let jury_submissions = jury::find(&tree, &metadata, !grading.is_plain(), &mut warnings)?;
    let package = Package {
        short_name,
        format: metadata.format,
        titles,
        types: metadata.types,
        limits: metadata.limits,
        validation,
        validator_flags: metadata.validator_flags,
        languages_allowed: metadata.languages_allowed,
        about: metadata.about,
        constants: metadata.constants,
        allows_file_writing: metadata.allows_file_writing,
        included: find_included(&tree, &mut warnings),
        testcases: data.testcases,
        groups: data.groups,
        grading: Arc::new(grading),
        grader,
        static_validator,
        static_testcases,
        jury_submissions,
        input_validators: inputs::find_validators(&tree, &mut warnings),
        examples: data.examples,
        statements,
        attachments: tree.files_below("attachments").map(str::to_owned).collect(),
    };
    if mode == Mode::Strict && !warnings.is_empty() {
        return Err(PackageError::Deviations { warnings });
    }
    Ok(Loaded { package, warnings })
}

/// Names are `[a-z0-9]+`; what real directories add to that is left out with a warning.
fn parse_short_name(given: &str, warnings: &mut Vec<Warning>) -> Result<String, PackageError> {
    // As many as an identifier of a problem may have here.
    const LENGTH_MAX: usize = 40;
    let kept: String =
        given.chars().map(|letter| letter.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric).collect();
    if kept.is_empty() || kept.len() > LENGTH_MAX {
        let what = format!("{given:?} is not a name for a problem ([a-z0-9], 1 to {LENGTH_MAX} characters)");
        return Err(PackageError::invalid(Place::file("."), what));
    }
    if kept != given {
        let what = format!("{given:?} is not a name for a problem ([a-z0-9]+), taken for {kept:?}");
        warnings.push(Warning { place: Place::file("."), what });
    }
    Ok(kept)
}

/// The files that are laid over submissions, by the directory of their language.
fn find_included(tree: &Tree, warnings: &mut Vec<Warning>) -> BTreeMap<String, Vec<String>> {
    let mut included = BTreeMap::new();
    for (name, is_directory) in tree.entries("include") {
        let path = tree::join("include", name);
        if !is_directory {
            let what = "lies in no directory of a language, ignored".to_owned();
            warnings.push(Warning { place: Place::file(path), what });
            continue;
        }
        let files: Vec<String> = tree.files_below(&path).map(str::to_owned).collect();
        if files.is_empty() {
            warnings.push(Warning { place: Place::file(path), what: "is empty".to_owned() });
        } else {
            included.insert(name.to_owned(), files);
        }
    }
    included
}

fn find_statements(tree: &Tree, format: Format, warnings: &mut Vec<Warning>) -> Vec<Statement> {
    let (usual, other) = if format.is_legacy() {
        ("problem_statement", "statement")
    } else {
        ("statement", "problem_statement")
    };
    let mut statements = Vec::new();
    for directory in [usual, other] {
        let before = statements.len();
        for (name, is_directory) in tree.entries(directory) {
            if is_directory {
                continue;
            }
            let path = tree::join(directory, name);
            statements.extend(statement_named(name).map(|(language, kind)| Statement {
                language,
                path,
                kind,
            }));
        }
        let odd = statements[before..].iter().filter(|statement| !is_language(&statement.language));
        let odd = odd.map(|statement| {
            let what = format!("{:?} is not the code of a language", statement.language);
            Warning { place: Place::file(&statement.path), what }
        });
        warnings.extend(odd);
        if directory == other && statements.len() > before {
            let what = format!("statements belong into {usual}/ in this version of the format");
            warnings.push(Warning { place: Place::file(directory), what });
        }
    }
    if tree.file("problem.pdf").is_some() {
        let (language, path) = ("en".to_owned(), "problem.pdf".to_owned());
        statements.push(Statement { language, path, kind: StatementKind::Pdf });
    }
    if statements.is_empty() {
        warnings.push(Warning { place: Place::file(usual), what: "there is no statement".to_owned() });
    }
    statements.sort_by(|one, other| one.path.cmp(&other.path));
    statements
}

/// Warns of constants in statements that are not defined.
fn check_constants(
    tree: &Tree,
    metadata: &Metadata,
    statements: &[Statement],
    warnings: &mut Vec<Warning>,
) -> Result<(), PackageError> {
    for statement in statements {
        // What cannot be read is told of where titles are looked for.
        let text = match (statement.kind, tree.read_text(&statement.path, &mut Vec::new())) {
            (StatementKind::Pdf, _) | (_, Err(PackageError::Invalid { .. })) => continue,
            (_, text) => text?,
        };
        let undefined = match statement.kind {
            StatementKind::Markdown => metadata.constants.undefined_in(&text),
            _ => metadata.constants.undefined_in_tex(&text),
        };
        for (line, name) in undefined {
            if !matches!(name, "nextsample" | "remainingsamples") {
                let what = format!("there is no constant {name:?}");
                warnings.push(Warning { place: Place::line(&statement.path, line), what });
            }
        }
    }
    Ok(())
}

/// Whether it is a code of ISO 639, perhaps with a country.
fn is_language(code: &str) -> bool {
    let (language, country) = code.split_once('-').unwrap_or((code, "XX"));
    let all = |text: &str, is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte));
    matches!(language.len(), 2 | 3)
        && all(language, u8::is_ascii_lowercase)
        && country.len() == 2
        && all(country, u8::is_ascii_uppercase)
}

/// Language and kind of `problem[.language].{tex,md,pdf}`; English where no language stands.
fn statement_named(name: &str) -> Option<(String, StatementKind)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let kind = match extension {
        "tex" => StatementKind::Tex,
        "md" => StatementKind::Markdown,
        "pdf" => StatementKind::Pdf,
        _ => return None,
    };
    let language = match stem.strip_prefix("problem")? {
        "" => "en",
        dotted => dotted.strip_prefix('.')?,
    };
    let plausible =
        !language.is_empty() && language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    plausible.then(|| (language.to_owned(), kind))
}

fn find_titles(
    tree: &Tree,
    metadata: &Metadata,
    statements: &[Statement],
    short_name: &str,
    warnings: &mut Vec<Warning>,
) -> Result<BTreeMap<String, String>, PackageError> {
    let mut titles = BTreeMap::new();
    match &metadata.name {
        Some(Name::PerLanguage(names)) => titles.clone_from(names),
        Some(Name::Single(name)) => {
            let only = statements.iter().map(|statement| statement.language.as_str()).min();
            let same = only.filter(|only| statements.iter().all(|statement| statement.language == *only));
            titles.insert(same.unwrap_or("en").to_owned(), name.clone());
        }
        None => {}
    }
    // Legacy packages of several languages state their titles in the statements.
    for statement in statements.iter().filter(|statement| statement.kind == StatementKind::Tex) {
        if titles.contains_key(&statement.language) {
            continue;
        }
        // Old packages have statements in whatever encoding their TeX took; nothing is judged by them.
        let text = match tree.read_text(&statement.path, warnings) {
            Ok(text) => text,
            Err(PackageError::Invalid { place, what }) => {
                warnings.push(Warning { place, what: format!("{what}, so its title is not known") });
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(title) = title_in_tex(&text) {
            titles.insert(statement.language.clone(), title);
        }
    }
    if metadata.name.is_none() && (!metadata.format.is_legacy() || titles.is_empty()) {
        let what = "states no name".to_owned();
        warnings.push(Warning { place: Place::file("problem.yaml"), what });
    }
    if titles.is_empty() {
        titles.insert("en".to_owned(), short_name.to_owned());
    }
    let place = || Place { file: "problem.yaml".to_owned(), line: metadata.name_line };
    let new = metadata.format == Format::V2025_09 && metadata.name.is_some();
    for statement in statements.iter().filter(|statement| new && !titles.contains_key(&statement.language)) {
        let what = format!("there is a statement but no name in language {:?}", statement.language);
        warnings.push(Warning { place: place(), what });
    }
    for language in titles.keys().filter(|language| !statements.is_empty() && *language != "en") {
        if !statements.iter().any(|statement| statement.language == *language) {
            let what = format!("there is a name but no statement in language {language:?}");
            warnings.push(Warning { place: place(), what });
        }
    }
    Ok(titles)
}

/// What the comment `%% plainproblemname:` states, else the argument of `\problemname{...}`, unless it is itself a macro.
fn title_in_tex(tex: &str) -> Option<String> {
    let plain = tex.lines().find_map(|line| {
        let comment = line.trim_start().strip_prefix("%%")?;
        Some(comment.trim_start().strip_prefix("plainproblemname:")?.trim())
    });
    if let Some(plain) = plain.filter(|plain| !plain.is_empty()) {
        return Some(plain.to_owned());
    }
    let argument = tex.split_once("\\problemname{")?.1;
    let mut depth = 1_usize;
    let end = argument.char_indices().find_map(|(index, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(index)
    })?;
    let title = argument[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty() && !title.contains('\\')).then_some(title)
}

/// Finds out who validates.
fn find_validation(
    tree: &Tree,
    metadata: &Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<Validation, PackageError> {
    let directory =
        ["output_validator", "output_validators"].into_iter().find(|path| tree.has_directory(path));
    let key = metadata.validation.as_ref();
    let is = |kind| metadata.types.contains(&kind);
    let needs_program = is(ProblemType::Interactive) || is(ProblemType::MultiPass);
    let custom = match key {
        // The newest format goes by what is there.
        Some(key) if metadata.format != Format::V2025_09 => {
            key.custom || needs_program && directory.is_some()
        }
        Some(key) if key.custom => true,
        _ => directory.is_some() && (needs_program || !metadata.format.is_legacy()),
    };
    let key_place = || Place { file: "problem.yaml".to_owned(), line: key.map(|key| key.line) };
    let type_place = || Place { file: "problem.yaml".to_owned(), line: metadata.type_line };
    let odd = match (directory, metadata.format) {
        (Some("output_validator"), Format::Legacy | Format::LegacyIcpc) => Some("output_validators"),
        (Some("output_validators"), Format::V2025_09) => Some("output_validator"),
        _ => None,
    };
    if let (Some(directory), Some(usual)) = (directory, odd) {
        let what = format!("output validators belong into {usual}/ in this version of the format");
        warnings.push(Warning { place: Place::file(directory), what });
    }
    let mut validators = Vec::new();
    if custom {
        validators = directory.map_or_else(Vec::new, |directory| find_validators(tree, directory));
        for validator in &mut validators {
            validator.standard_checker = find_standard_checker(tree, validator, warnings)?;
        }
        if validators.is_empty() {
            let what = "validation is custom, but there is no program in output_validators".to_owned();
            return Err(PackageError::invalid(key_place(), what));
        }
    } else if let Some(directory) = directory {
        let what = "is not used: validation is not custom".to_owned();
        warnings.push(Warning { place: Place::file(directory), what });
    }
    for kind in &metadata.types {
        match kind {
            ProblemType::PassFail | ProblemType::Scoring => {}
            ProblemType::Interactive | ProblemType::MultiPass if !custom => {
                let kind = kind.name();
                let what = format!("is {kind}, but there is no program in output_validators");
                return Err(PackageError::invalid(type_place(), what));
            }
            ProblemType::Interactive | ProblemType::MultiPass | ProblemType::SubmitAnswer => {}
        }
    }
    let interactive = is(ProblemType::Interactive) || key.is_some_and(|key| key.interactive);
    let multi_pass = is(ProblemType::MultiPass) || key.is_some_and(|key| key.multi_pass);
    if multi_pass && validators.len() > 1 {
        let what = format!("a multi-pass problem has one output validator, not {}", validators.len());
        return Err(PackageError::invalid(Place::file(&validators[1].path), what));
    }
    Ok(if custom { Validation::Custom { validators, interactive, multi_pass } } else { Validation::Default })
}

/// The file in a validator's directory that says what judges of this kind need not run.
const STANDARD_CHECKER_FILE: &str = "assize.toml";

/// What `assize.toml` of a validator names. Other judges do not know that file and run the validator.
fn find_standard_checker(
    tree: &Tree,
    validator: &ValidatorSource,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Checker>, PackageError> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        standard_checker: String,
    }
    let path = tree::join(&validator.path, STANDARD_CHECKER_FILE);
    if tree.file(&path).is_none() {
        return Ok(None);
    }
    let text = tree.read_text(&path, warnings)?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count() as u64);
        PackageError::invalid(Place::line(&path, line), error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let name = file.standard_checker;
    let unknown =
        || PackageError::invalid(Place::file(&path), format!("there is no standard checker {name:?}"));
    Checker::parse(&name).ok_or_else(unknown).map(Some)
}

/// The programs of a directory: every directory in it and every file, or itself where it is the singular one or has a
/// script that builds or runs it. Headers beside the files belong to each of them. Texts are no programs, and neither is
/// what a compiler has left beside one.
fn find_validators(tree: &Tree, directory: &str) -> Vec<ValidatorSource> {
    let all_below = |path: String| {
        let files = tree.files_below(&path).map(str::to_owned).collect();
        ValidatorSource { path, files, standard_checker: None }
    };
    let has = |name: &str| tree.file(&tree::join(directory, name)).is_some();
    if matches!(directory, "output_validator" | "static_validator") || has("build") || has("run") {
        let all = all_below(directory.to_owned());
        return if all.files.is_empty() { Vec::new() } else { vec![all] };
    }
    let is_header =
        |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "h" | "hh" | "hpp" | "hxx"));
    let is_text = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower.starts_with("readme")
            || lower == "makefile"
            || [".md", ".txt", ".yaml", ".yml", ".in", ".ans"].iter().any(|end| lower.ends_with(end))
    };
    let loose = tree.entries(directory).filter(|(_, is_directory)| !is_directory).map(|(name, _)| name);
    let headers: Vec<String> =
        loose.filter(|name| is_header(name)).map(|name| tree::join(directory, name)).collect();
    let programs = tree
        .entries(directory)
        .filter(|(name, is_directory)| *is_directory || !is_header(name) && !is_text(name));
    let programs = programs.map(|(name, is_directory)| {
        let path = tree::join(directory, name);
        if is_directory {
            return all_below(path);
        }
        let files = std::iter::once(path.clone()).chain(headers.iter().cloned()).collect();
        ValidatorSource { path, files, standard_checker: None }
    });
    let mut programs: Vec<ValidatorSource> = programs.filter(|program| !program.files.is_empty()).collect();
    let is_made = |program: &ValidatorSource| {
        let name = program.path.rsplit('/').next().unwrap_or_default();
        let is_file = program.files.contains(&program.path);
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        is_file && matches!(end, "" | "out" | "o" | "exe" | "class" | "bin")
    };
    if !programs.iter().all(is_made) {
        programs.retain(|program| !is_made(program));
    }
    programs
}
