//! The fold: what each event does to the rows. Deterministic: no clock, no randomness, nothing but the event and
//! the rows, so that the same history always gives the same bytes.

use crate::domain::event::{Event, SubmissionCreated};
use crate::domain::ids::SubmissionId;
use crate::domain::verdict::Verdict;
use crate::store::StoredEvent;

use super::encoding::Time;
use super::model::{Draft, ModelError};
use super::rows::{
    self, CompileRow, GroupRow, JudgingRow, JudgingState, List, ProblemRow, SourceRow, SubmissionRow,
    TestcaseRow,
};

/// Takes one event into the rows. An event that does not fit (which no writer of ours appends) changes nothing,
/// as in the domain's own `evolve`.
pub(super) fn apply(draft: &mut Draft<'_>, stored: &StoredEvent) -> Result<(), ModelError> {
    let sequence = stored.recorded.sequence;
    let time = Time::from(stored.recorded.envelope.time);
    match &stored.recorded.envelope.event {
        Event::ProblemPublished(event) => {
            draft.put(rows::problem(event.problem.as_str()), &ProblemRow::of(event, sequence))
        }
        Event::SubmissionCreated(event) => create(draft, event, sequence, time),
        event => {
            let Some(id) = event.submission() else { return Ok(()) };
            let Some(mut row) = draft.take_submission(id)? else { return Ok(()) };
            let verdict_before = row.verdict();
            row.updated_sequence = sequence;
            row.updated_at = time;
            advance(draft, &mut row, event, time)?;
            list_by_verdict(draft, &row, verdict_before);
            draft.return_submission(row);
            Ok(())
        }
    }
}

fn create(
    draft: &mut Draft<'_>,
    event: &SubmissionCreated,
    sequence: u64,
    time: Time,
) -> Result<(), ModelError> {
    if let Some(row) = draft.take_submission(event.submission)? {
        draft.return_submission(row);
        return Ok(());
    }
    let rank = draft.next_rank();
    let sources = event.sources.iter().map(|source| SourceRow {
        name: source.name.clone(),
        sha256: source.blob.sha256,
        size_bytes: source.blob.size_bytes,
    });
    let row = SubmissionRow {
        id: event.submission,
        rank,
        problem: event.problem.clone(),
        user: event.user.clone(),
        contest: event.contest.clone(),
        language: event.language.clone(),
        sources: sources.collect(),
        submitted_at: event.submitted_at.into(),
        created_sequence: sequence,
        updated_sequence: sequence,
        updated_at: time,
        effective: 1,
        judgings: vec![JudgingRow::new(1, event.package)],
    };
    draft.put_raw(rows::rank(rank), row.id.as_bytes().to_vec());
    for list in [List::All, List::Problem(&row.problem), List::User(&row.user), List::Language(&row.language)]
    {
        draft.put_raw(list.key(row.submitted_at, rank), row.id.as_bytes().to_vec());
    }
    draft.return_submission(row);
    Ok(())
}

/// What an event about an existing submission does to it.
fn advance(
    draft: &mut Draft<'_>,
    row: &mut SubmissionRow,
    event: &Event,
    time: Time,
) -> Result<(), ModelError> {
    let id: SubmissionId = row.id;
    match event {
        Event::ProblemPublished(_) | Event::SubmissionCreated(_) => {}
        Event::JudgingStarted(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.state = JudgingState::Judging;
                judging.attempt = e.attempt;
                judging.worker = Some(e.worker.clone());
                judging.toolchain = Some(e.toolchain.clone());
                judging.sandbox_layers = e.sandbox_layers.clone();
                judging.testcases_total = e.testcases_total;
                judging.started_at = judging.started_at.or(Some(e.started_at.into()));
                judging.reason = None;
            }
        }
        Event::CompileFinished(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.compile = Some(CompileRow {
                    outcome: e.outcome,
                    command: e.command.clone(),
                    cpu_ms: e.cpu_ms,
                    wall_ms: e.wall_ms,
                    memory_bytes: e.memory_bytes,
                    diagnostics_truncated: e.diagnostics_truncated,
                });
                if !e.diagnostics.is_empty() {
                    draft.put_raw(rows::diagnostics(id, e.judging), e.diagnostics.clone().into_bytes());
                }
            }
        }
        Event::TestcaseJudged(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.testcases_judged += 1;
                judging.cpu_ms_max = judging.cpu_ms_max.max(e.cpu_ms);
                judging.memory_bytes_max = judging.memory_bytes_max.max(e.memory_bytes);
                let testcase = TestcaseRow {
                    testcase: e.testcase.clone(),
                    index: e.index,
                    group: e.group.clone(),
                    verdict: e.verdict,
                    score: e.score.clone(),
                    cpu_ms: e.cpu_ms,
                    wall_ms: e.wall_ms,
                    memory_bytes: e.memory_bytes,
                    memory_meter: e.memory_meter.clone(),
                    exit: e.exit,
                    message: e.message.clone(),
                    output_excerpt: e.output_excerpt.clone(),
                    output_bytes: e.output_bytes,
                    output_sha256: e.output_sha256,
                    judged_at: time,
                };
                draft.put_testcase(id, e.judging, testcase)?;
            }
        }
        Event::VerdictIssued(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.state = JudgingState::Judged;
                judging.ended_at = Some(time);
                judging.verdict = Some(e.verdict);
                judging.score = e.score.clone();
                judging.score_best = e.score_best.clone();
                judging.cpu_ms_max = e.cpu_ms_max;
                judging.memory_bytes_max = e.memory_bytes_max;
                judging.first_failing = e.first_failing.clone();
                judging.testcases_judged = e.testcases_judged;
                judging.testcases_total = e.testcases_total;
                judging.reason = Some(e.reason.clone());
                let groups = e.groups.iter().map(|group| GroupRow {
                    group: group.group.clone(),
                    verdict: group.verdict,
                    score: group.score.clone(),
                    score_best: group.score_best.clone(),
                    testcases_judged: group.testcases_judged,
                });
                judging.groups = groups.collect();
            }
        }
        Event::JudgingFailed(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.reason = Some(e.cause.clone());
                if e.will_retry {
                    judging.state = JudgingState::Queued;
                } else {
                    judging.state = JudgingState::Failed;
                    judging.ended_at = Some(time);
                    judging.verdict = Some(Verdict::Je);
                }
            }
        }
        Event::RejudgeRequested(e) => {
            if e.judging as usize == row.judgings.len() + 1 {
                let mut judging = JudgingRow::new(e.judging, e.package);
                judging.requested = Some((e.requested_by.clone(), e.reason.clone()));
                row.judgings.push(judging);
            }
        }
        Event::RejudgeApplied(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.applied = Some(true);
                row.effective = e.judging;
            }
        }
        Event::RejudgeDiscarded(e) => {
            if let Some(judging) = judging(row, e.judging) {
                judging.applied = Some(false);
            }
        }
    }
    Ok(())
}

fn judging(row: &mut SubmissionRow, number: u32) -> Option<&mut JudgingRow> {
    row.judgings.get_mut((number as usize).checked_sub(1)?)
}

/// Keeps the submission in the list of the verdict that counts.
fn list_by_verdict(draft: &mut Draft<'_>, row: &SubmissionRow, before: Option<Verdict>) {
    let after = row.verdict();
    if before == after {
        return;
    }
    if let Some(before) = before {
        draft.remove(List::Verdict(before).key(row.submitted_at, row.rank));
    }
    if let Some(after) = after {
        draft.put_raw(List::Verdict(after).key(row.submitted_at, row.rank), row.id.as_bytes().to_vec());
    }
}
