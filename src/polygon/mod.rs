//! Polygon packages: read `problem.xml`, complete what is missing in the sandbox, and write a package of the 2025-09
//! format that any judge of that format can use.
//!
//! A tour: `problem` turns the XML into plain data or says what is wrong with it by line; `target` writes the package:
//! limits, statements, tests in groups, jury submissions, and the checker, interactor and validators with scripts that
//! adapt testlib's exit codes. `speech` finds out whether those may give parts of points, `kinds` what sources are
//! compiled with, and `statement` turns Polygon's TeX into the format's. `complete` compiles and runs generators and the
//! main solution, confined like all guests, where a package was exported without its tests. Nothing else of a package is
//! ever run: no script of its own, no executable.

mod complete;
mod kinds;
mod problem;
mod speech;
mod statement;
mod target;

use std::path::{Path, PathBuf};

use crate::languages::LanguageError;
use crate::problems::{self, Mode, PackageError, Warning};
use crate::worker::launch::{LaunchError, Launcher};

use problem::Problem;

/// Why a Polygon package could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// `problem.xml` says something that is wrong, or that cannot be judged.
    #[error("problem.xml{}: {what}", line.map_or_else(String::new, |line| format!(":{line}")))]
    Xml {
        /// From 1, where one is at fault.
        line: Option<u32>,
        /// What is wrong.
        what: String,
    },
    /// A file of the package is not as it must be.
    #[error("{file}: {what}")]
    File {
        /// Its path in the package.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A test could not be made.
    #[error("test {test}: {what}")]
    Test {
        /// From 1.
        test: usize,
        /// Why not.
        what: String,
    },
    /// A file of the host could not be used.
    #[error("`{}` could not be {operation}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The sandbox failed.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The languages of this build are broken.
    #[error(transparent)]
    Languages(#[from] LanguageError),
    /// The package that was written is not one.
    #[error("the package that was written is broken")]
    Written(#[from] PackageError),
}

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The name of the problem.
    pub short_name: String,
    /// Where the package lies.
    pub folder: PathBuf,
    /// How many tests were made by running generators or the main solution.
    pub completed: usize,
    /// What of the Polygon package the new one does not say.
    pub notes: Vec<String>,
    /// What is odd about the new package.
    pub warnings: Vec<Warning>,
}

/// Imports the Polygon package in the directory `from` to the directory `to`, which must not exist; where none is
/// named, to one of the problem's name in the working directory. The sandbox is started where tests must be made.
pub async fn import(from: &Path, to: Option<&Path>) -> Result<Imported, ImportError> {
    let problem = Problem::read(from)?;
    let short_name = problem.package_name();
    let folder = to.map_or_else(|| PathBuf::from(&short_name), Path::to_owned);
    if folder.symlink_metadata().is_ok() {
        return Err(ImportError::Io {
            operation: "written, since it exists",
            path: folder,
            source: std::io::ErrorKind::AlreadyExists.into(),
        });
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside its place, so that nobody finds half a package there.
    let beside = tempfile::Builder::new().prefix(".assize-import-").tempdir_in(parent);
    let beside = beside.map_err(io("written in", parent))?;
    let root = beside.path().join(&short_name);
    let (plan, mut notes) = target::plan(&problem)?;
    target::write(from, &problem, &plan, &root)?;
    let done = if complete::is_complete(from, &problem) {
        complete::copy(from, &problem, &plan, &root)?
    } else {
        let launcher = Launcher::start(1)?;
        let slot = launcher.slots().first().ok_or(LaunchError::SlotGone)?;
        let (from, root) = (from.to_owned(), root.clone());
        slot.call(move |confined| complete::complete(confined, &from, &problem, &plan, &root)).await?
    };
    if done.unified > 0 {
        notes.push(format!("in {} tests lines ended in CR LF, and end in LF now", done.unified));
    }
    let loaded = problems::load_as(&root, &short_name, Mode::Lenient)?;
    std::fs::rename(&root, &folder).map_err(io("moved into place", &folder))?;
    Ok(Imported { short_name, folder, completed: done.made, notes, warnings: loaded.warnings })
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ImportError {
    let path = path.to_owned();
    move |source| ImportError::Io { operation, path, source }
}
