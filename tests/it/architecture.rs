//! The arrows between the modules, and what is absent on purpose: held by reading the sources.

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `src/` whose text contains one of the words, by path from the root.
fn files_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(&root().join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        if code.into_iter().any(|line| words.iter().any(|word| line.contains(word))) {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

#[track_caller]
fn only_in(words: &[&str], allowed: &[&str]) {
    let elsewhere: Vec<String> = files_with(words)
        .into_iter()
        .filter(|file| !allowed.iter().any(|prefix| file.starts_with(prefix)))
        .collect();
    assert!(elsewhere.is_empty(), "{words:?} belong to {allowed:?} and are also in {elsewhere:?}");
}

#[test]
fn each_technology_is_known_to_one_part_only() {
    only_in(&["sled::", "bincode::"], &["src/projection/"]);
    only_in(&["assize_sandbox::"], &["src/worker/launch.rs"]);
    only_in(&["poem::", "poem_openapi::"], &["src/api/", "src/cli/bench"]);
    only_in(&["\"assize.event", "\"assize.live"], &["src/store/", "src/streams.rs"]);
    only_in(&["async_nats::"], &["src/store/", "src/nats_server/", "src/api/health.rs", "src/cli/"]);
}

#[test]
fn the_domain_is_pure() {
    let outside =
        ["crate::store", "crate::api", "crate::worker", "crate::projection", "crate::judge", "crate::cli"];
    let impure = ["async ", "Timestamp::now", "SystemTime", "std::fs", "std::net", "tokio", "rand::"];
    for path in sources(&root().join("src/domain")) {
        let text = std::fs::read_to_string(&path).unwrap();
        if path.ends_with("tests.rs") {
            continue;
        }
        for word in outside.iter().chain(&impure) {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}

#[test]
fn the_arrows_point_one_way() {
    // (part, what it must not know)
    let arrows = [
        (
            "src/store",
            &["crate::api", "crate::worker", "crate::projection", "crate::cli", "crate::judge"][..],
        ),
        (
            "src/problems",
            &["crate::api", "crate::worker", "crate::projection", "crate::cli", "crate::store"][..],
        ),
        ("src/languages", &["crate::api", "crate::worker", "crate::store", "crate::cli"][..]),
        ("src/worker", &["crate::api", "crate::projection", "crate::cli"][..]),
        ("src/projection", &["crate::api", "crate::worker", "crate::cli", "crate::judge"][..]),
        ("src/api", &["crate::cli", "crate::worker"][..]),
    ];
    for (part, forbidden) in arrows {
        for path in sources(&root().join(part)) {
            let text = std::fs::read_to_string(&path).unwrap();
            for word in forbidden {
                assert!(!text.contains(word), "{} knows {word}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_first_what_it_owns() {
    for folder in ["src", "sandbox/src", "tests/it"] {
        for path in sources(&root().join(folder)) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//! "), "{} does not open with a sentence", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    for path in sources(&root().join("sandbox/src")) {
        if !path.ends_with("sys.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("unsafe {"), "{} has unsafe code", path.display());
        }
    }
    let library = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(library.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn the_sandbox_drags_in_neither_a_runtime_nor_a_broker() {
    for absent in ["tokio", "async-nats", "poem"] {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "-p", "assize-sandbox", "-e", "normal", "-i", absent])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(!tree.status.success(), "{absent}: {}", String::from_utf8_lossy(&tree.stdout));
    }
}
