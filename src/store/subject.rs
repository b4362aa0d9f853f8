//! The subjects of the history: the only place that builds or reads one.
//!
//! `assize.event.<part>.<aggregate>.<contest|_>.<problem>.<user|_>.<kind>`; the aggregate is a submission id or
//! `p-<problem>`. After storage the server republishes the same tokens below `assize.live.`. The kind is
//! `cmd-<lane>-<routing class>` for what workers pull, `run` for what happens meanwhile, `verdict` for what ends
//! a judging, `rejudge` for what changes which judging counts, and `problem`.

use crate::domain::event::{Event, SubmissionCreated};
use crate::domain::ids::{ContestId, ProblemId, RoutingClass, SubmissionId, UserId};

/// The stream that holds partition 00 of the history.
pub const EVENT_STREAM: &str = "ASSIZE_00";
/// Everything in the event stream.
pub const ALL_EVENTS: &str = "assize.event.>";
/// The stream that holds blobs by digest.
pub const BLOB_STREAM: &str = "ASSIZE_BLOB";
/// Where a worker tells that it is there, by its id.
pub const WORKER_PREFIX: &str = "assize.worker";
/// Where operators hear of submissions that ended as our fault.
pub const DEAD_LETTER_PREFIX: &str = "assize.deadletter";

/// One unit of consistency in the history: the events of a submission, or those of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// A submission.
    Submission(SubmissionId),
    /// A problem.
    Problem(ProblemId),
}

impl Aggregate {
    /// The filter of all its events. Every writer states it identically: on a cluster the condition on an append
    /// is only sound between writers that use the same string.
    pub fn filter(&self) -> String {
        format!("assize.event.{}.>", self.tokens())
    }

    fn tokens(&self) -> String {
        match self {
            Self::Submission(id) => format!("{:02x}.{id}", id.partition()),
            Self::Problem(problem) => format!("00.p-{problem}"),
        }
    }
}

/// Where the events of one aggregate go: the aggregate and the tokens that subscribers filter by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The aggregate.
    pub aggregate: Aggregate,
    contest: Option<ContestId>,
    problem: ProblemId,
    user: Option<UserId>,
    class: Option<RoutingClass>,
}

impl Address {
    /// The address of a submission's events.
    pub fn of_submission(created: &SubmissionCreated) -> Self {
        Self {
            aggregate: Aggregate::Submission(created.submission),
            contest: created.contest.clone(),
            problem: created.problem.clone(),
            user: Some(created.user.clone()),
            class: Some(created.routing_class.clone()),
        }
    }

    /// The address of a problem's events.
    pub fn of_problem(problem: &ProblemId) -> Self {
        Self {
            aggregate: Aggregate::Problem(problem.clone()),
            contest: None,
            problem: problem.clone(),
            user: None,
            class: None,
        }
    }

    /// The subject that this event is stored under.
    pub fn subject(&self, event: &Event) -> String {
        let contest = self.contest.as_ref().map_or("_", ContestId::as_str);
        let user = self.user.as_ref().map_or("_", UserId::as_str);
        let tokens = self.aggregate.tokens();
        format!("assize.event.{tokens}.{contest}.{}.{user}.{}", self.problem, self.kind(event))
    }

    fn kind(&self, event: &Event) -> String {
        let class = self.class.as_ref().map_or("standard", RoutingClass::as_str);
        match event {
            Event::ProblemPublished(_) => "problem".to_owned(),
            Event::SubmissionCreated(_) => format!("cmd-live-{class}"),
            Event::RejudgeRequested(_) => format!("cmd-rejudge-{class}"),
            Event::JudgingStarted(_) | Event::CompileFinished(_) | Event::TestcaseJudged(_) => {
                "run".to_owned()
            }
            Event::JudgingFailed(failed) if failed.will_retry => "run".to_owned(),
            Event::VerdictIssued(_) | Event::JudgingFailed(_) => "verdict".to_owned(),
            // Not `verdict`: only workers may say what was judged, and these are said by people.
            Event::RejudgeApplied(_) | Event::RejudgeDiscarded(_) => "rejudge".to_owned(),
        }
    }
}

/// The submission whose event lies under this subject, if it is a submission's.
pub fn submission_of(subject: &str) -> Option<SubmissionId> {
    let mut tokens = subject.split('.');
    (tokens.next()? == "assize" && tokens.next()? == "event").then_some(())?;
    tokens.nth(1)?.parse().ok()
}

/// Whether `subject` is one that this program could have written `event` under: for events from an export.
pub fn fits(subject: &str, event: &Event) -> bool {
    let tokens: Vec<&str> = subject.split('.').collect();
    let [assize, event_token, part, aggregate, contest, problem, user, kind] = tokens.as_slice() else {
        return false;
    };
    let aggregate_fits = match event {
        Event::ProblemPublished(published) => {
            *part == "00"
                && *aggregate == format!("p-{}", published.problem)
                && published.problem.as_str() == *problem
        }
        other => other
            .submission()
            .is_some_and(|id| *aggregate == id.to_string() && *part == format!("{:02x}", id.partition())),
    };
    let optional = |token: &str| token == "_" || token.parse::<UserId>().is_ok();
    let kind_fits = match event {
        Event::ProblemPublished(_) => *kind == "problem",
        Event::SubmissionCreated(_) => kind.starts_with("cmd-live-"),
        Event::RejudgeRequested(_) => kind.starts_with("cmd-rejudge-"),
        Event::JudgingStarted(_) | Event::CompileFinished(_) | Event::TestcaseJudged(_) => *kind == "run",
        Event::JudgingFailed(failed) => *kind == if failed.will_retry { "run" } else { "verdict" },
        Event::VerdictIssued(_) => *kind == "verdict",
        Event::RejudgeApplied(_) | Event::RejudgeDiscarded(_) => *kind == "rejudge",
    };
    *assize == "assize"
        && *event_token == "event"
        && aggregate_fits
        && optional(contest)
        && problem.parse::<ProblemId>().is_ok()
        && optional(user)
        && kind_fits
}

/// Which part of the history somebody wants to see. What is none is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only events of this problem and of its submissions.
    pub problem: Option<ProblemId>,
    /// Only events of this user's submissions.
    pub user: Option<UserId>,
    /// Only events of this submission.
    pub submission: Option<SubmissionId>,
    /// Only what ends a judging.
    pub verdicts_only: bool,
}

impl Filter {
    /// Whether an event under this subject is wanted.
    pub fn matches(&self, subject: &str) -> bool {
        let tokens: Vec<&str> = subject.split('.').collect();
        let [_, _, _, aggregate, _, problem, user, kind] = tokens.as_slice() else {
            return false;
        };
        self.problem.as_ref().is_none_or(|wanted| wanted.as_str() == *problem)
            && self.user.as_ref().is_none_or(|wanted| wanted.as_str() == *user)
            && self.submission.is_none_or(|wanted| wanted.to_string() == *aggregate)
            && (!self.verdicts_only || *kind == "verdict")
    }
}
