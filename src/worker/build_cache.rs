//! What compilers made, kept by the digest of everything that it was made from: the files with their names, the
//! command, and the toolchain. The same program is compiled once, by whatever worker or command on this machine.
//!
//! A cache: what is read is checked against its digest, it is bounded, and everything in it can be thrown away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::ids::Sha256Digest;
use crate::domain::verdict::Observation;
use crate::error_chain::chain;
use crate::languages::Language;
use crate::languages::sources::Sources;

use super::launch::{LaunchError, ProgramFile};

/// How many bytes are kept; the least recently used builds go first.
const BYTES_MAX: u64 = 1 << 30;
/// The largest file that is read back.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// How many programs of a process must have begun with a header before it is compiled: that takes three times as long as
/// one of them.
const HEADER_WANTED_MIN: u32 = 3;
/// Changes whenever what is written changes.
const FORMAT: &str = "assize build 1";
/// What Debian changes with every package that it installs: a toolchain is more than the program that is started.
const PACKAGES: &str = "/var/lib/dpkg/status";

/// A successful compilation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// CPU time in milliseconds, when it was made.
    pub cpu_ms: u64,
    /// Wall time in milliseconds, when it was made.
    pub wall_ms: u64,
    /// Peak memory in bytes, when it was made.
    pub memory_bytes: u64,
    /// What the compiler said.
    pub diagnostics: String,
    /// Whether it said more.
    pub diagnostics_truncated: bool,
    /// What it made; none where the sources themselves are run.
    #[serde(skip)]
    pub artifact: Option<Vec<u8>>,
    /// Whether it made something.
    made: bool,
}

impl Build {
    /// A build that made `artifact`.
    pub fn new(compiled: &super::compile::Compiled, artifact: Option<Vec<u8>>) -> Self {
        Self {
            cpu_ms: compiled.cpu_ms,
            wall_ms: compiled.wall_ms,
            memory_bytes: compiled.memory_bytes,
            diagnostics: compiled.diagnostics.clone(),
            diagnostics_truncated: compiled.diagnostics_truncated,
            made: artifact.is_some(),
            artifact,
        }
    }
}

impl Build {
    /// A precompiled header.
    pub fn of_header(run: &Observation, bytes: Vec<u8>) -> Self {
        Self {
            cpu_ms: run.cpu_ms,
            wall_ms: run.wall_ms,
            memory_bytes: run.memory_bytes,
            diagnostics: String::new(),
            diagnostics_truncated: false,
            artifact: Some(bytes),
            made: true,
        }
    }
}

/// The folder of builds.
#[derive(Debug)]
pub struct BuildCache {
    folder: PathBuf,
    /// Precompiled headers in memory; none where one cannot be made.
    headers: Mutex<BTreeMap<[u8; 32], Header>>,
}

/// A precompiled header, as far as it is there.
#[derive(Debug)]
enum Header {
    /// It is not, and so many programs have begun with it.
    Wanted(u32),
    /// It is in memory.
    Made(ProgramFile),
    /// It cannot be made.
    Unfit,
}

impl BuildCache {
    /// A cache in this folder, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, headers: Mutex::default() }
    }

    /// What a program was compiled to, if it is here and whole.
    pub fn get(&self, key: Sha256Digest) -> Option<Build> {
        let path = self.folder.join(key.to_string());
        let file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        (&file).take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let build = parse(&bytes);
        match &build {
            // So that it counts as used just now; where that fails, it goes a little early.
            Some(_) => touch(&file),
            None => {
                tracing::warn!(path = %path.display(), "a kept build is damaged and thrown away");
                let _ = fs::remove_file(&path);
            }
        }
        build
    }

    /// A precompiled header: from memory, from disk, or made when enough programs have begun with it; the others wait.
    pub fn header(
        &self,
        key: Sha256Digest,
        place: &str,
        make: impl FnOnce() -> Result<Option<Build>, LaunchError>,
    ) -> Result<Option<ProgramFile>, LaunchError> {
        let mut headers = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        let header = headers.entry(*key.as_bytes()).or_insert(Header::Wanted(0));
        if let Header::Wanted(count) = header {
            *count += 1;
            let build = match self.get(key) {
                Some(build) => Some(build),
                None if *count < HEADER_WANTED_MIN => return Ok(None),
                None => make()?.inspect(|build| self.put(key, build)),
            };
            *header = match build.and_then(|build| build.artifact) {
                Some(bytes) => Header::Made(ProgramFile::new(place, &bytes, false)?),
                None => Header::Unfit,
            };
        }
        match header {
            Header::Made(file) => file.share().map(Some),
            Header::Wanted(_) | Header::Unfit => Ok(None),
        }
    }

    /// Keeps a build. One that cannot be kept is made again, which is no reason to fail.
    pub fn put(&self, key: Sha256Digest, build: &Build) {
        if let Err(error) = self.try_put(key, build) {
            tracing::warn!(error = chain(&error), "a build could not be kept");
        }
    }

    fn try_put(&self, key: Sha256Digest, build: &Build) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(&self.folder)?;
        let head = serde_json::to_vec(build)?;
        let artifact = build.artifact.as_deref().unwrap_or_default();
        beside.write_all(format!("{}\n", digest(&head, artifact)).as_bytes())?;
        beside.write_all(&head)?;
        beside.write_all(b"\n")?;
        beside.write_all(artifact)?;
        beside.persist(self.folder.join(key.to_string())).map_err(|error| error.error)?;
        self.evict()
    }

    fn evict(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            // Another process may have been faster.
            let Ok(entry) = entry else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            kept.push((used, metadata.len(), entry.path()));
        }
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in kept {
            if bytes <= BYTES_MAX {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => bytes -= size,
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of a cache have the host's times; nothing is judged by them"
)]
fn touch(file: &File) {
    let _ = file.set_modified(SystemTime::now());
}

/// What a file says, if it is whole.
fn parse(bytes: &[u8]) -> Option<Build> {
    let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
    let (said, rest) = bytes.split_at_checked(line(bytes)?)?;
    let rest = &rest[1..];
    let (head, artifact) = rest.split_at_checked(line(rest)?)?;
    let artifact = &artifact[1..];
    if said != digest(head, artifact).to_string().as_bytes() {
        return None;
    }
    let mut build: Build = serde_json::from_slice(head).ok()?;
    build.artifact = build.made.then(|| artifact.to_vec());
    Some(build)
}

fn digest(head: &[u8], artifact: &[u8]) -> Sha256Digest {
    let mut hasher = Sha256::new();
    hasher.update(head);
    hasher.update(b"\n");
    hasher.update(artifact);
    Sha256Digest::from_bytes(hasher.finalize().into())
}

/// The key of a program that is compiled with `argv` by this host's toolchain; none where the toolchain cannot be told
/// from another.
pub fn key(language: &Language, argv: &[String], sources: &Sources) -> Option<Sha256Digest> {
    let mut hasher = Sha256::new();
    // Each with its length, so that no two lists run together to the same bytes.
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(FORMAT.as_bytes());
    add(format!("{:?} {:?}", language.compile, language.artifact).as_bytes());
    for word in argv {
        add(word.as_bytes());
    }
    add(toolchain(Path::new(argv.first()?), language.home.as_deref().map(Path::new))?.as_bytes());
    for files in [&sources.sources, &sources.others] {
        add(&(files.len() as u64).to_le_bytes());
        for file in files {
            add(file.name.as_bytes());
            add(&file.bytes);
        }
    }
    Some(Sha256Digest::from_bytes(hasher.finalize().into()))
}

/// What tells one toolchain from another: the compiler's file, its folder, and the state of the system's packages.
fn toolchain(compiler: &Path, home: Option<&Path>) -> Option<String> {
    let describe = |path: &Path| {
        let found = path.metadata().ok()?;
        Some(format!("{}:{}:{}:{}", path.display(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    let compiler = describe(&compiler.canonicalize().ok()?)?;
    let home = home.and_then(describe).unwrap_or_default();
    let packages = describe(Path::new(PACKAGES)).unwrap_or_default();
    Some(format!("{compiler} {home} {packages}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::Languages;
    use crate::languages::sources::SourceFile;

    fn build(text: &str) -> Build {
        Build {
            cpu_ms: 1,
            wall_ms: 2,
            memory_bytes: 3,
            diagnostics: "a warning\n".to_owned(),
            diagnostics_truncated: false,
            artifact: Some(text.as_bytes().to_vec()),
            made: true,
        }
    }

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = BuildCache::new(folder.path().join("builds"));
        let (one, other) = (Sha256Digest::of(b"one"), Sha256Digest::of(b"other"));
        assert_eq!(cache.get(one), None);
        cache.put(one, &build("\x7fELF\n\n"));
        let nothing = Build { artifact: None, made: false, ..build("") };
        cache.put(other, &nothing);
        assert_eq!(cache.get(one), Some(build("\x7fELF\n\n")));
        assert_eq!(cache.get(other), Some(nothing));
        let path = folder.path().join("builds").join(one.to_string());
        let whole = fs::read(&path).expect("what was kept");
        for damaged in [&whole[..whole.len() - 1], &whole[1..], b"", b"\n\n", b"x"] {
            fs::write(&path, damaged).expect("a damaged file");
            assert_eq!(cache.get(one), None);
            assert!(!path.exists(), "it is thrown away");
        }
    }

    #[test]
    fn everything_that_matters_changes_the_key() {
        let languages = Languages::embedded().expect("the languages of this build");
        let shell = ["/bin/sh".to_owned()];
        let c = languages.get("c").expect("C").clone();
        let source = |name: &str, text: &str| vec![SourceFile::new(name, text)];
        let program = |sources, others| Sources { sources, others, entry: "main".to_owned() };
        let base = program(source("a.c", "int main;"), Vec::new());
        let key_of = |language: &Language, argv: &[String], sources: &Sources| {
            key(language, argv, sources).expect("a shell is there")
        };
        let home = tempfile::tempdir().expect("a folder");
        let at_home = Language { home: Some(home.path().display().to_string()), ..c.clone() };
        let before = key_of(&at_home, &shell, &base);
        fs::write(home.path().join("upgraded"), "").expect("a file");
        let mut keys = vec![
            before,
            key_of(&at_home, &shell, &base),
            key_of(&c, &shell, &base),
            key_of(&c, &shell, &program(source("b.c", "int main;"), Vec::new())),
            key_of(&c, &shell, &program(source("a.c", "int main2;"), Vec::new())),
            key_of(&c, &shell, &program(source("a.c", "int main;"), source("a.h", ""))),
            key_of(&c, &shell, &program(Vec::new(), source("a.c", "int main;"))),
            key_of(&c, &["/bin/sh".to_owned(), "-x".to_owned()], &base),
            key_of(&c, &["/bin/cat".to_owned()], &base),
            key_of(languages.get("cpp20").expect("C++"), &shell, &base),
        ];
        assert_eq!(keys[2], key_of(&c, &shell, &base));
        let count = keys.len();
        keys.sort_by_key(ToString::to_string);
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert_eq!(key(&c, &["/nonexistent".to_owned()], &base), None);
    }
}
