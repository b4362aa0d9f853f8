//! The rows of the read model and the keys that they lie under.
//!
//! All keys are in one tree, because sled applies a batch atomically within one tree only. Numbers in keys are
//! big-endian, so that the order of keys is the order of numbers; in the list indexes they are inverted, so that
//! the newest submission comes first.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::domain::event::{CompileOutcome, ProblemPublished};
use crate::domain::ids::{
    ContestId, LanguageId, ProblemId, Sha256Digest, SubmissionId, TestcaseName, UserId, WorkerId,
};
use crate::domain::verdict::{Exit, Verdict};

use super::encoding::Time;

/// A submission with all its judgings.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct SubmissionRow {
    /// Its id.
    pub id: SubmissionId,
    /// The rank of its creation in the history: 1 for the first submission.
    pub rank: u64,
    /// The problem.
    pub problem: ProblemId,
    /// Who submitted.
    pub user: UserId,
    /// In which contest, if in one.
    pub contest: Option<ContestId>,
    /// The language.
    pub language: LanguageId,
    /// The source files in the order they were sent.
    pub sources: Vec<SourceRow>,
    /// When it was submitted.
    pub submitted_at: Time,
    /// The sequence of its first event.
    pub created_sequence: u64,
    /// The sequence of its latest event.
    pub updated_sequence: u64,
    /// When its latest event was recorded.
    pub updated_at: Time,
    /// The number of the judging whose result counts.
    pub effective: u32,
    /// Its judgings in order; the first is number 1.
    pub judgings: Vec<JudgingRow>,
}

impl SubmissionRow {
    /// The judging whose result counts.
    pub fn effective_judging(&self) -> Option<&JudgingRow> {
        self.judgings.get((self.effective as usize).checked_sub(1)?)
    }

    /// The verdict that counts, once there is one; a judging that failed through our fault has JE.
    pub fn verdict(&self) -> Option<Verdict> {
        self.effective_judging().and_then(|judging| judging.verdict)
    }

    /// Whether a judging waits for a worker or is being judged.
    pub fn is_open(&self) -> bool {
        self.judgings.iter().any(|judging| !judging.state.has_ended())
    }
}

/// One source file.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its size.
    pub size_bytes: u64,
}

/// How far a judging has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum JudgingState {
    /// It waits for a worker.
    Queued,
    /// A worker is at it.
    Judging,
    /// It ended with a verdict.
    Judged,
    /// It ended through our fault.
    Failed,
}

impl JudgingState {
    /// Whether nothing more will come.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Judged | Self::Failed)
    }
}

/// One judging.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct JudgingRow {
    /// 1 for the first, one more for each rejudge.
    pub number: u32,
    /// The package revision that it is judged by.
    pub package: Sha256Digest,
    /// How far it has come.
    pub state: JudgingState,
    /// The number of claims so far.
    pub attempt: u32,
    /// The worker of the last claim.
    pub worker: Option<WorkerId>,
    /// The toolchain on that worker.
    pub toolchain: Option<String>,
    /// The confinement layers enforced there.
    pub sandbox_layers: Vec<String>,
    /// When it was first claimed.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// How many testcases are judged.
    pub testcases_judged: u32,
    /// How many there are, once a worker has said so.
    pub testcases_total: u32,
    /// How its compilation ended, once it did.
    pub compile: Option<CompileRow>,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// The score, where the problem gives scores.
    pub score: Option<String>,
    /// The best score that there is, where it is known.
    pub score_best: Option<String>,
    /// The test groups with their results, once there is a verdict.
    pub groups: Vec<GroupRow>,
    /// The largest CPU time so far, in milliseconds.
    pub cpu_ms_max: u64,
    /// The largest peak memory so far, in bytes.
    pub memory_bytes_max: u64,
    /// The first testcase that was not accepted.
    pub first_failing: Option<TestcaseName>,
    /// Why the verdict is what it is, or what went wrong last.
    pub reason: Option<String>,
    /// For a rejudge: who asked for it and why.
    pub requested: Option<(UserId, String)>,
    /// For a rejudge: whether it was applied (true) or discarded (false), once that is decided.
    pub applied: Option<bool>,
}

impl JudgingRow {
    pub(super) fn new(number: u32, package: Sha256Digest) -> Self {
        Self {
            number,
            package,
            state: JudgingState::Queued,
            attempt: 0,
            worker: None,
            toolchain: None,
            sandbox_layers: vec![],
            started_at: None,
            ended_at: None,
            testcases_judged: 0,
            testcases_total: 0,
            compile: None,
            verdict: None,
            score: None,
            score_best: None,
            groups: vec![],
            cpu_ms_max: 0,
            memory_bytes_max: 0,
            first_failing: None,
            reason: None,
            requested: None,
            applied: None,
        }
    }
}

/// How a compilation ended. What the compiler said lies apart: it can be long, and lists do not need it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct CompileRow {
    /// How it ended.
    pub outcome: CompileOutcome,
    /// The command with its flags.
    pub command: Vec<String>,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// Whether the compiler said more than was kept.
    pub diagnostics_truncated: bool,
}

/// The result of one test group.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct GroupRow {
    /// Its name.
    pub group: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its score, where the problem gives scores.
    pub score: Option<String>,
    /// Its best score, where it is known.
    pub score_best: Option<String>,
    /// How many of its testcases were judged.
    pub testcases_judged: u32,
}

/// One judged testcase.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct TestcaseRow {
    /// Its name.
    pub testcase: TestcaseName,
    /// Its place in the order of judging, from 1.
    pub index: u32,
    /// Its test group.
    pub group: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The score, where the problem gives scores.
    pub score: Option<String>,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// How the memory was measured.
    pub memory_meter: String,
    /// How the program ended.
    pub exit: Exit,
    /// Why, in words.
    pub message: String,
    /// The beginning of the output.
    pub output_excerpt: String,
    /// How many bytes it wrote.
    pub output_bytes: u64,
    /// Digest of the output.
    pub output_sha256: Sha256Digest,
    /// When it was recorded.
    pub judged_at: Time,
}

/// The current revision of a problem.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct ProblemRow {
    /// The problem.
    pub problem: ProblemId,
    /// 1 for the first revision.
    pub revision: u32,
    /// Digest of the package.
    pub package: Sha256Digest,
    /// Titles by language tag.
    pub titles: BTreeMap<String, String>,
    /// CPU time per testcase in milliseconds.
    pub time_limit_ms: u64,
    /// Memory per testcase in bytes.
    pub memory_limit_bytes: u64,
    /// Output per testcase in bytes.
    pub output_limit_bytes: u64,
    /// Size of all source files together in bytes.
    pub code_limit_bytes: u64,
    /// How many testcases it has.
    pub testcases_total: u32,
    /// The public samples.
    pub samples: Vec<SampleRow>,
    /// When this revision was published.
    pub published_at: Time,
    /// The sequence of the event that published it.
    pub updated_sequence: u64,
    /// Codes of the languages that may be submitted; none where all may.
    pub languages_allowed: Option<Vec<String>>,
    /// The languages that it has statements in.
    pub statement_languages: Vec<String>,
    /// The files for contestants.
    pub attachments: Vec<String>,
    /// Whether it was verified before it was published, where that is known.
    pub verified: Option<bool>,
}

impl ProblemRow {
    /// The revision that was published by an event at this sequence.
    pub fn of(event: &ProblemPublished, sequence: u64) -> ProblemRow {
        let samples = event.samples.iter().map(|sample| SampleRow {
            testcase: sample.testcase.clone(),
            input: sample.input.sha256,
            answer: sample.answer.sha256,
        });
        ProblemRow {
            problem: event.problem.clone(),
            revision: event.revision,
            package: event.package,
            titles: event.titles.clone(),
            time_limit_ms: event.limits.time_limit_ms,
            memory_limit_bytes: event.limits.memory_limit_bytes,
            output_limit_bytes: event.limits.output_limit_bytes,
            code_limit_bytes: event.limits.code_limit_bytes,
            testcases_total: event.testcases_total,
            samples: samples.collect(),
            published_at: event.published_at.into(),
            updated_sequence: sequence,
            languages_allowed: event.languages_allowed.clone(),
            statement_languages: event.statement_languages.clone(),
            attachments: event.attachments.clone(),
            verified: event.verified,
        }
    }
}

/// One sample: where its input and answer lie.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct SampleRow {
    /// The testcase.
    pub testcase: TestcaseName,
    /// Digest of the input.
    pub input: Sha256Digest,
    /// Digest of the answer.
    pub answer: Sha256Digest,
}

/// The sequence up to which the model is true.
pub(super) const SEQUENCE: &[u8] = b"\0sequence";
/// The id of the event at that sequence: two histories can have the same length.
pub(super) const EVENT: &[u8] = b"\0event";
/// The hash of the code that wrote the rows.
pub(super) const SCHEMA: &[u8] = b"\0schema";
/// How many submissions there are.
pub(super) const SUBMISSIONS: &[u8] = b"\0submissions";

/// Where a submission's row lies.
pub(super) fn submission(id: SubmissionId) -> Vec<u8> {
    [b"s", id.as_bytes().as_slice()].concat()
}

/// Where the submission of a rank is named.
pub(super) fn rank(rank: u64) -> Vec<u8> {
    [b"r", rank.to_be_bytes().as_slice()].concat()
}

/// Where all testcases of a judging lie.
pub(super) fn testcases(id: SubmissionId, judging: u32) -> Vec<u8> {
    [b"t", id.as_bytes().as_slice(), &judging.to_be_bytes()].concat()
}

/// How many testcases lie in one row: writing to sled costs by the key, and a row is written again for each of its
/// testcases that comes alone.
const TESTCASES_PER_ROW: u32 = 32;

/// Which row of a judging's testcases holds the one with this index.
pub(super) fn chunk_of(index: u32) -> u32 {
    index / TESTCASES_PER_ROW
}

/// Where one row of testcases lies.
pub(super) fn testcase_chunk(id: SubmissionId, judging: u32, chunk: u32) -> Vec<u8> {
    [b"t", id.as_bytes().as_slice(), &judging.to_be_bytes(), &chunk.to_be_bytes()].concat()
}

/// Where what the compiler said lies, as plain text.
pub(super) fn diagnostics(id: SubmissionId, judging: u32) -> Vec<u8> {
    [b"c", id.as_bytes().as_slice(), &judging.to_be_bytes()].concat()
}

/// Where a problem lies; without a name, where all problems lie.
pub(super) fn problem(problem: &str) -> Vec<u8> {
    [b"p", problem.as_bytes()].concat()
}

/// One of the lists that submissions are found by.
#[derive(Debug, Clone, Copy)]
pub(super) enum List<'a> {
    All,
    Problem(&'a ProblemId),
    User(&'a UserId),
    Language(&'a LanguageId),
    Verdict(Verdict),
}

impl List<'_> {
    /// What the keys of the list begin with.
    pub(super) fn prefix(self) -> Vec<u8> {
        let (kind, value) = match self {
            Self::All => (b"ia", ""),
            Self::Problem(problem) => (b"ip", problem.as_str()),
            Self::User(user) => (b"iu", user.as_str()),
            Self::Language(language) => (b"il", language.as_str()),
            Self::Verdict(verdict) => (b"iv", verdict.code()),
        };
        [kind, value.as_bytes(), b"\0"].concat()
    }

    /// The key of a submission in the list: by the time it was submitted, then by rank, the newest first.
    pub(super) fn key(self, submitted_at: Time, rank: u64) -> Vec<u8> {
        let mut key = self.prefix();
        key.extend(newest_first(submitted_at.milliseconds()));
        key.extend((!rank).to_be_bytes());
        key
    }
}

/// Milliseconds since 1970 as bytes that sort the other way round.
pub(super) fn newest_first(milliseconds: i64) -> [u8; 8] {
    (!(milliseconds.cast_unsigned() ^ (1 << 63))).to_be_bytes()
}

/// A key in words, for whoever reads of a difference.
pub(super) fn describe(key: &[u8]) -> String {
    let id = |bytes: &[u8]| {
        <[u8; 16]>::try_from(&bytes[..bytes.len().min(16)])
            .map_or_else(|_| hex::encode(bytes), |bytes| SubmissionId::from_bytes(bytes).to_string())
    };
    match key {
        [0, name @ ..] => format!("meta {}", String::from_utf8_lossy(name)),
        [b's', rest @ ..] => format!("submission {}", id(rest)),
        [b'r', rest @ ..] => format!("rank {}", hex::encode(rest)),
        [b't', rest @ ..] => {
            format!(
                "testcases {} of submission {}",
                hex::encode(rest.get(16..).unwrap_or_default()),
                id(rest)
            )
        }
        [b'c', rest @ ..] => format!("diagnostics of submission {}", id(rest)),
        [b'p', rest @ ..] => format!("problem {}", String::from_utf8_lossy(rest)),
        other => format!("key {}", hex::encode(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_put_the_newest_first() {
        let at = |text: &str| Time::from(text.parse::<jiff::Timestamp>().unwrap());
        let (old, new) = (at("1969-12-31T23:59:59Z"), at("2026-01-01T00:00:00Z"));
        let keys = [List::All.key(new, 1), List::All.key(old, 3), List::All.key(old, 2)];
        assert!(keys.is_sorted());
    }
}
