//! Reads `data/`: the testcases in judging order and the groups that hold them, with the settings that groups inherit.

use std::collections::BTreeMap;

use super::Mode;
use super::error::{Faults, PackageError, Place, Warning};
use super::grading::Style;
use super::inputs::{self, Example};
use super::metadata::{Metadata, Reading};
use super::package::{Format, Group, Testcase, Validation};
use super::settings::{self, CaseSettings};
use super::tree::{self, Tree};
use super::yaml::Value;
use crate::domain::default_validator::Flags;
use crate::domain::ids::TestcaseName;

/// What `data/` holds.
pub(crate) struct TestData {
    pub(crate) testcases: Vec<Testcase>,
    pub(crate) groups: Vec<Group>,
    /// What is never judged, by path in byte order.
    pub(crate) examples: Vec<Example>,
}

/// Extensions of what belongs to a testcase besides its input and answer: settings, annotations, interactive samples, and
/// what is displayed or downloaded instead of the real data.
const ANNOTATIONS: [&str; 15] = [
    "yaml",
    "args",
    "files",
    "hint",
    "desc",
    "png",
    "jpg",
    "jpeg",
    "svg",
    "interaction",
    "out",
    "in.statement",
    "ans.statement",
    "in.download",
    "ans.download",
];

pub(crate) fn read(
    tree: &Tree,
    metadata: &Metadata,
    validation: Option<&Validation>,
    style: Style,
    mode: Mode,
    warnings: &mut Vec<Warning>,
) -> Result<TestData, PackageError> {
    let data = TestData { testcases: Vec::new(), groups: Vec::new(), examples: Vec::new() };
    let faults = Faults::default();
    let mut reader = Reader { tree, metadata, validation, style, mode, warnings, faults, data };
    let everything = reader.group("", None)?;
    reader.data.groups.push(everything.clone());
    if let Some((name, _)) = tree.entries("data").find(|(name, _)| name.ends_with(".in")) {
        let what = "testcases directly in data/ are not judged, only those in data/sample and data/secret";
        reader.warn(&format!("data/{name}"), what.to_owned());
    }
    for (name, is_directory) in tree.entries("data") {
        let directory = format!("data/{name}");
        let is_known = !is_directory
            || matches!(name, "sample" | "secret")
            || inputs::EXAMPLES.iter().any(|(known, _)| *known == directory);
        if !is_known && tree.files_below(&directory).any(|path| path.ends_with(".in")) {
            reader.warn(&directory, "the format knows no such directory: nothing in it is judged".to_owned());
        }
    }
    for part in ["sample", "secret"] {
        if tree.has_directory(&format!("data/{part}")) {
            let group = reader.group_below(part, &everything)?;
            reader.directory(part, &group)?;
        }
    }
    reader.examples(everything)?;
    reader.faults.refuse()?;
    let data = reader.data;
    if data.testcases.is_empty() {
        return Err(PackageError::invalid(Place::file("data"), "there are no testcases"));
    }
    Ok(data)
}

struct Reader<'a> {
    tree: &'a Tree,
    metadata: &'a Metadata,
    /// None where it is broken.
    validation: Option<&'a Validation>,
    style: Style,
    mode: Mode,
    warnings: &'a mut Vec<Warning>,
    faults: Faults,
    data: TestData,
}

impl Reader<'_> {
    /// Reads the testcases of a directory below `data/`, and of those below it, by name in byte order.
    fn directory(&mut self, path: &str, group: &Group) -> Result<(), PackageError> {
        let host_directory = format!("data/{path}");
        let tree = self.tree;
        // A testcase is known by its name without the extension, and that is what orders it among directories.
        let mut named: Vec<(&str, bool)> = Vec::new();
        for (name, is_directory) in tree.entries(&host_directory) {
            if is_directory {
                match name.strip_suffix(".files") {
                    Some(base) if self.is_input(&host_directory, base) => {}
                    Some(_) => self.other_file(&host_directory, name),
                    None => named.push((name, true)),
                }
            } else if let Some(base) = name.strip_suffix(".in") {
                named.push((base, false));
            } else {
                self.other_file(&host_directory, name);
            }
        }
        named.sort_unstable();
        if path == "secret" && self.metadata.format == Format::V2025_09 {
            let groups = named.iter().any(|(name, is_directory)| {
                *is_directory && self.settings_of(&format!("{path}/{name}")).is_some()
            });
            if groups && named.iter().any(|(_, is_directory)| !is_directory) {
                let what = "holds testcases beside groups, which this version of the format does not allow";
                self.warn(&host_directory, what.to_owned());
            }
        }
        for (name, is_directory) in named {
            let below = format!("{path}/{name}");
            if !is_directory {
                let read = self.testcase(below, group);
                self.faults.look(read)?;
                continue;
            }
            if self.tree.file(&format!("data/{below}.in")).is_some() {
                self.warn(
                    &format!("data/{below}"),
                    "a testcase has the same name as this directory".to_owned(),
                );
            }
            let is_group =
                self.metadata.format.groups_are_directories() || self.settings_of(&below).is_some();
            if is_group {
                let group = self.group_below(&below, group)?;
                self.directory(&below, &group)?;
            } else {
                self.directory(&below, group)?;
            }
        }
        Ok(())
    }

    fn testcase(&mut self, name: String, group: &Group) -> Result<(), PackageError> {
        let (input_path, answer_path) = (format!("data/{name}.in"), format!("data/{name}.ans"));
        let Some(answer) = self.tree.file(&answer_path) else {
            let what = format!("has no answer file {answer_path}");
            return Err(PackageError::invalid(Place::file(input_path), what));
        };
        let answer_bytes = answer.size_bytes;
        let input_bytes = self.tree.file(&input_path).map_or(0, |entry| entry.size_bytes);
        let is_sample = name.starts_with("sample/");
        if let Err(error) = name.parse::<TestcaseName>() {
            return Err(PackageError::invalid(Place::file(input_path), error.to_string()));
        }
        let base = format!("data/{name}");
        let mut settings = group.cases.clone();
        let stated = settings.read_case(self.tree, &base, self.warnings)?;
        let own = stated.map(|(flags, place)| (Group { validator_flags: flags, ..group.clone() }, place));
        let validator_flags = self.flags_in(own.as_ref().map_or(group, |(own, _)| own));
        if let (Some((_, place)), Some(Validation::Default)) = (own, self.validation) {
            self.check_flags(&validator_flags, place)?;
        }
        let files = settings::files_of(self.tree, &base);
        let shown = settings::presentation(self.tree, &base, self.mode == Mode::Strict, self.warnings);
        self.data.testcases.push(Testcase {
            name,
            group: group.path.clone(),
            input_path,
            input_bytes,
            answer_path,
            answer_bytes,
            is_sample,
            validator_flags,
            arguments: settings.arguments,
            files,
            input_validator_arguments: settings.input_validator_arguments,
            full_feedback: settings.full_feedback,
            hint: settings.hint,
            description: settings.description,
            shown_input_path: shown.shown_input_path,
            shown_answer_path: shown.shown_answer_path,
            download_input_path: shown.download_input_path,
            download_answer_path: shown.download_answer_path,
            interaction_path: shown.interaction_path,
        });
        Ok(())
    }

    /// Reads the examples with their settings. Nothing is judged by them: one that cannot be used is left out with a
    /// warning.
    fn examples(&mut self, everything: Group) -> Result<(), PackageError> {
        let mut directories = BTreeMap::from([(String::new(), everything)]);
        for mut example in inputs::find_examples(self.tree, self.warnings) {
            match self.example(&mut example, &mut directories) {
                Ok(()) => self.data.examples.push(example),
                Err(PackageError::Invalid { place, what }) => {
                    let what = format!("{what}, so {} is not looked at", example.path);
                    self.warnings.push(Warning { place, what });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what the directories of an example state, and what it states itself.
    fn example(
        &mut self,
        example: &mut Example,
        directories: &mut BTreeMap<String, Group>,
    ) -> Result<(), PackageError> {
        let directory = example.path.strip_prefix("data/").unwrap_or(&example.path);
        let directory = directory.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut group = directories[""].clone();
        let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
        for path in ends.map(|end| &directory[..end]) {
            group = match directories.get(path) {
                Some(known) => known.clone(),
                None => self.group(path, Some(&group))?,
            };
            directories.insert(path.to_owned(), group.clone());
        }
        if let Some((flags, _)) = group.cases.read_case(self.tree, &example.path, self.warnings)? {
            group.validator_flags = flags;
        }
        example.validator_flags = self.flags_in(&group);
        example.arguments = group.cases.arguments;
        example.input_validator_arguments = group.cases.input_validator_arguments;
        Ok(())
    }

    /// A file that is not an input: half of a testcase, settings, an annotation, or nothing known.
    fn other_file(&mut self, host_directory: &str, name: &str) {
        let path = format!("{host_directory}/{name}");
        let has_input = |base: &str| self.is_input(host_directory, base);
        if matches!(name, "testdata.yaml" | "test_group.yaml") {
            return;
        }
        if let Some(base) = name.strip_suffix(".ans") {
            if !has_input(base) && !self.is_only_shown(host_directory, base) {
                self.warn(&path, format!("has no input file {host_directory}/{base}.in, ignored"));
            }
        } else if !ANNOTATIONS.iter().any(|end| {
            let base = name.strip_suffix(end).and_then(|name| name.strip_suffix('.'));
            base.is_some_and(|base| has_input(base) || self.is_only_shown(host_directory, base))
        }) {
            self.warn(&path, "belongs to no testcase, ignored".to_owned());
        }
    }

    fn is_input(&self, host_directory: &str, base: &str) -> bool {
        self.tree.file(&format!("{host_directory}/{base}.in")).is_some()
    }

    /// Whether this is a sample that stands in the statement alone: it is never judged, having no input.
    fn is_only_shown(&self, host_directory: &str, base: &str) -> bool {
        let is_sample = host_directory == "data/sample" || host_directory.starts_with("data/sample/");
        let has = |end: &str| self.tree.file(&format!("{host_directory}/{base}.{end}")).is_some();
        is_sample && (has("interaction") || has("in.statement"))
    }

    fn settings_of(&self, path: &str) -> Option<String> {
        let directory = tree::join("data", path);
        let directory = directory.trim_end_matches('/');
        let (one, other) = (format!("{directory}/test_group.yaml"), format!("{directory}/testdata.yaml"));
        [one, other].into_iter().find(|path| self.tree.file(path).is_some())
    }

    /// Reads the group in a directory, which takes its parent's settings where its own are broken.
    fn group_below(&mut self, path: &str, parent: &Group) -> Result<Group, PackageError> {
        let read = self.group(path, Some(parent));
        let group = self.faults.look(read)?.unwrap_or_else(|| parent.clone());
        self.data.groups.push(group.clone());
        Ok(group)
    }

    fn group(&mut self, path: &str, parent: Option<&Group>) -> Result<Group, PackageError> {
        let mut group = Group {
            path: path.to_owned(),
            settings_path: self.settings_of(path),
            validator_flags: parent.map_or_else(Vec::new, |parent| parent.validator_flags.clone()),
            cases: parent.map_or_else(CaseSettings::default, |parent| parent.cases.clone()),
            grading: parent
                .map_or_else(|| self.metadata.grading.root.clone(), |parent| parent.grading.inherited()),
        };
        group.cases.full_feedback |= path == "sample";
        let mut flags_place =
            Place { file: "problem.yaml".to_owned(), line: self.metadata.validator_flags_line };
        if let Some(file) = group.settings_path.clone()
            && let Some(place) = self.group_settings(&file, &mut group)?
        {
            flags_place = place;
        }
        if self.validation == Some(&Validation::Default) {
            self.check_flags(&self.flags_in(&group), flags_place)?;
        }
        Ok(group)
    }

    /// Whether flags are such of the default validator. In the legacy formats one may stand twice, since that of
    /// problemtools takes the last.
    fn check_flags(&mut self, flags: &[String], place: Place) -> Result<(), PackageError> {
        if let Err(error) = Flags::parse(flags) {
            return Err(PackageError::invalid(place, error.to_string()));
        }
        let Some(flag) = Flags::repeated(flags) else { return Ok(()) };
        let what = format!("validator flag {flag} is given twice");
        if !self.metadata.format.is_legacy() {
            return Err(PackageError::invalid(place, what));
        }
        let warning = Warning { place, what: format!("{what}, the last counts") };
        // Groups inherit flags with their place.
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        Ok(())
    }

    /// Reads the settings that a group states itself; returns the place of its validator flags.
    fn group_settings(&mut self, file: &str, group: &mut Group) -> Result<Option<Place>, PackageError> {
        let text = self.tree.read_text(file, self.warnings)?;
        let constants = &self.metadata.constants;
        if !constants.is_empty() {
            for (line, name) in constants.undefined_in(&text) {
                let what = format!("there is no constant {name:?}");
                self.warnings.push(Warning { place: Place::line(file, line), what });
            }
        }
        let text = String::from_utf8(constants.put_into(text.into_bytes())).unwrap_or_default();
        let mut reading = Reading { file, warnings: self.warnings };
        let root = reading.parse(&text)?;
        let mut flags_place = None;
        for (key, key_line, node) in reading.map(&root, "the file")? {
            if node.value == Value::Null || group.cases.read(&mut reading, key, node)? {
                continue;
            }
            match key {
                _ if group.grading.read(&mut reading, self.style, key, node)? => {}
                "output_validator_flags" | "output_validator_args" => {
                    group.validator_flags = match node.value {
                        Value::Map(_) => settings::named_flags(&mut reading, key, node)?
                            .map(|(_, flags)| flags)
                            .ok_or_else(|| {
                                reading.invalid(node.line, format!("{key} lacks `name` or `flags`"))
                            })?,
                        _ => reading.arguments(node, key)?,
                    };
                    flags_place = Some(Place::line(file, node.line));
                }
                "accept_score"
                | "reject_score"
                | "range"
                | "max_score"
                | "score_aggregation"
                | "require_pass"
                | "static_validation_score"
                | "static_validator_args"
                | "hint"
                | "description" => {}
                unknown => reading.warn(key_line, format!("unknown key {unknown:?}, ignored")),
            }
        }
        Ok(flags_place)
    }

    /// The flags of the package with those of a group behind them. The default validator must not see a flag twice:
    /// there the group's counts.
    fn flags_in(&self, group: &Group) -> Vec<String> {
        let package = &self.metadata.validator_flags;
        match self.validation {
            Some(Validation::Default) => override_flags(package, &group.validator_flags),
            Some(Validation::Custom { .. }) | None => [package.as_slice(), &group.validator_flags].concat(),
        }
    }

    fn warn(&mut self, path: &str, what: String) {
        self.warnings.push(Warning { place: Place::file(path), what });
    }
}

/// Two lists of flags of the default validator as one; what the second states replaces it in the first.
fn override_flags(package: &[String], group: &[String]) -> Vec<String> {
    let takes_value = |flag: &str| flag.starts_with("float_");
    let mut flags = Vec::with_capacity(package.len() + group.len());
    let mut words = package.iter();
    while let Some(word) = words.next() {
        let value = if takes_value(word) { words.next() } else { None };
        if !group.contains(word) {
            flags.push(word.clone());
            flags.extend(value.cloned());
        }
    }
    flags.extend(group.iter().cloned());
    flags
}
