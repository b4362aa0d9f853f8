//! `assize problem`: the jury's submissions are judged without a server, and packages are published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assize::domain::submission::JudgingEnd;
use serde_json::{Value, json};

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
    let mut lines = said.expect_code(0).json_lines();
    let last = lines.pop().unwrap();
    assert!(last["ok"] == true && last["tally"]["kept"] == 8 && last.get("path").is_none(), "{last:#}");
    assert_eq!(last["time_limit"]["source"], "dot_timelimit");
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
    let put = writing_below(&package.join("submissions"));
    put("accepted/wrong.py", "print(0)\n");
    put("accepted/broken.cpp", "int main( {\n");
    put("wrong_answer/right.py", "print(sum(map(int, input().split())))\n");
    put("accepted/unknown.zig", "whatever\n");
    // A header has no language and is there all the same.
    put(
        "accepted/several/main.cpp",
        "#include \"sum.h\"\n#include <iostream>\nint main() { std::cout << sum(); }\n",
    );
    put("accepted/several/sum.h", "long long sum();\n");
    put(
        "accepted/several/sum.cpp",
        "#include \"sum.h\"\n#include <iostream>\nlong long sum() { long long a, b; std::cin >> a >> b; return a + b; }\n",
    );
    put("accepted/several/README", "Compile all of it.\n");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let lines = said.expect_code(1).json_lines();
    let line = |path: &str| {
        let is_it = |line: &&Value| line["path"].as_str().is_some_and(|found| found.ends_with(path));
        lines.iter().find(is_it).expect(path).clone()
    };
    assert_eq!(line("sum.py")["ok"], true);
    assert_eq!(line("several")["got"], "AC", "{lines:#?}");
    assert_eq!(line("wrong.py")["got"], "WA");
    assert!(
        line("wrong.py")["reason"]
            .as_str()
            .unwrap()
            .starts_with("sample/1: WA, where accepted/ permits AC: "),
        "{lines:#?}"
    );
    assert_eq!(line("broken.cpp")["got"], "CE");
    assert!(line("broken.cpp")["reason"].as_str().unwrap().contains("error:"), "{lines:#?}");
    assert_eq!(line("right.py")["got"], "AC");
    assert_eq!(line("right.py")["ok"], false);
    assert!(line("unknown.zig")["ok"].is_null());
    assert!(line("unknown.zig")["reason"].as_str().unwrap().contains("no language"), "{lines:#?}");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(1);
    for words in ["WRONG", "skip", "2 as expected, 3 not as expected, 1 skipped"] {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
    assert!(!said.stdout.contains('\x1b'), "{}", said.stdout);
}

/// A program that uses so many seconds of CPU time before it answers.
fn slow(seconds: f64) -> String {
    format!(
        "import time\nwhile time.process_time() < {seconds}: pass\nprint(sum(map(int, input().split())))\n"
    )
}

/// The lines of submissions by path below `submissions/`, and the last line, which is the package's.
fn submissions_of(lines: Vec<Value>) -> (BTreeMap<String, Value>, Value) {
    let (submissions, packages): (Vec<Value>, Vec<Value>) =
        lines.into_iter().partition(|line| line.get("path").is_some());
    let path = |line: &Value| line["path"].as_str().unwrap().replace("submissions/", "");
    (submissions.into_iter().map(|line| (path(&line), line)).collect(), packages.last().unwrap().clone())
}

#[test]
fn a_time_limit_is_derived_from_all_that_must_be_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let put = writing_below(&package);
    fs::remove_dir_all(package.join("data/sample")).unwrap();
    let yaml = |limits: &str| format!("name: A\nlimits: {{time_resolution: 0.1, {limits}}}\n");
    put("problem.yaml", &yaml("time_multiplier: 3, time_safety_margin: 1.5"));
    put("submissions/accepted/slow.py", &slow(0.3));
    put("submissions/time_limit_exceeded/never.py", "while True: pass\n");
    put("submissions/other_ac/slower.py", &slow(0.5));
    let verify = |extra: &[&str]| {
        let arguments = [&["problem", "verify", package.to_str().unwrap(), "--json"], extra].concat();
        assize(folder.path(), &arguments)
    };
    let (submissions, whole) = submissions_of(verify(&[]).expect_code(0).json_lines());
    let limit = &whole["time_limit"];
    // A little more than 0.3 s with the interpreter's start, times three.
    let milliseconds = limit["time_limit_ms"].as_u64().unwrap();
    assert!((900..=1500).contains(&milliseconds) && milliseconds % 100 == 0, "{whole:#}");
    assert_eq!(limit["source"], "derived");
    assert_eq!(limit["slowest_in_time"]["submission"], "submissions/accepted/slow.py");
    assert!(limit["machine"]["cpu"].is_string() && limit["machine"]["kernel"].is_string(), "{limit:#}");
    assert_eq!(submissions["time_limit_exceeded/never.py"]["got"], "TLE");
    assert_eq!(submissions["other_ac/slower.py"]["got"], "AC");
    // What is given takes the place of what would be derived, and of the factors.
    let (_, whole) = submissions_of(verify(&["--time-limit", "2.5"]).expect_code(0).json_lines());
    assert_eq!(
        (&whole["time_limit"]["time_limit_ms"], &whole["time_limit"]["source"]),
        (&2500.into(), &"given".into())
    );
    let (_, whole) = submissions_of(
        verify(&["--ac-to-time-limit", "6", "--submission", "accepted"]).expect_code(0).json_lines(),
    );
    assert!(whole["time_limit"]["time_limit_ms"].as_u64().unwrap() >= 1800, "{whole:#}");
    for wrong in
        [["--time-limit", "0"], ["--time-limit", "x"], ["--ac-to-time-limit", "0.5"], ["--submission", "["]]
    {
        verify(&wrong).expect_code(2);
    }
    // One that must be too slow and is not so slow: a limit between, and the contradiction is told.
    put("submissions/time_limit_exceeded/rather_slow.py", &slow(0.7));
    let (submissions, whole) = submissions_of(verify(&[]).expect_code(0).json_lines());
    let milliseconds = whole["time_limit"]["time_limit_ms"].as_u64().unwrap();
    assert!((310..=700).contains(&milliseconds), "{whole:#}");
    assert!(whole["findings"].to_string().contains("no time limit is at least 3 times"), "{whole:#}");
    assert_eq!(
        whole["time_limit"]["fastest_too_slow"]["submission"],
        "submissions/time_limit_exceeded/rather_slow.py"
    );
    assert_eq!(submissions["time_limit_exceeded/rather_slow.py"]["got"], "TLE");
    assert_eq!(submissions["accepted/slow.py"]["got"], "AC");
    // Nothing to derive it from.
    fs::remove_dir_all(package.join("submissions/accepted")).unwrap();
    let (_, whole) = submissions_of(verify(&["--submission", "other_ac"]).expect_code(0).json_lines());
    assert_eq!(whole["time_limit"]["source"], "default");
    assert!(whole["findings"].to_string().contains("nothing to derive one from"), "{whole:#}");
}

#[test]
fn a_submission_that_sleeps_is_too_slow_by_any_limit() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("data/sample")).unwrap();
    fs::write(package.join("problem.yaml"), "name: A\nlimits: {time_resolution: 0.5}\n").unwrap();
    fs::write(package.join("data/secret/2.in"), "20 30\n").unwrap();
    fs::write(package.join("data/secret/2.ans"), "50\n").unwrap();
    fs::create_dir_all(package.join("submissions/time_limit_exceeded")).unwrap();
    let sleepy = "import time\na, b = map(int, input().split())\nif a > 9: time.sleep(1e6)\nprint(a + b)\n";
    fs::write(package.join("submissions/time_limit_exceeded/sleepy.py"), sleepy).unwrap();
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let (submissions, whole) = submissions_of(said.expect_code(0).json_lines());
    // Not the time of the testcase that it answers at once.
    assert!(whole["time_limit"].get("fastest_too_slow").is_none(), "{whole:#}");
    assert!(!whole["findings"].to_string().contains("no time limit is at least"), "{whole:#}");
    assert_eq!(submissions["time_limit_exceeded/sleepy.py"]["got"], "ILE", "{submissions:#?}");
}

#[test]
fn what_hinges_on_the_margin_is_told_and_not_failed() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("data/sample")).unwrap();
    fs::write(package.join(".timelimit"), "0.5\n").unwrap();
    fs::write(package.join("submissions/accepted/close.py"), slow(0.6)).unwrap();
    fs::create_dir_all(package.join("submissions/time_limit_exceeded")).unwrap();
    fs::write(package.join("submissions/time_limit_exceeded/close.py"), slow(0.8)).unwrap();
    fs::write(package.join("submissions/time_limit_exceeded/quick.py"), slow(0.0)).unwrap();
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let (submissions, whole) = submissions_of(said.expect_code(1).json_lines());
    for path in ["accepted/close.py", "time_limit_exceeded/close.py"] {
        let line = &submissions[path];
        assert_eq!(
            (&line["got"], &line["ok"], &line["sensitive"]),
            (&"TLE".into(), &true.into(), &true.into()),
            "{line:#}"
        );
        assert!(line["reason"].as_str().unwrap().starts_with("sensitive to the time limit: "), "{line:#}");
        assert_eq!(line["testcases"][0]["verdict_with_margin"], "AC", "{line:#}");
    }
    let quick = &submissions["time_limit_exceeded/quick.py"];
    assert_eq!((&quick["ok"], &quick["got"]), (&false.into(), &"AC".into()), "{quick:#}");
    assert!(quick["reason"].as_str().unwrap().contains("no testcase gave TLE"), "{quick:#}");
    assert_eq!((&whole["tally"]["sensitive"], &whole["tally"]["broken"]), (&2.into(), &1.into()));
    // Only some of it.
    let some = ["--submission", "*/close.py", "--testcase", "secret", "--time-limit", "2"];
    let arguments = [&["problem", "verify", package.to_str().unwrap(), "--json"], &some[..]].concat();
    let (submissions, _) = submissions_of(assize(folder.path(), &arguments).expect_code(1).json_lines());
    assert_eq!(submissions.len(), 2);
    assert!(
        submissions.values().all(|line| line["testcases_total"] == 1 && line["got"] == "AC"),
        "{submissions:#?}"
    );
}

#[test]
fn data_that_is_not_as_it_should_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("data/sample")).unwrap();
    let put = writing_below(&package);
    let check = |code: i32, expected: &[&str]| {
        let arguments =
            ["problem", "verify", package.to_str().unwrap(), "--json", "--submission", "*/sum.py"];
        let (_, whole) = submissions_of(assize(folder.path(), &arguments).expect_code(code).json_lines());
        let findings = whole["findings"].as_array().unwrap();
        let said: Vec<String> = findings
            .iter()
            .map(|finding| {
                let mark = if finding["is_error"] == true { "error" } else { "warning" };
                format!(
                    "{mark}: {}: {}",
                    finding["path"].as_str().unwrap(),
                    finding["what"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said} is not {expected}");
        }
        whole
    };
    check(0, &["warning: input_validators: there are no input validators"]);
    // It finds its arguments, its own files and nothing else, and reads the input.
    put("problem.yaml", "name: A\n");
    put("data/testdata.yaml", "input_validator_flags: one two\n");
    put(
        "input_validators/a/check.py",
        "import sys, helper\nassert sys.argv[1:] == ['one', 'two']\nhelper.check()\n",
    );
    put(
        "input_validators/a/helper.py",
        "def check():\n    if input() != '1 2':\n        print('not what I want')\n        raise SystemExit(1)\n    raise SystemExit(42)\n",
    );
    put("input_validators/b.ctd", "INT(0, 9) SPACE INT(0, 9) NEWLINE\n");
    put("input_validators/README.md", "These check.\n");
    check(0, &[]);
    put("data/secret/1.ans", "3");
    put("data/secret/2.in", "1 2\n");
    put("data/secret/2.ans", "3\r\n");
    put("data/secret/3.in", "1 2\n");
    put("data/secret/3.ans", "3");
    check(
        0,
        &[
            "warning: data/secret/2.ans: has carriage returns",
            "warning: data/secret/1.ans: does not end with a newline; 1 more like this",
        ],
    );
    put("data/secret/1.ans", "3\n");
    put("data/secret/2.in", "11 2\n");
    put("data/secret/2.ans", "13\n");
    put("data/secret/3.in", "3 4 \n");
    put("data/secret/3.ans", "7\n");
    let whole = check(
        1,
        &[
            "error: data/secret/2.in: is refused by input_validators/a: exited with code 1: not what I want",
            "error: data/secret/3.in: is refused by input_validators/a: exited with code 1: not what I want",
            "error: data/secret/2.in: is refused by input_validators/b.ctd: line 1, column 1: 11 is not between 0 and 9",
            "error: data/secret/3.in: is refused by input_validators/b.ctd: line 1, column 4: expected a newline, found \" \\n\"",
        ],
    );
    assert_eq!((&whole["ok"], &whole["tally"]["package_errors"]), (&false.into(), &4.into()));
    let without = ["problem", "verify", package.to_str().unwrap(), "--no-inputs", "--json"];
    assize(folder.path(), &without).expect_code(0);
    for name in ["data/secret/2", "data/secret/3"] {
        fs::remove_file(package.join(format!("{name}.in"))).unwrap();
        fs::remove_file(package.join(format!("{name}.ans"))).unwrap();
    }
    // Programs that do not work leave the data unchecked.
    fs::remove_dir_all(package.join("input_validators")).unwrap();
    put("input_validators/a.cpp", "int main( {\n");
    put("input_validators/b.ctd", "INT(0, 9) SPACE FOO\n");
    put("input_validators/c.ctd", "ASSERT(x == 1)\n");
    put("input_validators/d.viva", "{}\n");
    put("input_validators/e.py", "import sys; sys.exit(0)\n");
    let whole = check(
        1,
        &[
            "error: input_validators/b.ctd: is not checktestdata: line 1: there is no command FOO",
            "error: input_validators/a.cpp: does not check the inputs: the program input_validators/a.cpp of the package does not compile: ",
            "error: input_validators/c.ctd: does not check the inputs: line 1 of the program: x is not set",
            "error: input_validators/e.py: exits with code 0 for all 1 inputs, and says by 42 that it accepts one",
        ],
    );
    assert!(whole["warnings"].to_string().contains("d.viva: is written in VIVA"), "{whole:#}");
    // Examples of data.
    fs::remove_dir_all(package.join("input_validators")).unwrap();
    put("input_validators/b.ctd", "INT(0, 9) SPACE INT(0, 9) NEWLINE\n");
    put("data/invalid_input/fine.in", "1 2\n");
    put("data/bad/wrong.in", "1  2\n");
    put("data/bad/answered.in", "1 2\n");
    put("data/bad/answered.ans", "3\n");
    put("data/bad/answered.out", "3\n");
    put("data/valid_output/x.in", "1 2\n");
    put("data/valid_output/x.ans", "3\n");
    put("data/valid_output/x.out", "4\n");
    put("data/invalid_output/alone.in", "1 2\n");
    let whole = check(
        1,
        &[
            "error: data/invalid_input/fine.in: is accepted by all input validators, and must not be",
            "error: data/bad/answered.out: is accepted by the output validator, and must not be",
            "error: data/valid_output/x.out: is refused by the output validator, and must be accepted",
        ],
    );
    assert!(
        whole["warnings"].to_string().contains("alone.in: needs data/invalid_output/alone.ans"),
        "{whole:#}"
    );
}

#[test]
fn examples_of_data_are_held_to_the_settings_of_their_directories() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let put = writing_below(&package);
    // It refuses inputs with the words of its arguments and of the file beside it.
    put(
        "input_validators/without.py",
        "import os, sys\nwords = sys.argv[1:]\nif os.path.exists('words'):\n    words += open('words').read().split()\n\
         text = sys.stdin.read()\nsys.exit(43 if any(word in text for word in words) else 42)\n",
    );
    put("data/invalid_input/testdata.yaml", "input_validator_args: [half]\n");
    put("data/invalid_input/half.in", "1 half\n");
    put("data/invalid_input/deep/nearest.in", "1 half\n");
    put("data/invalid_input/deep/own.yaml", "input_validator_args: {without: [own]}\n");
    put("data/invalid_input/deep/own.in", "own\n");
    put("data/invalid_input/deep/beside.in", "beside\n");
    put("data/invalid_input/deep/beside.files/words", "beside\n");
    for kind in ["invalid_output", "valid_output"] {
        put(&format!("data/{kind}/case.in"), "1 2\n");
        put(&format!("data/{kind}/case.ans"), "yes\n");
        put(&format!("data/{kind}/case.out"), "YES\n");
    }
    put("data/invalid_output/testdata.yaml", "output_validator_flags: case_sensitive\n");
    let verify = || {
        let arguments = ["problem", "verify", package.to_str().unwrap(), "--submission", "*/sum.py"];
        assize(folder.path(), &arguments)
    };
    verify().expect_code(0);
    // The inputs of outputs are right.
    put("data/valid_output/case.yaml", "input_validator_args: [\"2\"]\n");
    let out = verify().expect_code(1);
    let refused = "data/valid_output/case.in: is refused by input_validators/without.py: exited with code 43";
    assert!(out.stdout.contains(refused), "{out:?}");
}

#[test]
fn a_package_without_submissions_to_judge_is_told_what_is_wrong_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let put = writing_below(&package);
    put("input_validators/none.ctd", "EOF\n");
    let findings = |code: i32, arguments: &[&str]| -> Vec<String> {
        let arguments = [&["problem", "verify", package.to_str().unwrap(), "--json"], arguments].concat();
        let (_, whole) = submissions_of(assize(folder.path(), &arguments).expect_code(code).json_lines());
        let findings = whole["findings"].as_array().unwrap().iter();
        findings.map(|found| format!("{}: {}", found["path"], found["what"]).replace('"', "")).collect()
    };
    let told = |findings: &[String], what: &str| {
        assert!(findings.iter().any(|found| found == what), "{findings:#?}")
    };
    let chosen = findings(1, &["--submission", "rejected/*"]);
    told(&chosen, "submissions: none of 1 is chosen by --submission");
    let is_refused =
        |findings: &[String]| findings.iter().any(|found| found.starts_with("data/secret/1.in: is refused"));
    assert!(is_refused(&chosen), "{chosen:#?}");
    fs::rename(package.join("submissions/accepted"), package.join("submissions/wrong_answer")).unwrap();
    put("submissions/wrong_answer/sum.py", "print(0)\n");
    told(
        &findings(1, &[]),
        "submissions: none is to be accepted, so that nothing shows that the problem can be solved",
    );
    fs::remove_dir_all(package.join("submissions")).unwrap();
    let none = findings(1, &[]);
    told(&none, "submissions: there are none, so that nothing shows what the package is worth");
    assert!(is_refused(&none), "{none:#?}");
}

#[test]
fn submissions_of_several_languages_or_none_are_told_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::write(package.join("problem.yaml"), "name: A\n").unwrap();
    let put = writing_below(&package.join("submissions/accepted"));
    put(
        "both/sum.c",
        "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\", a + b); }\n",
    );
    put("both/generate.py", "print(1, 2)\n");
    for name in ["one.xyz", "two.xyz", "sum.exe"] {
        put(name, "");
    }
    let arguments = ["problem", "verify", package.to_str().unwrap(), "--json", "--no-inputs"];
    let (submissions, whole) = submissions_of(assize(folder.path(), &arguments).expect_code(1).json_lines());
    assert_eq!(submissions["accepted/both"]["got"], "AC", "{submissions:#?}");
    assert_eq!((submissions.len(), &whole["tally"]["skipped"]), (4, &2.into()), "{submissions:#?}");
    let findings: Vec<&str> = whole["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    let [tie, bounds] = findings[..] else { panic!("{findings:#?}") };
    assert!(tie.ends_with("; taken for C17 (GCC)"), "{tie}");
    assert_eq!(
        bounds,
        "do not bound the time limit, since their languages are not known: \
         submissions/accepted/one.xyz, submissions/accepted/two.xyz"
    );
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
    let without = "problem.yaml:2: validation is custom, but there is no program in output_validators";
    assert!(said.stdout.contains(without), "{}", said.stdout);
    fs::write(package.join("problem.yaml"), "name: A\n").unwrap();
    fs::create_dir(package.join("static_validator")).unwrap();
    fs::write(package.join("static_validator/check.py"), "").unwrap();
    let said = verify(&[]).expect_code(0);
    let unused = "static_validator: is not used: no test group states a static_validation_score";
    assert!(said.stdout.contains(unused), "{}", said.stdout);
    fs::write(package.join("problem.yaml"), "name: A\nlimits: [\n").unwrap();
    let said = verify(&["--json"]).expect_code(1);
    assert!(said.json_lines()[0]["error"].as_str().unwrap().contains("problem.yaml:"), "{said:?}");
    let said = assize(folder.path(), &["problem", "verify", "/nowhere"]).expect_code(2);
    assert!(said.stderr.contains("/nowhere does not exist"), "{said:?}");
    assize(folder.path(), &["problem", "verify"]).expect_code(2);
}

#[test]
fn programs_of_a_package_may_be_older_or_newer_than_the_compiler() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let put = writing_below(&package);
    // Words of C++20 and of C++17, and a part of C++23.
    let sum = |word: &str| {
        format!(
            "#include <iostream>\nint main() {{ long long {word}, b; std::cin >> {word} >> b; std::cout << {word} + b; }}\n"
        )
    };
    put("submissions/accepted/old.cpp", &sum("concept"));
    let older = "#include <iostream>\n#include <iterator>\nusing namespace std;\n\
        long long data; int main() { long long b; cin >> data >> b; cout << data + b; }\n";
    put("submissions/accepted/older.cpp", older);
    let newest = format!("#include <expected>\nstd::expected<int, int> unused = 1;\n{}", sum("a"));
    put("submissions/accepted/newest.cpp", &newest);
    put("submissions/compiler_error/neither.cpp", &sum("while"));
    put(
        "submissions/accepted/lacking.py",
        "from itertools import pairwise\nprint(sum(map(int, input().split())))\n",
    );
    let validator = "#include <fstream>\n#include <iostream>\nint main(int, char** argv) { long long requires, got; \
        std::ifstream(argv[2]) >> requires; return std::cin >> got && got == requires ? 42 : 43; }\n";
    put("output_validators/old.cpp", validator);
    put("problem.yaml", "name: A\nvalidation: custom\n");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json", "--all"]);
    let lines = said.expect_code(0).json_lines();
    let line = |path: &str| {
        let is_it = |line: &&Value| line["path"].as_str().is_some_and(|found| found.ends_with(path));
        lines.iter().find(is_it).expect(path).clone()
    };
    for (path, language) in
        [("old.cpp", "cpp17"), ("older.cpp", "cpp14"), ("newest.cpp", "cpp23"), ("lacking.py", "python3")]
    {
        assert_eq!(
            (&line(path)["got"], &line(path)["language"]),
            (&"AC".into(), &language.into()),
            "{lines:#?}"
        );
    }
    // What works in none is told of as what it was taken for first.
    assert_eq!(line("neither.cpp")["language"], "cpp20");
}

/// Gives a package an output validator in Python, and limits that let a hanging one end soon.
fn validated_by(package: &Path, validator: &str) {
    let limits = "limits: {validation_time: 1, validation_memory: 64, validation_output: 1}";
    let yaml = format!("name: A\nvalidation: custom\nvalidator_flags: one two\n{limits}\n");
    fs::write(package.join("problem.yaml"), yaml).unwrap();
    fs::create_dir_all(package.join("output_validators")).unwrap();
    fs::write(package.join("output_validators/validate.py"), validator).unwrap();
}

#[test]
fn a_validator_of_the_package_decides() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::create_dir_all(package.join("submissions/wrong_answer")).unwrap();
    fs::write(package.join("submissions/wrong_answer/zero.py"), "print(0)\n").unwrap();
    // Another C file beside it would be a validator of its own; a header is not.
    fs::create_dir_all(package.join("output_validators/second")).unwrap();
    fs::write(package.join("output_validators/second/all.h"), "int all(void) { return 42; }\n").unwrap();
    let second = "#include \"all.h\"\nint main(void) { return all(); }\n";
    fs::write(package.join("output_validators/second/second.c"), second).unwrap();
    validated_by(
        &package,
        r#"
import os, sys
paths, flags = sys.argv[1:4], sys.argv[4:]
assert flags == ["one", "two"] and paths[2].endswith("/") and os.listdir(paths[2]) == []
sum_of = sum(map(int, open(paths[0]).read().split()))
assert open(paths[1]).read() == f"{sum_of}\n"
got = sys.stdin.read().split()
open(paths[2] + "judgemessage.txt", "w").write(f"got {got}\x1b[31m\n")
sys.exit(42 if got == [str(sum_of)] else 43)
"#,
    );
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json", "--all"]);
    let lines = said.expect_code(0).json_lines();
    assert_eq!(lines[0]["got"], "AC", "{lines:#?}");
    assert_eq!(lines[1]["got"], "WA", "{lines:#?}");
    let message = lines[1]["testcases"][0]["message"].as_str().unwrap();
    // Of several, the one that refuses is named.
    let by = "output_validators/validate.py: got ['0']";
    assert!(message.starts_with(by) && !message.contains('\u{1b}'), "{message:?}");
}

#[test]
fn programs_may_be_packages_of_python() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    validated_by(&package, "");
    fs::remove_dir_all(package.join("output_validators")).unwrap();
    let main = "import sys\nfrom .sums import add\nfrom . import PARTS\n";
    let sums =
        "import names\nfrom .names import ONE\ndef add(text): return ONE * sum(map(int, text.split()))\n";
    let own = "from sums import add\nif __name__ == '__main__': print(add(input()))\n";
    for (program, main) in [
        (
            "output_validators/v",
            format!(
                "{main}assert sys.argv[4:] == ['one', 'two']\n\
                 sys.exit(42 if int(sys.stdin.read()) == add(open(sys.argv[1]).read()) else 43)\n"
            ),
        ),
        (
            "input_validators/v",
            format!("{main}sys.exit(42 if len(sys.stdin.read().split()) == PARTS and add('1') else 43)\n"),
        ),
        ("submissions/accepted/relative", format!("{main}print(add(input()))\n")),
        ("submissions/accepted/absolute", own.replace("ONE * ", "")),
        ("submissions/run_time_error/crash", format!("{main}print(add(input()) // 0)\n")),
    ] {
        let program = package.join(program);
        fs::create_dir_all(&program).unwrap();
        // A program that is a package finds its modules by relative and by absolute names.
        fs::write(program.join("__init__.py"), "PARTS = 2\n").unwrap();
        fs::write(program.join("__main__.py"), main).unwrap();
        fs::write(program.join("names.py"), "ONE = 1\n").unwrap();
        let sums = if program.ends_with("absolute") { &sums.replace(".names", "names") } else { sums };
        fs::write(program.join("sums.py"), sums).unwrap();
    }
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json", "--all"]);
    let lines = said.expect_code(0).json_lines();
    let got: Vec<&str> = lines.iter().filter_map(|line| line["got"].as_str()).collect();
    assert_eq!(got, ["AC", "AC", "AC", "RTE"], "{lines:#?}");
    let crash = lines[3]["testcases"][0]["message"].as_str().unwrap();
    assert!(crash.contains("ZeroDivisionError"), "{crash}");
}

#[test]
fn a_validator_that_fails_is_never_the_submissions_fault() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    for (validator, expected) in [
        ("", "exited with code 0 instead of 42 or 43"),
        ("raise SystemExit(1)", "exited with code 1"),
        ("import os; os.abort()", "was ended by signal 6"),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("while True: pass", "too much"),
        ("import time; time.sleep(1000)", "too long"),
        ("x = bytearray(1 << 30)", "MemoryError"),
        ("while True: print('x' * 1000)", "wrote too much"),
        ("import sys; sys.exit(", "does not compile"),
    ] {
        validated_by(&package, validator);
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let line = &said.expect_code(5).json_lines()[0];
        assert_eq!((&line["fault"], &line["got"]), (&true.into(), &"JE".into()), "{validator}: {line:#}");
        let reason = line["reason"].as_str().unwrap();
        let is_memory = expected == "MemoryError" && reason.contains("memory");
        assert!(reason.contains(expected) || is_memory, "{validator}: {reason}");
        assert_eq!(reason.starts_with("sample/1: "), expected != "does not compile", "{reason}");
    }
    // One that decides without reading, while much is still to come, is none of these.
    validated_by(&package, "raise SystemExit(42)");
    fs::write(package.join("submissions/accepted/sum.py"), "print('x' * 5_000_000)\n").unwrap();
    assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(0);
}

/// Puts the files of a validator that is built or run by scripts into a package.
fn scripted_by(package: &Path, files: &[(&str, &str)]) {
    validated_by(package, "");
    fs::remove_dir_all(package.join("output_validators")).unwrap();
    let put = writing_below(&package.join("output_validators/v"));
    for (name, text) in files {
        put(name, text);
    }
}

#[test]
fn a_validator_may_bring_scripts_that_build_and_run_it() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::create_dir_all(package.join("submissions/wrong_answer")).unwrap();
    fs::write(package.join("submissions/wrong_answer/zero.py"), "print(0)\n").unwrap();
    let format = "import sys\nsys.exit(42 if sys.stdin.read().strip().lstrip('-').isdigit() else 43)\n";
    let value = r#"
#include <stdio.h>
int main(int argc, char **argv) {
    long a, b, c = -1;
    if (fscanf(fopen(argv[1], "r"), "%ld %ld", &a, &b) != 2 || argc != 6 || *argv[4] != 'o') return 1;
    scanf("%ld", &c);
    char name[64];
    sprintf(name, "%sjudgemessage.txt", argv[3]);
    fprintf(fopen(name, "w"), "value %ld", c);
    return c == a + b ? 42 : 43;
}
"#;
    let chain = "#!/usr/bin/env bash\nset -u\nhere=$(dirname \"$0\")\noutput=$(mktemp)\ncat > $output\n\
        python3 $here/format.py < $output\ntest $? = 42 || exit 43\n";
    let check = |files: &[(&str, &str)]| {
        scripted_by(&package, files);
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let lines = said.expect_code(0).json_lines();
        assert_eq!((&lines[0]["got"], &lines[1]["got"]), (&"AC".into(), &"WA".into()), "{lines:#?}");
        lines[1]["testcases"][0]["message"].as_str().unwrap().to_owned()
    };
    let python = &format!(
        "#!/usr/bin/python3\nimport sys\n{}",
        "a = open(sys.argv[2]).read()\nsys.exit(42 if sys.stdin.read() == a else 43)\n"
    );
    // Only `run`, whatever it is: for bash, which goes through two programs, one of them without a shebang; for Python.
    let ends_the_chain = &format!("{chain}exec $here/more < $output \"$@\"\n");
    let more = "#!/bin/sh\nread a; read b < $2; test \"$a\" = \"$b\" && exit 42; exit 43\n";
    check(&[("run", ends_the_chain), ("format.py", format), ("more", more)]);
    check(&[("run", "read a; read b < $2; test \"$a\" = \"$b\" && exit 42; exit 43\n")]);
    check(&[("run", python)]);
    // `build` makes `run`, and what that needs: as a copy, or as an executable.
    check(&[("build", "#!/bin/bash\ncp validate.py run\nchmod +x run\n"), ("validate.py", python)]);
    let all = "#!/bin/sh -e\nmkdir bin\ngcc -I lib -o bin/value value.c\n";
    let run = &format!("{chain}exec $here/bin/value \"$@\" < $output\n");
    let includes = &format!("#include \"all.h\"\n{value}");
    let files =
        [("build", all), ("run", run), ("format.py", format), ("value.c", includes), ("lib/all.h", "")];
    assert_eq!(check(&files), "value 0");
    assert_eq!(check(&[("build", "gcc -o run value.c"), ("value.c", value)]), "value 0");
}

#[test]
fn a_script_that_cannot_be_used_is_our_fault_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    for (files, expected) in [
        ([("build", "exit 3"), ("x", "")], "its build script exited with code 3"),
        ([("build", "echo no such header >&2; exit 1"), ("run", "")], "no such header"),
        ([("build", "kill -9 $$"), ("run", "")], "its build script was ended by signal 9"),
        ([("build", "true"), ("x", "")], "its build script left no file `run`"),
        (
            [("build", "ln -s /bin/true run"), ("x", "")],
            "left what is not allowed: `run` is not a plain file",
        ),
        (
            [("build", "touch run; for i in $(seq 300); do touch $i; done"), ("x", "")],
            "more files than allowed",
        ),
        ([("run", "#!/usr/bin/pypy9\n"), ("x", "")], "interpreter \"/usr/bin/pypy9\", which is not there"),
        ([("run", "#!/bin/bash\r\nexit 42\r\n"), ("x", "")], "interpreter \"/bin/bash\\r\""),
        ([("run", "\x7fELF"), ("x", "")], "exited with code 127 instead of 42 or 43"),
        ([("run", "exit 0"), ("x", "")], "exited with code 0 instead of 42 or 43"),
        ([("run", "head -c 2000000 /dev/zero >&2; exit 42"), ("x", "")], "too much to standard error"),
        ([("run", "head -c 2000000 /dev/zero; exit 42"), ("x", "")], "wrote too much"),
    ] {
        scripted_by(&package, &files);
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let lines = said.expect_code(5).json_lines();
        let line = &lines[0];
        assert_eq!((&line["fault"], &line["got"]), (&true.into(), &"JE".into()), "{files:?}: {line:#}");
        // What a build says is told once, of the package.
        let findings = lines.last().unwrap()["findings"].as_array().unwrap();
        let mut told = findings.iter().map(|finding| &finding["what"]).chain([&line["reason"]]);
        assert!(told.any(|told| told.as_str().unwrap().contains(expected)), "{files:?}: {lines:#?}");
    }
}

#[test]
fn odd_files_in_the_feedback_directory_decide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let judged = |yaml: &str, validator: &str| {
        scripted_by(&package, &[("run", validator)]);
        fs::write(package.join("problem.yaml"), yaml).unwrap();
        let options = ["--json", "--testcase", "secret/1"];
        let verify = [&["problem", "verify", package.to_str().unwrap()], &options[..]].concat();
        assize(folder.path(), &verify).json_lines().remove(0)
    };
    let plain = "name: A\nvalidation: custom\nlimits: {validation_output: 1}\n";
    let large = "head -c 2000000 /dev/zero > $3/judgemessage.txt";
    let many = "for i in $(seq 150); do ln -s x $3/link$i; done";
    for (odd, note) in [
        ("mkdir $3/judgemessage.txt", ""),
        ("echo hint > $3/teammessage.txt", "[to the team: hint]"),
        ("echo said > $3/judgemessage.txt; echo hint > $3/teammessage.txt", "said\n[to the team: hint]"),
        ("printf 'caf\\351' > $3/judgemessage.txt", "caf\u{fffd}"),
        ("ln -s $1 $3/judgemessage.txt", "[left out: `.feedback/judgemessage.txt` is not a plain file]"),
        (
            "echo x > $3/a; ln $3/a $3/b; echo said > $3/judgemessage.txt",
            "said\n[left out: `.feedback/a` is not a plain file, `.feedback/b` is not a plain file]",
        ),
        ("rmdir $3", "[left out: `.feedback` is not there]"),
        (large, "[left out: `.feedback/judgemessage.txt` is larger than allowed]"),
        (many, "[left out: `.feedback/link1` is not a plain file, "),
        (
            "for i in $(seq 150); do echo > $3/$i; done",
            "[left out: `.feedback` holds more files than allowed]",
        ),
        ("ln -s $1 $3/score.txt", "[left out: `.feedback/score.txt` is not a plain file]"),
        ("mkdir $3/score.txt $3/nextpass.in", ""),
    ] {
        for (code, verdict) in [(42, "AC"), (43, "WA")] {
            let line = judged(plain, &format!("{odd}\nexit {code}\n"));
            let row = &line["testcases"][0];
            assert_eq!(
                (&line["got"], &row["verdict"]),
                (&verdict.into(), &verdict.into()),
                "{odd}: {line:#}"
            );
            assert!(row["message"].as_str().unwrap().starts_with(note), "{odd}: {line:#}");
        }
    }
    // What decides must be readable.
    let scoring = "name: A\ntype: scoring\nvalidation: custom score\nlimits: {validation_output: 1}\n";
    let give = |odd: &str| format!("echo 1 > $3/score.txt; {odd}; exit 42");
    assert_eq!(judged(scoring, &give("ln -s x $3/link"))["got"], "AC");
    for (yaml, odd, what) in [
        (scoring, "ln -sf $1 $3/score.txt", "`.feedback/score.txt` is not a plain file"),
        (scoring, "for i in $(seq 150); do echo > $3/$i; done", "`.feedback` holds more files than allowed"),
        (scoring, many, "`.feedback` holds more files than allowed"),
        (
            &plain.replace("custom", "custom multi-pass"),
            "ln -s $1 $3/nextpass.in",
            "`.feedback/nextpass.in` is not",
        ),
        // It would not find that again.
        (
            &plain.replace("custom", "custom multi-pass"),
            "ln -s $1 $3/a; cp $1 $3/nextpass.in",
            "`.feedback/a` is not",
        ),
    ] {
        let line = judged(yaml, &give(odd));
        assert_eq!(line["got"], "JE", "{odd}: {line:#}");
        assert!(line["reason"].as_str().unwrap().contains(what), "{odd}: {line:#}");
    }
}

#[test]
fn a_validator_may_ask_for_more_passes() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let check = |passes: &str, validator: &str, code: i32, verdict: &str, reason: &str| {
        scripted_by(&package, &[("run", validator)]);
        let yaml = format!("name: A\nvalidation: custom multi-pass\nlimits: {{{passes}}}\n");
        fs::write(package.join("problem.yaml"), yaml).unwrap();
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let line = &said.expect_code(code).json_lines()[0];
        let told = line["reason"].as_str().unwrap();
        assert_eq!(line["got"], verdict, "{line:#}");
        assert!(told.contains(reason), "{told}");
    };
    // Every pass must have the sum of its own input, and adds it to the input of the next: what is left in the feedback
    // directory stays, but for the request itself.
    let chain = |passes: u32| {
        format!(
            r#"
test ! -e $3/nextpass.in || exit 1
n=$(cat $3/n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > $3/n
read got; read a b < $1
echo "pass $n: $a + $b = $got" >> $3/judgemessage.txt
test "$got" = $((a + b)) || exit 43
test $n = {passes} || echo "$got 1" > $3/nextpass.in
exit 42
"#
        )
    };
    check("", &chain(1), 0, "AC", "");
    check("", &chain(2), 0, "AC", "");
    check("", &chain(3), 5, "JE", "asked for more than 2 passes");
    check("validation_passes: 3", &chain(3), 0, "AC", "");
    check("validation_passes: 1", &chain(2), 5, "JE", "asked for more than 1 passes");
    check("", "echo 1 1 > $3/nextpass.in; exit 43", 5, "JE", "refused and yet asked for another pass");
    check("", "echo 1 1 > $3/nextpass.in; exit 1", 5, "JE", "exited with code 1");
    check(
        "",
        "ln -s /etc/passwd $3/nextpass.in; exit 42",
        5,
        "JE",
        "`.feedback/nextpass.in` is not a plain file",
    );
    // The submission fails in the second pass.
    check(
        "",
        "read a b < $1; test $b = x && exit 42; echo 1 x > $3/nextpass.in; exit 42",
        1,
        "RTE",
        "pass 2: ",
    );
    check("", "test -e $3/n && exit 43; touch $3/n; cp $1 $3/nextpass.in; exit 42", 1, "WA", "pass 2: ");
    // One validator says which input comes next.
    fs::create_dir_all(package.join("output_validators/w")).unwrap();
    fs::write(package.join("output_validators/w/run"), "exit 42").unwrap();
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(1);
    assert!(said.stdout.contains("a multi-pass problem has one output validator, not 2"), "{}", said.stdout);
}

#[test]
fn a_dialogue_is_judged_by_who_failed_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    // The sum is asked for, and the answer read, in a dialogue.
    let host = "
import sys
a, b = map(int, open(sys.argv[1]).read().split())
print(a, b, flush=True)
sys.exit(42 if sys.stdin.readline() == f'{a + b}\\n' else 43)
";
    let check = |validator: &str, submission: &str, code: i32, verdict: &str, reason: &str| {
        validated_by(&package, validator);
        let yaml = fs::read_to_string(package.join("problem.yaml")).unwrap();
        let yaml = yaml.replace("validation: custom", "validation: custom interactive");
        fs::write(package.join("problem.yaml"), yaml).unwrap();
        fs::write(package.join(".timelimit"), "1\n").unwrap();
        fs::write(package.join("submissions/accepted/sum.py"), submission).unwrap();
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
        let line = &said.expect_code(code).json_lines()[0];
        assert_eq!(line["got"], verdict, "{line:#}");
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line:#}");
    };
    let sum = "print(sum(map(int, input().split())))";
    check(host, sum, 0, "AC", "");
    check(host, "print(0)", 1, "WA", "");
    check(host, "input(); raise SystemExit(3)", 1, "RTE", "exited with code 3");
    check(host, "input()\nwhile True: pass", 1, "TLE", "");
    // Whoever closes its output has said all.
    check(host, "input(); import os; os.close(0); os.close(1)\nwhile True: pass", 1, "WA", "");
    let closes = "import os, sys\nos.write(1, b'1 2')\nos.close(1)\nsys.exit(42 if input() == '3' else 43)\n";
    check(closes, "import sys\nprint(sum(map(int, sys.stdin.read().split())))", 0, "AC", "");
    check(host, "import time; time.sleep(1000)", 1, "ILE", "");
    // A validator that waits for the submission and one that waits for nothing look the same from there.
    let silent = "a = input()\nimport time\ntime.sleep(1000)\n";
    check("import time\ntime.sleep(1000)", "input()", 5, "JE", "too long");
    check(silent, "print(1, flush=True)\ninput()", 5, "JE", "too long");
    check("input(); input()", "print(1, flush=True)\ninput()", 1, "ILE", "");
    check(host, "input(); raise SystemExit('its own words')", 1, "RTE", "exited with code 1: its own words");
    // What becomes of a submission after it was refused does not matter.
    check("raise SystemExit(43)", "input(); raise SystemExit(3)", 1, "WA", "");
    // Its last words to a submission that has ended are lost, and that is no fault of its own.
    let parting =
        "import sys\nprint(1, flush=True)\nsys.stdin.read()\nprint('bye', flush=True)\nsys.exit(43)\n";
    check(parting, "input()", 1, "WA", "");
    // How the submission ended comes before what the validator said, each line below the other.
    let speaking = "import sys\nopen(sys.argv[3] + 'judgemessage.txt', 'w').write('one\\ntwo\\n')\n\
                    print(1, flush=True)\nsys.stdin.read()\nsys.exit(43)\n";
    check(speaking, "raise SystemExit(3)", 1, "RTE", "; the validator said: one\ntwo");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(1);
    for part in ["permits AC: exited with code 3", "; the validator said: one\n        two\n"] {
        assert!(said.stdout.contains(part), "{}", said.stdout);
    }
    // The validator's own failures.
    check("raise SystemExit(0)", sum, 5, "JE", "exited with code 0");
    check("import os; os.abort()", sum, 5, "JE", "was ended by signal 6");
    check("while True: pass", sum, 5, "JE", "too much");
}

#[test]
fn validators_of_2025_09_run_among_the_files_of_the_submission() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::rename(package.join("problem_statement"), package.join("statement")).unwrap();
    let put = |path: &str, text: &str| {
        let path = package.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("include/c/limits.txt", "7\n");
    let sum = "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d%d\", &a, &b); printf(\"%d\\n\", a + b); }\n";
    put("submissions/accepted/sum.c", sum);
    put(
        "submissions/accepted/two/main.py",
        "from adding import add\nprint(add(*map(int, input().split())))\n",
    );
    put("submissions/accepted/two/adding.py", "def add(a, b): return a + b\n");
    // Files of its own are where its program is, and only those.
    put("output_validator/expected.py", "MINE = True\n");
    put(
        "output_validator/validate.py",
        r#"
import glob, os, sys
from expected import MINE
assert MINE and not os.path.exists("expected.py") and not os.path.exists("validate.py")
names = sorted(glob.glob("*"))
assert not any(name.startswith("testcase") for name in names)
open(sys.argv[3] + "judgemessage.txt", "w").write(" ".join(names))
a, b = map(int, open(sys.argv[1]).read().split())
sys.exit(42 if sys.stdin.readline() == f"{a + b}\n" == open(sys.argv[2]).read() else 43)
"#,
    );
    let yaml = "problem_format_version: 2025-09\nname: {en: A}\nuuid: 5c2a1f60-1d0e-4c8a-9b7e-2f4a6c8e0b1f\n";
    put("problem.yaml", &format!("{yaml}limits: {{time_limit: 2}}\n"));
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let lines = said.expect_code(0).json_lines();
    let saw = |line: &Value| line["testcases"][0]["message"].as_str().unwrap_or("-").to_owned();
    let saw: Vec<String> = lines.iter().filter(|line| line.get("path").is_some()).map(saw).collect();
    assert_eq!(saw, ["limits.txt main sum.c", "sum.py", "adding.py main.py"]);
    // It must accept what is shown as the output of a sample.
    put("data/sample/1.out", "0\n");
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(1);
    let refused = "data/sample/1.out: is refused by the output validator, and must be accepted";
    assert!(said.stdout.contains(refused), "{}", said.stdout);
    fs::remove_file(package.join("data/sample/1.out")).unwrap();
    // The same where they talk to each other.
    let dialogue = fs::read_to_string(package.join("output_validator/validate.py")).unwrap();
    let dialogue = dialogue.replace("sys.exit(", "print(a, b, flush=True)\nsys.exit(");
    put("output_validator/validate.py", &dialogue);
    put("problem.yaml", &format!("{yaml}limits: {{time_limit: 2}}\ntype: [pass-fail, interactive]\n"));
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    assert_eq!(said.expect_code(0).json_lines()[2]["testcases"][0]["message"], "adding.py main.py");
}

#[test]
fn languages_that_do_not_exist_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let yaml = fs::read_to_string(package.join("problem.yaml")).unwrap();
    fs::write(package.join("problem.yaml"), format!("{yaml}languages: [python3, klingon]\n")).unwrap();
    for code in ["default", "python3", "cobolx"] {
        writing_below(&package)(&format!("include/{code}/x.txt"), "x\n");
    }
    let said =
        assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]).expect_code(0);
    let lines = said.json_lines();
    let findings = lines.last().unwrap()["findings"].as_array().unwrap();
    let what: Vec<&str> = findings.iter().filter_map(|finding| finding["what"].as_str()).collect();
    assert!(what.contains(&"languages: no language is called \"klingon\""), "{what:#?}");
    assert!(what.contains(&"no language is called so: these files lie beside no submission"), "{what:#?}");
    assert_eq!(what.iter().filter(|what| what.contains("is called")).count(), 2, "{what:#?}");
}

#[test]
fn limits_that_no_host_can_hold_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let yaml = fs::read_to_string(package.join("problem.yaml")).unwrap();
    for (limit, fits) in
        [("memory: 256", true), ("memory: 99999999", false), ("validation_memory: 99999999", false)]
    {
        fs::write(package.join("problem.yaml"), format!("{yaml}limits: {{{limit}}}\n")).unwrap();
        let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]);
        let said = said.expect_code(if fits { 0 } else { 1 });
        assert_eq!(said.stdout.contains("MiB, which cannot be had: this host has"), !fits, "{said:?}");
    }
}

#[test]
fn files_are_written_where_the_package_lets_them() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let sum = "a, b = map(int, input().split())\nwith open('sum', 'w') as file: print(a + b, file=file)\n\
               print(open('sum').read())\n";
    fs::write(package.join("submissions/accepted/sum.py"), sum).unwrap();
    let verify = |code| {
        let verify = ["problem", "verify", package.to_str().unwrap(), "--json"];
        assize(folder.path(), &verify).expect_code(code).json_lines().remove(0)
    };
    // The formats before 2025-09 say nothing of it, and judges of the time let them.
    assert_eq!(verify(0)["got"], "AC");
    let temporary = "import tempfile\na, b = map(int, input().split())\nwith tempfile.TemporaryFile('w+') as file:\n    \
               print(a + b, file=file)\n    file.seek(0)\n    print(file.read())\n";
    fs::write(package.join("submissions/accepted/sum.py"), temporary).unwrap();
    assert_eq!(verify(0)["got"], "AC");
    let crash = "open('sum', 'w')\nraise ValueError('its own fault')\n";
    fs::write(package.join("submissions/accepted/sum.py"), crash).unwrap();
    let line = verify(1);
    assert!(line["reason"].as_str().unwrap().contains("its own fault"), "{line:#}");
    // A package may forbid it.
    fs::write(package.join("submissions/accepted/sum.py"), sum).unwrap();
    let yaml = fs::read_to_string(package.join("problem.yaml")).unwrap();
    fs::write(package.join("problem.yaml"), format!("{yaml}allow_file_writing: false\n")).unwrap();
    let line = verify(1);
    assert!(line["reason"].as_str().unwrap().contains("Read-only file system"), "{line:#}");
    fs::write(package.join("problem.yaml"), format!("{yaml}allow_file_writing: true\n")).unwrap();
    assert_eq!(verify(0)["got"], "AC");
}

#[test]
fn a_validator_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let here = package.canonicalize().unwrap();
    validated_by(
        &package,
        &format!(
            r#"
import os, socket, sys
assert os.getuid() != 0 and not os.path.exists({:?}) and not os.path.exists("/etc/passwd")
try: socket.socket(); sys.exit(1)
except OSError: pass
try: open("/usr/x", "w"); sys.exit(1)
except OSError: pass
sys.exit(42)
"#,
            here.display().to_string()
        ),
    );
    assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_adds_a_revision_and_a_broken_package_changes_nothing() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let publish = || assize(judge.nats.root(), &["problem", "publish", package.to_str().unwrap(), "--json"]);
    assert_eq!(publish().expect_code(0).json_lines()[0]["revision"], 1);
    // It states no time limit, so one was derived, and stays with the revision.
    let published = judge.judge.problem(&"a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(published.limits.time_limit_ms, 1000);
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
    // What only its validator makes unusable is seen when it is verified.
    fs::write(package.join("data/secret/2.ans"), "4\n").unwrap();
    validated_by(&package, "import sys; print('secret', file=sys.stderr); sys.exit(7)");
    let said = publish().expect_code(1);
    let error = said.json_lines()[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("submissions/accepted/sum.py") && error.contains("exited with code 7"), "{error}");
    assert_eq!(judge.store.last_sequence().await.unwrap(), before);
    // Else it is told when it is judged: as our fault, at the first attempt.
    let unverified = ["problem", "publish", package.to_str().unwrap(), "--json", "--no-verify"];
    let said = assize(judge.nats.root(), &unverified).expect_code(0);
    assert_eq!(said.json_lines()[0]["revision"], 3);
    assert!(said.stderr.contains("published without verifying"), "{said:?}");
    let worker = judge.worker("w1", 1).await;
    let id = judge.submit("a", "python3", "print(3)").await;
    let state = judge.wait_until(id, |state| state.judgings[0].end.is_some()).await;
    let Some(JudgingEnd::Failed(failed)) = &state.judgings[0].end else { panic!("{state:?}") };
    assert!(failed.cause.contains("exited with code 7 instead of 42 or 43"), "{failed:?}");
    // Everybody reads the cause; what a validator says may quote a secret testcase.
    assert!(!failed.cause.contains("secret"), "{failed:?}");
    worker.stop().await;
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

/// A zip of a package in a folder of its own name.
fn zipped(package: &Path, into: &Path) -> PathBuf {
    let name = package.file_name().unwrap().to_str().unwrap();
    let path = into.join(format!("{name}.zip"));
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let mut folders = vec![package.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let inside = entry.strip_prefix(package).unwrap().display();
            writer.start_file(format!("{name}/{inside}"), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut writer, &fs::read(entry).unwrap()).unwrap();
        }
    }
    writer.finish().unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_a_package_too() {
    let judge = TestJudge::start().await;
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let archive = zipped(&package, folder.path());
    let said = assize(folder.path(), &["problem", "verify", archive.to_str().unwrap(), "--json"]);
    let lines = said.expect_code(0).json_lines();
    assert_eq!(lines.len(), 2, "one submission and the package: {lines:#?}");
    assert_eq!(lines[0]["ok"], true, "{lines:#?}");
    // The same content, so the same revision, whichever way it comes.
    for path in [&archive, &package] {
        let said = assize(judge.nats.root(), &["problem", "publish", path.to_str().unwrap(), "--json"]);
        assert_eq!(said.expect_code(0).json_lines()[0]["revision"], 1);
    }
    fs::write(&archive, "no archive").unwrap();
    let said = assize(folder.path(), &["problem", "verify", archive.to_str().unwrap()]).expect_code(1);
    assert!(said.stdout.contains("is not a readable zip"), "{said:?}");
}

/// A package whose only submissions are these programs, by paths below `submissions/`.
fn package_of(folder: &Path, programs: &[(&str, &str)]) -> PathBuf {
    let package = small_package(folder);
    fs::remove_dir_all(package.join("submissions")).unwrap();
    for (path, text) in programs {
        let path = package.join("submissions").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    package
}

/// As compilers of other judges have it by default. In C++ also where the header of everything is a precompiled one.
#[test]
fn writing_beyond_an_array_on_the_stack_is_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let c = "#include <stdio.h>\nint main(void) { char s[8]; int a, b; scanf(\"%d %d\", &a, &b);\n\
             sprintf(s, \"%040d\", a); printf(\"%d\\n\", a + b); return s[0] == 'x'; }\n";
    let cpp = format!("#include <bits/stdc++.h>\n{c}");
    let names = ["c.c", "1.cpp", "2.cpp", "3.cpp", "4.cpp"].map(|name| format!("run_time_error/{name}"));
    let texts: Vec<String> = (0..)
        .zip(&names)
        .map(|(at, _)| if at == 0 { c.to_owned() } else { format!("{cpp}// {at}\n") })
        .collect();
    let programs: Vec<(&str, &str)> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let package = package_of(folder.path(), &programs);
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    for line in &said.expect_code(0).json_lines()[..programs.len()] {
        let message = line["testcases"][0]["message"].as_str().unwrap();
        assert!(message.contains("SIGABRT: *** stack smashing detected ***"), "{line:#}");
    }
}

/// Shells find the commands of the system, also those that are links to one of several.
#[test]
fn shells_find_awk() {
    let folder = tempfile::tempdir().unwrap();
    let package = package_of(folder.path(), &[("accepted/sum.sh", "awk '{ print $1 + $2 }'\n")]);
    assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(0);
}

/// They ask for it where the text is of wide characters. The precompiled header and static linking make no difference.
#[test]
fn native_programs_have_a_locale() {
    let folder = tempfile::tempdir().unwrap();
    let c = "#include <locale.h>\n#include <stdio.h>\n#include <wchar.h>\nint main(void) {\n\
             if (!setlocale(LC_ALL, \"\") || mbstowcs(0, \"r\\xc3\\xa4\\xc3\\xb0\", 0) != 3) return 1;\n\
             int a, b; wscanf(L\"%d %d\", &a, &b); wprintf(L\"%d\\n\", a + b); }\n";
    let c = c.replacen("#include <wchar.h>", "#include <stdlib.h>\n#include <wchar.h>", 1);
    let cpp = "#include <bits/stdc++.h>\nusing namespace std;\nint main() {\n\
               locale::global(locale(\"\")); wcin.imbue(locale()); wcout.imbue(locale(\"C.UTF-8\"));\n\
               int a, b; wcin >> a >> b; if (a + b != 1000) wcout << a + b << endl; }\n";
    let package = package_of(folder.path(), &[("accepted/c.c", &c), ("accepted/cpp.cpp", cpp)]);
    assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(0);
}

/// Processes of a validator that agree by semaphores and memory with names.
#[test]
fn a_validator_may_share_memory_between_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    let validator = "import multiprocessing as m, sys\nfrom multiprocessing import shared_memory\n\
                     def f(x): return x + 1\nmemory = shared_memory.SharedMemory(create=True, size=64)\n\
                     with m.Pool(2) as pool: found = pool.map(f, [int(input())])\nmemory.close(); memory.unlink()\n\
                     sys.exit(42 if found == [4] else 43)\n";
    validated_by(&package, validator);
    fs::write(package.join("problem.yaml"), "name: A\nvalidation: custom\n").unwrap();
    fs::write(package.join("submissions/accepted/sum.py"), "print(3)\n").unwrap();
    fs::remove_dir_all(package.join("data/sample")).unwrap();
    assize(folder.path(), &["problem", "verify", package.to_str().unwrap()]).expect_code(0);
}

/// A program may look at its own name, as long as it is run and not compiled.
#[test]
fn a_submission_of_one_file_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let python = "import sys\nassert sys.argv[0].endswith('add.py') and __file__.endswith('add.py'), sys.argv\n\
                  print(sum(map(int, input().split())))\n";
    let shell = "read a b; [ \"$0\" = ./sum-up.sh ] && echo $((a + b))\n";
    // One that a command would take for something else is called what its language says.
    let odd = "import sys\nassert sys.argv[0].endswith('main.py')\nprint(sum(map(int, input().split())))\n";
    let package = package_of(
        folder.path(),
        &[("accepted/add.py", python), ("accepted/sum-up.sh", shell), ("accepted/a b.py", odd)],
    );
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let (lines, _) = submissions_of(said.expect_code(0).json_lines());
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

/// Each with what its reason must contain. What is not installed is not judged.
fn check_reasons(
    directory: &str,
    programs: &[(&str, &str, &str)],
    at_least: usize,
    reason: fn(&Value) -> &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = programs.iter().map(|(name, _, _)| format!("{directory}/{name}")).collect();
    let texts: Vec<(&str, &str)> =
        paths.iter().zip(programs).map(|(path, (_, text, _))| (path.as_str(), *text)).collect();
    let package = package_of(folder.path(), &texts);
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let (lines, _) = submissions_of(said.json_lines());
    let mut judged = 0;
    for (path, (_, _, expected)) in paths.iter().zip(programs) {
        let line = &lines[path];
        if line["ok"].is_null() {
            loudly(&format!("SKIPPED: {path}: {}", line["reason"]));
            continue;
        }
        judged += 1;
        assert!(reason(line).contains(expected), "{line:#}");
    }
    assert!(judged >= at_least, "{lines:#?}");
}

#[test]
fn the_reason_of_a_crash_is_its_cause_in_every_language() {
    let programs = [
        (
            "J.java",
            "class J { public static void main(String[] a) { int[] x = new int[1]; x[5] = 1; } }",
            "Index 5 out of",
        ),
        ("r.rb", "x = nil\nx.foo\n", "undefined method `foo'"),
        (
            "c.cpp",
            "#include <vector>\nint main() { std::vector<int> v; v.at(3) = 1; }",
            "what():  vector::_M_range_check",
        ),
        (
            "c.cs",
            "class P { static void Main() { int[] x = new int[1]; x[x.Length + 3] = 1; } }",
            "IndexOutOfRange",
        ),
        ("p.php", "<?php throw new Exception(\"on purpose\");", "Uncaught Exception: on purpose"),
        ("g.go", "package main\nfunc main() { panic(\"on purpose\") }", "panic: on purpose"),
        (
            "h.hs",
            "import qualified Data.Map as Map\nmain = print (Map.fromList [(1, 2)] Map.! 3)\n",
            "key is not an element",
        ),
        ("l.lua", "local t\nt.x = 1\n", "attempt to index a nil value"),
        ("n.js", "const x = undefined;\nconsole.log(x.foo);\n", "TypeError: Cannot read properties"),
        ("o.ml", "let () = failwith \"on purpose\"", "Failure(\"on purpose\")"),
        ("p.py", "def f():\n    raise ValueError('on purpose')\nf()\n", "ValueError: on purpose"),
        (
            "q.pas",
            "{$mode objfpc}\nuses sysutils;\nbegin raise Exception.Create('on purpose'); end.",
            "Exception: on purpose",
        ),
        ("r.rs", "fn main() { panic!(\"on purpose\") }", "on purpose"),
        ("p.pl", "sub f { die 'on purpose' } f();", "on purpose at"),
        ("x.pro", "main :- atom_length(_, _).", "not sufficiently instantiated"),
        ("s.sh", "set -e\nno_such_command\n", "no_such_command"),
        ("s.scm", "(vector-ref (vector 1) 5)", "out of range"),
        ("d.d", "void main() { int[] a = [1]; size_t i = a.length + 4; a[i] = 1; }", "out of bounds"),
        (
            "f.f90",
            "program p\n integer :: x\n open(7, file='none', status='old')\nend program\n",
            "Fortran runtime error",
        ),
    ];
    check_reasons("run_time_error", &programs, 3, |line| line["testcases"][0]["message"].as_str().unwrap());
}

#[test]
fn the_reason_of_a_failed_compilation_is_its_first_error() {
    let programs = [
        ("J.java", "class J { public static void main(String[] a) { int x = \"\"; } }", "incompatible types"),
        ("c.cpp", "#include <vector>\nint main() { undeclared(); }", "error: 'undeclared' was not declared"),
        ("c.cs", "class P { static void Main() { int x = \"a\"; } }", "error CS0029"),
        ("g.go", "package main\nimport \"os\"\nfunc main() { }", "imported and not used"),
        ("h.hs", "main :: IO ()\nmain = do\n  let x = 1 :: Int\n  putStrLn x\n", "Couldn't match type"),
        ("o.ml", "let () = print_string 1", "Error: This expression"),
        ("p.py", "x = (1\n", "SyntaxError: "),
        ("q.pas", "begin writeln(x) end.", "Error: Identifier not found"),
        ("r.rs", "fn main() { let x: i32 = \"\"; }", "mismatched types"),
        ("r.rb", "x = (1", "syntax error"),
        ("l.lua", "x = = 1", "unexpected symbol"),
        ("n.js", "let x = ;", "SyntaxError"),
        ("s.sh", "if then", "syntax error"),
    ];
    check_reasons("accepted", &programs, 3, |line| line["reason"].as_str().unwrap());
}

/// Java's compiler wants a file to be named after its public class, which contestants and juries do not care about.
#[test]
fn java_submissions_may_be_called_anything() {
    if !Path::new("/usr/lib/jvm/default-java/bin/javac").exists() {
        loudly("SKIPPED: Java is not installed (default-jdk-headless): its submissions were NOT judged");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("submissions")).unwrap();
    let main = |name: &str, body: &str| {
        format!(
            "import java.util.*;\npublic class {name} {{ public static void main(String[] a) {{\n\
             Scanner in = new Scanner(System.in);\n{body} }} }}\n"
        )
    };
    let sum = "System.out.println(in.nextInt() + in.nextInt());";
    for (path, text) in [
        ("accepted/thing.java", main("Other", sum)),
        (
            "accepted/several/Helper.java",
            "class Helper { static int add(int a, int b) { return a + b; } }".to_owned(),
        ),
        (
            "accepted/several/main.java",
            main("main", "System.out.println(Helper.add(in.nextInt(), in.nextInt()));"),
        ),
        ("run_time_error/deep.java", main("Deep", "throw new IllegalStateException();")),
        (
            "run_time_error/much.java",
            main("Much", "List<long[]> l = new ArrayList<>(); while (true) l.add(new long[1 << 20]);"),
        ),
    ] {
        writing_below(&package.join("submissions"))(path, &text);
    }
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    let lines = said.expect_code(0).json_lines();
    let got: Vec<&str> = lines.iter().filter_map(|line| line["got"].as_str()).collect();
    assert_eq!(got, ["AC", "AC", "RTE", "MLE"], "{lines:#?}");
}

#[test]
fn languages_are_listed_tried_out_and_named_with_their_packages() {
    let folder = tempfile::tempdir().unwrap();
    let list = assize(folder.path(), &["languages", "list", "--json"]).expect_code(0).json_lines();
    assert!(list.len() >= 20, "{list:#?}");
    let packages = assize(folder.path(), &["languages", "packages", "C++", "java"]).expect_code(0);
    assert_eq!(packages.stdout, "default-jdk-headless\ng++\n");
    assize(folder.path(), &["languages", "list", "algol"]).expect_code(2);

    let tried =
        assize(folder.path(), &["languages", "test", "--json", "c", "python3"]).expect_code(0).json_lines();
    for line in &tried {
        let verdicts: Vec<&str> =
            line["trials"].as_array().unwrap().iter().map(|trial| trial["got"].as_str().unwrap()).collect();
        assert_eq!(verdicts, ["AC", "CE", "RTE", "TLE", "MLE"], "{line:#}");
    }
    // One that is not there is no failure, unless all must be there; one that is broken is a failure.
    let odd = folder.path().join("languages");
    fs::create_dir(&odd).unwrap();
    let write = |program: &str, output: &str| {
        let text = format!(
            "id = \"odd\"\nname = \"Odd\"\nsource = \"main.sh\"\nartifact = \"main.sh\"\n\
             [run]\nargv = [\"{program}\", \"main.sh\"]\nroots = [\"/usr/bin\", \"/usr/lib\", \"/usr/lib64\", \
             \"/lib\", \"/lib64\"]\nprocesses_limit = 1\n[version]\nargv = [\"/usr/bin/bash\", \"--version\"]\n\
             [self_test]\nsource = \"read a b; echo $((a + b))\"\ninput = \"1 2\"\noutput = \"{output}\"\n"
        );
        fs::write(odd.join("odd.toml"), text).unwrap();
    };
    let odd = odd.to_str().unwrap();
    write("/nonexistent/odd", "3");
    assize(folder.path(), &["languages", "test", "--languages", odd, "odd"]).expect_code(0);
    assize(folder.path(), &["languages", "test", "--languages", odd, "--all", "odd"]).expect_code(1);
    write("/usr/bin/bash", "3");
    assize(folder.path(), &["languages", "test", "--languages", odd, "--all", "odd"]).expect_code(0);
    write("/usr/bin/bash", "4");
    assize(folder.path(), &["languages", "test", "--languages", odd, "odd"]).expect_code(1);
}

#[test]
fn of_two_toolchains_the_better_one_is_named_where_it_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let packages = assize(folder.path(), &["languages", "packages", "--npm", "kotlin", "c"]).expect_code(0);
    let fields: Vec<&str> = packages.stdout.trim_end().split('\t').collect();
    let [package, _version, sha256, home, _prepare] = fields[..] else { panic!("{}", packages.stdout) };
    assert_eq!((package, sha256.len()), ("kotlin-compiler", 64));
    assert!(home.starts_with("/usr/local/lib/"), "{home}");

    let here = folder.path().display();
    let text = format!(
        "id = \"odd\"\nname = \"Odd\"\nsource = \"main.sh\"\nartifact = \"main.sh\"\n\
         [[homes]]\npath = \"{here}/new\"\nnpm = {{ package = \"odd\", version = \"2.0\", sha256 = \"{sha256}\" }}\n\
         [[homes]]\npath = \"{here}/old\"\n\
         [run]\nargv = [\"/bin/sh\", \"{{home}}/sh\"]\nprocesses_limit = 1\n\
         [version]\nargv = [\"/bin/sh\"]\n[self_test]\nsource = \"1\"\ninput = \"1 2\"\noutput = \"3\"\n"
    );
    let languages = folder.path().join("languages");
    fs::create_dir(&languages).unwrap();
    fs::write(languages.join("odd.toml"), text).unwrap();
    let languages = languages.to_str().unwrap();
    let list = || {
        let listed = assize(folder.path(), &["languages", "list", "--json", "--languages", languages, "odd"]);
        let line = listed.expect_code(0).json_lines().remove(0);
        (line["installed"].as_bool().unwrap(), line["home"].clone(), line["better"].clone())
    };
    assert_eq!(list(), (false, Value::Null, Value::Null));
    fs::create_dir(folder.path().join("old")).unwrap();
    assert_eq!(list(), (true, json!(format!("{here}/old")), json!("odd 2.0")));
    let shown = assize(folder.path(), &["languages", "list", "--languages", languages, "odd"]).expect_code(0);
    assert!(shown.stdout.contains("odd 2.0 with ./assize languages install odd"), "{}", shown.stdout);
    fs::create_dir(folder.path().join("new")).unwrap();
    assert_eq!(list(), (true, json!(format!("{here}/new")), Value::Null));
}

#[test]
fn kotlin_is_that_of_these_years_where_it_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let listed =
        assize(folder.path(), &["languages", "list", "--json", "kotlin"]).expect_code(0).json_lines();
    if listed[0]["installed"] != true || !listed[0]["better"].is_null() {
        loudly(&format!("SKIPPED: {} was NOT tried out", listed[0]));
        return;
    }
    // The language as it is, but for its program.
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/languages/kotlin.toml")).unwrap();
    let (language, _) = text.split_once("[self_test]").unwrap();
    let source = "
enum class Way { LEFT, RIGHT }
fun depth(n: Int): Int = if (n == 0) 0 else 1 + depth(n - 1)
fun main() {
    val read = buildList { addAll(readln().trim().split(' ').map(String::toLong)) }
    check((0..<Way.entries.size).toList() == listOf(0, 1))
    println(read.sum() + depth(200_000) - 200_000)
}
";
    let languages = folder.path().join("languages");
    fs::create_dir(&languages).unwrap();
    let test = format!("[self_test]\nsource = '''{source}'''\ninput = \"1 2\"\noutput = \"3\"\n");
    fs::write(languages.join("kotlin.toml"), format!("{language}{test}")).unwrap();
    let languages = languages.to_str().unwrap();
    let tried = assize(folder.path(), &["languages", "test", "--languages", languages, "--all", "kotlin"]);
    assert!(tried.expect_code(0).stdout.contains("kotlinc 2."));
}

/// Writes files below a folder, by path, with the folders that they lie in.
fn writing_below(folder: &Path) -> impl Fn(&str, &str) + use<> {
    let folder = folder.to_owned();
    move |path, content| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Past the capture of the test harness.
fn loudly(line: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
}

/// The same program is compiled once, and never from what somebody has damaged.
#[test]
fn what_was_compiled_is_kept_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("submissions/accepted")).unwrap();
    fs::create_dir_all(package.join("submissions/accepted")).unwrap();
    let code =
        "#include <stdio.h>\nint main() { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }\n";
    fs::write(package.join("submissions/accepted/sum.c"), code).unwrap();
    let verify = || {
        assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]).expect_code(0);
        let kept = fs::read_dir(folder.path().join("cache/builds")).unwrap();
        let mut kept: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
        kept.sort();
        kept
    };
    let kept = verify();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let times = |kept: &[PathBuf]| -> Vec<_> {
        kept.iter().map(|path| fs::metadata(path).unwrap().created().unwrap()).collect()
    };
    let made = times(&kept);
    assert_eq!(verify(), kept);
    assert_eq!(times(&kept), made, "nothing was made again");
    for path in &kept {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(verify(), kept, "what is damaged is made again");
    assert!(times(&kept).iter().zip(&made).all(|(now, before)| now > before));
}

/// The third program that begins with the header of everything makes it worth compiling that once.
#[test]
fn the_header_of_everything_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let package = small_package(folder.path());
    fs::remove_dir_all(package.join("submissions")).unwrap();
    for (directory, operator) in
        [("accepted", "+"), ("accepted", "- -"), ("wrong_answer", "-"), ("wrong_answer", "*")]
    {
        let folder = package.join("submissions").join(directory);
        fs::create_dir_all(&folder).unwrap();
        let code = format!(
            "#include <bits/stdc++.h>\nusing namespace std;\n\
             int main() {{ int a, b; cin >> a >> b; cout << a {operator} b << endl; }}\n"
        );
        fs::write(folder.join(format!("{}.cpp", operator.len() * 7 + operator.as_bytes()[0] as usize)), code)
            .unwrap();
    }
    let said = assize(folder.path(), &["problem", "verify", package.to_str().unwrap(), "--json"]);
    said.expect_code(0);
    let kept = fs::read_dir(folder.path().join("cache/builds")).unwrap();
    let sizes: Vec<u64> = kept.map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes.len(), 5, "four programs and the header: {sizes:?}");
    assert_eq!(sizes.iter().filter(|size| **size > 32 << 20).count(), 1, "{sizes:?}");
}
