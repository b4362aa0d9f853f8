//! What groups and testcases state about how a testcase is run and shown: arguments, files, feedback, and the files
//! displayed or downloaded in place of the real ones. How verdicts become a group's is not asked here.

use std::collections::BTreeMap;

use super::error::{PackageError, Place, Warning};
use super::metadata::Reading;
use super::package::{CaseFile, ValidatorArguments};
use super::tree::Tree;
use super::yaml::{Node, Value};

/// Extensions of pictures of a testcase, of which it has at most one.
const PICTURES: [&str; 4] = ["png", "jpg", "jpeg", "svg"];

/// What a group states for the testcases in it and the groups below, and a testcase for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CaseSettings {
    pub(crate) arguments: Vec<String>,
    pub(crate) input_validator_arguments: ValidatorArguments,
    pub(crate) full_feedback: bool,
    pub(crate) hint: Option<String>,
    pub(crate) description: Option<String>,
}

impl CaseSettings {
    /// Takes over what a key states, if it is one of those that groups and testcases share.
    pub(crate) fn read(
        &mut self,
        reading: &mut Reading<'_>,
        key: &str,
        node: &Node,
    ) -> Result<bool, PackageError> {
        match key {
            "args" => self.arguments = reading.arguments(node, key)?,
            "input_validator_args" | "input_validator_flags" => {
                self.input_validator_arguments = match node.value {
                    Value::Map(_) => {
                        let mut arguments = BTreeMap::new();
                        if let Some((name, flags)) = named_flags(reading, key, node)? {
                            arguments.insert(name, flags);
                            self.input_validator_arguments = ValidatorArguments::ByName(arguments);
                            return Ok(true);
                        }
                        for (name, _, node) in reading.map(node, key)? {
                            let key = format!("{key}.{name}");
                            arguments.insert(name.to_owned(), reading.arguments(node, &key)?);
                        }
                        ValidatorArguments::ByName(arguments)
                    }
                    _ => ValidatorArguments::All(reading.arguments(node, key)?),
                };
            }
            "full_feedback" => self.full_feedback = reading.flag(node, key)?,
            // Nothing is drawn here, and yet what is stated must be what the format says.
            "input_visualizer_args" | "output_visualizer_args" => {
                reading.arguments(node, key)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes over what the testcase `base` (its path without an extension) states in its own YAML. Gives the arguments
    /// of the output validator with their line, if it states any.
    pub(crate) fn read_case(
        &mut self,
        tree: &Tree,
        base: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<(Vec<String>, Place)>, PackageError> {
        let file = format!("{base}.yaml");
        let mut output_validator_arguments = None;
        let mut arguments_stated = false;
        if tree.file(&file).is_some() {
            let text = tree.read_text(&file, warnings)?;
            let mut reading = Reading { file: &file, warnings };
            let root = reading.parse(&text)?;
            for (key, key_line, node) in reading.map(&root, "the file")? {
                if node.value == Value::Null || self.read(&mut reading, key, node)? {
                    arguments_stated |= key == "args";
                    continue;
                }
                match key {
                    "output_validator_args" | "output_validator_flags" => {
                        let arguments = reading.arguments(node, key)?;
                        output_validator_arguments = Some((arguments, Place::line(&file, node.line)));
                    }
                    "hint" => self.hint = Some(reading.scalar(node, key)?),
                    "description" => self.description = Some(reading.scalar(node, key)?),
                    unknown => reading.warn(key_line, format!("unknown key {unknown:?}, ignored")),
                }
            }
        }
        // How drafts of the format stated them.
        let file = format!("{base}.args");
        if tree.file(&file).is_some() {
            let text = tree.read_text(&file, warnings)?;
            if arguments_stated {
                let what = format!("{base}.yaml states `args` too, and that counts");
                warnings.push(Warning { place: Place::file(file), what });
            } else if let Some((line, _)) = (1..).zip(text.lines()).find(|(_, line)| line.contains('\0')) {
                return Err(PackageError::invalid(Place::line(file, line), "an argument contains a NUL"));
            } else {
                self.arguments = text.split_whitespace().map(str::to_owned).collect();
            }
        }
        for (extension, text) in [("hint", &mut self.hint), ("desc", &mut self.description)] {
            let file = format!("{base}.{extension}");
            if text.is_none() && tree.file(&file).is_some() {
                *text = Some(tree.read_text(&file, warnings)?.trim_end().to_owned());
            }
        }
        Ok(output_validator_arguments)
    }
}

/// Flags as the old format may state them: a map with the `name` of a validator and its `flags`.
pub(crate) fn named_flags(
    reading: &mut Reading<'_>,
    key: &str,
    node: &Node,
) -> Result<Option<(String, Vec<String>)>, PackageError> {
    let entries = reading.map(node, key)?;
    let named = |wanted: &str| entries.iter().find(|(key, _, _)| *key == wanted).map(|(_, _, node)| *node);
    let (Some(name), Some(flags), 2) = (named("name"), named("flags"), entries.len()) else {
        return Ok(None);
    };
    Ok(Some((reading.scalar(name, "name")?, reading.arguments(flags, "flags")?)))
}

/// The files in the `.files` directory of a testcase, for its working directory.
pub(crate) fn files_of(tree: &Tree, base: &str) -> Vec<CaseFile> {
    let directory = format!("{base}.files");
    let named = |path: &str| {
        let name = path.strip_prefix(&directory).unwrap_or(path).trim_start_matches('/').to_owned();
        CaseFile { name, path: path.to_owned() }
    };
    tree.files_below(&directory).map(named).collect()
}

/// What of a testcase is displayed and downloaded.
pub(crate) struct Presentation {
    pub(crate) shown_input_path: String,
    pub(crate) shown_answer_path: String,
    pub(crate) download_input_path: String,
    pub(crate) download_answer_path: String,
    pub(crate) interaction_path: Option<String>,
}

/// Which files of a testcase take precedence, and warnings about those that cannot stand beside each other, or, where
/// that is `strict`, not alone.
pub(crate) fn presentation(
    tree: &Tree,
    base: &str,
    strict: bool,
    warnings: &mut Vec<Warning>,
) -> Presentation {
    let find = |extension: &str| {
        let path = format!("{base}.{extension}");
        tree.file(&path).is_some().then_some(path)
    };
    let mut warn = |extension: &str, what: String| {
        warnings.push(Warning { place: Place::file(format!("{base}.{extension}")), what });
    };
    let (out, interaction) = (find("out"), find("interaction"));
    let (in_statement, ans_statement) = (find("in.statement"), find("ans.statement"));
    let (in_download, ans_download) = (find("in.download"), find("ans.download"));
    if interaction.is_some() {
        for extension in ["out", "in.statement", "ans.statement", "in.download", "ans.download"] {
            if find(extension).is_some() {
                warn(extension, "stands beside an .interaction, which is shown instead".to_owned());
            }
        }
    } else if out.is_some() && ans_statement.is_some() {
        warn("ans.statement", "stands beside an .out; this one is shown".to_owned());
    }
    // What is to be downloaded is clear all the same, and tools let it pass.
    for (kind, download, statement) in
        [("in", &in_download, &in_statement), ("ans", &ans_download, &ans_statement)]
    {
        let (one, other) = match (download, statement) {
            (Some(_), None) if strict => ("download", "statement"),
            (None, Some(_)) if strict && (out.is_none() || kind == "in") => ("statement", "download"),
            _ => continue,
        };
        warn(&format!("{kind}.{one}"), format!("there is no .{kind}.{other} to go with it"));
    }
    let mut pictures = PICTURES.iter().filter(|extension| find(extension).is_some());
    if let (Some(first), Some(second)) = (pictures.next(), pictures.next()) {
        warn(second, format!("is a second picture of the testcase, beside the .{first}"));
    }
    let real = |extension: &str| format!("{base}.{extension}");
    Presentation {
        shown_input_path: in_statement.unwrap_or_else(|| real("in")),
        shown_answer_path: ans_statement.or_else(|| out.clone()).unwrap_or_else(|| real("ans")),
        download_input_path: in_download.unwrap_or_else(|| real("in")),
        download_answer_path: ans_download.or(out).unwrap_or_else(|| real("ans")),
        interaction_path: interaction,
    }
}
