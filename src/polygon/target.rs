//! Writes the package: all of it but the tests, whose places it plans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::kinds::{self, compiler_of};
use super::problem::{Problem, Source, Test};
use super::statement::{Headings, standard_tex, without_frame};
use super::{ImportError, io};

/// A larger file of a package is not taken.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// What a submission loses at least that loses points.
const LEAST_POINTS: f64 = 1e-5;
/// Polygon's languages and the codes that statements are named by.
const LANGUAGES: [(&str, &str); 28] = [
    ("english", "en"),
    ("russian", "ru"),
    ("arabic", "ar"),
    ("armenian", "hy"),
    ("azerbaijani", "az"),
    ("belarusian", "be"),
    ("bulgarian", "bg"),
    ("chinese", "zh"),
    ("croatian", "hr"),
    ("czech", "cs"),
    ("dutch", "nl"),
    ("estonian", "et"),
    ("french", "fr"),
    ("georgian", "ka"),
    ("german", "de"),
    ("hungarian", "hu"),
    ("indonesian", "id"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("kazakh", "kk"),
    ("korean", "ko"),
    ("persian", "fa"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("spanish", "es"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
];

/// Where the tests go.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each test the names below `data/` that it gets, without extension. At least one.
    pub(super) names: Vec<Vec<String>>,
    groups: Vec<PlannedGroup>,
}

/// A group below `data/secret`.
#[derive(Debug)]
struct PlannedGroup {
    directory: String,
    /// What Polygon calls it, for the validators.
    name: Option<String>,
    /// None is no bound.
    max_score: Option<f64>,
    /// The points of each of its tests, where they count one by one.
    points_of_test: Option<f64>,
    require_pass: Vec<String>,
}

impl Plan {
    /// The most points; none is no bound.
    fn max_score(&self) -> Option<f64> {
        self.groups.iter().map(|group| group.max_score).sum()
    }
}

/// Finds a place for each test, and notes what changes.
pub(super) fn plan(problem: &Problem) -> Result<(Plan, Vec<String>), ImportError> {
    let width = problem.tests.len().to_string().len().max(2);
    let name = |index: usize| format!("{:0width$}", index + 1);
    let mut plan = Plan { names: vec![Vec::new(); problem.tests.len()], groups: Vec::new() };
    let mut notes = Vec::new();
    for (index, test) in problem.tests.iter().enumerate() {
        if test.is_sample {
            plan.names[index].push(format!("sample/{}", name(index)));
        } else if !problem.is_scoring() {
            plan.names[index].push(format!("secret/{}", name(index)));
        }
    }
    note_points(problem, &mut notes);
    note_solutions(problem, &mut notes);
    if !problem.is_scoring() {
        if !problem.groups.is_empty() {
            notes.push("the groups give no points and are left out".to_owned());
        }
        return Ok((plan, notes));
    }
    // What a group that depends on this one requires.
    let mut required: BTreeMap<&str, String> = BTreeMap::new();
    let samples: Vec<usize> =
        (0..problem.tests.len()).filter(|index| problem.tests[*index].is_sample).collect();
    let all: Vec<usize> = (0..problem.tests.len()).collect();
    let of = |name: Option<&str>| {
        let is_in = |index: &usize| problem.tests[*index].group.as_deref() == name;
        all.iter().copied().filter(is_in).collect::<Vec<usize>>()
    };
    let named = problem.groups.iter().map(|group| (Some(group), of(Some(&group.name))));
    // Tests without a group each count by themselves, and those that also are samples may give nothing there.
    let loose = of(None);
    let counts = problem.groups.is_empty()
        || loose
            .iter()
            .any(|index| !problem.tests[*index].is_sample || problem.tests[*index].points > Some(0.0));
    let groups: Vec<_> =
        (counts && !loose.is_empty()).then_some((None, loose)).into_iter().chain(named).collect();
    let places = groups.len().to_string().len().max(2);
    for (place, (group, tests)) in groups.iter().enumerate() {
        let points_of_tests = || tests.iter().filter_map(|index| problem.tests[*index].points).sum::<f64>();
        let points = group.and_then(|group| group.points).unwrap_or_else(points_of_tests);
        // The group of the samples gives no points in most packages.
        if let Some(group) = group.filter(|_| points == 0.0 && *tests == samples) {
            required.insert(&group.name, "sample".to_owned());
            continue;
        }
        let base = match group {
            Some(group) => format!("{:0places$}-{}", place + 1, file_name(&group.name)),
            None => format!("{:0places$}-tests", place + 1),
        };
        let require_pass = group.map_or_else(Vec::new, |group| {
            group.dependencies.iter().filter_map(|name| required.get(name.as_str()).cloned()).collect()
        });
        let mut add = |directory: String, tests: &[usize], max_score: f64, points_of_test: Option<f64>| {
            for index in tests {
                plan.names[*index].push(format!("secret/{directory}/{}", name(*index)));
            }
            let (require_pass, name) = (require_pass.clone(), group.map(|group| group.name.clone()));
            let is_bounded = points_of_test.is_none() || !problem.is_scored_by_checker();
            let max_score = is_bounded.then_some(max_score);
            plan.groups.push(PlannedGroup { directory, name, max_score, points_of_test, require_pass });
        };
        if group.is_some_and(|group| group.is_complete) {
            add(base.clone(), tests, points, None);
            required.extend(group.map(|group| (group.name.as_str(), format!("secret/{base}"))));
            continue;
        }
        // All testcases of a group give the same points, so those that do not become several.
        let share = |index: usize| problem.tests[index].points.unwrap_or(points / tests.len() as f64);
        let runs: Vec<&[usize]> = tests.chunk_by(|one, other| share(*one) == share(*other)).collect();
        for (number, run) in runs.iter().enumerate() {
            let directory = if runs.len() == 1 { base.clone() } else { format!("{base}.{:03}", number + 1) };
            let points = share(run[0]);
            add(directory, run, points * run.len() as f64, Some(points));
        }
        // Only a group that passes as a whole can be required: the same tests once more, for no points.
        let depends = |name: &String| problem.groups.iter().any(|group| group.dependencies.contains(name));
        if let Some(group) = group.filter(|group| depends(&group.name)) {
            let directory = format!("{base}.whole");
            add(directory.clone(), tests, 0.0, None);
            required.insert(&group.name, format!("secret/{directory}"));
            notes.push(format!(
                "other groups depend on group {:?}, so its tests stand twice: once for points, once to be passed",
                group.name
            ));
        }
    }
    for (index, names) in plan.names.iter_mut().enumerate().filter(|(_, names)| names.is_empty()) {
        names.push(format!("secret/{}", name(index)));
    }
    Ok((plan, notes))
}

/// Notes what becomes of the points that the checker gives by itself.
fn note_points(problem: &Problem, notes: &mut Vec<String>) {
    let speech = problem.speech;
    if speech.points && !problem.is_scoring() {
        notes.push(
            "the checker gives points, but no test has any: an output with points is accepted".to_owned(),
        );
    } else if problem.is_scored_by_checker() {
        notes.push(
            "the tests have 0 points, so those that the checker gives count without a bound".to_owned(),
        );
    } else if speech.points && !problem.points_are_percent {
        notes.push("of the points that the checker gives no more count than the test has".to_owned());
    }
    if speech.words_for_scorers {
        notes.push(
            "the checker may leave points to a scorer of Polygon (quitpi), which is a judge error here"
                .to_owned(),
        );
    }
}

/// Notes what solutions are in a language that there is none of, and what is not known of them.
fn note_solutions(problem: &Problem, notes: &mut Vec<String>) {
    for solution in &problem.solutions {
        let path = &solution.source.path;
        let tag = &solution.tag;
        if tag != NOT_RUN && directory_of(tag).is_none() {
            notes.push(format!("{path} has the tag {tag:?}, which is not known: taken for rejected"));
        }
        if kinds::is_unknown_standard(&solution.source) {
            let kind = &solution.source.kind;
            notes.push(format!(
                "{path} is of type {kind:?}, whose standard of C++ is not known: taken for C++20"
            ));
        }
        if kinds::language_of(&solution.source) == Some("python2") {
            notes.push(format!("{path} is in Python 2, which is not judged"));
        }
    }
}

/// Writes everything but the tests below `to`.
pub(super) fn write(from: &Path, problem: &Problem, plan: &Plan, to: &Path) -> Result<(), ImportError> {
    let from = from.canonicalize().map_err(io("found", from))?;
    let writer = Writer { from: &from, problem, to };
    let titles = writer.statements()?;
    writer.text("problem.yaml", &writer.problem_yaml(&titles)?)?;
    writer.groups(plan)?;
    writer.checker()?;
    for (index, validator) in problem.validators.iter().enumerate() {
        writer.validator(index, validator)?;
    }
    writer.solutions(plan)?;
    for path in &problem.attachments {
        writer.copy(path, &format!("attachments/{}", file_name(base_name(path))))?;
    }
    for resource in problem.resources.iter().filter(|resource| resource.is_for_solutions) {
        for folder in include_folders(&resource.for_types) {
            writer.copy(&resource.path, &format!("include/{folder}/{}", base_name(&resource.path)))?;
        }
    }
    Ok(())
}

/// The bytes of a file of a package at the canonical path `root`, which it may not leave.
pub(super) fn read(root: &Path, path: &str) -> Result<Vec<u8>, ImportError> {
    let wrong = |what: &str| ImportError::File { file: path.to_owned(), what: what.to_owned() };
    let host = match root.join(path).canonicalize() {
        Ok(host) => host,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(wrong("is not there")),
        Err(error) => return Err(io("found", &root.join(path))(error)),
    };
    if !host.starts_with(root) {
        return Err(wrong("is a link that leaves the package"));
    }
    let metadata = host.metadata().map_err(io("read", &host))?;
    if !metadata.is_file() {
        return Err(wrong("is not a file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(wrong("is larger than 1 GiB"));
    }
    fs::read(&host).map_err(io("read", &host))
}

/// Writes a file and the directories above it.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), ImportError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("created", parent))?;
    }
    fs::write(path, bytes).map_err(io("written", path))
}

/// The headers that programs of the package are compiled with: `testlib.h` in most.
pub(super) fn headers(problem: &Problem) -> impl Iterator<Item = &str> {
    let is_header = |path: &&str| path.ends_with(".h") || path.ends_with(".hpp") || path.ends_with(".hh");
    let all = problem.resources.iter().filter(|resource| !resource.is_for_solutions);
    all.map(|resource| resource.path.as_str()).filter(is_header)
}

struct Writer<'a> {
    from: &'a Path,
    problem: &'a Problem,
    to: &'a Path,
}

impl Writer<'_> {
    fn text(&self, path: &str, text: &str) -> Result<(), ImportError> {
        put(&self.to.join(path), text.as_bytes())
    }

    fn script(&self, path: &str, text: &str) -> Result<(), ImportError> {
        self.text(path, text)?;
        let host = self.to.join(path);
        fs::set_permissions(&host, fs::Permissions::from_mode(0o755)).map_err(io("made executable", &host))
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), ImportError> {
        put(&self.to.join(to), &read(self.from, from)?)
    }

    fn problem_yaml(&self, titles: &BTreeMap<String, String>) -> Result<String, ImportError> {
        let problem = self.problem;
        let mut yaml = String::from("problem_format_version: 2025-09\nname:\n");
        for (language, title) in titles {
            line(&mut yaml, &format!("  {language}: {}", quoted(title)));
        }
        let kind = if problem.is_scoring() { "scoring" } else { "pass-fail" };
        let kind =
            if problem.interactor.is_some() { format!("[{kind}, interactive]") } else { kind.to_owned() };
        line(&mut yaml, &format!("type: {kind}"));
        let source = format!("Polygon {} revision {}", problem.url, problem.revision);
        line(&mut yaml, &format!("uuid: {}", uuid_of(&source)));
        line(&mut yaml, &format!("source: {}", quoted(&source)));
        if !problem.revision.is_empty() {
            line(&mut yaml, &format!("version: {}", quoted(&problem.revision)));
        }
        if !problem.tags.is_empty() {
            let tags: Vec<String> = problem.tags.iter().map(|tag| quoted(tag)).collect();
            line(&mut yaml, &format!("keywords: [{}]", tags.join(", ")));
        }
        line(&mut yaml, "limits:");
        line(&mut yaml, &format!("  time_limit: {}", decimal(problem.time_limit_ms as f64 / 1000.0)));
        line(&mut yaml, &format!("  memory: {}", problem.memory_limit_bytes.div_ceil(1 << 20)));
        // Polygon bounds outputs by the size of files, which is far more.
        line(&mut yaml, "  output: 64");
        Ok(yaml)
    }

    /// Statements in every language that has one; their titles by the code of the language.
    fn statements(&self) -> Result<BTreeMap<String, String>, ImportError> {
        let problem = self.problem;
        let mut titles = BTreeMap::new();
        let named: BTreeSet<&str> = problem
            .statements
            .iter()
            .map(|statement| statement.language.as_str())
            .chain(problem.names.iter().map(|(language, _)| language.as_str()))
            .collect();
        for language in named {
            let Some((_, code)) = LANGUAGES.iter().find(|(name, _)| *name == language) else { continue };
            let title = problem.names.iter().find(|(name, _)| name == language);
            let title = title.map_or(problem.short_name.as_str(), |(_, title)| title);
            if self.statement(language, code, title)? {
                titles.insert((*code).to_owned(), title.to_owned());
            }
        }
        if titles.is_empty() {
            let title = problem.names.first().map_or(problem.short_name.as_str(), |(_, title)| title);
            titles.insert("en".to_owned(), title.to_owned());
        }
        Ok(titles)
    }

    fn statement(&self, language: &str, code: &str, title: &str) -> Result<bool, ImportError> {
        let sections = format!("statement-sections/{language}");
        let section = |name: &str| -> Result<Option<String>, ImportError> {
            let path = format!("{sections}/{name}.tex");
            if !self.from.join(&path).is_file() {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&read(self.from, &path)?).trim().to_owned();
            Ok(Some(text).filter(|text| !text.is_empty()))
        };
        if let Some(legend) = section("legend")? {
            let mut tex = format!("\\problemname{{{title}}}\n\n{legend}\n");
            for (name, heading) in Headings::of(code).sections() {
                if let Some(text) = section(name)? {
                    let _ = write!(tex, "\n\\section*{{{heading}}}\n{text}\n");
                }
            }
            self.text(&format!("statement/problem.{code}.tex"), &standard_tex(&tex))?;
            if let Some(tutorial) = section("tutorial")? {
                self.text(
                    &format!("solution/solution.{code}.tex"),
                    &format!("{}\n", standard_tex(&tutorial)),
                )?;
            }
            self.images(&sections)?;
            return Ok(true);
        }
        let of_kind = |kind: &str| {
            let mut all = self.problem.statements.iter().filter(|statement| statement.language == language);
            all.find(|statement| statement.kind.contains(kind) && self.from.join(&statement.path).is_file())
        };
        if let Some(pdf) = of_kind("pdf") {
            self.copy(&pdf.path, &format!("statement/problem.{code}.pdf"))?;
            return Ok(true);
        }
        if let Some(tex) = of_kind("tex") {
            let text = String::from_utf8_lossy(&read(self.from, &tex.path)?).into_owned();
            let tex = format!(
                "\\problemname{{{title}}}\n\n{}\n",
                standard_tex(&without_frame(&text, Headings::of(code)))
            );
            self.text(&format!("statement/problem.{code}.tex"), &tex)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn images(&self, directory: &str) -> Result<(), ImportError> {
        let host = self.from.join(directory);
        for entry in fs::read_dir(&host).map_err(io("listed", &host))? {
            let name = entry.map_err(io("listed", &host))?.file_name().to_string_lossy().into_owned();
            let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
            if end.is_some_and(|end| matches!(end.as_str(), "png" | "jpg" | "jpeg" | "svg" | "pdf" | "eps")) {
                self.copy(&format!("{directory}/{name}"), &format!("statement/{}", file_name(&name)))?;
            }
        }
        Ok(())
    }

    fn groups(&self, plan: &Plan) -> Result<(), ImportError> {
        let arguments = validator_arguments(self.problem, None).map(|line| format!("{line}\n"));
        let arguments = arguments.unwrap_or_default();
        let has = |part: &str| plan.names.iter().flatten().any(|name| name.starts_with(part));
        if has("sample/") && !arguments.is_empty() {
            self.text("data/sample/test_group.yaml", &arguments)?;
        }
        if plan.groups.is_empty() {
            return if arguments.is_empty() || !has("secret/") {
                Ok(())
            } else {
                self.text("data/secret/test_group.yaml", &arguments)
            };
        }
        let bound = |max: Option<f64>| max.map_or_else(|| "unbounded".to_owned(), decimal);
        self.text(
            "data/secret/test_group.yaml",
            &format!("max_score: {}\nscore_aggregation: sum\n{arguments}", bound(plan.max_score())),
        )?;
        for group in &plan.groups {
            let aggregation = if group.points_of_test.is_some() { "sum" } else { "pass-fail" };
            let mut yaml =
                format!("max_score: {}\nscore_aggregation: {aggregation}\n", bound(group.max_score));
            if !group.require_pass.is_empty() {
                let names: Vec<String> = group.require_pass.iter().map(|name| quoted(name)).collect();
                line(&mut yaml, &format!("require_pass: [{}]", names.join(", ")));
            }
            if let Some(points) = group.points_of_test.filter(|_| self.problem.standard_checker().is_none()) {
                let most = match group.max_score {
                    None => ", unbounded".to_owned(),
                    Some(_) if self.problem.speech.points && !self.problem.points_are_percent => {
                        format!(", {}", quoted(&decimal(points)))
                    }
                    Some(_) => String::new(),
                };
                line(&mut yaml, &format!("output_validator_args: [points{most}]"));
            }
            if let Some(arguments) = validator_arguments(self.problem, group.name.as_deref()) {
                line(&mut yaml, &arguments);
            }
            self.text(&format!("data/secret/{}/test_group.yaml", group.directory), &yaml)?;
        }
        Ok(())
    }

    /// The output validator: the checker, and the interactor before it, with scripts that adapt them.
    fn checker(&self) -> Result<(), ImportError> {
        let (problem, checker) = (self.problem, &self.problem.checker);
        let folder = "output_validator";
        if let Some(name) = self.problem.standard_checker() {
            let text = format!(
                "# The standard checker of testlib that this judge knows by itself. Other judges build and run it.\n\
                 standard_checker = \"{name}\"\n"
            );
            self.text(&format!("{folder}/assize.toml"), &text)?;
        }
        // Where the judge knows the checker, the program is for other judges, and there if all of it is.
        let is_needed = problem.standard_checker().is_none();
        let is_whole = || {
            let source = checker.source.iter().map(|source| source.path.as_str());
            headers(problem).any(|path| base_name(path) == "testlib.h")
                && headers(problem).chain(source).all(|path| self.from.join(path).is_file())
        };
        let Some(source) = checker.source.as_ref().filter(|_| is_needed || is_whole()) else {
            if !is_needed {
                return Ok(());
            }
            let name = checker.standard.as_deref().unwrap_or_default();
            let what = format!("the checker std::{name} is not known, and its source is not in the package");
            return Err(ImportError::Xml { line: Some(checker.line), what });
        };
        let mut build = String::from("#!/bin/sh -e\n");
        for (name, source) in [("interactor", problem.interactor.as_ref()), ("checker", Some(source))] {
            let Some(source) = source else { continue };
            let compiler = compiler_of(source)?;
            self.copy(&source.path, &format!("{folder}/{name}.cpp"))?;
            line(&mut build, &format!("{compiler} -o {name} {name}.cpp"));
        }
        for header in headers(problem) {
            self.copy(header, &format!("{folder}/{}", base_name(header)))?;
        }
        self.script(&format!("{folder}/build"), &build)?;
        let judged = if problem.interactor.is_some() { INTERACT } else { CHECK };
        let unit = if problem.points_are_percent { "percent" } else { "points" };
        let script = RUN.replace("@JUDGE@", judged).replace("@UNIT@", unit);
        self.script(&format!("{folder}/run"), &script)
    }

    fn validator(&self, index: usize, source: &Source) -> Result<(), ImportError> {
        let compiler = compiler_of(source)?;
        let folder = format!("input_validators/validator{}", index + 1);
        self.copy(&source.path, &format!("{folder}/validator.cpp"))?;
        for header in headers(self.problem) {
            self.copy(header, &format!("{folder}/{}", base_name(header)))?;
        }
        let build = format!("#!/bin/sh -e\n{compiler} -o validator validator.cpp\n");
        self.script(&format!("{folder}/build"), &build)?;
        self.script(&format!("{folder}/run"), VALIDATE)
    }

    fn solutions(&self, plan: &Plan) -> Result<(), ImportError> {
        let mut rules: BTreeMap<&str, String> = BTreeMap::new();
        let loses_points = |permitted: &str| self.loses_points(plan, permitted);
        let mut yaml = String::new();
        for solution in &self.problem.solutions {
            if solution.tag == NOT_RUN {
                continue;
            }
            let directory = directory_of(&solution.tag).unwrap_or(REJECTED);
            match directory {
                "wrong_answer" => rules.extend(loses_points("AC, WA").map(|rule| (directory, rule))),
                "time_limit_exceeded_or_accepted" => {
                    rules.insert(directory, "permitted: [AC, TLE]".to_owned());
                }
                "too_much" => {
                    let rule = "permitted: [AC, TLE, RTE]\n  required: [TLE, RTE]";
                    rules.insert(directory, rule.to_owned());
                }
                REJECTED => rules.extend(loses_points("AC, WA, TLE, RTE").map(|rule| (directory, rule))),
                _ => {}
            }
            let name = file_name(base_name(&solution.source.path));
            let path = format!("{directory}/{name}");
            self.copy(&solution.source.path, &format!("submissions/{path}"))?;
            let language = kinds::language_of(&solution.source).map(|id| format!("  language: {id}\n"));
            let model = (solution.tag == "main").then(|| "  model_solution: true\n".to_owned());
            let stated: String = [language, model].into_iter().flatten().collect();
            if !stated.is_empty() {
                let _ = write!(yaml, "{}:\n{stated}", quoted(&path));
            }
        }
        for (directory, rule) in rules {
            let _ = write!(yaml, "{directory}:\n  {rule}\n");
        }
        if yaml.is_empty() { Ok(()) } else { self.text("submissions/submissions.yaml", &yaml) }
    }

    /// What holds for solutions that need not be wrong anywhere, since a checker that gives parts of points can leave
    /// them less than all. None where only wrong outputs lose points.
    fn loses_points(&self, plan: &Plan, permitted: &str) -> Option<String> {
        if !self.problem.is_scoring() || !self.problem.speech.is_partial() {
            return None;
        }
        let rule = format!("permitted: [{permitted}]\n  required: [AC, WA, TLE, RTE]");
        // Both ends of a range belong to it.
        let most = plan.max_score().map(|max| (max - LEAST_POINTS).max(0.0));
        Some(most.map_or_else(|| rule.clone(), |most| format!("{rule}\n  score: [0, {}]", decimal(most))))
    }
}

/// The tag of solutions that are no submissions.
const NOT_RUN: &str = "do-not-run";
/// Where solutions lie that promise nothing.
const REJECTED: &str = "rejected";

/// The directory of submissions for solutions with this tag; none for a tag that is not known.
fn directory_of(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "main" | "accepted" => "accepted",
        "wrong-answer" | "presentation-error" => "wrong_answer",
        "time-limit-exceeded" => "time_limit_exceeded",
        "memory-limit-exceeded" | "failed" => "run_time_error",
        "time-limit-exceeded-or-accepted" => "time_limit_exceeded_or_accepted",
        "time-limit-exceeded-or-memory-limit-exceeded" => "too_much",
        // For the setter's own use.
        "rejected" => REJECTED,
        _ => return None,
    })
}

/// What `run` does in any problem: adapts testlib's exit codes, and says what it said. Points of testcases have at most
/// ten digits behind the point, as testlib writes them.
const RUN: &str = r#"#!/bin/sh
# Adapts programs written with testlib: run input answer feedback/ [points [MOST | unbounded]].
# With `points` a test gives what they say, MOST at most; without, only all of it counts.
here=$(dirname "$0")
said=$3/judgemessage.txt
output=$(mktemp) || exit 1
@JUDGE@
rm -f "$output"
unit=@UNIT@
part=$(sed -n '1s/^partially correct (\([0-9]*\)).*/\1/p' "$said")
points=$(sed -n '1s/^points \([0-9.eE+-]*\).*/\1/p' "$said")
if [ -n "$part" ]; then points=$part; unit=percent; code=7; fi
case $code in
0)
    # The test itself has no points where theirs have no bound.
    if [ "$5" = unbounded ]; then echo 0 > "$3/score.txt"; fi
    exit 42
    ;;
1 | 2 | 4 | 8) exit 43 ;;
7)
    if [ -z "$points" ]; then
        cat "$said" >&2
        echo "the checker leaves points to a scorer of Polygon (quitpi), and none is run here" >&2
        exit 1
    fi
    if [ "$unit" = percent ]; then
        points=$(awk -v p="$points" 'BEGIN { p = p / 100; printf "%.10f", (p > 1 ? 1 : (p < 0 ? 0 : p)) }')
        least=1
    fi
    if [ "$4" = points ]; then
        # Of no points are none but percents.
        if [ "$unit$5" = percentunbounded ]; then points=0; fi
        least=0.0000000001
    fi
    awk -v p="$points" -v least="${least:-0.0000000001}" 'BEGIN { exit !(p >= least) }' || exit 43
    if [ "$4" != points ]; then exit 42; fi
    case $unit$5 in
    percent*) echo "$points" > "$3/score_multiplier.txt" ;;
    points | pointsunbounded) echo "$points" > "$3/score.txt" ;;
    *)
        if awk -v p="$points" -v most="$5" 'BEGIN { exit !(p > most + 0.000001) }'; then
            echo "these are more points than the $5 of the test, which count" >> "$said"
            points=$5
        fi
        echo "$points" > "$3/score.txt"
        ;;
    esac
    exit 42
    ;;
*)
    cat "$said" >&2
    exit 1
    ;;
esac
"#;

const CHECK: &str = r#"cat > "$output"
"$here/checker" "$1" "$output" "$2" 2> "$said"
code=$?"#;

const INTERACT: &str = r#""$here/interactor" "$1" "$output" "$2" 2> "$said"
code=$?
# Ended by writing to a participant that had ended.
if [ $code = 141 ]; then code=1; fi
if [ $code = 0 ]; then
    "$here/checker" "$1" "$output" "$2" 2> "$said" > /dev/null < /dev/null
    code=$?
fi"#;

const VALIDATE: &str = r#"#!/bin/sh
# Adapts a validator written with testlib: 0 is valid, 1 to 3 are not.
"$(dirname "$0")/validator" "$@"
case $? in
0) exit 42 ;;
1 | 2 | 3) exit 43 ;;
*) exit 1 ;;
esac
"#;

/// Where files for solutions of these types go.
fn include_folders(for_types: &[String]) -> BTreeSet<&'static str> {
    let folder = |kind: &str| match kind.split('.').next().unwrap_or_default() {
        "cpp" => "cpp",
        "c" => "c",
        "java" | "java8" | "java11" | "java17" | "java21" => "java",
        "python" | "pypy" => "python3",
        "kotlin" => "kotlin",
        _ => "default",
    };
    if for_types.is_empty() {
        BTreeSet::from(["default"])
    } else {
        for_types.iter().map(|kind| folder(kind)).collect()
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A YAML string: JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Points and seconds without what says nothing.
fn decimal(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Always the same for the same words.
fn uuid_of(words: &str) -> uuid::Uuid {
    let digest = crate::domain::ids::Sha256Digest::of(words.as_bytes()).to_string();
    let mut bytes = [0; 16];
    // Hexadecimal digits by construction.
    for (byte, pair) in bytes.iter_mut().zip(digest.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    uuid::Uuid::new_v8(bytes)
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A name of the letters that the format allows.
fn file_name(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
    let name: String = name.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    if name.starts_with(['.', '-']) || name.is_empty() { format!("_{name}") } else { name }
}

/// What validators are told of tests: their set, and the group that Polygon has them in. None where there are none.
fn validator_arguments(problem: &Problem, group: Option<&str>) -> Option<String> {
    if problem.validators.is_empty() {
        return None;
    }
    let group = group.map_or_else(String::new, |name| format!(", --group, {}", quoted(name)));
    Some(format!("input_validator_args: [--testset, {}{group}]", quoted(&problem.testset)))
}

/// What is stated of a test for itself at its place `name` below `data/`; may be empty.
pub(super) fn test_yaml(problem: &Problem, test: &Test, name: &str) -> String {
    let mut yaml = String::new();
    if let Some(text) = test.description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        line(&mut yaml, &format!("description: {}", quoted(text)));
    }
    // The directory of a group says it for all of its tests.
    let is_in_group = name.matches('/').count() > 1;
    if let Some(arguments) = test
        .group
        .as_deref()
        .filter(|_| !is_in_group)
        .and_then(|group| validator_arguments(problem, Some(group)))
    {
        line(&mut yaml, &arguments);
    }
    yaml
}
