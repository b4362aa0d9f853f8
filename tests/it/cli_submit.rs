//! `assize submit`, `replay`, `doctor` and `openapi`, as a person uses them on a judge that runs.

use std::fs;

use crate::harness::cli::assize;
use crate::harness::judge::sample_package;
use crate::harness::process::Process;

#[test]
fn submissions_replays_and_the_past_on_a_running_judge_and_on_one_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let problems = sample_package("a").parent().unwrap().to_owned();
    let args = ["up", "--listen", "127.0.0.1:0", "--slots", "1", "--problems", problems.to_str().unwrap()];
    let judge = Process::start(&data, &args);
    let server = judge.ready.split_whitespace().next_back().unwrap().to_owned();
    let submit = |file: &str, code: &[u8], extra: &[&str]| {
        let path = folder.path().join(file);
        fs::write(&path, code).unwrap();
        let args = [&["submit", "--server", &server, "a", path.to_str().unwrap()], extra].concat();
        assize(&data, &args)
    };
    let right = b"a, b = map(int, input().split())\nprint(a + b)\n";
    let said = submit("right.py", right, &[]).expect_code(0);
    assert!(said.stdout.starts_with("AC accepted: 14 testcases"), "{said:?}");
    let said = submit("wrong.py", b"print(0)\n", &[]).expect_code(1);
    assert!(said.stdout.starts_with("WA wrong answer on sample/1: "), "{said:?}");
    let said = submit("broken.cpp", b"int main( {\n", &[]).expect_code(1);
    assert!(said.stdout.starts_with("CE compile error") && said.stdout.contains("error:"), "{said:?}");
    let lines = submit("right.py", right, &["--json", "--user", "ann"]).expect_code(0).json_lines();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"assize.submission_created.v1"));
    assert_eq!(types.iter().filter(|name| **name == "assize.testcase_judged.v1").count(), 14);
    assert_eq!(lines.last().unwrap()["verdict"], "AC");
    assert_eq!(submit("right.py", right, &["--no-wait"]).expect_code(0).stdout.trim().len(), 36);

    // What cannot be meant, and who cannot be reached.
    let said = submit("what.xyz", b"", &[]).expect_code(2);
    assert!(said.stderr.contains("--language"), "{said:?}");
    let said = submit("what.xyz", right, &["--language", "klingon"]).expect_code(2);
    assert!(said.stderr.contains("klingon"), "{said:?}");
    let said = submit("latin.py", b"# \xff\n", &[]).expect_code(2);
    assert!(said.stderr.contains("not UTF-8"), "{said:?}");
    let file = folder.path().join("right.py");
    let said = assize(&data, &["submit", "--server", &server, "nope", file.to_str().unwrap()]);
    assert!(said.expect_code(2).stderr.contains("nope"));
    let away = assize(&data, &["submit", "--server", "http://127.0.0.1:1", "a", file.to_str().unwrap()]);
    assert!(away.expect_code(3).stderr.contains("cannot reach"));

    // The read model of the running judge, then of the same data at rest.
    assize(&data, &["replay"]).expect_code(0);
    let running = assize(&data, &["replay", "--verify", "--json"]).expect_code(0).json_lines().remove(0);
    assert_eq!(running["digest"], running["rebuilt_digest"], "{running:#}");
    assert_eq!(judge.terminate(), Some(0));
    assize(&data, &["replay"]).expect_code(0);
    let rested = assize(&data, &["replay", "--verify", "--json"]).expect_code(0).json_lines().remove(0);
    assert!(rested["difference"].is_null() && rested["digest"].is_string(), "{rested:#}");

    // The past: problems only, then everything.
    let past = assize(&data, &["replay", "--until", "4", "--json"]).expect_code(0).json_lines();
    assert_eq!(past.len(), 1, "{past:#?}");
    let now = assize(&data, &["replay", "--until", "2100-01-01T00:00:00Z", "--json"]).expect_code(0);
    let now = now.json_lines();
    assert_eq!(now.len(), 6, "{now:#?}");
    assert_eq!(now[0]["verdict"], "AC");
    assize(&data, &["replay", "--until", "yesterday"]).expect_code(2);
}

#[test]
fn the_doctor_knows_this_host() {
    let folder = tempfile::tempdir().unwrap();
    let said = assize(folder.path(), &["doctor", "--json"]).expect_code(0).json_lines().remove(0);
    let checks = said["checks"].as_array().unwrap();
    for name in [
        "landlock",
        "seccomp",
        "sandbox",
        "language c",
        "language cpp20",
        "language python3",
        "nats_server",
        "data",
    ] {
        let check = checks.iter().find(|check| check["name"] == name).expect(name);
        assert_eq!(check["state"] == "good", check["cure"] == "", "{check:#}");
        assert_ne!(check["state"], "missing", "{check:#}");
    }
}

#[test]
fn openapi_prints_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let said = assize(folder.path(), &["openapi"]).expect_code(0);
    assert_eq!(said.stdout, assize::api::document());
}
