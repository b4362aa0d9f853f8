//! Reads `problem.yaml` and the two other places where a time limit may stand. What it says is checked as far as it
//! can be without looking at the rest of the package.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::about::{self, About};
use super::constants::Constants;
use super::error::{Faults, PackageError, Place, Warning};
use super::grading::{self, GradingKey};
use super::open::is_archive;
use super::package::{Format, Limits, ProblemType, TimeLimitSource, TimeMultipliers};
use super::tree::{Tree, join};
use super::yaml::{Node, Value};

const PROBLEM_YAML: &str = "problem.yaml";
const DOMJUDGE_INI: &str = "domjudge-problem.ini";

/// The file, in the root of a package, in which this judge records the time limit that it publishes the package with. It
/// comes before all that the package says itself.
pub const RECORD: &str = "assize.json";

/// Used where a package states no time limit, until limits are derived from the jury's submissions.
const TIME_LIMIT_DEFAULT_MS: u64 = 2_000;
/// A longer time limit is taken for a slip.
const TIME_LIMIT_SECONDS_MAX: f64 = 3_600.0;

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// What `problem.yaml` says.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) format: Format,
    pub(crate) name: Option<Name>,
    pub(crate) name_line: Option<u64>,
    pub(crate) types: BTreeSet<ProblemType>,
    pub(crate) type_line: Option<u64>,
    pub(crate) limits: Limits,
    /// The `validation` key, where there is one.
    pub(crate) validation: Option<ValidationKey>,
    pub(crate) validator_flags: Vec<String>,
    pub(crate) validator_flags_line: Option<u64>,
    pub(crate) grading: GradingKey,
    pub(crate) languages_allowed: Option<BTreeSet<String>>,
    pub(crate) about: About,
    pub(crate) constants: Constants,
    pub(crate) allows_file_writing: Option<bool>,
}

/// The title, once or per language.
#[derive(Debug)]
pub(crate) enum Name {
    Single(String),
    PerLanguage(BTreeMap<String, String>),
}

/// The legacy `validation` key.
#[derive(Debug)]
pub(crate) struct ValidationKey {
    pub(crate) line: u64,
    pub(crate) custom: bool,
    pub(crate) interactive: bool,
    pub(crate) multi_pass: bool,
    /// Whether the validators give scores.
    pub(crate) score: bool,
}

/// A YAML file that is being read: names the file in what is said about its nodes.
pub(crate) struct Reading<'a> {
    pub(crate) file: &'a str,
    pub(crate) warnings: &'a mut Vec<Warning>,
}

/// That there is no `problem.yaml`, and what there is instead.
fn missing(tree: &Tree) -> String {
    let of = |wanted: &dyn Fn(&str, bool) -> bool| {
        let names = tree.entries("").filter(|(name, is_directory)| wanted(name, *is_directory));
        names.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let holders = of(&|name, is_directory| is_directory && tree.file(&join(name, PROBLEM_YAML)).is_some());
    let archives = of(&|name, is_directory| !is_directory && is_archive(Path::new(name)));
    match (holders.as_str(), archives.as_str()) {
        ("", "") => "is missing".to_owned(),
        ("", _) => format!("is missing; an archive within is not looked into: {archives}"),
        _ => format!("is missing; a package is the one folder that holds it, and here lies: {holders}"),
    }
}

impl Metadata {
    pub(crate) fn read(tree: &Tree, warnings: &mut Vec<Warning>) -> Result<Metadata, PackageError> {
        let ini = DomjudgeIni::read(tree, warnings)?;
        let is_missing = tree.file(PROBLEM_YAML).is_none();
        if is_missing && ini.is_none() {
            return Err(PackageError::invalid(Place::file(PROBLEM_YAML), missing(tree)));
        }
        let text = if is_missing {
            let what = format!("is missing; what {DOMJUDGE_INI} states is all that is known");
            warnings.push(Warning { place: Place::file(PROBLEM_YAML), what });
            String::new()
        } else {
            tree.read_text(PROBLEM_YAML, warnings)?
        };
        let mut reading = Reading { file: PROBLEM_YAML, warnings };
        let root = reading.parse(&text)?;
        let keys = reading.map(&root, "the file")?;
        let format = read_format(&reading, &keys)?;
        let mut metadata = Metadata {
            format,
            name: None,
            name_line: None,
            types: BTreeSet::new(),
            type_line: None,
            limits: default_limits(format),
            validation: None,
            validator_flags: Vec::new(),
            validator_flags_line: None,
            grading: GradingKey::default(),
            languages_allowed: None,
            about: About::default(),
            constants: Constants::default(),
            allows_file_writing: (format == Format::V2025_09).then_some(false),
        };
        let mut time_limit_ms = None;
        let mut faults = Faults::default();
        for (key, key_line, node) in keys {
            about::check_generation(&mut reading, format, key, key_line);
            if node.value == Value::Null {
                continue;
            }
            match metadata.about.read(&mut reading, format, key, node) {
                Ok(false) => {}
                Ok(true) => continue,
                // Nothing is judged by it, so that it is no reason to refuse the package.
                Err(PackageError::Invalid { place, what }) => {
                    reading.warnings.push(Warning { place, what: format!("{what}, ignored") });
                    continue;
                }
                Err(error) => return Err(error),
            }
            let read = metadata.read_key(&mut reading, key, key_line, node);
            time_limit_ms = faults.look(read)?.flatten().or(time_limit_ms);
        }
        faults.refuse()?;
        metadata.about.check(&mut reading, format);
        if metadata.types.is_empty() {
            metadata.types.insert(ProblemType::PassFail);
        }
        let recorded = read_record(tree, reading.warnings)?;
        let (milliseconds, source) = match (recorded, time_limit_ms) {
            (Some(milliseconds), _) => (milliseconds, TimeLimitSource::Recorded),
            (None, Some(milliseconds)) => (milliseconds, TimeLimitSource::ProblemYaml),
            (None, None) => read_time_limit_files(tree, ini.as_ref(), reading.warnings)?,
        };
        if metadata.name.is_none() {
            metadata.name = ini.and_then(|ini| ini.name).map(Name::Single);
        }
        metadata.limits.time_limit_ms = milliseconds;
        metadata.limits.time_limit_source = source;
        Ok(metadata)
    }

    /// Reads a key by which packages are judged; returns the time limit where it states one.
    fn read_key(
        &mut self,
        reading: &mut Reading<'_>,
        key: &str,
        key_line: u64,
        node: &Node,
    ) -> Result<Option<u64>, PackageError> {
        match key {
            "problem_format_version" => {}
            "name" => {
                self.name_line = Some(node.line);
                self.name = Some(reading.name(node)?);
            }
            "type" => {
                self.type_line = Some(node.line);
                self.types = reading.types(node)?;
            }
            "limits" => return read_limits(reading, node, &mut self.limits),
            "validation" => self.validation = Some(reading.validation(node)?),
            "validator_flags" | "output_validator_flags" | "output_validator_args" => {
                self.validator_flags_line = Some(node.line);
                self.validator_flags = reading.arguments(node, key)?;
            }
            "languages" => {
                let words: BTreeSet<String> = reading.words(node, key)?.into_iter().collect();
                if words.is_empty() {
                    return Err(reading.invalid(node.line, "languages must name at least one, or \"all\""));
                }
                self.languages_allowed = (!words.contains("all")).then_some(words);
            }
            "constants" => self.constants = Constants::read(reading, node)?,
            "allow_file_writing" => {
                self.allows_file_writing = Some(reading.flag(node, key)?);
            }
            // Of no consequence for judging.
            "libraries" => {}
            "grading" => self.grading = grading::read_key(reading, node)?,
            unknown => reading.warn(key_line, format!("unknown key {unknown:?}, ignored")),
        }
        Ok(None)
    }
}

fn read_format(reading: &Reading<'_>, keys: &[(&str, u64, &Node)]) -> Result<Format, PackageError> {
    let stated =
        |(key, _, node): &&(&str, u64, &Node)| *key == "problem_format_version" && node.value != Value::Null;
    let Some((_, _, node)) = keys.iter().find(stated) else {
        return Ok(Format::Legacy);
    };
    let text = reading.scalar(node, "problem_format_version")?;
    Format::parse(&text).ok_or_else(|| {
        let known = "known are legacy, legacy-icpc, 2023-07-draft, 2023-07 and 2025-09";
        reading.invalid(node.line, format!("unknown problem_format_version {text:?}; {known}"))
    })
}

fn default_limits(format: Format) -> Limits {
    let (ac_to_time_limit, time_limit_to_tle) = if format.is_legacy() { (5.0, 2.0) } else { (2.0, 1.5) };
    Limits {
        time_limit_ms: TIME_LIMIT_DEFAULT_MS,
        time_limit_source: TimeLimitSource::Default,
        time_multipliers: TimeMultipliers { ac_to_time_limit, time_limit_to_tle, time_resolution_ms: 1_000 },
        memory_bytes: 2048 * MIB,
        output_bytes: 8 * MIB,
        code_bytes: 128 * KIB,
        compilation_time_limit_ms: 60_000,
        compilation_memory_bytes: 2048 * MIB,
        validation_time_limit_ms: 60_000,
        validation_memory_bytes: 2048 * MIB,
        validation_output_bytes: 8 * MIB,
        validation_passes: 2,
    }
}

/// Reads the `limits` map; returns the time limit if it states one.
fn read_limits(
    reading: &mut Reading<'_>,
    node: &Node,
    limits: &mut Limits,
) -> Result<Option<u64>, PackageError> {
    let mut time_limit_ms = None;
    let mut faults = Faults::default();
    for (key, key_line, node) in reading.map(node, "limits")? {
        if node.value != Value::Null {
            let read = read_limit(reading, key, key_line, node, limits);
            time_limit_ms = faults.look(read)?.flatten().or(time_limit_ms);
        }
    }
    faults.refuse()?;
    Ok(time_limit_ms)
}

/// Reads one of the `limits`; returns the time limit if it is that.
fn read_limit(
    reading: &mut Reading<'_>,
    key: &str,
    key_line: u64,
    node: &Node,
    limits: &mut Limits,
) -> Result<Option<u64>, PackageError> {
    let name = &format!("limits.{key}");
    match key {
        "time_limit" => return Ok(Some(reading.seconds(node, name)?)),
        "memory" => limits.memory_bytes = reading.size(node, name, MIB)?,
        "output" => limits.output_bytes = reading.size(node, name, MIB)?,
        "code" => limits.code_bytes = reading.size(node, name, KIB)?,
        "compilation_time" => limits.compilation_time_limit_ms = reading.seconds(node, name)?,
        "compilation_memory" => limits.compilation_memory_bytes = reading.size(node, name, MIB)?,
        "validation_time" => limits.validation_time_limit_ms = reading.seconds(node, name)?,
        "validation_memory" => limits.validation_memory_bytes = reading.size(node, name, MIB)?,
        "validation_output" => limits.validation_output_bytes = reading.size(node, name, MIB)?,
        "validation_passes" => {
            limits.validation_passes = reading.size(node, name, 1)?;
            if limits.validation_passes < 2 {
                reading.warn(node.line, format!("{name} should be at least 2"));
            }
        }
        "time_multiplier" => limits.time_multipliers.ac_to_time_limit = reading.factor(node, name)?,
        "time_safety_margin" => limits.time_multipliers.time_limit_to_tle = reading.factor(node, name)?,
        "time_resolution" => limits.time_multipliers.time_resolution_ms = reading.seconds(node, name)?,
        "time_multipliers" => {
            for (key, key_line, node) in reading.map(node, name)? {
                let name = &format!("{name}.{key}");
                match key {
                    _ if node.value == Value::Null => {}
                    "ac_to_time_limit" => {
                        limits.time_multipliers.ac_to_time_limit = reading.factor(node, name)?;
                    }
                    "time_limit_to_tle" => {
                        limits.time_multipliers.time_limit_to_tle = reading.factor(node, name)?;
                    }
                    _ => reading.warn(key_line, format!("unknown key \"{name}\", ignored")),
                }
            }
        }
        _ => reading.warn(key_line, format!("unknown key \"{name}\", ignored")),
    }
    Ok(None)
}

/// The time limit in milliseconds that this judge recorded, if it did.
fn read_record(tree: &Tree, warnings: &mut Vec<Warning>) -> Result<Option<u64>, PackageError> {
    #[derive(serde::Deserialize)]
    struct Record {
        time_limit: TimeLimit,
    }
    #[derive(serde::Deserialize)]
    struct TimeLimit {
        time_limit_ms: u64,
    }
    if tree.file(RECORD).is_none() {
        return Ok(None);
    }
    let record: Record = serde_json::from_str(&tree.read_text(RECORD, warnings)?).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        PackageError::invalid(Place::line(RECORD, error.line() as u64), what)
    })?;
    let milliseconds = record.time_limit.time_limit_ms;
    if milliseconds == 0 || milliseconds as f64 > TIME_LIMIT_SECONDS_MAX * 1000.0 {
        let what = format!("time_limit_ms: {milliseconds} is not a time limit");
        return Err(PackageError::invalid(Place::file(RECORD), what));
    }
    Ok(Some(milliseconds))
}

/// What DOMjudge keeps beside a package, or in the place of its `problem.yaml`.
struct DomjudgeIni {
    name: Option<String>,
    /// As it is spelled, with its line.
    time_limit: Option<(String, u64)>,
}

impl DomjudgeIni {
    fn read(tree: &Tree, warnings: &mut Vec<Warning>) -> Result<Option<DomjudgeIni>, PackageError> {
        if tree.file(DOMJUDGE_INI).is_none() {
            return Ok(None);
        }
        let text = tree.read_text(DOMJUDGE_INI, warnings)?;
        let mut ini = DomjudgeIni { name: None, time_limit: None };
        for (line, number) in text.lines().zip(1..) {
            let is_comment = line.trim_start().starts_with([';', '#']);
            let Some((key, value)) = line.split_once('=').filter(|_| !is_comment) else { continue };
            // What follows a semicolon is a comment too.
            let value = value.split(" ;").next().unwrap_or(value);
            // DOMjudge writes values with or without quotes.
            let value = value.trim().trim_matches(['\'', '"']).to_owned();
            match key.trim() {
                "name" if !value.is_empty() => ini.name = Some(value),
                "timelimit" => ini.time_limit = ini.time_limit.or(Some((value, number))),
                _ => {}
            }
        }
        Ok(Some(ini))
    }
}

/// The time limit from `.timelimit`, else from `domjudge-problem.ini`, else the default.
fn read_time_limit_files(
    tree: &Tree,
    ini: Option<&DomjudgeIni>,
    warnings: &mut Vec<Warning>,
) -> Result<(u64, TimeLimitSource), PackageError> {
    const DOT_TIMELIMIT: &str = ".timelimit";
    if tree.file(DOT_TIMELIMIT).is_some() {
        let text = tree.read_text(DOT_TIMELIMIT, warnings)?;
        let milliseconds = parse_seconds(&text)
            .map_err(|what| PackageError::invalid(Place::line(DOT_TIMELIMIT, 1), what))?;
        return Ok((milliseconds, TimeLimitSource::DotTimelimit));
    }
    if let Some((value, line)) = ini.and_then(|ini| ini.time_limit.as_ref()) {
        let milliseconds = parse_seconds(value).map_err(|what| {
            PackageError::invalid(Place::line(DOMJUDGE_INI, *line), format!("timelimit: {what}"))
        })?;
        return Ok((milliseconds, TimeLimitSource::DomjudgeIni));
    }
    Ok((TIME_LIMIT_DEFAULT_MS, TimeLimitSource::Default))
}

/// A number of seconds in milliseconds, rounded up.
pub fn parse_seconds(text: &str) -> Result<u64, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= TIME_LIMIT_SECONDS_MAX => {
            // At most 3,600,000. The subtraction keeps 1.001 s, which is a hair more as a double, from becoming 1002 ms.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just above")]
            Ok(((seconds * 1000.0 - 1e-6).ceil() as u64).max(1))
        }
        _ => {
            Err(format!("{text:?} is not a time (seconds, more than 0 and at most {TIME_LIMIT_SECONDS_MAX})"))
        }
    }
}

/// Words as a shell splits them, where there are quotes and they stand in pairs. The format splits on whitespace alone, to
/// which a quote means nothing, but nobody writes quotes who wants them passed on.
fn quoted_words(text: &str) -> Option<Vec<String>> {
    if !text.contains(['"', '\'']) {
        return None;
    }
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (None, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(open), _) if letter == open => quote = None,
            (Some('"'), '\\') => {
                let escaped = letters.next_if(|next| matches!(next, '"' | '\\' | '$' | '`'));
                word.get_or_insert_default().push(escaped.unwrap_or(letter));
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

impl Reading<'_> {
    pub(crate) fn parse(&mut self, text: &str) -> Result<Node, PackageError> {
        Node::parse(text).map_err(|error| {
            let place = Place { file: self.file.to_owned(), line: error.line };
            PackageError::invalid(place, format!("is not YAML: {}", error.what))
        })
    }

    pub(crate) fn warn(&mut self, line: u64, what: String) {
        self.warnings.push(Warning { place: Place::line(self.file, line), what });
    }

    pub(crate) fn invalid(&self, line: u64, what: impl Into<String>) -> PackageError {
        PackageError::invalid(Place::line(self.file, line), what)
    }

    /// The entries of a map: key, the key's line, value. Where a key repeats, the last counts.
    pub(crate) fn map<'n>(
        &mut self,
        node: &'n Node,
        name: &str,
    ) -> Result<Vec<(&'n str, u64, &'n Node)>, PackageError> {
        let entries = match &node.value {
            Value::Null => return Ok(Vec::new()),
            Value::Map(entries) => entries,
            _ => return Err(self.invalid(node.line, format!("{name} must be a map, not {}", node.kind()))),
        };
        let mut kept: Vec<(&str, u64, &Node)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match kept.iter_mut().find(|(text, _, _)| *text == key.text) {
                None => kept.push((&key.text, key.line, value)),
                Some(earlier) => {
                    let what = format!(
                        "key {:?} stands twice (first in line {}), the last counts",
                        key.text, earlier.1
                    );
                    self.warn(key.line, what);
                    *earlier = (&key.text, key.line, value);
                }
            }
        }
        Ok(kept)
    }

    pub(crate) fn scalar(&self, node: &Node, name: &str) -> Result<String, PackageError> {
        let text = node.scalar().map(str::trim).map(str::to_owned);
        text.ok_or_else(|| {
            self.invalid(node.line, format!("{name} must be a single value, not {}", node.kind()))
        })
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, node: &Node, name: &str) -> Result<bool, PackageError> {
        match self.scalar(node, name)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            other => Err(self.invalid(node.line, format!("{name} must be true or false, not {other:?}"))),
        }
    }

    /// Arguments of a program: a list of strings, each whole, or a string of words.
    pub(crate) fn arguments(&self, node: &Node, name: &str) -> Result<Vec<String>, PackageError> {
        let Value::List(items) = &node.value else {
            let text = self.scalar(node, name)?;
            return Ok(
                quoted_words(&text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
            );
        };
        let mut arguments = Vec::with_capacity(items.len());
        for item in items {
            let argument = match &item.value {
                Value::Scalar(text) => text.clone(),
                _ => self.scalar(item, name)?,
            };
            if argument.contains('\0') {
                return Err(self.invalid(item.line, format!("{name}: an argument contains a NUL")));
            }
            arguments.push(argument);
        }
        Ok(arguments)
    }

    /// Words: a string split on whitespace, or a list of such strings.
    pub(crate) fn words(&self, node: &Node, name: &str) -> Result<Vec<String>, PackageError> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut words = Vec::new();
        for item in items {
            words.extend(self.scalar(item, name)?.split_whitespace().map(str::to_owned));
        }
        Ok(words)
    }

    fn name(&mut self, node: &Node) -> Result<Name, PackageError> {
        let Value::Map(_) = node.value else {
            let name = self.scalar(node, "name")?;
            return if name.is_empty() {
                Err(self.invalid(node.line, "name is empty"))
            } else {
                Ok(Name::Single(name))
            };
        };
        let mut names = BTreeMap::new();
        for (language, _, node) in self.map(node, "name")? {
            if node.value == Value::Null {
                continue;
            }
            names.insert(language.to_owned(), self.scalar(node, "name")?);
        }
        if names.is_empty() {
            Err(self.invalid(node.line, "name is empty"))
        } else {
            Ok(Name::PerLanguage(names))
        }
    }

    fn types(&mut self, node: &Node) -> Result<BTreeSet<ProblemType>, PackageError> {
        let mut types = BTreeSet::new();
        let words = self.words(node, "type")?;
        if words.is_empty() {
            self.warn(node.line, "type names none, taken for pass-fail".to_owned());
        }
        for word in words {
            let parsed = ProblemType::parse(&word);
            let parsed =
                parsed.ok_or_else(|| self.invalid(node.line, format!("unknown problem type {word:?}")))?;
            if !types.insert(parsed) {
                self.warn(node.line, format!("type {word:?} stands twice"));
            }
        }
        for (one, other) in [
            (ProblemType::PassFail, ProblemType::Scoring),
            (ProblemType::SubmitAnswer, ProblemType::MultiPass),
            (ProblemType::SubmitAnswer, ProblemType::Interactive),
        ] {
            if types.contains(&one) && types.contains(&other) {
                let what = format!("a problem cannot be both {} and {}", one.name(), other.name());
                return Err(self.invalid(node.line, what));
            }
        }
        // "interactive" alone says nothing about points, and the format's default is none.
        if !types.contains(&ProblemType::Scoring) {
            types.insert(ProblemType::PassFail);
        }
        Ok(types)
    }

    fn validation(&mut self, node: &Node) -> Result<ValidationKey, PackageError> {
        let words = self.words(node, "validation")?;
        let mut words = words.iter().map(String::as_str);
        let custom = match words.next() {
            Some("default") => false,
            Some("custom") => true,
            _ => {
                return Err(
                    self.invalid(node.line, "validation must be \"default\" or \"custom\" with its options")
                );
            }
        };
        let mut key =
            ValidationKey { line: node.line, custom, interactive: false, multi_pass: false, score: false };
        for word in words {
            match word {
                "interactive" if custom => key.interactive = true,
                "multi-pass" if custom => key.multi_pass = true,
                "score" if custom => key.score = true,
                _ => return Err(self.invalid(node.line, format!("unknown validation option {word:?}"))),
            }
        }
        Ok(key)
    }

    fn seconds(&self, node: &Node, name: &str) -> Result<u64, PackageError> {
        let text = self.scalar(node, name)?;
        parse_seconds(&text).map_err(|what| self.invalid(node.line, format!("{name}: {what}")))
    }

    /// A whole positive number of units of `unit_bytes`, in bytes.
    fn size(&self, node: &Node, name: &str, unit_bytes: u64) -> Result<u64, PackageError> {
        let text = self.scalar(node, name)?;
        // Some packages write 512.0.
        let whole = text.strip_suffix(".0").unwrap_or(&text);
        let bytes = whole
            .parse::<u64>()
            .ok()
            .filter(|count| *count > 0)
            .and_then(|count| count.checked_mul(unit_bytes));
        // Counters of the kernel are signed.
        bytes.filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(|| {
            self.invalid(node.line, format!("{name}: {text:?} is not a limit (a whole number of at least 1)"))
        })
    }

    fn factor(&self, node: &Node, name: &str) -> Result<f64, PackageError> {
        let text = self.scalar(node, name)?;
        text.parse::<f64>().ok().filter(|factor| *factor > 0.0 && *factor <= 1e6).ok_or_else(|| {
            self.invalid(node.line, format!("{name}: {text:?} is not a factor (a number more than 0)"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together_where_they_stand_in_pairs() {
        #[track_caller]
        fn check(text: &str, expected: Option<&[&str]>) {
            let words = quoted_words(text);
            assert_eq!(words.as_ref().map(|words| words.iter().map(String::as_str).collect::<Vec<_>>()), {
                expected.map(<[&str]>::to_vec)
            });
        }
        check("a b", None);
        check(r"a\d b", None);
        check(r#"--team "There are more" -n 5"#, Some(&["--team", "There are more", "-n", "5"]));
        check(r#"--team='more "yet"' x"#, Some(&[r#"--team=more "yet""#, "x"]));
        check(r#"'' "a\"b\n" c\ d"#, Some(&["", r#"a"b\n"#, "c d"]));
        check("it's", None);
        check(r#"a "b"#, None);
        check(r#""a"\"#, None);
    }
}
