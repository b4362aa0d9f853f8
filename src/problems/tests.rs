//! Packages good, odd and broken, each with the exact words that it is met with.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// A package in a directory of its own, which goes away with it.
pub(super) struct Scratch {
    directory: tempfile::TempDir,
    root: PathBuf,
}

impl Scratch {
    /// The smallest package that loads without a warning.
    pub(super) fn new() -> Scratch {
        let directory = tempfile::tempdir().expect("a scratch directory");
        let root = directory.path().join("hello");
        let scratch = Scratch { directory, root };
        scratch
            .with("problem.yaml", "name: Hello\n")
            .with(".timelimit", "1\n")
            .with("problem_statement/problem.en.tex", "\\problemname{Hello}\n")
            .with("data/secret/1.in", "1\n")
            .with("data/secret/1.ans", "1\n")
    }

    pub(super) fn with(self, path: &str, content: &str) -> Scratch {
        self.with_bytes(path, content.as_bytes())
    }

    fn with_bytes(self, path: &str, content: &[u8]) -> Scratch {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("a file");
        self
    }

    pub(super) fn without(self, path: &str) -> Scratch {
        fs::remove_file(self.root.join(path)).expect("a file to remove");
        self
    }

    fn with_link(self, path: &str, target: &str) -> Scratch {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        symlink(target, path).expect("a link");
        self
    }

    #[track_caller]
    fn warns_in_any_order(&self, expected: &[&str]) -> Package {
        let loaded = self.load();
        let mut warnings: Vec<String> = loaded.warnings.iter().map(Warning::to_string).collect();
        let mut expected: Vec<&str> = expected.to_vec();
        warnings.sort();
        expected.sort_unstable();
        assert_eq!(warnings, expected);
        loaded.package
    }

    #[track_caller]
    pub(super) fn load(&self) -> Loaded {
        load(&self.root, Mode::Lenient).expect("a package that loads")
    }

    #[track_caller]
    pub(super) fn warns(&self, expected: &[&str]) -> Package {
        let loaded = self.load();
        let warnings: Vec<String> = loaded.warnings.iter().map(Warning::to_string).collect();
        assert_eq!(warnings, expected);
        match load(&self.root, Mode::Strict) {
            Ok(strict) => assert_eq!((strict, expected.len()), (loaded.clone(), 0)),
            Err(error) => assert_eq!(error.to_string(), expected.join("\n")),
        }
        loaded.package
    }

    #[track_caller]
    pub(super) fn refused(&self, expected: &str) {
        for mode in [Mode::Lenient, Mode::Strict] {
            let error = load(&self.root, mode).expect_err("a package that is refused");
            assert!(matches!(error, PackageError::Invalid { .. }), "{error:?}");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn the_smallest_package_loads_strictly() {
    let package = Scratch::new().warns(&[]);
    assert_eq!(package.short_name, "hello");
    assert_eq!(package.format, Format::Legacy);
    assert_eq!(package.title(&["sv"]), "Hello");
    assert_eq!(package.types.iter().copied().collect::<Vec<_>>(), [ProblemType::PassFail]);
    assert_eq!(package.validation, Validation::Default);
    assert_eq!(
        package.limits,
        Limits {
            time_limit_ms: 1_000,
            time_limit_source: TimeLimitSource::DotTimelimit,
            time_multipliers: TimeMultipliers {
                ac_to_time_limit: 5.0,
                time_limit_to_tle: 2.0,
                time_resolution_ms: 1_000
            },
            memory_bytes: 2 << 30,
            output_bytes: 8 << 20,
            code_bytes: 128 << 10,
            compilation_time_limit_ms: 60_000,
            compilation_memory_bytes: 2 << 30,
            validation_time_limit_ms: 60_000,
            validation_memory_bytes: 2 << 30,
            validation_output_bytes: 8 << 20,
            validation_passes: 2,
        }
    );
    assert_eq!(
        package.testcases,
        [Testcase {
            name: "secret/1".to_owned(),
            group: "secret".to_owned(),
            input_path: "data/secret/1.in".to_owned(),
            input_bytes: 2,
            answer_path: "data/secret/1.ans".to_owned(),
            answer_bytes: 2,
            is_sample: false,
            validator_flags: Vec::new(),
            arguments: Vec::new(),
            files: Vec::new(),
            input_validator_arguments: ValidatorArguments::All(Vec::new()),
            full_feedback: false,
            hint: None,
            description: None,
            shown_input_path: "data/secret/1.in".to_owned(),
            shown_answer_path: "data/secret/1.ans".to_owned(),
            download_input_path: "data/secret/1.in".to_owned(),
            download_answer_path: "data/secret/1.ans".to_owned(),
            interaction_path: None,
        }]
    );
}

#[test]
fn everything_in_problem_yaml_is_read() {
    let package = Scratch::new()
        .with(
            "problem.yaml",
            "problem_format_version: legacy\n\
             name:\n  en: Hello\n  sv: Hej\n\
             author: A\nsource: S\nsource_url: U\nlicense: cc by-sa\nrights_owner: R\nuuid: A\nkeywords: a b\n\
             validator_flags: case_sensitive float_tolerance 1e-6\n\
             languages: [python3, cpp]\n\
             limits:\n    # odd indentation\n    time_multiplier: 1.5\n    time_safety_margin: 3\n\
             \x20   memory: 512.0\n    output: 24576\n    code: 64\n    compilation_time: 10\n    \
             compilation_memory: 256\n    validation_time: 20\n    validation_memory: 128\n    validation_output: 16\n",
        )
        .with("problem_statement/problem.sv.tex", "\\problemname{Hej}\n")
        .warns(&[]);
    assert_eq!(package.title(&["sv"]), "Hej");
    assert_eq!(package.validator_flags, ["case_sensitive", "float_tolerance", "1e-6"]);
    assert_eq!(package.testcases[0].validator_flags, package.validator_flags);
    let languages = package.languages_allowed.expect("a list");
    assert_eq!(languages.into_iter().collect::<Vec<_>>(), ["cpp", "python3"]);
    assert_eq!(package.limits.time_multipliers.ac_to_time_limit, 1.5);
    assert_eq!(package.limits.time_multipliers.time_limit_to_tle, 3.0);
    assert_eq!(package.limits.memory_bytes, 512 << 20);
    assert_eq!(package.limits.output_bytes, 24576 << 20);
    assert_eq!(package.limits.code_bytes, 64 << 10);
    assert_eq!(package.limits.compilation_time_limit_ms, 10_000);
    assert_eq!(package.limits.compilation_memory_bytes, 256 << 20);
    assert_eq!(package.limits.validation_time_limit_ms, 20_000);
    assert_eq!(package.limits.validation_memory_bytes, 128 << 20);
    assert_eq!(package.limits.validation_output_bytes, 16 << 20);
}

#[test]
fn a_time_limit_is_looked_for_in_order() {
    let scratch = Scratch::new()
        .with("problem.yaml", "name: Hello\nlimits: {time_limit: 0.25}\n")
        .with("domjudge-problem.ini", "; DOMjudge\nshort-name = A\ntimelimit = '1.001'\n");
    let limit = |package: Package| (package.limits.time_limit_ms, package.limits.time_limit_source);
    assert_eq!(limit(scratch.warns(&[])), (250, TimeLimitSource::ProblemYaml));
    let scratch = scratch.with("problem.yaml", "name: Hello\n");
    assert_eq!(limit(scratch.warns(&[])), (1_000, TimeLimitSource::DotTimelimit));
    let scratch = scratch.without(".timelimit");
    assert_eq!(limit(scratch.warns(&[])), (1_001, TimeLimitSource::DomjudgeIni));
    let scratch = scratch.without("domjudge-problem.ini");
    // To be derived, which is what the format wants, and no deviation.
    let found = limit(scratch.warns(&[]));
    assert_eq!(found, (2_000, TimeLimitSource::Default));
    // What was recorded when it was published comes before everything.
    let scratch = scratch
        .with("problem.yaml", "name: Hello\nlimits: {time_limit: 0.25}\n")
        .with("assize.json", "{\"time_limit\": {\"time_limit_ms\": 3100, \"source\": \"derived\"}}\n");
    assert_eq!(limit(scratch.warns(&[])), (3_100, TimeLimitSource::Recorded));
    for (record, expected) in [
        ("{\n", "assize.json:2: EOF while parsing an object"),
        ("{}", "assize.json:1: missing field `time_limit`"),
        ("{\"time_limit\": {\"time_limit_ms\": 0}}", "assize.json: time_limit_ms: 0 is not a time limit"),
        (
            "{\"time_limit\": {\"time_limit_ms\": -1}}",
            "assize.json:1: invalid value: integer `-1`, expected u64",
        ),
    ] {
        let scratch = Scratch::new().with("assize.json", record);
        scratch.refused(expected);
    }
}

/// The canonical archive of a package, in memory.
#[derive(Debug, PartialEq)]
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: String,
}

pub(super) fn canonical_archive(dir: &Path) -> Result<Archive, PackageError> {
    let mut bytes = Vec::new();
    let digest = write_canonical_archive(dir, None, &mut bytes)?;
    Ok(Archive { bytes, digest })
}

fn archive_with(dir: &Path, path: &str, content: &[u8]) -> Archive {
    let mut bytes = Vec::new();
    let digest = write_canonical_archive(dir, Some((path, content)), &mut bytes).expect("an archive");
    Archive { bytes, digest }
}

#[test]
fn an_archive_may_hold_one_file_more() {
    let scratch = Scratch::new().with("a.txt", "a");
    let plain = canonical_archive(&scratch.root).expect("an archive");
    assert_eq!(file_in_archive(plain.bytes.as_slice(), "b.txt").expect("a tar"), None);
    let with = archive_with(&scratch.root, "b.txt", b"bee");
    assert_eq!(file_in_archive(with.bytes.as_slice(), "b.txt").expect("a tar"), Some(b"bee".to_vec()));
    assert_ne!(with.digest, plain.digest);
    // As if it lay there, before and behind the others, and in the place of one that does.
    let scratch = scratch.with("b.txt", "other");
    for (path, content) in [("b.txt", "bee"), ("0", "zero"), ("z", "zed")] {
        let with = archive_with(&scratch.root, path, content.as_bytes());
        let there = Scratch::new().with("a.txt", "a").with("b.txt", "other").with(path, content);
        assert_eq!(with, canonical_archive(&there.root).expect("an archive"), "{path}");
    }
}

#[test]
fn testcases_are_ordered_by_name_with_groups_among_them() {
    let mut scratch = Scratch::new();
    for name in ["sample/2", "sample/1", "secret/10", "secret/2", "secret/1a/x", "secret/1/y", "secret/1-z"] {
        scratch = scratch.with(&format!("data/{name}.in"), "").with(&format!("data/{name}.ans"), "");
    }
    let package = scratch
        .with("data/sample/1.hint", "think")
        .warns(&["data/secret/1: a testcase has the same name as this directory"]);
    let names: Vec<&str> = package.testcases.iter().map(|testcase| testcase.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "sample/1",
            "sample/2",
            "secret/1",
            "secret/1/y",
            "secret/1-z",
            "secret/10",
            "secret/1a/x",
            "secret/2"
        ]
    );
    let groups: Vec<&str> = package.groups.iter().map(|group| group.path.as_str()).collect();
    assert_eq!(groups, ["", "sample", "secret", "secret/1", "secret/1a"]);
    assert_eq!(package.testcases[3].group, "secret/1");
    assert!(package.testcases[1].is_sample && !package.testcases[2].is_sample);
}

#[test]
fn directories_without_settings_are_groups_only_in_old_versions() {
    let package = Scratch::new()
        .with("problem.yaml", "problem_format_version: 2025-09\nname: {en: Hello}\nlimits: {time_limit: 1}\n")
        .with("data/secret/plain/1.in", "")
        .with("data/secret/plain/1.ans", "")
        .with("data/secret/group/1.in", "")
        .with("data/secret/group/1.ans", "")
        .with("data/secret/group/test_group.yaml", "output_validator_args: [case_sensitive]\n")
        .warns(&[
            "problem.yaml:1: states no uuid",
            "problem_statement: statements belong into statement/ in this version of the format",
            "data/secret: holds testcases beside groups, which this version of the format does not allow",
        ]);
    let group_of = |name: &str| {
        package.testcases.iter().find(|testcase| testcase.name == name).map(|t| t.group.as_str())
    };
    assert_eq!(group_of("secret/plain/1"), Some("secret"));
    assert_eq!(group_of("secret/group/1"), Some("secret/group"));
    let flags_of = |name: &str| {
        package.testcases.iter().find(|testcase| testcase.name == name).map(|t| t.validator_flags.clone())
    };
    assert_eq!(flags_of("secret/plain/1"), Some(vec![]));
    assert_eq!(flags_of("secret/group/1"), Some(vec!["case_sensitive".to_owned()]));
}

#[test]
fn a_statement_in_another_encoding_costs_its_title_only() {
    let package = Scratch::new()
        .with("problem.yaml", "name: Hello\nlimits: {time_limit: 1}\n")
        .with_bytes("problem_statement/problem.sv.tex", b"\\problemname{H\xe4lsa}\n")
        .warns(&["problem_statement/problem.sv.tex:1: is not UTF-8, so its title is not known"]);
    assert_eq!(package.title(&["sv"]), "Hello");
}

#[test]
fn groups_inherit_and_override_validator_flags() {
    let package = Scratch::new()
        .with("problem.yaml", "name: Hello\nvalidator_flags: case_sensitive float_tolerance 1e-6\n")
        .with(
            "data/secret/testdata.yaml",
            "output_validator_flags: float_tolerance 1e-3\non_reject: continue\n",
        )
        .with("data/secret/g/1.in", "")
        .with("data/secret/g/1.ans", "")
        .warns(&[]);
    for testcase in &package.testcases {
        assert_eq!(testcase.validator_flags, ["case_sensitive", "float_tolerance", "1e-3"]);
    }
    let package = Scratch::new()
        .with("problem.yaml", "name: x\nvalidation: custom\nvalidator_flags: --say \"There are more\" -n\n")
        .with("data/secret/testdata.yaml", "output_validator_flags: it's a\n")
        .with("output_validators/v.py", "")
        .warns(&[]);
    assert_eq!(package.testcases[0].validator_flags, ["--say", "There are more", "-n", "it's", "a"]);
}

#[test]
fn a_flag_that_stands_twice_is_told_and_in_new_packages_refused() {
    let twice = "case_sensitive float_tolerance 1e-6 float_tolerance 1e-3";
    Scratch::new()
        .with("problem.yaml", &format!("name: Hello\nvalidator_flags: {twice}\n"))
        .with("data/secret/g/1.in", "")
        .with("data/secret/g/1.ans", "")
        .warns(&["problem.yaml:2: validator flag float_tolerance is given twice, the last counts"]);
    Scratch::new()
        .with("data/secret/testdata.yaml", "\noutput_validator_flags: [case_sensitive, case_sensitive]\n")
        .warns(&[
            "data/secret/testdata.yaml:2: validator flag case_sensitive is given twice, the last counts",
        ]);
    newest()
        .with("data/secret/1.yaml", "output_validator_args: [case_sensitive, case_sensitive]\n")
        .refused("data/secret/1.yaml:1: validator flag case_sensitive is given twice");
}

#[test]
fn jury_submissions_statements_and_attachments_are_listed() {
    let package = Scratch::new()
        .with("submissions/accepted/b.py", "")
        .with("submissions/accepted/a/main.cpp", "")
        .with("submissions/accepted/a/lib.h", "")
        .with("submissions/accepted/__pycache__/b.pyc", "")
        .with("submissions/quick/c.py", "")
        .with("submissions/submissions.yaml", "")
        .with("attachments/x/readme.txt", "")
        .with("problem_statement/problem.pdf", "")
        .with("problem_statement/image.png", "")
        .warns(&["submissions/quick: the format knows no directory \"quick\": \
                  its submissions are not held to an expectation"]);
    let submissions: Vec<(&str, &str, usize)> = package
        .jury_submissions
        .iter()
        .map(|submission| {
            (submission.expectation.directory(), submission.path.as_str(), submission.files.len())
        })
        .collect();
    assert_eq!(
        submissions,
        [
            ("accepted", "submissions/accepted/a", 2),
            ("accepted", "submissions/accepted/b.py", 1),
            ("quick", "submissions/quick/c.py", 1),
        ]
    );
    assert_eq!(package.attachments, ["attachments/x/readme.txt"]);
    let statements: Vec<&str> = package.statements.iter().map(|statement| statement.path.as_str()).collect();
    assert_eq!(statements, ["problem_statement/problem.en.tex", "problem_statement/problem.pdf"]);
}

#[test]
fn what_is_held_to_nothing_is_told_by_its_name_where_others_are_held() {
    let scratch = Scratch::new()
        .with("submissions/mixed/a.py", "# @EXPECTED_RESULTS@: WRONG_ANSWER, timelimit\n")
        .with("submissions/mixed/b.py", "");
    scratch.warns(&[
        "submissions/mixed/b.py: the format knows no directory \"mixed\", and it states no results: \
         it is not held to an expectation",
    ]);
    for (results, demand) in [
        ("@EXPECTED_RESULTS@: CORRECT", "@EXPECTED_RESULTS@: AC on the whole"),
        ("@EXPECTED_SCORE@: WRONG-ANSWER", "@EXPECTED_SCORE@: WA on the whole"),
        ("@EXPECTED_SCORE@: 12.5 */", "@EXPECTED_SCORE@: a score of 12.5 to 12.5"),
    ] {
        let package = Scratch::new().with("submissions/mixed/a.c", &format!("/* {results}\n")).warns(&[]);
        assert_eq!(package.jury_submissions[0].demands[0].to_string(), demand);
    }
}

#[test]
fn what_compilers_leave_behind_is_no_submission() {
    let left = "a.class a.exe a.bin a.o a.out A.OUT a.cpp.disabled README Makefile a.c.orig a.c.bak a.dSYM/Info.plist";
    let scratch = left
        .split(' ')
        .fold(Scratch::new(), |scratch, name| scratch.with(&format!("submissions/accepted/{name}"), ""));
    let scratch = scratch.with("submissions/accepted/a.cpp", "").with("submissions/accepted/d.out/a.c", "");
    let paths = |package: Package| {
        let paths = package.jury_submissions.into_iter().map(|submission| submission.path);
        paths.map(|path| path.replace("submissions/accepted/", "")).collect::<Vec<_>>()
    };
    assert_eq!(paths(scratch.warns(&[])), ["a.cpp", "d.out"]);
    let scratch =
        scratch.with("submissions/accepted/a", "\x7fELF\x02\x01\x01").with("submissions/accepted/b", "?");
    let told = "submissions/accepted/a: is a compiled program and no source, ignored";
    assert_eq!(paths(scratch.warns(&[told])), ["a.cpp", "b", "d.out"]);
    // Where submissions are outputs, they are called so.
    let text = format!("{NEWEST}type: submit-answer\nlimits: {{time_limit: 1}}\n");
    let scratch = newest().with("problem.yaml", &text).with("submissions/accepted/1.out", "");
    assert_eq!(paths(scratch.warns(&[])), ["1.out"]);
}

#[test]
fn expectations_are_read_from_sources_and_submissions_yaml() {
    let package = Scratch::new()
        .with("submissions/mixed/a.py", "# @EXPECTED_RESULTS@: WRONG_ANSWER, timelimit\n")
        .with("submissions/rejected/b.cpp", "/* @EXPECTED_RESULTS@: RUN-ERROR */\n")
        .with("submissions/accepted/c.py", "# @EXPECTED_RESULTS@: WRONG-ANSWER\n")
        .with("submissions/accepted/d/x.py", "")
        .with("submissions/time_limit_exceeded/e.py", "")
        .with("submissions/f.py", "")
        .with("submissions/README.md", "")
        .with(
            "submissions/submissions.yaml",
            "accepted/*:\n  model_solution: true\n  authors: [{name: Ann, email: a@example.org}, Bo]\n\
             accepted/{c,x}.py:\n  message: Well\n\
             accepted/d/x.py:\n  language: python3\n  entrypoint: x\n\
             time_limit_exceeded:\n  permitted: [AC, WA, TLE]\n\
             f.py:\n  secret/*:\n    required: [WA]\n    use_for_time_limit: lower\n  score: [1, 2.5]\n",
        )
        .warns(&["submissions/f.py: lies in no directory, so that nothing is expected of it by itself"]);
    let demands: Vec<String> = package
        .jury_submissions
        .iter()
        .map(|submission| {
            let demands: Vec<String> = submission.demands.iter().map(ToString::to_string).collect();
            format!("{}: {}", submission.path.replace("submissions/", ""), demands.join("; "))
        })
        .collect();
    assert_eq!(
        demands,
        [
            "accepted/c.py: accepted/: only AC; submissions.yaml:4: the message \"Well\"",
            "accepted/d: accepted/: only AC",
            "f.py: submissions.yaml:11: a score of 1 to 2.5; submissions.yaml:12: at least once WA (on secret/*)",
            "mixed/a.py: @EXPECTED_RESULTS@: WA or TLE on the whole",
            "rejected/b.cpp: rejected/: at least once WA or TLE or RTE; @EXPECTED_RESULTS@: RTE on the whole",
            "time_limit_exceeded/e.py: submissions.yaml:9: only AC or WA or TLE, at least once TLE",
        ]
    );
    let d = &package.jury_submissions[1];
    assert_eq!((d.language.as_deref(), d.entrypoint.as_deref()), (Some("python3"), Some("x")));
    assert!(d.is_model_solution && d.authors == ["Ann", "Bo"], "{d:?}");
    let f = &package.jury_submissions[2].demands[1];
    assert!(f.bounds_time_limit_below() && !f.bounds_time_limit_above());
}

#[test]
fn languages_that_go_by_their_names_are_taken_for_their_codes() {
    let package = Scratch::new()
        .with("submissions/accepted/a.py", "")
        .with("submissions/accepted/b.cpp", "")
        .with("submissions/accepted/c.cs", "")
        .with(
            "submissions/submissions.yaml",
            "accepted/a.py: {language: Python 3}\naccepted/b.cpp: {language: c++17}\naccepted/c.cs: {language: C#}\n",
        )
        .warns_in_any_order(&[
            "submissions/submissions.yaml:1: languages go by their codes: \"Python 3\" is taken for \"python3\"",
            "submissions/submissions.yaml:3: languages go by their codes: \"C#\" is taken for \"csharp\"",
        ]);
    let languages = package.jury_submissions.iter().filter_map(|submission| submission.language.as_deref());
    assert_eq!(languages.collect::<Vec<_>>(), ["python3", "c++17", "csharp"]);
}

#[test]
fn what_submissions_yaml_says_wrongly_is_ignored_with_a_warning() {
    let of = |yaml: &str, warnings: &[&str]| {
        let package = Scratch::new()
            .with("submissions/accepted/a.py", "")
            .with("submissions/mixed/b.py", "// @EXPECTED_RESULTS@: MAYBE, CORRECT\n")
            .with("submissions/submissions.yaml", yaml);
        let maybe = "submissions/mixed/b.py:1: @EXPECTED_RESULTS@: unknown result \"MAYBE\", ignored";
        let warnings: Vec<&str> = warnings.iter().copied().chain([maybe]).collect();
        package.warns_in_any_order(&warnings)
    };
    of("accepted: [\n", &["submissions/submissions.yaml:1: is not YAML: unclosed bracket '[', ignored"]);
    of("- a\n", &["submissions/submissions.yaml:1: the file must be a map, not a list, ignored"]);
    of(
        "accepted/**: {}\n",
        &["submissions/submissions.yaml:1: \"accepted/**\": `**` is not supported, ignored"],
    );
    of(
        "accepted:\n  permitted: [AC, MAYBE]\n",
        &["submissions/submissions.yaml:2: permitted: \"MAYBE\" is none of AC, WA, TLE and RTE, ignored"],
    );
    of(
        "accepted:\n  permitted: []\nnowhere: {}\n",
        &[
            "submissions/submissions.yaml:2: permitted lists no verdict, ignored",
            "submissions/submissions.yaml:3: \"nowhere\" matches no submission",
        ],
    );
    of(
        "accepted:\n  use_for_time_limit: maybe\n",
        &[
            "submissions/submissions.yaml:2: use_for_time_limit must be true, false, lower or upper, not \"maybe\", ignored",
        ],
    );
    of(
        "accepted:\n  score: [2, 1]\n",
        &["submissions/submissions.yaml:2: score must be a number or the two ends of a range, ignored"],
    );
    of(
        "accepted:\n  permited: AC\n  sample: {x: 1}\n",
        &[
            "submissions/submissions.yaml:2: unknown key \"permited\", ignored",
            "submissions/submissions.yaml:3: unknown key \"x\", ignored",
        ],
    );
}

#[test]
fn titles_come_from_statements_where_nothing_else_states_them() {
    let package = Scratch::new()
        .with("problem.yaml", "author: nobody\n")
        .with("problem_statement/problem.sv.tex", "% x\n\\problemname{Hej {du}\n  där}\n")
        .warns(&[]);
    assert_eq!(package.titles.get("sv").map(String::as_str), Some("Hej {du} där"));
    assert_eq!(package.titles.get("en").map(String::as_str), Some("Hello"));
    let package = Scratch::new()
        .with("problem.yaml", "")
        .with("problem_statement/problem.en.tex", "\\problemname{\\problemyamlname}")
        .warns(&["problem.yaml: states no name"]);
    assert_eq!(package.title(&[]), "hello");
    let tex = "\\problemname{$x^2$}\n%% plainproblemname: x squared\n";
    let package =
        Scratch::new().with("problem.yaml", "").with("problem_statement/problem.en.tex", tex).warns(&[]);
    assert_eq!(package.title(&[]), "x squared");
}

#[test]
fn oddities_are_warned_about() {
    Scratch::new()
        .with("problem.yaml", "\u{feff}name: A\nname: B\ncolour: red\nlimits:\n  memroy: 1\n")
        .with("data/secret/2.ans", "")
        .with("data/secret/notes", "")
        .with("data/1.in", "")
        .with("-rf", "")
        .with("a~", "")
        .with_link("b", "nowhere")
        .with("submissions/accepted/a b.py", "")
        .warns(&[
            "-rf: the name starts with `-`, ignored",
            "b: links to nowhere, which does not exist; ignored",
            "problem.yaml:1: starts with a byte order mark, ignored",
            "problem.yaml:2: key \"name\" stands twice (first in line 1), the last counts",
            "problem.yaml:3: unknown key \"colour\", ignored",
            "problem.yaml:5: unknown key \"limits.memroy\", ignored",
            "submissions/accepted/a b.py: the name has characters other than letters, digits, `_`, `.` and `-`",
            "data/1.in: testcases directly in data/ are not judged, only those in data/sample and data/secret",
            "data/secret/2.ans: has no input file data/secret/2.in, ignored",
            "data/secret/notes: belongs to no testcase, ignored",
        ]);
    let scratch = Scratch::new();
    let warnings = load_as(&scratch.root, "Hello-World", Mode::Lenient).expect("a package").warnings;
    assert_eq!(
        warnings[0].to_string(),
        r#".: "Hello-World" is not a name for a problem ([a-z0-9]+), taken for "helloworld""#
    );
    let error = load_as(&scratch.root, "--", Mode::Lenient).expect_err("a bad name");
    assert_eq!(error.to_string(), r#".: "--" is not a name for a problem ([a-z0-9], 1 to 40 characters)"#);
}

#[test]
fn what_domjudge_keeps_beside_a_package_may_be_all_there_is() {
    let ini = "name = 'Hi there'\ntimelimit='3'\nspecial_run=\n";
    let package = Scratch::new()
        .without("problem.yaml")
        .without("problem_statement/problem.en.tex")
        .without(".timelimit")
        .with("domjudge-problem.ini", ini)
        .with("problem.pdf", "")
        .warns(&["problem.yaml: is missing; what domjudge-problem.ini states is all that is known"]);
    assert_eq!((package.title(&[]), package.limits.time_limit_ms), ("Hi there", 3_000));
    let package = Scratch::new().with("domjudge-problem.ini", ini).warns(&[]);
    assert_eq!(package.title(&[]), "Hello");
}

#[test]
fn keys_without_values_say_nothing() {
    let scratch = Scratch::new().with(
        "problem.yaml",
        "problem_format_version:\nname: {en: Hello, sv: }\ntype:\nvalidation:\nvalidator_flags:\ngrading:\n\
         limits:\n  time_limit:\n  time_multipliers: {ac_to_time_limit: }\n",
    );
    let package = scratch.warns(&[]);
    assert_eq!((package.format, package.titles.len()), (Format::Legacy, 1));
    assert_eq!(package.limits.time_multipliers.ac_to_time_limit, 5.0);
}

#[test]
fn flags_may_be_those_of_a_named_validator() {
    let flags = "{name: v, flags: a b}";
    let package = Scratch::new()
        .with("problem.yaml", "name: x\nvalidation: custom\n")
        .with("output_validators/v.py", "")
        .with(
            "data/secret/testdata.yaml",
            &format!("input_validator_flags: {flags}\noutput_validator_flags: {flags}\n"),
        )
        .warns(&[]);
    let case = &package.testcases[0];
    assert_eq!(case.validator_flags, ["a", "b"]);
    assert_eq!(
        (case.input_validator_arguments.of("v.py").len(), case.input_validator_arguments.of("w").len()),
        (2, 0)
    );
    Scratch::new()
        .with("data/secret/testdata.yaml", "output_validator_flags: {v: a}\n")
        .refused("data/secret/testdata.yaml:1: output_validator_flags lacks `name` or `flags`");
}

#[test]
fn data_in_other_directories_are_told() {
    Scratch::new()
        .with("data/more/1.in", "")
        .with("data/notes/1.txt", "")
        .with("data/invalid_input/1.in", "")
        .warns(&["data/more: the format knows no such directory: nothing in it is judged"]);
}

#[test]
fn broken_packages_are_refused_by_file_and_line() {
    let yaml = |text: &str| Scratch::new().with("problem.yaml", text);
    Scratch::new().without("problem.yaml").refused("problem.yaml: is missing");
    Scratch::new()
        .without("data/secret/1.ans")
        .refused("data/secret/1.in: has no answer file data/secret/1.ans");
    Scratch::new()
        .without("data/secret/1.ans")
        .without("data/secret/1.in")
        .refused("data: there are no testcases");
    yaml("name: a: b\n")
        .refused("problem.yaml:1: is not YAML: mapping values are not allowed in this context");
    yaml("name: x\n\ttype: y\n")
        .refused("problem.yaml:1: is not YAML: while scanning a plain scalar, found a tab");
    yaml("- name\n").refused("problem.yaml:1: the file must be a map, not a list");
    yaml("name: [a]\n").refused("problem.yaml:1: name must be a single value, not a list");
    yaml("name: ''\n").refused("problem.yaml:1: name is empty");
    yaml("name: x\nproblem_format_version: 2019\n").refused(
        "problem.yaml:2: unknown problem_format_version \"2019\"; \
         known are legacy, legacy-icpc, 2023-07-draft, 2023-07 and 2025-09",
    );
    yaml("name: x\ntype: output-only\n").refused("problem.yaml:2: unknown problem type \"output-only\"");
    yaml("name: x\ntype: [pass-fail, scoring]\n")
        .refused("problem.yaml:2: a problem cannot be both pass-fail and scoring");
    yaml("name: x\nlimits: 5\n").refused("problem.yaml:2: limits must be a map, not a single value");
    for bad in ["0", "-1", "1.5", "many", "99999999999999999"] {
        yaml(&format!("name: x\nlimits:\n  output: 8\n  memory: {bad}\n")).refused(&format!(
            "problem.yaml:4: limits.memory: \"{bad}\" is not a limit (a whole number of at least 1)"
        ));
    }
    for bad in ["0", "-1", "nan", "inf", "1e9", "soon"] {
        let words = format!("\"{bad}\" is not a time (seconds, more than 0 and at most 3600)");
        yaml(&format!("name: x\nlimits:\n  time_limit: {bad}\n"))
            .refused(&format!("problem.yaml:3: limits.time_limit: {words}"));
        Scratch::new().with(".timelimit", bad).refused(&format!(".timelimit:1: {words}"));
        Scratch::new()
            .without(".timelimit")
            .with("domjudge-problem.ini", &format!("name=x\ntimelimit={bad}\n"))
            .refused(&format!("domjudge-problem.ini:2: timelimit: {words}"));
    }
    yaml("name: x\nlimits: {time_multiplier: 0}\n")
        .refused("problem.yaml:2: limits.time_multiplier: \"0\" is not a factor (a number more than 0)");
    yaml("name: x\nvalidation: maybe\n")
        .refused("problem.yaml:2: validation must be \"default\" or \"custom\" with its options");
    yaml("name: x\nvalidation: custom twice\n")
        .refused("problem.yaml:2: unknown validation option \"twice\"");
    yaml("name: x\nvalidator_flags: float_tolerance\n")
        .refused("problem.yaml:2: validator flag float_tolerance lacks its tolerance");
    yaml("name: x\n\nvalidator_flags: float_tolerance 1e-6 exact\n")
        .refused("problem.yaml:3: unknown validator flag \"exact\"");
    Scratch::new()
        .with("data/testdata.yaml", "on_reject: explode\n")
        .refused("data/testdata.yaml:1: on_reject must be \"break\" or \"continue\", not \"explode\"");
}

#[test]
fn a_yaml_bomb_is_refused_at_once() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    let error = load(&Scratch::new().with("problem.yaml", &bomb).root, Mode::Lenient)
        .expect_err("a bomb")
        .to_string();
    assert!(error.starts_with("problem.yaml"), "{error}");
}

#[test]
fn nothing_that_is_not_a_plain_file_inside_is_read() {
    let scratch = Scratch::new();
    fs::write(scratch.directory.path().join("outside"), "secret").expect("a file");
    scratch
        .with_link("data/secret/2.in", "../../../outside")
        .refused("data/secret/2.in: links to ../../../outside, outside the package");
    Scratch::new()
        .with_link("attachments", "/etc")
        .refused("attachments: links to /etc, outside the package");
    Scratch::new()
        .with_link("data/secret/loop", "..")
        .refused("data/secret/loop: links to .., a directory that contains the link");
    // Two links that hand over to each other never contain themselves: the depth stops them.
    let scratch = Scratch::new().with_link("a/b", "../c").with_link("c/a", "../a");
    let error = load(&scratch.root, Mode::Lenient).expect_err("a cycle of links").to_string();
    assert!(error.ends_with(": directories are nested more than 24 deep"), "{error}");

    let scratch = Scratch::new();
    nix::unistd::mkfifo(&scratch.root.join("data/secret/2.in"), nix::sys::stat::Mode::S_IRUSR)
        .expect("a pipe");
    scratch.refused("data/secret/2.in: is neither a file nor a directory (a device, pipe or socket)");
    let scratch = Scratch::new();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.in");
    fs::write(scratch.root.join("data/secret").join(name), "").expect("a file");
    scratch.refused("data/secret/\u{fffd}.in: the name is not UTF-8");
    let scratch = Scratch::new();
    fs::write(scratch.root.join("problem.yaml"), b"name: x\nauthor: \xff\n").expect("a file");
    scratch.refused("problem.yaml:2: is not UTF-8");
    let scratch = Scratch::new();
    fs::File::options()
        .write(true)
        .open(scratch.root.join("data/secret/1.in"))
        .and_then(|file| file.set_len(1 << 31))
        .expect("a sparse file");
    scratch.refused("data/secret/1.in: is too big: 2147483648 bytes, at most 1073741824");
    let scratch = Scratch::new().with("problem.yaml", &"#".repeat(5 << 20));
    scratch.refused("problem.yaml: is too long for a text file: 5242880 bytes, at most 4194304");
    let missing = load(Path::new("/nonexistent/hello"), Mode::Lenient).expect_err("no directory");
    assert_eq!(missing.to_string(), "cannot find /nonexistent/hello");
}

#[test]
fn what_has_a_name_that_no_format_allows_is_passed_over() {
    let scratch = Scratch::new()
        .with("data/secret/a\u{7}b.in", "")
        .with("submissions/accepted/a.py", "")
        .with("submissions/accepted/a\\b.c", "")
        .with("attachments/a\\b/c.txt", "");
    let control = "the name contains a control character or a backslash, ignored";
    let package = scratch.warns(&[
        &format!("attachments/a\\\\b: {control}"),
        &format!("data/secret/a\\u{{7}}b.in: {control}"),
        &format!("submissions/accepted/a\\\\b.c: {control}"),
    ]);
    assert_eq!((package.testcases.len(), package.jury_submissions.len()), (1, 1));
    // Nor do they travel.
    assert_eq!(package.attachments.len(), 0);
    let archive = canonical_archive(&scratch.root).expect("an archive");
    assert_eq!(file_in_archive(archive.bytes.as_slice(), "attachments/a\\b/c.txt").expect("a tar"), None);
}

#[test]
fn links_within_the_package_are_followed() {
    let package = Scratch::new()
        .with_link("data/secret/2.in", "1.in")
        .with_link("data/secret/2.ans", "1.ans")
        .with_link("data/sample", "secret")
        .warns(&[]);
    let names: Vec<&str> = package.testcases.iter().map(|testcase| testcase.name.as_str()).collect();
    assert_eq!(names, ["sample/1", "sample/2", "secret/1", "secret/2"]);
    assert_eq!(package.testcases[3].input_bytes, 2);
}

#[test]
fn output_validators_are_found_with_their_files() {
    #[track_caller]
    fn check(scratch: Scratch, expected: &[(&str, &[&str])]) {
        let Validation::Custom { validators, .. } = scratch.load().package.validation else {
            panic!("not custom")
        };
        let found: Vec<(&str, Vec<&str>)> = validators
            .iter()
            .map(|validator| {
                (validator.path.as_str(), validator.files.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let expected: Vec<(&str, Vec<&str>)> =
            expected.iter().map(|(path, files)| (*path, files.to_vec())).collect();
        assert_eq!(found, expected);
    }
    let custom = || Scratch::new().with("problem.yaml", "name: x\nvalidation: custom\n");
    check(
        custom()
            .with("output_validators/a.cpp", "")
            .with("output_validators/b/b.cc", "")
            .with("output_validators/b/deep/b.h", "")
            .with("output_validators/testlib.h", "")
            .with("output_validators/README.md", "")
            .with("output_validators/notes.txt", "")
            .with("output_validators/empty/.keep", ""),
        &[
            ("output_validators/a.cpp", &["output_validators/a.cpp", "output_validators/testlib.h"]),
            ("output_validators/b", &["output_validators/b/b.cc", "output_validators/b/deep/b.h"]),
        ],
    );
    check(
        Scratch::new()
            .with("problem.yaml", "problem_format_version: 2025-09\nname: x\n")
            .with("output_validator/v.py", "")
            .with("output_validator/lib.py", ""),
        &[("output_validator", &["output_validator/lib.py", "output_validator/v.py"])],
    );
    custom().refused("problem.yaml:2: validation is custom, but there is no program in output_validators");
}

#[test]
fn who_talks_needs_a_program() {
    let yaml = |text: &str| Scratch::new().with("problem.yaml", text);
    yaml("name: x\ntype: pass-fail interactive\n")
        .refused("problem.yaml:2: is interactive, but there is no program in output_validators");
    yaml("name: x\nvalidation: custom interactive\n").with("output_validators/v.py", "").load();
    // The type says it as well as the validation.
    let talks =
        |package: &Package| matches!(package.validation, Validation::Custom { interactive: true, .. });
    for lines in ["", "validation: default\n"] {
        let yaml = yaml(&format!("name: x\ntype: interactive\n{lines}"));
        let package = yaml.with("output_validators/v.py", "").warns(&[]);
        assert!(talks(&package) && package.hides_sample_files());
    }
    // The newest format goes by what is there, and shows samples of dialogues as they are.
    let text = format!("{NEWEST}type: interactive\nvalidation: default\nlimits: {{time_limit: 1}}\n");
    let package = newest()
        .with("problem.yaml", &text)
        .with("output_validator/v.py", "")
        .warns(&["problem.yaml:5: \"validation\" is a key of older versions of the format"]);
    assert!(talks(&package) && !package.hides_sample_files());
}

/// What every package of the newest format states.
const NEWEST: &str =
    "problem_format_version: 2025-09\nname: Hello\nuuid: 6d3a0f3e-2a7f-4c59-9a50-0c64a2f0d000\n";

/// The newest format, in its own directories.
fn newest() -> Scratch {
    let scratch = Scratch::new()
        .with("problem.yaml", &format!("{NEWEST}limits: {{time_limit: 1}}\n"))
        .with("statement/problem.en.md", "Say hello.\n");
    fs::remove_dir_all(scratch.root.join("problem_statement")).expect("a directory to remove");
    scratch
}

#[test]
fn testcases_have_settings_of_their_own() {
    let package = newest()
        .with("data/secret/test_group.yaml", "args: [g]\nfull_feedback: no\ninput_validator_args: {v: [a b, c]}\n")
        .with(
            "data/secret/1.yaml",
            "args: [one, two words, '']\noutput_validator_args: [case_sensitive]\ninput_validator_args: [x y]\n\
             full_feedback: true\nhint: think\ndescription: the first\noutput_visualizer_args: []\n",
        )
        .with("data/secret/1.files/words.txt", "")
        .with("data/secret/1.files/deep/more.txt", "")
        .with("data/secret/2.in", "")
        .with("data/secret/2.ans", "")
        .with("data/sample/1.in", "")
        .with("data/sample/1.ans", "")
        .warns(&[]);
    let [sample, first, second] = &package.testcases[..] else { panic!("{:?}", package.testcases) };
    assert_eq!(first.arguments, ["one", "two words", ""]);
    assert_eq!(first.validator_flags, ["case_sensitive"]);
    assert_eq!(first.input_validator_arguments, ValidatorArguments::All(vec!["x y".to_owned()]));
    assert_eq!((first.hint.as_deref(), first.description.as_deref()), (Some("think"), Some("the first")));
    let files: Vec<(&str, &str)> = first.files.iter().map(|file| (&*file.name, &*file.path)).collect();
    assert_eq!(
        files,
        [
            ("deep/more.txt", "data/secret/1.files/deep/more.txt"),
            ("words.txt", "data/secret/1.files/words.txt")
        ]
    );
    assert_eq!((second.arguments.as_slice(), second.files.len()), (&["g".to_owned()][..], 0));
    assert_eq!(second.input_validator_arguments.of("v"), ["a b", "c"]);
    assert_eq!(second.input_validator_arguments.of("v.py"), ["a b", "c"]);
    assert!(second.input_validator_arguments.of("w.py").is_empty());
    assert_eq!([sample, first, second].map(|testcase| testcase.full_feedback), [true, true, false]);

    // As drafts and the old format state them.
    let package = Scratch::new()
        .with("data/secret/testdata.yaml", "input_validator_flags: a b\n")
        .with("data/secret/1.args", " x  y\nz ")
        .with("data/secret/1.hint", "think\n")
        .with("data/secret/1.desc", "the first\n")
        .warns(&[]);
    assert_eq!(package.testcases[0].arguments, ["x", "y", "z"]);
    assert_eq!(package.testcases[0].input_validator_arguments.of("v"), ["a", "b"]);
    assert_eq!(package.testcases[0].hint.as_deref(), Some("think"));
    assert_eq!(package.testcases[0].description.as_deref(), Some("the first"));
}

#[test]
fn examples_have_the_settings_of_their_directories_and_their_own() {
    let scratch = Scratch::new()
        .with("problem.yaml", "name: Hello\nvalidator_flags: float_tolerance 1e-6\n")
        .with("data/testdata.yaml", "input_validator_flags: --all\n")
        .with("data/invalid_input/1.in", "")
        .with("data/invalid_input/deep/2.in", "")
        .with("data/invalid_input/deep/test_group.yaml", "input_validator_args: [--deep]\nargs: [a]\n")
        .with("data/invalid_input/deep/3.in", "")
        .with("data/invalid_input/deep/3.yaml", "input_validator_args: {v: [own]}\nargs: [b]\n")
        .with("data/invalid_input/deep/3.files/x.in", "")
        .with("data/valid_output/testdata.yaml", "output_validator_args: [case_sensitive]\n");
    let scratch = ["in", "ans", "out"]
        .into_iter()
        .fold(scratch, |scratch, end| scratch.with(&format!("data/valid_output/4.{end}"), ""));
    let package = scratch.warns(&[]);
    let [first, second, third, fourth] = &package.examples[..] else { panic!("{:#?}", package.examples) };
    let of_v = |example: &Example| example.input_validator_arguments.of("v").join(" ");
    assert_eq!([first, second, third, fourth].map(of_v), ["--all", "--deep", "own", "--all"]);
    assert_eq!([first, second, third].map(|example| example.arguments.join(" ")), ["", "a", "b"]);
    assert_eq!(third.files[0].name, "x.in");
    assert_eq!(first.validator_flags, ["float_tolerance", "1e-6"]);
    assert_eq!(fourth.validator_flags, ["float_tolerance", "1e-6", "case_sensitive"]);
    // They are no groups, and a slip in what nothing is judged by refuses nothing.
    assert_eq!(package.groups.len(), 2);
    let package = scratch
        .with("data/valid_output/4.yaml", "args: {a: b}\n")
        .warns(&["data/valid_output/4.yaml:1: args must be a single value, not a map, \
         so data/valid_output/4 is not looked at"]);
    assert_eq!(package.examples.len(), 3);
}

#[test]
fn settings_of_testcases_are_checked() {
    let yaml = |text: &str| newest().with("data/secret/1.yaml", text);
    yaml("args: {a: b}\n").refused("data/secret/1.yaml:1: args must be a single value, not a map");
    yaml("\nargs: [[a]]\n").refused("data/secret/1.yaml:2: args must be a single value, not a list");
    yaml("args: [\"a\\0\"]\n").refused("data/secret/1.yaml:1: args: an argument contains a NUL");
    yaml("full_feedback: perhaps\n")
        .refused("data/secret/1.yaml:1: full_feedback must be true or false, not \"perhaps\"");
    yaml("hint: [a]\n").refused("data/secret/1.yaml:1: hint must be a single value, not a list");
    yaml("- a\n").refused("data/secret/1.yaml:1: the file must be a map, not a list");
    yaml("output_validator_args: [exact]\n")
        .refused("data/secret/1.yaml:1: unknown validator flag \"exact\"");
    newest().with("data/secret/1.args", "a\nb\0").refused("data/secret/1.args:2: an argument contains a NUL");
    yaml("args: [a]\ncolour: red\n").with("data/secret/1.args", "b").warns(&[
        "data/secret/1.yaml:2: unknown key \"colour\", ignored",
        "data/secret/1.args: data/secret/1.yaml states `args` too, and that counts",
    ]);
    newest()
        .with("data/secret/2.yaml", "")
        .with("data/secret/2.args", "")
        .with("data/secret/2.files/x", "")
        .with("data/secret/2.hint", "")
        .warns(&[
            "data/secret/2.args: belongs to no testcase, ignored",
            "data/secret/2.files: belongs to no testcase, ignored",
            "data/secret/2.hint: belongs to no testcase, ignored",
            "data/secret/2.yaml: belongs to no testcase, ignored",
        ]);
    let long = "x".repeat(250);
    let scratch =
        newest().with(&format!("data/secret/{long}.in"), "").with(&format!("data/secret/{long}.ans"), "");
    let error = load(&scratch.root, Mode::Lenient).expect_err("too long a name").to_string();
    assert!(
        error.starts_with("data/secret/xxx") && error.contains("is not a valid testcase name"),
        "{error}"
    );
}

#[test]
fn other_files_are_shown_and_downloaded_in_the_place_of_real_ones() {
    #[track_caller]
    fn check(extensions: &[&str], expected: [&str; 4], warnings: &[&str]) {
        let mut scratch = newest();
        for extension in extensions {
            scratch = scratch.with(&format!("data/secret/1.{extension}"), "");
        }
        let warnings: Vec<String> =
            warnings.iter().map(|warning| format!("data/secret/1.{warning}")).collect();
        let package = scratch.warns(&warnings.iter().map(String::as_str).collect::<Vec<_>>());
        let case = &package.testcases[0];
        let paths = [
            &case.shown_input_path,
            &case.shown_answer_path,
            &case.download_input_path,
            &case.download_answer_path,
        ];
        assert_eq!(paths.map(|path| path.strip_prefix("data/secret/1.").expect("a path")), expected);
    }
    check(&[], ["in", "ans", "in", "ans"], &[]);
    check(&["out"], ["in", "out", "in", "out"], &[]);
    check(&["in.statement", "in.download"], ["in.statement", "ans", "in.download", "ans"], &[]);
    check(&["ans.statement", "ans.download"], ["in", "ans.statement", "in", "ans.download"], &[]);
    check(
        &["out", "ans.statement"],
        ["in", "ans.statement", "in", "out"],
        &["ans.statement: stands beside an .out; this one is shown"],
    );
    for (alone, other) in [("in.statement", "in.download"), ("ans.download", "ans.statement")] {
        let scratch = newest().with(&format!("data/secret/1.{alone}"), "");
        assert_eq!(scratch.load().warnings, []);
        let error = load(&scratch.root, Mode::Strict).expect_err("one of two");
        let expected = format!("data/secret/1.{alone}: there is no .{other} to go with it");
        assert_eq!(error.to_string(), expected);
    }
    check(
        &["interaction", "out"],
        ["in", "out", "in", "out"],
        &["out: stands beside an .interaction, which is shown instead"],
    );
    check(&["png"], ["in", "ans", "in", "ans"], &[]);
    check(
        &["png", "svg"],
        ["in", "ans", "in", "ans"],
        &["svg: is a second picture of the testcase, beside the .png"],
    );
}

#[test]
fn samples_may_stand_in_the_statement_alone() {
    let package = Scratch::new()
        .with("data/sample/1.interaction", ">1\n<2\n")
        .with("data/sample/1.png", "")
        .with("data/sample/2.in.statement", "")
        .with("data/sample/2.ans.statement", "")
        .warns(&[]);
    assert_eq!(package.testcases.len(), 1);
    Scratch::new().with("data/sample/1.out", "").with("data/secret/2.interaction", "").warns(&[
        "data/sample/1.out: belongs to no testcase, ignored",
        "data/secret/2.interaction: belongs to no testcase, ignored",
    ]);
}

#[test]
fn constants_are_read_and_put_in_place() {
    let yaml = |constants: &str| {
        let text = format!("{NEWEST}limits: {{time_limit: 1}}\nconstants:\n{constants}");
        newest().with("problem.yaml", &text)
    };
    let package = yaml("  n: 1_000\n  eps: 1e-6\n  big: {value: 1000000, tex: '10^6'}\n  text: a b\n")
        .with("data/secret/test_group.yaml", "output_validator_args: [float_tolerance, '{{eps}}']\n")
        .warns(&[]);
    assert_eq!(package.testcases[0].validator_flags, ["float_tolerance", "1e-6"]);
    let all =
        ["n", "eps", "big", "big.value", "big.tex", "text", "tex"].map(|name| package.constants.get(name));
    assert_eq!(
        all,
        [Some("1_000"), Some("1e-6"), Some("1000000"), Some("1000000"), Some("10^6"), Some("a b"), None]
    );
    yaml("  1n: 1\n").refused("problem.yaml:6: \"1n\" is not a name for a constant ([a-zA-Z_][a-zA-Z0-9_]*)");
    yaml("  a.b: 1\n")
        .refused("problem.yaml:6: \"a.b\" is not a name for a constant ([a-zA-Z_][a-zA-Z0-9_]*)");
    yaml("  n: {tex: x}\n").refused("problem.yaml:6: constants.n has no `value`");
    yaml("  n: [1]\n").refused("problem.yaml:6: constants.n must be a single value, not a list");
    yaml("  - n\n").refused("problem.yaml:6: constants must be a map, not a list");
    yaml("  n: 1\n")
        .with("data/secret/test_group.yaml", "\noutput_validator_args: ['{{m}}']\n")
        .refused("data/secret/test_group.yaml:2: unknown validator flag \"{{m}}\"");
    yaml("  n: 1\n")
        .with("data/secret/test_group.yaml", "args: ['{{n}}', '{{m}}']\n")
        .with("statement/problem.en.md", "{{n}}\n{{nextsample}} {{m}}\n{{remainingsamples}}\n")
        .with("statement/problem.sv.tex", "\\constant{n}\n$\\constant{ m }$ {{n}}\n")
        .warns(&[
            "statement/problem.en.md:2: there is no constant \"m\"",
            "statement/problem.sv.tex:2: there is no constant \"m\"",
            "problem.yaml:2: there is a statement but no name in language \"sv\"",
            "data/secret/test_group.yaml:1: there is no constant \"m\"",
        ]);
}

/// What is said of a problem.yaml, for each version and each key: nothing, warnings, or an error. The last line stands
/// for the rest of the file.
#[test]
fn every_key_of_problem_yaml_is_typed() {
    const OLD: &str = "name: Hello\n";
    #[track_caller]
    fn check(head: &str, lines: &str, expected: &[&str]) {
        let is_old = head == OLD;
        let scratch = if is_old { Scratch::new() } else { newest() };
        // Legacy packages state it elsewhere.
        let limits = if is_old || lines.starts_with("limits") { "" } else { "limits: {time_limit: 1}\n" };
        let scratch = scratch.with("problem.yaml", &format!("{head}{lines}\n{limits}"));
        let scratch = if lines.starts_with("limits") { scratch.with(".timelimit", "1") } else { scratch };
        match load(&scratch.root, Mode::Lenient) {
            Ok(loaded) => {
                let warnings: Vec<String> = loaded.warnings.iter().map(Warning::to_string).collect();
                assert_eq!(warnings, expected, "{lines}");
                assert_eq!(load(&scratch.root, Mode::Strict).is_ok(), expected.is_empty(), "{lines}");
            }
            Err(error) => assert_eq!(expected, [error.to_string()], "{lines}"),
        }
    }
    let newer = |key: &str| format!("problem.yaml:2: {key:?} is a key of newer versions of the format");
    let older = |key: &str| format!("problem.yaml:4: {key:?} is a key of older versions of the format");
    for line in [
        "author: A and B, C",
        "source: S\nsource_url: https://s.example",
        "source_url: https://s.example\nsource: S",
        "license: cc by-sa",
        "license: CC BY-SA",
        "rights_owner: author",
        "keywords: a b",
        "keywords: [a, b c]",
        "uuid: A",
        "version: 1.2",
        "languages: all",
        "languages: cpp java",
        "languages: [cpp, java]",
        "grading: {objective: min, show_test_data_groups: true}",
        "libraries: boost",
        "limits: {time_multiplier: 2, time_safety_margin: 1.5, memory: 64, validation_passes: 3}",
        "validator_flags: ''",
        "type: pass-fail",
        "author:",
    ] {
        check(OLD, line, &[]);
    }
    check(OLD, "credits: A", &[&newer("credits")]);
    check(OLD, "constants: {a: 1}", &[&newer("constants")]);
    check(OLD, "embargo_until: 2026-01-31", &[&newer("embargo_until")]);
    check(OLD, "allow_file_writing: false", &[&newer("allow_file_writing")]);
    check(
        OLD,
        "license: gpl",
        &["problem.yaml:2: unknown license \"gpl\"; known are unknown, public domain, \
        cc0, cc by, cc by-sa, educational, permission"],
    );
    check(OLD, "author: [A]", &[]);
    check(OLD, "author: [[A]]", &["problem.yaml:2: author must be a single value, not a list, ignored"]);
    check(OLD, "keywords: {a: b}", &["problem.yaml:2: keywords must be a single value, not a map, ignored"]);
    check(OLD, "languages: []", &["problem.yaml:2: languages must name at least one, or \"all\""]);
    check(OLD, "languages: {cpp: 17}", &["problem.yaml:2: languages must be a single value, not a map"]);
    check(OLD, "colour: red", &["problem.yaml:2: unknown key \"colour\", ignored"]);
    for line in [
        "credits: A <a@b.example>",
        "credits:\n  authors: A\n  contributors: [B, {name: C, email: c@d.example, orcid: 1, kattis: c}]\n  \
         testers: []\n  translators: {sv: D, da: [E, F]}\n  packagers: G\n  acknowledgements: H",
        "source: S",
        "source: {name: S, url: https://s.example}",
        "source: [S, {name: T}]",
        "license: unknown",
        "license: cc0\nrights_owner: A",
        "license: public domain",
        "embargo_until: 2026-01-31",
        "embargo_until: 2026-01-31T12:00:00Z",
        "keywords: [a, b c]",
        "languages: [cpp]",
        "allow_file_writing: false",
        "constants: {}",
        "version: v1",
        "type: [pass-fail]",
        "limits: {time_limit: 1, time_multipliers: {ac_to_time_limit: 2, time_limit_to_tle: 1.5}, output: 1, \
         time_resolution: 0.1, compilation_time: 1, compilation_memory: 1, validation_time: 1, \
         validation_memory: 1, validation_output: 1, code: 1}",
    ] {
        check(NEWEST, line, &[]);
    }
    for key in ["author", "source_url", "libraries"] {
        check(NEWEST, &format!("{key}: x"), &[&older(key)]);
    }
    check(NEWEST, "validation: default", &[&older("validation")]);
    check(NEWEST, "validator_flags: case_sensitive", &[&older("validator_flags")]);
    check(NEWEST, "type: [pass-fail, pass-fail]", &["problem.yaml:4: type \"pass-fail\" stands twice"]);
    check(NEWEST, "keywords: a b", &["problem.yaml:4: keywords must be a list, taken for words"]);
    check(NEWEST, "credits: {author: A}", &["problem.yaml:4: unknown key \"credits.author\", ignored"]);
    check(
        NEWEST,
        "credits: {authors: [[A]]}",
        &["problem.yaml:4: credits.authors must be a single value, not a list, ignored"],
    );
    // Forms that were not filled in.
    let nameless = "a person has no name, ignored";
    check(
        NEWEST,
        "credits: {authors: {email: a}}",
        &[&format!("problem.yaml:4: credits.authors: {nameless}")],
    );
    check(NEWEST, "credits: {authors: , testers: [{name: A, email: }]}", &[]);
    check(NEWEST, "source: {url: x}", &["problem.yaml:4: source has no name, ignored"]);
    check(NEWEST, "source: {name: , url: }", &["problem.yaml:4: source has no name, ignored"]);
    check(NEWEST, "source: [{name: A, url: }, B]", &[]);
    check(
        NEWEST,
        "license: cc by",
        &["problem.yaml:1: the license needs a rights_owner, authors or a source"],
    );
    check(
        NEWEST,
        "license: public domain\nrights_owner: A",
        &["problem.yaml:1: what is in the public domain has no rights_owner"],
    );
    for date in ["soon", "2026-02-30", "2026-01-31T12:00:00", "2026-01-31Z"] {
        let what = format!(
            "problem.yaml:4: embargo_until: {date:?} is no date (2026-01-31 or 2026-01-31T12:00:00Z), ignored"
        );
        check(NEWEST, &format!("embargo_until: {date}"), &[&what]);
    }
    check(NEWEST, "allow_file_writing: true", &[]);
    check(NEWEST, "type: []", &["problem.yaml:4: type names none, taken for pass-fail"]);
    check(
        NEWEST,
        "allow_file_writing: maybe",
        &["problem.yaml:4: allow_file_writing must be true or false, not \"maybe\""],
    );
    check(
        NEWEST,
        "limits: {time_limit: 1, validation_passes: 1}",
        &["problem.yaml:4: limits.validation_passes should be at least 2"],
    );
    for (version, warnings) in
        [("legacy", 2), ("legacy-icpc", 2), ("2023-07-draft", 0), ("draft", 0), ("2023-07", 0)]
    {
        let text = format!(
            "problem_format_version: {version}\nname: A\ncredits: A\nconstants: {{a: 1}}\n\
            validator_flags: case_sensitive\nlimits: {{time_limit: 1}}\n"
        );
        let scratch = newest().with("problem.yaml", &text);
        let loaded = scratch.load();
        let odd = loaded.warnings.iter().filter(|warning| warning.what.contains("newer versions"));
        assert_eq!(odd.count(), warnings, "{version}: {:?}", loaded.warnings);
    }
}

#[test]
fn what_is_said_about_a_problem_is_kept() {
    let about = newest()
        .with(
            "problem.yaml",
            &format!(
                "{NEWEST}credits: {{authors: [A B <a@b.example>, {{name: C}}], translators: {{sv: D}}}}\n\
                 source: [{{name: S, url: U}}, T]\nlicense: cc by-sa\nkeywords: [a b, c]\nversion: 1.10\n\
                 embargo_until: 2026-01-31\nlimits: {{time_limit: 1}}\n"
            ),
        )
        .warns(&[])
        .about;
    let person =
        |name: &str, email: Option<&str>| Person { name: name.to_owned(), email: email.map(str::to_owned) };
    assert_eq!(about.credits["authors"], [person("A B", Some("a@b.example")), person("C", None)]);
    assert_eq!(about.credits["translators/sv"], [person("D", None)]);
    let source =
        |name: &str, url: Option<&str>| Source { name: name.to_owned(), url: url.map(str::to_owned) };
    assert_eq!(about.sources, [source("S", Some("U")), source("T", None)]);
    assert_eq!((about.license, about.version.as_deref()), (License::CcBySa, Some("1.10")));
    assert_eq!(
        (about.keywords, about.embargo_until.as_deref()),
        (vec!["a b".to_owned(), "c".to_owned()], Some("2026-01-31"))
    );
    let old =
        |lines: &str| Scratch::new().with("problem.yaml", &format!("name: A\n{lines}")).warns(&[]).about;
    for lines in ["source: S\nsource_url: U\n", "source_url: U\nsource: S\n"] {
        assert_eq!(old(lines).sources, [source("S", Some("U"))]);
    }
    assert_eq!(old("source_url: U\n").sources, []);
    let authors = old("author: A and B, C\n").credits;
    assert_eq!(authors["authors"], [person("A", None), person("B", None), person("C", None)]);
}

#[test]
fn the_newest_format_passes_over_names_that_it_does_not_allow() {
    let package = newest()
        .with("data/secret/a b.in", "")
        .with("data/secret/2+2.in", "")
        .with("data/secret/2+2.ans", "")
        .with("attachments/x y/z.txt", "")
        .warns(&[
            "attachments/x y: the name has characters other than letters, digits, `_`, `.` and `-`, ignored",
            "data/secret/2+2.ans: the name has characters other than letters, digits, `_`, `.` and `-`, ignored",
            "data/secret/2+2.in: the name has characters other than letters, digits, `_`, `.` and `-`, ignored",
            "data/secret/a b.in: the name has characters other than letters, digits, `_`, `.` and `-`, ignored",
        ]);
    assert_eq!((package.testcases.len(), package.attachments.len()), (1, 0));
    newest()
        .with("data/secret/group/test_group.yaml", "")
        .with("data/secret/group/1.in", "")
        .with("data/secret/group/1.ans", "")
        .with("statement/problem.english.md", "")
        .with("output_validators/v.py", "")
        .warns(&[
            "statement/problem.english.md: \"english\" is not the code of a language",
            "problem.yaml:2: there is a statement but no name in language \"english\"",
            "output_validators: output validators belong into output_validator/ in this version of the format",
            "data/secret: holds testcases beside groups, which this version of the format does not allow",
        ]);
}

#[test]
fn included_files_are_listed_by_language() {
    let package = Scratch::new()
        .with("include/cpp/main.cpp", "")
        .with("include/cpp/lib/a.h", "")
        .with("include/default/data.txt", "")
        .with("include/README", "")
        .with("include/java/.keep", "")
        .warns(&["include/README: lies in no directory of a language, ignored", "include/java: is empty"]);
    let included: Vec<(&str, usize)> =
        package.included.iter().map(|(code, files)| (code.as_str(), files.len())).collect();
    assert_eq!(included, [("cpp", 2), ("default", 1)]);
}

#[test]
fn the_canonical_archive_depends_on_content_alone() {
    let scratch = Scratch::new()
        .with(".git/config", "")
        .with("data/secret/.DS_Store", "")
        .with("x/__pycache__/y.pyc", "");
    let archive = canonical_archive(&scratch.root).expect("an archive");
    // Written down once: if this changes, every published digest changes its meaning.
    assert_eq!(archive.digest, "e589addfec7992b9f248271bc30afa6571ec42316a6e6d00d2c9beb74f9f04c6");
    let plain = Scratch::new();
    assert_eq!(canonical_archive(&plain.root).expect("an archive"), archive);
    // Other times, other permissions of the group, a link instead of a copy: the same package.
    let linked = Scratch::new().without("data/secret/1.ans").with_link("data/secret/1.ans", "1.in");
    let file = fs::File::options().write(true).open(linked.root.join("data/secret/1.in")).expect("a file");
    file.set_modified(std::time::UNIX_EPOCH).expect("a time");
    file.set_permissions(fs::Permissions::from_mode(0o600)).expect("permissions");
    assert_eq!(canonical_archive(&linked.root).expect("an archive"), archive);
    file.set_permissions(fs::Permissions::from_mode(0o700)).expect("permissions");
    assert_ne!(canonical_archive(&linked.root).expect("an archive").digest, archive.digest);
    let renamed = Scratch::new().with("data/secret/2.in", "").with("data/secret/2.ans", "");
    assert_ne!(canonical_archive(&renamed.root).expect("an archive").digest, archive.digest);
}

#[test]
fn an_archive_unpacks_to_the_same_package() {
    let long = format!("attachments/{}/{}", "d".repeat(120), "f".repeat(120));
    let scratch = Scratch::new().with(&long, "long").with("output_validators/build", "#!/bin/sh\n");
    let script = scratch.root.join("output_validators/build");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("permissions");
    let archive = canonical_archive(&scratch.root).expect("an archive");
    let target = scratch.directory.path().join("unpacked");
    assert_eq!(unpack(archive.bytes.as_slice(), &target).expect("an unpacked package"), archive.digest);
    assert_eq!(canonical_archive(&target).expect("an archive"), archive);
    let loaded = load_as(&target, "hello", Mode::Lenient).expect("a package");
    assert_eq!(loaded, scratch.load());
    let error = unpack(archive.bytes.as_slice(), &target).expect_err("a directory that is not empty");
    assert_eq!(error.to_string(), format!("cannot unpack into {}", target.display()));
    let cut = &archive.bytes[..archive.bytes.len() / 2];
    let error = unpack(cut, &scratch.directory.path().join("cut")).expect_err("half an archive");
    assert!(matches!(error, PackageError::Invalid { .. }), "{error:?}");
}

#[test]
fn hostile_archives_stay_inside() {
    #[track_caller]
    fn check(entries: &[(&str, tar::EntryType)], expected: &str) {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind) in entries {
            let mut header = tar::Header::new_gnu();
            // Not through `set_path`, which refuses what an attacker would write.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(0);
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_link_name("/etc").expect("a link name");
            }
            header.set_cksum();
            builder.append(&header, std::io::empty()).expect("an entry");
        }
        let bytes = builder.into_inner().expect("an archive");
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let target = scratch.path().join("target");
        let error = unpack(bytes.as_slice(), &target).expect_err("a hostile archive");
        assert_eq!(error.to_string(), expected);
        let outside = fs::read_dir(scratch.path()).expect("a listing").count();
        assert_eq!(outside, 1, "something was written beside the target");
    }
    let file = tar::EntryType::Regular;
    check(&[("../x", file)], "../x: the path leads out of the package");
    check(&[("a/../../x", file)], "a/../../x: the path leads out of the package");
    check(&[("/etc/x", file)], "/etc/x: the path leads out of the package");
    check(&[("a\\x", file)], "a\\\\x: the name contains a control character or a backslash");
    check(&[("a", file), ("a", file)], "a: the archive holds this file twice");
    check(&[("a", file), ("./a", file)], "a: the archive holds this file twice");
    check(&[("a", file), ("a/b", file)], "a/b: the archive holds a file where this path needs a directory");
    check(&[("a/b", file), ("a", file)], "a: the archive holds a directory and a file of this name");
    for (kind, name) in [
        (tar::EntryType::Symlink, "Symlink"),
        (tar::EntryType::Link, "Link"),
        (tar::EntryType::Fifo, "Fifo"),
        (tar::EntryType::Char, "Char"),
        (tar::EntryType::Block, "Block"),
    ] {
        check(&[("a", kind)], &format!("a: the archive holds something that is not a plain file: {name}"));
    }
    let deep = "d/".repeat(30) + "x";
    check(&[(&deep, file)], &format!("{deep}: directories are nested too deep"));
}

/// The shared data live beside the project and not in it: a clone without them says so instead of passing silently.
fn shared_problems() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/problems");
    let path = std::env::var_os("ASSIZE_SHARED_PROBLEMS").map_or_else(beside, PathBuf::from);
    path.is_dir().then_some(path)
}

#[test]
fn real_packages_load() {
    let Some(shared) = shared_problems() else {
        loudly("SKIPPED: no shared problems (set ASSIZE_SHARED_PROBLEMS): real packages were NOT loaded");
        return;
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(&shared).expect("the packages' directory") {
        let path = entry.expect("an entry").path();
        if path.join("problem.yaml").is_file() {
            let Loaded { package, warnings } = load(&path, Mode::Lenient).expect("a real package");
            let testcases = package.testcases.len();
            let limit_ms = package.limits.time_limit_ms;
            found.push(format!("{}: {testcases} testcases, {limit_ms} ms", package.short_name));
            for warning in &warnings {
                found.push(format!("{}: {warning}", package.short_name));
            }
            let archive = canonical_archive(&path).expect("an archive");
            let scratch = tempfile::tempdir().expect("a scratch directory");
            assert_eq!(unpack(archive.bytes.as_slice(), scratch.path()).expect("a package"), archive.digest);
            let again =
                load_as(scratch.path(), &package.short_name, Mode::Lenient).expect("the same package");
            assert_eq!(again, Loaded { package, warnings });
        }
    }
    found.sort();
    assert_eq!(
        found,
        [
            "blueberrywaffle: 63 testcases, 1000 ms",
            "drivinglanes: 36 testcases, 2000 ms",
            "hello: 1 testcases, 2000 ms",
            "icouldhavewon: 18 testcases, 1000 ms",
            "oddecho: 18 testcases, 2000 ms",
            "profitabletrip: 21 testcases, 8000 ms",
            "qaly: 11 testcases, 1000 ms",
            "smallschedule: 52 testcases, 1000 ms",
            "sunandmoon: 41 testcases, 1000 ms",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_problem_yaml_is_an_answer_and_never_a_panic(text in "[a-z:\\-\\[\\]{}&*!#|>'\" \n\t0-9.]{0,60}") {
        let scratch = Scratch::new().with("problem.yaml", &text);
        let _ = load(&scratch.root, Mode::Lenient);
    }

    #[test]
    fn any_values_of_known_keys_are_an_answer_and_never_a_panic(
        entries in proptest::collection::vec(
            (
                prop_oneof![
                    Just("name"), Just("type"), Just("limits"), Just("validation"), Just("validator_flags"),
                    Just("problem_format_version"), Just("languages"), Just("limits.memory"),
                ],
                "(|~|[0-9]{1,25}|-?[0-9]e[0-9]{1,3}|[a-z ]{0,12}|\\[[a-z, ]{0,8}\\]|\\{(memory|time_limit|time_multipliers): [0-9.e]{1,8}\\})",
            ),
            0..5,
        ),
    ) {
        let text: String = entries.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        let scratch = Scratch::new().with("problem.yaml", &text);
        let _ = load(&scratch.root, Mode::Lenient);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_damage_to_a_package_is_an_answer_and_never_a_way_out(
        package in 0..4_usize,
        damage in proptest::collection::vec(damage(), 1..6),
    ) {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        fs::write(scratch.path().join("outside"), "untouched").expect("a file");
        let root = scratch.path().join("package");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let from = ["problems/guess", "problems/horizon", "tests/packages/words", "tests/packages/constants"];
        let archive = canonical_archive(&repository.join(from[package])).expect("a package of ours");
        unpack(archive.bytes.as_slice(), &root).expect("a package of ours");
        for damage in &damage {
            damage.apply(&root);
        }
        match (load(&root, Mode::Lenient), load(&root, Mode::Strict)) {
            (Ok(lenient), strict) => {
                prop_assert_eq!(strict.is_ok(), lenient.warnings.is_empty());
                let inside = root.canonicalize().expect("the package");
                for testcase in &lenient.package.testcases {
                    for path in [&testcase.input_path, &testcase.answer_path] {
                        let path = root.join(path).canonicalize().expect("a file that was listed");
                        prop_assert!(path.starts_with(&inside), "{}", path.display());
                    }
                }
                let again = canonical_archive(&root).expect("what loads can be archived");
                let unpacked = scratch.path().join("again");
                prop_assert_eq!(unpack(again.bytes.as_slice(), &unpacked).expect("our archive"), again.digest);
            }
            (Err(lenient), strict) => {
                prop_assert!(matches!(lenient, PackageError::Invalid { .. } | PackageError::Broken { .. }), "{:?}", lenient);
                prop_assert!(strict.is_err());
            }
        }
        prop_assert_eq!(fs::read(scratch.path().join("outside")).expect("a file"), b"untouched");
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_damage_to_a_zip_is_an_answer_and_never_a_way_out(damage in proptest::collection::vec((0..6000_usize, any::<u8>()), 1..8)) {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (path, content) in [("p/problem.yaml", "name: P\n"), ("p/data/secret/1.in", "1\n"), ("p/data/secret/1.ans", "1\n")] {
            writer.start_file(path, zip::write::SimpleFileOptions::default()).expect("an entry");
            writer.write_all(content.as_bytes()).expect("content");
        }
        writer.add_symlink("p/l", "data", zip::write::SimpleFileOptions::default()).expect("a link");
        let mut bytes = writer.finish().expect("an archive").into_inner();
        for (offset, byte) in damage {
            let length = bytes.len();
            bytes[offset % length] = byte;
        }
        if let Ok(opened) = open_zip(&bytes, Some("p")) {
            let root = opened.root().to_owned();
            let _ = opened.load(Mode::Lenient);
            drop(opened);
            prop_assert!(!root.exists());
        }
    }

    #[test]
    fn any_damage_to_an_archive_is_an_answer_and_never_a_panic(damage in proptest::collection::vec((0..6000_usize, any::<u8>()), 1..8)) {
        let scratch = Scratch::new();
        let mut archive = canonical_archive(&scratch.root).expect("an archive");
        for (offset, byte) in damage {
            let length = archive.bytes.len();
            archive.bytes[offset % length] = byte;
        }
        let target = scratch.directory.path().join("target");
        let _ = unpack(archive.bytes.as_slice(), &target);
        prop_assert_eq!(fs::read_dir(scratch.directory.path()).expect("a listing").count(), 2);
    }
}

/// Something done to one file of a package, chosen by a number among those that are there.
#[derive(Debug, Clone)]
enum Damage {
    Remove(usize),
    Cut(usize, usize),
    Overwrite(usize, usize, Vec<u8>),
    Link(usize, &'static str),
    Directory(usize),
    Rename(usize, String),
    Add(usize, String, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
    let target = prop_oneof![
        Just("../../outside"),
        Just("/etc/passwd"),
        Just(".."),
        Just("."),
        Just("problem.yaml"),
        Just("nowhere"),
        Just("../data"),
    ];
    prop_oneof![
        any::<usize>().prop_map(Damage::Remove),
        any::<(usize, usize)>().prop_map(|(file, length)| Damage::Cut(file, length)),
        (any::<usize>(), any::<usize>(), bytes())
            .prop_map(|(file, at, bytes)| Damage::Overwrite(file, at, bytes)),
        (any::<usize>(), target).prop_map(|(file, target)| Damage::Link(file, target)),
        any::<usize>().prop_map(Damage::Directory),
        (any::<usize>(), "[ -~]{1,12}").prop_map(|(file, name)| Damage::Rename(file, name)),
        (any::<usize>(), "[a-z0-9._-]{1,8}\\.(in|ans|yaml|args|files|py|md|tex)", bytes())
            .prop_map(|(file, name, bytes)| Damage::Add(file, name, bytes)),
    ]
}

impl Damage {
    /// Nothing happens where it cannot be done.
    fn apply(&self, root: &Path) {
        let mut files = Vec::new();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory { directories.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        if files.is_empty() {
            return;
        }
        files.sort();
        let pick = |index: &usize| files[index % files.len()].clone();
        let beside = |index: &usize, name: &str| pick(index).with_file_name(name.replace('/', "_"));
        let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
        let _ = match self {
            Damage::Remove(file) => fs::remove_file(pick(file)),
            Damage::Cut(file, length) if is_file(&pick(file)) => {
                let bytes = fs::read(pick(file)).unwrap_or_default();
                fs::write(pick(file), &bytes[..length % (bytes.len() + 1)])
            }
            Damage::Overwrite(file, at, with) if is_file(&pick(file)) => {
                let mut bytes = fs::read(pick(file)).unwrap_or_default();
                let at = at % (bytes.len() + 1);
                bytes.splice(at..(at + with.len()).min(bytes.len()), with.iter().copied());
                fs::write(pick(file), bytes)
            }
            Damage::Link(file, target) => {
                fs::remove_file(pick(file)).and_then(|()| symlink(target, pick(file)))
            }
            Damage::Directory(file) => fs::remove_file(pick(file)).and_then(|()| fs::create_dir(pick(file))),
            Damage::Rename(file, name) if !matches!(name.as_str(), "." | "..") => {
                fs::rename(pick(file), beside(file, name))
            }
            Damage::Add(file, name, bytes) if !beside(file, name).exists() => {
                fs::write(beside(file, name), bytes)
            }
            _ => Ok(()),
        };
    }
}

/// The sample packages of this repository keep every rule of the format.
#[test]
fn the_sample_packages_load_strictly() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("problems");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the packages' directory") {
        let path = entry.expect("an entry").path();
        let package = load(&path, Mode::Strict).expect("a package without deviations").package;
        for verdict in ["accepted", "wrong_answer", "time_limit_exceeded", "run_time_error"] {
            let of_verdict = package.jury_submissions.iter().filter(|s| s.expectation.directory() == verdict);
            let extensions: Vec<&str> = of_verdict.filter_map(|s| s.path.rsplit('.').next()).collect();
            assert!(
                extensions.contains(&"cpp") && extensions.contains(&"py"),
                "{}: {verdict}",
                path.display()
            );
        }
        found.push((package.short_name, package.testcases.len(), package.validator_flags.join(" ")));
    }
    found.sort();
    let found: Vec<(&str, usize, &str)> =
        found.iter().map(|(name, count, flags)| (&**name, *count, &**flags)).collect();
    assert_eq!(
        found,
        [
            ("a", 14, ""),
            ("additions", 8, ""),
            ("brackets", 123, ""),
            ("climb", 18, ""),
            ("guess", 11, "guesses 30"),
            ("horizon", 12, "float_tolerance 1e-6"),
            ("postcard", 16, ""),
            ("revisit", 11, ""),
            ("split", 14, "largest 1000000000")
        ]
    );
}

/// Past the capture of the test harness, which keeps `eprintln!` of passing tests to itself.
fn loudly(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
