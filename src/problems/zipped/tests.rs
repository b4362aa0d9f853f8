//! Archives good and hostile. The hostile ones are built byte by byte, since no library writes them.

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::Command;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{Loaded, Mode, PackageError, Warning, open, open_zip};

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;
const ENCRYPTED: u16 = 1;

/// An entry as it is to stand in the archive, with whatever lies in it.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    content: Vec<u8>,
    mode: u32,
    flags: u16,
    method: u16,
    /// The size that is declared, if it is not the content's.
    declared: Option<u32>,
    crc: Option<u32>,
    /// The name in front of the content, if it is another one than in the directory.
    local_name: Option<Vec<u8>>,
    /// The entry whose content this one takes for its own.
    shares: Option<usize>,
}

fn raw(name: impl AsRef<[u8]>, content: &str) -> Raw {
    Raw {
        name: name.as_ref().to_vec(),
        content: content.as_bytes().to_vec(),
        mode: FILE,
        flags: 0,
        method: 0,
        declared: None,
        crc: None,
        local_name: None,
        shares: None,
    }
}

fn link(name: &str, target: &str) -> Raw {
    Raw { mode: LINK, ..raw(name, target) }
}

/// The files of the smallest package that loads strictly.
const SMALLEST: [(&str, &str); 5] = [
    ("problem.yaml", "name: Hello\n"),
    (".timelimit", "1\n"),
    ("problem_statement/problem.en.tex", "\\problemname{Hello}\n"),
    ("data/secret/1.in", "1\n"),
    ("data/secret/1.ans", "1\n"),
];

fn smallest(folder: &str) -> Vec<Raw> {
    SMALLEST.iter().map(|(path, content)| raw(format!("{folder}{path}"), content)).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn archive(entries: &[Raw]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let mut offsets = Vec::new();
    for entry in entries {
        let offset = entry.shares.map_or(bytes.len(), |shared| offsets[shared]);
        offsets.push(offset);
        let crc = entry.crc.unwrap_or_else(|| crc32(&entry.content));
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
        let common = |name: &[u8]| {
            let mut header = Vec::new();
            for word in [20_u16, entry.flags, entry.method, 0, 0] {
                header.extend(word.to_le_bytes());
            }
            let stored = entry.content.len() as u32;
            for word in [crc, stored, entry.declared.unwrap_or(stored)] {
                header.extend(word.to_le_bytes());
            }
            header.extend((name.len() as u16).to_le_bytes());
            header.extend(0_u16.to_le_bytes());
            header
        };
        if entry.shares.is_none() {
            bytes.extend(b"PK\x03\x04");
            bytes.extend(common(local_name));
            bytes.extend(local_name);
            bytes.extend(&entry.content);
        }
        directory.extend(b"PK\x01\x02");
        // Made by Unix.
        directory.extend([20, 3]);
        directory.extend(common(&entry.name));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend((offset as u32).to_le_bytes());
        directory.extend(&entry.name);
    }
    let (at, length) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes
}

#[track_caller]
fn loads(bytes: &[u8], name: Option<&str>, expected_name: &str, warnings: &[&str]) -> Loaded {
    let opened = open_zip(bytes, name).expect("an archive");
    let root = opened.root().to_owned();
    let loaded = opened.load(Mode::Lenient).expect("a package");
    assert_eq!(loaded.package.short_name, expected_name);
    assert_eq!(loaded.warnings.iter().map(Warning::to_string).collect::<Vec<_>>(), warnings);
    assert_eq!(opened.load(Mode::Strict).is_ok(), warnings.is_empty());
    drop(opened);
    assert!(!root.parent().expect("the private directory").exists(), "something is left behind");
    loaded
}

/// Holds whatever is unpacked while it lives, so that what is left behind can be seen.
fn refusal(bytes: &[u8]) -> String {
    match open_zip(bytes, Some("hello")) {
        Err(error @ PackageError::Invalid { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn refused(hostile: Raw, expected: &str) {
    let mut entries = smallest("");
    entries.push(hostile);
    assert_eq!(refusal(&archive(&entries)), expected);
}

#[test]
fn a_package_may_lie_at_the_root_or_in_the_only_folder() {
    loads(&archive(&smallest("")), Some("hello"), "hello", &[]);
    loads(&archive(&smallest("hello/")), Some("hello"), "hello", &[]);
    loads(&archive(&smallest("hello/")), None, "hello", &[]);
    loads(
        &archive(&smallest("hello/")),
        Some("hello (1)"),
        "hello",
        &[r#".: the archive "hello (1)" holds the folder "hello", which is taken for the name"#],
    );
    // What systems leave beside it is no second folder.
    let mut entries = smallest("hello/");
    entries.push(raw("__MACOSX/hello/._problem.yaml", "x"));
    entries.push(raw(".DS_Store", "x"));
    entries.push(raw("hello/.git/config", "x"));
    loads(&archive(&entries), None, "hello", &[]);
    let mut entries = smallest("hello/");
    entries.push(raw("world/problem.yaml", "x"));
    let opened = open_zip(&archive(&entries), Some("hello")).expect("an archive");
    let error = opened.load(Mode::Lenient).expect_err("two packages");
    let one = "problem.yaml: is missing; a package is the one folder that holds it, and here lies";
    assert_eq!(error.to_string(), format!("{one}: `hello`, `world`"));
    let opened = open_zip(&archive(&[raw("hello.zip", "x")]), Some("outer")).expect("an archive");
    let error = opened.load(Mode::Lenient).expect_err("an archive in an archive");
    let within = "problem.yaml: is missing; an archive within is not looked into: `hello.zip`";
    assert_eq!(error.to_string(), within);
    let error = open_zip(&archive(&smallest("")), None).expect("an archive").load(Mode::Lenient);
    assert!(error.expect_err("no name").to_string().starts_with(".: \"\" is not a name for a problem"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the program that makes the archives is no guest")]
fn what_common_programs_make_of_a_package_is_read() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("hello");
    for (path, content) in SMALLEST {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, content).expect("a file");
    }
    std::fs::write(root.join("data/secret/2.in"), "x\n".repeat(100_000)).expect("a file");
    std::os::unix::fs::symlink("1.ans", root.join("data/secret/2.ans")).expect("a link");
    let plain = super::super::load(&root, Mode::Strict).expect("a package");
    let digest = super::super::tests::canonical_archive(&root).expect("an archive").digest;
    let check = |path: &Path| {
        let opened = open(path).expect("an archive");
        assert_eq!(opened.load(Mode::Strict).expect("a package"), plain, "{}", path.display());
        assert_eq!(super::super::tests::canonical_archive(opened.root()).expect("an archive").digest, digest);
    };
    check(&root);
    let python = "import shutil; shutil.make_archive('python/hello', 'zip', '.', 'hello')";
    let made = Command::new("/usr/bin/python3").args(["-c", python]).current_dir(scratch.path()).status();
    assert!(made.expect("python3").success());
    check(&scratch.path().join("python/hello.zip"));
    // Streamed: sizes and checksums come after the contents, in the larger form of the format.
    let streamed = "import sys, zipfile, pathlib
class Pipe:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): pass
with zipfile.ZipFile(Pipe(), 'w', zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path('hello').rglob('*')):
        if path.is_file():
            with archive.open(str(path), 'w', force_zip64=True) as entry: entry.write(path.read_bytes())
";
    let made = Command::new("/usr/bin/python3").args(["-c", streamed]).current_dir(scratch.path()).output();
    std::fs::write(scratch.path().join("hello.kpp"), made.expect("python3").stdout).expect("a file");
    check(&scratch.path().join("hello.kpp"));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in SMALLEST {
        writer.start_file(path, SimpleFileOptions::default().unix_permissions(0o755)).expect("an entry");
        writer.write_all(content.as_bytes()).expect("content");
    }
    let written = writer.finish().expect("an archive").into_inner();
    loads(&written, Some("hello"), "hello", &[]);
    // A program of its own may stand before the archive.
    loads(&[b"#!/bin/sh\nexit\n".as_slice(), &written].concat(), Some("hello"), "hello", &[]);
}

#[test]
fn only_archives_and_directories_are_opened() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let text = scratch.path().join("hello.txt");
    std::fs::write(&text, archive(&smallest(""))).expect("a file");
    let error = open(&text).expect_err("not an archive by its name").to_string();
    assert_eq!(error, ".: is neither a directory nor an archive (.zip, .kpp)");
    let missing = open(Path::new("/nonexistent/hello.zip")).expect_err("nothing there");
    assert_eq!(missing.to_string(), "cannot find /nonexistent/hello.zip");
    let empty = archive(&[]);
    assert!(open_zip(&empty, Some("hello")).expect("an archive").load(Mode::Lenient).is_err());
    assert!(refusal(b"").starts_with("archive: is not a readable zip: "));
    assert!(refusal(b"PK\x03\x04 and no more").starts_with("archive: is not a readable zip: "));
}

#[test]
fn no_path_leads_out_of_the_package() {
    refused(raw("../x", ""), "../x: the path leads out of the package");
    refused(raw("a/../../x", ""), "a/../../x: the path leads out of the package");
    refused(raw("a/../x", ""), "a/../x: the path leads out of the package");
    refused(raw("/etc/x", ""), "/etc/x: the path leads out of the package");
    refused(raw("C:x", ""), "C:x: the path names a drive");
    refused(raw("c:/x", ""), "c:/x: the path names a drive");
    refused(raw("a\0b", ""), "a\\x00b: the name contains a NUL");
    refused(raw("", ""), ": the path is empty or too long");
    refused(raw("./", ""), ": the entry has no name");
    refused(raw("x".repeat(2000), ""), &format!("{}: the path is empty or too long", "x".repeat(2000)));
    let long = "x".repeat(256);
    let what = "a name in the path is longer than a file system can have";
    refused(raw(format!("data/{long}"), ""), &format!("data/{long}: {what}"));
    refused(raw(b"data/secret/h\xe4.in", ""), "data/secret/h\\xe4.in: the name is not UTF-8");
    let deep = "d/".repeat(30) + "x";
    refused(raw(&deep, ""), &format!("{deep}: directories are nested too deep"));
    // Ignoring what is no part of a package is no way around that.
    refused(raw(".git/../../x", ""), ".git/../../x: the path leads out of the package");
}

#[test]
fn what_has_a_name_that_no_format_allows_is_passed_over() {
    let mut entries = smallest("hello/");
    entries.extend(["a\\x", "a\nb"].map(|name| raw(format!("hello/{name}"), "")));
    let control = "the name contains a control character or a backslash, ignored";
    let warnings = [format!("a\\nb: {control}"), format!("a\\\\x: {control}")];
    loads(&archive(&entries), Some("hello"), "hello", &warnings.each_ref().map(String::as_str));
    // An archive that is nothing but such names says so.
    let entries: Vec<Raw> = smallest("hello\\");
    assert_eq!(
        refusal(&archive(&entries)),
        "hello\\\\problem.yaml: the name contains a control character or a backslash"
    );
}

#[test]
fn links_are_followed_inside_and_refused_outside() {
    let mut entries = smallest("hello/");
    entries.push(link("hello/data/secret/2.in", "1.in"));
    entries.push(link("hello/data/secret/2.ans", "../secret/./1.ans"));
    entries.push(link("hello/data/sample", "secret"));
    let loaded = loads(&archive(&entries), Some("hello"), "hello", &[]);
    let names: Vec<&str> = loaded.package.testcases.iter().map(|testcase| testcase.name.as_str()).collect();
    assert_eq!(names, ["sample/1", "sample/2", "secret/1", "secret/2"]);
    for target in ["/etc/passwd", "../x", "data/../../x", "..", ""] {
        refused(link("l", target), &format!("l: links to {target}, outside the package"));
    }
    refused(link("l", "a\\b"), "l: links to a\\\\b, outside the package");
    refused(Raw { content: vec![0xff], ..link("l", "") }, "l: is a link whose target is not UTF-8");
    refused(link("l", &"x".repeat(2000)), "l: is a link with too long a target");
    // Out of the folder is out of the package, also where that is inside of the archive.
    let mut entries = smallest("hello/");
    entries.push(link("hello/data/secret/2.in", "../../../x"));
    assert_eq!(
        refusal(&archive(&entries)),
        "hello/data/secret/2.in: links to ../../../x, outside the package"
    );
    // A file behind a link would be written wherever that leads.
    let mut entries = smallest("");
    entries.push(link("l", "data"));
    entries.push(raw("l/x", ""));
    assert_eq!(refusal(&archive(&entries)), "l: the archive holds a directory and a file of this name");
    // Each link stays inside by its name, and together they do not: the scan of what was unpacked sees it.
    for (one, other) in [
        (link("data/up", ".."), link("data/secret/out", "../up/../..")),
        (link("a/b/down", "../../data/secret"), link("a/out", "b/down/../../..")),
    ] {
        let mut entries = smallest("");
        entries.extend([one, other]);
        let opened = open_zip(&archive(&entries), Some("hello")).expect("an archive");
        let error = opened.load(Mode::Lenient).expect_err("a way out").to_string();
        assert!(error.contains("outside the package"), "{error}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let device = "is neither a file nor a directory (a device, pipe or socket)";
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
        refused(Raw { mode: kind | 0o644, ..raw("a", "") }, &format!("a: {device}"));
    }
    refused(Raw { mode: LINK, ..raw("a/", "") }, &format!("a: {device}"));
    refused(raw("a/", "content"), "a: is a directory with content");
    refused(Raw { flags: ENCRYPTED, ..raw("a", "0123456789abcdef") }, "a: the entry is encrypted");
    refused(Raw { method: 12, ..raw("a", "") }, "a: is compressed by Unsupported(12); only deflate is read");
}

#[test]
fn nothing_is_overwritten() {
    let twice = ": the archive holds this file twice";
    refused(raw("problem.yaml", "name: other\n"), &format!("problem.yaml{twice}"));
    refused(raw("./problem.yaml", ""), &format!("problem.yaml{twice}"));
    refused(raw("data//secret/./1.in", ""), &format!("data/secret/1.in{twice}"));
    refused(link("problem.yaml", "data/secret/1.in"), &format!("problem.yaml{twice}"));
    refused(raw("data", ""), "data: the archive holds a directory and a file of this name");
    refused(raw("problem.yaml/x", ""), "problem.yaml: the archive holds a directory and a file of this name");
    refused(raw("problem.yaml/", ""), "problem.yaml: the archive holds a directory and a file of this name");
    // Other cases are other files, as everywhere in a package.
    let mut entries = smallest("");
    entries.push(raw("attachments/README", "1"));
    entries.push(raw("attachments/readme", "2"));
    let loaded = loads(&archive(&entries), Some("hello"), "hello", &[]);
    assert_eq!(loaded.package.attachments.len(), 2);
}

#[test]
fn bombs_do_not_go_off() {
    let declares = |name: &str, size: u32| Raw { declared: Some(size), method: 8, ..raw(name, "x") };
    refused(declares("a", 1 << 31), "a: is too big: 2147483648 bytes, at most 1073741824");
    let many: Vec<Raw> = (0..9).map(|index| declares(&format!("a{index}"), 1 << 30)).collect();
    assert_eq!(refusal(&archive(&many)), "archive: the package is too big: more than 8589934592 bytes");
    let few = archive(&many[..1]);
    let words = format!("archive: {} bytes would become 1073741824: more than 400 times as many", few.len());
    assert_eq!(refusal(&few), words);
    // One content for many entries.
    let mut entries = vec![raw("a", "content")];
    entries.push(Raw { shares: Some(0), local_name: Some(b"a".to_vec()), ..raw("b", "content") });
    let words = refusal(&archive(&entries));
    assert!(words.contains("is not a readable zip") || words.contains("shares its bytes"), "{words}");
    assert_eq!(refusal(&crowded(100_001)), "archive: the archive has more than 100000 entries");
    assert!(refusal(&crowded(u64::MAX)).starts_with("archive: is not a readable zip: "));
    // Sizes that lie, in both directions.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("a", SimpleFileOptions::default()).expect("an entry");
    writer.write_all(&[b'x'; 5000]).expect("content");
    let honest = writer.finish().expect("an archive").into_inner();
    for (declared, expected) in [
        (10_u32, "a: is not a readable zip: File is larger than its declared uncompressed size"),
        (6000, "a: has 5000 bytes where the archive declares 6000"),
    ] {
        let lying = replace(&honest, &5000_u32.to_le_bytes(), &declared.to_le_bytes());
        assert_eq!(refusal(&lying), expected);
    }
    refused(
        Raw { declared: Some(3), ..raw("a", "0123456789") },
        "a: is not a readable zip: File is larger than its declared uncompressed size",
    );
}

/// One entry so many times, at most as many as fit the test, in the larger form of the format.
fn crowded(count: u64) -> Vec<u8> {
    let one = archive(&[raw("a", "")]);
    let start = 31;
    let mut bytes = one[..start].to_vec();
    let directory = one[start..one.len() - 22].repeat(count.min(100_001) as usize);
    bytes.extend(&directory);
    let end = bytes.len() as u64;
    bytes.extend(zip64_record([count, count, directory.len() as u64, start as u64]));
    bytes.extend(zip64_locator(end));
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0, 0]);
    bytes
}

fn zip64_record(numbers: [u64; 4]) -> Vec<u8> {
    let mut record = b"PK\x06\x06".to_vec();
    record.extend(44_u64.to_le_bytes());
    record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    record.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    record
}

fn zip64_locator(offset: u64) -> Vec<u8> {
    let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
    locator.extend(offset.to_le_bytes());
    locator.extend(1_u32.to_le_bytes());
    locator
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            replaced[at..at + from.len()].copy_from_slice(to);
        }
    }
    replaced
}

#[test]
fn damage_is_seen() {
    refused(Raw { crc: Some(1), ..raw("a", "content") }, "a: is not a readable zip: Invalid checksum");
    let bytes = archive(&smallest("hello/"));
    for length in 0..bytes.len() {
        assert!(open_zip(&bytes[..length], Some("hello")).is_err(), "cut to {length} bytes");
    }
    // The directory names one file and the content another.
    let words = refusal(&archive(&[Raw { local_name: Some(b"b".to_vec()), ..raw("a", "content") }]));
    assert!(words.starts_with("archive: is not a readable zip: "), "{words}");
    // The larger form with numbers that lead nowhere: a locator whose record is not there, and counts of 2^64.
    let mut zip64 = archive(&smallest(""));
    let end = zip64.split_off(zip64.len() - 22);
    for offset in [zip64.len() as u64, u64::MAX, 1 << 60] {
        let mut hostile = zip64.clone();
        hostile.extend(zip64_record([u64::MAX, u64::MAX, u64::MAX, 0]));
        hostile.extend(zip64_locator(offset));
        let mut end = end.clone();
        end[8..20].fill(0xff);
        hostile.extend(&end);
        let words = refusal(&hostile);
        assert!(words.starts_with("archive: "), "{words}");
    }
}

#[test]
fn an_archive_in_an_archive_is_a_file() {
    let mut entries = smallest("");
    let inner = archive(&[raw("../x", "")]);
    entries.push(Raw { content: inner.clone(), ..raw("attachments/inner.zip", "") });
    let bytes = archive(&entries);
    let opened = open_zip(&bytes, Some("hello")).expect("an archive");
    assert_eq!(std::fs::read(opened.root().join("attachments/inner.zip")).expect("a file"), inner);
}
