//! Packages wherever they come from: a directory is used where it lies, an archive is unpacked into a private
//! directory that vanishes with its guard.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::{PackageError, Place, Warning};
use super::zipped::unpack_zip;
use super::{Loaded, Mode, load_as};

/// Extensions of archives that hold a package.
const EXTENSIONS: [&str; 2] = ["zip", "kpp"];

/// A package whose files lie in a directory, at least for as long as this lives.
#[derive(Debug)]
pub struct Opened {
    root: PathBuf,
    name: String,
    warnings: Vec<Warning>,
    /// Removes what was unpacked.
    _unpacked: Option<TempDir>,
}

impl Opened {
    /// The directory of the package.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the package is called by its directory or archive; a load makes a short name of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Loads the package under the name that it came with.
    pub fn load(&self, mode: Mode) -> Result<Loaded, PackageError> {
        self.load_as(&self.name, mode)
    }

    /// Loads the package under another name.
    pub fn load_as(&self, short_name: &str, mode: Mode) -> Result<Loaded, PackageError> {
        let loaded = match load_as(&self.root, short_name, mode) {
            Ok(loaded) => loaded,
            Err(PackageError::Deviations { warnings }) => {
                let warnings = self.warnings.iter().cloned().chain(warnings).collect();
                return Err(PackageError::Deviations { warnings });
            }
            Err(error) => return Err(error),
        };
        if mode == Mode::Strict && !self.warnings.is_empty() {
            return Err(PackageError::Deviations { warnings: self.warnings.clone() });
        }
        let warnings = self.warnings.iter().cloned().chain(loaded.warnings).collect();
        Ok(Loaded { warnings, ..loaded })
    }
}

/// Whether a file is taken for an archive of a package, by its extension in any case.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// Opens the package at a path: a directory, or an archive whose name ends in `.zip` or `.kpp`.
pub fn open(path: &Path) -> Result<Opened, PackageError> {
    let find = |source| PackageError::io("find", path, source);
    let host_path = path.canonicalize().map_err(find)?;
    let lossy = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let metadata = host_path.metadata().map_err(find)?;
    if metadata.is_dir() {
        let name = lossy(host_path.file_name());
        return Ok(Opened { root: path.to_owned(), name, warnings: Vec::new(), _unpacked: None });
    }
    if !metadata.is_file() || !is_archive(path) {
        let what = "is neither a directory nor an archive (.zip, .kpp)";
        return Err(PackageError::invalid(Place::file("."), what));
    }
    let archive = File::open(&host_path).map_err(|source| PackageError::io("open", path, source))?;
    unpacked(BufReader::new(archive), metadata.len(), Some(&lossy(path.file_stem())))
}

/// Opens the package in the bytes of a zip. Its name is that of the folder in it, else `name`, which is what its file
/// was called, without the extension.
pub fn open_zip(bytes: &[u8], name: Option<&str>) -> Result<Opened, PackageError> {
    unpacked(Cursor::new(bytes), bytes.len() as u64, name)
}

fn unpacked(
    archive: impl Read + Seek,
    archive_bytes: u64,
    file_name: Option<&str>,
) -> Result<Opened, PackageError> {
    // Only its owner may enter it.
    let directory = tempfile::Builder::new().prefix("assize-package-").tempdir();
    let directory = directory
        .map_err(|source| PackageError::io("create a directory in", std::env::temp_dir(), source))?;
    let root = directory.path().join("package");
    std::fs::create_dir(&root).map_err(|source| PackageError::io("create", &root, source))?;
    let folder = unpack_zip(archive, archive_bytes, &root)?;
    let mut warnings = Vec::new();
    if let (Some(folder), Some(file_name)) = (&folder, file_name)
        && folder != file_name
    {
        let what =
            format!("the archive {file_name:?} holds the folder {folder:?}, which is taken for the name");
        warnings.push(Warning { place: Place::file("."), what });
    }
    let name = folder.or(file_name.map(str::to_owned)).unwrap_or_default();
    Ok(Opened { root, name, warnings, _unpacked: Some(directory) })
}
