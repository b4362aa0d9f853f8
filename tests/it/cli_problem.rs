//! `assize problem`: the jury's submissions are judged without a server, and packages are published.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::cli::assize;
use crate::harness::judge::{TestJudge, sample_package};

/// A copy of the package `a` with few submissions, to be spoilt.
fn small_package(folder: &Path) -> PathBuf {
    let (from, to) = (sample_package("a"), folder.join("a"));
    for part in ["data/sample", "problem_statement", "submissions/accepted", "data/secret"] {
        fs::create_dir_all(to.join(part)).unwrap();
    }
    for part in ["data/sample", "problem_statement"] {
        for entry in fs::read_dir(from.join(part)).into_iter().flatten() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(part).join(entry.file_name())).unwrap();
        }
    }
    fs::write(to.join("data/secret/1.in"), "1 2\n").unwrap();
    fs::write(to.join("data/secret/1.ans"), "3\n").unwrap();
    for file in ["problem.yaml", "submissions/accepted/sum.py"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to
}

#[test]
fn a_package_whose_promises_are_kept_passes() {
    let folder = tempfile::tempdir().unwrap();
    let package = sample_package("a");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json", "--all"]);
    let lines = said.expect_code(0).json_lines();
    assert_eq!(lines.len(), 8, "{lines:#?}");
    for line in &lines {
        assert_eq!(line["ok"], true, "{line:#}");
        let testcases = line["testcases"].as_array().unwrap();
        assert_eq!(testcases.len() as u64, line["testcases_total"].as_u64().unwrap());
        for testcase in testcases {
            assert!(testcase["cpu_ms"].is_u64() && testcase["wall_ms"].is_u64(), "{testcase:#}");
            assert!(testcase["memory_bytes"].as_u64().unwrap() > 1 << 20, "{testcase:#}");
        }
    }
    let paths: Vec<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert!(paths.is_sorted(), "{paths:?}");
}

#[test]
fn broken_promises_are_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let put = |path: &str, code: &str| {
        let path = package.join("submissions").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, code).unwrap();
    };
    put("accepted/wrong.py", "print(0)\n");
    put("accepted/broken.cpp", "int main( {\n");
    put("wrong_answer/right.py", "print(sum(map(int, input().split())))\n");
    put("accepted/unknown.zig", "whatever\n");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let lines = said.expect_code(1).json_lines();
    let line = |path: &str| {
        lines.iter().find(|line| line["path"].as_str().unwrap().ends_with(path)).expect(path).clone()
    };
    assert_eq!(line("sum.py")["ok"], true);
    assert_eq!(line("wrong.py")["got"], "WA");
    assert!(line("wrong.py")["reason"].as_str().unwrap().starts_with("sample/1: WA: "), "{lines:#?}");
    assert_eq!(line("broken.cpp")["got"], "CE");
    assert!(line("broken.cpp")["reason"].as_str().unwrap().contains("error:"), "{lines:#?}");
    assert_eq!(line("right.py")["got"], "AC");
    assert_eq!(line("right.py")["ok"], false);
    assert!(line("unknown.zig")["ok"].is_null());
    assert!(line("unknown.zig")["reason"].as_str().unwrap().contains("no language"), "{lines:#?}");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(1);
    for words in ["WRONG", "skip", "1 as expected, 3 not as expected, 1 skipped"] {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
    assert!(!said.stdout.contains('\x1b'), "{}", said.stdout);
}

#[test]
fn packages_that_cannot_be_judged_are_refused_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let verify = |extra: &[&str]| {
        assize(folder.path(), &[&["problem", "verify", package.to_str().unwrap()], extra].concat())
    };
    verify(&[]).expect_code(0);
    fs::create_dir(package.join("submissions/odd")).unwrap();
    fs::write(package.join("submissions/odd/x.py"), "print(0)\n").unwrap();
    let said = verify(&[]).expect_code(0);
    assert!(said.stdout.contains("warning: ") && said.stdout.contains("submissions/odd"), "{}", said.stdout);
    verify(&["--strict"]).expect_code(1);
    fs::write(package.join("problem.yaml"), "name: A\nvalidation: custom interactive\n").unwrap();
    let said = verify(&[]).expect_code(1);
    assert!(
        said.stdout.contains("problem.yaml:2: interactive problems are not judged yet"),
        "{}",
        said.stdout
    );
    fs::write(package.join("problem.yaml"), "name: A\nlimits: [\n").unwrap();
    let said = verify(&["--json"]).expect_code(1);
    assert!(said.json_lines()[0]["error"].as_str().unwrap().contains("problem.yaml:"), "{said:?}");
    let said = assize(folder.path(), &["problem", "verify", "/nowhere"]).expect_code(2);
    assert!(said.stderr.contains("/nowhere is not a folder"), "{said:?}");
    assize(folder.path(), &["problem", "verify"]).expect_code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_adds_a_revision_and_a_broken_package_changes_nothing() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let publish = || assize(judge.nats.root(), &["problem", "publish", package.to_str().unwrap(), "--json"]);
    assert_eq!(publish().expect_code(0).json_lines()[0]["revision"], 1);
    assert_eq!(publish().expect_code(0).json_lines()[0]["revision"], 1);
    fs::write(package.join("data/secret/2.in"), "2 2\n").unwrap();
    fs::write(package.join("data/secret/2.ans"), "4\n").unwrap();
    assert_eq!(publish().expect_code(0).json_lines()[0]["revision"], 2);
    let before = judge.store.last_sequence().await.unwrap();
    fs::remove_file(package.join("data/secret/2.ans")).unwrap();
    fs::write(package.join("problem.yaml"), "name: [\n").unwrap();
    let said = publish().expect_code(1);
    assert!(said.json_lines()[0]["error"].as_str().unwrap().contains("problem.yaml"), "{said:?}");
    assert_eq!(judge.store.last_sequence().await.unwrap(), before);
    let nowhere = tempfile::tempdir().unwrap();
    assize(nowhere.path(), &["problem", "publish", package.to_str().unwrap()]).expect_code(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_for_sources_that_cannot_be_stored_is_refused() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let yaml = package.join("problem.yaml");
    let text = fs::read_to_string(&yaml).unwrap();
    assert!(text.contains("limits:\n"), "{text}");
    fs::write(&yaml, text.replace("limits:\n", "limits:\n  code: 2000\n")).unwrap();
    let said = assize(judge.nats.root(), &["problem", "publish", package.to_str().unwrap()]);
    let said = said.expect_code(1);
    assert!(said.stdout.contains("limits.code is 2048000 bytes"), "{said:?}");
}
