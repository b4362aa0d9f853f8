//! Any texts as the files of a package that the loader reads: it loads or is refused, in both modes alike.

#![no_main]

use std::fs;

use assize::problems::{Mode, PackageError, load};
use libfuzzer_sys::fuzz_target;

/// Where the texts go, in their order in the input; they are separated by a byte that no text has.
const FILES: [&str; 8] = [
    "problem.yaml",
    "data/secret/test_group.yaml",
    "data/secret/1.yaml",
    "submissions/submissions.yaml",
    "statement/problem.en.md",
    "domjudge-problem.ini",
    "data/testdata.yaml",
    "data/secret/1.args",
];

fuzz_target!(|bytes: &[u8]| {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("fuzz");
    for directory in ["data/secret", "submissions/accepted", "statement"] {
        fs::create_dir_all(root.join(directory)).expect("directories");
    }
    for path in ["data/secret/1.in", "data/secret/1.ans", "submissions/accepted/a.py"] {
        fs::write(root.join(path), "").expect("a file");
    }
    for (path, text) in FILES.iter().zip(bytes.split(|byte| *byte == 0xff)) {
        if !text.is_empty() {
            fs::write(root.join(path), text).expect("a file");
        }
    }
    match (load(&root, Mode::Lenient), load(&root, Mode::Strict)) {
        (Ok(lenient), Ok(strict)) => assert!(lenient == strict && lenient.warnings.is_empty()),
        (Ok(lenient), Err(PackageError::Deviations { warnings })) => assert_eq!(lenient.warnings, warnings),
        (
            Err(PackageError::Invalid { .. } | PackageError::Broken { .. }),
            Err(PackageError::Invalid { .. } | PackageError::Broken { .. }),
        ) => {}
        (lenient, strict) => panic!("{lenient:?} and {strict:?}"),
    }
});
