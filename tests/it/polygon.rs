//! Polygon packages are imported, completed in the sandbox where they lack tests, and judged as their setters meant.
//! The packages lie in `tests/polygon`, with a small library in the place of testlib.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::cli::assize;

/// One of the Polygon packages, whole.
fn polygon_package(name: &str, folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/polygon");
    let to = folder.join(format!("polygon-{name}"));
    copy(&source.join(name), &to);
    fs::copy(source.join("testlib.h"), to.join("files/testlib.h")).unwrap();
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Imports a package to `out` and says what was told of it.
fn import(folder: &Path, package: &Path, out: &str) -> (PathBuf, Value) {
    let to = folder.join(out);
    let args = ["problem", "import", package.to_str().unwrap(), "--out", to.to_str().unwrap(), "--json"];
    let said = assize(folder, &args).expect_code(0);
    (to, said.json_lines()[0].clone())
}

/// The jury submissions of a package with their verdicts.
fn verified(folder: &Path, package: &Path) -> Vec<(String, String)> {
    let said = assize(folder, &["problem", "verify", package.to_str().unwrap(), "--json"]).expect_code(0);
    let lines = said.json_lines();
    let submissions =
        lines.iter().filter(|line| line["path"].as_str().is_some_and(|path| path.starts_with("sub")));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    submissions.map(|line| (text(&line["path"]), text(&line["got"]))).collect()
}

#[test]
fn a_package_without_tests_is_completed_and_judged_by_a_standard_checker() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("sum", folder.path());
    let (out, said) = import(folder.path(), &package, "sum");
    assert_eq!((&said["problem"], &said["tests_made"]), (&"twosums".into(), &4.into()), "{said:#}");
    let read = |path: &str| fs::read_to_string(out.join(path)).unwrap();
    // The manual test has got its answer, the others are made whole: one of several files, and each by its arguments.
    assert_eq!(read("data/sample/01.ans"), "3\n7\n0\n");
    assert_eq!(read("data/sample/01.yaml"), "description: \"The smallest\"\n");
    assert_eq!(read("data/secret/04.in"), "3\n0 6\n1 6\n2 6\n");
    assert!(read("data/secret/02.in").starts_with("100\n") && read("data/secret/03.in").len() > 1000);
    assert_ne!(read("data/secret/02.in"), read("data/secret/03.in"));
    let yaml = read("problem.yaml");
    for line in
        ["  en: \"Two Sums\"", "  ru: \"Две суммы\"", "  time_limit: 1.5", "  memory: 256", "type: pass-fail"]
    {
        assert!(yaml.lines().any(|found| found == line), "{line}: {yaml}");
    }
    let statement = read("statement/problem.en.tex");
    assert!(
        statement.starts_with("\\problemname{Two Sums}\n\nAdd \\texttt{a} and \\textbf{b}.\n"),
        "{statement}"
    );
    let russian = read("statement/problem.ru.tex");
    assert!(russian.contains("\\section*{Входные данные}\n"), "{russian}");
    assert!(read("solution/solution.en.tex").contains("Add them."));
    assert!(read("output_validator/assize.toml").contains("standard_checker = \"ncmp\""));
    assert!(!out.join("submissions/accepted/stress.py").exists());
    let expected = [
        ("submissions/accepted/main.cpp", "AC"),
        ("submissions/accepted/short_one.py", "AC"),
        ("submissions/run_time_error/re.cpp", "RTE"),
        ("submissions/time_limit_exceeded/tl.cpp", "TLE"),
        ("submissions/time_limit_exceeded_or_accepted/to.py", "AC"),
        ("submissions/wrong_answer/pe.py", "WA"),
        ("submissions/wrong_answer/wa.cpp", "WA"),
    ];
    let expected = expected.map(|(path, verdict)| (path.to_owned(), verdict.to_owned()));
    assert_eq!(verified(folder.path(), &out), expected);
    // The checker's scripts say the same as the judge that knows it: so do other judges.
    fs::remove_file(out.join("output_validator/assize.toml")).unwrap();
    assert_eq!(verified(folder.path(), &out), expected);
    // What is there is not written over.
    let args = ["problem", "import", package.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let said = assize(folder.path(), &args).expect_code(1);
    assert!(said.stdout.contains("could not be written, since it exists"), "{}", said.stdout);
}

#[test]
fn tests_with_line_ends_of_windows_are_stored_with_those_of_this_host() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("pair", folder.path());
    for (path, text) in [("01", "5\r\n"), ("01.a", "2 3\r\n"), ("02.a", "3 4\r\n"), ("03.a", "4 6\r\n\n")] {
        fs::write(package.join("tests").join(path), text).unwrap();
    }
    let (out, said) = import(folder.path(), &package, "pair");
    let notes = said["notes"].as_array().unwrap();
    assert!(notes.contains(&"in 2 tests lines ended in CR LF, and end in LF now".into()), "{said:#}");
    let read = |path: &str| fs::read_to_string(out.join("data").join(path)).unwrap();
    assert_eq!((read("sample/01.in"), read("sample/01.ans")), ("5\n".to_owned(), "2 3\n".to_owned()));
    assert_eq!(read("secret/02-1/02.ans"), "3 4\n");
    // Whoever mixes them means them.
    assert_eq!(read("secret/02-1/03.ans"), "4 6\r\n\n");
}

#[test]
fn groups_with_points_and_dependencies_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("pair", folder.path());
    let (out, said) = import(folder.path(), &package, "pair");
    assert_eq!(said["tests_made"], 0, "{said:#}");
    let note = said["notes"][0].as_str().unwrap();
    assert!(note.contains("group \"2\", so its tests stand twice"), "{said:#}");
    let read = |path: &str| fs::read_to_string(out.join(path)).unwrap();
    assert!(read("problem.yaml").contains("type: scoring\n"));
    assert_eq!(read("data/secret/test_group.yaml"), "max_score: 100\nscore_aggregation: sum\n");
    for (group, yaml) in [
        ("02-1", "max_score: 30\nscore_aggregation: pass-fail\nrequire_pass: [\"sample\"]\n"),
        (
            "03-2.001",
            "max_score: 20\nscore_aggregation: sum\nrequire_pass: [\"secret/02-1\"]\noutput_validator_args: [points]\n",
        ),
        (
            "03-2.002",
            "max_score: 20\nscore_aggregation: sum\nrequire_pass: [\"secret/02-1\"]\noutput_validator_args: [points]\n",
        ),
        ("03-2.whole", "max_score: 0\nscore_aggregation: pass-fail\nrequire_pass: [\"secret/02-1\"]\n"),
        ("04-3", "max_score: 30\nscore_aggregation: pass-fail\nrequire_pass: [\"secret/03-2.whole\"]\n"),
    ] {
        assert_eq!(read(&format!("data/secret/{group}/test_group.yaml")), yaml, "{group}");
    }
    assert_eq!(read("data/sample/01.in"), "5\n");
    assert_eq!(read("data/secret/03-2.002/06.in"), "10000\n");
    assert_eq!(read("data/secret/03-2.whole/06.in"), "10000\n");
    assert_eq!(fs::read(out.join("statement/problem.en.pdf")).unwrap(), b"%PDF-1.4\n");
}

/// What each jury submission of a package got, with its score and the best, in order of their paths.
fn scored(folder: &Path, package: &Path, code: i32) -> Vec<(String, String, String, String)> {
    let said = assize(folder, &["problem", "verify", package.to_str().unwrap(), "--json"]).expect_code(code);
    let lines = said.json_lines();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let submissions = lines.iter().filter(|line| text(&line["path"]).starts_with("submissions/"));
    let told = |line: &Value| {
        let path = text(&line["path"]);
        let stem = path.rsplit('/').next().unwrap_or_default().to_owned();
        (stem, text(&line["got"]), text(&line["score"]), text(&line["score_best"]))
    };
    submissions.map(told).collect()
}

fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn points_of_the_checker_count_in_tests_of_any_points() {
    let folder = tempfile::tempdir().unwrap();
    let check = |points: &str, note: &str, yaml: &str, expected: [(&str, &str, &str); 3], best: &str| {
        let package = polygon_package("parts", folder.path());
        replace_in(&package.join("problem.xml"), "points=\"0.0\"/", &format!("points=\"{points}\"/"));
        let (out, said) = import(folder.path(), &package, &format!("parts{points}"));
        assert!(said["notes"][0].as_str().unwrap().contains(note), "{said:#}");
        let read = |path: &str| fs::read_to_string(out.join("data/secret").join(path)).unwrap();
        let group = if points == "0.0" { "01-tests" } else { "01-tests.002" };
        assert_eq!(read(&format!("{group}/test_group.yaml")), yaml);
        let expected = expected
            .map(|(path, got, score)| (path.to_owned(), got.to_owned(), score.to_owned(), best.to_owned()));
        assert_eq!(scored(folder.path(), &out, 0), expected, "{points}");
        out
    };
    // The sample, which is a test as well, gives 1.
    check(
        "0.0",
        "have 0 points",
        "max_score: unbounded\nscore_aggregation: sum\noutput_validator_args: [points, unbounded]\n",
        [("main.py", "AC", "31"), ("half.py", "AC", "15.5"), ("none.py", "WA", "0")],
        "",
    );
    check(
        "8",
        "no more count than the test has",
        "max_score: 16\nscore_aggregation: sum\noutput_validator_args: [points, \"8\"]\n",
        [("main.py", "AC", "16"), ("half.py", "PA", "13"), ("none.py", "WA", "0")],
        "16",
    );
    let out = check(
        "20",
        "no more count than the test has",
        "max_score: 40\nscore_aggregation: sum\noutput_validator_args: [points, \"20\"]\n",
        [("main.py", "PA", "30"), ("half.py", "PA", "15"), ("none.py", "WA", "0")],
        "40",
    );
    // The format knows no directory for what is right in part.
    let said = assize(folder.path(), &["problem", "verify", out.to_str().unwrap()]).expect_code(0);
    assert!(said.stdout.contains("it got 30 of 40 points\n"), "{}", said.stdout);
}

#[test]
fn a_standard_checker_needs_no_source() {
    let folder = tempfile::tempdir().unwrap();
    for missing in ["files/check.cpp", "files/testlib.h"] {
        let package = polygon_package("parts", folder.path());
        let own = "<checker type=\"testlib\">";
        replace_in(&package.join("problem.xml"), own, "<checker type=\"testlib\" name=\"std::ncmp.cpp\">");
        fs::remove_file(package.join(missing)).unwrap();
        // The main solution, which is to make this, needs neither.
        fs::remove_file(package.join("tests/02.a")).unwrap();
        let (out, _) = import(folder.path(), &package, missing.rsplit('/').next().unwrap());
        let names = fs::read_dir(out.join("output_validator")).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["assize.toml"], "{missing}");
        fs::remove_dir_all(&package).unwrap();
    }
}

#[test]
fn a_checker_that_does_not_compile_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("parts", folder.path());
    replace_in(&package.join("files/check.cpp"), "quitp(a", "nowhere(a");
    let (out, _) = import(folder.path(), &package, "parts");
    let said = assize(folder.path(), &["problem", "verify", out.to_str().unwrap(), "--json"]).expect_code(5);
    let lines = said.json_lines();
    let all: Vec<Value> = lines.iter().flat_map(findings).collect();
    let told = all.iter().filter(|finding| finding["path"] == "output_validator");
    let told: Vec<&str> = told.map(|finding| finding["what"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 1, "{all:#?}");
    let (why, first) = told[0].split_once(": checker.cpp:").expect(told[0]);
    assert_eq!(
        why,
        "the program output_validator of the package cannot be built: its build script exited with code 1"
    );
    assert!(first.ends_with("was not declared in this scope") && !first.contains('\n'), "{first}");
    let reasons: Vec<&Value> =
        lines.iter().filter(|line| line["got"] == "JE").map(|line| &line["reason"]).collect();
    assert_eq!(reasons, vec![why; 3]);
}

#[test]
fn points_that_a_scorer_would_give_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("parts", folder.path());
    replace_in(&package.join("files/check.cpp"), "quitp(a / 10.0, \"so many\")", "quitpi(\"a=1\")");
    let (out, said) = import(folder.path(), &package, "parts");
    assert!(said["notes"][0].as_str().unwrap().contains("a scorer of Polygon (quitpi)"), "{said:#}");
    let said = assize(folder.path(), &["problem", "verify", out.to_str().unwrap()]);
    let why = "the checker leaves points to a scorer of Polygon (quitpi), and none is run here";
    assert!(said.stdout.contains(why), "{}", said.stdout);
}

#[test]
fn tests_of_no_group_count_by_themselves_and_groups_may_depend_on_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("pair", folder.path());
    let xml = package.join("problem.xml");
    replace_in(&xml, "<test group=\"0\" ", "<test ");
    replace_in(&xml, "<test group=\"3\" ", "<test ");
    // Group 2 depends on the new group 4, whose test comes behind its own.
    replace_in(&xml, "<dependency group=\"1\"/>", "<dependency group=\"4\"/>");
    let text = fs::read_to_string(&xml).unwrap();
    let test = "<test group=\"2\" method=\"manual\" points=\"20.0\"/>";
    let group = "<group name=\"4\" points=\"20.0\" points-policy=\"complete-group\"/></groups>";
    let text = text.replace(test, &test.replace("\"2\"", "\"4\"")).replace("</groups>", group);
    fs::write(&xml, text.replace("points=\"40.0\"", "points=\"20.0\"")).unwrap();
    let (out, said) = import(folder.path(), &package, "pair");
    assert_eq!(said["warnings"], serde_json::json!([]), "{said:#}");
    let entries = fs::read_dir(out.join("data/secret")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let expected = ["01-tests.001", "01-tests.002", "02-1", "03-4", "04-2", "test_group.yaml"];
    assert_eq!(names, expected);
    let yaml = fs::read_to_string(out.join("data/secret/04-2/test_group.yaml")).unwrap();
    assert!(yaml.contains("require_pass: [\"secret/03-4\"]"), "{yaml}");
    let got = scored(folder.path(), &out, 0);
    let main = ("main.py", "AC", "100", "100");
    assert_eq!((&*got[0].0, &*got[0].1, &*got[0].2, &*got[0].3), main, "{got:?}");
}

/// What a line of JSON says about a package as a whole, if it does.
fn findings(line: &Value) -> Vec<Value> {
    line["findings"].as_array().cloned().unwrap_or_default()
}

#[test]
fn validators_are_told_of_the_test_set_and_the_group_of_every_test() {
    let folder = tempfile::tempdir().unwrap();
    let validator = r#"
#include <iostream>
#include <map>
int main(int argc, char **argv) {
    std::map<std::string, std::string> given;
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    std::map<std::string, int> most = {{"0", 5}, {"1", 10}, {"2", 10000}, {"3", 10000000}};
    int n;
    std::cin >> n;
    if (given["--testset"] == "tests" && most.count(given["--group"]) && n <= most[given["--group"]]) return 0;
    std::cerr << "FAIL group " << given["--group"] << std::endl << "and more" << std::endl;
    return 3;
}"#;
    let check = |name: &str, change: &dyn Fn(&Path)| {
        let package = polygon_package("pair", folder.path());
        fs::write(package.join("files/val.cpp"), validator).unwrap();
        let xml = package.join("problem.xml");
        let validators = "<validators><validator><source path=\"files/val.cpp\" type=\"cpp.g++17\"/></validator></validators>";
        replace_in(&xml, "<solutions>", &format!("{validators}<solutions>"));
        change(&xml);
        let (out, said) = import(folder.path(), &package, name);
        assert_eq!(said["warnings"], serde_json::json!([]), "{said:#}");
        let said = assize(folder.path(), &["problem", "verify", out.to_str().unwrap(), "--json"]);
        let refused: Vec<Value> = said.json_lines().iter().flat_map(findings).collect();
        (out, refused)
    };
    let (out, refused) = check("scored", &|_| ());
    assert_eq!(refused, Vec::<Value>::new());
    let read = |path: &str| fs::read_to_string(out.join("data").join(path)).unwrap();
    assert_eq!(read("sample/01.yaml"), "input_validator_args: [--testset, \"tests\", --group, \"0\"]\n");
    assert!(!out.join("data/secret/02-1/02.yaml").exists());
    // Without points there are no groups, and the tests say it themselves.
    let (out, refused) = check("plain", &|xml| {
        for points in ["0.0", "10.0", "15.0", "20.0", "30.0", "40.0"] {
            let text = fs::read_to_string(xml).unwrap();
            fs::write(xml, text.replace(&format!(" points=\"{points}\""), "")).unwrap();
        }
    });
    assert_eq!(refused, Vec::<Value>::new());
    assert!(fs::read_to_string(out.join("problem.yaml")).unwrap().contains("type: pass-fail\n"));
    // What is refused is told in the validator's words.
    let (_, refused) = check("wrong", &|xml| replace_in(xml, "group=\"3\" method", "group=\"1\" method"));
    let why = "is refused by input_validators/validator1: FAIL group 1";
    assert_eq!((refused.len(), &refused[0]["what"]), (1, &why.into()), "{refused:#?}");
}

#[test]
fn an_interactor_makes_the_answers_and_its_log_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("hidden", folder.path());
    let (out, said) = import(folder.path(), &package, "hidden");
    assert_eq!(said["tests_made"], 3, "{said:#}");
    assert!(fs::read_to_string(out.join("problem.yaml")).unwrap().contains("type: [pass-fail, interactive]"));
    // How often the main solution asked.
    assert_eq!(fs::read_to_string(out.join("data/secret/02.ans")).unwrap(), "9\n");
    let expected = [
        ("submissions/accepted/main.cpp", "AC"),
        ("submissions/run_time_error/crash.py", "RTE"),
        ("submissions/wrong_answer/silent.py", "WA"),
        ("submissions/wrong_answer/slow.py", "WA"),
    ];
    let expected = expected.map(|(path, verdict)| (path.to_owned(), verdict.to_owned()));
    assert_eq!(verified(folder.path(), &out), expected);
}

#[test]
fn programs_are_compiled_by_the_standards_that_their_types_name() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("sum", folder.path());
    let xml = package.join("problem.xml");
    // What newer standards refuse: `size` is also theirs, and `throw (...)` is gone.
    let old = "#include <iterator>\nusing namespace std;\nint size = 0;\nint one() throw (int) { return size + 1; }\n";
    for path in ["files/check.cpp", "files/gen.cpp", "files/val.cpp", "solutions/main.cpp"] {
        let source = fs::read_to_string(package.join(path)).unwrap();
        fs::write(package.join(path), format!("{old}{source}")).unwrap();
    }
    for (path, kind) in
        [("files/check.cpp", "cpp.g++14"), ("files/gen.cpp", "cpp.g++11"), ("files/val.cpp", "cpp.g++")]
    {
        let typed = |kind: &str| format!("path=\"{path}\" type=\"{kind}\"");
        replace_in(&xml, &typed("cpp.g++17"), &typed(kind));
    }
    replace_in(&xml, "main.cpp\" type=\"cpp.g++17\"", "main.cpp\" type=\"cpp.g++14\"");
    replace_in(&xml, "tag=\"time-limit-exceeded-or-accepted\"", "tag=\"hasty\"");
    replace_in(&xml, "tl.cpp\" type=\"cpp.g++17\"", "tl.cpp\" type=\"cpp.g++99\"");
    replace_in(&xml, "std::ncmp.cpp", "own");
    replace_in(&xml, "short one.py\" type=\"python.3\"", "short one.py\" type=\"python.2\"");
    let (out, said) = import(folder.path(), &package, "old");
    let notes = said["notes"].as_array().unwrap();
    for note in [
        "solutions/short one.py is in Python 2, which is not judged",
        "solutions/tl.cpp is of type \"cpp.g++99\", whose standard of C++ is not known: taken for C++20",
        "solutions/to.py has the tag \"hasty\", which is not known: taken for rejected",
    ] {
        assert!(notes.contains(&note.into()), "{said:#}");
    }
    let yaml = fs::read_to_string(out.join("submissions/submissions.yaml")).unwrap();
    for entry in [
        "\"accepted/main.cpp\":\n  language: cpp14\n  model_solution: true\n",
        "\"wrong_answer/wa.cpp\":\n  language: cpp17\n",
        "\"wrong_answer/pe.py\":\n  language: python3\n",
    ] {
        assert!(yaml.contains(entry), "{entry}: {yaml}");
    }
    let said = assize(folder.path(), &["problem", "verify", out.to_str().unwrap(), "--json"]).expect_code(1);
    let lines = said.json_lines();
    assert_eq!(lines.iter().flat_map(findings).collect::<Vec<_>>(), Vec::<Value>::new());
    let of = |path: &str| lines.iter().find(|line| line["path"] == format!("submissions/{path}")).unwrap();
    let main = of("accepted/main.cpp");
    assert_eq!((&main["got"], &main["language"]), (&"AC".into(), &"cpp14".into()));
    assert_eq!(of("wrong_answer/wa.cpp")["got"], "WA");
    let old = of("accepted/short_one.py");
    assert_eq!((&old["got"], &old["reason"]), (&Value::Null, &"there is no language `python2`".into()));
}

#[test]
fn what_is_wrong_with_a_polygon_package_is_told_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let check = |change: &dyn Fn(&Path), expected: &str| {
        let package = polygon_package("pair", folder.path());
        change(&package);
        let out = folder.path().join("out");
        let args = ["problem", "import", package.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let said = assize(folder.path(), &args).expect_code(1);
        assert!(said.stdout.contains(expected), "{expected}: {}", said.stdout);
        // Nothing is left, neither there nor beside it.
        assert!(!out.exists());
        fs::remove_dir_all(&package).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".assize-import")).collect();
        assert_eq!(left, Vec::<std::ffi::OsString>::new());
    };
    let replaced = |from: &'static str, to: &'static str| {
        move |package: &Path| {
            let path = package.join("problem.xml");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{from}");
            fs::write(path, text.replacen(from, to, 1)).unwrap();
        }
    };
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE p [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><problem>&b;</problem>";
    check(&|package| fs::remove_file(package.join("problem.xml")).unwrap(), "problem.xml` could not be read");
    check(&|package| fs::write(package.join("problem.xml"), bomb).unwrap(), "problem.xml:1: is not XML: ");
    check(
        &|package| fs::write(package.join("problem.xml"), "<contest/>").unwrap(),
        "problem.xml:1: is of a <contest>",
    );
    check(&replaced("</names>", "</name>"), "problem.xml:3: is not XML: ");
    check(
        &replaced("<time-limit>1000", "<time-limit>1s"),
        "problem.xml:9: time-limit \"1s\" is no whole number",
    );
    check(
        &replaced("<test-count>7", "<test-count>8"),
        "problem.xml:11: test-count is \"8\", but 7 tests follow",
    );
    check(&replaced("tests/%02d<", "tests/input<"), "problem.xml:12: \"tests/input\" is no pattern");
    check(&replaced("tests/%02d<", "../%02d<"), "problem.xml:12: \"../%02d\" is no pattern");
    check(
        &replaced("input-file=\"stdin\"", "input-file=\"pair.in\""),
        "problem.xml:7: input-file is \"pair.in\"",
    );
    check(
        &replaced(
            "group=\"1\" method=\"manual\" points=\"15.0\"",
            "group=\"1\" method=\"manual\" points=\"x\"",
        ),
        "problem.xml:16: points \"x\" are no number",
    );
    check(
        &replaced("<dependency group=\"0\"", "<dependency group=\"3\""),
        "group \"1\" depends on itself, if only through others",
    );
    check(
        &replaced("<dependency group=\"0\"", "<dependency group=\"9\""),
        "group \"1\" depends on \"9\", which is not there",
    );
    check(
        &replaced("points-policy=\"each-test\"", "points-policy=\"half\""),
        "unknown points-policy \"half\"",
    );
    check(
        &replaced("<checker type=\"testlib\">", "<checker type=\"other\">"),
        "the checker is of type \"other\"",
    );
    check(
        &replaced(
            "path=\"files/check.cpp\" type=\"cpp.g++17\"/></checker>",
            "path=\"../../check.cpp\"/></checker>",
        ),
        "is not a path inside the package",
    );
    check(
        &replaced(
            "path=\"files/check.cpp\" type=\"cpp.g++17\"/></checker>",
            "path=\"files/check.dpr\" type=\"delphi.7\"/></checker>",
        ),
        "must be C++",
    );
    check(
        &|package| fs::remove_file(package.join("files/check.cpp")).unwrap(),
        "files/check.cpp: is not there",
    );
    check(
        &|package| fs::remove_file(package.join("tests/03")).unwrap(),
        "tests/03: is not there, and no command makes it",
    );
    check(
        &|package| {
            fs::remove_file(package.join("solutions/main.py")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", package.join("solutions/main.py")).unwrap();
        },
        "solutions/main.py: is a link that leaves the package",
    );
    // Answers are made by the main solution, whose failure is told with the test.
    check(
        &|package| {
            fs::remove_file(package.join("tests/03.a")).unwrap();
            fs::write(package.join("solutions/main.py"), "raise SystemExit('no idea')").unwrap();
        },
        "test 3: the main solution exited with code 1: no idea",
    );
}

#[test]
fn an_archive_is_as_good_as_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let package = polygon_package("pair", folder.path());
    let zip = folder.path().join("pair-3.zip");
    let program = "import shutil, sys; shutil.make_archive(sys.argv[1][:-4], 'zip', sys.argv[2])";
    let made =
        std::process::Command::new("/usr/bin/python3").args(["-c", program]).args([&zip, &package]).status();
    assert!(made.unwrap().success());
    let (out, _) = import(folder.path(), &zip, "pair");
    assert!(out.join("data/secret/04-3/07.ans").exists());
    fs::File::create(&zip).unwrap().write_all(b"no archive").unwrap();
    let said = assize(folder.path(), &["problem", "import", zip.to_str().unwrap()]).expect_code(1);
    assert!(said.stdout.contains("refused:"), "{}", said.stdout);
    assize(folder.path(), &["problem", "import", "/nowhere"]).expect_code(2);
}
