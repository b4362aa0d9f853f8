//! A language tried out in earnest: its own small programs, one for each kind of verdict, compiled and run as those of
//! contestants are.

use std::convert::Infallible;

use crate::domain::event::CompileOutcome;
use crate::domain::verdict::{self, RunLimits, Verdict};
use crate::languages::Language;
use crate::languages::sources::Sources;

use super::compile;
use super::launch::{self, Confined, Input, LaunchError, LaunchLimits};
use super::run;

/// What a program may use: little, so that the one that never ends and the one that takes ever more are soon done.
const LIMITS: RunLimits = RunLimits { time_limit_ms: 1000, memory_limit_bytes: 128 << 20 };
/// What it may write.
const OUTPUT_BYTES: u64 = 1 << 20;

/// What came of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What it is called in the language's file: `source`, `broken`, `crashing`, `endless` or `greedy`.
    pub program: &'static str,
    /// The verdict that it must get.
    pub expected: Verdict,
    /// The verdict that it got.
    pub got: Verdict,
    /// CPU time of its compilation in milliseconds.
    pub compile_cpu_ms: u64,
    /// CPU time of its run in milliseconds.
    pub cpu_ms: u64,
    /// Peak memory of its run in bytes.
    pub memory_bytes: u64,
    /// What it or its compiler said, where the verdict is not the expected one.
    pub said: String,
}

/// Compiles and runs every program of the language's self-test that there is.
pub fn try_out(slot: &mut Confined<'_>, language: &Language) -> Result<Vec<Trial>, LaunchError> {
    let test = &language.self_test;
    let programs = [
        ("source", Some(&test.source), Verdict::Ac),
        ("broken", test.broken.as_ref(), Verdict::Ce),
        ("crashing", test.crashing.as_ref(), Verdict::Rte),
        ("endless", test.endless.as_ref(), Verdict::Tle),
        ("greedy", test.greedy.as_ref(), Verdict::Mle),
    ];
    let there = programs.into_iter().filter_map(|(name, text, expected)| Some((name, text?, expected)));
    there.map(|(name, text, expected)| judge(slot, language, name, text, expected)).collect()
}

fn judge(
    slot: &mut Confined<'_>,
    language: &Language,
    program: &'static str,
    text: &str,
    expected: Verdict,
) -> Result<Trial, LaunchError> {
    let compiled = compile::compile_anew(slot, language, &Sources::single(language, text))?;
    let mut trial = Trial {
        program,
        expected,
        got: Verdict::Ce,
        compile_cpu_ms: compiled.cpu_ms,
        cpu_ms: 0,
        memory_bytes: 0,
        said: String::new(),
    };
    match compiled.outcome {
        CompileOutcome::Succeeded => {}
        CompileOutcome::Failed => trial.said = compiled.diagnostics,
        CompileOutcome::LimitExceeded => (trial.got, trial.said) = (Verdict::Ctl, compiled.diagnostics),
    }
    if compiled.outcome == CompileOutcome::Succeeded {
        let limits = RunLimits {
            time_limit_ms: language.time_limit_ms(LIMITS.time_limit_ms),
            memory_limit_bytes: LIMITS.memory_limit_bytes + language.run.memory_bytes_overhead,
        };
        let (wall_ms, idle_ms) = launch::clock_limits(limits.time_limit_ms);
        let launch = LaunchLimits {
            cpu_ms: limits.time_limit_ms,
            wall_ms: Some(wall_ms),
            idle_ms: Some(idle_ms),
            memory_bytes: limits.memory_limit_bytes,
            output_bytes: OUTPUT_BYTES,
            processes: language.run.processes_limit,
        };
        let command = run::run_command(language, &compiled.program, LIMITS.memory_limit_bytes);
        let mut prepared = slot.prepare(&command, &compiled.program, false)?;
        let ran = prepared.run(&Input::new("input", language.self_test.input.as_bytes())?, launch)?;
        let printed = ran.stdout.read_all().unwrap_or_default();
        let right = String::from_utf8_lossy(&printed).trim() == language.self_test.output.trim();
        let got = verdict::of(&ran.observation, &limits, || Ok::<bool, Infallible>(right));
        trial.got = got.unwrap_or_else(|never| match never {});
        (trial.cpu_ms, trial.memory_bytes) = (ran.observation.cpu_ms, ran.observation.memory_bytes);
        trial.said = String::from_utf8_lossy(&[printed, ran.stderr].concat()).into_owned();
    }
    if trial.got == trial.expected {
        trial.said.clear();
    }
    Ok(trial)
}
