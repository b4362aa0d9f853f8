//! Real contest packages (their data only, from a folder beside the checkout) against solutions of our own.
//!
//! `ASSIZE_SHARED_PROBLEMS` names the folder; by default it is `../shared/problems`. Where it is absent the tests
//! say so and pass: a stranger's clone does not have it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize::domain::verdict::Verdict;

use crate::harness::judge::TestJudge;

fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/problems");
    let folder = std::env::var_os("ASSIZE_SHARED_PROBLEMS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the capture of the test harness: a skip must be seen.
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: no real packages at {}", folder.display());
    None
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// A copy of a real package with our solutions as its jury submissions.
fn with_solutions(shared: &Path, name: &str, into: &Path) -> PathBuf {
    let package = into.join(name);
    copy(&shared.join(name), &package);
    copy(&fixtures().join(name), &package.join("submissions"));
    package
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real")
}

#[test]
fn solutions_of_real_problems_get_what_they_deserve() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut packages = Vec::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        packages.push(with_solutions(&shared, &name, folder.path()));
    }
    assert!(packages.len() >= 3, "{packages:?}");
    let verified = Command::new(env!("CARGO_BIN_EXE_assize"))
        .args(["problem", "verify"])
        .args(&packages)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}\n{}", String::from_utf8_lossy(&verified.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_package_is_published_and_judged() {
    let Some(shared) = shared() else { return };
    let judge = TestJudge::start().await;
    judge.publish_folder(&shared.join("qaly")).await;
    let worker = judge.worker("w1", 2).await;
    let right =
        "n = int(input())\nprint(sum(q * y for q, y in (map(float, input().split()) for _ in range(n))))\n";
    let accepted = judge.submit("qaly", "python3", right).await;
    let wrong = judge.submit("qaly", "python3", "print(1.0)").await;
    assert_eq!(judge.verdict(accepted).await.verdict, Verdict::Ac);
    assert_eq!(judge.verdict(wrong).await.verdict, Verdict::Wa);
    // One with points: the first subtask is echoing five words, the second any number.
    judge.publish_folder(&shared.join("oddecho")).await;
    let whole = "print(*[input() for _ in range(int(input()))][::2], sep='\\n')\n";
    let first = "input()\nprint(*[input() for _ in range(5)][::2], sep='\\n')\n";
    for (code, verdict, score) in
        [(whole, Verdict::Ac, "100"), (first, Verdict::Pa, "50"), ("print(1)", Verdict::Wa, "0")]
    {
        let id = judge.submit("oddecho", "python3", code).await;
        let issued = judge.verdict(id).await;
        assert_eq!((issued.verdict, issued.score.as_deref()), (verdict, Some(score)), "{issued:?}");
    }
    worker.stop().await;
}
