//! The rules of a submission: `decide` what may happen, `evolve` what has happened.
//!
//! Pure: no clock, no randomness, no I/O. Times and ids come in with the command, and a `Result` here means
//! "refused", never "failed".

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::event::{
    CompileFinished, CompileOutcome, Event, GroupResult, JudgingFailed, JudgingStarted, RejudgeApplied,
    RejudgeDiscarded, RejudgeRequested, SubmissionCreated, TestcaseJudged, VerdictIssued,
};
use crate::domain::ids::{Sha256Digest, UserId, WorkerId};
use crate::domain::scoring::{
    self, Case, Cases, GradedGroups, Grading, GroupOutcome, Outcome, Score, Stated, Unfinished,
};
use crate::domain::verdict::Verdict;

/// How many attempts in a row may end without any progress before a judging is given up as a judging error.
pub const MAX_FRUITLESS_ATTEMPTS: u32 = 5;

/// What is asked of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Create it.
    Submit(SubmissionCreated),
    /// Claim its open judging for a worker.
    StartJudging(StartJudging),
    /// Record how its compilation ended.
    RecordCompile(CompileFinished),
    /// Record judged testcases, all of them by the same claim.
    RecordTestcases(Vec<TestcaseJudged>),
    /// End the judging with the verdict that its testcases give.
    IssueVerdict {
        /// Which judging.
        judging: u32,
        /// By which claim.
        attempt: u32,
        /// The rules of the package.
        grading: Arc<Grading>,
        /// What the package's own grader said.
        graded: GradedGroups,
    },
    /// Record that an attempt failed through our fault.
    FailAttempt {
        /// Which judging.
        judging: u32,
        /// Which claim.
        attempt: u32,
        /// What went wrong.
        cause: String,
        /// Whether trying again could help; if not, the judging ends now.
        retryable: bool,
    },
    /// Ask for another judging.
    RequestRejudge {
        /// The package revision to judge by.
        package: Sha256Digest,
        /// Why.
        reason: String,
        /// Who asks.
        by: UserId,
    },
    /// Make a rejudge's result the submission's result.
    ApplyRejudge {
        /// Which judging.
        judging: u32,
        /// Who applies it.
        by: UserId,
    },
    /// Put a rejudge's result aside.
    DiscardRejudge {
        /// Which judging.
        judging: u32,
        /// Who discards it.
        by: UserId,
    },
}

/// The claim of a judging by a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartJudging {
    /// The worker.
    pub worker: WorkerId,
    /// The version of the language's toolchain there.
    pub toolchain: String,
    /// The confinement layers enforced there.
    pub sandbox_layers: Vec<String>,
    /// How many testcases the package has.
    pub testcases_total: u32,
    /// The time of the claim.
    pub now: Timestamp,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such submission.
    #[error("the submission does not exist")]
    Unknown,
    /// It exists already, with other content: the idempotency key was used for something else.
    #[error("the submission exists already with other content")]
    Exists,
    /// No judging of it is open.
    #[error("no judging of the submission is open")]
    NothingOpen,
    /// Another claim has taken the judging over, or it has ended.
    #[error("attempt {attempt} of judging {judging} is not the current claim")]
    Superseded {
        /// The judging.
        judging: u32,
        /// The claim that is no longer current.
        attempt: u32,
    },
    /// Not every testcase has been judged and none has failed.
    #[error("the judging is not complete: {judged} of {total} testcases are judged")]
    Incomplete {
        /// How many are judged.
        judged: u32,
        /// How many there are.
        total: u32,
    },
    /// The package's own grader was not asked about a group.
    #[error("the test group {group:?} is not graded")]
    Ungraded {
        /// The group.
        group: String,
    },
    /// The package's programs gave scores that its rules do not allow.
    #[error("the package breaks its own rules of scores: {what}")]
    Scores {
        /// How.
        what: String,
    },
    /// A rejudge is still open, so that another cannot be asked for.
    #[error("judging {judging} of the submission has not ended yet")]
    StillOpen {
        /// The open judging.
        judging: u32,
    },
    /// There is no such finished rejudge to apply or to discard.
    #[error("judging {judging} is not a finished rejudge that waits for a decision")]
    NotDecidable {
        /// The judging.
        judging: u32,
    },
}

/// A submission as its events tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// How it came to be.
    pub created: SubmissionCreated,
    /// Its judgings; the first is number 1.
    pub judgings: Vec<Judging>,
    /// The number of the judging whose result counts.
    pub effective: u32,
}

/// One judging as its events tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judging {
    /// 1 for the first, one more for each rejudge.
    pub number: u32,
    /// The package revision to judge by.
    pub package: Sha256Digest,
    /// The number of claims so far; the current one is the last.
    pub attempt: u32,
    /// Whether the current claim can still record something: it has not failed.
    pub claim_holds: bool,
    /// Attempts in a row that brought nothing.
    pub fruitless_attempts: u32,
    /// How many testcases there are, as the last claim said.
    pub testcases_total: u32,
    /// How the compilation ended, once it did.
    pub compile: Option<CompileFinished>,
    /// The judged testcases by their place in the order.
    pub testcases: BTreeMap<u32, TestcaseJudged>,
    /// How it ended, once it did.
    pub end: Option<JudgingEnd>,
    /// For a rejudge: whether it was applied (true) or discarded (false), once that is decided.
    pub applied: Option<bool>,
}

/// How a judging ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at the end of each judging, which mostly is the large one"
)]
pub enum JudgingEnd {
    /// With a verdict.
    Verdict(VerdictIssued),
    /// Through our fault, for good.
    Failed(JudgingFailed),
}

/// The events that a command leads to, or why it is refused. No event means: it is so already.
pub fn decide(state: Option<&Submission>, command: Command) -> Result<Vec<Event>, Refusal> {
    let state = match (state, command) {
        (None, Command::Submit(created)) => return Ok(vec![created.into()]),
        (Some(state), Command::Submit(created)) => {
            return if same_request(&state.created, &created) { Ok(vec![]) } else { Err(Refusal::Exists) };
        }
        (None, _) => return Err(Refusal::Unknown),
        (Some(state), command) => (state, command),
    };
    match state {
        (_, Command::Submit(_)) => Err(Refusal::Exists),
        (state, Command::StartJudging(start)) => start_judging(state, start),
        (state, Command::RecordCompile(compile)) => {
            let judging = state.claimed(compile.judging, compile.attempt)?;
            Ok(if judging.compile.is_some() { vec![] } else { vec![compile.into()] })
        }
        (state, Command::RecordTestcases(testcases)) => {
            let mut events = Vec::with_capacity(testcases.len());
            for testcase in testcases {
                let judging = state.claimed(testcase.judging, testcase.attempt)?;
                if !judging.testcases.contains_key(&testcase.index) {
                    events.push(testcase.into());
                }
            }
            Ok(events)
        }
        (state, Command::IssueVerdict { judging, attempt, grading, graded }) => {
            let judging = state.claimed(judging, attempt)?;
            Ok(vec![verdict_of(&state.created, judging, &grading, &graded)?.into()])
        }
        (state, Command::FailAttempt { judging, attempt, cause, retryable }) => {
            let claimed = state.claimed(judging, attempt)?;
            let will_retry = retryable && claimed.fruitless_attempts < MAX_FRUITLESS_ATTEMPTS;
            let submission = state.created.submission;
            Ok(vec![JudgingFailed { submission, judging, attempt, cause, will_retry }.into()])
        }
        (state, Command::RequestRejudge { package, reason, by }) => {
            if let Some(open) = state.open() {
                return Err(Refusal::StillOpen { judging: open.number });
            }
            let judging = state.judgings.len() as u32 + 1;
            let submission = state.created.submission;
            Ok(vec![RejudgeRequested { submission, judging, package, reason, requested_by: by }.into()])
        }
        (state, Command::ApplyRejudge { judging, by }) => {
            state.decidable(judging)?;
            let submission = state.created.submission;
            Ok(vec![RejudgeApplied { submission, judging, applied_by: by }.into()])
        }
        (state, Command::DiscardRejudge { judging, by }) => {
            state.decidable(judging)?;
            let submission = state.created.submission;
            Ok(vec![RejudgeDiscarded { submission, judging, discarded_by: by }.into()])
        }
    }
}

/// The state after an event. Total: an event that does not fit (which no writer of ours appends) changes nothing.
pub fn evolve(state: Option<Submission>, event: &Event) -> Option<Submission> {
    match (state, event) {
        (Some(mut submission), event) => {
            submission.absorb(event);
            Some(submission)
        }
        (None, Event::SubmissionCreated(created)) => Some(Submission::new(created.clone())),
        (None, _) => None,
    }
}

impl Submission {
    fn new(created: SubmissionCreated) -> Self {
        let judgings = vec![Judging::new(1, created.package)];
        Self { created, judgings, effective: 1 }
    }

    /// Takes one event in: `evolve` in place.
    pub fn absorb(&mut self, event: &Event) {
        match event {
            Event::ProblemPublished(_) | Event::SubmissionCreated(_) => {}
            Event::JudgingStarted(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.attempt = e.attempt;
                    judging.claim_holds = true;
                    judging.fruitless_attempts += 1;
                    judging.testcases_total = e.testcases_total;
                }
            }
            Event::CompileFinished(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.fruitless_attempts = 0;
                    judging.compile = Some(e.clone());
                }
            }
            Event::TestcaseJudged(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.fruitless_attempts = 0;
                    judging.testcases.insert(e.index, e.clone());
                }
            }
            Event::VerdictIssued(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.end = Some(JudgingEnd::Verdict(e.clone()));
                }
            }
            Event::JudgingFailed(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.claim_holds = false;
                    if !e.will_retry {
                        judging.end = Some(JudgingEnd::Failed(e.clone()));
                    }
                }
            }
            Event::RejudgeRequested(e) => {
                if e.judging == self.judgings.len() as u32 + 1 {
                    self.judgings.push(Judging::new(e.judging, e.package));
                }
            }
            Event::RejudgeApplied(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.applied = Some(true);
                    self.effective = e.judging;
                }
            }
            Event::RejudgeDiscarded(e) => {
                if let Some(judging) = self.judging_mut(e.judging) {
                    judging.applied = Some(false);
                }
            }
        }
    }

    /// The judging that waits for a worker or is being judged, if there is one.
    pub fn open(&self) -> Option<&Judging> {
        self.judgings.iter().find(|judging| judging.end.is_none())
    }

    /// The judging with this number.
    pub fn judging(&self, number: u32) -> Option<&Judging> {
        self.judgings.get(number.checked_sub(1)? as usize)
    }

    fn judging_mut(&mut self, number: u32) -> Option<&mut Judging> {
        self.judgings.get_mut(number.checked_sub(1)? as usize)
    }

    /// The judging, if this claim of it is the current one and it has not ended.
    fn claimed(&self, judging: u32, attempt: u32) -> Result<&Judging, Refusal> {
        self.judging(judging)
            .filter(|open| open.end.is_none() && open.claim_holds && open.attempt == attempt)
            .ok_or(Refusal::Superseded { judging, attempt })
    }

    /// The judging, if it is a finished rejudge on which nothing has been decided.
    fn decidable(&self, judging: u32) -> Result<&Judging, Refusal> {
        self.judging(judging)
            .filter(|rejudge| rejudge.number > 1 && rejudge.end.is_some() && rejudge.applied.is_none())
            .ok_or(Refusal::NotDecidable { judging })
    }
}

impl Judging {
    fn new(number: u32, package: Sha256Digest) -> Self {
        Self {
            number,
            package,
            attempt: 0,
            claim_holds: false,
            fruitless_attempts: 0,
            testcases_total: 0,
            compile: None,
            testcases: BTreeMap::new(),
            end: None,
            applied: None,
        }
    }

    /// What the grading needs of the judged testcases.
    pub fn cases(&self) -> Cases {
        let testcases = self.testcases.iter();
        testcases.map(|(index, testcase)| (*index, case_of(testcase))).collect()
    }

    /// The first testcase in order that was not accepted.
    pub fn first_failing(&self) -> Option<&TestcaseJudged> {
        self.testcases.values().find(|testcase| testcase.verdict != Verdict::Ac)
    }
}

/// Whether a retried submission asks for the same as the one that was stored. The time and the package revision
/// are not the client's, so they do not count.
fn same_request(stored: &SubmissionCreated, retried: &SubmissionCreated) -> bool {
    stored.problem == retried.problem
        && stored.user == retried.user
        && stored.contest == retried.contest
        && stored.language == retried.language
        && stored.sources == retried.sources
        && stored.idempotency_key == retried.idempotency_key
}

fn start_judging(state: &Submission, start: StartJudging) -> Result<Vec<Event>, Refusal> {
    let open = state.open().ok_or(Refusal::NothingOpen)?;
    let submission = state.created.submission;
    if open.fruitless_attempts >= MAX_FRUITLESS_ATTEMPTS {
        let cause = format!("{MAX_FRUITLESS_ATTEMPTS} attempts in a row ended without any result");
        let (judging, attempt) = (open.number, open.attempt);
        return Ok(vec![JudgingFailed { submission, judging, attempt, cause, will_retry: false }.into()]);
    }
    Ok(vec![
        JudgingStarted {
            submission,
            judging: open.number,
            attempt: open.attempt + 1,
            worker: start.worker,
            toolchain: start.toolchain,
            sandbox_layers: start.sandbox_layers,
            package: open.package,
            testcases_total: start.testcases_total,
            started_at: start.now,
        }
        .into(),
    ])
}

fn case_of(testcase: &TestcaseJudged) -> Case {
    // What is no number was not written by us.
    let number = |text: &Option<String>| text.as_ref()?.parse::<Score>().ok();
    let score = number(&testcase.validator_score).map(Stated::Score);
    let stated = score.or_else(|| number(&testcase.validator_score_multiplier).map(Stated::Multiplier));
    Case { verdict: testcase.verdict, stated }
}

/// The verdict that the recorded facts give: the compiler's, else what the testcases come to by the rules of the package.
fn verdict_of(
    created: &SubmissionCreated,
    judging: &Judging,
    grading: &Grading,
    graded: &GradedGroups,
) -> Result<VerdictIssued, Refusal> {
    let judged = judging.testcases.len() as u32;
    let total = judging.testcases_total;
    let incomplete = Refusal::Incomplete { judged, total };
    let compile = judging.compile.as_ref().ok_or(incomplete.clone())?;
    let first_failing = judging.first_failing();
    let mut issued = VerdictIssued {
        submission: created.submission,
        judging: judging.number,
        attempt: judging.attempt,
        problem: created.problem.clone(),
        user: created.user.clone(),
        language: created.language.clone(),
        verdict: Verdict::Ce,
        icpc_judgement_type: String::new(),
        score: None,
        score_best: None,
        groups: group_results(judging),
        cpu_ms_max: judging.testcases.values().map(|testcase| testcase.cpu_ms).max().unwrap_or(0),
        memory_bytes_max: judging.testcases.values().map(|testcase| testcase.memory_bytes).max().unwrap_or(0),
        first_failing: first_failing.map(|failing| failing.testcase.clone()),
        testcases_judged: judged,
        testcases_total: total,
        reason: "the compiler refused the program".to_owned(),
    };
    match compile.outcome {
        CompileOutcome::Failed => {}
        CompileOutcome::LimitExceeded => {
            issued.verdict = Verdict::Ctl;
            issued.reason = "the compiler passed its limits".to_owned();
        }
        CompileOutcome::Succeeded => {
            let outcome = scoring::outcome(grading, &judging.cases(), graded);
            let outcome = outcome.map_err(|unfinished| match unfinished {
                Unfinished::Testcase(_) => incomplete,
                Unfinished::Grader(assignment) => Refusal::Ungraded { group: assignment.group },
                Unfinished::Fault(what) => Refusal::Scores { what },
            })?;
            issued.verdict = outcome.verdict;
            issued.reason = reason(&outcome, judging, first_failing);
            if grading.scoring {
                issued.score = outcome.score.as_ref().map(Score::to_string);
                issued.score_best = outcome.best.as_ref().map(Score::to_string);
                issued.groups = outcome.groups.iter().map(group_result).collect();
            }
        }
    }
    issued.icpc_judgement_type = issued.verdict.icpc().to_owned();
    Ok(issued)
}

/// Why there is this outcome, in words.
fn reason(outcome: &Outcome, judging: &Judging, first_failing: Option<&TestcaseJudged>) -> String {
    let failing = first_failing
        .map(|failing| format!("{} on testcase {}", failing.verdict.title(), failing.testcase))
        .unwrap_or_else(|| format!("all {} testcases are accepted", judging.testcases.len()));
    let Some(score) = &outcome.score else {
        let by_the_groups = outcome.verdict == Verdict::Ac && first_failing.is_some();
        return if by_the_groups {
            format!("accepted by the rules of the groups; {failing}")
        } else {
            failing
        };
    };
    let best = outcome.best.as_ref().map(|best| format!(" of {best}")).unwrap_or_default();
    let warnings: String = outcome.warnings.iter().map(|warning| format!("; {warning}")).collect();
    format!("{score}{best} points; {failing}{warnings}")
}

fn group_result(group: &GroupOutcome) -> GroupResult {
    GroupResult {
        group: group.name.clone(),
        verdict: group.verdict,
        score: group.score.as_ref().map(Score::to_string),
        score_best: group.best.as_ref().map(Score::to_string),
        testcases_judged: group.testcases_judged,
    }
}

/// One result per test group in the order in which the groups were first judged.
fn group_results(judging: &Judging) -> Vec<GroupResult> {
    let mut groups: Vec<GroupResult> = Vec::new();
    for testcase in judging.testcases.values() {
        let at = groups.iter().position(|group| group.group == testcase.group).unwrap_or_else(|| {
            groups.push(GroupResult {
                group: testcase.group.clone(),
                verdict: Verdict::Ac,
                score: None,
                score_best: None,
                testcases_judged: 0,
            });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.testcases_judged += 1;
        if group.verdict == Verdict::Ac {
            group.verdict = testcase.verdict;
        }
    }
    groups
}

#[cfg(test)]
mod tests;
