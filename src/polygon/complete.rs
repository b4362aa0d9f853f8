//! The tests of a package: copied where it has them, made in the sandbox where it was exported without.
//!
//! Generators, the interactor and the main solution are compiled once and run as the judge's tools are: confined, with
//! bounds of their own. What they write is data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::event::CompileOutcome;
use crate::domain::verdict::{Exit, Observation, Stop};
use crate::languages::sources::{self, SourceFile};
use crate::languages::{Language, Languages};
use crate::worker::launch::{
    Command, Confined, Input, LaunchError, LaunchLimits, Leaves, ProgramFile, Speaker, TalkingTool, Tool,
    ToolInput,
};
use crate::worker::{compile, run};

use super::problem::{Problem, Source, Test};
use super::target::{self, Plan, base_name, put, read};
use super::{ImportError, io, kinds};

/// What a generator may use. Polygon's own limits are 15 s and 512 MiB; hosts differ.
const GENERATOR: LaunchLimits = LaunchLimits {
    cpu_ms: 60_000,
    wall_ms: Some(180_000),
    idle_ms: None,
    memory_bytes: 2 << 30,
    output_bytes: 512 << 20,
    processes: 64,
};
/// How many files a generator leaves that makes several tests at once.
const FILES_MAX: u32 = 200;
/// How much longer than contestants' the main solution may run: this host is not Polygon's.
const SOLUTION_TIME_FACTOR: u64 = 5;
/// How long a main solution and an interactor may do nothing, in milliseconds.
const IDLE_MS: u64 = 20_000;

/// Whether all tests lie in the package.
pub(super) fn is_complete(from: &Path, problem: &Problem) -> bool {
    (1..=problem.tests.len()).all(|number| {
        [&problem.input_pattern, &problem.answer_pattern]
            .iter()
            .all(|pattern| from.join(pattern.of(number)).is_file())
    })
}

/// What was done to the tests.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// How many were made, their inputs or their answers.
    pub(super) made: usize,
    /// In how many line ends were CR LF and became LF.
    pub(super) unified: usize,
}

/// Copies all tests.
pub(super) fn copy(from: &Path, problem: &Problem, plan: &Plan, to: &Path) -> Result<Done, ImportError> {
    let from = from.canonicalize().map_err(io("found", from))?;
    let mut done = Done::default();
    for index in 0..problem.tests.len() {
        let input = Stored::read(&from, &problem.input_pattern.of(index + 1))?;
        let answer = Stored::read(&from, &problem.answer_pattern.of(index + 1))?;
        done.unified += usize::from(input.is_unified || answer.is_unified);
        place(problem, plan, index, &input.bytes, &answer.bytes, to)?;
    }
    Ok(done)
}

/// An input or an answer that lies in the package.
struct Stored {
    bytes: Vec<u8>,
    /// Whether its line ends were CR LF.
    is_unified: bool,
}

impl Stored {
    /// Packages made on Windows have the line ends of their host, and are meant to be judged on it. Where all are CR LF
    /// they become LF; a file with others is as its author wants it.
    fn read(from: &Path, path: &str) -> Result<Stored, ImportError> {
        let bytes = read(from, path)?;
        Ok(match unified(&bytes) {
            Some(bytes) => Stored { bytes, is_unified: true },
            None => Stored { bytes, is_unified: false },
        })
    }
}

/// The text with LF at the ends of its lines, where all have CR LF and there is no other CR.
fn unified(bytes: &[u8]) -> Option<Vec<u8>> {
    let count = |byte: u8| bytes.iter().filter(|found| **found == byte).count();
    let pairs = bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    let is_uniform = pairs > 0 && count(b'\r') == pairs && count(b'\n') == pairs;
    is_uniform.then(|| bytes.iter().copied().filter(|byte| *byte != b'\r').collect())
}

/// Makes what is missing.
pub(super) fn complete(
    slot: &mut Confined<'_>,
    from: &Path,
    problem: &Problem,
    plan: &Plan,
    to: &Path,
) -> Result<Done, ImportError> {
    let from = from.canonicalize().map_err(io("found", from))?;
    let languages = Languages::embedded()?.for_tools();
    let mut maker = Maker { from: &from, problem, languages: &languages, programs: BTreeMap::new() };
    let mut done = Done::default();
    for (index, test) in problem.tests.iter().enumerate() {
        let stored = |path: &str| from.join(path).is_file().then(|| Stored::read(&from, path)).transpose();
        let input = stored(&problem.input_pattern.of(index + 1))?;
        let answer = stored(&problem.answer_pattern.of(index + 1))?;
        done.made += usize::from(input.is_none() || answer.is_none());
        done.unified += usize::from([&input, &answer].into_iter().flatten().any(|stored| stored.is_unified));
        let input = match input {
            Some(stored) => stored.bytes,
            None => maker.input(slot, index, test)?,
        };
        let answer = match answer {
            Some(stored) => stored.bytes,
            None => maker.answer(slot, index, &input)?,
        };
        place(problem, plan, index, &input, &answer, to)?;
    }
    Ok(done)
}

/// Writes a test to all its places.
fn place(
    problem: &Problem,
    plan: &Plan,
    index: usize,
    input: &[u8],
    answer: &[u8],
    to: &Path,
) -> Result<(), ImportError> {
    for name in &plan.names[index] {
        let base = to.join("data").join(name);
        let with = |end: &str| PathBuf::from(format!("{}.{end}", base.display()));
        put(&with("in"), input)?;
        put(&with("ans"), answer)?;
        let yaml = target::test_yaml(problem, &problem.tests[index], name);
        if !yaml.is_empty() {
            put(&with("yaml"), yaml.as_bytes())?;
        }
    }
    Ok(())
}

/// A program of the package that is compiled.
struct Built {
    language: Language,
    files: Vec<ProgramFile>,
}

struct Maker<'a> {
    from: &'a Path,
    problem: &'a Problem,
    languages: &'a Languages,
    /// By the path of their source.
    programs: BTreeMap<String, Built>,
}

impl Maker<'_> {
    /// The input that a test's command makes.
    fn input(&mut self, slot: &mut Confined<'_>, index: usize, test: &Test) -> Result<Vec<u8>, ImportError> {
        let Some(command) = &test.command else {
            let what = "is not there, and no command makes it".to_owned();
            return Err(ImportError::File { file: self.problem.input_pattern.of(index + 1), what });
        };
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let named = |source: &&Source| {
            let base = base_name(&source.path);
            base.rsplit_once('.').map_or(base, |(stem, _)| stem) == name
        };
        let generator = self.problem.executables.iter().find(named).ok_or_else(|| {
            let what =
                format!("the command {command:?} needs the generator {name:?}, whose source is not named");
            ImportError::Xml { line: Some(test.line), what }
        })?;
        let arguments: Vec<String> = words.map(str::to_owned).collect();
        let program = self.program(slot, generator)?;
        let leaves = test.from_file.as_ref().map(|_| Leaves {
            directory: "",
            files_max: FILES_MAX,
            bytes_max: GENERATOR.output_bytes,
        });
        let tool = program.run(slot, &arguments, None, GENERATOR, leaves)?;
        ended_well(&tool, index, &format!("the generator {command:?}"))?;
        let Some(file) = &test.from_file else { return stdout(&tool) };
        let left = tool.files.iter().find(|left| left.name == *file).ok_or_else(|| ImportError::Test {
            test: index + 1,
            what: format!("the generator {command:?} left no file {file:?}"),
        })?;
        content(left)
    }

    /// What the main solution answers, or what the interactor writes of it.
    fn answer(
        &mut self,
        slot: &mut Confined<'_>,
        index: usize,
        input: &[u8],
    ) -> Result<Vec<u8>, ImportError> {
        let problem = self.problem;
        let main = problem.main_solution().ok_or_else(|| ImportError::Xml {
            line: None,
            what: "there is no main solution to make the answers with".to_owned(),
        })?;
        let limits = LaunchLimits {
            cpu_ms: problem.time_limit_ms * SOLUTION_TIME_FACTOR + 1000,
            wall_ms: Some(problem.time_limit_ms * SOLUTION_TIME_FACTOR * 3 + 10_000),
            memory_bytes: problem.memory_limit_bytes.max(256 << 20),
            ..GENERATOR
        };
        if let Some(interactor) = &problem.interactor {
            self.program(slot, main)?;
            self.program(slot, interactor)?;
            return self.talk(slot, index, input, main, interactor, limits);
        }
        let input = Input::new("input", input)?.as_file("input")?;
        let program = self.program(slot, main)?;
        let tool = program.run(slot, &[], Some(&input), limits, None)?;
        ended_well(&tool, index, "the main solution")?;
        stdout(&tool)
    }

    fn talk(
        &self,
        slot: &mut Confined<'_>,
        index: usize,
        input: &[u8],
        main: &Source,
        interactor: &Source,
        limits: LaunchLimits,
    ) -> Result<Vec<u8>, ImportError> {
        let built = |source: &Source| self.programs.get(&source.path).ok_or(LaunchError::SlotGone);
        let (main, interactor) = (built(main)?, built(interactor)?);
        let command = run::run_command(&main.language, &main.files, limits.memory_bytes);
        let limits = LaunchLimits {
            memory_bytes: limits.memory_bytes + main.language.run.memory_bytes_overhead,
            processes: main.language.run.processes_limit,
            ..limits
        };
        let speaker = Speaker { command: &command, files: &main.files, limits };
        let mut tool_command = interactor.command();
        // The answer is what is being made, so it is empty yet.
        tool_command.argv.extend(["input", "left/output", "answer"].map(str::to_owned));
        let mut files = interactor.files.iter().map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
        files.push(ProgramFile::new("input", input, false)?);
        files.push(ProgramFile::new("answer", b"", false)?);
        let leaves = Leaves { directory: "left", files_max: 1, bytes_max: GENERATOR.output_bytes };
        let given = ToolInput { files: &files, directories: &["left"], stdin: None, leaves: Some(leaves) };
        let (mut slot, companion) = slot.split();
        let mut beside = companion.ok_or(LaunchError::SlotGone)?;
        let tool = TalkingTool { command: &tool_command, input: given, limits: GENERATOR, is_content: 0 };
        let talked = slot.talk(&speaker, &mut beside, &tool, IDLE_MS)?;
        ended_well(&talked.tool, index, "the interactor")?;
        if let Some(what) = failure(&talked.ran.observation) {
            return Err(ImportError::Test { test: index + 1, what: format!("the main solution {what}") });
        }
        talked.tool.files.first().map_or_else(|| Ok(Vec::new()), content)
    }

    /// A program of the package, compiled at its first use.
    fn program(&mut self, slot: &mut Confined<'_>, source: &Source) -> Result<&Built, ImportError> {
        if !self.programs.contains_key(&source.path) {
            let built = self.build(slot, source)?;
            self.programs.insert(source.path.clone(), built);
        }
        self.programs.get(&source.path).ok_or_else(|| LaunchError::SlotGone.into())
    }

    fn build(&self, slot: &mut Confined<'_>, source: &Source) -> Result<Built, ImportError> {
        let wrong = |what: String| ImportError::File { file: source.path.clone(), what };
        let mut files = vec![SourceFile::new(base_name(&source.path), read(self.from, &source.path)?)];
        let stated = kinds::language_of(source).filter(|id| self.languages.get(id).is_some());
        let language =
            sources::language_of(&files, stated, self.languages).map_err(|error| wrong(error.to_string()))?;
        // One that is not there may not be needed; if it is, the compiler says so.
        for header in target::headers(self.problem).filter(|path| self.from.join(path).is_file()) {
            files.push(SourceFile::new(base_name(header), read(self.from, header)?));
        }
        let sources =
            sources::arrange(language, files, Vec::new(), None).map_err(|error| wrong(error.to_string()))?;
        let compiled = compile::compile(slot, language, &sources)?;
        if compiled.outcome != CompileOutcome::Succeeded {
            let first: Vec<&str> = compiled.diagnostics.lines().take(5).collect();
            return Err(wrong(format!("does not compile: {}", first.join("; "))));
        }
        Ok(Built { language: language.clone(), files: compiled.program })
    }
}

impl Built {
    fn command(&self) -> Command {
        run::run_command(&self.language, &self.files, GENERATOR.memory_bytes)
    }

    /// Runs it as a tool.
    fn run(
        &self,
        slot: &mut Confined<'_>,
        arguments: &[String],
        stdin: Option<&ProgramFile>,
        limits: LaunchLimits,
        leaves: Option<Leaves<'_>>,
    ) -> Result<Tool, LaunchError> {
        let mut command = self.command();
        command.argv.extend(arguments.iter().cloned());
        let stdin = stdin.map(|file| &file.content);
        let memory_bytes = limits.memory_bytes + self.language.run.memory_bytes_overhead;
        let limits = LaunchLimits { memory_bytes, ..limits };
        let input = ToolInput { files: &self.files, directories: &[], stdin, leaves };
        slot.run_tool(&command, &input, limits)
    }
}

/// What went wrong in a run, if anything did.
fn failure(run: &Observation) -> Option<String> {
    match (run.stop, run.exit) {
        (Stop::None, Exit::Code(0)) => None,
        (Stop::None, Exit::Code(code)) => Some(format!("exited with code {code}")),
        (Stop::None, Exit::Signal(signal)) => Some(format!("was ended by signal {signal}")),
        (Stop::Cpu, _) => Some(format!("used {} ms of CPU time, which is too much", run.cpu_ms)),
        (Stop::Wall, _) => Some(format!("took {} ms, which is too long", run.wall_ms)),
        (Stop::Memory, _) => Some("used too much memory".to_owned()),
        (Stop::Output, _) => Some("wrote too much".to_owned()),
        (Stop::Forbidden, _) => Some("made a forbidden system call".to_owned()),
    }
}

fn ended_well(tool: &Tool, index: usize, who: &str) -> Result<(), ImportError> {
    let Some(what) = failure(&tool.ran.observation) else { return Ok(()) };
    let said = String::from_utf8_lossy(&tool.ran.stderr);
    let said: String = said.trim_end().lines().next_back().unwrap_or_default().chars().take(200).collect();
    let what = if said.is_empty() { format!("{who} {what}") } else { format!("{who} {what}: {said}") };
    Err(ImportError::Test { test: index + 1, what })
}

fn stdout(tool: &Tool) -> Result<Vec<u8>, ImportError> {
    let unreadable = |source| LaunchError::Memory { name: "output".to_owned(), source };
    Ok(tool.ran.stdout.read_all().map_err(unreadable)?)
}

fn content(file: &ProgramFile) -> Result<Vec<u8>, ImportError> {
    let unreadable = |source| LaunchError::Memory { name: file.name.clone(), source };
    Ok(file.content.read_all().map_err(unreadable)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_whose_every_line_ends_in_cr_lf_are_changed() {
        for (text, expected) in [
            (&b"1 2\r\n3\r\n"[..], Some(&b"1 2\n3\n"[..])),
            (b"1\r\n2", Some(b"1\n2")),
            (b"\r\n", Some(b"\n")),
            (b"1\n2\n", None),
            (b"1\r\n2\n", None),
            (b"1\r2\r\n", None),
            (b"1\r\r\n", None),
            (b"1\r", None),
            (b"", None),
        ] {
            assert_eq!(unified(text).as_deref(), expected, "{text:?}");
        }
    }
}
