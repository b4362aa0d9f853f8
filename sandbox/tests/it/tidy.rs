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
