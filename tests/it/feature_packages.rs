//! The packages of `tests/packages/`: each exercises what no public package does, and must be judged as its jury says,
//! in a verification and through the history.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize::domain::verdict::Verdict;
use serde_json::{Value, json};

use crate::harness::api::TestApi;
use crate::harness::cli::assize;
use crate::harness::judge::{PATIENCE, TestJudge};

fn package(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages").join(name)
}

#[track_caller]
fn keeps_its_promises(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let package = package(name);
    let arguments = ["problem", "verify", package.to_str().unwrap(), "--strict", "--all", "--json"];
    let mut lines = assize(folder.path(), &arguments).expect_code(0).json_lines();
    let whole = lines.pop().unwrap();
    let findings = whole["findings"].as_array().unwrap();
    assert!(
        whole.get("path").is_none() && findings.iter().all(|found| found["is_error"] == false),
        "{whole:#}"
    );
    let folders = fs::read_dir(package.join("submissions")).unwrap().map(|entry| entry.unwrap().path());
    let submissions =
        folders.filter(|path| path.is_dir()).map(|folder| fs::read_dir(folder).unwrap().count());
    assert_eq!(lines.len(), submissions.sum::<usize>(), "{lines:#?}");
    for line in &lines {
        assert!(line["ok"] == true && line["sensitive"] == false, "{line:#}");
    }
}

#[test]
fn included_files_are_laid_over_submissions() {
    keeps_its_promises("driver");
}

/// What is included may run the submission in processes of its own, as problems do whose solutions are two programs.
#[test]
fn included_drivers_start_processes() {
    keeps_its_promises("relay");
}

/// They start it by its usual name, as in public packages.
#[test]
fn included_drivers_start_java() {
    if !Path::new("/usr/bin/java").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(package("relay")).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    let package = folder.path().join("relay");
    let code = "class Relay {\n static String encode(long number) { return \"a\".repeat((int) number); }\n\
                static long decode(String word) { return word.length(); } }\n";
    let submission = package.join("submissions/accepted/unary/Relay.java");
    fs::create_dir_all(submission.parent().unwrap()).unwrap();
    fs::write(submission, code).unwrap();
    let wanted = ["--submission", "accepted/unary", "--testcase", "sample/*", "--json"];
    let verify = [&["problem", "verify", package.to_str().unwrap()], &wanted[..]].concat();
    let lines = assize(folder.path(), &verify).expect_code(0).json_lines();
    assert_eq!(lines[0]["got"], "AC", "{lines:#?}");
}

#[test]
fn testcases_bring_arguments_and_files() {
    keeps_its_promises("words");
}

#[test]
fn constants_are_put_into_programs() {
    keeps_its_promises("constants");
}

#[test]
fn outputs_are_handed_in_instead_of_programs() {
    keeps_its_promises("answers");
}

/// Also files that submissions write, and the scores of groups that a jury expects.
#[test]
fn sources_are_judged_by_static_validators() {
    keeps_its_promises("concise");
}

/// Also its data: checktestdata, a program, examples of what must be refused and accepted. And no time limit.
#[test]
fn what_a_jury_expects_is_read_from_everywhere() {
    keeps_its_promises("rank");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_packages_add_counts_for_contestants_too() {
    let judge = TestJudge::start().await;
    for name in ["driver", "relay", "words", "constants", "answers", "concise"] {
        judge.publish_folder(&package(name)).await;
    }
    let worker = judge.worker("w1", 1).await;
    let read = |path: &str| fs::read_to_string(package(path)).unwrap();
    for (problem, language, path, verdict) in [
        ("driver", "cpp17", "driver/submissions/accepted/sum.cpp", Verdict::Ac),
        ("driver", "cpp17", "driver/submissions/wrong_answer/overflow.cpp", Verdict::Wa),
        ("relay", "cpp17", "relay/submissions/accepted/bits.cpp", Verdict::Ac),
        ("words", "python3", "words/submissions/accepted/words.py", Verdict::Ac),
        ("words", "python3", "words/submissions/wrong_answer/standard_input.py", Verdict::Wa),
        ("constants", "cpp17", "constants/submissions/accepted/loop.cpp", Verdict::Ac),
        ("concise", "python3", "concise/submissions/accepted/sum.py", Verdict::Ac),
        ("concise", "cpp17", "concise/submissions/partial/long.cpp", Verdict::Pa),
        ("concise", "python3", "concise/submissions/partial/inexact.py", Verdict::Pa),
    ] {
        let id = judge.submit(problem, language, &read(path)).await;
        assert_eq!(judge.verdict(id).await.verdict, verdict, "{path}");
    }
    let answers = judge.submit("answers", "output", "3 7\n").await;
    assert_eq!(judge.verdict(answers).await.verdict, Verdict::Wa);
    // Constants are for the package's own files, and not for what contestants send.
    let id = judge.submit("constants", "python3", "print({{modulus}})").await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Rte);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_languages_of_a_problem_are_taken() {
    let api = TestApi::start().await;
    let folder = tempfile::tempdir().unwrap();
    let limited = folder.path().join("limited");
    let yaml = "name: Limited\nlanguages: [cpp, java]\nlimits: {time_limit: 1}\n";
    for (path, content) in [("problem.yaml", yaml), ("data/secret/1.in", ""), ("data/secret/1.ans", "1\n")] {
        fs::create_dir_all(limited.join(path).parent().unwrap()).unwrap();
        fs::write(limited.join(path), content).unwrap();
    }
    for path in [limited, package("answers")] {
        api.judge.publish_folder(&path).await;
    }
    let last = api.judge.store.last_sequence().await.unwrap();
    assert!(api.state.projection.wait_for(last, PATIENCE).await);
    let submit = |problem: &str, language: &str, files: Value| json!({ "problem": problem, "language": language, "files": files });
    let code = |name: &str| json!([{ "name": name, "content": "1" }]);
    for (problem, language) in [("limited", "python3"), ("answers", "cpp17"), ("limited", "output")] {
        let refused = api.post("/v1/submissions", &submit(problem, language, code("x"))).await;
        refused.assert_problem(422, "language_not_allowed");
    }
    let taken = api.post("/v1/submissions", &submit("limited", "cpp17", code("a.cpp"))).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let shown = api.get("/v1/problems/limited").await;
    assert_eq!(shown.json["problem"]["languages_allowed"], json!(["cpp", "java"]), "{}", shown.text);

    let worker = api.judge.worker("w1", 1).await;
    let outputs = |hard: &str| {
        let outputs = [("1.out", "3 7"), ("easy-1.out", "2 2"), ("2.out", "19 2"), ("hard-1.out", hard)];
        let files = outputs.map(|(name, content)| json!({ "name": name, "content": content }));
        submit("answers", "output", json!(files))
    };
    for (hard, verdict) in [("999983 1", Verdict::Ac), ("499992 499992", Verdict::Wa)] {
        let taken = api.post("/v1/submissions", &outputs(hard)).await;
        assert_eq!(taken.status, 202, "{}", taken.text);
        let id = taken.json["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(api.judge.verdict(id).await.verdict, verdict, "{hard}");
    }
    worker.stop().await;
}
