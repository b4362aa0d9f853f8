//! The facts of the history: one struct per event type, in the past tense.
//!
//! These types are the source of the JSON Schemas in `streams/schema/`. A released type may only gain optional
//! fields; anything else is a new type with the next version and an upcaster. Envelope attributes (id, time,
//! source) are CloudEvents' and lie in [`Envelope`]; where the bytes go is the store's business.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{
    ContestId, LanguageId, ProblemId, RoutingClass, Sha256Digest, SubmissionId, TestcaseName, UserId,
    WorkerId,
};
use super::verdict::{Exit, Verdict};

/// A fact of the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is documented at its struct")]
pub enum Event {
    ProblemPublished(ProblemPublished),
    SubmissionCreated(SubmissionCreated),
    JudgingStarted(JudgingStarted),
    CompileFinished(CompileFinished),
    TestcaseJudged(TestcaseJudged),
    VerdictIssued(VerdictIssued),
    JudgingFailed(JudgingFailed),
    RejudgeRequested(RejudgeRequested),
    RejudgeApplied(RejudgeApplied),
    RejudgeDiscarded(RejudgeDiscarded),
}

/// Calls `$macro!(variant name, CloudEvents type)` for every event type: the one list of them.
#[macro_export]
macro_rules! for_each_event_type {
    ($macro:ident) => {
        $macro! {
            ProblemPublished => "assize.problem_published.v1",
            SubmissionCreated => "assize.submission_created.v1",
            JudgingStarted => "assize.judging_started.v1",
            CompileFinished => "assize.compile_finished.v1",
            TestcaseJudged => "assize.testcase_judged.v1",
            VerdictIssued => "assize.verdict_issued.v1",
            JudgingFailed => "assize.judging_failed.v1",
            RejudgeRequested => "assize.rejudge_requested.v1",
            RejudgeApplied => "assize.rejudge_applied.v1",
            RejudgeDiscarded => "assize.rejudge_discarded.v1",
        }
    };
}

/// An event that cannot be read: an unknown type or version, or data that does not fit its type.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// A type (or a version of one) that this build does not know.
    #[error("unknown event type `{0}`")]
    UnknownType(String),
    /// Data that is not what the type says.
    #[error("the data of a `{type_name}` event does not fit its schema")]
    Data {
        /// The CloudEvents type.
        type_name: String,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! event_types {
    ($($variant:ident => $type_name:literal,)*) => {
        impl Event {
            /// Every CloudEvents type that this build writes and reads.
            pub const TYPES: &'static [&'static str] = &[$($type_name),*];

            /// The CloudEvents type, for example `assize.verdict_issued.v1`.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $type_name,)*
                }
            }

            /// The event from its CloudEvents type and the JSON of its data.
            pub fn from_json(type_name: &str, data: &[u8]) -> Result<Self, UnreadableEvent> {
                match type_name {
                    $($type_name => serde_json::from_slice(data).map(Self::$variant).map_err(|source| {
                        UnreadableEvent::Data { type_name: type_name.to_owned(), source }
                    }),)*
                    _ => Err(UnreadableEvent::UnknownType(type_name.to_owned())),
                }
            }

            /// The JSON Schema (draft 2020-12) of the data of each type.
            pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($type_name, schemars::schema_for!($variant))),*]
            }
        }

        $(impl From<$variant> for Event {
            fn from(event: $variant) -> Self {
                Self::$variant(event)
            }
        })*
    };
}
for_each_event_type!(event_types);

impl Event {
    /// The deterministic event id: the same fact has the same id however often it is written, so that a retried
    /// append is recognised.
    pub fn id(&self) -> String {
        match self {
            Self::ProblemPublished(e) => format!("problem.{}.published.{}", e.problem, e.revision),
            Self::SubmissionCreated(e) => format!("{}.created", e.submission),
            Self::JudgingStarted(e) => format!("{}.{}.started.{}", e.submission, e.judging, e.attempt),
            Self::CompileFinished(e) => format!("{}.{}.compiled", e.submission, e.judging),
            Self::TestcaseJudged(e) => format!("{}.{}.testcase.{}", e.submission, e.judging, e.index),
            Self::VerdictIssued(e) => format!("{}.{}.verdict", e.submission, e.judging),
            Self::JudgingFailed(e) => format!("{}.{}.failed.{}", e.submission, e.judging, e.attempt),
            Self::RejudgeRequested(e) => format!("{}.{}.requested", e.submission, e.judging),
            Self::RejudgeApplied(e) => format!("{}.{}.applied", e.submission, e.judging),
            Self::RejudgeDiscarded(e) => format!("{}.{}.discarded", e.submission, e.judging),
        }
    }

    /// The submission that the event is about, if it is about one.
    pub fn submission(&self) -> Option<SubmissionId> {
        match self {
            Self::ProblemPublished(_) => None,
            Self::SubmissionCreated(e) => Some(e.submission),
            Self::JudgingStarted(e) => Some(e.submission),
            Self::CompileFinished(e) => Some(e.submission),
            Self::TestcaseJudged(e) => Some(e.submission),
            Self::VerdictIssued(e) => Some(e.submission),
            Self::JudgingFailed(e) => Some(e.submission),
            Self::RejudgeRequested(e) => Some(e.submission),
            Self::RejudgeApplied(e) => Some(e.submission),
            Self::RejudgeDiscarded(e) => Some(e.submission),
        }
    }
}

/// An event with its CloudEvents attributes, as it is appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The deterministic id of [`Event::id`].
    pub id: String,
    /// When it was recorded.
    pub time: Timestamp,
    /// Which part recorded it, for example `/assize/worker/w1`.
    pub source: String,
    /// The id of the event that led to this one, if one did.
    pub causation: Option<String>,
    /// The W3C trace context of the request that led to it, if there was one.
    pub traceparent: Option<String>,
    /// The fact.
    pub event: Event,
}

/// An event in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its sequence in the event stream, from 1.
    pub sequence: u64,
    /// The event.
    pub envelope: Envelope,
}

/// A problem package was published: from now on new submissions are judged by this revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemPublished {
    /// The problem.
    pub problem: ProblemId,
    /// 1 for the first revision, one more for each later one.
    pub revision: u32,
    /// SHA-256 of the package's canonical content (a tar whose order, times and modes are fixed).
    pub package: Sha256Digest,
    /// Size of the canonical content in bytes.
    pub package_bytes: u64,
    /// The object that holds the canonical content, compressed with zstd.
    pub object: ObjectLocation,
    /// Titles by language tag, for example `en`.
    pub titles: BTreeMap<String, String>,
    /// The limits that submissions are judged by.
    pub limits: ProblemLimits,
    /// How many testcases it has.
    pub testcases_total: u32,
    /// The public samples, in order.
    pub samples: Vec<Sample>,
    /// When it was published.
    pub published_at: Timestamp,
    /// Codes of the languages that may be submitted, as the package states them; absent where all may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages_allowed: Option<Vec<String>>,
    /// The languages that it has statements in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statement_languages: Vec<String>,
    /// Paths below `attachments/` of the files for contestants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// Whether its accepted jury submissions were seen to be accepted before it was published; absent where nobody
    /// noted whether they were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// Where an object lies in the JetStream object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectLocation {
    /// The bucket.
    pub bucket: String,
    /// The object's name.
    pub name: String,
}

/// The limits of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemLimits {
    /// CPU time per testcase, in milliseconds.
    pub time_limit_ms: u64,
    /// Memory per testcase, in bytes.
    pub memory_limit_bytes: u64,
    /// Output per testcase, in bytes.
    pub output_limit_bytes: u64,
    /// Size of all source files together, in bytes.
    pub code_limit_bytes: u64,
}

/// One sample testcase of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Its name, for example `sample/1`.
    pub testcase: TestcaseName,
    /// Its input.
    pub input: BlobRef,
    /// Its answer.
    pub answer: BlobRef,
}

/// Bytes that lie in the write-once blob stream under their digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobRef {
    /// SHA-256 of the bytes.
    pub sha256: Sha256Digest,
    /// How many bytes.
    pub size_bytes: u64,
}

/// A person submitted a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmissionCreated {
    /// The submission.
    pub submission: SubmissionId,
    /// The problem that it is for.
    pub problem: ProblemId,
    /// The package revision that it is judged by.
    pub package: Sha256Digest,
    /// Who submitted.
    pub user: UserId,
    /// In which contest, if in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<ContestId>,
    /// In which language.
    pub language: LanguageId,
    /// Which workers can judge it.
    pub routing_class: RoutingClass,
    /// The source files, in the order they were sent.
    pub sources: Vec<SourceFile>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// The client's idempotency key, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// One source file of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// Its name as it is compiled.
    pub name: String,
    /// Its bytes.
    #[serde(flatten)]
    pub blob: BlobRef,
}

/// A worker claimed a judging. From here on every writer that saw less conflicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgingStarted {
    /// The submission.
    pub submission: SubmissionId,
    /// Which judging of the submission: 1 for the first, one more for each rejudge.
    pub judging: u32,
    /// Which claim of this judging: 1 for the first, one more each time a worker takes it over.
    pub attempt: u32,
    /// The worker that claimed it.
    pub worker: WorkerId,
    /// The language's toolchain on that worker, as its version probe printed it.
    pub toolchain: String,
    /// The confinement layers that the worker's sandbox enforces.
    pub sandbox_layers: Vec<String>,
    /// The package revision that it is judged by.
    pub package: Sha256Digest,
    /// How many testcases there are to judge.
    pub testcases_total: u32,
    /// When it was claimed.
    pub started_at: Timestamp,
}

/// How a compilation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompileOutcome {
    /// There is something to run.
    Succeeded,
    /// The compiler refused the program.
    Failed,
    /// The compiler passed one of its limits.
    LimitExceeded,
}

/// A submission was compiled, or checked where its language has no compiler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompileFinished {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging.
    pub judging: u32,
    /// The claim.
    pub attempt: u32,
    /// How it ended.
    pub outcome: CompileOutcome,
    /// The toolchain's version.
    pub toolchain: String,
    /// The command with its flags.
    pub command: Vec<String>,
    /// CPU time of the compiler and all its children, in milliseconds.
    pub cpu_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_ms: u64,
    /// Peak memory, in bytes.
    pub memory_bytes: u64,
    /// What the compiler said, at most 64 KiB of valid UTF-8.
    pub diagnostics: String,
    /// Whether the compiler said more than that.
    pub diagnostics_truncated: bool,
    /// SHA-256 of the artifact, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Sha256Digest>,
}

/// One testcase was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestcaseJudged {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging.
    pub judging: u32,
    /// The claim.
    pub attempt: u32,
    /// The testcase.
    pub testcase: TestcaseName,
    /// Its place in the order of judging, from 1.
    pub index: u32,
    /// The test group that it belongs to, for example `sample`.
    pub group: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The score as a decimal, where the testcase gives points: exact, or rounded to twelve places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The score that the package's validator gave, as an exact decimal. With the rules of the package, it or the next
    /// one makes the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator_score: Option<String>,
    /// The part of the testcase's points that the package's validator gave, as an exact decimal from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator_score_multiplier: Option<String>,
    /// CPU time of the whole process tree, user and system, in milliseconds, rounded up.
    pub cpu_ms: u64,
    /// Wall time, in milliseconds, rounded up.
    pub wall_ms: u64,
    /// Peak memory of the whole process tree, in bytes.
    pub memory_bytes: u64,
    /// How the memory was measured.
    pub memory_meter: String,
    /// How the program ended.
    pub exit: Exit,
    /// Why, in words, at most 1 KiB of valid UTF-8.
    pub message: String,
    /// The beginning of the output, at most 256 bytes, with whatever is not UTF-8 replaced.
    pub output_excerpt: String,
    /// How many bytes it wrote.
    pub output_bytes: u64,
    /// SHA-256 of the output.
    pub output_sha256: Sha256Digest,
}

/// A judging ended with a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictIssued {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging.
    pub judging: u32,
    /// The claim.
    pub attempt: u32,
    /// The problem.
    pub problem: ProblemId,
    /// Who submitted.
    pub user: UserId,
    /// The language.
    pub language: LanguageId,
    /// The verdict.
    pub verdict: Verdict,
    /// The judgement type of the ICPC Contest API.
    pub icpc_judgement_type: String,
    /// The score as an exact decimal, where the problem gives scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The best score that there is, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_best: Option<String>,
    /// The test groups with their verdicts, in order.
    pub groups: Vec<GroupResult>,
    /// The largest CPU time over the testcases, in milliseconds.
    pub cpu_ms_max: u64,
    /// The largest peak memory over the testcases, in bytes.
    pub memory_bytes_max: u64,
    /// The first testcase that was not accepted, if one was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failing: Option<TestcaseName>,
    /// How many testcases were judged.
    pub testcases_judged: u32,
    /// How many there are.
    pub testcases_total: u32,
    /// Why, in words.
    pub reason: String,
}

/// The result of one test group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupResult {
    /// The group's name.
    pub group: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its score as an exact decimal, where the problem gives scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// Its best score, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_best: Option<String>,
    /// How many of its testcases were judged.
    pub testcases_judged: u32,
}

/// An attempt at a judging failed through our fault, never the contestant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgingFailed {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging.
    pub judging: u32,
    /// The claim that failed.
    pub attempt: u32,
    /// What went wrong.
    pub cause: String,
    /// Whether another attempt follows; if not, the judging has ended as a judging error (JE).
    pub will_retry: bool,
}

/// Somebody asked for another judging of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejudgeRequested {
    /// The submission.
    pub submission: SubmissionId,
    /// The number of the new judging.
    pub judging: u32,
    /// The package revision that it is to be judged by.
    pub package: Sha256Digest,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: UserId,
}

/// The result of a rejudge became the submission's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejudgeApplied {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging that counts from now on.
    pub judging: u32,
    /// Who applied it.
    pub applied_by: UserId,
}

/// The result of a rejudge was put aside; it stays in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejudgeDiscarded {
    /// The submission.
    pub submission: SubmissionId,
    /// The judging that does not count.
    pub judging: u32,
    /// Who discarded it.
    pub discarded_by: UserId,
}
