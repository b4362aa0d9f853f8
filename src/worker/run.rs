//! A program on its testcases: run it on each input, compare the output with the answer.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::default_validator::{self, Comparison};
use crate::domain::ids::Sha256Digest;
use crate::domain::scoring::{Case, ScoreFiles, Stated};
use crate::domain::verdict::{self, Exit, Observation, RunLimits, Stop, Verdict};
use crate::error_chain::chain;
use crate::languages::Language;
use crate::languages::sources::Sources;

use super::answers::Answers;
use super::last_words;
use super::launch::{self, Command, Confined, LaunchError, LaunchLimits, ProgramFile, Ran, Speaker};
use super::packages::{JudgePackage, JudgePackageError, JudgeTestcase, TestcaseData};
use super::plan::Plan;
use super::text;
use super::validators::{Feedback, Pass, Talked, Validators};

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
    /// The score that the package's validator gave, if it gave one.
    pub stated: Option<Stated>,
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

impl TestcaseResult {
    /// What is said of a testcase without a run.
    pub fn without_run(verdict: Verdict, stated: Option<Stated>, message: &str) -> Self {
        let run =
            Observation { stop: Stop::None, exit: Exit::Code(0), cpu_ms: 0, wall_ms: 0, memory_bytes: 0 };
        Self {
            verdict,
            stated,
            run,
            memory_meter: String::new(),
            message: shortened(message),
            output_excerpt: String::new(),
            output_bytes: 0,
            output_sha256: Sha256Digest::of(b""),
        }
    }

    /// What of it the grading needs.
    pub fn case(&self) -> Case {
        Case { verdict: self.verdict, stated: self.stated.clone() }
    }
}

/// The most that the outputs in a submission of outputs may have all together, in bytes, once out of their zip.
const ANSWERS_BYTES_MAX: u64 = 256 << 20;

/// How often a testcase is tried again at once when the sandbox fails.
const SANDBOX_RETRIES: usize = 1;

/// Processes and threads at one time where the package brings code that is part of the program, at least.
const DRIVEN_PROCESSES: u32 = 64;

/// How many testcases are in the sandbox at once: the one that runs and the one that follows it.
const RUNS_AHEAD: usize = 2;

/// Runs and judges what the plan wants, as long as `record` says to go on. The limits are usually those of the package
/// ([`JudgePackage::run_limits`]). `sources` are what the program was made of, where the package's validators run among
/// them ([`JudgePackage::shows_sources`]).
pub fn judge_all(
    slot: &mut Confined<'_>,
    language: &Language,
    program: &[ProgramFile],
    sources: Option<&Sources>,
    plan: &mut Plan<'_>,
    limits: RunLimits,
    mut record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<(), JudgePackageError> {
    let package = plan.package;
    // Code of the jury that is part of the program may run the rest of it in processes of its own.
    let is_driven = package.includes_code_for(language);
    let (wall_ms, idle_ms) = launch::clock_limits(limits.time_limit_ms);
    let launch = LaunchLimits {
        cpu_ms: limits.time_limit_ms,
        wall_ms: Some(wall_ms),
        idle_ms: Some(idle_ms),
        memory_bytes: limits.memory_limit_bytes,
        output_bytes: package.package.limits.output_bytes,
        processes: language.run.processes_limit.max(if is_driven { DRIVEN_PROCESSES } else { 0 }),
    };
    let problem_bytes = limits.memory_limit_bytes.saturating_sub(language.run.memory_bytes_overhead);
    let mut command = run_command(language, program, problem_bytes);
    command.needs.processes |= package.package.allows_file_writing == Some(true) || is_driven;
    let program = &with_included(program, language, package)?;
    if package.takes_answers() {
        return answer_all(slot, program, &command, plan, launch, &limits, record);
    }
    let shows = package.validators.as_ref().is_some_and(Validators::see_submissions);
    let shown = match sources.filter(|_| shows) {
        Some(sources) => files_of(sources, program)?,
        None => Vec::new(),
    };
    let shown = shows.then_some(shown.as_slice());
    if let Some(validators) = package.interactive() {
        let speaker = Speaker { command: &command, files: program, limits: launch };
        let hosts = Hosts { validators, shown };
        return talk_all(slot, &speaker, hosts, plan, &limits, record);
    }
    if let Some(validators) = package.validators.as_ref().filter(|validators| validators.are_multi_pass()) {
        let speaker = Speaker { command: &command, files: program, limits: launch };
        let hosts = Hosts { validators, shown };
        return pass_all(slot, &speaker, hosts, plan, &limits, record);
    }
    let mut failures = 0;
    let mut may_write = command.needs.processes;
    let (mut slot, companion) = slot.split();
    let mut beside = companion.ok_or(LaunchError::SlotGone)?;
    let mut wanted = next(plan, &mut beside)?;
    'prepared: while let Some(first) = wanted {
        // By the package and not by what is left of it: times are to be the same whenever it is judged again.
        let warm = language.run.warm
            && package.testcases.iter().filter(|testcase| first.is_run_as(testcase)).count() > 1;
        let (command, program) = for_testcase(&command, program, first, may_write)?;
        let mut prepared = slot.prepare(&command, &program, warm)?;
        let alike = |testcase: &JudgeTestcase| first.index == testcase.index || first.is_run_as(testcase);
        // What is in the sandbox: one testcase runs while the one before it is compared.
        let mut started: VecDeque<(u32, Arc<TestcaseData>)> = VecDeque::new();
        while let Some(testcase) = wanted.filter(|testcase| alike(testcase)) {
            if started.front().is_some_and(|(index, _)| *index != testcase.index) {
                // The one before was not accepted, and the rules go elsewhere from there.
                continue 'prepared;
            }
            let step = (|| {
                let mut ahead = Some(testcase);
                for place in 0..RUNS_AHEAD {
                    let Some(testcase) = ahead.filter(|testcase| alike(testcase)) else { break };
                    if place == started.len() {
                        let data = testcase.data()?;
                        prepared.start(&data.input, launch)?;
                        started.push_back((testcase.index, data));
                    }
                    ahead = plan.after(testcase.index).and_then(|index| package.testcase(index));
                }
                Ok(prepared.finish()?)
            })();
            match step {
                Ok(ran) => {
                    failures = 0;
                    let Some((_, data)) = started.pop_front() else { continue 'prepared };
                    let judged = judge(&ran, package, testcase, &data, &mut beside, &limits, shown);
                    let result = if_it_counts(judged, testcase, plan, &mut beside)?;
                    if !may_write && died_of_confinement(package, &result) {
                        may_write = true;
                        continue 'prepared;
                    }
                    plan.record(testcase.index, result.case());
                    if !record(testcase.index, result) {
                        return Ok(());
                    }
                    wanted = next(plan, &mut beside)?;
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

/// Whether a submission may have died of what the package does not forbid: writing files, which the formats before 2025-09
/// let any do, and what only programs can do that may write some. Few do, and all others run faster without, so that it is
/// granted to those that fail.
fn died_of_confinement(package: &JudgePackage, result: &TestcaseResult) -> bool {
    package.package.allows_file_writing.is_none() && result.verdict == Verdict::Rte
}

/// Validators that say what a submission reads, and the files of it among which they run, if they do.
#[derive(Clone, Copy)]
struct Hosts<'a> {
    validators: &'a Validators,
    shown: Option<&'a [ProgramFile]>,
}

/// The files of a submission: its sources with what lies beside them, and what was made of them.
pub(super) fn files_of(sources: &Sources, program: &[ProgramFile]) -> Result<Vec<ProgramFile>, LaunchError> {
    let mut files = Vec::new();
    for source in sources.sources.iter().chain(&sources.others) {
        files.push(ProgramFile::new(&source.name, &source.bytes, false)?);
    }
    for made in program {
        if files.iter().all(|file| file.name != made.name) {
            files.push(made.share()?);
        }
    }
    Ok(files)
}

/// As [`judge_all`], for submissions that are outputs: each run prints the file that is meant for the testcase.
fn answer_all(
    slot: &mut Confined<'_>,
    submitted: &[ProgramFile],
    command: &Command,
    plan: &mut Plan<'_>,
    launch: LaunchLimits,
    limits: &RunLimits,
    record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<(), JudgePackageError> {
    const FILE: &str = "output";
    let package = plan.package;
    // Outputs that are handed in are many and large, and a validator gets the one that it judges.
    let shown = package.validators.as_ref().is_some_and(Validators::see_submissions).then_some(&[][..]);
    let testcases = &package.testcases;
    let bytes_max = package.package.limits.output_bytes.saturating_mul(testcases.len() as u64);
    let answers = Answers::of(submitted, bytes_max.min(ANSWERS_BYTES_MAX))?;
    let mut command = command.clone();
    command.argv.truncate(1);
    command.argv.push(FILE.to_owned());
    each_alone(slot, plan, true, record, |slot, beside, testcase, _| {
        let data = testcase.data()?;
        let found = answers.file_for(testcase.name.as_str(), testcases.len() == 1);
        let printed = match found {
            Ok(file) => ProgramFile { name: FILE.to_owned(), ..file.share()? },
            Err(_) => ProgramFile::new(FILE, b"", false)?,
        };
        let ran = slot.prepare(&command, &[printed], false)?.run(&data.input, launch)?;
        match found {
            Ok(_) => judge(&ran, package, testcase, &data, beside, limits, shown),
            Err(why) => Ok(result(&ran, Verdict::Wa, None, why)?),
        }
    })
}

/// A program with the files of its package that are laid over submissions, where compiling has not kept them.
fn with_included(
    program: &[ProgramFile],
    language: &Language,
    package: &JudgePackage,
) -> Result<Vec<ProgramFile>, JudgePackageError> {
    let mut files = program.iter().map(ProgramFile::share).collect::<Result<Vec<_>, _>>()?;
    for included in package.included(language)? {
        if !files.iter().any(|file| file.name == included.name) {
            files.push(ProgramFile::new(&included.name, &included.bytes, false)?);
        }
    }
    Ok(files)
}

/// A program with the arguments and files of a testcase, which `may_write` files in any case.
fn for_testcase(
    command: &Command,
    program: &[ProgramFile],
    testcase: &JudgeTestcase,
    may_write: bool,
) -> Result<(Command, Vec<ProgramFile>), JudgePackageError> {
    let mut command = command.clone();
    command.needs.processes |= may_write;
    command.argv.extend(testcase.arguments.iter().cloned());
    let data = testcase.data()?;
    let is_replaced = |name: &str| data.files.iter().any(|file| file.name == name);
    let kept = program.iter().filter(|file| !is_replaced(&file.name));
    let files = kept.chain(&data.files).map(ProgramFile::share).collect::<Result<_, _>>()?;
    Ok((command, files))
}

/// The testcase that the plan wants.
fn next<'a>(
    plan: &mut Plan<'a>,
    beside: &mut Confined<'_>,
) -> Result<Option<&'a JudgeTestcase>, JudgePackageError> {
    Ok(plan.next(beside)?.and_then(|index| plan.package.testcase(index)))
}

/// As [`judge_all`], for a problem whose validator talks to the submission.
fn talk_all(
    slot: &mut Confined<'_>,
    speaker: &Speaker<'_>,
    hosts: Hosts<'_>,
    plan: &mut Plan<'_>,
    limits: &RunLimits,
    record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<(), JudgePackageError> {
    let (package, Hosts { validators, shown }) = (plan.package, hosts);
    // What the validator needs counts on the submission's clock too, and idle is only when neither does anything.
    let validation_ms = package.package.limits.validation_time_limit_ms;
    let wall_ms = speaker.limits.wall_ms.map(|wall_ms| wall_ms + validation_ms);
    let (_, idle_ms) = launch::clock_limits(limits.time_limit_ms);
    let speaker = Speaker { limits: LaunchLimits { wall_ms, idle_ms: None, ..speaker.limits }, ..*speaker };
    let may_write = speaker.command.needs.processes;
    each_alone(slot, plan, may_write, record, |slot, beside, testcase, may_write| {
        let data = testcase.data()?;
        let (command, files) = for_testcase(speaker.command, speaker.files, testcase, may_write)?;
        let speaker = Speaker { command: &command, files: &files, ..speaker };
        let first = Pass::first(&data, &testcase.validator_arguments, shown)?;
        passes(validators, first, |pass| {
            let talked = validators.talk(slot, beside, pass, &speaker, idle_ms)?;
            let result = judge_talk(&talked, package, testcase.index, limits)?;
            let feedback = talked.says.map(|accepted| (accepted, talked.feedback));
            Ok((result, feedback))
        })
    })
}

/// As [`judge_all`], for a problem whose validator may ask for further runs.
fn pass_all(
    slot: &mut Confined<'_>,
    program: &Speaker<'_>,
    hosts: Hosts<'_>,
    plan: &mut Plan<'_>,
    limits: &RunLimits,
    record: impl FnMut(u32, TestcaseResult) -> bool,
) -> Result<(), JudgePackageError> {
    let (package, Hosts { validators, shown }) = (plan.package, hosts);
    let may_write = program.command.needs.processes;
    each_alone(slot, plan, may_write, record, |slot, beside, testcase, may_write| {
        let data = testcase.data()?;
        let (command, files) = for_testcase(program.command, program.files, testcase, may_write)?;
        let mut prepared = slot.prepare(&command, &files, false)?;
        let first = Pass::first(&data, &testcase.validator_arguments, shown)?;
        passes(validators, first, |pass| {
            let ran = prepared.run(&pass.input, program.limits)?;
            let (mut feedback, mut stated) = (None, None);
            let verdict = verdict::of(&ran.observation, limits, || {
                let validated = validators.validate(beside, pass, &ran.stdout)?;
                stated = stated_in_pass(package, testcase.index, validated.accepted, &validated.feedback)?;
                feedback = Some((validated.accepted, validated.feedback));
                Ok::<_, JudgePackageError>(validated.accepted)
            })?;
            let said = feedback.as_ref().map(|(_, feedback)| feedback.message()).transpose()?;
            let said = said.filter(|message| !message.is_empty());
            let said = said.unwrap_or_else(|| describe(verdict, &ran, limits));
            Ok((result(&ran, verdict, stated, said)?, feedback))
        })
    })
}

/// Judges what the plan wants one after the other, each in sessions of its own. Whether submissions `may_write` files
/// changes where one dies of that.
fn each_alone(
    slot: &mut Confined<'_>,
    plan: &mut Plan<'_>,
    mut may_write: bool,
    mut record: impl FnMut(u32, TestcaseResult) -> bool,
    mut judge: impl FnMut(
        &mut Confined<'_>,
        &mut Confined<'_>,
        &JudgeTestcase,
        bool,
    ) -> Result<TestcaseResult, JudgePackageError>,
) -> Result<(), JudgePackageError> {
    let (mut slot, companion) = slot.split();
    let mut beside = companion.ok_or(LaunchError::SlotGone)?;
    let mut failures = 0;
    while let Some(testcase) = next(plan, &mut beside)? {
        let judged = judge(&mut slot, &mut beside, testcase, may_write);
        match if_it_counts(judged, testcase, plan, &mut beside) {
            Ok(result) => {
                failures = 0;
                if !may_write && died_of_confinement(plan.package, &result) {
                    may_write = true;
                    continue;
                }
                plan.record(testcase.index, result.case());
                if !record(testcase.index, result) {
                    return Ok(());
                }
            }
            Err(error @ JudgePackageError::Launch(LaunchError::Sandbox(_))) if failures < SANDBOX_RETRIES => {
                tracing::warn!(error = chain(&error), "the sandbox failed; trying again");
                failures += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What came of a testcase. Where the package's programs fail on one that only runs because all are run, that is all that
/// comes of it: the result does not depend on it.
fn if_it_counts(
    judged: Result<TestcaseResult, JudgePackageError>,
    testcase: &JudgeTestcase,
    plan: &mut Plan<'_>,
    beside: &mut Confined<'_>,
) -> Result<TestcaseResult, JudgePackageError> {
    match judged {
        Err(fault) if fault.is_of_testcase() && !plan.counts(testcase.index, beside)? => {
            let fault = fault.told();
            tracing::warn!(testcase = %testcase.name, fault, "a testcase that has no say could not be judged");
            Ok(TestcaseResult::without_run(Verdict::Je, None, &fault))
        }
        judged => judged,
    }
}

/// What a validator gave for a testcase; nothing yet where it asks for another pass.
fn stated_in_pass(
    package: &JudgePackage,
    index: u32,
    accepted: bool,
    feedback: &Feedback,
) -> Result<Option<Stated>, JudgePackageError> {
    if accepted && feedback.asks_for_another_pass() {
        return Ok(None);
    }
    package.stated(index, accepted, &feedback.scores()?)
}

/// Runs a submission on a testcase as often as the validator asks for it. The last pass is the result; time and memory
/// are those of the worst, since the limits hold for each.
fn passes(
    validators: &Validators,
    first: Pass<'_>,
    mut run: impl FnMut(&Pass<'_>) -> Result<(TestcaseResult, Option<(bool, Feedback)>), JudgePackageError>,
) -> Result<TestcaseResult, JudgePackageError> {
    let mut pass = first;
    let mut worst: Option<Observation> = None;
    loop {
        let (mut result, feedback) = run(&pass)?;
        if let Some(before) = worst {
            result.run.cpu_ms = result.run.cpu_ms.max(before.cpu_ms);
            result.run.wall_ms = result.run.wall_ms.max(before.wall_ms);
            result.run.memory_bytes = result.run.memory_bytes.max(before.memory_bytes);
        }
        worst = Some(result.run);
        let next = match feedback {
            Some((accepted, feedback)) => validators.next(&pass, accepted, feedback)?,
            None => None,
        };
        match next.filter(|_| result.verdict == Verdict::Ac) {
            Some(next) => pass = next,
            None if pass.number == 1 => return Ok(result),
            None => {
                let message = format!("pass {}: {}", pass.number, result.message);
                return Ok(TestcaseResult { message: shortened(&message), ..result });
            }
        }
    }
}

/// Judges what came of a dialogue. A validator that refused before the submission ended is believed whatever became
/// of the submission then; otherwise the submission's own end comes first. As problemtools has it.
fn judge_talk(
    talked: &Talked,
    package: &JudgePackage,
    index: u32,
    limits: &RunLimits,
) -> Result<TestcaseResult, JudgePackageError> {
    let mut stated = None;
    let verdict = if talked.says == Some(false) && talked.validator_ended_first {
        package.stated(index, false, &talked.feedback.scores()?)?;
        Verdict::Wa
    } else {
        verdict::of(&talked.ran.observation, limits, || {
            let accepted = talked.says == Some(true);
            stated = stated_in_pass(package, index, accepted, &talked.feedback)?;
            Ok::<_, JudgePackageError>(accepted)
        })?
    };
    let said = Some(talked.feedback.message()?).filter(|message| !message.is_empty());
    let message = match (verdict, said) {
        (Verdict::Ac | Verdict::Wa, Some(said)) => said,
        (_, said) => {
            let said = said.map(|said| format!("; the validator said: {said}")).unwrap_or_default();
            format!("{}{said}", describe(verdict, &talked.ran, limits))
        }
    };
    Ok(result(&talked.ran, verdict, stated, message)?)
}

/// The command that runs a program of this language.
pub fn run_command(language: &Language, program: &[ProgramFile], memory_bytes: u64) -> Command {
    let names: Vec<&str> = program.iter().map(|file| file.name.as_str()).collect();
    Command {
        argv: language.run_argv(&names, memory_bytes),
        env: language.run_env(memory_bytes),
        roots: language.run.roots.clone(),
        needs: language.run.needs.clone(),
        memory_messages: language.run.memory_messages.clone(),
    }
}

/// Judges what came of one testcase. `beside` is where a validator of the package runs, among the files `shown`.
fn judge(
    ran: &Ran,
    package: &JudgePackage,
    testcase: &JudgeTestcase,
    data: &TestcaseData,
    beside: &mut Confined<'_>,
    limits: &RunLimits,
    shown: Option<&[ProgramFile]>,
) -> Result<TestcaseResult, JudgePackageError> {
    let unreadable = |source| LaunchError::Memory { name: "output".to_owned(), source };
    let read = |bytes_max| ran.stdout.read_first(bytes_max).map_err(unreadable);
    let (mut said, mut stated) = (None, None);
    // A flood that was ended for being one is never copied: only the validator needs the whole output in one piece.
    let verdict = verdict::of(&ran.observation, limits, || {
        if let Some(validators) = &package.validators {
            let pass = Pass::first(data, &testcase.validator_arguments, shown)?;
            let validated = validators.validate(beside, &pass, &ran.stdout)?;
            said = Some(validated.feedback.message()?).filter(|message| !message.is_empty());
            stated = package.stated(testcase.index, validated.accepted, &validated.feedback.scores()?)?;
            return Ok(validated.accepted);
        }
        match default_validator::compare(&data.answer, &read(ran.stdout.len())?, &testcase.flags) {
            Comparison::Accepted => {
                package.stated(testcase.index, true, &ScoreFiles::default())?;
                Ok(true)
            }
            Comparison::Wrong { message } => {
                said = Some(message);
                Ok::<_, JudgePackageError>(false)
            }
        }
    })?;
    Ok(result(ran, verdict, stated, said.unwrap_or_else(|| describe(verdict, ran, limits)))?)
}

/// A message as long as an event may carry it.
pub(super) fn shortened(message: &str) -> String {
    text::for_event(message, MESSAGE_JSON_BYTES).0
}

fn result(
    ran: &Ran,
    verdict: Verdict,
    stated: Option<Stated>,
    message: String,
) -> Result<TestcaseResult, LaunchError> {
    let unreadable = |source| LaunchError::Memory { name: "output".to_owned(), source };
    let message = shortened(&message);
    let excerpt = ran.stdout.read_first(EXCERPT_BYTES).map_err(unreadable)?;
    let (output_excerpt, _) = text::for_event(&String::from_utf8_lossy(&excerpt), EXCERPT_JSON_BYTES);
    Ok(TestcaseResult {
        verdict,
        stated,
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

/// What it said of that on standard error, to be put behind how it ended.
fn last_words(stderr: &[u8]) -> String {
    let words = last_words::of(stderr);
    if words.is_empty() { words } else { format!(": {words}") }
}

fn signal_name(signal: u8) -> String {
    nix::sys::signal::Signal::try_from(i32::from(signal))
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}
