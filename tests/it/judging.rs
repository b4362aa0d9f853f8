//! Workers judge submissions: every verdict, our own failures, and what the history then holds.

use std::time::{Duration, Instant};

use assize::domain::event::Event;
use assize::domain::submission::{Command, JudgingEnd};
use assize::domain::verdict::Verdict;
use assize::store::{Aggregate, EventStore};
use jiff::Timestamp;

use crate::harness::judge::{PATIENCE, TestJudge, sample_package};

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_the_verdict_they_deserve() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 2).await;
    let cpp =
        |body: &str| format!("#include <bits/stdc++.h>\nusing namespace std;\nint main(){{ {body} }}\n");
    let right = "long long a,b; cin>>a>>b; cout<<a+b<<endl;";
    let programs = [
        ("cpp17", cpp(right), Verdict::Ac),
        ("python3", "a, b = map(int, input().split())\nprint(a + b)\n".to_owned(), Verdict::Ac),
        ("cpp17", cpp("long long a,b; cin>>a>>b; cout<<a-b<<endl;"), Verdict::Wa),
        ("python3", "print(0)".to_owned(), Verdict::Wa),
        ("cpp17", cpp("for(volatile int i=0;;) i=i+1;"), Verdict::Tle),
        ("python3", "while True: pass".to_owned(), Verdict::Tle),
        ("cpp17", cpp("return 3;"), Verdict::Rte),
        ("cpp17", cpp("int* p = nullptr; *(volatile int*)p = 1;"), Verdict::Rte),
        ("python3", "1 / 0".to_owned(), Verdict::Rte),
        ("cpp17", cpp("this does not compile"), Verdict::Ce),
        ("python3", "def broken(:\n".to_owned(), Verdict::Ce),
        ("cpp17", cpp("for(;;) puts(\"flood\");"), Verdict::Ole),
        ("cpp17", cpp("sleep(1000);"), Verdict::Ile),
        ("cpp17", cpp("vector<vector<char>> v; for(;;) v.emplace_back(1<<24, 1);"), Verdict::Mle),
    ];
    let mut submitted = Vec::new();
    for (language, code, expected) in programs {
        submitted.push((judge.submit("a", language, &code).await, code, expected));
    }
    for (id, code, expected) in submitted {
        let verdict = judge.verdict(id).await;
        assert_eq!(verdict.verdict, expected, "{code}\n{verdict:#?}");
    }
    worker.stop().await;
}

/// Judges jury submissions of a sample package as a contestant's: each gets what its directory says.
async fn judge_like_the_jury(problem: &str, submissions: &[(&str, Verdict)]) {
    let judge = TestJudge::start().await;
    judge.publish(problem).await;
    let worker = judge.worker("w1", 2).await;
    let mut submitted = Vec::new();
    for (path, expected) in submissions {
        let code = std::fs::read_to_string(sample_package(problem).join("submissions").join(path)).unwrap();
        let language = if path.ends_with(".py") { "python3" } else { "cpp17" };
        submitted.push((judge.submit(problem, language, &code).await, path, expected));
    }
    for (id, path, expected) in submitted {
        let verdict = judge.verdict(id).await;
        assert_eq!(verdict.verdict, *expected, "{path}\n{verdict:#?}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_pass_problems_are_judged_pass_by_pass() {
    let submissions = [
        ("accepted/pairs.cpp", Verdict::Ac),
        ("accepted/pairs.py", Verdict::Ac),
        ("wrong_answer/plain.py", Verdict::Wa),
        ("wrong_answer/remembers.py", Verdict::Wa),
        ("wrong_answer/short.cpp", Verdict::Wa),
        ("run_time_error/ann.cpp", Verdict::Rte),
        ("run_time_error/bob.py", Verdict::Rte),
        ("time_limit_exceeded/ann.py", Verdict::Tle),
        ("time_limit_exceeded/bob.cpp", Verdict::Tle),
    ];
    judge_like_the_jury("postcard", &submissions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interactive_problems_may_have_several_passes() {
    let submissions = [
        ("accepted/search.cpp", Verdict::Ac),
        ("accepted/search.py", Verdict::Ac),
        ("wrong_answer/forgets.py", Verdict::Wa),
        ("wrong_answer/one_by_one.cpp", Verdict::Wa),
        ("run_time_error/first.cpp", Verdict::Rte),
        ("run_time_error/second.py", Verdict::Rte),
        ("time_limit_exceeded/second.cpp", Verdict::Tle),
        ("time_limit_exceeded/waits.py", Verdict::Ile),
    ];
    judge_like_the_jury("revisit", &submissions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judging_leaves_the_whole_story_in_the_history() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    let id = judge.submit("a", "python3", "a, b = map(int, input().split())\nprint(a + b)\n").await;
    let verdict = judge.verdict(id).await;
    assert_eq!(verdict.testcases_judged, verdict.testcases_total);
    assert!(verdict.memory_bytes_max > 1 << 20, "{verdict:#?}");

    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    let types: Vec<&str> = history.iter().map(|recorded| recorded.envelope.event.type_name()).collect();
    let mut expected =
        vec!["assize.submission_created.v1", "assize.judging_started.v1", "assize.compile_finished.v1"];
    expected.extend(vec!["assize.testcase_judged.v1"; verdict.testcases_total as usize]);
    expected.push("assize.verdict_issued.v1");
    assert_eq!(types, expected);
    for (before, after) in history.iter().zip(history.iter().skip(1)) {
        assert_eq!(after.envelope.causation.as_deref(), Some(before.envelope.id.as_str()));
    }
    let Event::JudgingStarted(started) = &history[1].envelope.event else { panic!("{history:#?}") };
    for layer in ["landlock", "seccomp", "user_namespace", "pid_namespace", "root", "no_new_privs"] {
        assert!(started.sandbox_layers.iter().any(|name| name == layer), "{started:#?}");
    }
    assert!(started.toolchain.starts_with("Python 3"), "{started:#?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostics_full_of_control_characters_are_a_compile_error_and_not_our_fault() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    let code = format!("#error {}\nint main() {{}}\n", "\u{1}".repeat(60_000));
    let id = judge.submit("a", "cpp17", &code).await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Ce);
    let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
    let Event::CompileFinished(compile) = &history[2].envelope.event else { panic!("{history:#?}") };
    assert!(compile.diagnostics.contains("#error"), "{compile:#?}");
    assert!(!compile.diagnostics.contains('\u{1}') && compile.diagnostics_truncated);
    // The same in an output, in what the validator quotes of it, and in the last words of a crash.
    let wrong = judge.submit("a", "python3", "print('\\x01' * 5000)").await;
    let crash = judge.submit("a", "python3", "raise Exception('\\x01' * 5000)").await;
    assert_eq!(judge.verdict(wrong).await.verdict, Verdict::Wa);
    assert_eq!(judge.verdict(crash).await.verdict, Verdict::Rte);
    for id in [wrong, crash] {
        let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
        let json = serde_json::to_string(&history.last().unwrap().envelope.event).unwrap();
        let testcases =
            history.iter().map(|recorded| serde_json::to_string(&recorded.envelope.event).unwrap());
        assert!(testcases.chain([json]).all(|json| !json.contains("\\u0001")), "{history:#?}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_slot_listens_to_live_submissions_all_the_time() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let worker = judge.worker("w1", 1).await;
    let stream = judge.store.context().get_stream_no_info("ASSIZE_00").await.unwrap();
    let waiting = async |consumer: &str| stream.consumer_info(consumer).await.unwrap().num_waiting;
    let begun = async {
        while waiting("judge-standard-live").await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the slot listens");
    let (mut listening, mut looked) = (0, 0);
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        looked += 1;
        listening += usize::from(waiting("judge-standard-live").await > 0);
    }
    assert!(listening * 10 >= looked * 9, "listened at {listening} of {looked} moments");

    // And yet what waits to be judged again is judged, too.
    let code = "a, b = map(int, input().split())\nprint(a + b)\n";
    let id = judge.submit("a", "python3", code).await;
    judge.verdict(id).await;
    let mut loaded = judge.judge.load(id).await.unwrap().unwrap();
    let package = loaded.submission.created.package;
    let rejudge =
        Command::RequestRejudge { package, reason: "new data".to_owned(), by: "jury".parse().unwrap() };
    judge.judge.apply(&mut loaded, rejudge, Timestamp::now()).await.unwrap();
    let state = judge.wait_until(id, |state| state.judgings.len() == 2 && state.open().is_none()).await;
    assert!(matches!(state.judgings[1].end, Some(JudgingEnd::Verdict(_))), "{state:#?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_racing_for_many_submissions_judge_each_once() {
    let judge = TestJudge::start().await;
    judge.publish("a").await;
    let (one, two) = tokio::join!(judge.worker("w1", 2), judge.worker("w2", 2));
    let code = "a, b = map(int, input().split())\nprint(a + b)\n";
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(judge.submit("a", "python3", code).await);
    }
    for id in ids {
        assert_eq!(judge.verdict(id).await.verdict, Verdict::Ac);
        let history = judge.store.load(&Aggregate::Submission(id)).await.unwrap();
        let started = history
            .iter()
            .filter(|recorded| matches!(recorded.envelope.event, Event::JudgingStarted(_)))
            .count();
        assert_eq!(started, 1, "{history:#?}");
    }
    one.stop().await;
    two.stop().await;
}
