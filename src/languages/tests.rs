//! The languages of this build, tried out on this host, and files that are refused with their exact words.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

fn embedded() -> Languages {
    Languages::embedded().expect("the languages of this build")
}

#[test]
fn languages_answer_to_ids_aliases_and_extensions() {
    let languages = embedded();
    let ids: Vec<&str> = languages.iter().map(|language| language.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "ada",
            "bash",
            "c",
            "cobol",
            "cpp11",
            "cpp14",
            "cpp17",
            "cpp20",
            "cpp23",
            "csharp",
            "d",
            "erlang",
            "fortran",
            "go",
            "haskell",
            "java",
            "javascript",
            "kotlin",
            "lisp",
            "lua",
            "ocaml",
            "output",
            "pascal",
            "perl",
            "php",
            "prolog",
            "pypy3",
            "python3",
            "ruby",
            "rust",
            "scala",
            "scheme",
            "typescript",
        ]
    );
    for (name, id) in [
        ("cpp17", "cpp17"),
        ("C++17", "cpp17"),
        ("cpp", "cpp20"),
        ("C++23", "cpp23"),
        ("gnu++14", "cpp14"),
        ("C++0x", "cpp11"),
        ("Python3", "python3"),
        ("py", "python3"),
    ] {
        assert_eq!(languages.get(name).map(|language| language.id.as_str()), Some(id), "{name}");
    }
    assert_eq!(languages.get("algol"), None);
    // The codes of the ICPC's package format and of Kattis.
    for code in [
        "ada",
        "bash",
        "c",
        "cobol",
        "cpp",
        "csharp",
        "d",
        "erlang",
        "fortran",
        "go",
        "haskell",
        "java",
        "javascript",
        "kotlin",
        "lisp",
        "lua",
        "ocaml",
        "pascal",
        "perl",
        "php",
        "prolog",
        "python3",
        "ruby",
        "rust",
        "scala",
        "typescript",
    ] {
        assert!(languages.get(code).is_some(), "{code}");
    }
    let here = languages.clone().preferring(|language| language.id != "pypy3");
    assert_eq!(here.of_file("x.py").map(|language| language.id.as_str()), Some("python3"));
    assert_eq!(
        here.of_file("x.rb").map(|language| language.id.as_str()),
        Some("ruby"),
        "nothing else has it"
    );
    for (path, id) in [
        ("a.cpp", Some("cpp20")),
        ("submissions/accepted/x.y.cc", Some("cpp20")),
        ("x.C", Some("cpp20")),
        ("x.c", Some("c")),
        ("x.py", Some("pypy3")),
        ("x.kt", Some("kotlin")),
        ("Main.java", Some("java")),
        (".py", None),
        ("a.cpp/README", None),
        ("py", None),
        ("x.h", None),
    ] {
        assert_eq!(languages.of_file(path).map(|language| language.id.as_str()), id, "{path}");
    }
}

#[test]
fn packages_name_languages_by_their_codes() {
    let languages = embedded();
    let allowed = |id: &str, codes: &[&str]| {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        languages.get(id).expect("a language").is_allowed(Some(&codes))
    };
    assert!(allowed("cpp17", &["java", "cpp"]) && allowed("cpp17", &["CPP"]) && allowed("cpp17", &["c++17"]));
    assert!(allowed("c", &["c"]) && allowed("python3", &["python3"]) && allowed("python3", &["python"]));
    assert!(!allowed("c", &["cpp"]) && !allowed("cpp17", &["c"]) && !allowed("python3", &["python2"]));
    assert!(allowed("output", &["output"]) && !allowed("output", &["cpp"]) && !allowed("cpp17", &[]));
    assert!(languages.get("c").expect("C").is_allowed(None));
    assert!(!languages.get("output").expect("outputs").is_allowed(None));
}

#[test]
fn commands_are_filled_in() {
    let languages = embedded();
    let cpp = languages.get("cpp17").expect("C++");
    let argv = cpp.compile_argv(&["a.cpp", "b.cpp"], "a").expect("a compiler");
    assert_eq!(argv[argv.len() - 4..], ["-o", "main", "a.cpp", "b.cpp"]);
    assert_eq!(cpp.run_argv(&["a.cpp"], 1 << 28), ["./main"]);
    let python = languages.get("python3").expect("Python");
    assert_eq!(python.run_argv(&["main.py"], 1)[1..], ["-s", "-B", "main.py"]);
    assert_eq!(python.run_argv(&["solve.py", "main.py"], 1).last().map(String::as_str), Some("solve.py"));
    let mut java = python.clone();
    let packaged = |sources: &[&str]| python.run_argv(sources, 1).contains(&"-c".to_owned());
    assert!(
        packaged(&["__main__.py", "__init__.py", "a.py"]) && packaged(&["v/__main__.py", "v/__init__.py"])
    );
    assert!(!packaged(&["__main__.py", "a.py"]) && !packaged(&["a.py", "__init__.py"]));
    assert!(!packaged(&["__main__.py", "lib/__init__.py"]));
    java.run.argv = vec!["/usr/bin/java".to_owned(), "-Xmx{memory_mib}m".to_owned(), "{x y}".to_owned()];
    java.check().expect("a language");
    assert_eq!(java.run_argv(&["Main.java"], 256 << 20), ["/usr/bin/java", "-Xmx256m", "{x y}"]);
}

#[test]
fn versions_are_the_first_line() {
    let mut version = Version { argv: vec!["/bin/x".to_owned()], stream: VersionStream::Stdout };
    assert_eq!(version.read(b"\n  g++ 12\x1b.2  \nmore", b"err"), Some("g++ 12.2".to_owned()));
    assert_eq!(version.read(b" \n", b"err"), None);
    version.stream = VersionStream::Stderr;
    assert_eq!(version.read(b"out", b"\xff\n"), Some("\u{fffd}".to_owned()));
    assert_eq!(version.read(b"", "é".repeat(300).as_bytes()).map(|text| text.len()), Some(200));
}

/// Runs a command of a language unconfined: what is tested here is the file, not the sandbox.
#[expect(clippy::disallowed_methods, reason = "a test of the commands themselves")]
fn run(
    argv: &[String],
    env: &BTreeMap<String, String>,
    directory: &Path,
    input: &str,
) -> std::process::Output {
    fs::write(directory.join(".input"), input).expect("the input");
    let input = fs::File::open(directory.join(".input")).expect("the input");
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).env_clear().envs(env).current_dir(directory);
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("a program that starts")
}

#[test]
fn every_language_can_be_tried_out_and_installed() {
    // An output that is submitted as it is needs no compiler and cannot go wrong.
    for language in embedded().iter().filter(|language| language.id != "output") {
        let test = &language.self_test;
        let programs = [&test.broken, &test.crashing, &test.endless, &test.greedy];
        assert!(programs.iter().all(|program| program.is_some()), "{}", language.id);
        assert!(!language.debian_packages.is_empty() && language.compile.is_some(), "{}", language.id);
        assert_eq!(
            language.time_factor, 1.0,
            "{}: packages state their limits for all languages",
            language.id
        );
    }
}

#[test]
fn only_programs_that_begin_with_a_header_get_it_precompiled() {
    let languages = embedded();
    let compile = languages.get("cpp20").and_then(|language| language.compile.clone()).expect("a compiler");
    let header = compile.precompiled.expect("a precompiled header");
    for (source, begins) in [
        ("#include <bits/stdc++.h>\nint main() {}", true),
        ("\u{feff}\n  // a\n/* #define X\n */ # include  <bits/stdc++.h>  // all\n", true),
        ("#include<bits/stdc++.h>", true),
        ("#define int long long\n#include <bits/stdc++.h>", false),
        ("#pragma GCC optimize(\"O3\")\n#include <bits/stdc++.h>", false),
        ("#include <vector>\n#include <bits/stdc++.h>", false),
        ("#include <bits/stdc++.hpp>", false),
        ("/* never ends #include <bits/stdc++.h>", false),
        ("", false),
    ] {
        assert_eq!(header.begins(source.as_bytes()), begins, "{source}");
    }
    for id in ["cpp11", "cpp14", "cpp17", "cpp20", "cpp23"] {
        let compile = languages.get(id).and_then(|language| language.compile.clone()).expect("a compiler");
        let header = compile.precompiled.expect("a precompiled header");
        // What was compiled with other flags would be refused by the compiler, which then reads the header itself.
        let flags =
            |argv: &[String]| argv[3..].iter().take_while(|word| *word != "-o").cloned().collect::<Vec<_>>();
        assert_eq!(flags(&header.argv), flags(&compile.argv), "{id}");
    }
}

#[test]
fn a_language_has_the_best_toolchain_that_is_there() {
    let homes = format!(
        "[[homes]]\npath = \"/opt/new\"\nnpm = {{ package = \"new-sh\", version = \"2.0\", sha256 = \"{}\" }}\n\
         [[homes]]\npath = \"/opt/old\"\n[run]",
        "0".repeat(64)
    );
    let text = MINIMAL
        .replace("[run]", &homes)
        .replace("\"{source}\"", "\"{home}/rc\", \"{source}\"")
        .replace("--version", "{home}/version");
    let chosen = |there: &[&str]| {
        let language = Language::parse("sh.toml", &text).expect("a language");
        let language = language.at_home(|path| there.contains(&path));
        let commands = [language.run_argv(&["a.sh"], 0)[1].clone(), language.version.argv[1].clone()];
        (language.home.clone(), commands.join(" "), language.better().map(|npm| npm.version.clone()))
    };
    let new = "/opt/new/rc /opt/new/version".to_owned();
    let old = "/opt/old/rc /opt/old/version".to_owned();
    assert_eq!(chosen(&["/opt/old", "/opt/new"]), (Some("/opt/new".to_owned()), new, None));
    assert_eq!(chosen(&["/opt/old"]), (Some("/opt/old".to_owned()), old.clone(), Some("2.0".to_owned())));
    assert_eq!(chosen(&[]), (None, old, None));
    for (was, is, why) in [
        ("/opt/new", "opt", ": homes: \"opt\" is not an absolute path below /"),
        ("new-sh", "new sh", ": homes.npm: \"new sh\" is not a name"),
        ("[run]", "[homes.npm]\npackage = \"a\"\n[run]", ":10: missing field `version`"),
    ] {
        let error = Language::parse("sh.toml", &text.replace(was, is)).expect_err(is).to_string();
        assert_eq!(error, format!("sh.toml{why}"));
    }
    let homeless = MINIMAL.replace("{source}", "{home}");
    let error = Language::parse("sh.toml", &homeless).expect_err("no home").to_string();
    assert_eq!(error, "sh.toml: run.argv: unknown placeholder {home} in \"{home}\"");
}

#[test]
fn time_factors_round_up() {
    let mut language = embedded().get("java").cloned().expect("Java");
    language.time_factor = 1.5;
    assert_eq!(language.time_limit_ms(1001), 1502);
}

/// Without the sandbox, so that the commands are known to be right where it fails. All languages are tried out in it by
/// `assize languages test`.
#[test]
fn the_self_tests_pass_where_the_toolchain_is_installed() {
    let languages = embedded();
    for language in ["c", "cpp17", "python3"].iter().filter_map(|id| languages.get(id)) {
        if !Path::new(&language.version.argv[0]).exists() {
            loudly(&format!(
                "SKIPPED: {} is not installed: {:?} was NOT tried out",
                language.name, language.debian_packages
            ));
            continue;
        }
        let directory = tempfile::tempdir().expect("a scratch directory");
        let env = language.compile.as_ref().map_or(&language.run.env, |compile| &compile.env);
        let version = run(&language.version.argv, env, directory.path(), "");
        assert!(
            language.version.read(&version.stdout, &version.stderr).is_some_and(|text| text.contains('.'))
        );
        let place = |text: &str| fs::write(directory.path().join(&language.source), text);
        let argv = language.compile_argv(&[&language.source], "main");
        assert_eq!(argv.is_none(), language.is_output(), "only outputs are not compiled");
        if let Some(argv) = &argv {
            place("int main( {\n").expect("a source file");
            let refused = run(argv, env, directory.path(), "");
            assert!(!refused.status.success() && refused.stderr.is_ascii(), "{refused:?}");
            let diagnostics = String::from_utf8_lossy(&refused.stderr);
            assert!(diagnostics.contains(&language.source), "{diagnostics}");
        }
        place(&language.self_test.source).expect("a source file");
        if let Some(argv) = &argv {
            let compiled = run(argv, env, directory.path(), "");
            assert!(compiled.status.success(), "{compiled:?}");
        }
        let argv = language.run_argv(&[&language.source], 1 << 28);
        let output = run(&argv, &language.run.env, directory.path(), &language.self_test.input);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), language.self_test.output);
    }
}

const MINIMAL: &str = r#"id = "sh"
name = "Shell"
source = "main.sh"
artifact = "main.sh"
[run]
argv = ["/bin/sh", "{source}"]
processes_limit = 1
[version]
argv = ["/bin/sh", "--version"]
[self_test]
source = "read a b; echo $((a + b))"
input = "1 2"
output = "3"
"#;

#[test]
fn a_directory_adds_and_replaces() {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("a file");
    write("sh.toml", MINIMAL);
    write("README", "not a language");
    write("mine.toml", &MINIMAL.replace(r#""sh""#, r#""python3""#).replace("Shell", "My Python"));
    let languages = Languages::load(directory.path()).expect("languages");
    let name = |id: &str| languages.get(id).map(|language| language.name.as_str());
    assert_eq!(
        [name("c"), name("python3"), name("sh")],
        [Some("C17 (GCC)"), Some("My Python"), Some("Shell")]
    );
    // What the replaced file claimed is free again.
    assert_eq!(languages.get("py"), None);
    let shell = languages.get("sh").expect("the shell");
    assert_eq!((shell.routing_class.as_str(), shell.time_factor), ("standard", 1.0));
    assert_eq!(shell.compile_argv(&["main.sh"], "main"), None);

    write("twice.toml", MINIMAL);
    let error = Languages::load(directory.path()).expect_err("two files for one language");
    assert_eq!(error.to_string(), r#"twice.toml: the language "sh" is also defined in sh.toml"#);
    write("twice.toml", &MINIMAL.replace(r#"id = "sh""#, "id = \"zsh\"\naliases = [\"CPP\"]"));
    let error = Languages::load(directory.path()).expect_err("an alias that is taken");
    assert_eq!(error.to_string(), r#"twice.toml: the name "CPP" already belongs to cpp20"#);
    write("twice.toml", &MINIMAL.replace(r#"id = "sh""#, "id = \"zsh\"\nextensions = [\"rb\"]"));
    let error = Languages::load(directory.path()).expect_err("an extension that is taken");
    assert_eq!(error.to_string(), r#"twice.toml: the extension "rb" already belongs to ruby"#);
    let missing = Languages::load(Path::new("/nonexistent")).expect_err("no directory");
    assert_eq!(missing.to_string(), "cannot read /nonexistent");
}

#[test]
fn impossible_files_are_refused() {
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(MINIMAL.contains(from));
        let error =
            Language::parse("sh.toml", &MINIMAL.replacen(from, to, 1)).expect_err("an impossible file");
        assert_eq!(error.to_string(), format!("sh.toml{expected}"));
    }
    Language::parse("sh.toml", MINIMAL).expect("a language");
    check("name = \"Shell\"", "name = Shell", ":2: string values must be quoted, expected literal string");
    check("name = \"Shell\"\n", "", ":1: missing field `name`");
    check("processes_limit = 1", "processes_limit = -1", ":7: invalid value: integer `-1`, expected u32");
    check(
        "[run]",
        "colour = 1\n[run]",
        ":5: unknown field `colour`, expected one of `id`, `name`, `aliases`, `extensions`, `package_codes`, `preference`, `for_tools`, `takes_extensions`, `entry`, `source`, `artifact`, `routing_class`, `time_factor`, `debian_packages`, `homes`, `compile`, `run`, `version`, `self_test`",
    );
    check("\"sh\"", "\"Sh\"", ": id \"Sh\" is not a word of a-z and 0-9 that starts with a letter");
    check("\"sh\"", "\"a.b\"", ": id \"a.b\" is not a word of a-z and 0-9 that starts with a letter");
    check("\"Shell\"", "\" \"", ": name is empty");
    check(
        "[run]",
        "routing_class = \"a.*\"\n[run]",
        ": routing_class \"a.*\" is not made of words of a-z and 0-9 joined by -",
    );
    check("[run]", "aliases = [\"a b\"]\n[run]", ": aliases: \"a b\" is not a name");
    check("[run]", "time_factor = 0\n[run]", ": time_factor: 0 is not between 0.1 and 100");
    check("source = \"main.sh\"", "source = \"../main.sh\"", ": source: \"../main.sh\" is not a file name");
    check("artifact = \"main.sh\"", "artifact = \"-rf\"", ": artifact: \"-rf\" is not a file name");
    check(
        "artifact = \"main.sh\"",
        "artifact = \"main\"",
        ": without [compile] the artifact must be the source",
    );
    check("[\"/bin/sh\", \"{source}\"]", "[]", ": run.argv is empty");
    check(
        "\"/bin/sh\", \"{source}\"",
        "\"sh\"",
        ": run.argv: the program \"sh\" must be an absolute path or start with ./",
    );
    check("{source}", "{input}", ": run.argv: unknown placeholder {input} in \"{input}\"");
    check(
        "{source}",
        "x{sources}",
        ": run.argv: {sources} must be a word of its own, not a part of \"x{sources}\"",
    );
    check("processes_limit = 1", "processes_limit = 0", ": run.processes_limit is 0");
    check(
        "processes_limit = 1",
        "processes_limit = 1\nroots = [\"usr\"]",
        ": run.roots: usr is not an absolute path below /",
    );
    check(
        "processes_limit = 1",
        "processes_limit = 1\nroots = [\"/\"]",
        ": run.roots: / is not an absolute path below /",
    );
    check(
        "processes_limit = 1",
        "processes_limit = 1\nroots = [\"/a/../b\"]",
        ": run.roots: /a/../b is not an absolute path below /",
    );
    check(
        "processes_limit = 1",
        "processes_limit = 1\nenv = {\"A=B\" = \"\"}",
        ": run.env: \"A=B\" is not an environment variable",
    );
    check("\"--version\"", "\"{source}\"", ": version.argv: unknown placeholder {source} in \"{source}\"");
    check("output = \"3\"", "output = \"\"", ": self_test has no source or no output");
}

/// Past the capture of the test harness, which keeps `eprintln!` of passing tests to itself.
fn loudly(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
