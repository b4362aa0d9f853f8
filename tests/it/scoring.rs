//! Problems with points, from the package to the answer: what jury submissions come to without a server, and what workers,
//! history and API say of the same programs.

use std::fs;
use std::path::{Path, PathBuf};

use assize::domain::event::Event;
use assize::domain::submission::JudgingEnd;
use assize::domain::verdict::Verdict;
use assize::store::{Aggregate, EventStore};
use serde_json::Value;

use crate::harness::api::TestApi;
use crate::harness::cli::assize;
use crate::harness::judge::{TestJudge, sample_package};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scoring").join(name)
}

/// The lines about submissions, without the one about the package.
fn submissions_of(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter(|line| line.get("path").is_some()).cloned().collect()
}

/// What verifying a package gives: a line `path: verdict score | group verdict score …` for each submission, with a mark where
/// it was not as expected.
fn verified(package: &Path, more: &[&str], code: i32) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["problem", "verify", package.to_str().unwrap(), "--json"], more].concat();
    let lines = assize(folder.path(), &arguments).expect_code(code).json_lines();
    let told = |line: &Value| {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or("-").to_owned();
        let groups = line["groups"].as_array().unwrap().iter().map(|group| {
            format!(" | {} {} {}", text(group, "group"), text(group, "verdict"), text(group, "score"))
        });
        let mark = if line["ok"] == true { "" } else { "NOT AS EXPECTED " };
        let path = text(line, "path").replace("submissions/", "");
        format!("{mark}{path}: {} {}{}", text(line, "got"), text(line, "score"), groups.collect::<String>())
    };
    lines.iter().filter(|line| line.get("path").is_some()).map(told).collect()
}

#[test]
fn subtasks_of_a_legacy_package_are_scored() {
    let expected = [
        "accepted/sum.cpp: AC 100 | sample AC 0 | secret AC 100 | secret/1 AC 40 | secret/2 AC 60",
        "accepted/sum.py: AC 100 | sample AC 0 | secret AC 100 | secret/1 AC 40 | secret/2 AC 60",
        "partially_accepted/narrow.cpp: PA 40 | sample AC 0 | secret PA 40 | secret/1 AC 40 | secret/2 WA 0",
        "partially_accepted/slow_when_large.py: PA 40 | sample AC 0 | secret PA 40 | secret/1 AC 40 | secret/2 TLE 0",
        "run_time_error/crash.cpp: RTE 0 | sample RTE 0 | secret RTE 0 | secret/1 RTE 0 | secret/2 RTE 0",
        "run_time_error/crash.py: RTE 0 | sample RTE 0 | secret RTE 0 | secret/1 RTE 0 | secret/2 RTE 0",
        "time_limit_exceeded/forever.cpp: TLE 0 | sample TLE 0 | secret TLE 0 | secret/1 TLE 0 | secret/2 TLE 0",
        "time_limit_exceeded/forever.py: TLE 0 | sample TLE 0 | secret TLE 0 | secret/1 TLE 0 | secret/2 TLE 0",
        "wrong_answer/one_more.cpp: WA 0 | sample WA 0 | secret WA 0 | secret/1 WA 0 | secret/2 WA 0",
        "wrong_answer/sample_only.py: WA 0 | sample AC 0 | secret WA 0 | secret/1 WA 0 | secret/2 WA 0",
    ];
    assert_eq!(verified(&sample_package("additions"), &[], 0), expected);
    // Running all of it changes nothing.
    let narrow = ["--all", "--submission", "partially_accepted/narrow.cpp"];
    assert_eq!(verified(&sample_package("additions"), &narrow, 0), [expected[2]]);
}

#[test]
fn a_custom_grader_makes_one_score_of_those_of_a_custom_validator() {
    assert_eq!(
        verified(&fixture("closeness"), &[], 0),
        [
            "accepted/exact.py: AC 100 | sample AC 100 | secret AC 100",
            "accepted/two_are_enough.py: AC 100 | sample AC 100 | secret AC 100",
            "partially_accepted/near.py: PA 92.5 | sample AC 92.5 | secret AC 92.5",
            "partially_accepted/one_only.py: PA 50 | sample WA 0 | secret AC 50",
            "run_time_error/crash.py: RTE 0 | sample RTE 0 | secret RTE 0",
            "time_limit_exceeded/forever.py: TLE 0 | sample TLE 0 | secret TLE 0",
            "wrong_answer/words.py: WA 0 | sample WA 0 | secret WA 0",
        ]
    );
}

#[test]
fn groups_of_2025_09_are_scored() {
    assert_eq!(
        verified(&fixture("levels"), &[], 0),
        [
            "accepted/exact.py: AC 100 | sample AC 0 | secret AC 100 | secret/a AC 20 | secret/b AC 50 | secret/c AC 30",
            "partially_accepted/large_only.py: PA 30 | sample WA 0 | secret PA 30 | secret/a SC 0 | secret/b SC 0 | secret/c AC 30",
            "partially_accepted/near_when_large.py: PA 63.333333333333 | sample AC 0 | secret PA 63.333333333333 | secret/a AC 20 \
             | secret/b PA 33.333333333333 | secret/c PA 10",
            "rejected/seven.py: WA 0 | sample WA 0 | secret WA 0 | secret/a SC 0 | secret/b SC 0 | secret/c WA 0",
            "run_time_error/crash_when_large.py: PA 36.666666666667 | sample AC 0 | secret PA 36.666666666667 | secret/a AC 20 \
             | secret/b PA 16.666666666667 | secret/c RTE 0",
            "time_limit_exceeded/forever_in_a.py: PA 30 | sample TLE 0 | secret PA 30 | secret/a SC 0 | secret/b SC 0 | secret/c AC 30",
            "wrong_answer/last_wrong.py: PA 70 | sample AC 0 | secret PA 70 | secret/a AC 20 | secret/b AC 50 | secret/c WA 0",
        ]
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of a fixture with other files, and only its accepted submission `exact.py`.
fn spoilt(name: &str, folder: &Path, files: &[(&str, &str)]) -> PathBuf {
    let package = folder.join(name);
    copy(&fixture(name), &package);
    for directory in fs::read_dir(package.join("submissions")).unwrap() {
        let directory = directory.unwrap().path();
        if !directory.ends_with("accepted") {
            fs::remove_dir_all(directory).unwrap();
        }
    }
    let _ = fs::remove_file(package.join("submissions/accepted/two_are_enough.py"));
    for (path, content) in files {
        fs::write(package.join(path), content).unwrap();
    }
    package
}

#[test]
fn a_package_that_breaks_the_rules_of_scores_is_our_fault() {
    #[track_caller]
    fn check(name: &str, files: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let package = spoilt(name, folder.path(), files);
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let lines = submissions_of(&said.expect_code(5).json_lines());
        assert_eq!(
            (lines.len(), &lines[0]["got"], &lines[0]["fault"]),
            (1, &Value::from("JE"), &Value::from(true))
        );
        let reason = lines[0]["reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{reason}");
    }
    let validator = |body: &str| format!("import sys\nfeedback = sys.argv[3]\n{body}\n");
    let grader = |body: &'static str| [("graders/best.py", body)];
    let path = "output_validators/validate.py";
    check("closeness", &[(path, &validator("sys.exit(42)"))], "gave no score.txt for an accepted output");
    let nonsense = validator("open(feedback + 'score.txt', 'w').write('inf')\nsys.exit(42)");
    check("closeness", &[(path, &nonsense)], "\"inf\" is not a decimal number");
    check(
        "closeness",
        &grader("raise SystemExit(3)"),
        "graders/best.py of the package exited with code 3 instead of 0",
    );
    check(
        "closeness",
        &grader("print('AC')"),
        "graders/best.py of the package said something else than a verdict and a score",
    );
    check("closeness", &grader("print('JE 0')"), "gave a verdict that is none of AC, WA, TLE and RTE");
    check("closeness", &grader("print('AC nan')"), "gave a score that is none");
    let yaml = fs::read_to_string(fixture("closeness").join("problem.yaml")).unwrap();
    let hasty = [
        ("problem.yaml", &*format!("{yaml}limits: {{validation_time: 1}}\n")),
        ("graders/best.py", "while True: pass"),
    ];
    check("closeness", &hasty, "passed a limit");
    let path = "output_validator/validate.py";
    let both = validator(
        "for name in ['score', 'score_multiplier']:\n    open(feedback + name + '.txt', 'w').write('1')\nsys.exit(42)",
    );
    // Nobody reads what is given for the samples, and a group of all or nothing takes no scores.
    check("levels", &[(path, &both)], "gave a score where it may not");
    let above = validator(
        "if 'score' in sys.argv:\n    open(feedback + 'score.txt', 'w').write('30.5')\nsys.exit(42)",
    );
    check("levels", &[(path, &above)], "gave the score 30.5, which is not from 0 to 30");
}

/// A package whose validator fails on the second group, which needs the first one.
fn failing_behind_a_group(folder: &Path) -> PathBuf {
    let body = "import sys\n\
                number = int(open(sys.argv[1]).read())\n\
                if 100 <= number < 1000: sys.exit('nothing for this')\n\
                sys.exit(42 if sys.stdin.read().strip() == open(sys.argv[2]).read().strip() else 43)\n";
    let files = [("output_validator/validate.py", body), ("submissions/accepted/exact.py", "print('x')\n")];
    let package = spoilt("levels", folder, &files);
    fs::rename(package.join("submissions/accepted"), package.join("submissions/wrong_answer")).unwrap();
    package
}

#[test]
fn a_fault_where_the_rules_run_nothing_is_told_and_decides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let package = failing_behind_a_group(folder.path());
    let expected = [
        "wrong_answer/exact.py: WA 0 | sample WA 0 | secret WA 0 | secret/a SC 0 | secret/b SC 0 | secret/c WA 0",
    ];
    assert_eq!(verified(&package, &[], 0), expected);
    assert_eq!(verified(&package, &["--all"], 0), expected);
    let all = ["problem", "verify", package.to_str().unwrap(), "--json", "--all"];
    let line = assize(folder.path(), &all).expect_code(0).json_lines().remove(0);
    let rows = line["testcases"].as_array().unwrap();
    assert_eq!(rows.len() as u64, line["testcases_total"].as_u64().unwrap(), "{line:#}");
    let faults: Vec<&Value> = rows.iter().filter(|row| row["verdict"] == "JE").collect();
    assert_eq!(faults.len(), 3, "{line:#}");
    assert!(
        faults[0]["message"].as_str().unwrap().ends_with("instead of 42 or 43: nothing for this"),
        "{line:#}"
    );
    assert!(
        line["reason"].as_str().unwrap().starts_with("secret/b/100, which the result does not depend on: ")
    );
    // One that gets there finds the fault.
    fs::write(package.join("submissions/wrong_answer/exact.py"), "print(input())\n").unwrap();
    for more in [&["--all"][..], &[]] {
        let verify = [&["problem", "verify", package.to_str().unwrap(), "--json"], more].concat();
        assert_eq!(assize(folder.path(), &verify).expect_code(5).json_lines()[0]["got"], "JE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_runs_all_is_not_stopped_by_a_fault_without_a_say() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    judge.publish_folder(&failing_behind_a_group(folder.path())).await;
    let worker = judge.worker_that_runs_all("w1", 1).await;
    let verdict = judge.verdict(judge.submit("levels", "python3", "print('x')\n").await).await;
    assert_eq!((verdict.verdict, verdict.score.as_deref()), (Verdict::Wa, Some("0")));
    assert_eq!(verdict.testcases_judged, verdict.testcases_total);
    worker.stop().await;
}

#[test]
fn jury_submissions_with_the_wrong_score_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let package = spoilt("closeness", folder.path(), &[]);
    fs::create_dir_all(package.join("submissions/partially_accepted")).unwrap();
    fs::write(package.join("submissions/partially_accepted/full.py"), "print(input())\n").unwrap();
    fs::write(package.join("submissions/partially_accepted/none.py"), "print('x')\n").unwrap();
    fs::write(package.join("submissions/accepted/near.py"), "print(int(input()) + 1)\n").unwrap();
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let lines = submissions_of(&said.expect_code(1).json_lines());
    let told: Vec<(&str, &Value, &str)> = lines
        .iter()
        .map(|line| (line["path"].as_str().unwrap(), &line["ok"], line["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("submissions/accepted/exact.py", &Value::from(true), ""),
            // As problemtools has it, that is odd and no more.
            (
                "submissions/accepted/near.py",
                &Value::from(true),
                "it got 97.5 of 100 points; partially_accepted may be its place"
            ),
            (
                "submissions/partially_accepted/full.py",
                &Value::from(false),
                "its score is 100, which is the best, where partially_accepted/ expects less"
            ),
            (
                "submissions/partially_accepted/none.py",
                &Value::from(false),
                "it got WA, where partially_accepted/ expects AC: sample/1: this is no integer"
            ),
        ]
    );
    // Where low scores are good ones, the best is the other end of the range.
    let yaml = fs::read_to_string(package.join("problem.yaml")).unwrap();
    fs::write(package.join("problem.yaml"), format!("{yaml}grading: {{objective: min}}\n")).unwrap();
    fs::write(package.join("submissions/partially_accepted/none.py"), "print(int(input()) + 100)\n").unwrap();
    let options = ["--submission", "partially_accepted/*", "--json"];
    let verify = [&["problem", "verify", package.to_str().unwrap()], &options[..]].concat();
    let lines = submissions_of(&assize(folder.path(), &verify).expect_code(1).json_lines());
    let told = lines.iter().map(|line| (line["score"].as_str().unwrap(), line["reason"].as_str().unwrap()));
    let why = "its score is 0, which is the best, where partially_accepted/ expects more";
    assert_eq!(told.collect::<Vec<_>>(), [("100", ""), ("0", why)]);
}

async fn publish_fixture(judge: &TestJudge, name: &str) {
    judge.publish_folder(&fixture(name)).await;
}

fn code(package: &Path, submission: &str) -> String {
    fs::read_to_string(package.join("submissions").join(submission)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_in_the_history_and_in_the_answers_of_the_api() {
    let api = TestApi::start().await;
    api.judge.publish("additions").await;
    publish_fixture(&api.judge, "closeness").await;
    publish_fixture(&api.judge, "levels").await;
    let worker = api.judge.worker("w1", 1).await;
    let near = code(&fixture("levels"), "partially_accepted/near_when_large.py");
    let levels = api.judge.submit("levels", "python3", &near).await;
    let narrow = code(&sample_package("additions"), "partially_accepted/narrow.cpp");
    let additions = api.judge.submit("additions", "cpp17", &narrow).await;
    let one_only = code(&fixture("closeness"), "partially_accepted/one_only.py");
    let closeness = api.judge.submit("closeness", "python3", &one_only).await;

    let verdict = api.judge.verdict(levels).await;
    let score = |text: &str| Some(text.to_owned());
    assert_eq!((verdict.verdict, &verdict.score), (Verdict::Pa, &score("63.333333333333")));
    assert_eq!((verdict.icpc_judgement_type.as_str(), &verdict.score_best), ("AC", &score("100")));
    let history = api.judge.store.load(&Aggregate::Submission(levels)).await.unwrap();
    let judged = history.iter().filter_map(|recorded| match &recorded.envelope.event {
        Event::TestcaseJudged(judged) => Some((
            judged.testcase.as_str(),
            judged.score.as_deref(),
            judged.validator_score.as_deref(),
            judged.validator_score_multiplier.as_deref(),
        )),
        _ => None,
    });
    assert_eq!(
        judged.collect::<Vec<_>>(),
        [
            ("sample/1", None, None, None),
            ("sample/2", None, None, None),
            ("secret/a/1", None, None, None),
            ("secret/a/2", None, None, None),
            ("secret/b/100", Some("16.666666666667"), None, None),
            ("secret/b/200", Some("8.333333333333"), None, Some("0.5")),
            ("secret/b/300", Some("8.333333333333"), None, Some("0.5")),
            ("secret/c/1000", Some("10"), Some("10"), None),
            ("secret/c/2000", Some("10"), Some("10"), None),
        ]
    );

    let verdict = api.judge.verdict(closeness).await;
    assert_eq!((verdict.verdict, &verdict.score), (Verdict::Pa, &score("50")));
    api.judge.verdict(additions).await;
    let answer = api
        .get(&format!(
            "/v1/submissions/{additions}?min_seq={}",
            api.judge.store.last_sequence().await.unwrap()
        ))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let submission = &answer.json["submission"];
    assert_eq!(
        (&submission["verdict"], &submission["score"]),
        (&Value::from("PA"), &Value::from("40")),
        "{submission:#}"
    );
    assert_eq!(submission["score_best"], "100");
    let judging = &answer.json["judgings"][0];
    assert_eq!((&judging["score"], &judging["score_best"]), (&Value::from("40"), &Value::from("100")));
    let groups: Vec<(&str, &str, &str, &str)> = judging["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let of = |key: &str| group[key].as_str().unwrap();
            (of("name"), of("verdict"), of("score"), of("score_best"))
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("sample", "AC", "0", "0"),
            ("secret", "PA", "40", "100"),
            ("secret/1", "AC", "40", "40"),
            ("secret/2", "WA", "0", "60"),
        ]
    );
    // Lazily: the second group ends at its second testcase.
    assert_eq!(submission["testcases_judged"], 6);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_runs_all_comes_to_the_same() {
    let judge = TestJudge::start().await;
    judge.publish("additions").await;
    let worker = judge.worker_that_runs_all("w1", 1).await;
    let narrow = code(&sample_package("additions"), "partially_accepted/narrow.cpp");
    let verdict = judge.verdict(judge.submit("additions", "cpp17", &narrow).await).await;
    assert_eq!((verdict.verdict, verdict.score.as_deref()), (Verdict::Pa, Some("40")));
    assert_eq!(verdict.testcases_judged, verdict.testcases_total);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grader_that_fails_ends_the_judging_as_our_fault() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let package = spoilt("closeness", folder.path(), &[("graders/best.py", "raise SystemExit(3)\n")]);
    judge.publish_folder(&package).await;
    let worker = judge.worker("w1", 1).await;
    let id = judge.submit("closeness", "python3", "print(input())\n").await;
    let state = judge.wait_until(id, |state| state.judgings[0].end.is_some()).await;
    let Some(JudgingEnd::Failed(failed)) = &state.judgings[0].end else { panic!("{state:#?}") };
    assert_eq!(failed.attempt, 1);
    assert!(failed.cause.contains("exited with code 3 instead of 0"), "{failed:#?}");
    worker.stop().await;
}
