//! Finds what a package brings to check its data by: the input validators, and the examples of data that they or the
//! output validator must refuse or accept. Nothing of it is judged; checking is for `verify`.

use super::error::{Place, Warning};
use super::package::{CaseFile, ValidatorArguments, ValidatorSource};
use super::settings;
use super::tree::Tree;

/// What an input validator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputValidatorKind {
    /// A program, which accepts with exit code 42.
    Program,
    /// A description in the language checktestdata.
    Checktestdata,
}

/// An input validator of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputValidator {
    /// What it is.
    pub kind: InputValidatorKind,
    /// Where it lies.
    pub source: ValidatorSource,
}

impl InputValidator {
    /// Its name, by which it may be given arguments.
    pub fn name(&self) -> &str {
        self.source.path.rsplit('/').next().unwrap_or(&self.source.path)
    }
}

/// What an example of data shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleKind {
    /// An input that at least one input validator refuses.
    InvalidInput,
    /// An output that the output validator refuses.
    InvalidOutput,
    /// An output that the output validator accepts.
    ValidOutput,
}

/// An example of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What it shows.
    pub kind: ExampleKind,
    /// Its path without an extension.
    pub path: String,
    /// Path of the input.
    pub input_path: String,
    /// Path of the answer and of the output, where it is about an output.
    pub output: Option<(String, String)>,
    /// Arguments of the input validators, before those of a submission.
    pub input_validator_arguments: ValidatorArguments,
    /// Arguments that a submission would have.
    pub arguments: Vec<String>,
    /// Files that a submission would find in its working directory, and the input validators do.
    pub files: Vec<CaseFile>,
    /// Flags of the output validator: those of the package, then its own or those of its directories.
    pub validator_flags: Vec<String>,
}

/// The directories of examples, under their older names too.
pub(super) const EXAMPLES: [(&str, ExampleKind); 7] = [
    ("data/bad", ExampleKind::InvalidInput),
    ("data/invalid_input", ExampleKind::InvalidInput),
    ("data/invalid_inputs", ExampleKind::InvalidInput),
    ("data/invalid_output", ExampleKind::InvalidOutput),
    ("data/invalid_outputs", ExampleKind::InvalidOutput),
    ("data/valid_output", ExampleKind::ValidOutput),
    ("data/valid_outputs", ExampleKind::ValidOutput),
];

/// The input validators by path.
pub(super) fn find_validators(tree: &Tree, warnings: &mut Vec<Warning>) -> Vec<InputValidator> {
    let mut found = Vec::new();
    for directory in ["input_validators", "input_validator", "input_format_validators"] {
        for source in super::find_validators(tree, directory) {
            let name = source.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            if name.ends_with(".viva") {
                let what = "is written in VIVA, which is not supported: nothing is checked by it".to_owned();
                warnings.push(Warning { place: Place::file(&source.path), what });
                continue;
            }
            let descriptions = source.files.iter().filter(|file| file.ends_with(".ctd"));
            let descriptions: Vec<InputValidator> = descriptions
                .map(|file| InputValidator {
                    kind: InputValidatorKind::Checktestdata,
                    source: ValidatorSource {
                        path: file.clone(),
                        files: vec![file.clone()],
                        standard_checker: None,
                    },
                })
                .collect();
            if descriptions.is_empty() {
                found.push(InputValidator { kind: InputValidatorKind::Program, source });
            }
            found.extend(descriptions);
        }
    }
    found
}

/// The examples by path, without the settings that `testdata` reads for them.
pub(super) fn find_examples(tree: &Tree, warnings: &mut Vec<Warning>) -> Vec<Example> {
    let mut found = Vec::new();
    for (directory, kind) in EXAMPLES {
        for input_path in tree.files_below(directory) {
            let Some(path) = input_path.strip_suffix(".in").filter(|path| !path.contains(".files/")) else {
                continue;
            };
            let (answer, output) = (format!("{path}.ans"), format!("{path}.out"));
            let is_there = tree.file(&answer).is_some() && tree.file(&output).is_some();
            let kind = match kind {
                // The oldest packages keep both kinds in one place.
                ExampleKind::InvalidInput if directory == "data/bad" && is_there => {
                    ExampleKind::InvalidOutput
                }
                kind => kind,
            };
            if kind != ExampleKind::InvalidInput && !is_there {
                let what = format!("needs {answer} and {output} beside it, ignored");
                warnings.push(Warning { place: Place::file(input_path), what });
                continue;
            }
            let output = (kind != ExampleKind::InvalidInput).then_some((answer, output));
            found.push(Example {
                kind,
                path: path.to_owned(),
                input_path: input_path.to_owned(),
                output,
                input_validator_arguments: ValidatorArguments::default(),
                arguments: Vec::new(),
                files: settings::files_of(tree, path),
                validator_flags: Vec::new(),
            });
        }
    }
    found
}
