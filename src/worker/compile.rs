//! From sources to something that runs: one confined build, described by the language's file.
//!
//! What the compiler says is shown to people and stored in events, so it is made into text of a bounded size here; what the outcome means for the submission is the domain's business.

use crate::domain::event::CompileOutcome;
use crate::domain::verdict::{Exit, Stop};
use crate::languages::sources::{SourceFile, Sources};
use crate::languages::{Compile, Language};

use super::build_cache::{self, Build, BuildCache};
use super::launch::{Command, Confined, LaunchError, LaunchLimits, ProgramFile, Ran};
use super::text;

/// The most of a compiler's words that is kept, in bytes as an event counts them.
const DIAGNOSTICS_BYTES: usize = 64 * 1024;

/// What came of a compilation.
#[derive(Debug)]
pub struct Compiled {
    /// How it ended.
    pub outcome: CompileOutcome,
    /// The files that the run command needs; empty unless it succeeded.
    pub program: Vec<ProgramFile>,
    /// Whether `program` is something that the compiler made, rather than the sources.
    pub made: bool,
    /// The command with its flags; empty where the language has none.
    pub command: Vec<String>,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// What the compiler said, at most 64 KiB as JSON writes it.
    pub diagnostics: String,
    /// Whether it said more.
    pub diagnostics_truncated: bool,
}

/// How often a compilation is tried again at once when the sandbox fails.
const SANDBOX_RETRIES: usize = 1;

/// Compiles a program, unless the same was compiled before and is kept. An error is our fault; a program that does not
/// compile is an outcome.
pub fn compile(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
) -> Result<Compiled, LaunchError> {
    let names: Vec<&str> = sources.sources.iter().map(|source| source.name.as_str()).collect();
    let argv = language.compile_argv(&names, &sources.entry);
    let (Some(builds), Some(argv)) = (slot.builds(), argv) else {
        return compile_anew(slot, language, sources);
    };
    let Some(key) = build_cache::key(language, &argv, sources) else {
        return compile_anew(slot, language, sources);
    };
    if let Some(build) = builds.get(key) {
        return kept(language, sources, argv, build);
    }
    let header = precompiled(slot, language, sources, &builds)?;
    let compiled = compile_with(slot, language, sources, header)?;
    if compiled.outcome == CompileOutcome::Succeeded {
        let artifact = compiled.program.first().filter(|_| compiled.made);
        match artifact.map(|file| file.content.read_all()).transpose() {
            Ok(artifact) => builds.put(key, &Build::new(&compiled, artifact)),
            Err(error) => {
                tracing::warn!(error = crate::error_chain::chain(&error), "a build could not be read")
            }
        }
    }
    Ok(compiled)
}

/// What a kept build says of a program.
fn kept(
    language: &Language,
    sources: &Sources,
    command: Vec<String>,
    build: Build,
) -> Result<Compiled, LaunchError> {
    let made = build.artifact.is_some();
    let program = match build.artifact {
        Some(bytes) => with_others(ProgramFile::new(&language.artifact, &bytes, true)?, sources)?,
        None => placed(sources)?,
    };
    Ok(Compiled {
        outcome: CompileOutcome::Succeeded,
        program,
        made,
        command,
        cpu_ms: build.cpu_ms,
        wall_ms: build.wall_ms,
        memory_bytes: build.memory_bytes,
        diagnostics: build.diagnostics,
        diagnostics_truncated: build.diagnostics_truncated,
    })
}

/// The language's precompiled header, where the program begins with it. Without one it is compiled as ever.
fn precompiled(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
    builds: &BuildCache,
) -> Result<Option<ProgramFile>, LaunchError> {
    let Some(compile) = &language.compile else { return Ok(None) };
    let Some(header) = &compile.precompiled else { return Ok(None) };
    if !sources.sources.iter().any(|source| header.begins(&source.bytes)) {
        return Ok(None);
    }
    let text = format!("#include <{}>\n", header.header);
    let source = Sources {
        sources: vec![SourceFile::new("header.h", text)],
        others: Vec::new(),
        entry: "header".to_owned(),
    };
    let Some(key) = build_cache::key(language, &header.argv, &source) else { return Ok(None) };
    builds.header(key, &header.place, || {
        let command = command_of(compile, header.argv.clone());
        let built = slot.build(&command, &placed(&source)?, limits_of(compile), Some("header.gch"))?;
        let run = built.ran.observation;
        match (run.stop, run.exit, built.artifact) {
            (Stop::None, Exit::Code(0), Some(Ok(content))) => {
                let bytes = content.read_all();
                let bytes =
                    bytes.map_err(|source| LaunchError::Memory { name: header.header.clone(), source })?;
                Ok(Some(Build::of_header(&run, bytes)))
            }
            _ => {
                let said = String::from_utf8_lossy(&built.ran.stderr).into_owned();
                tracing::warn!(language = %language.id, said, "the header cannot be precompiled");
                Ok(None)
            }
        }
    })
}

/// Compiles a program whatever is kept.
pub fn compile_anew(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
) -> Result<Compiled, LaunchError> {
    compile_with(slot, language, sources, None)
}

/// Compiles a program, once more where the sandbox fails.
fn compile_with(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
    header: Option<ProgramFile>,
) -> Result<Compiled, LaunchError> {
    let given = placed(sources)?;
    let mut tries = 0;
    loop {
        match compile_once(slot, language, sources, &given, header.as_ref()) {
            Err(error @ LaunchError::Sandbox(_)) if tries < SANDBOX_RETRIES => {
                tracing::warn!(
                    error = crate::error_chain::chain(&error),
                    "the sandbox failed to compile; trying again"
                );
                tries += 1;
            }
            other => return other,
        }
    }
}

fn compile_once(
    slot: &mut Confined<'_>,
    language: &Language,
    sources: &Sources,
    given: &[ProgramFile],
    header: Option<&ProgramFile>,
) -> Result<Compiled, LaunchError> {
    let names: Vec<&str> = sources.sources.iter().map(|source| source.name.as_str()).collect();
    let argv = language.compile_argv(&names, &sources.entry);
    let (Some(compile), Some(argv)) = (&language.compile, argv) else {
        return Ok(Compiled {
            outcome: CompileOutcome::Succeeded,
            program: share(given)?,
            made: false,
            command: Vec::new(),
            cpu_ms: 0,
            wall_ms: 0,
            memory_bytes: 0,
            diagnostics: String::new(),
            diagnostics_truncated: false,
        });
    };
    let command = command_of(compile, argv);
    let built = match (header, &compile.precompiled) {
        (Some(header), Some(precompiled)) => {
            let mut command = command.clone();
            command.argv.insert(1, precompiled.flag.clone());
            let mut given = share(given)?;
            given.push(header.share()?);
            slot.build(&command, &given, limits_of(compile), language.made_artifact())?
        }
        _ => slot.build(&command, given, limits_of(compile), language.made_artifact())?,
    };
    let outcome = match (built.ran.observation.stop, built.ran.observation.exit) {
        (Stop::None, Exit::Code(0)) => CompileOutcome::Succeeded,
        (Stop::None | Stop::Forbidden, _) => CompileOutcome::Failed,
        (Stop::Cpu | Stop::Wall | Stop::Memory | Stop::Output, _) => CompileOutcome::LimitExceeded,
    };
    let (mut diagnostics, diagnostics_truncated) = diagnostics(&built.ran)?;
    if outcome == CompileOutcome::LimitExceeded {
        diagnostics.push_str(&format!("\n[stopped: {}]", stopped(built.ran.observation.stop)));
    }
    let (outcome, program, made) = match (outcome, built.artifact) {
        (CompileOutcome::Succeeded, Some(Ok(content))) => {
            let name = language.artifact.clone();
            (outcome, with_others(ProgramFile { name, content, executable: true }, sources)?, true)
        }
        // Words of our own, which find room.
        (CompileOutcome::Succeeded, Some(Err(reason))) => {
            diagnostics.push_str(&reason);
            (CompileOutcome::Failed, Vec::new(), false)
        }
        (CompileOutcome::Succeeded, None) => (outcome, share(given)?, false),
        (CompileOutcome::Failed | CompileOutcome::LimitExceeded, _) => (outcome, Vec::new(), false),
    };
    let run = built.ran.observation;
    Ok(Compiled {
        outcome,
        program,
        made,
        command: command.argv,
        cpu_ms: run.cpu_ms,
        wall_ms: run.wall_ms,
        memory_bytes: run.memory_bytes,
        diagnostics,
        diagnostics_truncated,
    })
}

fn limits_of(compile: &Compile) -> LaunchLimits {
    LaunchLimits {
        cpu_ms: compile.cpu_ms_limit,
        wall_ms: Some(compile.wall_ms_limit),
        idle_ms: None,
        memory_bytes: compile.memory_bytes_limit,
        output_bytes: compile.output_bytes_limit,
        processes: compile.processes_limit,
    }
}

fn command_of(compile: &Compile, argv: Vec<String>) -> Command {
    Command {
        argv,
        env: compile.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        roots: compile.roots.clone(),
        needs: compile.needs.clone(),
        memory_messages: Vec::new(),
    }
}

/// What was made of a program, with the files beside its sources, which it may read when it runs.
pub(super) fn with_others(made: ProgramFile, sources: &Sources) -> Result<Vec<ProgramFile>, LaunchError> {
    let mut program = vec![made];
    for other in &sources.others {
        if program.iter().all(|file| file.name != other.name) {
            program.push(ProgramFile::new(&other.name, &other.bytes, false)?);
        }
    }
    Ok(program)
}

/// All files of a program in sealed memory, its sources first.
fn placed(sources: &Sources) -> Result<Vec<ProgramFile>, LaunchError> {
    let place = |file: &SourceFile| ProgramFile::new(&file.name, &file.bytes, false);
    sources.sources.iter().chain(&sources.others).map(place).collect()
}

fn share(files: &[ProgramFile]) -> Result<Vec<ProgramFile>, LaunchError> {
    files.iter().map(ProgramFile::share).collect()
}

/// Standard error, then standard output, as text.
fn diagnostics(ran: &Ran) -> Result<(String, bool), LaunchError> {
    let stdout = ran
        .stdout
        .read_first(DIAGNOSTICS_BYTES as u64)
        .map_err(|source| LaunchError::Memory { name: "compiler output".to_owned(), source })?;
    let mut said = String::from_utf8_lossy(&ran.stderr).into_owned();
    said.push_str(&String::from_utf8_lossy(&stdout));
    let (said, cut) = text::for_event(&said, DIAGNOSTICS_BYTES);
    Ok((said, cut || ran.stdout.len() > stdout.len() as u64))
}

fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::Cpu => "the compiler used too much CPU time",
        Stop::Wall => "the compiler took too long",
        Stop::Memory => "the compiler used too much memory",
        Stop::Output => "the compiler wrote too much",
        Stop::None | Stop::Forbidden => "the compiler ended",
    }
}
