//! Checks the data of a package: every input by every input validator, and the examples of what must be refused or
//! accepted. Findings are about the package and say nothing about its submissions.

use std::path::Path;
use std::sync::Arc;

use crate::checktestdata::{CheckError, Program};
use crate::domain::default_validator::{self, Comparison, Flags};
use crate::error_chain::chain;
use crate::problems::{
    CaseFile, Example, ExampleKind, InputValidator, InputValidatorKind, Testcase, Validation,
};
use crate::worker::launch::{Input, ProgramFile};
use crate::worker::packages::{JudgePackage, JudgePackageError, TestcaseData};
use crate::worker::validators::{Pass, Validators};

use super::{Bench, Finding};

/// How many inputs that a validator refuses are named.
const NAMED_MAX: usize = 5;
/// What becomes of programs that know nothing of the codes by which validators speak.
const NOT_TOLD: &str = "exited with code 0";
/// Larger files are no descriptions, in bytes.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;

/// An input validator, ready to be asked.
enum Checker {
    Program(Validators),
    Description(Program),
}

/// What became of one question.
enum Answer {
    Accepted,
    Refused(String),
    /// The validator did not work.
    Failed(String),
}

/// What is wrong with the data of a package.
pub(super) async fn check(package: &Arc<JudgePackage>, bench: &Bench) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = &package.package.input_validators;
    let mut checkers: Vec<(&InputValidator, Arc<Checker>)> = Vec::new();
    for source in sources {
        match checker(package, source) {
            Ok(checker) => checkers.push((source, Arc::new(checker))),
            Err(what) => findings.push(Finding::error(Some(&source.source.path), what)),
        }
    }
    let examples = package.package.examples.iter();
    let (inputs, outputs): (Vec<&Example>, Vec<&Example>) =
        examples.partition(|example| example.kind == ExampleKind::InvalidInput);
    let samples: Vec<Example> = shown_outputs(package);
    if sources.is_empty() {
        let what = "there are no input validators, so that the inputs are not checked".to_owned();
        findings.push(Finding::warning(Some("input_validators"), what));
    }
    let by_validator = checkers.iter().map(|(source, checker)| all_by(package, bench, source, checker));
    let refused = inputs.iter().map(|example| is_refused(package, bench, &checkers, example));
    let judged = outputs.into_iter().chain(&samples).map(|example| output(package, bench, example));
    let (by_validator, refused, judged) = tokio::join!(
        futures::future::join_all(by_validator),
        futures::future::join_all(refused),
        futures::future::join_all(judged),
    );
    findings.extend(by_validator.into_iter().flatten());
    findings.extend(refused.into_iter().chain(judged).flatten());
    let package = package.clone();
    findings.extend(tokio::task::spawn_blocking(move || line_ends(&package)).await.unwrap_or_default());
    findings
}

/// The outputs that are shown with samples, which the output validator must accept by the format 2025-09: the `.out`, or
/// the answer where nothing else is shown.
fn shown_outputs(package: &JudgePackage) -> Vec<Example> {
    if package.package.format.is_legacy() {
        return Vec::new();
    }
    let samples = package.package.testcases.iter().filter(|testcase| testcase.is_sample);
    let is_output = |shown: &str| [".ans", ".out"].iter().any(|end| shown.ends_with(end));
    let example = |sample: &Testcase| Example {
        kind: ExampleKind::ValidOutput,
        path: format!("data/{}", sample.name),
        input_path: sample.input_path.clone(),
        output: Some((sample.answer_path.clone(), sample.shown_answer_path.clone())),
        input_validator_arguments: sample.input_validator_arguments.clone(),
        arguments: sample.arguments.clone(),
        files: sample.files.clone(),
        validator_flags: sample.validator_flags.clone(),
    };
    samples.filter(|sample| is_output(&sample.shown_answer_path)).map(example).collect()
}

/// Data whose lines do not end as the format has it, the first file by name and the others by number.
fn line_ends(package: &JudgePackage) -> Vec<Finding> {
    let (mut returns, mut open_ends) = (Vec::new(), Vec::new());
    let mut look = |path: &str, bytes: &[u8]| {
        if bytes.contains(&b'\r') {
            returns.push(path.to_owned());
        }
        if bytes.last().is_some_and(|last| *last != b'\n') {
            open_ends.push(path.to_owned());
        }
    };
    for (testcase, stated) in package.testcases.iter().zip(&package.package.testcases) {
        // What cannot be read is told where it is needed.
        let Ok(data) = testcase.data() else { continue };
        if let Ok(input) = data.input.read_all() {
            look(&stated.input_path, &input);
        }
        look(&stated.answer_path, &data.answer);
    }
    let told = [(returns, "has carriage returns"), (open_ends, "does not end with a newline")];
    let told = told.into_iter().filter_map(|(paths, what)| {
        let first = paths.first()?;
        let others = match paths.len() - 1 {
            0 => String::new(),
            count => format!("; {count} more like this"),
        };
        Some(Finding::warning(Some(first), format!("{what}{others}")))
    });
    told.collect()
}

fn checker(package: &JudgePackage, validator: &InputValidator) -> Result<Checker, String> {
    if validator.kind == InputValidatorKind::Program {
        let sources = std::slice::from_ref(&validator.source);
        return Ok(Checker::Program(Validators::new(&package.root, sources, &package.package)));
    }
    let path = package.root.join(&validator.source.path);
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    if size > DESCRIPTION_BYTES_MAX {
        return Err(format!("is too long for checktestdata: {size} bytes, at most {DESCRIPTION_BYTES_MAX}"));
    }
    let bytes = std::fs::read(&path).map_err(|error| format!("could not be read: {error}"))?;
    let bytes = package.package.constants.put_into(bytes);
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    let program = Program::parse(&text).map_err(|error| format!("is not checktestdata: {error}"))?;
    Ok(Checker::Description(program))
}

/// Reads what a validator is asked about.
type DataOf = Box<dyn FnOnce() -> Result<Arc<TestcaseData>, JudgePackageError> + Send>;

/// Asks one validator about all inputs that are to be right.
async fn all_by(
    package: &Arc<JudgePackage>,
    bench: &Bench,
    validator: &InputValidator,
    checker: &Arc<Checker>,
) -> Vec<Finding> {
    let testcases = package.testcases.iter().zip(&package.package.testcases);
    let testcases = testcases.map(|(testcase, stated)| {
        let (package, index) = (package.clone(), testcase.index as usize - 1);
        let data: DataOf = Box::new(move || package.testcases[index].data());
        (stated.input_path.as_str(), &stated.input_validator_arguments, &stated.arguments, data)
    });
    // An example of an output has an input that is right.
    let examples = package.package.examples.iter().filter(|example| example.output.is_some());
    let examples = examples.map(|example| {
        let (package, path) = (package.clone(), example.clone());
        let data: DataOf = Box::new(move || example_data(&package.root, &path));
        (example.input_path.as_str(), &example.input_validator_arguments, &example.arguments, data)
    });
    let asked = testcases.chain(examples).map(|(path, by_name, arguments, data)| async move {
        let arguments = by_name.of(validator.name()).iter().chain(arguments).cloned().collect();
        (path, ask(bench, checker, arguments, data).await)
    });
    let answers = futures::future::join_all(asked).await;
    let asked = answers.len();
    let mut refused = Vec::new();
    let mut failed = None;
    for (input, answer) in answers {
        match answer {
            Answer::Accepted => {}
            Answer::Refused(why) => refused.push((input, why)),
            Answer::Failed(why) => {
                failed.get_or_insert(why);
            }
        }
    }
    let by = &validator.source.path;
    if asked > 0 && refused.len() == asked && refused.iter().all(|(_, why)| why.starts_with(NOT_TOLD)) {
        let what = format!("exits with code 0 for all {asked} inputs, and says by 42 that it accepts one");
        return vec![Finding::error(Some(by), what)];
    }
    let mut findings: Vec<Finding> = refused
        .iter()
        .take(NAMED_MAX)
        .map(|(input, why)| Finding::error(Some(input), format!("is refused by {by}: {why}")))
        .collect();
    if refused.len() > NAMED_MAX {
        let what = format!("refuses {} of {asked} inputs", refused.len());
        findings.push(Finding::error(Some(by), what));
    }
    if let Some(why) = failed {
        findings.push(Finding::error(Some(by), format!("does not check the inputs: {why}")));
    }
    findings
}

/// Asks a validator about an input.
async fn ask(
    bench: &Bench,
    checker: &Arc<Checker>,
    arguments: Vec<String>,
    data: impl FnOnce() -> Result<Arc<TestcaseData>, JudgePackageError> + Send + 'static,
) -> Answer {
    let failed = |error: &JudgePackageError| match error {
        JudgePackageError::Validator(error) if !error.said().is_empty() => {
            let said = error.said().lines().find(|line| line.contains("error")).unwrap_or(error.said());
            Answer::Failed(format!("{}: {}", chain(error), said.trim()))
        }
        error => Answer::Failed(chain(error)),
    };
    let Some(slot) = bench.pool.slot().await else { return Answer::Failed("there is no slot".to_owned()) };
    let checker = checker.clone();
    let answered = slot.call(move |confined| {
        let data = data()?;
        match &*checker {
            Checker::Program(validators) => {
                let refused = validators.refuse_input(confined, &data, &arguments)?;
                Ok::<_, JudgePackageError>(refused.map_or(Answer::Accepted, Answer::Refused))
            }
            Checker::Description(program) => {
                let input = data.input.read_all()?;
                Ok(match program.check(&input) {
                    Ok(()) => Answer::Accepted,
                    Err(CheckError::Rejected(rejection)) => Answer::Refused(rejection.to_string()),
                    Err(error) => Answer::Failed(error.to_string()),
                })
            }
        }
    });
    match answered.await {
        Ok(answer) => answer,
        Err(error) => failed(&error),
    }
}

/// Whether at least one validator refuses an input that none may accept.
async fn is_refused(
    package: &Arc<JudgePackage>,
    bench: &Bench,
    checkers: &[(&InputValidator, Arc<Checker>)],
    example: &Example,
) -> Option<Finding> {
    let mut failed = None;
    for (validator, checker) in checkers {
        let arguments = example.input_validator_arguments.of(validator.name()).iter();
        let arguments = arguments.chain(&example.arguments).cloned().collect();
        let (package, example) = (package.clone(), example.clone());
        match ask(bench, checker, arguments, move || example_data(&package.root, &example)).await {
            Answer::Refused(_) => return None,
            Answer::Accepted => {}
            Answer::Failed(why) => failed = Some(why),
        }
    }
    let path = Some(example.input_path.as_str());
    match failed {
        Some(why) => {
            Some(Finding::warning(path, format!("no input validator refuses it, and one failed: {why}")))
        }
        None => Some(Finding::error(path, "is accepted by all input validators, and must not be".to_owned())),
    }
}

fn example_data(root: &Path, example: &Example) -> Result<Arc<TestcaseData>, JudgePackageError> {
    let read = |path: &str| {
        let path = root.join(path);
        std::fs::read(&path).map_err(|source| JudgePackageError::Io { operation: "read", path, source })
    };
    let answer = example.output.as_ref().map(|(answer, _)| read(answer)).transpose()?.unwrap_or_default();
    let file = |file: &CaseFile| Ok(ProgramFile::new(&file.name, &read(&file.path)?, false)?);
    let files = example.files.iter().map(file).collect::<Result<_, JudgePackageError>>()?;
    let input = Input::new("input", &read(&example.input_path)?)?;
    Ok(Arc::new(TestcaseData::new(input, answer, files)))
}

/// Asks the output validator about an example of an output. Where it talks to submissions, or hands on what they read, one
/// output says nothing.
async fn output(package: &Arc<JudgePackage>, bench: &Bench, example: &Example) -> Option<Finding> {
    let (_, output) = example.output.as_ref()?;
    let is_dialogue = |validation: &Validation| {
        matches!(
            validation,
            Validation::Custom { interactive: true, .. } | Validation::Custom { multi_pass: true, .. }
        )
    };
    if is_dialogue(&package.package.validation) {
        return None;
    }
    let path = Some(output.as_str());
    let slot = bench.pool.slot().await?;
    let (judged, example_of) = (package.clone(), example.clone());
    let output_path = package.root.join(output);
    let accepted = slot.call(move |confined| {
        let data = example_data(&judged.root, &example_of)?;
        let io = |source| JudgePackageError::Io { operation: "read", path: output_path.clone(), source };
        let output = std::fs::read(&output_path).map_err(io)?;
        let validator_flags = &example_of.validator_flags;
        match (&judged.package.validation, &judged.validators) {
            (Validation::Custom { .. }, Some(validators)) => {
                let output = ProgramFile::new("output", &output, false)?.content;
                // There is no submission.
                let among = validators.see_submissions().then_some(&[][..]);
                let pass = Pass::first(&data, validator_flags, among)?;
                Ok::<_, JudgePackageError>(validators.validate(confined, &pass, &output)?.accepted)
            }
            _ => {
                let flags = Flags::parse(validator_flags).map_err(|source| JudgePackageError::Flags {
                    testcase: example_of.path.clone(),
                    source,
                })?;
                Ok(default_validator::compare(&data.answer, &output, &flags) == Comparison::Accepted)
            }
        }
    });
    let must_accept = example.kind == ExampleKind::ValidOutput;
    match accepted.await {
        Ok(accepted) if accepted == must_accept => None,
        Ok(true) => {
            Some(Finding::error(path, "is accepted by the output validator, and must not be".to_owned()))
        }
        Ok(false) => {
            Some(Finding::error(path, "is refused by the output validator, and must be accepted".to_owned()))
        }
        Err(error) => Some(Finding::warning(path, format!("could not be checked: {}", chain(&error)))),
    }
}
