//! Any bytes as an archive: refused or unpacked, and never anything outside or left behind.

#![no_main]

use assize::problems::{Mode, open_zip, unpack, zipped_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(opened) = open_zip(bytes, Some("fuzz")) {
        let root = opened.root().to_owned();
        let _ = opened.load(Mode::Lenient);
        let _ = opened.load(Mode::Strict);
        drop(opened);
        assert!(!root.exists(), "something is left behind");
    }
    if let Ok(files) = zipped_files(bytes, 1 << 20) {
        assert!(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= 1 << 20);
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let _ = unpack(bytes, &scratch.path().join("package"));
    let outside = std::fs::read_dir(scratch.path()).expect("a listing").count();
    assert!(outside <= 1, "something was written beside the target");
});
