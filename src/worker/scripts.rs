//! Programs of a package that say themselves how they are built and run: a directory with a script `build`, `run`, or
//! both.
//!
//! `build` runs once, confined as a compiler is, and everything that it leaves goes on to the runs. Which interpreters
//! and compilers the scripts find is what the languages of this judge need, and a shell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::domain::verdict::{Exit, Stop};
use crate::languages::{Languages, Needs};
use crate::problems::{Constants, ValidatorSource};

use super::launch::{Command, Confined, LaunchError, LaunchLimits, Leaves, ProgramFile, ToolInput};
use super::text;

/// All files together that a build script leaves, in bytes.
pub const OUTPUT_BYTES_MAX: u64 = 256 << 20;
/// How many files it leaves at most.
const FILES_MAX: u32 = 200;
/// Processes and threads of a build script at one time: compilers for a JVM have dozens.
pub const PROCESSES: u32 = 128;
/// The most of what it says that is kept, in bytes as an event counts them.
const SAID_BYTES_MAX: usize = 64 << 10;
/// The shell, and what is found where compilers and interpreters are installed. Where a host lacks one, nothing there
/// needs it.
const ROOTS: [&str; 9] = [
    "/bin",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/lib",
    "/lib64",
    // Where Debian's links in /usr/bin lead, awk's among them.
    "/etc/alternatives",
];

/// Why a scripted program cannot be run: the package's fault, or ours where it says so.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Its build script failed.
    #[error("its build script {what}")]
    Failed {
        /// How.
        what: String,
        /// What it said.
        said: String,
    },
    /// There is nothing to run.
    #[error("its build script left no file `run`")]
    NoRun,
    /// The build script left something that cannot be taken.
    #[error("its build script left what is not allowed: {0}")]
    Refused(String),
    /// A script begins with an interpreter that is not there.
    #[error("its `{script}` script asks for the interpreter {interpreter:?}, which is not there")]
    NoInterpreter {
        /// `build` or `run`.
        script: &'static str,
        /// As the script writes it.
        interpreter: String,
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
    /// It could not be run.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

impl ScriptError {
    /// What the script said, for the package's owners only.
    pub fn said(&self) -> &str {
        match self {
            Self::Failed { said, .. } => said.trim(),
            _ => "",
        }
    }

    /// Whether another try cannot help.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Read { .. } | Self::Launch(_))
    }
}

/// A program that is ready to run.
#[derive(Debug)]
pub struct Built {
    /// All files that it needs.
    pub files: Vec<ProgramFile>,
    /// What to execute.
    pub command: Command,
}

/// Whether the program whose directory is `path` and that has these `files` is built or run by a script of its own.
pub fn is_scripted(path: &str, files: &[String]) -> bool {
    let has = |script: &str| files.iter().any(|file| within(path, file) == Some(script));
    has("build") || has("run")
}

/// Builds the program of the package at `root`. `limits` are those of a compilation.
pub fn build(
    slot: &mut Confined<'_>,
    languages: &Languages,
    root: &Path,
    constants: &Constants,
    source: &ValidatorSource,
    limits: &LaunchLimits,
) -> Result<Built, ScriptError> {
    let path = source.path.as_str();
    let mut placed = Vec::new();
    for file in &source.files {
        let host = root.join(file);
        let bytes = std::fs::read(&host).map_err(|source| ScriptError::Read { path: host, source })?;
        // Archives lose the bits that say what may be executed.
        let name = within(path, file).unwrap_or(file);
        placed.push(ProgramFile::new(name, &constants.put_into(bytes), true)?);
    }
    let roots = roots(languages);
    if let Some(script) = placed.iter().find(|file| file.name == "build") {
        let command = command("build", script, &roots)?;
        let leaves = Leaves { directory: "", files_max: FILES_MAX, bytes_max: OUTPUT_BYTES_MAX };
        let input = ToolInput { files: &placed, directories: &[], stdin: None, leaves: Some(leaves) };
        let tool = slot.run_tool(&command, &input, *limits)?;
        let run = &tool.ran.observation;
        let what = match (run.stop, run.exit) {
            (Stop::None, Exit::Code(0)) => None,
            (Stop::None, Exit::Code(code)) => Some(format!("exited with code {code}")),
            (Stop::None, Exit::Signal(signal)) => Some(format!("was ended by signal {signal}")),
            (Stop::Cpu | Stop::Wall, _) => Some("took too long".to_owned()),
            (Stop::Memory, _) => Some("used too much memory".to_owned()),
            (Stop::Output, _) => Some("wrote too much".to_owned()),
            (Stop::Forbidden, _) => Some("made a forbidden system call".to_owned()),
        };
        if let Some(what) = what {
            let (said, _) = text::for_event(&String::from_utf8_lossy(&tool.ran.stderr), SAID_BYTES_MAX);
            return Err(ScriptError::Failed { what, said });
        }
        if !tool.refused.is_empty() {
            let refused: Vec<String> = tool.refused.into_iter().map(|left| left.what).collect();
            return Err(ScriptError::Refused(refused.join(", ")));
        }
        placed = tool.files;
    }
    let run = placed.iter().find(|file| file.name == "run").ok_or(ScriptError::NoRun)?;
    let command = command("run", run, &roots)?;
    Ok(Built { files: placed, command })
}

/// The name of a file in the directory `path`.
fn within<'a>(path: &str, file: &'a str) -> Option<&'a str> {
    file.strip_prefix(path)?.strip_prefix('/')
}

/// How `file` is started: as what it is, or by a shell where it does not say.
fn command(script: &'static str, file: &ProgramFile, roots: &[PathBuf]) -> Result<Command, ScriptError> {
    let unreadable = |source| LaunchError::Memory { name: file.name.clone(), source };
    let start = file.content.read_first(256).map_err(unreadable)?;
    let mut argv = vec![format!("./{}", file.name)];
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let interpreter = line.split_ascii_whitespace().next().unwrap_or_default();
        // The kernel takes the carriage return of a foreign line end for a part of the name.
        let whole = line.trim_start().trim_end_matches([' ', '\t']);
        let path = Path::new(interpreter);
        let is_there = path.exists() && roots.iter().any(|root| path.starts_with(root));
        if !is_there || whole.ends_with('\r') {
            return Err(ScriptError::NoInterpreter { script, interpreter: whole.to_owned() });
        }
    } else if !start.starts_with(b"\x7fELF") {
        argv.insert(0, "/bin/sh".to_owned());
    }
    let env = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", "/w"), ("TMPDIR", "/tmp")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Ok(Command { argv, env, roots: roots.to_owned(), needs: Needs::default(), memory_messages: Vec::new() })
}

/// What of the host the scripts see: [`ROOTS`] and whatever a language needs.
fn roots(languages: &Languages) -> Vec<PathBuf> {
    let of_languages = languages.iter().flat_map(|language| {
        let compile = language.compile.iter().flat_map(|compile| &compile.roots);
        compile.chain(&language.run.roots).cloned()
    });
    let all: BTreeSet<PathBuf> = ROOTS.iter().map(PathBuf::from).chain(of_languages).collect();
    let is_inside = |path: &PathBuf| path.ancestors().skip(1).any(|above| all.contains(above));
    all.iter().filter(|path| path.symlink_metadata().is_ok() && !is_inside(path)).cloned().collect()
}
