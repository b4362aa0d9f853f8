//! The rules of a submission as given, when, then; and random commands that must never break them.

use proptest::prelude::*;

use super::*;
use crate::domain::event::{BlobRef, SourceFile};
use crate::domain::ids::{SubmissionId, TestcaseName};
use crate::domain::verdict::Exit;

const TOTAL: u32 = 3;

/// Given these commands carried out, when this one comes, then these event types follow, or this refusal.
#[track_caller]
fn check(given: Vec<Command>, when: Command, then: Result<&[&str], Refusal>) {
    let mut state = None;
    for command in given {
        for event in decide(state.as_ref(), command).expect("the given commands are allowed") {
            state = evolve(state, &event);
        }
    }
    let events = decide(state.as_ref(), when);
    let types = events.map(|events| events.iter().map(Event::type_name).collect::<Vec<_>>());
    assert_eq!(types.as_deref(), then.as_ref().map(|types| &types[..]));
}

fn id() -> SubmissionId {
    SubmissionId::mint(0, [7; 10])
}

fn created() -> SubmissionCreated {
    SubmissionCreated {
        submission: id(),
        problem: "a".parse().expect("id"),
        package: Sha256Digest::of(b"package"),
        user: "ann".parse().expect("id"),
        contest: None,
        language: "cpp17".parse().expect("id"),
        routing_class: "standard".parse().expect("id"),
        sources: vec![SourceFile {
            name: "main.cpp".to_owned(),
            blob: BlobRef { sha256: Sha256Digest::of(b"x"), size_bytes: 1 },
        }],
        submitted_at: Timestamp::UNIX_EPOCH,
        idempotency_key: None,
    }
}

fn start(worker: &str) -> Command {
    Command::StartJudging(StartJudging {
        worker: worker.parse().expect("id"),
        toolchain: "g++".to_owned(),
        sandbox_layers: vec![],
        testcases_total: TOTAL,
        now: Timestamp::UNIX_EPOCH,
    })
}

fn compiled(judging: u32, attempt: u32, outcome: CompileOutcome) -> Command {
    Command::RecordCompile(CompileFinished {
        submission: id(),
        judging,
        attempt,
        outcome,
        toolchain: "g++".to_owned(),
        command: vec![],
        cpu_ms: 1,
        wall_ms: 1,
        memory_bytes: 1,
        diagnostics: String::new(),
        diagnostics_truncated: false,
        artifact: None,
    })
}

fn testcase(judging: u32, attempt: u32, index: u32, verdict: Verdict) -> Command {
    Command::RecordTestcases(vec![TestcaseJudged {
        submission: id(),
        judging,
        attempt,
        testcase: format!("secret/{index}").parse().expect("name"),
        index,
        group: "secret".to_owned(),
        verdict,
        score: None,
        validator_score: None,
        validator_score_multiplier: None,
        cpu_ms: u64::from(index),
        wall_ms: 1,
        memory_bytes: 1,
        memory_meter: "max_rss".to_owned(),
        exit: Exit::Code(0),
        message: String::new(),
        output_excerpt: String::new(),
        output_bytes: 0,
        output_sha256: Sha256Digest::of(b""),
    }])
}

fn verdict(judging: u32, attempt: u32) -> Command {
    let (grading, graded) = (Arc::new(Grading::pass_fail(TOTAL)), GradedGroups::new());
    Command::IssueVerdict { judging, attempt, grading, graded }
}

fn fail(attempt: u32) -> Command {
    Command::FailAttempt { judging: 1, attempt, cause: "disk full".to_owned(), retryable: true }
}

fn rejudge() -> Command {
    Command::RequestRejudge {
        package: Sha256Digest::of(b"mended"),
        reason: "wrong answer file".to_owned(),
        by: "jury".parse().expect("id"),
    }
}

fn submit() -> Command {
    Command::Submit(created())
}

/// Created, claimed, compiled.
fn compiling_done() -> Vec<Command> {
    vec![submit(), start("w1"), compiled(1, 1, CompileOutcome::Succeeded)]
}

/// Judged and accepted.
fn accepted() -> Vec<Command> {
    let mut given = compiling_done();
    given.extend((1..=TOTAL).map(|index| testcase(1, 1, index, Verdict::Ac)));
    given.push(verdict(1, 1));
    given
}

#[test]
fn a_submission_is_created_once() {
    check(vec![], submit(), Ok(&["assize.submission_created.v1"]));
    check(vec![submit()], submit(), Ok(&[]));
    let other = SubmissionCreated { language: "python3".parse().expect("id"), ..created() };
    check(vec![submit()], Command::Submit(other), Err(Refusal::Exists));
    check(vec![], start("w1"), Err(Refusal::Unknown));
}

#[test]
fn a_claim_supersedes_the_one_before_it() {
    check(vec![submit()], start("w1"), Ok(&["assize.judging_started.v1"]));
    let taken_over = vec![submit(), start("w1"), start("w2")];
    let superseded = Refusal::Superseded { judging: 1, attempt: 1 };
    check(taken_over.clone(), compiled(1, 1, CompileOutcome::Succeeded), Err(superseded));
    check(taken_over, compiled(1, 2, CompileOutcome::Succeeded), Ok(&["assize.compile_finished.v1"]));
}

#[test]
fn what_is_a_fact_is_not_recorded_again() {
    let mut given = compiling_done();
    given.push(testcase(1, 1, 1, Verdict::Ac));
    check(given.clone(), testcase(1, 1, 1, Verdict::Wa), Ok(&[]));
    check(given, compiled(1, 1, CompileOutcome::Failed), Ok(&[]));
}

#[test]
fn a_verdict_needs_all_testcases_or_a_failing_one() {
    let incomplete = |judged| Err(Refusal::Incomplete { judged, total: TOTAL });
    check(compiling_done(), verdict(1, 1), incomplete(0));
    let mut given = compiling_done();
    given.push(testcase(1, 1, 1, Verdict::Ac));
    check(given.clone(), verdict(1, 1), incomplete(1));
    given.push(testcase(1, 1, 2, Verdict::Tle));
    check(given, verdict(1, 1), Ok(&["assize.verdict_issued.v1"]));
    let failed = vec![submit(), start("w1"), compiled(1, 1, CompileOutcome::Failed)];
    check(failed, verdict(1, 1), Ok(&["assize.verdict_issued.v1"]));
}

#[test]
fn nothing_follows_a_verdict_but_a_rejudge() {
    check(accepted(), start("w2"), Err(Refusal::NothingOpen));
    check(accepted(), verdict(1, 1), Err(Refusal::Superseded { judging: 1, attempt: 1 }));
    check(accepted(), rejudge(), Ok(&["assize.rejudge_requested.v1"]));
    let mut given = accepted();
    given.push(rejudge());
    check(given.clone(), rejudge(), Err(Refusal::StillOpen { judging: 2 }));
    check(given.clone(), start("w2"), Ok(&["assize.judging_started.v1"]));
    let apply = Command::ApplyRejudge { judging: 2, by: "jury".parse().expect("id") };
    check(given.clone(), apply.clone(), Err(Refusal::NotDecidable { judging: 2 }));
    given.extend([start("w2"), compiled(2, 1, CompileOutcome::Failed), verdict(2, 1)]);
    check(given.clone(), apply.clone(), Ok(&["assize.rejudge_applied.v1"]));
    given.push(apply.clone());
    check(given, apply, Err(Refusal::NotDecidable { judging: 2 }));
}

#[test]
fn poison_is_bounded_and_progress_is_not_poison() {
    let mut given = vec![submit()];
    given.extend((0..MAX_FRUITLESS_ATTEMPTS).map(|_| start("w1")));
    check(given.clone(), start("w1"), Ok(&["assize.judging_failed.v1"]));
    given.push(start("w1"));
    check(given, start("w1"), Err(Refusal::NothingOpen));

    let mut given = compiling_done();
    given.extend((0..MAX_FRUITLESS_ATTEMPTS - 1).map(|_| start("w1")));
    given.push(testcase(1, MAX_FRUITLESS_ATTEMPTS, 1, Verdict::Ac));
    check(given, start("w1"), Ok(&["assize.judging_started.v1"]));
}

#[test]
fn our_fault_is_retried_and_then_ends_the_judging() {
    let mut state = None;
    for (command, retried) in [(submit(), None), (start("w1"), None), (fail(1), Some(true))] {
        for event in decide(state.as_ref(), command).expect("allowed") {
            if let Event::JudgingFailed(failed) = &event {
                assert_eq!(Some(failed.will_retry), retried);
            }
            state = evolve(state, &event);
        }
    }
    assert!(state.expect("a submission").open().is_some());
    let broken = Command::FailAttempt { judging: 1, attempt: 1, cause: "no".to_owned(), retryable: false };
    check(vec![submit(), start("w1"), broken], start("w2"), Err(Refusal::NothingOpen));
}

#[test]
fn the_verdict_tells_the_first_failing_testcase_in_order() {
    let mut state = None;
    let mut given = compiling_done();
    given.push(testcase(1, 1, 3, Verdict::Rte));
    given.push(testcase(1, 1, 2, Verdict::Wa));
    given.push(testcase(1, 1, 1, Verdict::Ac));
    for command in given {
        for event in decide(state.as_ref(), command).expect("allowed") {
            state = evolve(state, &event);
        }
    }
    let events = decide(state.as_ref(), verdict(1, 1)).expect("a verdict");
    let [Event::VerdictIssued(issued)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(issued.verdict, Verdict::Wa);
    assert_eq!(issued.first_failing.as_ref().map(TestcaseName::as_str), Some("secret/2"));
    assert_eq!(issued.cpu_ms_max, 3);
    assert_eq!(issued.groups.len(), 1);
    assert_eq!(issued.reason, "wrong answer on testcase secret/2");
}

fn any_command() -> impl Strategy<Value = Command> {
    let verdicts = prop_oneof![Just(Verdict::Ac), Just(Verdict::Wa), Just(Verdict::Mle)];
    let outcomes = prop_oneof![
        4 => Just(CompileOutcome::Succeeded),
        1 => Just(CompileOutcome::Failed),
        1 => Just(CompileOutcome::LimitExceeded),
    ];
    let (judging, attempt) = (1_u32..4, 0_u32..8);
    prop_oneof![
        1 => Just(submit()),
        3 => Just(start("w1")),
        3 => (judging.clone(), attempt.clone(), outcomes).prop_map(|(j, a, outcome)| compiled(j, a, outcome)),
        8 => (judging.clone(), attempt.clone(), 1..=TOTAL, verdicts)
            .prop_map(|(j, a, index, verdict)| testcase(j, a, index, verdict)),
        3 => (judging.clone(), attempt.clone()).prop_map(|(j, a)| verdict(j, a)),
        1 => attempt.prop_map(fail),
        1 => Just(rejudge()),
        1 => judging.prop_map(|judging| Command::ApplyRejudge { judging, by: "jury".parse().expect("id") }),
    ]
}

/// Two subtasks of 40 and 60 points, of the testcases 1 and 2 and of 3; the second is graded by a program.
fn subtasks() -> Arc<Grading> {
    use crate::domain::scoring::{Grader, Group, Item, LegacyRules, Objective, Rules};
    let group =
        |name: &str, rules, items| Group { name: name.to_owned(), rules: Rules::Legacy(rules), items };
    let of = |points: u64| LegacyRules { accept_score: points.into(), ..LegacyRules::default() };
    let mut first = of(40);
    first.grader = Grader::Default(scoring::DefaultGrader::parse(&["min".to_owned()]));
    let second = LegacyRules { grader: Grader::Custom { flags: vec![] }, ..of(60) };
    let below = vec![
        Item::Group(Box::new(group("secret/1", first, vec![Item::Testcase(1), Item::Testcase(2)]))),
        Item::Group(Box::new(group("secret/2", second, vec![Item::Testcase(3)]))),
    ];
    let mut root = LegacyRules { continues_on_reject: true, ..LegacyRules::default() };
    root.range.high = Some(100.into());
    root.states_range = true;
    let root = group("", root, below);
    Arc::new(Grading { scoring: true, objective: Objective::Max, custom_score: false, root })
}

#[test]
fn points_follow_from_the_facts_whoever_recorded_them() {
    let mut state = None;
    let given = [
        Command::Submit(created()),
        start("w1"),
        compiled(1, 1, CompileOutcome::Succeeded),
        testcase(1, 1, 1, Verdict::Wa),
        // Another worker takes it over; the second testcase is not wanted any more.
        start("w2"),
    ];
    let mut apply = |command| {
        let events = decide(state.as_ref(), command)?;
        for event in &events {
            state = evolve(state.take(), event);
        }
        Ok::<_, Refusal>(events)
    };
    for command in given {
        apply(command).expect("the given commands are allowed");
    }
    let (grading, graded) = (subtasks(), GradedGroups::new());
    let verdict = |graded: &GradedGroups| Command::IssueVerdict {
        judging: 1,
        attempt: 2,
        grading: grading.clone(),
        graded: graded.clone(),
    };
    assert_eq!(apply(verdict(&graded)), Err(Refusal::Incomplete { judged: 1, total: TOTAL }));
    apply(testcase(1, 2, 3, Verdict::Ac)).expect("recorded");
    assert_eq!(apply(verdict(&graded)), Err(Refusal::Ungraded { group: "secret/2".to_owned() }));
    let said = scoring::Graded { verdict: Verdict::Ac, score: "112.50".parse().expect("a score") };
    let graded = GradedGroups::from([("secret/2".to_owned(), said)]);
    let events = apply(verdict(&graded)).expect("a verdict");
    let [Event::VerdictIssued(issued)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (issued.verdict, issued.score.as_deref(), issued.score_best.as_deref()),
        (Verdict::Wa, Some("112.5"), Some("100"))
    );
    assert_eq!(
        issued.reason,
        "112.5 of 100 points; wrong answer on testcase secret/1; data: the score 112.5 is not in the range -infinity to 100"
    );
    let groups: Vec<_> = issued
        .groups
        .iter()
        .map(|group| (group.group.as_str(), group.verdict, group.score.as_deref()))
        .collect();
    assert_eq!(groups, [("secret/1", Verdict::Wa, Some("0")), ("secret/2", Verdict::Ac, Some("112.5"))]);
}

proptest! {
    #[test]
    fn whatever_is_asked_each_judging_ends_at_most_once(commands in prop::collection::vec(any_command(), 1..80)) {
        let mut state = None;
        let mut ids = std::collections::BTreeSet::new();
        let mut ends = std::collections::BTreeSet::new();
        for command in commands {
            for event in decide(state.as_ref(), command).unwrap_or_default() {
                prop_assert!(ids.insert(event.id()), "{} twice", event.id());
                let judging = match &event {
                    Event::VerdictIssued(e) => Some((e.judging, true)),
                    Event::JudgingFailed(e) => Some((e.judging, !e.will_retry)),
                    Event::JudgingStarted(e) => Some((e.judging, false)),
                    Event::CompileFinished(e) => Some((e.judging, false)),
                    Event::TestcaseJudged(e) => Some((e.judging, false)),
                    _ => None,
                };
                if let Some((judging, is_end)) = judging {
                    prop_assert!(!ends.contains(&judging), "{} after the end", event.id());
                    if is_end {
                        ends.insert(judging);
                    }
                }
                state = evolve(state, &event);
            }
        }
    }
}
