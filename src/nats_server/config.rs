//! The private server's folder: port and credentials made once and kept, and the settings it is started with.

use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, Permissions},
    io::{self, Write as _},
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::Role;

/// The repository's settings, the same for everybody; what varies is set in lines before it.
const NATS_CONF: &str = include_str!("../../nats.conf");

/// Ports below the range from which the kernel serves outgoing connections: while a child is being restarted
/// nobody's connection happens to take its port.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A password that does not show in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a password from somewhere else.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// 256 random bits as text.
    pub fn random() -> Secret {
        Secret(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The password itself, for the one who presents it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A step on a file that did not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}", path.display())]
pub struct FolderError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// `nats/` in the data directory.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Names the folder; touches nothing.
    pub(super) fn at(root: PathBuf) -> Folder {
        Folder { root }
    }

    /// Creates what is missing.
    pub(super) fn create(&self) -> Result<(), FolderError> {
        for folder in [&self.root, &self.credentials()] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| FolderError {
                doing: "create",
                path: folder.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// The settings that the server is started with.
    pub(super) fn conf(&self) -> PathBuf {
        self.root.join("nats.conf")
    }

    /// What the server logs once its settings are read.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("nats.log")
    }

    /// What the server says before it has a log: refused settings, mostly.
    pub(super) fn startup_log(&self) -> PathBuf {
        self.root.join("startup.log")
    }

    /// The port of every start so far, unless this is the first.
    pub(super) fn port(&self) -> Result<Option<u16>, FolderError> {
        // Anything but a port counts as none: the file is a cache of a choice, and a new choice is harmless.
        Ok(read(&self.root.join("port"))?.and_then(|text| text.trim().parse().ok()))
    }

    /// Chooses a free port and remembers it.
    pub(super) fn choose_port(&self) -> Result<u16, FolderError> {
        let path = self.root.join("port");
        let port = free_port().map_err(|source| FolderError {
            doing: "find a free port for",
            path: path.clone(),
            source,
        })?;
        write(&path, &format!("{port}\n"))?;
        Ok(port)
    }

    /// A role's password, if there is one yet.
    pub(super) fn password(&self, role: Role) -> Result<Option<Secret>, FolderError> {
        let text = read(&self.credentials().join(role.as_str()))?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| text.len() == 64).map(Secret))
    }

    /// A role's password, made now if there is none yet.
    pub(super) fn password_or_new(&self, role: Role) -> Result<Secret, FolderError> {
        if let Some(password) = self.password(role)? {
            return Ok(password);
        }
        let password = Secret::random();
        write(&self.credentials().join(role.as_str()), &format!("{}\n", password.0))?;
        Ok(password)
    }

    /// Writes the settings for a start on `port`: the variables, then the repository's file as it is.
    pub(super) fn write_conf(&self, port: u16, passwords: &[(Role, Secret)]) -> Result<(), FolderError> {
        let mut text = String::from(
            "# Written by assize at each start. Settings are changed in the sources' nats.conf.\n",
        );
        let paths =
            [("STORE", self.root.join("js")), ("LOG", self.log()), ("PID", self.root.join("nats.pid"))];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "ASSIZE_NATS_PORT: {port}");
        for (name, path) in paths {
            let quoted =
                quote(&path).map_err(|source| FolderError { doing: "name in nats.conf", path, source })?;
            let _ = writeln!(text, "ASSIZE_NATS_{name}: {quoted}");
        }
        for (role, password) in passwords {
            // Quoted, or a password of digits would be read as a number.
            let _ =
                writeln!(text, "ASSIZE_NATS_{}_PASSWORD: \"{}\"", role.as_str().to_uppercase(), password.0);
        }
        text.push('\n');
        text.push_str(NATS_CONF);
        write(&self.conf(), &text)
    }

    fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }
}

/// Whether nobody listens on the port now; somebody may the next moment, so a start checks again.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn free_port() -> io::Result<u16> {
    for _ in 0..64 {
        let port = rand::random_range(PORTS);
        if is_free(port) {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A path as a quoted string of nats-server's settings language.
fn quote(path: &Path) -> io::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "nats-server takes no path with control characters or broken UTF-8",
        )
    })?;
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

fn read(path: &Path) -> Result<Option<String>, FolderError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FolderError { doing: "read", path: path.to_owned(), source }),
    }
}

/// Writes a whole file or nothing, readable by its owner alone: a crash leaves the old one or the new one.
fn write(path: &Path, text: &str) -> Result<(), FolderError> {
    let written = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|source| FolderError { doing: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_passwords_are_made_once_and_are_private() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("nats"));
        folder.create().unwrap();
        assert_eq!(folder.port().unwrap(), None);
        let port = folder.choose_port().unwrap();
        assert_eq!(folder.port().unwrap(), Some(port));
        let passwords = Role::ALL.map(|role| (role, folder.password_or_new(role).unwrap()));
        for (role, password) in &passwords {
            assert_eq!(folder.password_or_new(*role).unwrap(), *password);
            assert_eq!(passwords.iter().filter(|(_, other)| other == password).count(), 1);
            assert!(!format!("{password:?}").contains(password.reveal()));
            let mode = fs::metadata(folder.credentials().join(role.as_str())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        folder.write_conf(port, &passwords).unwrap();
        assert_eq!(fs::metadata(folder.conf()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn every_variable_of_nats_conf_is_set_before_it() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("na\"t s\\"));
        folder.create().unwrap();
        let passwords = Role::ALL.map(|role| (role, Secret::random()));
        folder.write_conf(4222, &passwords).unwrap();
        let text = fs::read_to_string(folder.conf()).unwrap();
        let used = NATS_CONF
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .filter_map(|line| line.split_once("$ASSIZE_"));
        for (_, name) in used {
            let name = format!("\nASSIZE_{}: ", name.split_whitespace().next().unwrap());
            assert!(text.contains(&name), "{name} in {text}");
        }
    }
}
