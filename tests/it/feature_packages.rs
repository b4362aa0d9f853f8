//! The packages of `tests/packages/`: each exercises what no public package does, and must be judged as its jury says,
//! in a verification and through the history.

use std::fs;
use std::path::{Path, PathBuf};

use assize::domain::verdict::Verdict;
use assize::publish;
use jiff::Timestamp;

use crate::harness::cli::assize;
use crate::harness::judge::TestJudge;

fn package(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages").join(name)
}

#[track_caller]
fn keeps_its_promises(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let package = package(name);
    let arguments = ["problem", "verify", package.to_str().unwrap(), "--strict", "--all", "--json"];
    let lines = assize(folder.path(), &arguments).expect_code(0).json_lines();
    let submissions = fs::read_dir(package.join("submissions")).unwrap();
    let submissions = submissions.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count());
    assert_eq!(lines.len(), submissions.sum::<usize>(), "{lines:#?}");
    for line in &lines {
        assert_eq!(line["ok"], true, "{line:#}");
    }
}

#[test]
fn included_files_are_laid_over_submissions() {
    keeps_its_promises("driver");
}

#[test]
fn testcases_bring_arguments_and_files() {
    keeps_its_promises("words");
}

#[test]
fn constants_are_put_into_programs() {
    keeps_its_promises("constants");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_packages_add_counts_for_contestants_too() {
    let judge = TestJudge::start().await;
    for name in ["driver", "words", "constants"] {
        publish::publish(&judge.store, &judge.judge, &package(name), Timestamp::now()).await.unwrap();
    }
    let worker = judge.worker("w1", 1).await;
    let read = |path: &str| fs::read_to_string(package(path)).unwrap();
    for (problem, language, path, verdict) in [
        ("driver", "cpp17", "driver/submissions/accepted/sum.cpp", Verdict::Ac),
        ("driver", "cpp17", "driver/submissions/wrong_answer/overflow.cpp", Verdict::Wa),
        ("words", "python3", "words/submissions/accepted/words.py", Verdict::Ac),
        ("words", "python3", "words/submissions/wrong_answer/standard_input.py", Verdict::Wa),
        ("constants", "cpp17", "constants/submissions/accepted/loop.cpp", Verdict::Ac),
    ] {
        let id = judge.submit(problem, language, &read(path)).await;
        assert_eq!(judge.verdict(id).await.verdict, verdict, "{path}");
    }
    // Constants are for the package's own files, and not for what contestants send.
    let id = judge.submit("constants", "python3", "print({{modulus}})").await;
    assert_eq!(judge.verdict(id).await.verdict, Verdict::Rte);
    worker.stop().await;
}
