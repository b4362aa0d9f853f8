//! A program on its testcases: run it on each input, compare the output with the answer.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::domain::default_validator::{self, Comparison};
use crate::domain::ids::Sha256Digest;
use crate::domain::verdict::{self, Exit, Observation, RunLimits, Stop, Verdict};
use crate::error_chain::chain;
use crate::languages::Language;

use super::launch::{Command, Confined, LaunchError, LaunchLimits, ProgramFile, Ran};
use super::packages::{JudgePackage, JudgePackageError, JudgeTestcase, TestcaseData};
use super::text;
use super::validators::Validators;

/// The most of an output that is kept in an event, in bytes.
const EXCERPT_BYTES: u64 = 256;
/// The most that they may become as an event counts them: bytes that are no text become three each.
const EXCERPT_JSON_BYTES: usize = 1024;
/// The most of a reason in words, in bytes as an event counts them. The validator quotes the output in it.
const MESSAGE_JSON_BYTES: usize = 1024;

/// What came of one testcase.
#[derive(Debug, Clone)]
pub struct TestcaseResult {
    /// The verdict.
    pub verdict: Verdict,
    /// What the kernel saw.
    pub run: Observation,
    /// How the memory was measured.
    pub memory_meter: String,
    /// Why, in words, at most 1 KiB as JSON writes it.
    pub message: String,
    /// The beginning of the output.
    pub output_excerpt: String,
    /// How many bytes it wrote.
    pub output_bytes: u64,
    /// SHA-256 of the output.
    pub output_sha256: Sha256Digest,
}

/// How often a testcase is tried again at once when the sandbox fails.
const SANDBOX_RETRIES: usize = 1;

/// How many testcases are in the sandbox at once: the one that runs and the one that follows it.
const RUNS_AHEAD: usize = 2;

/// Runs and judges, in order, every testcase whose index is not in `judged`, as long as `record` says to go on.
pub fn judge_all(
    slot: &mut Confined<'_>,
    language: &Language,
    program: &[ProgramFile],
    package: &JudgePackage,
    judged: &BTreeSet<u32>,
    mut record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<(), JudgePackageError> {
    let limits = package.run_limits(language.run.memory_bytes_overhead);
    let launch = LaunchLimits {
        cpu_ms: limits.time_limit_ms,
        // Generous, so that a program on a busy host is judged by its CPU time; one that waits goes early.
        wall_ms: Some(limits.time_limit_ms * 10 + 5000),
        idle_ms: Some(limits.time_limit_ms * 2 + 1000),
        memory_bytes: limits.memory_limit_bytes,
        output_bytes: package.package.limits.output_bytes,
        processes: language.run.processes_limit,
    };
    let command = run_command(language, program, limits.memory_limit_bytes);
    let mut waiting: VecDeque<&JudgeTestcase> =
        package.testcases.iter().filter(|testcase| !judged.contains(&testcase.index)).collect();
    let mut failures = 0;
    let (mut slot, companion) = slot.split();
    let mut beside = companion.ok_or(LaunchError::SlotGone)?;
    'prepared: while !waiting.is_empty() {
        let mut prepared = slot.prepare(&command, program)?;
        // The first of those that wait are in the sandbox: one runs while the one before it is compared.
        let mut started: VecDeque<Arc<TestcaseData>> = VecDeque::new();
        while let Some(&testcase) = waiting.front() {
            let step = (|| {
                for ahead in waiting.iter().take(RUNS_AHEAD).skip(started.len()) {
                    let data = ahead.data()?;
                    prepared.start(&data.input, launch)?;
                    started.push_back(data);
                }
                Ok(prepared.finish()?)
            })();
            match step {
                Ok(ran) => {
                    failures = 0;
                    waiting.pop_front();
                    let Some(data) = started.pop_front() else { continue 'prepared };
                    let validators = package.validators.as_ref();
                    let result = judge(&ran, testcase, &data, validators, &mut beside, &limits)?;
                    if !record(testcase.index, result) {
                        return Ok(());
                    }
                }
                Err(error @ JudgePackageError::Launch(LaunchError::Sandbox(_)))
                    if failures < SANDBOX_RETRIES =>
                {
                    tracing::warn!(error = chain(&error), "the sandbox failed; trying again");
                    failures += 1;
                    continue 'prepared;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The command that runs a program of this language.
pub fn run_command(language: &Language, program: &[ProgramFile], memory_bytes: u64) -> Command {
    let names: Vec<&str> = program.iter().map(|file| file.name.as_str()).collect();
    let env = language.run.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Command { argv: language.run_argv(&names, memory_bytes), env, roots: language.run.roots.clone() }
}

/// Judges what came of one testcase. `beside` is where a validator of the package runs.
fn judge(
    ran: &Ran,
    testcase: &JudgeTestcase,
    data: &TestcaseData,
    validators: Option<&Validators>,
    beside: &mut Confined<'_>,
    limits: &RunLimits,
) -> Result<TestcaseResult, JudgePackageError> {
    let unreadable = |source| LaunchError::Memory { name: "output".to_owned(), source };
    let read = |bytes_max| ran.stdout.read_first(bytes_max).map_err(unreadable);
    let mut said = None;
    // A flood that was ended for being one is never copied: only the validator needs the whole output in one piece.
    let verdict = verdict::of(&ran.observation, limits, || {
        if let Some(validators) = validators {
            let arguments = &testcase.validator_arguments;
            let validated = validators.validate(beside, data, arguments, &ran.stdout)?;
            said = Some(validated.message).filter(|message| !message.is_empty());
            return Ok(validated.accepted);
        }
        match default_validator::compare(&data.answer, &read(ran.stdout.len())?, &testcase.flags) {
            Comparison::Accepted => Ok(true),
            Comparison::Wrong { message } => {
                said = Some(message);
                Ok::<_, JudgePackageError>(false)
            }
        }
    })?;
    let message = said.unwrap_or_else(|| describe(verdict, ran, limits));
    let (message, _) = text::for_event(&message, MESSAGE_JSON_BYTES);
    let excerpt = read(EXCERPT_BYTES)?;
    let (output_excerpt, _) = text::for_event(&String::from_utf8_lossy(&excerpt), EXCERPT_JSON_BYTES);
    Ok(TestcaseResult {
        verdict,
        run: ran.observation,
        memory_meter: ran.memory_meter.clone(),
        message,
        output_excerpt,
        output_bytes: ran.stdout.len(),
        output_sha256: ran.stdout_sha256().map_err(unreadable)?,
    })
}

/// A verdict in words, with the number that led to it.
fn describe(verdict: Verdict, ran: &Ran, limits: &RunLimits) -> String {
    let run = &ran.observation;
    match (verdict, run.exit) {
        (Verdict::Tle, _) => {
            format!("used {} ms of CPU time; the limit is {} ms", run.cpu_ms, limits.time_limit_ms)
        }
        (Verdict::Wtl | Verdict::Ile, _) => {
            format!("ran for {} ms on the clock and used {} ms of CPU time", run.wall_ms, run.cpu_ms)
        }
        (Verdict::Mle, _) => {
            format!("used {} bytes of memory; the limit is {}", run.memory_bytes, limits.memory_limit_bytes)
        }
        (Verdict::Ole, _) => "wrote more than the output limit".to_owned(),
        (Verdict::Rte, Exit::Code(code)) => format!("exited with code {code}{}", last_words(&ran.stderr)),
        (Verdict::Rte, Exit::Signal(signal)) => {
            format!("was ended by {}{}", signal_name(signal), last_words(&ran.stderr))
        }
        (Verdict::Sv, _) if run.stop == Stop::Forbidden => "made a forbidden system call".to_owned(),
        _ => verdict.title().to_owned(),
    }
}

/// The last line of standard error, which is where an interpreter says what went wrong.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.trim_end().lines().next_back() {
        Some(line) if !line.trim().is_empty() => {
            let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
            format!(": {line}")
        }
        _ => String::new(),
    }
}

fn signal_name(signal: u8) -> String {
    nix::sys::signal::Signal::try_from(i32::from(signal))
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}
