//! Which nats-server to run: found in a fixed order, and refused when it is too old.

use std::{
    env,
    ffi::OsStr,
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

/// The oldest server whose conditional appends hold; the reasons are in [`BinaryError::TooOld`].
pub const VERSION_MIN: Version = Version { major: 2, minor: 12, patch: 1 };

/// A nats-server's version. A pre-release counts as older than its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that is not `[v]MAJOR.MINOR.PATCH[-PRE]`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a version")]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Version, NotAVersion> {
        let not = || NotAVersion(text.to_owned());
        let bare = text.trim().trim_start_matches('v');
        let (numbers, pre_release) = match bare.split_once('-') {
            Some((numbers, _)) => (numbers, true),
            None => (bare, false),
        };
        let mut parts = numbers.split('.').map(|part| part.parse::<u32>());
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(not);
        let version = Version { major: next()?, minor: next()?, patch: next()? };
        // 2.12.1-RC.1 lacks what was still fixed for 2.12.1; there is no field for that and none is needed.
        Ok(match (pre_release, version.patch) {
            (true, 1..) => Version { patch: version.patch - 1, ..version },
            (true, 0) => Version { minor: version.minor.saturating_sub(1), patch: u32::MAX, ..version },
            (false, _) => version,
        })
    }
}

/// A nats-server that is new enough.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// What it said of itself.
    pub version: Version,
}

/// Why there is no nats-server to run.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// None was found.
    #[error(
        "no nats-server found (looked for ASSIZE_NATS_SERVER, .venv/bin/nats-server beside nats.conf, and PATH); \
         run `./assize setup`, or name one with ASSIZE_NATS_SERVER, or use a running server with --nats URL"
    )]
    Missing,
    /// One was found and cannot be trusted with the history.
    #[error(
        "nats-server {found} at {} is too old, at least {VERSION_MIN} is needed: older ones silently ignore the \
         conditions that appends rest on; run `./assize setup`, which installs a new one beside the sources, \
         or name one with ASSIZE_NATS_SERVER", path.display()
    )]
    TooOld {
        /// Where it is.
        path: PathBuf,
        /// What it said of itself.
        found: Version,
    },
    /// One was found that does not say which it is.
    #[error("{} does not answer --version as a nats-server does: {answer:?}", path.display())]
    NotNatsServer {
        /// Where it is.
        path: PathBuf,
        /// What it said instead.
        answer: String,
    },
    /// One was found that does not start.
    #[error("cannot run {} --version", path.display())]
    CannotRun {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Finds a nats-server that is new enough: the one named by `ASSIZE_NATS_SERVER` (and then no other), the one
/// that `./assize setup` installed beside the sources, the first good one on `PATH`.
pub fn find() -> Result<Binary, BinaryError> {
    if let Some(path) = env::var_os("ASSIZE_NATS_SERVER").filter(|path| !path.is_empty()) {
        return probe(Path::new(&path));
    }
    find_in(checkout().into_iter().collect(), env::var_os("PATH").as_deref())
}

/// Asks one binary for its version and holds it against [`VERSION_MIN`].
#[expect(clippy::disallowed_methods, reason = "the version of the server we are about to supervise")]
pub fn probe(path: &Path) -> Result<Binary, BinaryError> {
    let mut attempts = 0;
    let answer = loop {
        match Command::new(path).arg("--version").stdin(Stdio::null()).output() {
            // Somebody is just installing it, or a fork still holds the descriptor that wrote it.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempts < 50 => {
                attempts += 1;
                thread::sleep(Duration::from_millis(20));
            }
            answer => {
                break answer.map_err(|source| BinaryError::CannotRun { path: path.to_owned(), source })?;
            }
        }
    };
    let answer = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let version = answer.strip_prefix("nats-server: ").and_then(|version| version.parse::<Version>().ok());
    match version {
        None => Err(BinaryError::NotNatsServer {
            path: path.to_owned(),
            answer: answer.chars().take(200).collect(),
        }),
        Some(found) if found < VERSION_MIN => Err(BinaryError::TooOld { path: path.to_owned(), found }),
        Some(version) => Ok(Binary { path: path.to_owned(), version }),
    }
}

/// The first good one wins; without any, the first bad one says why.
fn find_in(mut folders: Vec<PathBuf>, path: Option<&OsStr>) -> Result<Binary, BinaryError> {
    folders.extend(path.iter().flat_map(env::split_paths));
    let mut refused = None;
    for candidate in folders.iter().map(|folder| folder.join("nats-server")).filter(|file| file.is_file()) {
        match probe(&candidate) {
            Ok(binary) => return Ok(binary),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or(BinaryError::Missing))
}

/// The folder that the set-up script fills, seen from our own executable in `target/…` or from cargo.
fn checkout() -> Option<PathBuf> {
    let executable = env::current_exe().ok();
    let above = executable.iter().flat_map(|executable| executable.ancestors().skip(1)).map(Path::to_owned);
    env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .into_iter()
        .chain(above)
        .find(|folder| folder.join("nats.conf").is_file())
        .map(|folder| folder.join(".venv/bin"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// A file that answers `--version`; the refusal rests on the answer alone.
    fn answering(folder: &Path, answer: &str) -> PathBuf {
        let path = folder.join("nats-server");
        fs::write(&path, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn versions_are_ordered_by_number_and_pre_releases_come_before() {
        let parse = |text: &str| text.parse::<Version>().unwrap();
        assert_eq!(parse("v2.15.1\n").to_string(), "2.15.1");
        for refused in ["2.9.10", "2.12.0", "2.12.1-RC.2", "2.12.0-beta", "1.99.99"] {
            assert!(parse(refused) < VERSION_MIN, "{refused}");
        }
        for accepted in ["2.12.1", "v2.12.10", "2.14.0-RC.1", "3.0.0", "2.100.0"] {
            assert!(parse(accepted) >= VERSION_MIN, "{accepted}");
        }
        for nonsense in ["", "2", "2.12", "two", "2.x.1"] {
            assert!(nonsense.parse::<Version>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn an_old_server_is_refused_with_its_version_its_path_and_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = answering(folder.path(), "nats-server: v2.9.10");
        let refusal = find_in(vec![], Some(folder.path().as_os_str())).unwrap_err().to_string();
        for part in ["2.9.10", &path.display().to_string(), "2.12.1", "./assize setup"] {
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[test]
    fn a_good_server_later_on_the_path_is_taken() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        answering(old.path(), "nats-server: v2.9.10");
        let path = answering(new.path(), "nats-server: v2.15.1");
        let joined = env::join_paths([old.path(), new.path()]).unwrap();
        assert_eq!(find_in(vec![], Some(&joined)).unwrap().path, path);
    }

    #[test]
    fn something_else_of_that_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = answering(folder.path(), "hello");
        assert!(matches!(probe(&path), Err(BinaryError::NotNatsServer { .. })));
        assert!(matches!(probe(&folder.path().join("absent")), Err(BinaryError::CannotRun { .. })));
        assert!(matches!(find_in(vec![], None), Err(BinaryError::Missing)));
    }
}
