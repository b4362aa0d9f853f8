//! What the API shows: objects made from rows of the read model, and what it takes in.
//!
//! Times are RFC 3339 in UTC. An absent value is left out, never `null`.

use poem_openapi::{Enum, Object};

use crate::domain::event::CompileOutcome;
use crate::domain::verdict::{Exit, Verdict};
use crate::projection::rows::{
    CompileRow, GroupRow, JudgingRow, JudgingState, ProblemRow, SubmissionRow, TestcaseRow,
};

/// A program to judge.
#[derive(Debug, Clone, Object)]
pub(super) struct SubmissionCreate {
    /// The problem, for example `a`.
    pub(super) problem: String,
    /// The language: its code or one of its aliases, for example `cpp17`.
    pub(super) language: String,
    /// The program, where it is one file. Either this or `files`.
    pub(super) code: Option<String>,
    /// The program's files, the main one first. Either this or `code`.
    pub(super) files: Option<Vec<SourceCreate>>,
    /// Who submits; `anonymous` where nobody is named.
    pub(super) user: Option<String>,
    /// In which contest, if in one.
    pub(super) contest: Option<String>,
}

/// A source file to judge.
#[derive(Debug, Clone, Object)]
pub(super) struct SourceCreate {
    /// Its name: letters, digits, `_`, `-` and `.`, at most 100 characters, not beginning with `.` or `-`.
    pub(super) name: String,
    /// Its content.
    pub(super) content: String,
}

/// A submission that was recorded.
#[derive(Debug, Clone, Object)]
pub(super) struct SubmissionAccepted {
    /// Its id.
    pub(super) id: String,
    /// The problem.
    pub(super) problem: String,
    /// The language's code.
    pub(super) language: String,
    /// Who submitted.
    pub(super) user: String,
    /// When it was submitted.
    pub(super) submitted_at: String,
    /// The sequence of the event in the history: pass it as `min_seq` to read what you wrote.
    pub(super) sequence: u64,
}

/// How far a submission has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum SubmissionState {
    /// It waits for a worker.
    Queued,
    /// A worker is at it.
    Judging,
    /// It has a verdict.
    Judged,
    /// It could not be judged, through our fault.
    Failed,
}

impl From<JudgingState> for SubmissionState {
    fn from(state: JudgingState) -> Self {
        match state {
            JudgingState::Queued => Self::Queued,
            JudgingState::Judging => Self::Judging,
            JudgingState::Judged => Self::Judged,
            JudgingState::Failed => Self::Failed,
        }
    }
}

/// A verdict code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(super) enum VerdictCode {
    Ac,
    Wa,
    Pe,
    Tle,
    Wtl,
    Ile,
    Mle,
    Ole,
    Rte,
    Ce,
    Ctl,
    Sv,
    Sc,
    Pa,
    Je,
}

impl From<Verdict> for VerdictCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ac => Self::Ac,
            Verdict::Wa => Self::Wa,
            Verdict::Pe => Self::Pe,
            Verdict::Tle => Self::Tle,
            Verdict::Wtl => Self::Wtl,
            Verdict::Ile => Self::Ile,
            Verdict::Mle => Self::Mle,
            Verdict::Ole => Self::Ole,
            Verdict::Rte => Self::Rte,
            Verdict::Ce => Self::Ce,
            Verdict::Ctl => Self::Ctl,
            Verdict::Sv => Self::Sv,
            Verdict::Sc => Self::Sc,
            Verdict::Pa => Self::Pa,
            Verdict::Je => Self::Je,
        }
    }
}

impl From<VerdictCode> for Verdict {
    fn from(code: VerdictCode) -> Self {
        match code {
            VerdictCode::Ac => Self::Ac,
            VerdictCode::Wa => Self::Wa,
            VerdictCode::Pe => Self::Pe,
            VerdictCode::Tle => Self::Tle,
            VerdictCode::Wtl => Self::Wtl,
            VerdictCode::Ile => Self::Ile,
            VerdictCode::Mle => Self::Mle,
            VerdictCode::Ole => Self::Ole,
            VerdictCode::Rte => Self::Rte,
            VerdictCode::Ce => Self::Ce,
            VerdictCode::Ctl => Self::Ctl,
            VerdictCode::Sv => Self::Sv,
            VerdictCode::Sc => Self::Sc,
            VerdictCode::Pa => Self::Pa,
            VerdictCode::Je => Self::Je,
        }
    }
}

/// A submission.
#[derive(Debug, Clone, Object)]
pub(super) struct Submission {
    /// Its id.
    pub(super) id: String,
    /// Its number: the rank of its creation in the history, 1 for the first.
    pub(super) number: u64,
    /// The problem.
    pub(super) problem: String,
    /// Who submitted.
    pub(super) user: String,
    /// In which contest, if in one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) contest: Option<String>,
    /// The language's code.
    pub(super) language: String,
    /// When it was submitted.
    pub(super) submitted_at: String,
    /// When something last happened to it.
    pub(super) updated_at: String,
    /// The sequence of the first event of its history.
    pub(super) created_sequence: u64,
    /// The sequence of the latest event of its history.
    pub(super) updated_sequence: u64,
    pub(super) state: SubmissionState,
    /// The verdict, once there is one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) verdict: Option<VerdictCode>,
    /// The judgement type of the ICPC Contest API, once there is a verdict.
    #[oai(skip_serializing_if_is_none)]
    pub(super) icpc_judgement_type: Option<String>,
    /// Why, in words.
    #[oai(skip_serializing_if_is_none)]
    pub(super) reason: Option<String>,
    /// The score as an exact decimal, where the problem gives scores.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score: Option<String>,
    /// The best score that there is, where it is known.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score_best: Option<String>,
    /// The largest CPU time over the testcases so far, in milliseconds.
    pub(super) cpu_ms_max: u64,
    /// The largest peak memory over the testcases so far, in bytes.
    pub(super) memory_bytes_max: u64,
    /// The first testcase that was not accepted.
    #[oai(skip_serializing_if_is_none)]
    pub(super) first_failing: Option<String>,
    /// How many testcases are judged.
    pub(super) testcases_judged: u32,
    /// How many there are, once a worker has claimed the judging.
    pub(super) testcases_total: u32,
    /// The number of the judging whose result this is: 1 for the first.
    pub(super) judging: u32,
}

impl From<&SubmissionRow> for Submission {
    fn from(row: &SubmissionRow) -> Self {
        let judging = row.effective_judging();
        let verdict = row.verdict();
        Self {
            id: row.id.to_string(),
            number: row.rank,
            problem: row.problem.to_string(),
            user: row.user.to_string(),
            contest: row.contest.as_ref().map(ToString::to_string),
            language: row.language.to_string(),
            submitted_at: row.submitted_at.timestamp().to_string(),
            updated_at: row.updated_at.timestamp().to_string(),
            created_sequence: row.created_sequence,
            updated_sequence: row.updated_sequence,
            state: judging.map_or(JudgingState::Queued, |judging| judging.state).into(),
            verdict: verdict.map(Into::into),
            icpc_judgement_type: verdict.map(|verdict| verdict.icpc().to_owned()),
            reason: judging.and_then(|judging| judging.reason.clone()),
            score: judging.and_then(|judging| judging.score.clone()),
            score_best: judging.and_then(|judging| judging.score_best.clone()),
            cpu_ms_max: judging.map_or(0, |judging| judging.cpu_ms_max),
            memory_bytes_max: judging.map_or(0, |judging| judging.memory_bytes_max),
            first_failing: judging
                .and_then(|judging| judging.first_failing.as_ref().map(ToString::to_string)),
            testcases_judged: judging.map_or(0, |judging| judging.testcases_judged),
            testcases_total: judging.map_or(0, |judging| judging.testcases_total),
            judging: row.effective,
        }
    }
}

/// A submission with everything that is known of it.
#[derive(Debug, Clone, Object)]
pub(super) struct SubmissionDetail {
    pub(super) submission: Submission,
    /// Its source files.
    pub(super) sources: Vec<Source>,
    /// Its judgings in order; the first is number 1.
    pub(super) judgings: Vec<Judging>,
    /// The sequence of the history that this is true at.
    pub(super) sequence: u64,
}

/// A source file.
#[derive(Debug, Clone, Object)]
pub(super) struct Source {
    /// Its name.
    pub(super) name: String,
    /// SHA-256 of its bytes.
    pub(super) sha256: String,
    /// How many bytes.
    pub(super) size_bytes: u64,
}

/// One attempt to judge a submission; a rejudge makes another.
#[derive(Debug, Clone, Object)]
pub(super) struct Judging {
    /// 1 for the first, one more for each rejudge.
    pub(super) number: u32,
    /// SHA-256 of the package revision that it is judged by.
    pub(super) package_sha256: String,
    pub(super) state: SubmissionState,
    /// How often a worker has claimed it.
    pub(super) attempt: u32,
    /// The worker that claimed it last.
    #[oai(skip_serializing_if_is_none)]
    pub(super) worker: Option<String>,
    /// The language's toolchain on that worker.
    #[oai(skip_serializing_if_is_none)]
    pub(super) toolchain: Option<String>,
    /// The confinement layers that the worker's sandbox enforces.
    pub(super) sandbox_layers: Vec<String>,
    /// When it was first claimed.
    #[oai(skip_serializing_if_is_none)]
    pub(super) started_at: Option<String>,
    /// When it ended.
    #[oai(skip_serializing_if_is_none)]
    pub(super) ended_at: Option<String>,
    /// The compilation, once it ended.
    #[oai(skip_serializing_if_is_none)]
    pub(super) compilation: Option<Compilation>,
    /// The verdict, once there is one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) verdict: Option<VerdictCode>,
    /// Why, in words.
    #[oai(skip_serializing_if_is_none)]
    pub(super) reason: Option<String>,
    /// The score as a decimal, where the problem gives scores.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score: Option<String>,
    /// The best score that there is, where it is known.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score_best: Option<String>,
    /// The test groups with their verdicts, once there is a verdict. Where the problem gives scores, all of them, parents
    /// before children; a group that was not run has the verdict SC.
    pub(super) groups: Vec<Group>,
    /// The judged testcases in order.
    pub(super) testcases: Vec<Testcase>,
    /// For a rejudge: whether its result counts, once that is decided.
    #[oai(skip_serializing_if_is_none)]
    pub(super) applied: Option<bool>,
}

impl Judging {
    /// A judging with its testcases and what the compiler said.
    pub(super) fn new(row: &JudgingRow, testcases: &[TestcaseRow], diagnostics: Option<String>) -> Self {
        let time = |time: crate::projection::Time| time.timestamp().to_string();
        Self {
            number: row.number,
            package_sha256: row.package.to_string(),
            state: row.state.into(),
            attempt: row.attempt,
            worker: row.worker.as_ref().map(ToString::to_string),
            toolchain: row.toolchain.clone(),
            sandbox_layers: row.sandbox_layers.clone(),
            started_at: row.started_at.map(time),
            ended_at: row.ended_at.map(time),
            compilation: row
                .compile
                .as_ref()
                .map(|compile| Compilation::new(compile, diagnostics.unwrap_or_default())),
            verdict: row.verdict.map(Into::into),
            reason: row.reason.clone(),
            score: row.score.clone(),
            score_best: row.score_best.clone(),
            groups: row.groups.iter().map(Into::into).collect(),
            testcases: testcases.iter().map(Into::into).collect(),
            applied: row.applied,
        }
    }
}

/// How a compilation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum CompilationOutcome {
    /// There is something to run.
    Succeeded,
    /// The compiler refused the program.
    Failed,
    /// The compiler passed one of its limits.
    LimitExceeded,
}

/// A compilation.
#[derive(Debug, Clone, Object)]
pub(super) struct Compilation {
    pub(super) outcome: CompilationOutcome,
    /// The command with its flags.
    pub(super) command: Vec<String>,
    /// CPU time of the compiler and all its children, in milliseconds.
    pub(super) cpu_ms: u64,
    /// Wall time, in milliseconds.
    pub(super) wall_ms: u64,
    /// Peak memory, in bytes.
    pub(super) memory_bytes: u64,
    /// What the compiler said, at most 64 KiB.
    pub(super) diagnostics: String,
    /// Whether it said more.
    pub(super) diagnostics_truncated: bool,
}

impl Compilation {
    fn new(row: &CompileRow, diagnostics: String) -> Self {
        Self {
            outcome: match row.outcome {
                CompileOutcome::Succeeded => CompilationOutcome::Succeeded,
                CompileOutcome::Failed => CompilationOutcome::Failed,
                CompileOutcome::LimitExceeded => CompilationOutcome::LimitExceeded,
            },
            command: row.command.clone(),
            cpu_ms: row.cpu_ms,
            wall_ms: row.wall_ms,
            memory_bytes: row.memory_bytes,
            diagnostics,
            diagnostics_truncated: row.diagnostics_truncated,
        }
    }
}

/// The result of one test group.
#[derive(Debug, Clone, Object)]
pub(super) struct Group {
    /// Its name.
    pub(super) name: String,
    pub(super) verdict: VerdictCode,
    /// Its score as an exact decimal, where the problem gives scores.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score: Option<String>,
    /// Its best score, where it is known.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score_best: Option<String>,
    /// How many of its testcases were judged.
    pub(super) testcases_judged: u32,
}

impl From<&GroupRow> for Group {
    fn from(row: &GroupRow) -> Self {
        Self {
            name: row.group.clone(),
            verdict: row.verdict.into(),
            score: row.score.clone(),
            score_best: row.score_best.clone(),
            testcases_judged: row.testcases_judged,
        }
    }
}

/// One judged testcase.
#[derive(Debug, Clone, Object)]
pub(super) struct Testcase {
    /// Its name, for example `secret/03`.
    pub(super) name: String,
    /// Its place in the order of judging, from 1.
    pub(super) index: u32,
    /// Its test group.
    pub(super) group: String,
    pub(super) verdict: VerdictCode,
    /// The score as an exact decimal, where the problem gives scores.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score: Option<String>,
    /// CPU time of the whole process tree, in milliseconds, rounded up.
    pub(super) cpu_ms: u64,
    /// Wall time, in milliseconds.
    pub(super) wall_ms: u64,
    /// Peak memory of the whole process tree, in bytes.
    pub(super) memory_bytes: u64,
    /// How the memory was measured.
    pub(super) memory_meter: String,
    /// The exit code, where it exited.
    #[oai(skip_serializing_if_is_none)]
    pub(super) exit_code: Option<u8>,
    /// The signal number, where a signal ended it.
    #[oai(skip_serializing_if_is_none)]
    pub(super) signal: Option<u8>,
    /// How many bytes it wrote.
    pub(super) output_bytes: u64,
    /// When it was recorded.
    pub(super) judged_at: String,
}

impl From<&TestcaseRow> for Testcase {
    fn from(row: &TestcaseRow) -> Self {
        let (exit_code, signal) = match row.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        Self {
            name: row.testcase.to_string(),
            index: row.index,
            group: row.group.clone(),
            verdict: row.verdict.into(),
            score: row.score.clone(),
            cpu_ms: row.cpu_ms,
            wall_ms: row.wall_ms,
            memory_bytes: row.memory_bytes,
            memory_meter: row.memory_meter.clone(),
            exit_code,
            signal,
            output_bytes: row.output_bytes,
            judged_at: row.judged_at.timestamp().to_string(),
        }
    }
}

/// One page of submissions, the newest first.
#[derive(Debug, Clone, Object)]
pub(super) struct SubmissionPage {
    /// The submissions.
    pub(super) items: Vec<Submission>,
    /// Pass it as `after` for the next page; left out on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) next_after: Option<String>,
    /// The sequence of the history that this is true at.
    pub(super) sequence: u64,
}

/// A problem as lists show it.
#[derive(Debug, Clone, Object)]
pub(super) struct ProblemSummary {
    /// Its short name.
    pub(super) id: String,
    /// Its title in English where there is one, else in the first language that there is.
    pub(super) title: String,
    /// Titles by language.
    pub(super) titles: Vec<Title>,
    /// CPU time per testcase, in milliseconds.
    pub(super) time_limit_ms: u64,
    /// Memory per testcase, in bytes.
    pub(super) memory_limit_bytes: u64,
    /// Output per testcase, in bytes.
    pub(super) output_limit_bytes: u64,
    /// All source files together, in bytes.
    pub(super) code_limit_bytes: u64,
    /// How many testcases it has.
    pub(super) testcases_total: u32,
    /// The revision that new submissions are judged by: 1 for the first.
    pub(super) revision: u32,
    /// SHA-256 of that revision's package.
    pub(super) package_sha256: String,
    /// When that revision was published.
    pub(super) published_at: String,
    /// Codes of the languages that may be submitted, as the package states them; absent where all may.
    #[oai(skip_serializing_if_is_none)]
    pub(super) languages_allowed: Option<Vec<String>>,
    /// The languages that there are statements in.
    pub(super) statement_languages: Vec<String>,
    /// Names of the files for contestants, for `/v1/problems/{id}/attachments/{name}`.
    pub(super) attachments: Vec<String>,
    /// Whether the jury's accepted submissions were seen to be accepted before it was published; absent where that is
    /// not known.
    #[oai(skip_serializing_if_is_none)]
    pub(super) verified: Option<bool>,
}

/// A title in one language.
#[derive(Debug, Clone, Object)]
pub(super) struct Title {
    /// The language, for example `en`.
    pub(super) language: String,
    /// The title.
    pub(super) title: String,
}

impl From<&ProblemRow> for ProblemSummary {
    fn from(row: &ProblemRow) -> Self {
        let title = row.titles.get("en").or_else(|| row.titles.values().next());
        let titles = row
            .titles
            .iter()
            .map(|(language, title)| Title { language: language.clone(), title: title.clone() });
        Self {
            id: row.problem.to_string(),
            title: title.cloned().unwrap_or_else(|| row.problem.to_string()),
            titles: titles.collect(),
            time_limit_ms: row.time_limit_ms,
            memory_limit_bytes: row.memory_limit_bytes,
            output_limit_bytes: row.output_limit_bytes,
            code_limit_bytes: row.code_limit_bytes,
            testcases_total: row.testcases_total,
            revision: row.revision,
            package_sha256: row.package.to_string(),
            published_at: row.published_at.timestamp().to_string(),
            languages_allowed: row.languages_allowed.clone(),
            statement_languages: row.statement_languages.clone(),
            attachments: row.attachments.clone(),
            verified: row.verified,
        }
    }
}

/// A revision that was published.
#[derive(Debug, Clone, Object)]
pub(super) struct PackagePublished {
    /// The problem.
    pub(super) id: String,
    /// The revision: 1 for the first.
    pub(super) revision: u32,
    /// SHA-256 of its package's canonical content.
    pub(super) package_sha256: String,
    /// Size of that content in bytes.
    pub(super) package_bytes: u64,
    /// How many testcases it has.
    pub(super) testcases_total: u32,
    /// Whether the jury's accepted submissions were seen to be accepted before it was published; absent where that is
    /// not known.
    #[oai(skip_serializing_if_is_none)]
    pub(super) verified: Option<bool>,
    /// What is odd about the package, and what was assumed.
    pub(super) warnings: Vec<PackageWarning>,
    /// The sequence of its event in the history.
    pub(super) sequence: u64,
}

/// Something odd about a package.
#[derive(Debug, Clone, Object)]
pub(super) struct PackageWarning {
    /// The file, from the package's root.
    pub(super) file: String,
    /// The line, where one is to blame.
    #[oai(skip_serializing_if_is_none)]
    pub(super) line: Option<u64>,
    /// What, and what was assumed.
    pub(super) what: String,
}

/// All problems.
#[derive(Debug, Clone, Object)]
pub(super) struct ProblemList {
    /// The problems by name.
    pub(super) items: Vec<ProblemSummary>,
    /// The sequence of the history that this is true at.
    pub(super) sequence: u64,
}

/// A problem with its samples.
#[derive(Debug, Clone, Object)]
pub(super) struct ProblemDetail {
    pub(super) problem: ProblemSummary,
    /// The public samples in order.
    pub(super) samples: Vec<SampleCase>,
    /// The sequence of the history that this is true at.
    pub(super) sequence: u64,
}

/// One public sample.
#[derive(Debug, Clone, Object)]
pub(super) struct SampleCase {
    /// Its name, for example `sample/1`.
    pub(super) name: String,
    /// What a program reads; whatever is not UTF-8 is replaced.
    pub(super) input: String,
    /// What the jury answers.
    pub(super) answer: String,
}

/// A language that can be submitted in.
#[derive(Debug, Clone, Object)]
pub(super) struct LanguageInfo {
    /// Its code, for example `cpp17`.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Other names that are understood.
    pub(super) aliases: Vec<String>,
    /// Endings of file names.
    pub(super) extensions: Vec<String>,
    /// How a single source file is named.
    pub(super) source_name: String,
    /// Whether a worker that is here now judges it.
    pub(super) offered: bool,
    /// The versions of its toolchain on the workers that are here now.
    pub(super) toolchains: Vec<String>,
}

/// All languages.
#[derive(Debug, Clone, Object)]
pub(super) struct LanguageList {
    /// The languages by code.
    pub(super) items: Vec<LanguageInfo>,
}

/// A worker that is here now.
#[derive(Debug, Clone, Object)]
pub(super) struct WorkerInfo {
    /// Its name.
    pub(super) id: String,
    /// The host that it runs on.
    pub(super) host: String,
    /// How many submissions it judges at once.
    pub(super) slots: u32,
    /// How many it is judging now.
    pub(super) busy_slots: u32,
    /// The languages that it judges.
    pub(super) languages: Vec<WorkerLanguage>,
    /// The confinement layers that its sandbox enforces.
    pub(super) sandbox_layers: Vec<String>,
    /// When it started.
    pub(super) started_at: String,
    /// Whether it is about to stop.
    pub(super) stopping: bool,
}

/// A language on a worker.
#[derive(Debug, Clone, Object)]
pub(super) struct WorkerLanguage {
    /// The language's code.
    pub(super) language: String,
    /// The version of its toolchain.
    pub(super) toolchain: String,
}

/// All workers that are here now.
#[derive(Debug, Clone, Object)]
pub(super) struct WorkerList {
    /// The workers by name.
    pub(super) items: Vec<WorkerInfo>,
}
