//! The output validators that a package brings: built once per package, run on each output in a confinement of their own.
//!
//! They are the jury's programs and no less guests for that. One that crashes, hangs, floods or ends with any exit code
//! but 42 and 43 is our fault, never a verdict.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::event::CompileOutcome;
use crate::domain::scoring::ScoreFiles;
use crate::domain::testlib_checkers::{Checked, Checker};
use crate::domain::verdict::{Exit, Stop};
use crate::languages::sources::{self, SourceFile, SourcesError};
use crate::languages::{LanguageError, Languages};
use crate::problems::{Constants, Package, Validation, ValidatorSource};

use super::compile;
use super::launch::{
    self, Command, Confined, Input, LaunchError, LaunchLimits, Leaves, LeftOut, Output, ProgramFile, Ran,
    Speaker, TalkingTool, Tool, ToolInput,
};
use super::offers;
use super::packages::TestcaseData;
use super::run;
use super::scripts::{self, ScriptError};

/// Exit codes by which a validator speaks.
const ACCEPTED: u8 = 42;
const WRONG: u8 = 43;
/// Where it may leave messages. It gets the name with a slash behind it. No file of a submission begins with a point.
const FEEDBACK: &str = ".feedback";
const JUDGE_MESSAGE: &str = ".feedback/judgemessage.txt";
const TEAM_MESSAGE: &str = ".feedback/teammessage.txt";
/// Where its own files lie where it runs among those of a submission.
const PROGRAM: &str = ".validator";
/// The input of another pass, where it asks for one.
const NEXT_PASS: &str = ".feedback/nextpass.in";
/// What the testcase's files are called for it: by extensions, which some validators look at.
const INPUT: &str = "testcase.in";
const ANSWER: &str = "testcase.ans";
/// Where they lie where it runs among the files of a submission.
const TESTCASE: &str = ".testcase";
/// How much of a message is read, in bytes.
const MESSAGE_BYTES_MAX: u64 = 64 << 10;
const SCORE: &str = ".feedback/score.txt";
const SCORE_MULTIPLIER: &str = ".feedback/score_multiplier.txt";
/// How much of a score is read, in bytes; a number with white space around it takes far less.
const SCORE_BYTES_MAX: u64 = 4 << 10;
/// How many files it may leave there. What the format knows of are a dozen.
const FEEDBACK_FILES_MAX: u32 = 100;
/// How much of what an input validator says is told.
const SAID_CHARS_MAX: usize = 200;
/// How much of a validator's standard output is searched for words, in bytes.
const WORDS_BYTES_MAX: u64 = 4 << 10;
/// Processes and threads of a validator at one time.
const PROCESSES: u32 = 32;

/// Why an output could not be validated: the package's fault or ours, never the contestant's.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// Its files are no program.
    #[error("the program {validator} of the package is none")]
    NoProgram {
        /// Its path in the package.
        validator: String,
        /// Why not.
        #[source]
        source: SourcesError,
    },
    /// It does not compile. What the compiler said quotes its source, so that is not part of the message.
    #[error("the program {validator} of the package does not compile")]
    DoesNotCompile {
        /// Its path in the package.
        validator: String,
        /// What the compiler said.
        diagnostics: String,
    },
    /// Its build or run script is not one that can be used.
    #[error("the program {validator} of the package cannot be built")]
    Script {
        /// Its path in the package.
        validator: String,
        /// What is wrong with it.
        #[source]
        source: ScriptError,
    },
    /// It did something else than to accept or refuse. What it said of that may quote a secret testcase, so that is not
    /// part of the message.
    #[error("the program {validator} of the package {what}")]
    Fault {
        /// Its path in the package.
        validator: String,
        /// What it did.
        what: String,
        /// The last line of its standard error; may be empty.
        said: String,
    },
    /// One of its files could not be read.
    #[error("`{path}` could not be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The languages of this build are broken.
    #[error(transparent)]
    Languages(#[from] LanguageError),
    /// It could not be run.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

impl ValidatorError {
    /// What the program or its compiler said, for the package's owners only.
    pub fn said(&self) -> &str {
        match self {
            Self::DoesNotCompile { diagnostics, .. } => diagnostics.trim(),
            Self::Fault { said, .. } => said,
            Self::Script { source, .. } => source.said(),
            Self::NoProgram { .. } | Self::Read { .. } | Self::Languages(_) | Self::Launch(_) => "",
        }
    }

    /// The program's path in the package, where one is at fault.
    pub fn validator(&self) -> Option<&str> {
        match self {
            Self::NoProgram { validator, .. }
            | Self::DoesNotCompile { validator, .. }
            | Self::Script { validator, .. }
            | Self::Fault { validator, .. } => Some(validator),
            Self::Read { .. } | Self::Languages(_) | Self::Launch(_) => None,
        }
    }

    /// Whether the program could not be built, whatever it was to judge.
    pub fn is_of_build(&self) -> bool {
        match self {
            Self::DoesNotCompile { .. } => true,
            Self::Script { source, .. } => source.is_final(),
            _ => false,
        }
    }

    /// Whether another try can help: not where the package itself is at fault.
    pub fn is_final(&self) -> bool {
        match self {
            Self::NoProgram { .. }
            | Self::DoesNotCompile { .. }
            | Self::Fault { .. }
            | Self::Languages(_) => true,
            Self::Script { source, .. } => source.is_final(),
            Self::Read { .. } | Self::Launch(_) => false,
        }
    }
}

/// What the validators said of one output.
#[derive(Debug)]
pub struct Validated {
    /// Whether all of them accepted it.
    pub accepted: bool,
    /// What the one that decided left.
    pub feedback: Feedback,
}

/// The feedback directory as a validator left it.
#[derive(Debug, Default)]
pub struct Feedback {
    files: Vec<ProgramFile>,
    /// What else lay there and could not be taken, in words.
    left_out: Vec<String>,
    /// Who refused, where that could have been another.
    refused_by: Option<String>,
}

impl Feedback {
    /// What is left by a validator that has only this to say to the jury.
    fn of_message(message: &str) -> Result<Self, LaunchError> {
        let message = ProgramFile::new(JUDGE_MESSAGE, message.as_bytes(), false)?;
        Ok(Self { files: vec![message], ..Self::default() })
    }

    fn of(tool: Tool) -> Self {
        let left_out = tool.refused.into_iter().map(|left| left.what).collect();
        Self { files: tool.files, left_out, refused_by: None }
    }

    /// What a validator said to the jury and to the team; may be empty. Names the one that refused, where there are
    /// several, and what could not be taken.
    pub fn message(&self) -> Result<String, LaunchError> {
        let said = |name| {
            let message = self.read(name, MESSAGE_BYTES_MAX)?.unwrap_or_default();
            Ok::<_, LaunchError>(String::from_utf8_lossy(&message).trim_end().to_owned())
        };
        let mut lines = vec![said(JUDGE_MESSAGE)?];
        let to_team = said(TEAM_MESSAGE)?;
        if !to_team.is_empty() {
            lines.push(format!("[to the team: {to_team}]"));
        }
        if !self.left_out.is_empty() {
            lines.push(format!("[left out: {}]", self.left_out.join(", ")));
        }
        lines.retain(|line| !line.is_empty());
        let message = lines.join("\n");
        Ok(match &self.refused_by {
            None => message,
            Some(validator) if message.is_empty() => format!("{validator} refused it"),
            Some(validator) => format!("{validator}: {message}"),
        })
    }

    /// Whether the validator wants the submission to run again.
    pub fn asks_for_another_pass(&self) -> bool {
        self.files.iter().any(|file| file.name == NEXT_PASS)
    }

    /// The scores that a validator gave.
    pub fn scores(&self) -> Result<ScoreFiles, LaunchError> {
        let read = |name| self.read(name, SCORE_BYTES_MAX);
        Ok(ScoreFiles { score: read(SCORE)?, multiplier: read(SCORE_MULTIPLIER)? })
    }

    fn read(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, LaunchError> {
        let file = self.files.iter().find(|file| file.name == name);
        let unreadable = |source| LaunchError::Memory { name: name.to_owned(), source };
        file.map(|file| file.content.read_first(bytes_max).map_err(unreadable)).transpose()
    }
}

/// One run of a submission on a testcase. There are several where a validator asks for more.
#[derive(Debug)]
pub struct Pass<'a> {
    /// From 1.
    pub number: u64,
    /// The testcase.
    testcase: &'a TestcaseData,
    /// The arguments of the validator on it.
    arguments: &'a [String],
    /// The files of the submission among which the validator runs, if it does.
    submission: Option<&'a [ProgramFile]>,
    /// What the submission reads, unless it talks to the validator; and what the validator is told that it read.
    pub input: Input,
    /// What the validator left in the pass before.
    feedback: Feedback,
}

impl<'a> Pass<'a> {
    /// The first pass on a testcase, for which the validator has these `arguments`. `submission` are the files among which
    /// it runs; none where it runs among its own.
    pub fn first(
        testcase: &'a TestcaseData,
        arguments: &'a [String],
        submission: Option<&'a [ProgramFile]>,
    ) -> Result<Self, LaunchError> {
        let (input, feedback) = (testcase.input.share()?, Feedback::default());
        Ok(Self { number: 1, testcase, arguments, submission, input, feedback })
    }
}

/// What came of a submission that talked to a validator.
#[derive(Debug)]
pub struct Talked {
    /// The submission's run.
    pub ran: Ran,
    /// Whether the validator accepted; none where the submission kept it from saying anything.
    pub says: Option<bool>,
    /// Whether the validator's end was seen before the submission's.
    pub validator_ended_first: bool,
    /// What the validator left.
    pub feedback: Feedback,
}

/// The validators of a package.
#[derive(Debug)]
pub struct Validators {
    root: PathBuf,
    sources: Vec<ValidatorSource>,
    constants: Constants,
    limits: LaunchLimits,
    is_interactive: bool,
    /// Whether they run among the files of the submission, as 2025-09 has it.
    see_submissions: bool,
    /// Files of the feedback directory on which the verdict or the score depends.
    decisive: Vec<&'static str>,
    /// How often a submission is run on a testcase at most, where it may be run more than once.
    passes_max: Option<u64>,
    /// Of their build scripts.
    compiling: LaunchLimits,
    /// Built by whichever slot needs them first; the others wait.
    built: Mutex<Option<Arc<Vec<Program>>>>,
}

/// A validator that is built.
#[derive(Debug)]
struct Program {
    path: String,
    files: Vec<ProgramFile>,
    command: Command,
    limits: LaunchLimits,
    /// Files of the feedback directory on which the verdict or the score depends.
    decisive: Vec<&'static str>,
    /// What it says without being run.
    standard_checker: Option<Checker>,
}

impl Validators {
    /// The validators `sources` of the package at `root`. In a multi-pass problem they may ask for further runs of a
    /// submission on a testcase.
    pub fn new(root: &Path, sources: &[ValidatorSource], package: &Package) -> Self {
        let constants = package.constants.clone();
        let is_interactive = matches!(package.validation, Validation::Custom { interactive: true, .. });
        let is_multi_pass = matches!(package.validation, Validation::Custom { multi_pass: true, .. });
        let see_submissions = !package.format.is_legacy();
        let scores: &[_] = if package.grading.scoring { &[SCORE, SCORE_MULTIPLIER] } else { &[] };
        let decisive = is_multi_pass.then_some(NEXT_PASS).into_iter().chain(scores.iter().copied()).collect();
        let package = &package.limits;
        let passes_max = is_multi_pass.then_some(package.validation_passes);
        let (wall_ms, idle_ms) = launch::clock_limits(package.validation_time_limit_ms);
        let limits = LaunchLimits {
            cpu_ms: package.validation_time_limit_ms,
            wall_ms: Some(wall_ms),
            idle_ms: Some(idle_ms),
            memory_bytes: package.validation_memory_bytes,
            output_bytes: package.validation_output_bytes,
            processes: PROCESSES,
        };
        let compiling = LaunchLimits {
            cpu_ms: package.compilation_time_limit_ms,
            wall_ms: Some(launch::clock_limits(package.compilation_time_limit_ms).0),
            idle_ms: None,
            memory_bytes: package.compilation_memory_bytes,
            output_bytes: scripts::OUTPUT_BYTES_MAX,
            processes: scripts::PROCESSES,
        };
        Self {
            root: root.to_owned(),
            sources: sources.to_owned(),
            constants,
            limits,
            is_interactive,
            see_submissions,
            decisive,
            passes_max,
            compiling,
            built: Mutex::new(None),
        }
    }

    /// Whether they run among the files of the submission that they judge, and not among their own.
    pub fn see_submissions(&self) -> bool {
        self.see_submissions
    }

    /// Whether a submission may be run more than once on a testcase.
    pub fn are_multi_pass(&self) -> bool {
        self.passes_max.is_some()
    }

    /// The pass after `pass`, of which the validator has left `feedback`; none where it asks for none.
    pub fn next<'a>(
        &self,
        pass: &Pass<'a>,
        accepted: bool,
        mut feedback: Feedback,
    ) -> Result<Option<Pass<'a>>, ValidatorError> {
        let asked = feedback.files.iter().position(|file| file.name == NEXT_PASS);
        let Some((asked, passes_max)) = asked.zip(self.passes_max) else {
            return Ok(None);
        };
        let what = if !accepted {
            "refused and yet asked for another pass".to_owned()
        } else if pass.number >= passes_max {
            format!("asked for more than {passes_max} passes")
        } else {
            let input = Input::from(feedback.files.remove(asked));
            return Ok(Some(Pass { number: pass.number + 1, input, feedback, ..*pass }));
        };
        let validator = self.sources.first().map_or_else(String::new, |source| source.path.clone());
        Err(ValidatorError::Fault { validator, what, said: String::new() })
    }

    /// Builds all of them, unless they are.
    pub fn prepare(&self, slot: &mut Confined<'_>) -> Result<(), ValidatorError> {
        self.build(slot).map(|_| ())
    }

    /// Asks every validator, until one refuses.
    pub fn validate(
        &self,
        slot: &mut Confined<'_>,
        pass: &Pass<'_>,
        output: &Output,
    ) -> Result<Validated, ValidatorError> {
        let programs = self.build(slot)?;
        let mut validated = Validated { accepted: true, feedback: Feedback::default() };
        for program in programs.iter() {
            validated = match program.standard_checker {
                Some(checker) => program.check(checker, pass, output)?,
                None => {
                    let (command, files) = program.prepare(pass)?;
                    let tool =
                        slot.run_tool(&command, &program.given(&files, Some(output)), program.limits)?;
                    let accepted = program.accepts(&tool)?;
                    Validated { accepted, feedback: Feedback::of(tool) }
                }
            };
            if !validated.accepted {
                validated.feedback.refused_by = (programs.len() > 1).then(|| program.path.clone());
                break;
            }
        }
        Ok(validated)
    }

    /// Asks the first validator about an input alone, as input validators are: none where it accepts, else why it refuses.
    pub fn refuse_input(
        &self,
        slot: &mut Confined<'_>,
        testcase: &TestcaseData,
        arguments: &[String],
    ) -> Result<Option<String>, ValidatorError> {
        let programs = self.build(slot)?;
        let Some(program) = programs.first() else {
            let validator = "input_validators".to_owned();
            return Err(ValidatorError::NoProgram { validator, source: SourcesError::NoFiles });
        };
        let beside = program.files.iter().chain(&testcase.files);
        let files = beside.map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
        let mut command = program.command.clone();
        command.argv.extend(arguments.iter().cloned());
        let input = ToolInput {
            files: &files,
            directories: &[],
            stdin: Some(testcase.input.as_output()),
            leaves: None,
        };
        let tool = slot.run_tool(&command, &input, program.limits)?;
        match program.accepts(&tool) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(why_refused(&tool))),
            // Whatever it did, the input is not accepted; what it said is for the package's owners, who ask.
            Err(ValidatorError::Fault { what, said, .. }) => {
                let what = what.replace(" instead of 42 or 43", "");
                let said = if said.is_empty() { first_words(&tool) } else { Some(said) };
                Ok(Some(said.map_or(what.clone(), |said| format!("{what}: {said}"))))
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the first validator about the files of a submission, as static validators are: `program` is the code of its
    /// language and where it begins.
    pub(super) fn judge_sources(
        &self,
        slot: &mut Confined<'_>,
        submission: &[ProgramFile],
        program: [&str; 2],
        arguments: &[String],
    ) -> Result<Validated, ValidatorError> {
        let programs = self.build(slot)?;
        let Some(validator) = programs.first() else {
            let validator = "static_validator".to_owned();
            return Err(ValidatorError::NoProgram { validator, source: SourcesError::NoFiles });
        };
        let (mut command, files) = validator.among(submission)?;
        command.argv.extend(program.map(str::to_owned));
        command.argv.push(format!("{FEEDBACK}/"));
        command.argv.extend(arguments.iter().cloned());
        let tool = slot.run_tool(&command, &validator.given(&files, None), validator.limits)?;
        let accepted = validator.accepts(&tool)?;
        Ok(Validated { accepted, feedback: Feedback::of(tool) })
    }

    /// Lets a submission talk to the first validator, which runs in `beside`.
    pub fn talk(
        &self,
        slot: &mut Confined<'_>,
        beside: &mut Confined<'_>,
        pass: &Pass<'_>,
        submission: &Speaker<'_>,
        idle_ms: u64,
    ) -> Result<Talked, ValidatorError> {
        let programs = self.build(beside)?;
        let Some(program) = programs.first() else {
            let validator = "output_validators".to_owned();
            return Err(ValidatorError::NoProgram { validator, source: SourcesError::NoFiles });
        };
        let (command, files) = program.prepare(pass)?;
        // The submission's time counts on the validator's clock too, and idle is only when neither does anything.
        let wall_ms = program.limits.wall_ms.zip(submission.limits.wall_ms).map(|(own, other)| own + other);
        let limits = LaunchLimits { wall_ms, idle_ms: None, ..program.limits };
        let input = program.given(&files, None);
        let tool = TalkingTool { command: &command, input, limits, is_content: ACCEPTED.into() };
        let talk = slot.talk(submission, beside, &tool, idle_ms)?;
        let says = match program.accepts(&talk.tool) {
            // Each waited for the other, and whose turn it was cannot be known: the validator is the one that is trusted.
            Err(_) if talk.stalled && !talk.tool_slept && talk.ran.observation.stop == Stop::Wall => None,
            says => Some(says?),
        };
        let feedback = Feedback::of(talk.tool);
        Ok(Talked { ran: talk.ran, says, validator_ended_first: talk.tool_ended_first, feedback })
    }

    /// Runs the only program with these arguments, for what is no output validator and yet built and confined as one.
    pub(super) fn run_only(
        &self,
        slot: &mut Confined<'_>,
        arguments: &[String],
        more_files: Vec<ProgramFile>,
        stdin: Option<&Output>,
    ) -> Result<Tool, ValidatorError> {
        let programs = self.build(slot)?;
        let Some(program) = programs.first() else {
            let validator = "graders".to_owned();
            return Err(ValidatorError::NoProgram { validator, source: SourcesError::NoFiles });
        };
        let mut files = program.files.iter().map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
        files.extend(more_files);
        let mut command = program.command.clone();
        command.argv.extend(arguments.iter().cloned());
        Ok(slot.run_tool(&command, &program.given(&files, stdin), program.limits)?)
    }

    fn build(&self, slot: &mut Confined<'_>) -> Result<Arc<Vec<Program>>, ValidatorError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(programs) = &*built {
            return Ok(programs.clone());
        }
        let languages = Languages::embedded()?.for_tools();
        let programs = self.sources.iter().map(|source| self.build_one(slot, source, &languages));
        let programs = Arc::new(programs.collect::<Result<Vec<_>, _>>()?);
        *built = Some(programs.clone());
        Ok(programs)
    }

    fn build_one(
        &self,
        slot: &mut Confined<'_>,
        source: &ValidatorSource,
        languages: &Languages,
    ) -> Result<Program, ValidatorError> {
        let validator = || source.path.clone();
        if source.standard_checker.is_some() && !self.is_interactive {
            let (files, command, limits) = (Vec::new(), Command::default(), self.limits);
            let (decisive, standard_checker) = (Vec::new(), source.standard_checker);
            return Ok(Program {
                path: source.path.clone(),
                files,
                command,
                limits,
                decisive,
                standard_checker,
            });
        }
        if scripts::is_scripted(&source.path, &source.files) {
            let error = |error| match error {
                ScriptError::Launch(error) => ValidatorError::Launch(error),
                source => ValidatorError::Script { validator: validator(), source },
            };
            let built = scripts::build(slot, languages, &self.root, &self.constants, source, &self.compiling);
            let scripts::Built { files, command } = built.map_err(error)?;
            let (path, limits, decisive) = (source.path.clone(), self.limits, self.decisive.clone());
            return Ok(Program { path, files, command, limits, decisive, standard_checker: None });
        }
        // A single file, perhaps with headers beside it, or a directory.
        let folder = if source.files.contains(&source.path) {
            source.path.rsplit_once('/').map_or("", |(folder, _)| folder)
        } else {
            source.path.as_str()
        };
        let mut files = Vec::new();
        for file in &source.files {
            let path = self.root.join(file);
            let bytes = std::fs::read(&path)
                .map_err(|error| ValidatorError::Read { path: path.clone(), source: error })?;
            let name = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
            files.push(SourceFile::new(name, self.constants.put_into(bytes)));
        }
        let no_program = |source| ValidatorError::NoProgram { validator: validator(), source };
        let taken_for = sources::language_of(&files, None, languages).map_err(no_program)?;
        let mut others = languages.instead_of(taken_for);
        others.retain(|other| offers::is_installed(other));
        let mut diagnostics = None;
        let mut compiled = None;
        // Programs of packages are older and newer than any compiler.
        for language in std::iter::once(taken_for).chain(others) {
            let sources = sources::arrange(language, files.clone(), Vec::new(), None).map_err(no_program)?;
            let made = compile::compile(slot, language, &sources)?;
            if made.outcome == CompileOutcome::Succeeded {
                compiled = Some((language, made.program));
                break;
            }
            diagnostics.get_or_insert(made.diagnostics);
        }
        let Some((language, program)) = compiled else {
            let diagnostics = diagnostics.unwrap_or_default();
            return Err(ValidatorError::DoesNotCompile { validator: validator(), diagnostics });
        };
        let limits = LaunchLimits {
            memory_bytes: self.limits.memory_bytes + language.run.memory_bytes_overhead,
            processes: self.limits.processes.max(language.run.processes_limit),
            ..self.limits
        };
        let command = run::run_command(language, &program, self.limits.memory_bytes);
        let (path, files, decisive) = (source.path.clone(), program, self.decisive.clone());
        Ok(Program { path, files, command, limits, decisive, standard_checker: None })
    }
}

impl Program {
    /// Its command and its files for one pass on one testcase.
    fn prepare(&self, pass: &Pass<'_>) -> Result<(Command, Vec<ProgramFile>), LaunchError> {
        let (mut command, mut files, folder) = match pass.submission {
            Some(submission) => {
                let (command, files) = self.among(submission)?;
                (command, files, format!("{TESTCASE}/"))
            }
            None => {
                let own = self.files.iter().map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
                (self.command.clone(), own, String::new())
            }
        };
        for left in &pass.feedback.files {
            files.push(left.share()?);
        }
        let (input, answer) = (format!("{folder}{INPUT}"), format!("{folder}{ANSWER}"));
        files.push(pass.input.as_file(&input)?);
        files.push(pass.testcase.answer_file()?.as_file(&answer)?);
        command.argv.extend([input, answer]);
        command.argv.push(format!("{FEEDBACK}/"));
        command.argv.extend(pass.arguments.iter().cloned());
        Ok((command, files))
    }

    /// Its command and its files among those of a submission: its own lie in a directory that no submission can have.
    fn among(&self, submission: &[ProgramFile]) -> Result<(Command, Vec<ProgramFile>), LaunchError> {
        let mut command = self.command.clone();
        let mut files = Vec::with_capacity(self.files.len() + submission.len());
        for own in &self.files {
            let moved = ProgramFile { name: format!("{PROGRAM}/{}", own.name), ..own.share()? };
            for word in &mut command.argv {
                if word.strip_prefix("./").unwrap_or(word) == own.name {
                    *word = format!("./{}", moved.name);
                }
            }
            files.push(moved);
        }
        for file in submission.iter().filter(|file| !file.name.starts_with('.')) {
            files.push(file.share()?);
        }
        Ok((command, files))
    }

    /// What a standard checker says. It reads nothing that could be too much for it, so it needs no confinement.
    fn check(&self, checker: Checker, pass: &Pass<'_>, output: &Output) -> Result<Validated, ValidatorError> {
        let unreadable = |source| LaunchError::Memory { name: "output".to_owned(), source };
        let bytes = output.read_all().map_err(unreadable)?;
        let (accepted, message) = match checker.check(&bytes, &pass.testcase.answer) {
            Checked::Ok(message) => (true, message),
            Checked::Wrong(message) => (false, message),
            Checked::Format(message) => (false, format!("wrong output format: {message}")),
            Checked::Fail(said) => {
                let what = format!("({}) finds the answer itself wrong", checker.name());
                return Err(ValidatorError::Fault { validator: self.path.clone(), what, said });
            }
        };
        Ok(Validated { accepted, feedback: Feedback::of_message(&message)? })
    }

    /// What it finds in its directory, and where it leaves what it has to say.
    fn given<'a>(&self, files: &'a [ProgramFile], output: Option<&'a Output>) -> ToolInput<'a> {
        let (files_max, bytes_max) = (FEEDBACK_FILES_MAX, self.limits.output_bytes);
        let leaves = Some(Leaves { directory: FEEDBACK, files_max, bytes_max });
        ToolInput { files, directories: &[FEEDBACK], stdin: output, leaves }
    }

    /// What could not be taken of its feedback directory and yet matters: the files that decide, or all of it where the
    /// validator is to find it again in the next pass. Odd files beside those are nobody's business.
    fn missing_of<'a>(&self, tool: &'a Tool) -> Vec<&'a str> {
        let goes_on =
            self.decisive.contains(&NEXT_PASS) && tool.files.iter().any(|file| file.name == NEXT_PASS);
        let matters = |left: &&LeftOut| {
            let decides = self.decisive.contains(&left.name.as_str());
            goes_on || decides || left.name == FEEDBACK && !self.decisive.is_empty()
        };
        tool.refused.iter().filter(matters).map(|left| left.what.as_str()).collect()
    }

    /// What its exit code says, if it is one of the two that say something.
    fn accepts(&self, tool: &Tool) -> Result<bool, ValidatorError> {
        let run = &tool.ran.observation;
        let missing = self.missing_of(tool);
        let what = match (run.stop, run.exit) {
            (Stop::None, Exit::Code(ACCEPTED | WRONG)) if !missing.is_empty() => {
                format!("left what is not allowed: {}", missing.join(", "))
            }
            (Stop::None, Exit::Code(ACCEPTED | WRONG))
                if tool.ran.stderr_bytes > self.limits.output_bytes =>
            {
                "wrote too much to standard error".to_owned()
            }
            (Stop::None, Exit::Code(ACCEPTED)) => return Ok(true),
            (Stop::None, Exit::Code(WRONG)) => return Ok(false),
            (Stop::None, Exit::Code(code)) => format!("exited with code {code} instead of 42 or 43"),
            (Stop::None, Exit::Signal(signal)) => format!("was ended by signal {signal}"),
            (Stop::Cpu, _) => format!("used {} ms of CPU time, which is too much", run.cpu_ms),
            (Stop::Wall, _) => format!("took {} ms, which is too long", run.wall_ms),
            (Stop::Memory, _) => format!("used {} bytes of memory, which is too much", run.memory_bytes),
            (Stop::Output, _) => "wrote too much".to_owned(),
            (Stop::Forbidden, _) => "made a forbidden system call".to_owned(),
        };
        let said = String::from_utf8_lossy(&tool.ran.stderr);
        let said = said.trim_end().lines().next_back().unwrap_or_default().to_owned();
        Err(ValidatorError::Fault { validator: self.path.clone(), what, said })
    }
}

/// Why an input validator refuses, in its own words.
fn why_refused(tool: &Tool) -> String {
    first_words(tool).unwrap_or_else(|| format!("exited with code {WRONG}"))
}

/// The first line that says something, of its standard error or else of its standard output.
fn first_words(tool: &Tool) -> Option<String> {
    let mut written = Vec::new();
    // What cannot be read says nothing.
    let _ = tool.ran.stdout.reader().take(WORDS_BYTES_MAX).read_to_end(&mut written);
    [&tool.ran.stderr, &written].into_iter().find_map(|bytes| {
        let said = String::from_utf8_lossy(bytes);
        let first = said.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(first.chars().take(SAID_CHARS_MAX).collect())
    })
}
