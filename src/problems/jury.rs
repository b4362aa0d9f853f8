//! Finds the jury's own submissions and reads what is expected of them: from their directories, from
//! `@EXPECTED_RESULTS@` in their sources, from `submissions/submissions.yaml`. Judging them is for `verify`.

use std::io::Read as _;

use super::error::{PackageError, Place, Warning};
use super::expectation::{Demand, Expectation, JuryVerdict, JuryVerdicts, OverallVerdict, TimeLimitUse};
use super::glob::Glob;
use super::metadata::{Metadata, Reading};
use super::package::{JurySubmission, ProblemType};
use super::tree::{self, Tree};
use super::yaml::{Node, Value};

const SUBMISSIONS: &str = "submissions";
const SUBMISSIONS_YAML: &str = "submissions/submissions.yaml";
/// What results stand behind in sources; DOMjudge knows both.
const RESULT_TAGS: [&str; 2] = ["@EXPECTED_RESULTS@", "@EXPECTED_SCORE@"];
/// How much of a source is searched for them, in bytes.
const SOURCE_BYTES_MAX: u64 = 4 << 20;

/// The submissions by path in byte order.
pub(super) fn find(
    tree: &Tree,
    metadata: &Metadata,
    by_groups: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<JurySubmission>, PackageError> {
    let takes_outputs = metadata.types.contains(&ProblemType::SubmitAnswer);
    let is_none = |path: &str, name: &str, is_directory: bool, warnings: &mut Vec<Warning>| {
        if is_about_submissions(name) || !takes_outputs && is_left_behind(name, is_directory) {
            return Ok(true);
        }
        let is_program = !is_directory && !takes_outputs && is_compiled(tree, path)?;
        if is_program {
            let what = "is a compiled program and no source, ignored".to_owned();
            warnings.push(Warning { place: Place::file(path), what });
        }
        Ok::<_, PackageError>(is_program)
    };
    let stated = stated(tree, warnings)?;
    let mut matched = vec![false; stated.len()];
    let mut submissions = Vec::new();
    for (name, is_directory) in tree.entries(SUBMISSIONS) {
        let path = tree::join(SUBMISSIONS, name);
        if !is_directory {
            if !is_none(&path, name, is_directory, warnings)? {
                let what = "lies in no directory, so that nothing is expected of it by itself".to_owned();
                warnings.push(Warning { place: Place::file(&path), what });
                submissions.push(submission(tree, "", path, false));
            }
            continue;
        }
        let in_directory: Vec<(&str, bool)> = tree.entries(&path).collect();
        for (entry, is_directory) in in_directory {
            let submission = submission(tree, name, tree::join(&path, entry), is_directory);
            if !submission.files.is_empty() && !is_none(&submission.path, entry, is_directory, warnings)? {
                submissions.push(submission);
            }
        }
    }
    for submission in &mut submissions {
        let of_directory = submission.expectation.demand(metadata.format, by_groups);
        let replaced = stated.iter().any(|stated| stated.is_directory(submission));
        if let Some(demand) = of_directory.clone().filter(|_| !replaced) {
            submission.demands.push(demand);
        }
        if may_state_results(&submission.expectation) {
            let results = expected_results(tree, submission, warnings)?;
            submission.demands.extend(results);
        }
        for (stated, matched) in stated.iter().zip(&mut matched) {
            if stated.matches(submission) {
                *matched = true;
                stated.apply(submission, of_directory.as_ref());
            }
        }
    }
    for (stated, _) in stated.iter().zip(matched).filter(|(_, matched)| !matched) {
        let what = format!("{:?} matches no submission", stated.glob.to_string());
        warnings.push(Warning { place: Place::line(SUBMISSIONS_YAML, stated.line), what });
    }
    warn_of_unknown_directories(&submissions, warnings);
    submissions.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(submissions)
}

fn submission(tree: &Tree, directory: &str, path: String, is_directory: bool) -> JurySubmission {
    let files =
        if is_directory { tree.files_below(&path).map(str::to_owned).collect() } else { vec![path.clone()] };
    JurySubmission {
        directory: directory.to_owned(),
        expectation: Expectation::of_directory(directory),
        path,
        files,
        demands: Vec::new(),
        language: None,
        entrypoint: None,
        authors: Vec::new(),
        is_model_solution: false,
    }
}

/// What lies beside submissions and is none.
fn is_about_submissions(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("readme") || [".yaml", ".yml", ".md"].iter().any(|end| lower.ends_with(end))
}

/// What compilers and editors make of submissions, what makes them, and what was a submission once.
fn is_left_behind(name: &str, is_directory: bool) -> bool {
    let lower = name.to_ascii_lowercase();
    let ends: &[&str] = if is_directory {
        &[".dsym"]
    } else {
        &[".class", ".exe", ".bin", ".o", ".out", ".disabled", ".orig", ".rej", ".bak", ".swp"]
    };
    ends.iter().any(|end| lower.ends_with(end))
        || !is_directory && (lower == "makefile" || lower.starts_with('#') && lower.ends_with('#'))
}

/// Whether a file begins as an executable of Linux, Windows or macOS does.
fn is_compiled(tree: &Tree, path: &str) -> Result<bool, PackageError> {
    let Some(entry) = tree.file(path) else { return Ok(false) };
    let mut start = Vec::new();
    let read = entry.open()?.take(4).read_to_end(&mut start);
    read.map_err(|source| PackageError::io("read", entry.host_path(), source))?;
    let magics: [&[u8]; 4] = [b"\x7fELF", b"MZ\x90\0", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];
    Ok(magics.contains(&start.as_slice()))
}

fn warn_of_unknown_directories(submissions: &[JurySubmission], warnings: &mut Vec<Warning>) {
    let mut told: Vec<&str> = Vec::new();
    for submission in submissions {
        let directory = submission.directory.as_str();
        let unknown = matches!(submission.expectation, Expectation::Unlisted(_)) && !directory.is_empty();
        if !unknown || !submission.demands.is_empty() || told.contains(&directory) {
            continue;
        }
        let mut beside = submissions.iter().filter(|other| other.directory == directory);
        if beside.any(|other| !other.demands.is_empty()) {
            let what = format!(
                "the format knows no directory {directory:?}, and it states no results: \
                 it is not held to an expectation"
            );
            warnings.push(Warning { place: Place::file(&submission.path), what });
        } else {
            told.push(directory);
            let what = format!(
                "the format knows no directory {directory:?}: its submissions are not held to an expectation"
            );
            warnings.push(Warning { place: Place::file(tree::join(SUBMISSIONS, directory)), what });
        }
    }
}

/// Only where the directory leaves it open: `rejected`, `mixed` and whatever the formats do not know.
fn may_state_results(expectation: &Expectation) -> bool {
    matches!(expectation, Expectation::Rejected | Expectation::Unlisted(_))
}

/// What `@EXPECTED_RESULTS@: A, B` in one of the sources demands: verdicts, or a score.
fn expected_results(
    tree: &Tree,
    submission: &JurySubmission,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Demand>, PackageError> {
    for file in &submission.files {
        let Some(entry) = tree.file(file).filter(|entry| entry.size_bytes <= SOURCE_BYTES_MAX) else {
            continue;
        };
        let mut bytes = Vec::new();
        let read = entry.open()?.read_to_end(&mut bytes);
        read.map_err(|source| PackageError::io("read", entry.host_path(), source))?;
        let text = String::from_utf8_lossy(&bytes);
        let stated = text.lines().zip(1..).find_map(|(line, number)| {
            let (tag, list) = RESULT_TAGS.iter().find_map(|tag| Some((*tag, line.split_once(tag)?.1)))?;
            Some((tag, list.trim_start().strip_prefix(':')?, number))
        });
        let Some((tag, list, line)) = stated else { continue };
        // The comment that it stands in may end in the same line.
        let list = list.split("*/").next().unwrap_or_default().split("-->").next().unwrap_or_default();
        if let Ok(score) = list.trim().parse::<f64>()
            && score.is_finite()
        {
            return Ok(Some(Demand { score: Some((score, score)), ..Demand::anything(tag.to_owned()) }));
        }
        let mut overall = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match OverallVerdict::parse(name) {
                Some(verdict) => overall.push(verdict),
                None => warnings.push(Warning {
                    place: Place::line(file, line),
                    what: format!("{tag}: unknown result {name:?}, ignored"),
                }),
            }
        }
        if !overall.is_empty() {
            let overall = Some(overall);
            return Ok(Some(Demand { overall, ..Demand::anything(tag.to_owned()) }));
        }
    }
    Ok(None)
}

/// An entry of `submissions.yaml`.
struct Stated {
    line: u64,
    glob: Glob,
    language: Option<String>,
    entrypoint: Option<String>,
    authors: Option<Vec<String>>,
    is_model_solution: Option<bool>,
    /// For all testcases.
    rule: Rule,
    /// For those of a glob.
    per_testcase: Vec<(Glob, Rule)>,
}

/// What an entry demands; what it does not state is free.
#[derive(Default)]
struct Rule {
    line: u64,
    permitted: Option<JuryVerdicts>,
    required: Option<JuryVerdicts>,
    score: Option<(f64, f64)>,
    message: Option<String>,
    time_limit: Option<TimeLimitUse>,
}

impl Rule {
    fn is_nothing(&self) -> bool {
        self.permitted.is_none()
            && self.required.is_none()
            && self.score.is_none()
            && self.message.is_none()
            && self.time_limit.is_none()
    }

    /// This rule over `base`, which holds where it says nothing.
    fn over(&self, base: Demand, testcases: Option<Glob>) -> Demand {
        Demand {
            origin: format!("submissions.yaml:{}", self.line),
            testcases,
            permitted: self.permitted.unwrap_or(base.permitted),
            required: self.required.unwrap_or(base.required),
            score: self.score.or(base.score),
            message: self.message.clone().or(base.message),
            time_limit: self.time_limit.unwrap_or(base.time_limit),
            ..base
        }
    }
}

impl Stated {
    /// Whether its key is the bare name of the submission's directory, whose promise it then replaces.
    fn is_directory(&self, submission: &JurySubmission) -> bool {
        self.glob.is(&submission.directory)
    }

    fn matches(&self, submission: &JurySubmission) -> bool {
        let below = |path: &str| self.glob.matches(path.strip_prefix("submissions/").unwrap_or(path));
        below(&submission.path) || submission.files.iter().any(|file| below(file))
    }

    fn apply(&self, submission: &mut JurySubmission, of_directory: Option<&Demand>) {
        submission.language = self.language.clone().or(submission.language.take());
        submission.entrypoint = self.entrypoint.clone().or(submission.entrypoint.take());
        if let Some(authors) = &self.authors {
            submission.authors.clone_from(authors);
        }
        submission.is_model_solution = self.is_model_solution.unwrap_or(submission.is_model_solution);
        let nothing = || Demand::anything(String::new());
        if self.is_directory(submission) {
            let base = of_directory.cloned().unwrap_or_else(nothing);
            submission.demands.push(self.rule.over(base, None));
        } else if !self.rule.is_nothing() {
            submission.demands.push(self.rule.over(nothing(), None));
        }
        for (glob, rule) in &self.per_testcase {
            submission.demands.push(rule.over(nothing(), Some(glob.clone())));
        }
    }
}

/// The entries of `submissions.yaml`. One that cannot be used is left out with a warning: nothing that is judged
/// depends on it.
fn stated(tree: &Tree, warnings: &mut Vec<Warning>) -> Result<Vec<Stated>, PackageError> {
    if tree.file(SUBMISSIONS_YAML).is_none() {
        return Ok(Vec::new());
    }
    let ignored = |warnings: &mut Vec<Warning>, error| match error {
        PackageError::Invalid { place, what } => {
            warnings.push(Warning { place, what: format!("{what}, ignored") });
            Ok(())
        }
        error => Err(error),
    };
    let text = match tree.read_text(SUBMISSIONS_YAML, warnings) {
        Ok(text) => text,
        Err(error) => return ignored(warnings, error).map(|()| Vec::new()),
    };
    let mut reading = Reading { file: SUBMISSIONS_YAML, warnings };
    let entries = reading.parse(&text).and_then(|root| {
        let entries = reading.map(&root, "the file")?;
        Ok(entries.into_iter().map(|(key, line, node)| (key.to_owned(), line, node.clone())).collect())
    });
    let entries: Vec<(String, u64, Node)> = match entries {
        Ok(entries) => entries,
        Err(error) => return ignored(reading.warnings, error).map(|()| Vec::new()),
    };
    let mut found = Vec::new();
    for (key, line, node) in entries {
        match reading.stated(&key, line, &node) {
            Ok(stated) => found.push(stated),
            Err(error) => ignored(reading.warnings, error)?,
        }
    }
    Ok(found)
}

/// The code of a language that is called by its name, such as `python3` for `Python 3`; a code is its own.
fn language_code(name: &str) -> String {
    let is_code = |letter: char| !letter.is_uppercase() && !letter.is_whitespace() && letter != '#';
    if name.chars().all(is_code) {
        return name.to_owned();
    }
    let code: String = name.to_lowercase().split_whitespace().collect();
    code.replace('#', "sharp").replace("c++", "cpp")
}

impl Reading<'_> {
    fn stated(&mut self, key: &str, line: u64, node: &Node) -> Result<Stated, PackageError> {
        let glob = Glob::parse(key).map_err(|what| self.invalid(line, what))?;
        let mut stated = Stated {
            line,
            glob,
            language: None,
            entrypoint: None,
            authors: None,
            is_model_solution: None,
            rule: Rule { line, ..Rule::default() },
            per_testcase: Vec::new(),
        };
        for (key, line, node) in self.map(node, key)? {
            if self.demand(key, node, &mut stated.rule)? {
                continue;
            }
            match key {
                "language" => {
                    let language = self.scalar(node, key)?;
                    let code = language_code(&language);
                    if code != language {
                        let what = format!("languages go by their codes: {language:?} is taken for {code:?}");
                        self.warn(node.line, what);
                    }
                    stated.language = Some(code);
                }
                "entrypoint" => stated.entrypoint = Some(self.scalar(node, key)?),
                "authors" | "author" => stated.authors = Some(self.persons(node)?),
                "model_solution" => stated.is_model_solution = Some(self.boolean(node, key)?),
                // Everything else is about the testcases and groups of that name.
                _ if matches!(node.value, Value::Map(_)) => {
                    let glob = Glob::parse(key).map_err(|what| self.invalid(line, what))?;
                    let mut rule = Rule { line, ..Rule::default() };
                    for (key, line, node) in self.map(node, key)? {
                        if !self.demand(key, node, &mut rule)? {
                            self.warn(line, format!("unknown key {key:?}, ignored"));
                        }
                    }
                    stated.per_testcase.push((glob, rule));
                }
                _ => self.warn(line, format!("unknown key {key:?}, ignored")),
            }
        }
        Ok(stated)
    }

    /// Reads a key into a rule; false where it is no key of rules.
    fn demand(&mut self, key: &str, node: &Node, rule: &mut Rule) -> Result<bool, PackageError> {
        match key {
            "permitted" => rule.permitted = Some(self.verdicts(node, key)?),
            "required" => rule.required = Some(self.verdicts(node, key)?),
            "score" => rule.score = Some(self.score(node)?),
            "message" => rule.message = Some(self.scalar(node, key)?).filter(|message| !message.is_empty()),
            "use_for_time_limit" => {
                rule.time_limit = Some(match self.scalar(node, key)?.as_str() {
                    "true" => TimeLimitUse::ByVerdicts,
                    "false" => TimeLimitUse::Never,
                    "lower" => TimeLimitUse::Lower,
                    "upper" => TimeLimitUse::Upper,
                    other => {
                        let what = format!("{key} must be true, false, lower or upper, not {other:?}");
                        return Err(self.invalid(node.line, what));
                    }
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn verdicts(&self, node: &Node, name: &str) -> Result<JuryVerdicts, PackageError> {
        let mut verdicts = Vec::new();
        for code in self.words(node, name)? {
            let code = code.trim_matches(',');
            let verdict = JuryVerdict::parse(code).ok_or_else(|| {
                self.invalid(node.line, format!("{name}: {code:?} is none of AC, WA, TLE and RTE"))
            })?;
            verdicts.push(verdict);
        }
        if verdicts.is_empty() {
            return Err(self.invalid(node.line, format!("{name} lists no verdict")));
        }
        Ok(JuryVerdicts::of(&verdicts))
    }

    /// A number, or the two ends of a range.
    fn score(&self, node: &Node) -> Result<(f64, f64), PackageError> {
        let numbers: Option<Vec<f64>> = self
            .words(node, "score")?
            .iter()
            .map(|word| word.parse::<f64>().ok().filter(|number| number.is_finite()))
            .collect();
        match numbers.as_deref() {
            Some([score]) => Ok((*score, *score)),
            Some([low, high]) if low <= high => Ok((*low, *high)),
            _ => Err(self.invalid(node.line, "score must be a number or the two ends of a range")),
        }
    }

    fn boolean(&self, node: &Node, name: &str) -> Result<bool, PackageError> {
        match self.scalar(node, name)?.as_str() {
            "true" | "True" | "yes" => Ok(true),
            "false" | "False" | "no" => Ok(false),
            other => Err(self.invalid(node.line, format!("{name} must be true or false, not {other:?}"))),
        }
    }

    /// The names of persons: a string, a map with `name`, or a list of such.
    fn persons(&mut self, node: &Node) -> Result<Vec<String>, PackageError> {
        match &node.value {
            Value::List(items) => {
                let mut persons = Vec::new();
                for item in items {
                    persons.extend(self.persons(item)?);
                }
                Ok(persons)
            }
            Value::Map(_) => {
                let keys = self.map(node, "authors")?;
                let name = keys.into_iter().find(|(key, _, _)| *key == "name");
                let (_, _, name) =
                    name.ok_or_else(|| self.invalid(node.line, "a person of authors has no name"))?;
                Ok(vec![self.scalar(name, "name")?])
            }
            _ => Ok(vec![self.scalar(node, "authors")?]),
        }
    }
}
