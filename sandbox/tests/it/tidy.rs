//! The shape that a reader is promised.

use std::fs;
use std::path::Path;

use crate::harness::hostile;

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).expect("the sources are there").flatten();
    files
        .map(|file| {
            let text = fs::read_to_string(file.path()).expect("a source can be read");
            (file.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

#[test]
fn every_file_says_what_it_owns() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! "), "{name}");
    }
}

#[test]
fn every_unsafe_block_says_why_and_all_are_in_one_file() {
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if line.trim_start().starts_with("//")
                || !(line.contains("unsafe {") || line.contains("unsafe fn"))
            {
                continue;
            }
            assert_eq!(name, "sys.rs", "line {}", index + 1);
            let above = &lines[index.saturating_sub(6)..=index];
            assert!(above.iter().any(|line| line.contains("// SAFETY: ")), "{name}:{}", index + 1);
        }
    }
}

#[test]
fn every_entry_of_a_filter_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("filters");
    for file in fs::read_dir(folder).expect("the filters are there").flatten() {
        for line in fs::read_to_string(file.path()).expect("a filter can be read").lines() {
            if line.contains("\"syscall\"") {
                assert!(line.contains("\"comment\": \""), "{}: {line}", file.path().display());
            }
        }
    }
}

#[test]
fn every_hostile_program_is_used_and_says_what_it_does() {
    let tests = tests();
    for file in fs::read_dir(hostile("")).expect("the programs are there").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(file.path()).expect("a program can be read");
        assert!(text.starts_with("// ") || text.starts_with("\"\"\""), "{name} does not say what it does");
        assert!(tests.contains(&name), "{name} is not used");
    }
}

/// The sources of all tests, one after another.
fn tests() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = fs::read_dir(folder).expect("the tests are there").flatten();
    files.map(|file| fs::read_to_string(file.path()).expect("a test can be read")).collect()
}

/// The rows of the catalogue: number, and the tests that are named in the last column.
fn catalogue() -> Vec<(u32, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/CATALOGUE.md");
    let text = fs::read_to_string(path).expect("the catalogue is there");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let number = cells[0].parse().ok()?;
        assert_eq!(cells.len(), 5, "{line}");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{line}");
        let tests = cells[4].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((number, tests))
    });
    rows.collect()
}

#[test]
fn the_catalogue_has_every_attack_and_names_tests_that_exist() {
    let rows = catalogue();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=130).collect::<Vec<_>>());
    let tests = tests();
    for (number, names) in &rows {
        for name in names {
            let is_function = tests.contains(&format!("fn {name}("));
            let is_attack = tests.contains(&format!("\n    {name} \""));
            // A unit test, or one of the judge's own, is named with its path.
            let is_elsewhere = name.contains("::") || name.contains('/');
            assert!(is_function || is_attack || is_elsewhere, "attack {number}: `{name}` is no test");
        }
    }
}

#[test]
fn every_hostile_program_is_in_its_row_of_the_catalogue() {
    let rows = catalogue();
    for file in fs::read_dir(hostile("")).expect("the programs are there").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(number) = name.split('_').next().and_then(|number| number.parse::<u32>().ok()) else {
            continue;
        };
        if number == 0 {
            continue;
        }
        let tests = tests();
        let (_, names) = rows.iter().find(|row| row.0 == number).expect("every number has a row");
        let stem = name.split('.').next().expect("a name has a beginning");
        let is_named = names.iter().any(|test| {
            test.starts_with(&format!("a{stem}"))
                || body(&tests, test).is_some_and(|body| body.contains(&format!("\"{name}\"")))
        });
        assert!(is_named, "{name} is used by no test in row {number}");
    }
}

/// What stands between the name of a test and the end of its function.
fn body<'a>(tests: &'a str, name: &str) -> Option<&'a str> {
    let start = tests.find(&format!("\nfn {name}("))?;
    let end = tests[start..].find("\n}\n")?;
    Some(&tests[start..start + end])
}
