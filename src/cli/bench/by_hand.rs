//! The baseline of judging: the same compiler and the same program, started by hand and confined by nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::languages::Language;

/// A folder with a program in it.
pub(super) struct ByHand {
    folder: tempfile::TempDir,
    language: Language,
}

impl ByHand {
    /// Writes the source down.
    pub(super) fn new(language: &Language, code: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("assize-bench-").tempdir()?;
        std::fs::write(folder.path().join(&language.source), code)?;
        Ok(Self { folder, language: language.clone() })
    }

    /// Compiles it, and says how long that took.
    pub(super) fn compile(&self) -> anyhow::Result<Duration> {
        let Some(argv) = self.language.compile_argv(&[&self.language.source], "main") else {
            return Ok(Duration::ZERO);
        };
        let env = self.language.compile.iter().flat_map(|compile| &compile.env);
        let started = Instant::now();
        start(&argv, env, self.folder.path(), Stdio::null(), None)?;
        Ok(started.elapsed())
    }

    /// Runs it on an input, and says how long that took.
    pub(super) fn run(&self, input: &Path) -> anyhow::Result<Duration> {
        let argv = self.language.run_argv(&[&self.language.source], 256 << 20);
        let started = Instant::now();
        let input = File::open(input)?;
        let output = self.folder.path().join(format!("output-{:?}", std::thread::current().id()));
        start(&argv, self.language.run.env.iter(), self.folder.path(), input.into(), Some(output))?;
        Ok(started.elapsed())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the baseline is the program without anything of ours around it"
)]
fn start<'a>(
    argv: &[String],
    env: impl Iterator<Item = (&'a String, &'a String)>,
    folder: &Path,
    input: Stdio,
    output: Option<PathBuf>,
) -> anyhow::Result<()> {
    let program = argv.first().context("the command is empty")?;
    let program = match program.strip_prefix("./") {
        Some(name) => folder.join(name),
        None => program.into(),
    };
    let output = match output {
        Some(path) => Stdio::from(File::create(path)?),
        None => Stdio::null(),
    };
    let status = Command::new(&program)
        .args(&argv[1..])
        .env_clear()
        .envs(env)
        .current_dir(folder)
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "{} ended with {status}", program.display());
    Ok(())
}
