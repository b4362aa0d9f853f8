//! What can be wrong with a package: errors that refuse it and warnings that do not, both naming file and line.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A place in a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the file relative to the package's root, with `/`.
    pub file: String,
    /// Line in that file, counted from 1, where one line is to blame.
    pub line: Option<u64>,
}

/// A deviation that a lenient load survives. It says what is odd and what was assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What, in one line.
    pub what: String,
}

/// Why a package was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The package is broken, or would be dangerous to use.
    #[error("{place}: {what}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, in one line.
        what: String,
    },
    /// A strict load found deviations; a lenient one would have called them warnings.
    #[error("{}", list_deviations(.warnings))]
    Deviations {
        /// At least one.
        warnings: Vec<Warning>,
    },
    /// The host could not read or write a file. This says nothing about the package.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which path of the host.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Place {
    /// A whole file or directory.
    pub fn file(file: impl Into<String>) -> Place {
        Place { file: file.into(), line: None }
    }

    /// A line of a file, counted from 1.
    pub fn line(file: impl Into<String>, line: u64) -> Place {
        Place { file: file.into(), line: Some(line) }
    }
}

impl PackageError {
    pub(crate) fn invalid(place: Place, what: impl Into<String>) -> PackageError {
        PackageError::Invalid { place, what: what.into() }
    }

    pub(crate) fn io(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> PackageError {
        PackageError::Io { operation, path: path.into(), source }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(formatter, ":{line}"))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

fn list_deviations(warnings: &[Warning]) -> String {
    let lines: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    lines.join("\n")
}
